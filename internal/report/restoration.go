package report

import (
	"fmt"
	"io"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/restore"
)

// Restoration is what became of superseded values that were to be written back. It shows none of them.
type Restoration struct {
	Run
	File   string
	DryRun bool
	Values []RestoredValue
	Kept   bool // what was overwritten was added to the file
}

// RestoredValue is a value of the file, without what it is.
type RestoredValue struct {
	Line     int64
	Kind     record.Kind
	User     record.UserID
	Field    string
	HasField bool
	Result   restore.Result
}

// Count returns how many values have the status.
func (r Restoration) Count(status restore.Status) (n int64) {
	for _, v := range r.Values {
		if v.Result.Status == status {
			n++
		}
	}
	return n
}

// Text returns r for people.
func (r Restoration) Text(l ui.Style) string {
	t := newBuilder(l)
	done, verb := "Restored", "restored"
	if r.DryRun {
		done, verb = "Dry run: nothing was written. This is what would be restored", "would be restored"
	}
	if r.Exit == exit.Done {
		t.Line("%s", l.Paint(ui.Green, done+"."))
	} else {
		t.Line("%s", l.Paint(ui.Yellow, done+", but not every value."))
	}
	t.Line("  from  %s", ui.PrintableLine(r.File))
	t.Line("  to    %s, database %s", r.Target, r.Database)
	t.Line("")
	for _, v := range r.Values {
		what := v.Kind.String()
		if v.User != 0 {
			what += " of " + v.User.String()
		}
		if v.HasField {
			what += ", " + ui.ShownName(redact.HideText(v.Field))
		}
		result := string(v.Result.Status)
		switch v.Result.Status {
		case restore.Restored:
			result = verb
		case restore.Unchanged:
			result = "is there already"
		case restore.Refused:
			result = t.Paint(ui.Yellow, "not restored: ") + v.Result.Why
		}
		t.Wrap(fmt.Sprintf("  line %d  ", v.Line), what+": "+result)
	}
	t.warnings(r.Warnings)
	t.Line("")
	switch {
	case r.Count(restore.Restored) == 0:
	case r.DryRun:
		t.command("Next: restore them, with the same command without --dry-run:", r.Again.Without("dry-run"))
	default:
		if r.Kept {
			t.Wrap("", "What was overwritten is in the last lines of "+ui.PrintableLine(r.File)+".")
		}
		t.Wrap("", "Where Redis has another value, the next migration reports a conflict: --on-conflict target keeps what was restored.")
	}
	return t.String()
}

// WriteJSON writes r as one JSON object.
func (r Restoration) WriteJSON(w io.Writer) error {
	list := []object{}
	for _, v := range r.Values {
		o := object{{"line", v.Line}, {"kind", v.Kind}, {"user_id", userOrNull(v.User)}, {"field", nil}, {"result", v.Result.Status}, {"why", orNull(v.Result.Why)}}
		if v.HasField {
			o[3].value = ui.PrintableLine(redact.HideText(v.Field))
		}
		list = append(list, o)
	}
	out := object{
		{"command", invocation.SupersededRestore}, {"file", r.File}, {"target", r.Target}, {"database", r.Database}, {"dry_run", r.DryRun},
		{"restored", r.Count(restore.Restored)}, {"unchanged", r.Count(restore.Unchanged)}, {"refused", r.Count(restore.Refused)},
		{"list", list},
	}
	return WriteJSON(w, append(out, r.end()...))
}
