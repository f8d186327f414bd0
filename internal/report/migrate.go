package report

import (
	"errors"
	"fmt"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
)

// Migration is everything that a report of a migration shows. Its texts hold no secret.
type Migration struct {
	Pair
	Report  migrate.Report
	Retried *Retried // the rejects that were migrated again, and nothing else; nil for none
}

// Text returns m for people. It ends with a newline.
func (m Migration) Text(l ui.Style) string {
	t := newBuilder(l)
	t.Line("%s", m.title(l))
	t.ends(m.Pair)
	if m.Retried != nil {
		t.Wrap("  what  ", m.Retried.text())
	}
	t.Line("")
	t.counts(m.Report)
	t.fields(m.Report)
	t.notes(m.Report)
	of := namedUsersText
	if m.Retried != nil {
		of = "these records"
	}
	t.keys(m.Pair, of, m.Report.Seen)
	t.rejects(m)
	t.warnings(m.Warnings)
	t.Line("")
	t.Line("Took %s%s.", ui.Duration(m.Report.Duration), rate(m.Report))
	t.waits(m)
	t.Wrap("", m.clock())
	t.next(m)
	return t.String()
}

func (m Migration) title(l ui.Style) string {
	verb := "Migrated"
	if m.Retried != nil {
		verb = "Migrated again what was left out"
	}
	switch {
	case m.Err != nil && m.interrupted():
		return l.Paint(ui.Yellow, "Interrupted. What was done until then:")
	case m.Err != nil:
		return l.Paint(ui.Red, "Failed: ") + ui.Indented(m.Err.Error()) + "\nWhat was done until then:"
	case m.Report.DryRun:
		verb = "Dry run: nothing was written to " + m.Direction.Target() + ". This is what a migration would do"
	case m.Report.Resumed:
		verb = "Migrated (resumed an earlier run; the numbers are those of both runs)"
	}
	if m.Exit != 0 {
		return l.Paint(ui.Yellow, verb+", with something left for you to decide.")
	}
	return l.Paint(ui.Green, verb+".")
}

// counts writes a row for each kind that was asked for, and their sum. Read is the sum of the columns after it.
func (t *builder) counts(r migrate.Report) {
	head := []string{"kind", "read", "inserted", "updated", "unchanged", "conflicts", "rejected"}
	row := func(name string, c migrate.Counts) []string {
		return ui.NumberRow(name, c.Read, c.Inserted, c.Updated, c.Unchanged, c.Conflicts, c.Rejected)
	}
	var rows [][]string
	var total migrate.Counts
	for _, kind := range r.Only.List() {
		rows = append(rows, row(kind.String(), r.Kinds[kind]))
		total.Add(r.Kinds[kind])
	}
	t.Table(ui.Table{
		Head: head, Rows: append(rows, row("total", total)), Sums: true,
		Colours: map[string]string{"rejected": ui.Red, "conflicts": ui.Yellow},
	})
}

// fields tells of single fields that were left out of records that went in.
func (t *builder) fields(r migrate.Report) {
	rest := "rejected; the record's other fields went in"
	if r.DryRun {
		rest = "rejected; the record's other fields would go in"
	}
	var list []ui.Item
	for _, kind := range r.Only.List() {
		f := r.Kinds[kind].Fields
		if f.Rejected > 0 {
			list = append(list, ui.Item{N: f.Rejected, Name: kind.String(), Text: rest})
		}
		if f.Conflicts > 0 {
			list = append(list, ui.Item{N: f.Conflicts, Name: kind.String(), Text: "in conflict; the target keeps its own"})
		}
	}
	t.List("Single fields left out of records:", list)
}

var noteTexts = map[record.Note]string{
	record.Normalised:     "a time was in another unit or type",
	record.Repaired:       "an API key that authenticates, though it was not named as the user's current one",
	record.NotJSON:        "a value of the fork that is not JSON was kept as text",
	record.AsJSON:         "a value that is no text was written as JSON text, in upstream's layout",
	record.SupersededNote: "a value that another one replaces; a migration keeps it in the superseded file",
	record.AsText:         "a number of more digits than MongoDB's decimals hold was written as text, with its type beside",
	record.Incomplete:     "an item lacks an attribute that the bot gives all items of its table",
	record.Expiring:       "a key has a time to live in Redis; what was written has none",
	record.BothLayouts:    "a user has key-value pairs in both layouts",
	record.NumericUserID:  "a document in the target has a number as its user_id: Lanyard cannot see it; sweep --dedupe fixes that",
}

func (t *builder) notes(r migrate.Report) {
	sums := map[record.Note]int64{}
	for _, kind := range r.Only.List() {
		for note, n := range r.Kinds[kind].Notes {
			sums[note] += n
		}
	}
	t.List("Notes:", ui.ItemsOf(sums, noteTexts))
}

func (t *builder) rejects(m Migration) {
	r, texts := m.Report, reasonsIn(m.Direction)
	if r.RejectsFile != "" {
		left := "Left out, in "
		if r.DryRun {
			left = "What would be left out, in "
		}
		t.List(left+ui.PrintableLine(r.RejectsFile)+":", ui.ItemsOf(r.Reasons, texts))
	} else {
		t.List("Left out:", ui.ItemsOf(r.Reasons, texts))
	}
	t.earlier(r.EarlierRejects, r.RejectsFile)
	if r.SupersededFile != "" {
		t.Line("")
		gaveWay := "values were replaced by others and are kept in"
		if r.Superseded == 1 {
			gaveWay = "value was replaced by another and is kept in"
		}
		t.Wrap("", fmt.Sprintf("%s %s %s.", ui.Thousands(r.Superseded), gaveWay, ui.PrintableLine(r.SupersededFile)))
		t.earlier(r.EarlierSuperseded, r.SupersededFile)
	}
}

// earlier tells of lines that other runs wrote to the file.
func (t *builder) earlier(n int64, file string) {
	if n > 0 {
		t.Wrap("", ui.Plural(n, "line")+" of earlier runs "+be(n)+" in "+ui.PrintableLine(file)+", too.")
	}
}

// next says what to type now.
func (t *builder) next(m Migration) {
	r, cmd, app := m.Report, m.Again, m.Direction.App()
	t.Line("")
	switch {
	case m.Retried != nil:
		t.nextRetry(m)
	case m.interrupted() && r.DryRun:
		t.command("Next: run it again from the start:", cmd)
	case m.interrupted():
		t.command("Next: run the same command again; it resumes:", cmd.Without("restart"))
	case m.Err != nil && r.DryRun:
		t.command("Next: fix what the error names, then run it again:", cmd)
	case errors.Is(m.Err, record.ErrSourceMoved):
		t.command("Next: see that "+m.Direction.Source()+" holds all its data; the same command then starts from the beginning:", cmd.Without("restart"))
	case m.Err != nil:
		t.command("Next: fix what the error names, then run the same command again; it resumes:", cmd.Without("restart"))
	case r.DryRun && r.RejectsFile != "":
		t.lookAt(r)
		t.command("Then migrate, with the same command without --dry-run:", cmd.Without("dry-run"))
	case r.DryRun:
		t.command("Next: migrate, with the same command without --dry-run:", cmd.Without("dry-run"))
	case r.Rejects() > 0:
		t.lookAt(r)
		t.decide(m)
		if r.Rejects() > undecided(r) {
			switch {
			case m.Direction != invocation.ToMongo:
				if r.Reasons[record.NotText] > 0 {
					t.command("Values that are no text go into upstream's layout as JSON text with --as-json:", cmd.Without("restart").With("as-json"))
				}
				t.command("Then correct in "+m.Direction.Source()+" what is worth it and run it again; it only writes what has changed:", cmd.Without("restart"))
			case m.Still:
				t.command("Then correct in Redis what is worth it, take a new dump and run it again; it only writes what has changed:",
					cmd.Without("restart"))
			default:
				t.command("Then correct in Redis what is worth it, and migrate these records again, without a look at all the others:",
					retry(cmd, r.RejectsFile))
			}
		}
	default:
		t.command("Next: see whether anything is missing:",
			cmd.As(m.Direction.Verify(), m.Direction.Flags()...))
		switch {
		case cmd.Narrowed():
			t.limited(cmd)
		case !m.Still:
			t.command("Run it again at any time to catch up with what "+app+" writes meanwhile. Before you switch over, stop "+
				app+"'s writes and run it a last time:", cmd.Without("restart"))
		}
	}
}

// limited keeps a person from switching over on a part of the data.
func (t *builder) limited(cmd invocation.Invocation) {
	by := "--only or --user: before you switch over, run it without them."
	if cmd.Value("tables") != "" {
		by = "--tables: before you switch over, run it without."
	}
	t.Wrap("", "This run was limited by "+by)
}

// lookAt says how to read the rejects file, where there is one.
func (t *builder) lookAt(r migrate.Report) {
	if r.RejectsFile == "" {
		return
	}
	t.command("Next: look at what was left out:", invocation.Invocation{Name: invocation.RejectsShow + " " + invocation.Quote(r.RejectsFile)})
}

// shortRun is a run of which it does not matter what it waited for.
const shortRun = 2 * time.Second

// waits tells what a run waited for, so that a person knows what would make it faster.
func (t *builder) waits(m Migration) {
	r := m.Report
	if r.Duration < shortRun || r.Resumed {
		return
	}
	percent := func(d time.Duration) int64 { return int64(d * 100 / r.Duration) }
	t.Wrap("", fmt.Sprintf("Of that time it waited %d %% for the source and %d %% for the target%s.",
		percent(r.Waits.Source), percent(r.Waits.Target), m.ownWork()))
}

func rate(r migrate.Report) string {
	n := perSecond(r, r.Records())
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %s records/s", ui.Thousands(n))
}

// perSecond returns how many of n came in a second; zero where nobody knows, as for a run that was done in parts.
func perSecond(r migrate.Report, n int64) int64 {
	if r.Duration <= 0 || r.Resumed {
		return 0
	}
	return int64(float64(n) / r.Duration.Seconds())
}
