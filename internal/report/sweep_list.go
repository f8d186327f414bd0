package report

import (
	"fmt"
	"io"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// SweepList is the report of the command.
type SweepList struct {
	Run
	sweep.History
}

// Text returns l for people. It ends with a newline.
func (l SweepList) Text(look ui.Style) string {
	t := newBuilder(look)
	if len(l.Sweeps) == 0 {
		t.Line("No sweep of %s, database %s, changed anything yet.", l.Target, l.Database)
		t.warnings(l.Warnings)
		return t.String()
	}
	head, rows := []string{"sweep", "started (UTC)", "state", "changes", "host", "options"}, [][]string(nil)
	for _, s := range l.Sweeps {
		rows = append(rows, []string{ui.ShownWord(s.ID), s.StartedAt.UTC().Format(recoveryTime), ui.ShownWord(l.State(s)), ui.Thousands(s.Changes),
			ui.ShownWord(s.Owner.Host), ui.ShownWord(redact.HideText(s.Options))})
	}
	t.Table(ui.Table{Head: head, Rows: rows})
	t.warnings(l.Warnings)
	t.Line("")
	t.command("To see what one changed, such as the newest:", l.Again.As(invocation.SweepShow+" "+invocation.Quote(l.Sweeps[0].ID), invocation.TargetFlags...))
	for _, s := range l.Sweeps {
		if s.State != record.SweepUndone && l.State(s) != string(record.SweepRunning) {
			t.command("To take the newest back that can be:", l.Again.As(invocation.SweepUndo+" "+invocation.Quote(s.ID), invocation.TargetFlags...))
			break
		}
	}
	return t.String()
}

// sweepJSON is a sweep as the journal knows it. Times are null until they are.
type sweepJSON struct {
	SweepID   string  `json:"sweep_id"`
	State     string  `json:"state"`
	Changes   int64   `json:"changes"`
	Version   string  `json:"version"`
	Options   string  `json:"options"`
	Host      string  `json:"host"`
	PID       int     `json:"pid"`
	StartedAt string  `json:"sweep_started_at"`
	EndedAt   *string `json:"sweep_ended_at"`
	UndoneAt  *string `json:"undone_at"`
}

// SweepOf returns the sweep as the journal knows it.
func SweepOf(h sweep.History, s record.Sweep) sweepJSON {
	return sweepJSON{s.ID, h.State(s), s.Changes, s.Version, redact.HideText(s.Options), s.Owner.Host, s.Owner.PID,
		utc(s.StartedAt), timeOrNull(s.EndedAt), timeOrNull(s.UndoneAt)}
}

func timeOrNull(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return orNull(utc(t))
}

// WriteJSON writes l as one indented JSON object.
func (l SweepList) WriteJSON(w io.Writer) error {
	out := struct {
		Command  string      `json:"command"`
		Target   string      `json:"target"`
		Database string      `json:"database"`
		Sweeps   []sweepJSON `json:"sweeps"`
		Warnings []string    `json:"warnings"`
		OK       bool        `json:"ok"`
		Error    string      `json:"error,omitempty"`
	}{invocation.SweepList, l.Target, l.Database, []sweepJSON{}, append([]string{}, l.Warnings...), l.Exit == exit.Done, errorText(l.Err)}
	for _, s := range l.Sweeps {
		out.Sweeps = append(out.Sweeps, SweepOf(l.History, s))
	}
	return WriteJSON(w, out)
}

// when says when a sweep was, for people.
func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprintf("%s UTC", t.UTC().Format(recoveryTime))
}
