package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

const sweepUndoLong = `Take a sweep back: each document that still is as the sweep left it becomes what it
was before, byte for byte. One that somebody changed since stays as it is, and is
named. It can be run again at any time, also after it was killed; with --dry-run
it writes nothing.

` + targetEnvironmentHelp + sweepExit + `
  130  interrupted; the same command goes on`

func newSweepUndo(p program) *cobra.Command {
	dryRun := false
	return journalCommand{
		name:   invocation.SweepUndo,
		writes: func() bool { return !dryRun },
		work: func(ctx context.Context, r *targetRun, target location.Target, id string) error {
			return undoSweep(ctx, r, target, id, dryRun)
		},
		failed: func(f runFacts, id string) report {
			return undoing{runFacts: f, id: id, Report: sweep.UndoReport{DryRun: dryRun, StartedAt: time.Now()}}
		},
	}.bind(p, &cobra.Command{
		Use:   "undo ID",
		Short: "Take a sweep back",
		Long:  sweepUndoLong,
		Example: `  lanyardctl sweep undo 20261122-010203-456-ab12 --dry-run
  lanyardctl sweep undo 20261122-010203-456-ab12`,
		Args: cobra.ExactArgs(1),
	}, func(flags *pflag.FlagSet) {
		flags.BoolVar(&dryRun, "dry-run", false, "report what would be done, and write nothing")
	})
}

func undoSweep(ctx context.Context, r *targetRun, target location.Target, id string, dryRun bool) error {
	journal := target.Journal()
	history, err := sweep.ReadHistory(ctx, journal, r.on.now)
	if err != nil {
		return err
	}
	s, err := history.Find(id)
	if err != nil {
		return err
	}
	if s.State == record.SweepUndone {
		r.began = true
		return r.print(undoing{runFacts: r.facts(nil), id: id, Report: sweep.UndoReport{DryRun: dryRun, StartedAt: time.Now()}, before: true})
	}
	job := sweep.NewUndo(sweep.UndoOptions{
		Documents: target.Documents(), Journal: journal, ID: id, DryRun: dryRun, RetryFor: r.on.target.RetryFor,
		Notify: func(message string) { r.log.Info(message) },
	})
	r.announce(undoPlan{
		target: r.endpoint(target), database: r.on.target.Database,
		sweep: sweepOf(history, s), dryRun: dryRun,
	})
	stop := r.startProgress(func() ui.Progress {
		now := job.Snapshot()
		return ui.Progress{Phase: now.Phase, Done: now.Done, Total: now.Total, Unit: now.Unit}
	})
	report, runErr := job.Run(ctx)
	stop(runErr == nil)
	r.began = true
	err = undoOutcome(r, report, runErr)
	u := undoing{runFacts: r.facts(runErr), id: id, Report: *report}
	u.Exit = exit.CodeOf(err)
	if printErr := r.print(u); printErr != nil {
		return exit.Alongside(err, printErr)
	}
	return err
}

// undoOutcome returns the error that taking a sweep back ends with.
func undoOutcome(r *targetRun, report *sweep.UndoReport, err error) error {
	switch {
	case errors.Is(err, record.ErrInterrupted):
		return &exit.Error{Code: exit.Interrupted, Err: record.ErrInterrupted, Hint: "the same command goes on"}
	case err != nil:
		return location.Explained(err, "the same command goes on", explainSweep(err, r.on.again), r.explainTarget(err))
	case report.Moved+report.Refused > 0:
		return exit.Silent(exit.Rejects)
	}
	return nil
}

// undoPlan is what is told before a sweep is taken back.
type undoPlan struct {
	target   endpoint
	database string
	sweep    sweepJSON
	dryRun   bool
}

func (p undoPlan) Text(l ui.Style) string {
	t := newReportText(l)
	t.Row("target", p.target.URI)
	t.Row("", p.target.Facts+", database "+p.database)
	t.Row("sweep", ui.PrintableLine(p.sweep.SweepID)+", "+p.sweep.State+", "+ui.Plural(p.sweep.Changes, "change"))
	t.Row("", "started "+p.sweep.StartedAt+" on "+ui.PrintableLine(p.sweep.Host))
	t.Row("plan", "restore each document that still is as the sweep left it, and name the others")
	if p.dryRun {
		t.Row("", l.Paint(ui.Yellow, "dry run: nothing is written to the target"))
	}
	return t.String()
}

// attrs returns p for a log.
func (p undoPlan) attrs() []any {
	return []any{"target", p.target.URI, "target_is", p.target.Facts, "database", p.database, "sweep", p.sweep.SweepID,
		"state", p.sweep.State, "changes", p.sweep.Changes, "dry_run", p.dryRun}
}

// undoing is the report of taking a sweep back.
type undoing struct {
	runFacts
	id     string
	Report sweep.UndoReport
	before bool // it was taken back before
}

// Text returns u for people. It ends with a newline.
func (u undoing) Text(l ui.Style) string {
	t := newReportText(l)
	text, colour := u.verdict()
	t.Wrap("", l.Paint(colour, text))
	t.Line("  in     %s, database %s", u.Target, u.Database)
	t.Line("  sweep  %s", ui.PrintableLine(u.id))
	r := u.Report
	if !u.before {
		t.Line("")
		t.Items([]ui.Item{
			{N: r.Restored, Name: "restored", Text: "documents that are as before the sweep now"},
			{N: r.Already, Name: "already", Text: "documents that were as before the sweep"},
			{N: r.Moved, Name: "changed since", Text: "documents that are not as the sweep left them, or belong to one, and stay"},
			{N: r.Refused, Name: "refused", Text: "documents that the database does not take back"},
		})
	}
	t.leftovers("Not taken back:", r.Kept, r.Moved+r.Refused, keptTexts)
	t.warnings(u.Warnings)
	t.Line("")
	t.Line("Took %s.", ui.Duration(r.Duration))
	t.nextAfterUndo(u)
	return t.String()
}

// keptTexts say why a document was not taken back.
var keptTexts = map[sweep.LeftReason]string{
	sweep.LeftMoved:   "somebody changed the document since the sweep",
	sweep.LeftTaken:   "a unique index has the value in another document",
	sweep.LeftRefused: leftTexts[sweep.LeftRefused],
}

func (u undoing) verdict() (text, colour string) {
	r := u.Report
	switch {
	case u.interrupted():
		return "Interrupted. What was done until then:", ui.Yellow
	case u.Err != nil && r.Restored == 0:
		return "Failed, and nothing was changed: " + u.Err.Error(), ui.Red
	case u.Err != nil:
		return "Failed: " + u.Err.Error() + ". What was done until then:", ui.Red
	case u.before:
		return "The sweep was taken back before: nothing was changed.", ui.Green
	case r.DryRun && r.Moved+r.Refused > 0:
		return "Dry run: nothing was changed. Some documents could not be taken back.", ui.Yellow
	case r.DryRun:
		return "Dry run: nothing was changed. The whole sweep would be taken back, unless a unique index that was made since is in the way.", ui.Green
	case r.Moved+r.Refused > 0:
		return "Taken back, but for some documents.", ui.Yellow
	}
	return "Taken back: the documents are as before the sweep.", ui.Green
}

func (t *reportText) nextAfterUndo(u undoing) {
	r, cmd := u.Report, u.Again
	t.Line("")
	switch {
	case u.Err != nil && !u.interrupted():
		t.command("Next: mend what the error names; the same command then goes on:", cmd)
	case u.Err != nil:
		t.command("Next: the same command goes on:", cmd)
	case r.Moved+r.Refused > 0 && len(r.Later) > 0:
		t.Wrap("", "Later sweeps may have changed these documents. Take those back first, the newest first:")
		for _, id := range r.Later {
			t.Line("  %s", t.Paint(ui.Bold, cmd.As(invocation.SweepUndo+" "+ui.PrintableLine(id), invocation.TargetFlags...).String()))
		}
		t.command("Then go on with this one:", cmd)
	case r.Moved+r.Refused > 0:
		if r.Moved > 0 {
			t.Wrap("", "Somebody changed documents since: what they hold now stays. Decide them in the database.")
		}
		if r.Refused > 0 {
			t.Wrap("", "The database does not take some documents back, as where a unique index was made since: what the sweep merged stays "+
				"merged. To take that back as well, drop the index, and run the same command again.")
		}
	case u.before:
		t.Wrap("", "Nothing is left to do.")
	case r.DryRun:
		t.command("Next: take it back, with the same command without --dry-run:", cmd.Without("dry-run"))
	default:
		t.Wrap("", "Nothing is left to do. A Lanyard that runs keeps the newer dates in memory: restart it.")
	}
}

// writeJSON writes u as one indented JSON object.
func (u undoing) writeJSON(w io.Writer) error {
	r := u.Report
	return writeJSON(w, struct {
		Command   string         `json:"command"`
		SweepID   string         `json:"sweep_id"`
		Target    string         `json:"target"`
		Database  string         `json:"database"`
		Restored  int64          `json:"restored"`
		Already   int64          `json:"already"`
		Moved     int64          `json:"moved"`
		Refused   int64          `json:"refused"`
		Kept      []leftoverJSON `json:"kept"`
		KeptTotal int64          `json:"kept_total"`
		Later     []string       `json:"later"`
		DryRun    bool           `json:"dry_run"`
		endJSON
	}{
		invocation.SweepUndo, u.id, u.Target, u.Database, r.Restored, r.Already, r.Moved, r.Refused,
		leftoversJSON(r.Kept), r.Moved + r.Refused, append([]string{}, r.Later...), r.DryRun,
		u.End(utc(r.StartedAt), r.Duration.Milliseconds()),
	})
}
