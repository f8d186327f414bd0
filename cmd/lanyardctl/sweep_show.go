package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/record"
)

const sweepShowLong = `Show what a sweep changed: the user, the collection, what was done, the dates before
and after, and where the date came from; the newest change first. Documents are
never shown, since they may hold API keys.

` + sweepIDHelp + `

` + targetEnvironmentHelp + `
` + exitStatus

func newSweepShow(p program) *cobra.Command {
	most := 0
	c := journalCommand{
		name:   invocation.SweepShow,
		writes: func() bool { return false },
		check: func(*pflag.FlagSet) error {
			if most < 0 {
				return exit.WrongUse(fmt.Sprintf("--max-changes: %d is less than 0", most), "give 0 to show all")
			}
			return nil
		},
		work: func(ctx context.Context, r *targetRun, target location.Target, id string) error {
			return showSweep(ctx, r, target.Journal(), target.Leases(), id, most)
		},
		failed: func(f report.Run, id string) report.Report { return report.SweepShow{Run: f, ID: id} },
	}
	return c.bind(p, &cobra.Command{
		Use:   "show ID",
		Short: "Show what a sweep changed",
		Long:  sweepShowLong,
		Example: `  lanyardctl sweep show last
  lanyardctl sweep show 20261122-010203-456-ab12 --max-changes 0 --output json | jq .list`,
	}, func(flags *pflag.FlagSet) {
		flags.IntVar(&most, "max-changes", 100, "`number` of changes to show; 0 for all")
	})
}

// showSweep prints a sweep and its changes as they come.
func showSweep(ctx context.Context, r *targetRun, journal record.Journal, leases record.Leases, typed string, most int) error {
	history, s, err := r.findSweep(ctx, journal, leases, invocation.SweepShow, typed)
	if err != nil {
		return err
	}
	r.began = true
	show := report.SweepShow{Run: r.facts(nil), ID: s.ID, Sweep: s, History: history}
	out := bufio.NewWriter(r.streams.out)
	page := show.PageForPeople(out, r.look(r.streams.out))
	if r.shows.output == outputJSON {
		page = show.PageForScripts(out)
	}
	truncated, readErr := eachChange(ctx, journal, s.ID, most, page)
	if readErr != nil {
		readErr = location.Explained(readErr, "run the same command again", r.explainTarget(readErr))
		if said := r.settled(ctx, readErr); said != nil {
			readErr = said
		}
	}
	if err := errors.Join(page.End(truncated, readErr), out.Flush()); err != nil {
		return exit.Alongside(readErr, fmt.Errorf("print the report: %w", err))
	}
	return readErr
}

// errEnough ends the reading of changes.
var errEnough = errors.New("enough")

// eachChange hands at most so many changes to page, all where most is zero, and reports whether there were more.
func eachChange(ctx context.Context, journal record.Journal, id string, most int, page report.ChangePage) (truncated bool, err error) {
	if err := page.Begin(); err != nil {
		return false, err
	}
	shown := 0
	err = journal.List(ctx, id, func(list []record.Change) error {
		for _, c := range list {
			if most > 0 && shown == most {
				return errEnough
			}
			shown++
			if err := page.Change(c); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return true, nil
	}
	return false, err
}
