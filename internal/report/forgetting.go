package report

import (
	"io"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// Forgetting is how much lanyardctl removed of what it kept of its own in a Redis.
type Forgetting struct {
	Run
	Digests, Checkpoints, Leases, Runs int64
}

// Text returns f for people.
func (f Forgetting) Text(l ui.Style) string {
	t := newBuilder(l)
	list := []ui.Item{
		{N: f.Digests, Name: "digests", Text: "by which lanyardctl knew again what it had written"},
		{N: f.Checkpoints, Name: "checkpoints", Text: "of runs that could be resumed"},
		{N: f.Leases, Name: "leases", Text: "of runs that kept others out"},
		{N: f.Runs, Name: "runs", Text: "that were told of afterwards"},
	}
	if f.Digests+f.Checkpoints+f.Leases+f.Runs == 0 {
		t.Line("%s", l.Paint(ui.Green, "lanyardctl kept nothing of its own there."))
		t.Line("  in  %s", f.Target)
	} else {
		t.Line("%s", l.Paint(ui.Green, "Removed what lanyardctl kept of its own. Lanyard's data are as they were."))
		t.Line("  in  %s", f.Target)
		t.List("Removed:", list)
		t.Line("")
		t.Wrap("", "What lanyardctl wrote there counts as somebody else's from now on: where MongoDB holds another value, the next migration reports a "+
			"conflict, and overwrites nothing.")
	}
	t.warnings(f.Warnings)
	return t.String()
}

// WriteJSON writes f as one JSON object.
func (f Forgetting) WriteJSON(w io.Writer) error {
	out := object{
		{"command", invocation.Forget}, {"target", f.Target}, {"digests", f.Digests}, {"checkpoints", f.Checkpoints}, {"leases", f.Leases}, {"runs", f.Runs},
		{"warnings", append([]string{}, f.Warnings...)}, {"ok", f.Exit == exit.Done},
	}
	if text := errorText(f.Err); text != "" {
		out = append(out, member{"error", text})
	}
	return WriteJSON(w, out)
}
