package report

import (
	"fmt"
	"io"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
)

// Sync is everything that a report of a mirror shows. Its texts hold no secret.
type Sync struct {
	Pair
	Report        mirror.Report
	Only          record.Kinds
	Copied        *migrate.Report // what was copied at the start; nil for nothing
	UntilCaughtUp bool
	Beside        bool // another process does the mirroring
}

// standstill returns for how long no change came before the run was over, as far as it knows.
func (s Sync) standstill() time.Duration {
	return s.Report.StartedAt.Add(s.Report.Duration).Sub(s.Report.Quiet)
}

// Text returns s for people. It ends with a newline.
func (s Sync) Text(l ui.Style) string {
	t := newBuilder(l)
	r := s.Report
	t.Line("%s", s.title(l))
	t.Line("  from  %s", s.Source)
	t.Line("  to    %s, database %s", s.Target, s.Database)
	t.Line("")
	if s.Copied != nil {
		c := *s.Copied
		t.Wrap("", fmt.Sprintf("Copied at the start: %s, of which %s inserted or updated, in %s.",
			ui.Plural(c.Records(), "record"), ui.Thousands(c.Written()), ui.Duration(c.Duration)))
		t.Line("")
	}
	t.fates(s)
	seen := "Nothing told of changes; everything was compared again and again."
	if r.Way != record.Polling {
		seen = ui.Plural(r.Changes, "change") + " seen"
		if r.Way != "" {
			seen += " by " + string(r.Way)
		}
		seen += "."
	}
	if n := r.Latency.Total(); n > 0 {
		seen += fmt.Sprintf(" From there to the target they took %s (half of them), %s (99 %%), %s (the longest) at most.",
			shortDuration(r.Latency.Quantile(0.5)), shortDuration(r.Latency.Quantile(0.99)), shortDuration(r.Latency.Most))
	}
	t.Line("")
	t.Wrap("", seen)
	t.Wrap("", fmt.Sprintf("Redis was opened %s; both sides were compared %s.", times(r.Sessions), times(r.Reconciled)))
	if r.Why != "" {
		t.Wrap("", "No better way to see changes: "+ui.PrintableLine(r.Why)+".")
	}
	t.listed(r.Differences, r.Total, "the target keeps what it has")
	if r.Rejects > 0 {
		t.Wrap("", ui.Plural(r.Rejects, "value")+" of Redis cannot be mirrored.")
	}
	if r.RejectsFile != "" {
		t.Wrap("", "What cannot be mirrored is in "+ui.PrintableLine(r.RejectsFile)+".")
		t.earlier(r.EarlierRejects, r.RejectsFile)
	}
	if r.SupersededFile != "" {
		t.Wrap("", "What was deleted, or gave way, is kept in "+ui.PrintableLine(r.SupersededFile)+".")
		t.earlier(r.EarlierSuperseded, r.SupersededFile)
	}
	t.warnings(s.Warnings)
	t.Line("")
	t.Line("Took %s%s.", ui.Duration(r.Duration), s.ownWork())
	if s.UntilCaughtUp && s.Err == nil && r.Agreed {
		since := ": since this command began, which saw no change"
		switch {
		case r.Changes > 0:
			since = ": since the last change that this command saw"
		case r.Way == record.Polling:
			since = ", as far as anybody knows: this command cannot see changes"
		}
		t.Wrap("", fmt.Sprintf("Writes have stood still for %s%s.", ui.Duration(s.standstill()), since))
	}
	t.nextAfterSync(s)
	return t.String()
}

// shortDuration returns a time of which milliseconds matter.
func shortDuration(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	}
	return ui.Duration(d)
}

func times(n int64) string {
	switch n {
	case 1:
		return "once"
	case 2:
		return "twice"
	}
	return ui.Thousands(n) + " times"
}

func (s Sync) title(l ui.Style) string {
	switch {
	case s.interrupted():
		return l.Paint(ui.Yellow, "Interrupted before the target was caught up.")
	case s.Err != nil:
		return l.Paint(ui.Red, "Failed: ") + ui.Indented(s.Err.Error()) + "\nWhat was done until then:"
	case s.UntilCaughtUp && !s.Report.Agreed:
		return l.Paint(ui.Yellow, "Not caught up: something differs that is left for you to decide.")
	case s.UntilCaughtUp && s.Exit != exit.Done:
		return l.Paint(ui.Yellow, "Caught up, but for what cannot be mirrored.")
	case s.UntilCaughtUp:
		return l.Paint(ui.Green, "Caught up: MongoDB holds what Redis holds.")
	}
	if s.Report.State == mirror.Standby && s.Report.Sessions == 0 {
		return l.Paint(ui.Green, "Stood by until stopped: another sync mirrors.")
	}
	return l.Paint(ui.Green, "Mirrored until stopped.")
}

// fates writes a row for each kind that was asked for, and their sum.
func (t *builder) fates(s Sync) {
	var rows [][]string
	var total mirror.Counts
	row := func(name string, c mirror.Counts) {
		rows = append(rows, ui.NumberRow(name, c[mirror.Inserted], c[mirror.Updated], c[mirror.Deleted], c[mirror.Unchanged]+c[mirror.Absent],
			c[mirror.Kept]+c[mirror.HeldBack], c[mirror.Conflicted], c[mirror.Rejected]))
	}
	for _, kind := range s.Only.List() {
		row(kind.String(), s.Report.Kinds[kind])
		for fate, n := range s.Report.Kinds[kind] {
			total[fate] += n
		}
	}
	if total == (mirror.Counts{}) {
		t.Line("No record had to be looked at one by one.")
		return
	}
	row("total", total)
	t.Table(ui.Table{
		Head: []string{"kind", "inserted", "updated", "deleted", "equal", "kept", "conflicts", "rejected"}, Rows: rows, Sums: true,
		Colours: map[string]string{"rejected": ui.Red, "conflicts": ui.Yellow},
	})
}

// listed names differences.
func (t *builder) listed(list []record.Difference, total int64, why string) {
	if total == 0 {
		return
	}
	t.Line("")
	t.Wrap("", fmt.Sprintf("%s in which %s:", ui.Plural(total, "difference"), why))
	for _, d := range list[:min(len(list), mostListed)] {
		whose := "user " + d.User.String()
		if d.User == 0 {
			whose = "nobody"
		}
		t.Wrap("  ", fmt.Sprintf("%s of %s: %s", d.Kind, whose, d.Type))
	}
	if rest := total - mostListed; rest > 0 {
		t.Wrap("  ", fmt.Sprintf("and %s more", ui.Thousands(rest)))
	}
}

// mostListed is how many differences are named.
const mostListed = 10

// nextAfterSync says what to type now.
func (t *builder) nextAfterSync(s Sync) {
	t.Line("")
	switch {
	case s.interrupted():
		t.command("Next: run the same command again:", s.Again)
	case s.Err != nil:
		t.command("Next: fix what the error names, then run the same command again:", s.Again)
	case !s.UntilCaughtUp:
		t.command("Next: run it again; it compares both sides first, so that nothing is missed:", s.Again)
	case s.Report.HeldBack > 0:
		t.command("Next: see that Redis holds all its data. Where it was emptied on purpose, let MongoDB follow:", s.Again.With("allow-shrinking"))
	case !s.Report.Agreed:
		t.command("Next: see what differs:", s.Again.As(invocation.Verify, invocation.PairFlags...))
	default:
		then := "Next: "
		if s.Exit == exit.Rejects && s.Report.RejectsFile != "" {
			t.command("Next: look at what cannot be mirrored:", invocation.Invocation{Name: invocation.RejectsShow + " " + invocation.Quote(s.Report.RejectsFile)})
			then = "Then "
		}
		if s.Beside {
			then += "stop the other sync, and "
		}
		t.Wrap("", then+"start Lanyard on MongoDB. If Lanyard has written to Redis since, run this command again first.")
	}
}

// WriteJSON writes s as one indented JSON object. Every text in it is already without secrets.
func (s Sync) WriteJSON(w io.Writer) error {
	r := s.Report
	kinds := byKind[object]{only: s.Only}
	for kind, counts := range r.Kinds {
		for fate, n := range counts {
			kinds.counts[kind] = append(kinds.counts[kind], member{mirror.Fate(fate).String(), n})
		}
	}
	var copied any
	if s.Copied != nil {
		c := byKind[migrate.Counts]{only: s.Only, counts: s.Copied.Kinds}
		for kind := range c.counts {
			c.counts[kind].Notes = orEmpty(c.counts[kind].Notes)
		}
		copied = object{{"kinds", c}, {"duration_ms", s.Copied.Duration.Milliseconds()}}
	}
	differences := make([]object, 0, len(r.Differences))
	for _, d := range r.Differences {
		differences = append(differences, object{{"kind", d.Kind}, {"user_id", d.User.String()}, {"type", d.Type}})
	}
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	o := object{
		{"command", invocation.Sync}, {"source", s.Source}, {"target", s.Target}, {"database", s.Database},
		{"until_caught_up", s.UntilCaughtUp}, {"beside", s.Beside}, {"state", r.State}, {"way", r.Way}, {"why", r.Why},
		{"copied", copied}, {"kinds", kinds}, {"changes", r.Changes}, {"waiting", r.Waiting},
		{"sessions", r.Sessions}, {"comparisons", r.Reconciled},
		{"conflicts", r.Conflicts}, {"held_back", r.HeldBack}, {"rejects", r.Rejects},
		{"agreed", r.Agreed}, {"differences", differences}, {"differences_total", r.Total},
		{"latency", object{
			{"changes", r.Latency.Total()}, {"p50_ms", ms(r.Latency.Quantile(0.5))}, {"p99_ms", ms(r.Latency.Quantile(0.99))}, {"max_ms", ms(r.Latency.Most)},
		}},
	}
	if s.UntilCaughtUp {
		o = append(o, member{"standstill_ms", s.standstill().Milliseconds()})
	}
	o = append(o,
		member{"rejects_file", orNull(r.RejectsFile)}, member{"superseded_file", orNull(r.SupersededFile)},
		member{"earlier_rejects", r.EarlierRejects}, member{"earlier_superseded", r.EarlierSuperseded},
		member{"warnings", append([]string{}, s.Warnings...)}, member{"now", utc(s.Now)}, member{"started_at", utc(r.StartedAt)},
		member{"duration_ms", r.Duration.Milliseconds()}, member{"cpu_ms", s.CPU.Milliseconds()}, member{"ok", s.Exit == exit.Done},
	)
	if text := errorText(s.Err); text != "" {
		o = append(o, member{"error", text})
	}
	return WriteJSON(w, o)
}
