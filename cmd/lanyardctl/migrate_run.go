package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
)

// scope names every option that decides what the progress of an interrupted run means.
func (o migrateOptions) scope() string {
	return fmt.Sprintf("only=%s users=%s on-conflict=%s kv-prefer=%s", o.only, strings.Join(ui.Names(o.users), ","), o.policy, o.kvPrefer)
}

// migrationRun is one run of the command.
type migrationRun struct {
	*pairRun
	options migrateOptions
}

// migrate copies and reports.
func (r *migrationRun) migrate(ctx context.Context, source location.Source, target location.Target) error {
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
		Source: source.Reading(), Sink: sink, Scope: o.scope(), Only: o.only, DryRun: o.dryRun,
		Restart: o.restart, BatchSize: o.batchSize.or(batchSize), Workers: o.workers.or(workers),
		RetryFor: o.target.RetryFor, RejectsFile: o.rejectsFile, RejectsGiven: o.rejectsGiven,
		Notify: func(message string) { r.log.Info(message) },
	}
	if !o.dryRun {
		opts.Checkpoints = target.Checkpoints()
	}
	job := migrate.New(opts)
	resumed, err := job.Prepare(ctx)
	if err != nil {
		return r.explain(err, "nothing was copied; mend what the error names, and run the same command again")
	}
	r.announce(o.preflight(source.Facts(), target.Facts(), documents, resumed))
	stop := r.startProgress(func() ui.Progress { return migrationProgress(job.Snapshot()) })
	r.began = true
	result, err := job.Run(ctx)
	stop(err == nil)
	r.warnOfSources(err)
	return r.report(result, err)
}

func migrationProgress(s migrate.Snapshot) ui.Progress {
	return ui.Progress{
		Phase: s.Phase, Done: s.Keys, Total: s.Total, Unit: "keys",
		Beside: []ui.Counter{{Noun: "record", N: s.Records}, {Noun: "reject", N: s.Rejects}},
	}
}

// preflight says what is going to be done.
func (o migrateOptions) preflight(source location.SourceFacts, target location.TargetFacts, documents map[record.Kind]int64, resumed bool) report.Preflight {
	p := o.pairOptions.preflight("merge", source, target, documents)
	switch o.policy {
	case record.PreferSource:
		p.Rules = append(p.Rules, "where the target holds another value: Redis wins; the target's value goes to the superseded file")
	case record.PreferTarget:
		p.Rules = append(p.Rules, "where the target holds another value: the target wins; Redis's value goes to the superseded file")
	default:
		p.Rules = append(p.Rules, "where somebody else wrote another value to the target: the target keeps it, Redis's goes to the rejects file")
	}
	p.Rules = append(p.Rules, o.layoutRule()...)
	switch {
	case o.dryRun:
		p.Mode = "dry run: nothing is written to the target"
	case resumed:
		p.Rules = append(p.Rules, "goes on where an earlier run had stopped")
	}
	p.Log = []any{"dry_run", o.dryRun, "resumed", resumed}
	return p
}

// report prints the report and returns the error that sets the exit code.
func (r *migrationRun) report(result *migrate.Report, runErr error) error {
	if result.Resumed {
		r.warned = append(r.warned, fmt.Sprintf("this run went on where an earlier one had stopped at %s: what changed in Redis since then, "+
			"among what that one had read, is not in it; run the same command once more before you switch over",
			result.ResumedFrom.UTC().Format("2006-01-02 15:04:05 MST")))
	}
	r.doubtClock(result.Future, result.Kinds[record.LastSeen].Read+result.Kinds[record.MonitoringSince].Read)
	m := report.Migration{Report: *result, Pair: r.facts(runErr)}
	err := runErr
	switch {
	case errors.Is(runErr, record.ErrInterrupted):
		err = &exit.Error{Code: exit.Interrupted, Err: record.ErrInterrupted, Hint: "the same command takes up the work again"}
		if m.Report.DryRun {
			err = &exit.Error{Code: exit.Interrupted, Err: record.ErrInterrupted}
		}
	case runErr != nil:
		hint := "the report says what was done until then; mend what the error names, and the same command takes up the work again"
		if errors.Is(runErr, record.ErrUnavailable) {
			hint = "the report says what was done until then; the same command takes up the work again (--retry-for waits longer)"
		}
		err = r.explain(runErr, hint)
	case result.Rejects() > 0:
		err = exit.Silent(exit.Rejects)
	}
	m.Exit = exit.CodeOf(err)
	if printErr := r.print(m); printErr != nil {
		return exit.Alongside(err, printErr)
	}
	return err
}

// reportFailure prints the report, for scripts, where the run ended with err before there was anything to copy.
func (r *migrationRun) reportFailure(ctx context.Context, err error) error {
	if err == nil || r.began {
		return err
	}
	said := r.settled(ctx, err)
	m := report.Migration{Pair: r.facts(said.Err)}
	m.Report.Only, m.Report.DryRun, m.Report.StartedAt = r.only, r.options.dryRun, time.Now()
	m.Exit = said.Code
	return r.reportEarly(said, m)
}
