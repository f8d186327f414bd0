package main

import (
	"context"
	"errors"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// sweepRun is one run of the command.
type sweepRun struct {
	*targetRun
	options sweepOptions
}

// do opens what is to be read, sweeps and reports.
func (r *sweepRun) do(ctx context.Context) error {
	o := r.options
	r.warn(o.warnings...)
	dates, closeDates, err := r.openDates(ctx)
	if err != nil {
		return err
	}
	defer closeDates()
	target, closeTarget, err := r.open(ctx, location.RefuseFolder)
	if err != nil {
		return err
	}
	defer closeTarget()
	warnings, err := target.CheckWritable(ctx, sweep.Written(o.dedupe))
	if err != nil {
		return r.explainTarget(err)
	}
	r.warn(warnings...)
	documents := target.Documents()
	contents, err := documents.Contents(ctx)
	if err != nil {
		return r.explainTarget(err)
	}
	opts := sweep.Options{
		Documents: documents, Journal: target.Journal(), Leases: target.Leases(), Dates: dates.sources, UserDates: o.userDates, Dedupe: o.dedupe,
		DryRun: o.dryRun, Now: o.now, Version: readBuildVersion().Version, Described: o.described(),
		RetryFor: o.target.RetryFor, Memory: o.memory, TempDir: o.tempDir, Notify: func(message string) { r.log.Info(message) },
	}
	if o.verbose {
		opts.Implausible = func(i sweep.Implausible) {
			r.log.Debug("implausible", "place", i.Place, "user", i.User.String(), "reason", string(i.Reason), "detail", i.Detail)
		}
	}
	job := sweep.New(opts)
	r.announce(report.SweepPlan{
		Target: r.endpoint(target), Database: o.target.Database, Contents: contents, Dates: dates.said,
		UserDates: o.userDates, Dedupe: o.dedupe, DryRun: o.dryRun,
	})
	stop := r.startProgress(func() ui.Progress { return sweepProgress(job.Snapshot()) })
	r.began = true
	result, err := job.Run(ctx)
	stop(err == nil)
	r.warnOfSources(err)
	return r.report(result, err)
}

func sweepProgress(s sweep.Snapshot) ui.Progress {
	return ui.Progress{Phase: s.Phase, Done: s.Done, Total: s.Total, Unit: s.Unit, Beside: []ui.Counter{{Noun: "change", N: s.Changes}}}
}

// openedDates are the sources of dates beside the target.
type openedDates struct {
	sources []record.DateSource
	said    []report.Endpoint // what they are, for people
}

// openDates opens the sources of dates. The caller closes them by the returned function.
func (r *sweepRun) openDates(ctx context.Context) (opened openedDates, closeAll func(), err error) {
	closeRedis := func() {}
	if o := r.options.redis; o != nil {
		source, closeIt, err := r.openSource(ctx, *o)
		if err != nil {
			return opened, nil, err
		}
		closeRedis = closeIt
		if !r.options.allowEmpty {
			if err := r.streams.places.FindLanyard(ctx, source, *o); err != nil {
				closeRedis()
				return opened, nil, err
			}
		}
		opened.sources = append(opened.sources, location.Dates(source))
		opened.said = append(opened.said, report.Endpoint{URI: o.Shown(), Facts: ui.PrintableLine(source.Facts().Is)})
	}
	dates, closeDates, err := r.options.discord.Open(func(message string) { r.log.Info(message) })
	closeAll = func() {
		r.closed("the members", closeDates())
		closeRedis()
	}
	if err != nil {
		closeAll()
		return opened, nil, err
	}
	for _, d := range dates {
		if d.DateSource != nil {
			opened.sources = append(opened.sources, d.DateSource)
		}
		opened.said = append(opened.said, report.Endpoint{URI: d.Shown, Facts: d.Is})
	}
	return opened, closeAll, nil
}

// report prints the report and returns the error that sets the exit code.
func (r *sweepRun) report(result *sweep.Report, runErr error) error {
	var future, dates int64
	for _, p := range result.Places {
		future, dates = future+p.Future, dates+p.Candidates
		for _, n := range p.Implausible {
			dates += n
		}
	}
	r.doubtClock(future, dates)
	err := r.outcome(result, runErr)
	if printErr := r.print(r.sweeping(*result, runErr, exit.CodeOf(err))); printErr != nil {
		return exit.Alongside(err, printErr)
	}
	return err
}

// outcome returns the error that a sweep ends with.
func (r *sweepRun) outcome(result *sweep.Report, runErr error) error {
	changed := result.Changes > 0 && !result.DryRun
	switch {
	case errors.Is(runErr, record.ErrInterrupted) && !changed:
		return &exit.Error{Code: exit.Interrupted, Err: record.ErrInterrupted}
	case errors.Is(runErr, record.ErrInterrupted):
		return &exit.Error{Code: exit.Interrupted, Err: record.ErrInterrupted, Hint: "what was done is journalled: the same command goes on, and sweep undo takes it back"}
	case runErr != nil:
		return r.explain(runErr, changed)
	case r.options.check && result.Changes > 0:
		return exit.Silent(exit.Differences)
	case result.LeftoversTotal > 0:
		return exit.Silent(exit.Rejects)
	}
	return nil
}

// explain gives the error that ended a sweep its next step. Changed tells that it had changed something.
func (r *sweepRun) explain(err error, changed bool) error {
	if location.IsDiscords(err) {
		return location.ExplainDiscord(err) // also where the server may be available later
	}
	explanations := []error{explainSweep(err, r.on.again)}
	if r.options.redis != nil {
		explanations = append(explanations, r.explainSource(err, *r.options.redis))
	}
	explanations = append(explanations, r.explainTarget(err))
	done, next := "nothing was changed", "mend what the error names, then run the same command again"
	if changed {
		done = "what was done until then is journalled"
	}
	if errors.Is(err, record.ErrUnavailable) {
		next = "run the same command again once the server answers"
	}
	return location.Explained(err, done+"; "+next, explanations...)
}

// reportFailure prints the report, for scripts, where the run ended with err before there was anything to sweep.
func (r *sweepRun) reportFailure(ctx context.Context, err error) error {
	if err == nil || r.began {
		return err
	}
	said := r.settled(ctx, err)
	result := sweep.Report{DryRun: r.options.dryRun, Dedupe: r.options.dedupe, StartedAt: time.Now()}
	return r.reportEarly(said, r.sweeping(result, said.Err, said.Code))
}

// sweeping returns what the report shows.
func (r *sweepRun) sweeping(result sweep.Report, runErr error, exit int) report.Sweep {
	s := report.Sweep{Run: r.facts(runErr), Report: result, Check: r.options.check, UserDates: r.options.userDates}
	s.Exit = exit
	return s
}
