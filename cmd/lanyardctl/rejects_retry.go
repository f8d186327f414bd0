package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

const rejectsRetryLong = `Migrate again the records of which the last run in a rejects file left something
out: after that was corrected in Redis, or to decide conflicts. Each record is read
from Redis as it is now, and merged as migrate redis-to-mongo does it. No other
record is looked at, so ten values take no longer in a Redis of millions of keys.
What is left out again goes to a new rejects file; FILE stays as it is.

` + environmentHelp + `
Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, with rejects or undecided conflicts
  130  interrupted; the same command begins again`

// retryFlags are the flags as they were typed.
type retryFlags struct {
	migrateFlags
	lines lineFlags
}

func newRejectsRetry(p program) *cobra.Command {
	var f retryFlags
	cmd := &cobra.Command{
		Use:   "retry FILE",
		Short: "Migrate again what a migration left out",
		Long:  rejectsRetryLong,
		Example: `  lanyardctl rejects retry rejects.ndjson
  lanyardctl rejects retry rejects.ndjson --user 94490510688792576 --dry-run
  lanyardctl rejects retry rejects.ndjson --reason conflict --on-conflict source`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags(), args[0])
			return runMigrate(cmd.Context(), o, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.bindPlaces(cmd, "write to")
	f.lines.bindReason(cmd, "take")
	f.lines.bind(cmd, "take")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing")
	f.bindRules(cmd, "`who` wins over others: source, target or fail")
	flags.StringVar(&f.rejects, "rejects", "", "`file` for new rejects (default lanyardctl-rejects-TIME.ndjson)")
	f.bindRun(cmd)
	return cmd
}

// options checks everything that can be checked before a server is asked, and reads which records are meant.
func (f retryFlags) options(p program, now time.Time, flags *pflag.FlagSet, path string) (migrateOptions, error) {
	if err := checkFileName(path); err != nil {
		return migrateOptions{}, err
	}
	asked, err := f.lines.filter()
	if err != nil {
		return migrateOptions{}, err
	}
	o, optionsErr := f.migrateFlags.options(p, now, flags, invocation.RejectsRetry+" "+invocation.Quote(path))
	if exit.CodeOf(optionsErr) == exit.Usage {
		return o, optionsErr
	}
	file, err := openLines(path, f.lines, false, asked)
	if err != nil {
		return o, err
	}
	selection, retried, err := file.selection()
	if err := errors.Join(err, file.Close()); err != nil {
		return o, err
	}
	retried.File = path
	o.retried, o.source.Request.Selection, o.only = &retried, selection, 0
	for _, kinds := range selection.Records {
		o.only |= kinds
	}
	o.source.Request.Kinds = o.only
	if retried.Lines == 0 {
		return o, exit.Failure(errors.New("no line of the file is meant: there is nothing to migrate"), "see which lines there are: "+
			invocation.Invocation{Name: invocation.RejectsShow + " " + invocation.Quote(path)}.String())
	}
	return o, optionsErr
}

// selection returns the records that the lines are of.
func (l lineFile) selection() (*layout.Selection, report.Retried, error) {
	selection, retried := layout.NewSelection(), report.Retried{Run: l.run}
	if l.ofAnyRun {
		retried.Run = rejectsfile.RunLines{}
	}
	asked := l.asked
	l.asked = rejectsfile.Filter{}
	err := l.each(func(line rejectsfile.Line) error {
		wanted := asked.Has(line)
		if wanted {
			retried.Lines++
			if err := refuseOthers(line, "correct in MongoDB what is worth it, then copy these records again: lanyardctl "+invocation.MigrateBack+
				" takes the kinds by --only and the users by --user", "correct the items, then run the same migrate command again: it writes what has changed"); err != nil {
				return err
			}
		}
		selection.Add(line.Reject, wanted)
		return nil
	})
	retried.Selected = selection.Size()
	return selection, retried, err
}
