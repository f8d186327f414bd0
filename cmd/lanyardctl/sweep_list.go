package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/sweep"
)

const sweepListLong = `List the sweeps that the database's journal knows, the newest first.

The states are running, killed (its process has ended: it can be taken back),
interrupted, done, undoing, partly-undone and undone.

` + targetEnvironmentHelp + `
` + exitStatus

func newSweepList(p program) *cobra.Command {
	return journalCommand{
		name:   invocation.SweepList,
		writes: func() bool { return false },
		work:   listSweeps,
		failed: func(f report.Run, _ string) report.Report { return report.SweepList{Run: f} },
	}.bind(p, &cobra.Command{
		Use:     "list",
		Short:   "List the sweeps of a database",
		Long:    sweepListLong,
		Example: "  lanyardctl sweep list --mongo mongodb://localhost:27017",
		Args:    cobra.NoArgs,
	}, func(*pflag.FlagSet) {})
}

func listSweeps(ctx context.Context, r *targetRun, target location.Target, _ string) error {
	history, err := sweep.ReadHistory(ctx, target.Journal(), target.Leases(), r.on.now)
	if err != nil {
		return err
	}
	r.began = true
	return r.print(report.SweepList{Run: r.facts(nil), History: history})
}
