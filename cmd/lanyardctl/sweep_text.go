package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// sweeping is everything that a report of a sweep shows. Its texts hold no secret.
type sweeping struct {
	runFacts
	Report    sweep.Report
	Check     bool
	UserDates sweep.UserDates
}

// text returns s for people. It ends with a newline.
func (s sweeping) text(l look) string {
	t := newReportText(l)
	text, colour := s.verdict()
	t.wrap("", l.paint(colour, text))
	t.line("  in     %s, database %s", s.Target, s.Database)
	if s.Report.ID != "" {
		t.line("  sweep  %s", s.Report.ID)
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
	t.line("")
	t.line("Took %s.", duration(s.Report.Duration))
	t.wrap("", s.clock())
	t.nextAfterSweep(s)
	return t.String()
}

// verdict says in a sentence what was done, and in which colour.
func (s sweeping) verdict() (text, colour string) {
	r := s.Report
	changes := plural(r.Changes, "change")
	switch {
	case s.interrupted() && r.DryRun:
		return "Interrupted. Nothing was changed, and this is not all that a sweep would do.", yellow
	case s.interrupted():
		return "Interrupted after " + changes + ". What was found until then:", yellow
	case s.Err != nil && (r.DryRun || r.Changes == 0):
		return "Failed, and nothing was changed: " + s.Err.Error(), red
	case s.Err != nil:
		return "Failed after " + changes + ": " + s.Err.Error(), red
	case r.Changes == 0:
		text, colour = "Nothing has to be changed", green
	case s.Check:
		text, colour = "A sweep would make "+changes, red
	case r.DryRun:
		text, colour = "Dry run: nothing was changed. A sweep would make "+changes, green
	default:
		text, colour = "Swept: "+changes+", each of which can be taken back", green
	}
	if r.LeftoversTotal == 0 {
		return text + ".", colour
	}
	if colour == green {
		colour = yellow
	}
	return text + ", with something left for you to decide.", colour
}

// places writes a row for each place, and below them why values were not chosen.
func (t *reportText) places(r sweep.Report) {
	if len(r.Places) == 0 {
		return
	}
	t.line("")
	var rows [][]string
	var won int64
	var faults []counted
	for _, p := range r.Places {
		var implausible int64
		name := printableLine(p.Place.Name)
		for _, fault := range countedTexts(p.Implausible, reasonTexts) {
			implausible += fault.n
			faults = append(faults, counted{fault.n, name, fault.name + ": " + fault.text})
		}
		if p.Nobodys > 0 {
			faults = append(faults, counted{p.Nobodys, name, "what stands for the user is no user's id"})
		}
		rows = append(rows, numbers(name, p.Documents, p.Candidates, implausible, p.Won))
		won += p.Won
	}
	rows = append(rows, []string{"users with a date", "", "", "", thousands(won)})
	t.table([]string{"place", "documents", "candidates", "implausible", "won"}, rows, map[string]string{"implausible": yellow, "won": green})
	t.list("Implausible, or nobody's, and so never chosen:", faults)
}

// users writes what becomes of the users, each of whom is in one of the lines.
func (t *reportText) users(s sweeping) {
	r := s.Report
	t.line("")
	t.line("%s", t.paint(bold, plural(r.Users, "user")+":"))
	t.items([]counted{
		{r.Created, "created", "had no document in monitoring"},
		{r.Changed, "changed", "the document in monitoring was not right"},
		{r.Merged, "merged", "had several documents in monitoring, which become one"},
		{r.Unchanged, "unchanged", "the document in monitoring is right"},
		{r.Undated, "undated", "no plausible date anywhere; left alone"},
		{r.Left, "left", "should be changed, and cannot be; see below"},
	})
	t.wrap("", fmt.Sprintf("%s got a date that users can write themselves (--kv-dates %s).", plural(r.ByUsers, "user"), s.UserDates))
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

func (t *reportText) recoveries(list []sweep.Recovery) {
	if len(list) == 0 {
		return
	}
	t.line("")
	t.line("%s", t.paint(bold, "The largest recoveries (UTC):"))
	for _, r := range list {
		t.line("  %-20s  %*s → %s  %s", r.User, len(recoveryTime), shownDate(r.From), shownDate(r.To), printableLine(r.Place))
	}
}

// collections tells of documents that are not as Lanyard needs them, and what became of them.
func (t *reportText) collections(r sweep.Report) {
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
	t.line("")
	t.line("%s", t.paint(bold, "In the collections:"))
	for _, found := range list {
		t.wrap(fmt.Sprintf("  %-*s  ", width, found.name), found.text)
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
			parts = append(parts, thousands(n)+" "+more)
		}
	}
	add(f.Numeric, "document with a number as user_id", "documents with a number as user_id")
	add(f.Duplicates, "user with several documents", "users with several documents")
	add(f.Keyless, "document without a key", "documents without a key")
	if len(f.Examples) > 0 && len(parts) > 0 {
		examples := make([]string, len(f.Examples))
		for i, name := range f.Examples {
			examples[i] = shownName(name)
		}
		parts[len(parts)-1] += " (such as " + strings.Join(examples, ", ") + ")"
	}
	add(f.Nobodys, "document that is nobody's, left alone", "documents that are nobody's, left alone")
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
		return "--dedupe mends what has a rule"
	}
	done := "--dedupe: "
	if r.DryRun {
		done = "--dedupe would do this: "
	}
	var parts []string
	if f.Merged > 0 {
		parts = append(parts, "the documents of "+plural(f.Merged, "user")+" made one")
	}
	if f.Renamed > 0 {
		parts = append(parts, plural(f.Renamed, "user id")+" made text")
	}
	if f.Removed > 0 {
		parts = append(parts, plural(f.Removed, "document")+" that said nothing removed")
	}
	if f.Left > 0 {
		parts = append(parts, plural(f.Left, "user")+" left")
	}
	if len(parts) == 0 {
		return ""
	}
	return done + strings.Join(parts, ", ")
}

// mendable tells whether --dedupe is about what was found in the collection: a sweep mends monitoring anyhow, and Lanyard
// only reads users.
func mendable(f sweep.CollectionFigures) bool {
	switch f.Collection {
	case record.KVCollection, record.LastSeenCollection, record.APIKeysCollection:
		return f.Numeric+f.Duplicates+f.Keyless > 0
	}
	return false
}

var leftTexts = map[sweep.LeftReason]string{
	sweep.LeftAPIKeys: "the user's documents have different API keys: delete all but the right one",
	sweep.LeftKV:      "the user's documents have different values of a pair: delete the wrong ones",
	sweep.LeftJunk:    "a document holds something else than its collection is for",
	sweep.LeftTwice:   "a document holds two fields of one name: remove all but the right one",
	sweep.LeftSize:    "the documents before and after are larger together than the journal can hold",
	sweep.LeftMany:    "the user has more documents there than are changed at once",
	sweep.LeftMoved:   "somebody kept changing the documents: run it again",
	sweep.LeftTaken:   "a unique index has the value in another document",
	sweep.LeftRefused: "the database refuses it",
}

// leftovers lists what was left, with the reasons in words. Total counts all of them.
func (t *reportText) leftovers(heading string, list []sweep.Leftover, total int64, texts map[sweep.LeftReason]string) {
	if total == 0 {
		return
	}
	t.line("")
	t.line("%s", t.paint(bold, heading))
	for _, left := range list {
		head := fmt.Sprintf("  %-*s  %-20s  ", longestCollection, left.Collection, ownerText(left.User))
		t.wrap(head, cmp.Or(texts[left.Reason], string(left.Reason)))
	}
	if more := total - int64(len(list)); more > 0 {
		t.line("  … and %s more", thousands(more))
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
func (t *reportText) nextAfterSweep(s sweeping) {
	r, cmd := s.Report, s.Again
	t.line("")
	switch {
	case s.Err != nil && !s.interrupted():
		t.command("Next: mend what the error names, then run it again:", cmd)
	case s.interrupted():
		t.command("Next: run it again:", cmd)
	case r.DryRun && r.Changes > 0:
		t.command("Next: sweep, with the same command without --dry-run and --check:", cmd.without("dry-run", "check"))
	}
	t.takeBack(s)
	if s.Err != nil {
		return
	}
	dedupes := !r.Dedupe && slices.ContainsFunc(r.Collections, mendable)
	if dedupes {
		t.command("To mend documents of one user that stand twice, and numeric user ids, as well:", cmd.with("dedupe"))
	}
	switch {
	case r.LeftoversTotal > 0:
		t.wrap("", "What is left has no rule: decide it in the database, then run the same command again.")
	case r.Changes == 0 && !dedupes:
		t.wrap("", "Nothing is left to do.")
	case r.Changes > 0 && !r.DryRun:
		t.wrap("", "A Lanyard that runs keeps the old dates in memory: restart it. If it ran meanwhile, run the same command once more.")
	}
}

// takeBack says how to undo what was done.
func (t *reportText) takeBack(s sweeping) {
	if s.Report.ID == "" || s.Report.DryRun {
		return
	}
	t.command("To take this sweep back:", s.Again.as(sweepUndoName+" "+s.Report.ID, sameTarget...))
}
