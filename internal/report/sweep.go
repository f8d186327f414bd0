package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// Sweep is everything that a report of a sweep shows. Its texts hold no secret.
type Sweep struct {
	Run
	Report    sweep.Report
	Check     bool
	UserDates sweep.UserDates
}

// Text returns s for people. It ends with a newline.
func (s Sweep) Text(l ui.Style) string {
	t := newBuilder(l)
	text, colour := s.verdict()
	t.Wrap("", l.Paint(colour, text))
	t.Line("  in     %s, database %s", s.Target, s.Database)
	if s.Report.ID != "" {
		t.Line("  sweep  %s", s.Report.ID)
	}
	if s.Err == nil || s.Report.Users > 0 {
		t.places(s.Report)
		t.users(s)
	}
	t.years(s.Report.Before, s.Report.After)
	t.recoveries(s.Report.Largest)
	t.collections(s.Report)
	t.leftovers("Left for you to decide:", s.Report.Leftovers, s.Report.LeftoversTotal, leftTexts)
	t.warnings(s.Warnings)
	t.Line("")
	t.Line("Took %s.", ui.Duration(s.Report.Duration))
	t.Wrap("", s.clock())
	t.nextAfterSweep(s)
	return t.String()
}

// verdict says in a sentence what was done, and in which colour.
func (s Sweep) verdict() (text, colour string) {
	r := s.Report
	changes := ui.Plural(r.Changes, "change")
	switch {
	case s.interrupted() && r.DryRun:
		return "Interrupted. Nothing was changed, and this is not all that a sweep would do.", ui.Yellow
	case s.interrupted():
		return "Interrupted after " + changes + ". What was found until then:", ui.Yellow
	case s.Err != nil && (r.DryRun || r.Changes == 0):
		return "Failed, and nothing was changed: " + s.Err.Error(), ui.Red
	case s.Err != nil:
		return "Failed after " + changes + ": " + s.Err.Error(), ui.Red
	case r.Changes == 0:
		text, colour = "Nothing has to be changed", ui.Green
	case s.Check:
		text, colour = "A sweep would make "+changes, ui.Red
	case r.DryRun:
		text, colour = "Dry run: nothing was changed. A sweep would make "+changes, ui.Green
	default:
		text, colour = "Swept: "+changes+", each of which can be taken back", ui.Green
	}
	if r.LeftoversTotal == 0 {
		return text + ".", colour
	}
	if colour == ui.Green {
		colour = ui.Yellow
	}
	return text + ", with something left for you to decide.", colour
}

// places writes a row for each place, and below them why values were not chosen.
func (t *builder) places(r sweep.Report) {
	if len(r.Places) == 0 {
		return
	}
	t.Line("")
	var rows [][]string
	var won int64
	var faults []ui.Item
	for _, p := range r.Places {
		var implausible int64
		name := ui.ShownWord(p.Place.Name)
		for _, fault := range ui.ItemsOf(p.Implausible, reasonTexts) {
			implausible += fault.N
			faults = append(faults, ui.Item{N: fault.N, Name: name, Text: fault.Name + ": " + fault.Text})
		}
		if p.Nobodys > 0 {
			faults = append(faults, ui.Item{N: p.Nobodys, Name: name, Text: "what is in place of the user id is not one"})
		}
		rows = append(rows, ui.NumberRow(name, p.Documents, p.Candidates, implausible, p.Won))
		won += p.Won
	}
	rows = append(rows, []string{"users with a date", "", "", "", ui.Thousands(won)})
	t.Table(ui.Table{
		Head: []string{"place", "documents", "candidates", "implausible", "won"}, Rows: rows, Sums: true,
		Colours: map[string]string{"implausible": ui.Yellow, "won": ui.Green},
	})
	t.List("Never chosen, because implausible or without a user:", faults)
}

// users writes what becomes of the users, each of whom is in one of the lines.
func (t *builder) users(s Sweep) {
	r := s.Report
	t.Line("")
	t.Line("%s", t.Paint(ui.Bold, ui.Plural(r.Users, "user")+":"))
	t.Items([]ui.Item{
		{N: r.Created, Name: "created", Text: "had no document in monitoring"},
		{N: r.Changed, Name: "changed", Text: "the document in monitoring was not right"},
		{N: r.Merged, Name: "merged", Text: "had several documents in monitoring, which become one"},
		{N: r.Unchanged, Name: "unchanged", Text: "the document in monitoring is right"},
		{N: r.Undated, Name: "undated", Text: "no plausible date anywhere; left alone"},
		{N: r.Left, Name: "left", Text: "should be changed, and cannot be; see below"},
	})
	t.Wrap("", fmt.Sprintf("%s got a date that users can write themselves (--kv-dates %s).", ui.Plural(r.ByUsers, "user"), s.UserDates))
}

// recoveryTime is how a date is shown to people, in UTC.
const recoveryTime = "2006-01-02 15:04:05"

// shownDate returns a date of Unix seconds, or a word for none.
func shownDate(seconds int64) string {
	if seconds == 0 {
		return "none"
	}
	return time.Unix(seconds, 0).UTC().Format(recoveryTime)
}

func (t *builder) recoveries(list []sweep.Recovery) {
	if len(list) == 0 {
		return
	}
	t.Line("")
	t.Line("%s", t.Paint(ui.Bold, "The largest recoveries (UTC):"))
	for _, r := range list {
		t.Line("  %-20s  %*s → %s  %s", r.User, len(recoveryTime), shownDate(r.From), shownDate(r.To), ui.ShownWord(r.Place))
	}
}

// collections tells of documents that are not as Lanyard needs them, and what became of them.
func (t *builder) collections(r sweep.Report) {
	type row struct{ name, text string }
	var list []row
	width := 0
	for _, f := range r.Collections {
		if text := findings(f, r); text != "" {
			list = append(list, row{f.Collection.String(), text})
			width = max(width, len(f.Collection.String()))
		}
	}
	if len(list) == 0 {
		return
	}
	t.Line("")
	t.Line("%s", t.Paint(ui.Bold, "In the collections:"))
	for _, found := range list {
		t.Wrap(fmt.Sprintf("  %-*s  ", width, found.name), found.text)
	}
}

// findings says what was found in a collection besides dates, nothing for nothing.
func findings(f sweep.CollectionFigures, r sweep.Report) string {
	var parts []string
	add := func(n int64, one, more string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, ui.Thousands(n)+" "+more)
		}
	}
	add(f.Numeric, "document with a number as user_id", "documents with a number as user_id")
	add(f.Duplicates, "user with several documents", "users with several documents")
	add(f.Keyless, "document without a key", "documents without a key")
	if len(f.Examples) > 0 && len(parts) > 0 {
		examples := make([]string, len(f.Examples))
		for i, name := range f.Examples {
			examples[i] = ui.ShownName(name)
		}
		parts[len(parts)-1] += " (such as " + strings.Join(examples, ", ") + ")"
	}
	add(f.Nobodys, "document without a valid user id, left alone", "documents without a valid user id, left alone")
	if len(parts) == 0 {
		return ""
	}
	text := strings.Join(parts, ", ")
	if done := dedupeDone(f, r); done != "" {
		text += "; " + done
	}
	return text
}

// dedupeDone says what --dedupe did, or could.
func dedupeDone(f sweep.CollectionFigures, r sweep.Report) string {
	switch {
	case !mendable(f):
		return ""
	case !r.Dedupe:
		return "--dedupe fixes what has a rule"
	}
	done := "--dedupe: "
	if r.DryRun {
		done = "--dedupe would do this: "
	}
	var parts []string
	if f.Merged > 0 {
		parts = append(parts, "the documents of "+ui.Plural(f.Merged, "user")+" made one")
	}
	if f.Renamed > 0 {
		parts = append(parts, ui.Plural(f.Renamed, "user id")+" made text")
	}
	if f.Removed > 0 {
		parts = append(parts, ui.Plural(f.Removed, "document")+" that said nothing removed")
	}
	if f.Left > 0 {
		parts = append(parts, ui.Plural(f.Left, "user")+" left")
	}
	if len(parts) == 0 {
		return ""
	}
	return done + strings.Join(parts, ", ")
}

// mendable tells whether --dedupe is about what was found in the collection: a sweep mends monitoring anyhow, and
// Lanyard only reads users.
func mendable(f sweep.CollectionFigures) bool {
	switch f.Collection {
	case record.KVCollection, record.LastSeenCollection, record.APIKeysCollection:
		return f.Numeric+f.Duplicates+f.Keyless > 0
	}
	return false
}

var leftTexts = map[sweep.LeftReason]string{
	sweep.LeftAPIKeys:   "the user's documents have different API keys: delete all but the right one",
	sweep.LeftKV:        "the user's documents have different values of a pair: delete the wrong ones",
	sweep.LeftMalformed: "a document holds something else than its collection is for",
	sweep.LeftTwice:     "a document holds two fields of one name: remove all but the right one",
	sweep.LeftSize:      "the documents before and after are larger together than the journal can hold",
	sweep.LeftMany:      "the user has more documents there than are changed at once",
	sweep.LeftMoved:     "somebody kept changing the documents: run it again",
	sweep.LeftTaken:     "a unique index has the value in another document",
	sweep.LeftRefused:   "the database refuses it",
}

// leftovers lists what was left, with the reasons in words. Total counts all of them.
func (t *builder) leftovers(heading string, list []sweep.Leftover, total int64, texts map[sweep.LeftReason]string) {
	if total == 0 {
		return
	}
	t.Line("")
	t.Line("%s", t.Paint(ui.Bold, heading))
	for _, left := range list {
		head := fmt.Sprintf("  %-*s  %-20s  ", longestCollection, left.Collection, ownerText(left.User))
		t.Wrap(head, cmp.Or(texts[left.Reason], string(left.Reason)))
	}
	if more := total - int64(len(list)); more > 0 {
		t.Line("  … and %s more", ui.Thousands(more))
	}
}

// ownerText returns the user's id, or a dash for nobody.
func ownerText(user record.UserID) string {
	if user == 0 {
		return "-"
	}
	return user.String()
}

// longestCollection is the length of the longest name of a collection of users.
var longestCollection = len(record.MonitoringCollection.String())

// nextAfterSweep says what to type now.
func (t *builder) nextAfterSweep(s Sweep) {
	r, cmd := s.Report, s.Again
	t.Line("")
	switch {
	case s.Err != nil && !s.interrupted():
		t.command("Next: fix what the error names, then run it again:", cmd)
	case s.interrupted():
		t.command("Next: run it again:", cmd)
	case r.DryRun && r.Changes > 0:
		t.command("Next: sweep, with the same command without --dry-run and --check:", cmd.Without("dry-run", "check"))
	}
	t.takeBack(s)
	if s.Err != nil {
		return
	}
	dedupes := !r.Dedupe && slices.ContainsFunc(r.Collections, mendable)
	if dedupes {
		t.command("To merge several documents of one user, and to fix numeric user ids, as well:", cmd.With("dedupe"))
	}
	switch {
	case r.LeftoversTotal > 0:
		t.Wrap("", "What is left has no rule: decide it in the database, then run the same command again.")
	case r.Changes == 0 && !dedupes:
		t.Wrap("", "Nothing is left to do.")
	case r.Changes > 0 && !r.DryRun:
		t.Wrap("", "If Lanyard is running, restart it: it still has the old dates in memory. If it was running during the sweep, run the same command once more.")
	}
}

// takeBack says how to undo what was done.
func (t *builder) takeBack(s Sweep) {
	if s.Report.ID == "" || s.Report.DryRun {
		return
	}
	t.command("To take this sweep back:", s.Again.As(invocation.SweepUndo+" "+s.Report.ID, invocation.TargetFlags...))
}
