package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/verify"
)

const verifyLong = `Compare what Lanyard keeps in Redis with the MongoDB collections that its fork
reads, in full, and tell whether anything is missing. Nothing is written to
either. The question is whether merging the source again would change anything:
a target that is ahead, such as with a later last-seen time or a field of the
app's own, is fine. Values that cannot be migrated are rejected here as by
migrate. A difference names the kind, the user and the field, never a value.

A source that is in use moves while it is read, so what differs is read again
after a pause (--recheck, --recheck-delay). The report alone goes to standard
output; --report writes it to a file as well, as its name ends: .json, .xml
(JUnit) or .md.

` + environmentHelp + `
Exit status
  0    the target holds everything
  1    error
  2    the command was called in a wrong way
  3    the target holds everything that can be written; some values cannot
  4    differences found
  130  interrupted; what the report says is no verdict`

const verifyExample = `  lanyardctl verify --redis redis://localhost:6379 --mongo embedded:./try
  lanyardctl verify --redis rdb:./dump.rdb --mongo embedded:./try --report verify.md
  lanyardctl verify --only kv,last_seen --user 94490510688792576 --exact
  lanyardctl verify --output json --progress none | jq .differences`

// verifyFlags are the flags as they were typed.
type verifyFlags struct {
	pairFlags
	exact, countsOnly bool
	recheck           int
	recheckDelay      time.Duration
	maxDifferences    int
	memory            int // MiB
	reports           []string
}

func newVerify(p program) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:        "verify",
		Short:      "Tell whether MongoDB holds all that Redis holds",
		Long:       verifyLong,
		Example:    verifyExample,
		Args:       cobra.NoArgs,
		SuggestFor: []string{"check", "compare", "diff", "validate"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags())
			return runVerify(cmd.Context(), o, s, err)
		},
	}
	cmd.Flags().SortFlags = false
	f.bindAll(cmd)
	return cmd
}

func (f *verifyFlags) bindAll(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.bindPlaces(cmd, "compare", "compare with")
	f.bindRules(cmd, "`who` wins, as for migrate: source, target, fail")
	flags.BoolVar(&f.exact, "exact", false, "ask for equality: a target that is ahead, or has more, differs")
	flags.BoolVar(&f.countsOnly, "counts-only", false, "compare numbers of records and documents alone")
	flags.IntVar(&f.recheck, "recheck", 2, "`times` to read what differs again (of an RDB file: 0)")
	flags.DurationVar(&f.recheckDelay, "recheck-delay", 2*time.Second, "how long to wait before that")
	flags.IntVar(&f.maxDifferences, "max-differences", 100, "`number` of differences to list; all are counted")
	flags.IntVar(&f.memory, "memory", verify.DefaultMemory>>20, "`MiB` for records that are compared one by one, about")
	flags.StringArrayVar(&f.reports, "report", nil, "`file` for the report: .json, .xml (JUnit) or .md; can be repeated")
	completeFiles(cmd, "report", "json", "xml", "md")
	f.bindRun(cmd)
}

// verifyOptions are checked flags and variables.
type verifyOptions struct {
	pairOptions
	exact, countsOnly bool
	recheck           int
	recheckDelay      time.Duration
	maxDifferences    int
	memory            int64 // bytes
	reports           []report.File
}

// options checks everything that can be checked before a server is asked.
func (f verifyFlags) options(p program, now time.Time, flags *pflag.FlagSet) (verifyOptions, error) {
	o := verifyOptions{
		exact: f.exact, countsOnly: f.countsOnly, recheck: f.recheck, recheckDelay: f.recheckDelay,
		maxDifferences: f.maxDifferences, memory: int64(f.memory) << 20,
	}
	var err error
	if o.pairOptions, err = f.pairFlags.options(p, now, flags, invocation.Verify); err != nil {
		return o, err
	}
	o.target.ReadOnly = true
	if err := f.checkNumbers(); err != nil {
		return o, err
	}
	if f.countsOnly {
		for _, name := range []string{"on-conflict", "recheck", "recheck-delay", "max-differences", "memory"} {
			if flags.Changed(name) {
				return o, exit.WrongUse("--counts-only and --"+name+" contradict each other", "where only numbers are compared, there is nothing that --"+name+" would change")
			}
		}
	}
	if f.exact && flags.Changed("on-conflict") {
		return o, exit.WrongUse("--exact and --on-conflict contradict each other", "--exact asks for equality, whoever wrote a value; leave one of them out")
	}
	if p.places.Still(o.source.Location) && !flags.Changed("recheck") {
		o.recheck = 0 // a file does not move
	}
	reports, err := report.ParseFiles(f.reports)
	if err != nil {
		return o, err
	}
	if err := report.CheckFiles(reports); err != nil {
		return o, err
	}
	o.reports = reports
	return o, nil
}

// mostMemory bounds --memory, in MiB.
const mostMemory = 1 << 20

func (f verifyFlags) checkNumbers() error {
	switch {
	case f.recheck < 0:
		return exit.WrongUse(fmt.Sprintf("--recheck: %d is less than nothing", f.recheck), "give 0 to read nothing again")
	case f.recheckDelay < 0:
		return exit.WrongUse(fmt.Sprintf("--recheck-delay: %s is no time to wait", f.recheckDelay), "give a duration such as 2s")
	case f.maxDifferences < 0:
		return exit.WrongUse(fmt.Sprintf("--max-differences: %d is less than nothing", f.maxDifferences), "give 0 to list none")
	case f.memory < 1 || f.memory > mostMemory:
		return exit.WrongUse(fmt.Sprintf("--memory: %d MiB cannot be", f.memory), fmt.Sprintf("give 1 to %d", mostMemory))
	}
	return nil
}

// runVerify compares and reports, unless the check of the options failed. Every text that it prints or returns has
// passed the redactor.
func runVerify(ctx context.Context, o verifyOptions, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	run := &verifyRun{pairRun: newPairRun(o.pairOptions, s), options: o}
	for _, file := range o.reports {
		run.red.HideTyped(file.Path)
	}
	if checked != nil {
		return run.ended(ctx, run.reportFailure(ctx, checked))
	}
	return run.ended(ctx, run.stoppable(ctx, func() error { return run.reportFailure(ctx, run.do(ctx, location.RefuseFolder, run.verify)) }))
}
