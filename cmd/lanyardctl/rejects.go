package main

import (
	"bufio"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

func newRejects(p program) *cobra.Command {
	return newGroup("rejects", "Show what a migration left out, and migrate it again",
		"Commands about the rejects file, in which a migration keeps what it could not\nwrite.\n\n"+exitStatus,
		newRejectsShow(p), newRejectsRetry(p))
}

func newSuperseded(p program) *cobra.Command {
	return newGroup("superseded", "Show values that another value replaced, and restore them",
		"Commands about the superseded file, in which a migration keeps the values that\nanother value replaced.\n\n"+exitStatus,
		newSupersededShow(p), newSupersededRestore(p))
}

const linesLong = `The lines of the last run are shown, unless --run names another, or --line single
lines. Control characters are escaped, long values are cut, and API keys and
passwords are hidden: an API key becomes a fingerprint. --reveal shows them.

` + exitStatus

func newRejectsShow(p program) *cobra.Command {
	return newShowLines(p, invocation.RejectsShow, &cobra.Command{
		Short: "Show what a migration left out, and why",
		Long: `Show a rejects file: how many values were left out for which reason, and each
of them with its key in Redis, its user, its field and its value.

` + linesLong,
		Example: `  lanyardctl rejects show lanyardctl-rejects-20261124T030730.123Z.ndjson
  lanyardctl rejects show rejects.ndjson --reason not-a-timestamp --max-lines 0
  lanyardctl rejects show rejects.ndjson --user 94490510688792576 --reveal`,
	})
}

func newSupersededShow(p program) *cobra.Command {
	return newShowLines(p, invocation.SupersededShow, &cobra.Command{
		Short: "Show the values that other values replaced",
		Long: `Show a superseded file: the values of MongoDB that a migration overwrote or
removed, and the values of Redis for which another one was written.

` + linesLong,
		Example: `  lanyardctl superseded show rejects.superseded.ndjson
  lanyardctl superseded show rejects.superseded.ndjson --user 94490510688792576`,
	})
}

// newShowLines returns a command that shows lines of a file.
func newShowLines(p program, name string, cmd *cobra.Command) *cobra.Command {
	var f lineFlags
	most, reveal, output := 0, false, outputText
	cmd.Use = "show FILE"
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkFileName(args[0]); err != nil {
			return err
		}
		if err := oneOf("--output", output, outputText, outputJSON); err != nil {
			return err
		}
		if most < 0 {
			return exit.WrongUse(fmt.Sprintf("--max-lines: %d is negative", most), "give 0 to show all")
		}
		asked, err := f.filter()
		if err != nil {
			return err
		}
		s, lines := p.of(cmd), report.Lines{Command: name, File: args[0], Most: most, Reveal: reveal}
		file, err := openLines(args[0], f, name == invocation.SupersededShow, asked)
		if err != nil {
			if lines.Err, lines.Each = err, noLines; output == outputJSON && exit.CodeOf(err) != exit.Usage {
				err = exit.Alongside(err, lines.WriteJSON(s.out))
			}
			return err
		}
		lines.Run, lines.Runs, lines.Damaged, lines.Each = file.run, file.Runs, file.Damaged, file.each
		out := bufio.NewWriter(s.out)
		if output == outputJSON {
			err = lines.WriteJSON(out)
		} else {
			err = lines.WriteText(out, ui.StyleOf(s.out, s.env))
		}
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			err = fmt.Errorf("print the report: %w", err)
		}
		return errors.Join(err, file.Close())
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	if name == invocation.RejectsShow {
		f.bindReason(cmd, "show")
	}
	f.bind(cmd, "show")
	flags.IntVar(&most, "max-lines", 100, "`number` of lines to show; 0 for all")
	flags.BoolVar(&reveal, "reveal", false, "show API keys and passwords as they are")
	flags.StringVar(&output, "output", outputText, "`format` of the report: text or json")
	completeValues(cmd, "output", outputText, outputJSON)
	return cmd
}

func noLines(func(rejectsfile.Line) error) error { return nil }
