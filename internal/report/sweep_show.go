package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// ChangePage is where changes are printed one by one: what is before them, each of them, and what is after them, such
// as that there are more, or the error that ended the reading.
type ChangePage interface {
	Begin() error
	Change(c record.Change) error
	End(truncated bool, err error) error
}

// PageForPeople returns where the sweep's changes are printed for people.
func (s SweepShow) PageForPeople(out io.Writer, style ui.Style) ChangePage {
	return &textPage{SweepShow: s, look: style, out: out}
}

// PageForScripts returns where they are printed as one JSON object.
func (s SweepShow) PageForScripts(out io.Writer) ChangePage { return &jsonPage{SweepShow: s, out: out} }

// SweepShow is a sweep that is shown.
type SweepShow struct {
	Run
	sweep.History
	ID    string
	Sweep record.Sweep
}

// Text returns the report of a run that failed, of which the error says everything.
func (s SweepShow) Text(ui.Style) string { return "" }

// WriteJSON writes the report without changes.
func (s SweepShow) WriteJSON(w io.Writer) error {
	page := &jsonPage{out: w, SweepShow: s}
	if err := page.Begin(); err != nil {
		return err
	}
	return page.End(false, s.Err)
}

// textPage prints for people.
type textPage struct {
	SweepShow
	look ui.Style
	out  io.Writer
	n    int
}

// Begin implements [ChangePage].
func (p *textPage) Begin() error {
	t := newBuilder(p.look)
	s := p.Sweep
	t.Line("%s", p.look.Paint(ui.Bold, "Sweep "+ui.ShownWord(s.ID)))
	t.Line("  in       %s, database %s", p.Target, p.Database)
	t.Line("  state    %s", ui.ShownWord(p.State(s)))
	t.Line("  started  %s, on %s (process %d), by lanyardctl %s", when(s.StartedAt), ui.ShownWord(s.Owner.Host), s.Owner.PID, ui.ShownWord(s.Version))
	t.Line("  ended    %s", when(s.EndedAt))
	if !s.UndoneAt.IsZero() {
		t.Line("  undone   %s", when(s.UndoneAt))
	}
	if s.Options != "" {
		t.Line("  options  %s", ui.ShownWord(redact.HideText(s.Options)))
	}
	t.Line("  changes  %s", ui.Thousands(s.Changes))
	t.Line("")
	_, err := io.WriteString(p.out, t.String())
	return err
}

// Change implements [ChangePage].
func (p *textPage) Change(c record.Change) error {
	p.n++
	line := fmt.Sprintf("  %-20s  %-*s  %-8s", ownerText(c.User), longestCollection, c.Collection, ui.ShownWord(string(c.Action)))
	if c.Collection == record.MonitoringCollection {
		to := shownDate(c.To)
		if c.From == c.To {
			to = "the same" // in the form that Lanyard reads
		}
		line += fmt.Sprintf("  %*s → %-*s  %s", len(recoveryTime), shownDate(c.From), len(recoveryTime), to, ui.ShownWord(c.Place))
	}
	_, err := fmt.Fprintln(p.out, strings.TrimRight(line, " "))
	return err
}

// End implements [ChangePage].
func (p *textPage) End(truncated bool, err error) error {
	t := newBuilder(p.look)
	if truncated {
		t.Line("  … and more (--max-changes 0 shows all)")
	}
	if p.n > 0 {
		t.Line("")
	}
	t.warnings(p.Warnings)
	state := p.State(p.Sweep)
	if running := state == string(record.SweepRunning) || state == string(record.SweepUndoing); err == nil && !running && p.Sweep.State != record.SweepUndone {
		t.command("To take this sweep back:", p.Again.As(invocation.SweepUndo+" "+invocation.Quote(p.ID), invocation.TargetFlags...))
	}
	_, writeErr := io.WriteString(p.out, t.String())
	return writeErr
}

// changeJSON is a change without its documents. Dates are Unix seconds, and null where there is none.
type changeJSON struct {
	UserID     *string           `json:"user_id"`
	Collection record.Collection `json:"collection"`
	Action     record.Action     `json:"action"`
	From       *int64            `json:"from"`
	To         *int64            `json:"to"`
	Source     *string           `json:"source"`
}

// jsonPage prints one object for scripts, the list in it as it comes.
type jsonPage struct {
	SweepShow
	out io.Writer
	n   int
}

// Begin implements [ChangePage].
func (p *jsonPage) Begin() error {
	head := object{{"command", invocation.SweepShow}, {"target", p.Target}, {"database", p.Database}, {"sweep_id", p.ID}}
	if p.Sweep.ID != "" {
		head = append(head, member{"sweep", SweepOf(p.History, p.Sweep)})
	}
	text, err := indented(head)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s,\n  \"list\": [", bytes.TrimSuffix(text, []byte("\n}\n")))
	return err
}

// Change implements [ChangePage].
func (p *jsonPage) Change(c record.Change) error {
	text, err := json.Marshal(changeJSON{userOrNull(c.User), c.Collection, c.Action, secondsOrNull(c.From), secondsOrNull(c.To), orNull(c.Place)})
	if err != nil {
		return err
	}
	separator := ","
	if p.n == 0 {
		separator = ""
	}
	p.n++
	_, err = fmt.Fprintf(p.out, "%s\n    %s", separator, ui.ShownJSON(text))
	return err
}

// End implements [ChangePage].
func (p *jsonPage) End(truncated bool, err error) error {
	tail := object{{"list_truncated", truncated}, {"warnings", append([]string{}, p.Warnings...)}, {"ok", err == nil && p.Exit == exit.Done}}
	if text := errorText(err); text != "" {
		tail = append(tail, member{"error", text})
	}
	text, marshalErr := indented(tail)
	if marshalErr != nil {
		return marshalErr
	}
	bracket := "],"
	if p.n > 0 {
		bracket = "\n  ],"
	}
	_, writeErr := fmt.Fprintf(p.out, "%s%s", bracket, bytes.TrimPrefix(text, []byte("{")))
	return writeErr
}
