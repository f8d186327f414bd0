package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
)

const migrateLong = `Copy what Lanyard keeps in Redis to the MongoDB collections that its fork reads:
API keys, key-value pairs, last-seen times, monitoring dates and counters. Every
write is a merge, so the command can be run again at any time: it brings over
what has changed in Redis since, and never overwrites what Lanyard itself wrote
to MongoDB. A run that was interrupted resumes where it stopped. What cannot be
written goes to the rejects file, byte for byte, with the reason.

The kinds are api_keys, kv, last_seen, monitoring_since and metrics. The report
alone goes to standard output.

` + environmentHelp + migrateExit

const migrateExit = `
Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, with rejects or undecided conflicts
  130  interrupted; the same command resumes`

const migrateExample = `  lanyardctl migrate redis-to-mongo --redis redis://localhost:6379 --mongo embedded:./try
  lanyardctl migrate redis-to-mongo --dry-run
  lanyardctl migrate redis-to-mongo --only kv,last_seen --user 94490510688792576
  lanyardctl migrate redis-to-mongo --output json --progress none | jq .kinds`

// migrateFlags are the flags as they were typed.
type migrateFlags struct {
	pairFlags
	dryRun, restart    bool
	batchSize, workers autoInt
	memory             size
	rejects            string
}

func newMigrate(p program) *cobra.Command {
	return newGroup("migrate", "Move data from one database to another",
		"Commands that move Lanyard's data, and the bot's, from one database to another.\n\n"+exitStatus,
		newMigrateRedisToMongo(p), newMigrateMongoToRedis(p), newMigrateDynamoDBToMongo(p), newMigrateMongoToDynamoDB(p))
}

func newMigrateRedisToMongo(p program) *cobra.Command {
	var f migrateFlags
	cmd := &cobra.Command{
		Use:     "redis-to-mongo",
		Short:   "Copy what Lanyard keeps in Redis to MongoDB",
		Long:    migrateLong,
		Example: migrateExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags(), invocation.Migrate)
			return runMigrate(cmd.Context(), o, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.bindPlaces(cmd, "write to")
	f.bindParts(cmd, "copy")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing to MongoDB")
	f.bindRules(cmd, "`who` wins over others: source, target or fail")
	f.bindBatches(cmd)
	f.memory = sizeOf(migrate.DefaultMemory, mostMemory)
	flags.Var(&f.memory, "memory", "`size` of what is known of the target's documents, about")
	f.bindFiles(cmd)
	f.bindRun(cmd)
	return cmd
}

// bindBatches adds the flags that say how the records are written.
func (f *migrateFlags) bindBatches(cmd *cobra.Command) {
	f.batchSize, f.workers = autoInt{max: 100000}, autoInt{max: 64}
	cmd.Flags().Var(&f.batchSize, "batch-size", "`records` in a batch, 1 to 100000")
	cmd.Flags().Var(&f.workers, "workers", "`batches` that are written side by side, 1 to 64")
}

// bindFiles adds the flags about what a run leaves behind.
func (f *migrateFlags) bindFiles(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.restart, "restart", false, "do not resume an interrupted run: start from the beginning")
	cmd.Flags().StringVar(&f.rejects, "rejects", "", "`file` for rejects (default lanyardctl-rejects-TIME.ndjson)")
}

// migrateOptions are checked flags and variables.
type migrateOptions struct {
	pairOptions
	dryRun, restart    bool
	batchSize, workers autoInt
	memory             int64 // bytes
	rejectsFile        string
	rejectsGiven       bool // a person chose the file

	retried *report.Retried // the rejects that are migrated again, and nothing else; nil for none
}

// options checks everything that can be checked before a server is asked.
func (f migrateFlags) options(p program, now time.Time, flags *pflag.FlagSet, command string) (migrateOptions, error) {
	o := migrateOptions{
		dryRun: f.dryRun, restart: f.restart, batchSize: f.batchSize, workers: f.workers, memory: f.memory.bytes,
		rejectsFile: cmp.Or(f.rejects, newFileName("rejects", now)), rejectsGiven: f.rejects != "",
	}
	var err error
	if o.pairOptions, err = f.pairFlags.options(p, now, flags, command); err != nil {
		return o, err
	}
	o.target.ReadOnly = f.dryRun
	if f.dryRun && f.restart {
		return o, exit.WrongUse("--dry-run and --restart contradict each other", "a dry run keeps no progress, so it always starts from the beginning")
	}
	return o, checkRejectsFile(o.rejectsFile)
}

// runMigrate migrates and reports, unless the check of the options failed. Every text that it prints or returns has
// passed the redactor.
func runMigrate(ctx context.Context, o migrateOptions, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	run := &migrationRun{pairRun: newPairRun(o.pairOptions, s), options: o}
	run.red.HideTyped(o.rejectsFile)
	missing := location.MakeFolder
	if o.dryRun {
		missing = location.EmptyFolder
	}
	return run.run(ctx, checked, func() error { return run.do(ctx, missing, run.migrate) }, run.early)
}

// scope names every option that decides what the progress of an interrupted run means.
func (o migrateOptions) scope() string {
	if o.direction.OfTables() {
		return fmt.Sprintf("tables=%s on-conflict=%s", tablesText(o.only), o.policy)
	}
	if o.direction == invocation.ToRedis {
		return fmt.Sprintf("only=%s users=%s on-conflict=%s layout=%s as-json=%t", o.only, strings.Join(ui.Names(o.users), ","), o.policy, o.layoutName(), o.asJSON)
	}
	return fmt.Sprintf("only=%s users=%s on-conflict=%s kv-prefer=%s", o.only, strings.Join(ui.Names(o.users), ","), o.policy, o.kvPrefer)
}

// migrationRun is one run of the command.
type migrationRun struct {
	*pairRun
	options migrateOptions
}

// migrate copies and reports.
func (r *migrationRun) migrate(ctx context.Context, source location.Source, target location.PairTarget) error {
	r.options.pairOptions = r.pairOptions // with the layout that was chosen
	o := r.options
	documents, err := target.Contents(ctx, o.only)
	if err != nil {
		return r.explainTarget(err)
	}
	sink, warnings, err := target.Sink(ctx, location.MergeOptions{
		Kinds: o.only, Policy: o.policy, DryRun: o.dryRun, Notify: func(message string) { r.log.Info(message) },
	})
	if err != nil {
		return r.explainTarget(err)
	}
	r.warn(warnings...)
	workers, batchSize := target.WriteHints()
	opts := migrate.Options{
		Source: r.named.watch(source.Reading()), Sink: sink, Scope: o.scope(), Only: o.only, DryRun: o.dryRun,
		Restart: o.restart, BatchSize: o.batchSize.or(batchSize), Workers: o.workers.or(workers),
		RetryFor: o.target.RetryFor, RejectsFile: o.rejectsFile, RejectsGiven: o.rejectsGiven,
		Notify: func(message string) { r.log.Info(message) },
	}
	if !o.dryRun && o.retried == nil { // a few records are retried from the start
		opts.Checkpoints = target.Checkpoints()
	}
	opts.To = report.StoreOf(o.direction)
	if o.direction.IntoMongo() && len(o.users) == 0 && o.retried == nil { // a few records are looked up one by one
		opts.Target, opts.Memory = target.Reader(nil), o.memory
	}
	job := migrate.New(opts)
	resumed, err := job.Prepare(ctx)
	if err != nil {
		return r.explain(err, "nothing was copied; fix what the error names, and run the same command again")
	}
	r.announce(o.preflight(source.Facts(), target.Facts(), documents, resumed))
	stop := r.startProgress(func() ui.Progress { return migrationProgress(job.Snapshot(), o.direction) })
	r.began = true
	result, err := job.Run(ctx)
	stop(err == nil)
	r.warnOfSources(err)
	return r.report(ctx, result, err, target.Runs())
}

func migrationProgress(s migrate.Snapshot, direction invocation.Direction) ui.Progress {
	if s.Expected > 0 {
		return ui.Progress{Phase: s.Phase, Done: s.Documents, Total: s.Expected, Unit: "documents"}
	}
	return ui.Progress{
		Phase: s.Phase, Done: s.Keys, Total: s.Total, Unit: ui.Several(direction.SourceNoun()),
		Beside: []ui.Counter{{Noun: "record", N: s.Records}, {Noun: "reject", N: s.Rejects}},
	}
}

// preflight says what is going to be done.
func (o migrateOptions) preflight(source location.SourceFacts, target location.TargetFacts, documents map[record.Kind]int64, resumed bool) report.Preflight {
	p := o.pairOptions.preflight("merge", source, target, documents)
	p.Retried = o.retried
	switch o.policy {
	case record.PreferSource:
		p.Rules = append(p.Rules, "where the target holds another value: "+o.direction.Source()+" wins; the target's value goes to the superseded file")
	case record.PreferTarget:
		p.Rules = append(p.Rules, "where the target holds another value: the target wins; "+o.direction.Source()+"'s value goes to the superseded file")
	default:
		p.Rules = append(p.Rules, "where somebody else wrote another value to the target: the target keeps it, "+o.direction.Source()+"'s goes to the rejects file")
	}
	p.Rules = append(p.Rules, o.layoutRule()...)
	switch {
	case o.dryRun:
		p.Mode = "dry run: nothing is written to " + o.direction.Target() + "; what would be left out goes to " + ui.PrintableLine(o.rejectsFile)
	case resumed:
		p.Rules = append(p.Rules, "resumes an earlier run that was interrupted")
	}
	p.Log = []any{"dry_run", o.dryRun, "resumed", resumed}
	return p
}

// report prints the report and returns the error that sets the exit code. What a later status tells of the run is kept
// in runs.
func (r *migrationRun) report(ctx context.Context, result *migrate.Report, runErr error, runs record.Runs) error {
	if result.Resumed {
		r.warned = append(r.warned, fmt.Sprintf("this run resumed an earlier one that stopped at %s, and did not read again what that one had read: "+
			"if that changed in %s since then, the change is missing; run the same command once more before you switch over",
			result.ResumedFrom.UTC().Format("2006-01-02 15:04:05 MST"), r.direction.Source()))
	}
	if result.Unknown > 0 {
		r.warned = append(r.warned, fmt.Sprintf("%s of the target did not fit --memory, so that they were looked up one by one, which takes longer: --memory %dMiB holds all",
			ui.Plural(result.Unknown, "document"), (result.MemoryForAll+1<<20-1)>>20))
	}
	// An earlier part of the run may have read something of those whom this part has not met.
	if runErr == nil && !result.Resumed {
		runErr = r.foundNobody("anything to copy")
	}
	r.doubtClock(result.Future, result.Kinds[record.LastSeen].Read+result.Kinds[record.MonitoringSince].Read)
	err := runErr
	_, explained := errors.AsType[*exit.Error](runErr)
	again := "the same command resumes"
	if r.options.retried != nil {
		again = "the same command begins anew"
	}
	switch {
	case explained:
	case errors.Is(runErr, record.ErrInterrupted):
		hint := again
		if result.DryRun {
			hint = ""
		}
		err = exit.Interruption(hint)
	case runErr != nil:
		hint := "the report says what was done until then; fix what the error names, and " + again
		if errors.Is(runErr, record.ErrUnavailable) {
			hint = "the report says what was done until then; " + again + " (--retry-for waits longer)"
		}
		err = r.explain(runErr, hint)
	case result.Rejects() > 0:
		err = exit.Silent(exit.Rejects)
	}
	code := exit.CodeOf(err)
	r.keep(ctx, result, code, runErr, runs)
	m := report.Migration{Report: *result, Pair: r.facts(runErr), Retried: r.options.retried}
	m.Exit = code
	return r.tell(err, m)
}

// keepFor bounds how long it may take to keep how the run ended.
const keepFor = 5 * time.Second

// keep writes to the target how a run of all that was asked for ended. Of one that was interrupted, its progress tells.
func (r *migrationRun) keep(ctx context.Context, result *migrate.Report, code int, runErr error, runs record.Runs) {
	if result.DryRun || r.options.retried != nil || code == exit.Interrupted || errors.Is(runErr, record.ErrUnavailable) {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, keepFor)
	defer cancel()
	ended := record.EndedRun{
		Command: r.on.again.Name, Options: r.direction.Options(r.on.again),
		Version: readBuildVersion().Version, Host: lease.Self().Host,
		StartedAt: result.StartedAt, EndedAt: result.StartedAt.Add(result.Duration), Exit: code,
	}
	for _, c := range result.Kinds {
		ended.Read, ended.Inserted, ended.Updated = ended.Read+c.Read, ended.Inserted+c.Inserted, ended.Updated+c.Updated
		ended.Conflicts, ended.Rejected = ended.Conflicts+c.Conflicts, ended.Rejected+c.Rejected
	}
	if err := runs.SaveRun(bounded, ended); err != nil && ctx.Err() == nil {
		r.warn("status will not tell of this run: " + err.Error())
	}
}

// early returns the report of a run that ended before there was anything to copy.
func (r *migrationRun) early(ended *exit.Error) report.Report {
	m := report.Migration{Pair: r.facts(ended.Err), Retried: r.options.retried}
	m.Report.Only, m.Report.DryRun, m.Report.StartedAt = r.only, r.options.dryRun, time.Now()
	m.Exit = ended.Code
	return m
}
