package report

import (
	"io"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// SweepUndoPlan is what is told before a sweep is taken back.
type SweepUndoPlan struct {
	Target   Endpoint
	Database string
	Sweep    sweepJSON
	DryRun   bool
}

// Text returns p for people.
func (p SweepUndoPlan) Text(l ui.Style) string {
	t := newBuilder(l)
	t.Row("target", p.Target.URI)
	t.Row("", p.Target.Facts+", database "+p.Database)
	t.Row("sweep", ui.ShownWord(p.Sweep.SweepID)+", "+ui.ShownWord(p.Sweep.State)+", "+ui.Plural(p.Sweep.Changes, "change"))
	t.Row("", "started "+p.Sweep.StartedAt+" on "+ui.ShownWord(p.Sweep.Host))
	t.Row("plan", "restore each document that still is as the sweep left it, and name the others")
	if p.DryRun {
		t.Row("", l.Paint(ui.Yellow, "dry run: nothing is written to the target"))
	}
	return t.String()
}

// Attrs returns p for a log.
func (p SweepUndoPlan) Attrs() []any {
	return []any{"target", p.Target.URI, "target_is", p.Target.Facts, "database", p.Database, "sweep", p.Sweep.SweepID,
		"state", p.Sweep.State, "changes", p.Sweep.Changes, "dry_run", p.DryRun}
}

// SweepUndo is the report of taking a sweep back.
type SweepUndo struct {
	Run
	ID     string
	Report sweep.UndoReport
	Before bool // it was taken back before
}

// Text returns u for people. It ends with a newline.
func (u SweepUndo) Text(l ui.Style) string {
	t := newBuilder(l)
	text, colour := u.verdict()
	t.Wrap("", l.Paint(colour, text))
	t.Line("  in     %s, database %s", u.Target, u.Database)
	t.Line("  sweep  %s", ui.PrintableLine(u.ID))
	r := u.Report
	if !u.Before {
		t.Line("")
		t.Items([]ui.Item{
			{N: r.Restored, Name: "restored", Text: "documents that are now as they were before the sweep"},
			{N: r.Already, Name: "already", Text: "documents that already were as before the sweep"},
			{N: r.Moved, Name: "changed since", Text: "documents that somebody changed after the sweep, or that belong to such a document; they stay"},
			{N: r.Refused, Name: "refused", Text: "documents that the database refuses to restore"},
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

func (u SweepUndo) verdict() (text, colour string) {
	r := u.Report
	switch {
	case u.interrupted():
		return "Interrupted. What was done until then:", ui.Yellow
	case u.Err != nil && r.Restored == 0:
		return "Failed, and nothing was changed: " + u.Err.Error(), ui.Red
	case u.Err != nil:
		return "Failed: " + u.Err.Error() + ". What was done until then:", ui.Red
	case u.Before:
		return "The sweep was taken back before: nothing was changed.", ui.Green
	case r.DryRun && r.Moved+r.Refused > 0:
		return "Dry run: nothing was changed. Some documents could not be taken back.", ui.Yellow
	case r.DryRun:
		return "Dry run: nothing was changed. The whole sweep would be taken back, unless a unique index that was made since is in the way.", ui.Green
	case r.Moved+r.Refused > 0:
		return "Taken back, except for some documents.", ui.Yellow
	}
	return "Taken back: the documents are again as they were before the sweep.", ui.Green
}

func (t *builder) nextAfterUndo(u SweepUndo) {
	r, cmd := u.Report, u.Again
	t.Line("")
	switch {
	case u.Err != nil && !u.interrupted():
		t.command("Next: fix what the error names, then run the same command again; it resumes:", cmd)
	case u.Err != nil:
		t.command("Next: run the same command again; it resumes:", cmd)
	case r.Moved+r.Refused > 0 && len(r.Later) > 0:
		t.Wrap("", "Later sweeps may have changed these documents. Take those back first, the newest first:")
		for _, id := range r.Later {
			t.Line("  %s", t.Paint(ui.Bold, cmd.As(invocation.SweepUndo+" "+invocation.Quote(id), invocation.TargetFlags...).String()))
		}
		t.command("Then take this one back:", cmd)
	case r.Moved+r.Refused > 0:
		if r.Moved > 0 {
			t.Wrap("", "Somebody changed documents since: what they hold now stays. Decide them in the database.")
		}
		if r.Refused > 0 {
			t.Wrap("", "The database does not take some documents back, as where a unique index was made since: what the sweep merged stays "+
				"merged. To take that back as well, drop the index, and run the same command again.")
		}
	case u.Before:
		t.Wrap("", "Nothing is left to do.")
	case r.DryRun:
		t.command("Next: take it back, with the same command without --dry-run:", cmd.Without("dry-run"))
	default:
		t.Wrap("", "Nothing is left to do. If Lanyard is running, restart it: it still has the newer dates in memory.")
	}
}

// WriteJSON writes u as one indented JSON object.
func (u SweepUndo) WriteJSON(w io.Writer) error {
	r := u.Report
	return WriteJSON(w, struct {
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
		invocation.SweepUndo, u.ID, u.Target, u.Database, r.Restored, r.Already, r.Moved, r.Refused,
		leftoversJSON(r.Kept), r.Moved + r.Refused, append([]string{}, r.Later...), r.DryRun,
		u.End(utc(r.StartedAt), r.Duration.Milliseconds()),
	})
}
