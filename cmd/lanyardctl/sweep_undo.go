package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

const sweepUndoLong = `Take a sweep back: each document that still is as the sweep left it becomes what it
was before, byte for byte. One that somebody changed since stays as it is, and is
named. It can be run again at any time, also after it was killed; with --dry-run
it writes nothing.

` + sweepIDHelp + `

` + targetEnvironmentHelp + sweepExit + `
  130  interrupted; the same command resumes`

func newSweepUndo(p program) *cobra.Command {
	dryRun := false
	return journalCommand{
		name:   invocation.SweepUndo,
		writes: func() bool { return !dryRun },
		work: func(ctx context.Context, r *targetRun, target location.Target, id string) error {
			return undoSweep(ctx, r, target, id, dryRun)
		},
		failed: func(f report.Run, id string) report.Report {
			return report.SweepUndo{Run: f, ID: id, Report: sweep.UndoReport{DryRun: dryRun, StartedAt: time.Now()}}
		},
	}.bind(p, &cobra.Command{
		Use:   "undo ID",
		Short: "Take a sweep back",
		Long:  sweepUndoLong,
		Example: `  lanyardctl sweep undo last --dry-run
  lanyardctl sweep undo 20261122-010203-456-ab12`,
	}, func(flags *pflag.FlagSet) {
		flags.BoolVar(&dryRun, "dry-run", false, "report what would be done, and write nothing")
	})
}

func undoSweep(ctx context.Context, r *targetRun, target location.Target, typed string, dryRun bool) error {
	history, s, err := r.findSweep(ctx, target.Journal(), target.Leases(), invocation.SweepUndo, typed)
	if err != nil {
		return err
	}
	if s.State == record.SweepUndone {
		r.began = true
		return r.print(report.SweepUndo{Run: r.facts(nil), ID: s.ID, Report: sweep.UndoReport{DryRun: dryRun, StartedAt: time.Now()}, Before: true})
	}
	job := sweep.NewUndo(sweep.UndoOptions{
		Documents: target.Documents(), Journal: target.Journal(), Leases: target.Leases(), ID: s.ID, DryRun: dryRun, RetryFor: r.on.target.RetryFor,
		Notify: func(message string) { r.log.Info(message) },
	})
	r.announce(report.SweepUndoPlan{
		Target: r.endpoint(target), Database: r.on.target.ShownDatabase(),
		Sweep: report.SweepOf(history, s), DryRun: dryRun,
	})
	stop := r.startProgress(func() ui.Progress {
		now := job.Snapshot()
		return ui.Progress{Phase: now.Phase, Done: now.Done, Total: now.Total, Unit: now.Unit}
	})
	result, runErr := job.Run(ctx)
	stop(runErr == nil)
	r.began = true
	err = undoOutcome(r, result, runErr)
	u := report.SweepUndo{Run: r.facts(runErr), ID: s.ID, Report: *result}
	u.Exit = exit.CodeOf(err)
	return r.tell(err, u)
}

// undoOutcome returns the error that taking a sweep back ends with.
func undoOutcome(r *targetRun, result *sweep.UndoReport, err error) error {
	next := "this goes on: " + r.on.again.String()
	switch {
	case errors.Is(err, record.ErrInterrupted):
		return exit.Interruption(next)
	case err != nil:
		return location.Explained(err, next, explainSweep(err, r.on.again), r.explainTarget(err))
	case result.Moved+result.Refused > 0:
		return exit.Silent(exit.Rejects)
	}
	return nil
}
