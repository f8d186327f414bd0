package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// exitStatus ends the help of every command that has no codes of its own.
const exitStatus = `Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  130  interrupted`

const rootLong = `lanyardctl moves what Lanyard keeps in Redis to MongoDB: exactly, and again as
often as needed until the switch, or all the time (sync), and back again. It proves
that nothing is missing, and recovers monitoring dates that forks of Lanyard have
hidden.

Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, with something left to decide: rejects, conflicts, documents
  4    verify or sync found differences, or sweep --check something to change
  130  interrupted`

// suggestionDistance is the number of letters by which a suggested name may differ from what was typed.
const suggestionDistance = 2

// newRoot returns the command tree.
func newRoot(p program) *cobra.Command {
	root := &cobra.Command{
		Use:   "lanyardctl",
		Short: "Move Lanyard's data from Redis to MongoDB",
		Long:  rootLong,
		Example: `  lanyardctl migrate redis-to-mongo --redis redis://localhost:6379 --mongo embedded:./try
  lanyardctl verify --redis redis://localhost:6379 --mongo embedded:./try
  lanyardctl sync --redis redis://localhost:6379 --mongo mongodb://localhost:27017
  lanyardctl migrate mongo-to-redis --mongo mongodb://localhost:27017 --layout fork
  lanyardctl sweep --mongo embedded:./try --dry-run
  lanyardctl get 94490510688792576 --explain --mongo embedded:./try
  lanyardctl version
  lanyardctl embedded serve ./try`,
		Version:            readBuildVersion().Version,
		SilenceUsage:       true,
		SilenceErrors:      true,
		DisableSuggestions: true, // unknownCommand suggests, as a hint

		SuggestionsMinimumDistance: suggestionDistance,
	}
	root.AddCommand(newMigrate(p), newSync(p), newRejects(p), newSuperseded(p), newVerify(p), newForget(p), newDynamoDB(p), newRemember(p), newSweep(p), newStatus(p), newGet(p), newKV(p), newAPIKey(p), newMetrics(p), newDemo(p), newEmbedded(p), newVersion(), newCompletion())
	root.SetHelpCommand(newHelp())
	root.InitDefaultHelpCmd()
	fitHelp(root)
	profileRuns(root)
	markRun(root)
	checkGiven(root)
	checkArguments(root)
	return root
}

// newGroup returns a command that only holds others. Without one of them it is called in a wrong way. Its examples are
// theirs.
func newGroup(use, short, long string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{
		Use:   use,
		Short: short,
		Long:  long,
		Args:  cobra.ArbitraryArgs,
		// A flag that only a command of the group has must not hide that the command is missing.
		FParseErrWhitelist: cobra.FParseErrWhitelist{UnknownFlags: true},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, cmd.CommandPath()+" "+c.Name())
			}
			return exit.WrongUse(cmd.CommandPath()+": no command named",
				fmt.Sprintf("write %s, and flags after that (see %s)", english.OxfordWordSeries(names, "or"), helpHint(cmd)))
		},
		SuggestionsMinimumDistance: suggestionDistance,
	}
	group.AddCommand(commands...)
	var examples []string
	for _, c := range commands {
		examples = append(examples, c.Example)
	}
	group.Example = strings.Join(examples, "\n")
	return group
}

// unknownCommand returns the error for a name that is no command of parent.
func unknownCommand(parent *cobra.Command, name string) error {
	hint := helpHint(parent)
	if near := parent.SuggestionsFor(name); len(near) > 0 {
		hint = fmt.Sprintf("did you mean %s %s?", parent.CommandPath(), strings.Join(near, " or "))
	}
	return exit.WrongUse(fmt.Sprintf("unknown command %q for %s", name, parent.CommandPath()), hint)
}

func helpHint(cmd *cobra.Command) string { return cmd.CommandPath() + " --help" }

// runError is an error that a command's own code returned. All others come from cobra, while it reads the arguments.
type runError struct{ error }

func (e runError) Unwrap() error { return e.error }

// markRun makes the commands' own errors known as runErrors, below and including cmd.
func markRun(cmd *cobra.Command) {
	if runE := cmd.RunE; runE != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			if err := runE(cmd, args); err != nil {
				return runError{err}
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		markRun(child)
	}
}

// run runs the command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := exit.WithSignals(context.Background())
	defer stop()
	return program{os.Getenv, location.Default()}.execute(ctx, args, stdout, stderr)
}

// execute runs the command line until ctx is cancelled, and returns the exit code.
func (p program) execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	stdout, stderr = ui.InEncoding(stdout, p.env), ui.InEncoding(stderr, p.env)
	root := newRoot(p)
	if len(args) > 0 && args[0] == cobra.ShellCompRequestCmd {
		plainUsages(root)
	}
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exit.Done
	}
	if _, ran := errors.AsType[runError](err); !ran {
		err = calledWrong(root, cmd, args, err)
	}
	columns, _ := ui.TerminalWidth(stderr)
	var said strings.Builder
	exit.Print(&said, err)
	// Standard error that cannot be written to is no error that could be told.
	_, _ = io.WriteString(stderr, ui.Wrapped(typedRedactor(args).Text(said.String()), columns))
	return exit.CodeOf(err)
}

// typedRedactor returns a redactor for errors that repeat what was typed, as those of cobra do.
func typedRedactor(args []string) ui.Sanitizer {
	red := ui.NewSanitizer()
	for _, arg := range args {
		_, value, _ := strings.Cut(arg, "=")
		red.HideTyped(arg, value)
	}
	return red
}

// firstName returns the first argument that is no flag.
func firstName(args []string) string {
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return arg
		}
	}
	return args[0]
}
