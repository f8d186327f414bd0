package report

import (
	"io"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// Forgetting is how much lanyardctl removed of what it kept of its own in a Redis.
type Forgetting struct {
	Run
	DryRun bool

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
	list = slices.DeleteFunc(list, func(i ui.Item) bool { return i.N == 0 })
	nothing := len(list) == 0
	title, removed, from := "Removed what lanyardctl kept of its own. Lanyard's data are as they were.", "Removed:", "counts as somebody else's from now on"
	switch {
	case nothing:
		title = "lanyardctl keeps nothing of its own there."
	case f.DryRun:
		title, removed, from = "Dry run: nothing was removed.", "What would be removed:", "would then count as somebody else's"
	}
	t.Line("%s", l.Paint(ui.Green, title))
	t.Line("  in  %s", f.Target)
	if !nothing {
		t.List(removed, list)
		t.Line("")
		t.Wrap("", "What lanyardctl wrote there "+from+": where MongoDB holds another value, a migration reports a conflict, and overwrites nothing.")
	}
	t.warnings(f.Warnings)
	t.Line("")
	if f.DryRun && !nothing {
		t.command("Next: remove it, with the same command without --dry-run:", f.Again.Without("dry-run"))
	}
	return strings.TrimRight(t.String(), "\n") + "\n"
}

// WriteJSON writes f as one JSON object.
func (f Forgetting) WriteJSON(w io.Writer) error {
	out := object{
		{"command", invocation.Forget}, {"target", f.Target}, {"dry_run", f.DryRun}, {"digests", f.Digests}, {"checkpoints", f.Checkpoints}, {"leases", f.Leases}, {"runs", f.Runs},
	}
	return WriteJSON(w, append(out, f.end()...))
}
