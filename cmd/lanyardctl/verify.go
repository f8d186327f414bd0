package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/verify"
)

const verifyLong = `Compare what Lanyard keeps in Redis with the MongoDB collections that its fork
reads, in full, and tell whether anything is missing. Nothing is written to
either. The question is whether merging the source again would change anything:
a target that is ahead, such as with a later last-seen time or a field of the
app's own, is fine. Values that cannot be migrated are rejected here as by
migrate. A difference names the kind, the user and the field, never a value.
verify mongo-to-redis compares the way back; redis-to-mongo names this one.

A source that is in use moves while it is read, so what differs is read again
after a pause (--recheck, --recheck-delay). The report alone goes to standard
output; --report writes it to a file as well, as its name ends: .json, .xml
(JUnit) or .md.

` + environmentHelp + verifyExit

const verifyExit = `
Exit status
  0    the target holds everything
  1    error
  2    the command was called in a wrong way
  3    the target holds everything that can be written; some values cannot
  4    differences found
  130  interrupted; the report is not a result`

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
	memory            size
	reports           []string
}

func newVerify(p program) *cobra.Command {
	cmd := newVerifyOf(p, invocation.Verify, invocation.ToMongo, &cobra.Command{
		Use: "verify", Short: "Tell whether MongoDB holds all that Redis holds", Long: verifyLong, Example: verifyExample,
		SuggestFor: []string{"check", "compare", "diff", "validate"},
	})
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 && len(cmd.SuggestionsFor(args[0])) > 0 {
			return unknownCommand(cmd, args[0])
		}
		return cobra.NoArgs(cmd, args)
	}
	cmd.SuggestionsMinimumDistance = suggestionDistance
	back, tables, tablesBack := p, p, p
	back.places, tables.places, tablesBack.places = location.Back(), location.Tables(), location.TablesBack()
	cmd.AddCommand(newVerifyOf(p, invocation.VerifyThere, invocation.ToMongo, &cobra.Command{
		Use: "redis-to-mongo", Short: "The same as verify alone", Long: verifyLong, Example: strings.ReplaceAll(verifyExample, invocation.Verify, invocation.VerifyThere),
	}), newVerifyOf(back, invocation.VerifyBack, invocation.ToRedis, &cobra.Command{
		Use: "mongo-to-redis", Short: "Tell whether Redis holds all that MongoDB holds", Long: verifyBackLong, Example: verifyBackExample,
	}), newVerifyOf(tables, invocation.VerifyTables, invocation.TablesToMongo, &cobra.Command{
		Use: "dynamodb-to-mongo", Short: "Tell whether MongoDB holds all that tables of DynamoDB hold", Long: verifyTablesLong, Example: verifyTablesExample,
	}), newVerifyOf(tablesBack, invocation.VerifyTablesBack, invocation.TablesBack, &cobra.Command{
		Use: "mongo-to-dynamodb", Short: "Tell whether DynamoDB holds all that MongoDB holds", Long: verifyTablesBackLong, Example: verifyTablesBackExample,
	}))
	return cmd
}

// newVerifyOf makes cmd the command that compares in the direction.
func newVerifyOf(p program, name string, direction invocation.Direction, cmd *cobra.Command) *cobra.Command {
	var f verifyFlags
	f.direction = direction
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s := p.of(cmd)
		o, err := f.options(s.program, time.Now(), cmd.Flags(), name)
		return runVerify(cmd.Context(), o, s, err)
	}
	cmd.Flags().SortFlags = false
	f.bindAll(cmd)
	return cmd
}

func (f *verifyFlags) bindAll(cmd *cobra.Command) {
	const onConflict = "`who` wins, as for migrate: source, target, fail"
	flags := cmd.Flags()
	switch {
	case f.direction.OfTables():
		f.bindTablePlaces(cmd, "compare with")
		f.bindTables(cmd, "compare")
		f.bindBackRules(cmd, onConflict)
	case f.direction == invocation.ToRedis:
		f.bindBackPlaces(cmd, "compare with")
		f.bindParts(cmd, "compare")
		f.bindBackRules(cmd, onConflict)
	default:
		f.bindPlaces(cmd, "compare with")
		f.bindParts(cmd, "compare")
		f.bindRules(cmd, onConflict)
	}
	flags.BoolVar(&f.exact, "exact", false, "ask for equality: a target that is ahead, or has more, differs")
	flags.BoolVar(&f.countsOnly, "counts-only", false, "compare numbers of records and documents alone")
	flags.IntVar(&f.recheck, "recheck", 2, "`times` to read what differs again (of an RDB file: 0)")
	flags.Var(durationOf(&f.recheckDelay, 2*time.Second), "recheck-delay", "how long to wait before that")
	flags.IntVar(&f.maxDifferences, "max-differences", 100, "`number` of differences to list; all are counted")
	f.memory = sizeOf(verify.DefaultMemory, mostMemory)
	flags.Var(&f.memory, "memory", "`size` of what is compared one by one, about")
	flags.StringArrayVar(&f.reports, "report", nil, "`file` for the report: .json, .xml (JUnit) or .md; can be repeated")
	completeFiles(cmd, "report", "json", "xml", "md")
	switch {
	case f.direction.OfTables():
		f.bindTableRun(cmd, false)
	case f.direction == invocation.ToRedis:
		f.bindBackRun(cmd)
	default:
		f.bindRun(cmd)
	}
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
func (f verifyFlags) options(p program, now time.Time, flags *pflag.FlagSet, command string) (verifyOptions, error) {
	o := verifyOptions{
		exact: f.exact, countsOnly: f.countsOnly, recheck: f.recheck, recheckDelay: f.recheckDelay,
		maxDifferences: f.maxDifferences, memory: f.memory.bytes,
	}
	var err error
	if o.pairOptions, err = f.pairFlags.options(p, now, flags, command); err != nil {
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

// mostMemory bounds --memory, in bytes.
const mostMemory = 1 << 40

func (f verifyFlags) checkNumbers() error {
	switch {
	case f.recheck < 0:
		return exit.WrongUse(fmt.Sprintf("--recheck: %d is less than 0", f.recheck), "give 0 to read nothing again")
	case f.recheckDelay < 0:
		return exit.WrongUse(fmt.Sprintf("--recheck-delay: %s is not a time to wait", f.recheckDelay), "give a duration such as 2s")
	case f.maxDifferences < 0:
		return exit.WrongUse(fmt.Sprintf("--max-differences: %d is less than 0", f.maxDifferences), "give 0 to list none")
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
	run.exactLayouts = o.exact
	for _, file := range o.reports {
		run.red.HideTyped(file.Path)
	}
	return run.run(ctx, checked, func() error { return run.do(ctx, location.RefuseFolder, run.verify) }, run.early)
}

// verifyRun is one run of the command.
type verifyRun struct {
	*pairRun
	options verifyOptions
}

// verify compares and reports.
func (r *verifyRun) verify(ctx context.Context, source location.Source, target location.PairTarget) error {
	r.options.pairOptions = r.pairOptions // with the layout that was chosen
	o := r.options
	documents, err := target.Contents(ctx, o.only)
	if err != nil {
		return r.explainTarget(err)
	}
	reading := source.Reading
	if users, ok := source.(location.ByUser); ok {
		keys, err := r.keysOf(ctx, target)
		if err != nil {
			return r.explainTarget(err)
		}
		reading = func() record.Source { return users.ReadingWith(keys) }
	}
	job := verify.New(verify.Options{
		Source: func() record.Source { return r.named.watch(reading()) }, Named: r.byUser, Target: target.Reader(o.users), Kinds: o.only,
		Compare:    record.CompareOptions{Policy: o.policy, Exact: o.exact, Now: o.now},
		CountsOnly: o.countsOnly, Recheck: o.recheck, RecheckDelay: o.recheckDelay,
		MaxDifferences: o.maxDifferences, Memory: o.memory, RetryFor: o.target.RetryFor,
		Notify: func(message string) { r.log.Info(message) },
	})
	r.announce(o.preflight(source.Facts(), target.Facts(), documents))

	var expected int64
	for _, n := range documents {
		expected += n
	}
	if o.countsOnly || len(o.users) > 0 {
		expected = 0
	}
	stop := r.startProgress(func() ui.Progress { return verifyProgress(job.Snapshot(), expected, o.direction) })
	r.began = true
	result, err := job.Run(ctx)
	stop(err == nil)
	r.warnOfSources(err)
	return r.report(result, err)
}

// keysOf returns the API keys that the target has of the users. One that authenticates in the source is not extra,
// though it may not be the user's current one there.
func (r *verifyRun) keysOf(ctx context.Context, target location.PairTarget) (map[record.UserID][]string, error) {
	keys := make(map[record.UserID][]string)
	points, ok := target.(record.TargetPointReader)
	if !ok || !r.only.Has(record.APIKeys) {
		return nil, nil
	}
	err := points.ReadUsers(ctx, record.APIKeys, r.users, func(page []record.Document) error {
		for _, s := range page {
			if s.Held.APIKey != "" {
				keys[s.User] = append(keys[s.User], s.Held.APIKey)
			}
		}
		return nil
	})
	return keys, err
}

// verifyProgress adds up both sides, since either may be the slower one. Expected is about how many documents there
// are, for as long as the comparison itself does not know.
func verifyProgress(s verify.Snapshot, expected int64, direction invocation.Direction) ui.Progress {
	if s.Expected > 0 {
		expected = s.Expected
	}
	p := ui.Progress{
		Phase: s.Phase, Done: s.Keys + s.Documents, Total: s.Total, Unit: "entries",
		Beside: []ui.Counter{{Noun: direction.SourceNoun(), N: s.Keys}, {Noun: direction.TargetNoun(), N: s.Documents}},
	}
	if s.Total > 0 {
		p.Total += expected
	}
	return p
}

// preflight says what is going to be done.
func (o verifyOptions) preflight(source location.SourceFacts, target location.TargetFacts, documents map[record.Kind]int64) report.Preflight {
	p := o.pairOptions.preflight("compare", source, target, documents)
	switch {
	case o.countsOnly:
		p.Rules = append(p.Rules, "numbers of records and documents alone, and no content")
	case o.exact:
		p.Rules = append(p.Rules, "both sides have to be equal")
	case o.policy == record.PreferTarget:
		p.Rules = append(p.Rules, "a target that is ahead is fine, and so is a value that somebody else wrote there")
	default:
		p.Rules = append(p.Rules, "a target that is ahead is fine; another value is a difference, whoever wrote it")
	}
	p.Rules = append(p.Rules, o.layoutRule()...)
	p.Log = []any{"exact", o.exact, "counts_only", o.countsOnly}
	return p
}

// report writes the report's files and prints it, and returns the error that sets the exit code.
func (r *verifyRun) report(result *verify.Report, runErr error) error {
	if runErr == nil {
		runErr = r.foundNothing(result)
	}
	r.doubtClock(result.Future, result.Kinds[record.LastSeen].Source+result.Kinds[record.MonitoringSince].Source)
	err := r.outcome(result, runErr)
	v := r.verification(*result, runErr, exit.CodeOf(err))
	if failed := v.Write(r.options.reports); failed != nil {
		err = exit.Alongside(err, failed)
		v.Exit, v.Unwritten = exit.CodeOf(err), r.red.Err(failed)
	}
	return r.tell(err, v)
}

// foundNothing returns an error where the source had nothing of what was to be compared, so that to be found in the
// target says nothing.
func (r *verifyRun) foundNothing(result *verify.Report) error {
	if !r.allowEmpty && result.Seen.Known() == 0 && !r.byUser {
		return verify.ErrEmptied // there was a key of Lanyard's at the start
	}
	if err := r.foundNobody(toCompare); err != nil || r.allowEmpty || len(r.users) > 0 {
		return err
	}
	var total verify.Counts
	for _, counts := range result.Kinds {
		total.Add(counts)
	}
	if total.Source > 0 || result.Rejects() > 0 {
		return nil
	}
	if r.direction.OfTables() || r.only|r.leftOut != record.LanyardKinds {
		return exit.Failure(fmt.Errorf("the source has nothing of %s: is it the right database?", strings.Join(ui.Names(r.only.List()), ", ")), r.emptyHint(toCompare))
	}
	return nil
}

// toCompare is what a source without anything has nothing of.
const toCompare = "anything to compare"

// outcome returns the error that a comparison ends with.
func (r *verifyRun) outcome(result *verify.Report, runErr error) error {
	if exit, ok := errors.AsType[*exit.Error](runErr); ok {
		return exit
	}
	switch {
	case errors.Is(runErr, record.ErrInterrupted):
		return exit.Interruption("what was found until then is not a result: run the same command again")
	case errors.Is(runErr, verify.ErrEmptied):
		return exit.Failure(runErr, "is somebody flushing the source, or does it load its data? Run the same command again")
	case runErr != nil:
		return r.explain(runErr, "the comparison did not come to its end: run the same command again")
	case result.Total > 0:
		return exit.Silent(exit.Differences)
	case result.Rejects() > 0:
		return exit.Silent(exit.Rejects)
	}
	return nil
}

// early writes the report of a run that ended before there was anything to compare to the files of --report, so that a
// file of an earlier run is not taken for this one's, and returns it.
func (r *verifyRun) early(ended *exit.Error) report.Report {
	result := verify.Report{Only: r.only, Exact: r.options.exact, CountsOnly: r.options.countsOnly, StartedAt: time.Now()}
	v := r.verification(result, ended.Err, ended.Code)
	if failed := v.Write(r.options.reports); failed != nil {
		v.Unwritten = r.red.Err(failed)
		ended.Err = errors.Join(ended.Err, failed)
	}
	return v
}

// verification returns what the report shows.
func (r *verifyRun) verification(result verify.Report, runErr error, exit int) report.Verification {
	// Names of fields are what users wrote: whatever looks like a secret is hidden in them, too.
	listed := make([]record.Difference, len(result.Differences))
	for i, d := range result.Differences {
		d.Field, d.Name = r.red.Text(d.Field), r.red.Text(d.Name)
		listed[i] = d
	}
	result.Differences = listed
	v := report.Verification{Pair: r.facts(runErr), Report: result}
	v.Exit = exit
	return v
}
