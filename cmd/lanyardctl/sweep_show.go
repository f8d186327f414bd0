package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

const sweepShowLong = `Show what a sweep changed: the user, the collection, what was done, the dates before
and after, and where the date came from; the newest change first. Documents are
never shown, since they may hold API keys.

` + targetEnvironmentHelp + `
` + exitStatus

func newSweepShow(p program) *cobra.Command {
	most := 0
	c := journalCommand{
		name:   invocation.SweepShow,
		writes: func() bool { return false },
		check: func(*pflag.FlagSet) error {
			if most < 0 {
				return exit.WrongUse(fmt.Sprintf("--max-changes: %d is less than nothing", most), "give 0 to show all")
			}
			return nil
		},
		work: func(ctx context.Context, r *targetRun, target location.Target, id string) error {
			return showSweep(ctx, r, target.Journal(), id, most)
		},
		failed: func(f runFacts, id string) report { return showing{runFacts: f, ID: id} },
	}
	return c.bind(p, &cobra.Command{
		Use:   "show ID",
		Short: "Show what a sweep changed",
		Long:  sweepShowLong,
		Example: `  lanyardctl sweep show 20261122-010203-456-ab12
  lanyardctl sweep show 20261122-010203-456-ab12 --max-changes 0 --output json | jq .list`,
		Args: cobra.ExactArgs(1),
	}, func(flags *pflag.FlagSet) {
		flags.IntVar(&most, "max-changes", 100, "`number` of changes to show; 0 for all")
	})
}

// showSweep prints a sweep and its changes as they come.
func showSweep(ctx context.Context, r *targetRun, journal record.Journal, id string, most int) error {
	history, err := sweep.ReadHistory(ctx, journal, r.on.now)
	if err != nil {
		return err
	}
	s, err := history.Find(id)
	if err != nil {
		return err
	}
	r.began = true
	show := showing{runFacts: r.facts(nil), ID: id, Sweep: s, History: history}
	out := bufio.NewWriter(r.streams.out)
	var page changePage = &textPage{out: out, look: r.look(r.streams.out), showing: show}
	if r.on.output == outputJSON {
		page = &jsonPage{out: out, showing: show}
	}
	truncated, readErr := eachChange(ctx, journal, id, most, page)
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
func eachChange(ctx context.Context, journal record.Journal, id string, most int, page changePage) (truncated bool, err error) {
	if err := page.begin(); err != nil {
		return false, err
	}
	shown := 0
	err = journal.List(ctx, id, func(list []record.Change) error {
		for _, c := range list {
			if most > 0 && shown == most {
				return errEnough
			}
			shown++
			if err := page.change(c); err != nil {
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

// changePage is where changes are printed one by one.
type changePage interface {
	begin() error
	change(c record.Change) error
	End(truncated bool, err error) error
}

// showing is a sweep that is shown.
type showing struct {
	runFacts
	sweep.History
	ID    string
	Sweep record.Sweep
}

// Text returns the report of a run that failed, of which the error says everything.
func (s showing) Text(ui.Style) string { return "" }

// writeJSON writes the report without changes.
func (s showing) writeJSON(w io.Writer) error {
	page := &jsonPage{out: w, showing: s}
	if err := page.begin(); err != nil {
		return err
	}
	return page.End(false, s.Err)
}

// textPage prints for people.
type textPage struct {
	showing
	look ui.Style
	out  io.Writer
	n    int
}

func (p *textPage) begin() error {
	t := newReportText(p.look)
	s := p.Sweep
	t.Line("%s", p.look.Paint(ui.Bold, "Sweep "+ui.PrintableLine(s.ID)))
	t.Line("  in       %s, database %s", p.Target, p.Database)
	t.Line("  state    %s", p.State(s))
	t.Line("  started  %s, on %s (process %d), by lanyardctl %s", when(s.StartedAt), ui.PrintableLine(s.Owner.Host), s.Owner.PID, ui.PrintableLine(s.Version))
	t.Line("  ended    %s", when(s.EndedAt))
	if !s.UndoneAt.IsZero() {
		t.Line("  undone   %s", when(s.UndoneAt))
	}
	if s.Options != "" {
		t.Line("  options  %s", ui.PrintableLine(redact.HideText(s.Options)))
	}
	t.Line("  changes  %s", ui.Thousands(s.Changes))
	t.Line("")
	_, err := io.WriteString(p.out, t.String())
	return err
}

func (p *textPage) change(c record.Change) error {
	p.n++
	line := fmt.Sprintf("  %-20s  %-*s  %-8s", ownerText(c.User), longestCollection, c.Collection, ui.PrintableLine(string(c.Action)))
	if c.Collection == record.MonitoringCollection {
		to := shownDate(c.To)
		if c.From == c.To {
			to = "the same" // in the form that Lanyard reads
		}
		line += fmt.Sprintf("  %*s → %-*s  %s", len(recoveryTime), shownDate(c.From), len(recoveryTime), to, ui.PrintableLine(c.Place))
	}
	_, err := fmt.Fprintln(p.out, strings.TrimRight(line, " "))
	return err
}

func (p *textPage) End(truncated bool, err error) error {
	t := newReportText(p.look)
	if truncated {
		t.Line("  … and more (--max-changes 0 shows all)")
	}
	if p.n > 0 {
		t.Line("")
	}
	t.warnings(p.Warnings)
	state := p.State(p.Sweep)
	if running := state == string(record.SweepRunning) || state == string(record.SweepUndoing); err == nil && !running && p.Sweep.State != record.SweepUndone {
		t.command("To take this sweep back:", p.Again.As(invocation.SweepUndo+" "+ui.PrintableLine(p.ID), invocation.TargetFlags...))
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
	showing
	out io.Writer
	n   int
}

func (p *jsonPage) begin() error {
	head := object{{"command", invocation.SweepShow}, {"target", p.Target}, {"database", p.Database}, {"sweep_id", p.ID}}
	if p.Sweep.ID != "" {
		head = append(head, member{"sweep", sweepOf(p.History, p.Sweep)})
	}
	text, err := indented(head)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s,\n  \"list\": [", bytes.TrimSuffix(text, []byte("\n}\n")))
	return err
}

func (p *jsonPage) change(c record.Change) error {
	text, err := json.Marshal(changeJSON{userOrNull(c.User), c.Collection, c.Action, secondsOrNull(c.From), secondsOrNull(c.To), orNull(c.Place)})
	if err != nil {
		return err
	}
	separator := ","
	if p.n == 0 {
		separator = ""
	}
	p.n++
	_, err = fmt.Fprintf(p.out, "%s\n    %s", separator, escapeUnprintable(text))
	return err
}

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
