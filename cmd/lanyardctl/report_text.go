package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
)

// look is how a report for people is laid out.
type look struct {
	Width  int // columns; zero for no limit
	Colour bool
}

const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (l look) paint(code, text string) string {
	if !l.Colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// text returns m for people. It ends with a newline.
func (m migration) text(l look) string {
	t := &reportText{look: l}
	t.line("%s", m.title(l))
	t.line("  from  %s", m.Source)
	t.line("  to    %s, database %s", m.Target, m.Database)
	t.line("")
	t.table(m.Report)
	t.fields(m.Report)
	t.notes(m.Report)
	t.keys(m.Report.Seen, m.Err == nil)
	t.rejects(m.Report)
	t.warnings(m.Warnings)
	t.line("")
	t.line("Took %s%s.", duration(m.Report.Duration), rate(m.Report))
	t.next(m)
	return t.b.String()
}

func (m migration) title(l look) string {
	verb := "Migrated"
	switch {
	case m.Err != nil && m.interrupted():
		return l.paint(yellow, "Interrupted. What was done until then:")
	case m.Err != nil:
		return l.paint(red, "Failed: ") + m.Err.Error() + "\nWhat was done until then:"
	case m.Report.DryRun:
		verb = "Dry run: nothing was written. This is what a migration would do"
	case m.Report.Resumed:
		verb = "Migrated (went on where an earlier run had stopped; the figures are those of both)"
	}
	if m.Exit != 0 {
		return l.paint(yellow, verb+", with something left for you to decide.")
	}
	return l.paint(green, verb+".")
}

func (m migration) interrupted() bool { return errors.Is(m.Err, migrate.ErrInterrupted) }

// reportText is a report in the making.
type reportText struct {
	look
	b strings.Builder
}

func (t *reportText) line(format string, args ...any) {
	fmt.Fprintf(&t.b, format+"\n", args...)
}

var columns = []string{"read", "inserted", "updated", "unchanged", "conflicts", "rejected"}

// table writes a row for each kind that was asked for, and their sum. Read is the sum of the columns after it.
func (t *reportText) table(r migrate.Report) {
	rows := [][]string{append([]string{"kind"}, columns...)}
	var total migrate.Counts
	for _, kind := range r.Only.List() {
		rows = append(rows, cells(kind.String(), r.Kinds[kind]))
		total.Add(r.Kinds[kind])
	}
	rows = append(rows, cells("total", total))

	width := make([]int, len(columns)+1)
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	for i, row := range rows {
		line := fmt.Sprintf("%-*s", width[0], row[0])
		for c, cell := range row[1:] {
			text := fmt.Sprintf("%*s", width[c+1], cell)
			switch {
			case i > 0 && cell != "0" && columns[c] == "rejected":
				text = t.paint(red, text)
			case i > 0 && cell != "0" && columns[c] == "conflicts":
				text = t.paint(yellow, text)
			}
			line += "  " + text
		}
		switch i {
		case 0:
			line = t.paint(bold, line)
		case len(rows) - 1:
			t.line("%s", strings.Repeat("-", sum(width)+2*len(columns)))
		}
		t.line("%s", line)
	}
}

func cells(name string, c migrate.Counts) []string {
	row := []string{name}
	for _, n := range []int64{c.Read, c.Inserted, c.Updated, c.Unchanged, c.Conflicts, c.Rejected} {
		row = append(row, thousands(n))
	}
	return row
}

func sum(list []int) int {
	n := 0
	for _, v := range list {
		n += v
	}
	return n
}

// fields tells of single fields that were left out of records that went in.
func (t *reportText) fields(r migrate.Report) {
	var list []counted
	for _, kind := range r.Only.List() {
		f := r.Kinds[kind].Fields
		if f.Rejected > 0 {
			list = append(list, counted{f.Rejected, kind.String(), "rejected; the record's other fields went in"})
		}
		if f.Conflicts > 0 {
			list = append(list, counted{f.Conflicts, kind.String(), "in conflict; the target keeps its own"})
		}
	}
	t.list("Single fields left out of records:", list)
}

var noteTexts = map[record.Note]string{
	record.Normalised:     "a time stood in another unit or type",
	record.Repaired:       "an API key that authenticates, though it was not named as the user's current one",
	record.NotJSON:        "a value of the fork's that is not JSON was kept as the text it is",
	record.SupersededNote: "a value gives way to another; a migration keeps it in the superseded file",
	record.Expiring:       "a key has a time to live in Redis; what was written has none",
	record.BothLayouts:    "a user has key-value pairs in both layouts",
	record.NumericUserID:  "a document in the target has a number as its user_id: Lanyard cannot see it",
}

func (t *reportText) notes(r migrate.Report) {
	sums := map[record.Note]int64{}
	for _, kind := range r.Only.List() {
		for note, n := range r.Kinds[kind].Notes {
			sums[note] += n
		}
	}
	t.list("Notes:", countedTexts(sums, noteTexts))
}

func (t *reportText) keys(s record.Seen, complete bool) {
	t.line("")
	if complete {
		t.line("%s in the source, of which %s are Lanyard's.", plural(s.Keys, "key"), thousands(s.Lanyard))
	} else {
		t.line("%s read until then, of which %s are Lanyard's.", plural(s.Keys, "key"), thousands(s.Lanyard))
	}
	var list []counted
	for _, c := range []counted{
		{s.Analytics, "analytics", "of a feature that Lanyard dropped in 2024; left alone"},
		{s.Foreign, "foreign", "another application's, under a prefix that Lanyard uses too; left alone"},
		{s.Ignored, "ignored", "nothing that Lanyard ever wrote"},
	} {
		if c.n > 0 {
			list = append(list, c)
		}
	}
	t.items(list)
}

var reasonTexts = map[record.Reason]string{
	record.AmbiguousAPIKey:      "several keys authenticate, and none is the user's current one",
	record.ConflictReason:       "the target's value differs, and lanyardctl did not write it",
	record.DocumentTooLarge:     "larger than a document of the target may be",
	record.ImplausibleTimestamp: "a time, but not one that can be true",
	record.InvalidFieldName:     "the target cannot hold a field of this name",
	record.InvalidUserID:        "the key names no user",
	record.InvalidUTF8:          "the value is no text",
	record.NotACounter:          "no finite number from zero up, or a reserved name",
	record.NotATimestamp:        "no time at all",
	record.NumberOutOfRange:     "a number that MongoDB cannot hold exactly",
	record.RefusedByTarget:      "the server refused it",
	record.StaleAPIKey:          "the user has another current key",
	record.TooDeep:              "nested deeper than " + strconv.Itoa(record.MaxDepth),
	record.UnpairedAPIKey:       "named as current, but it does not authenticate",
	record.WrongType:            "the Redis key has another type than Lanyard gives it",
}

func (t *reportText) rejects(r migrate.Report) {
	if r.RejectsFile != "" {
		t.list("Left out, in "+r.RejectsFile+":", countedTexts(r.Reasons, reasonTexts))
	} else {
		t.list("Left out:", countedTexts(r.Reasons, reasonTexts))
	}
	if r.SupersededFile != "" {
		t.line("")
		t.wrap("", fmt.Sprintf("%s gave way to others and are kept in %s.", plural(r.Superseded, "value"), r.SupersededFile))
	}
}

func (t *reportText) warnings(list []string) {
	if len(list) == 0 {
		return
	}
	t.line("")
	for _, w := range list {
		t.wrap("", t.paint(yellow, "Warning: ")+w)
	}
}

// next says what to type now.
func (t *reportText) next(m migration) {
	r, cmd := m.Report, m.Again
	t.line("")
	switch {
	case m.interrupted() && r.DryRun:
		t.command("Next: run it again from the start:", cmd)
	case m.interrupted():
		t.command("Next: the same command takes up the work again:", cmd.without("restart"))
	case m.Err != nil && r.DryRun:
		t.command("Next: mend what the error names, then run it again:", cmd)
	case m.Err != nil:
		t.command("Next: mend what the error names; the same command then takes up the work again:", cmd.without("restart"))
	case r.DryRun && r.RejectsFile != "":
		t.lookAt(r)
		t.command("Then migrate, with the same command without --dry-run:", cmd.without("dry-run"))
	case r.DryRun:
		t.command("Next: migrate, with the same command without --dry-run:", cmd.without("dry-run"))
	case r.Rejects() > 0:
		t.lookAt(r)
		if r.Reasons[record.ConflictReason] > 0 {
			t.command("Decide the conflicts by running it again with --on-conflict source (Redis wins) or target "+
				"(MongoDB wins; nothing is overwritten), such as:", cmd.without("restart", "on-conflict").with("on-conflict", "target"))
		}
		t.command("Then mend in Redis what is worth it and run it again; it only writes what has changed:", cmd.without("restart"))
	default:
		t.command("Next: run it again at any time to catch up with what Lanyard writes meanwhile. Before you switch "+
			"over, stop Lanyard's writes and run it a last time:", cmd.without("restart"))
	}
}

// with returns the command with one more flag.
func (a again) with(name string, values ...string) again {
	return again{name: a.name, flags: append(slices.Clone(a.flags), typedFlag{name, values})}
}

// lookAt says how to read the rejects file, where there is one.
func (t *reportText) lookAt(r migrate.Report) {
	if r.RejectsFile == "" {
		return
	}
	t.wrap("", "Next: look at what was left out (this shows the values themselves, API keys included):")
	t.line("  jq -c '{reason, kind, user_id, field, detail, value: (.value_base64 // \"\" | @base64d | .[0:80])}' %s", shellQuote(r.RejectsFile))
}

func (t *reportText) command(why string, cmd again) {
	t.wrap("", why)
	t.line("  %s", t.paint(bold, cmd.String()))
}

// counted is a line of a list: how many, of what, and what that means.
type counted struct {
	n    int64
	name string
	text string
}

// countedTexts returns the counts that are not zero, the largest first.
func countedTexts[K ~string](counts map[K]int64, texts map[K]string) []counted {
	var list []counted
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		if counts[k] > 0 {
			list = append(list, counted{counts[k], string(k), texts[k]})
		}
	}
	slices.SortStableFunc(list, func(a, b counted) int { return cmp.Compare(b.n, a.n) })
	return list
}

func (t *reportText) list(heading string, list []counted) {
	if len(list) == 0 {
		return
	}
	t.line("")
	t.line("%s", t.paint(bold, heading))
	t.items(list)
}

func (t *reportText) items(list []counted) {
	number, name := 0, 0
	for _, c := range list {
		number = max(number, len(thousands(c.n)))
		name = max(name, len(c.name))
	}
	for _, c := range list {
		head := fmt.Sprintf("  %*s  %-*s  ", number, thousands(c.n), name, c.name)
		t.wrap(head, c.text)
	}
}

// wrap writes text after head, broken between words at the width; further lines are indented below the text.
func (t *reportText) wrap(head, text string) {
	line, used := head, visible(head)
	indent := strings.Repeat(" ", used)
	empty := true
	for word := range strings.FieldsSeq(text) {
		n := visible(word)
		if !empty && t.Width > 0 && used+1+n > t.Width {
			t.line("%s", strings.TrimRight(line, " "))
			line, used, empty = indent, len(indent), true
		}
		if !empty {
			line, used = line+" ", used+1
		}
		line, used, empty = line+word, used+n, false
	}
	t.line("%s", strings.TrimRight(line, " "))
}

// colourCode matches what [look.paint] adds.
var colourCode = regexp.MustCompile("\x1b\\[[0-9]+m")

// visible returns how many columns s takes.
func visible(s string) int { return utf8.RuneCountInString(colourCode.ReplaceAllString(s, "")) }

// thousands writes n with a comma between each three digits.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return thousands(n) + " " + noun + "s"
}

// byteText writes n bytes as people say it: "216 KB".
func byteText(n int64) string {
	if n < 1000 {
		return plural(n, "byte")
	}
	size := float64(n)
	units := []string{"KB", "MB", "GB", "TB"}
	for i, unit := range units {
		size /= 1000
		switch {
		case size < 9.95:
			return fmt.Sprintf("%.1f %s", size, unit)
		case size < 999.5 || i == len(units)-1:
			return fmt.Sprintf("%.0f %s", size, unit)
		}
	}
	return ""
}

// duration writes d as people say it: "0.4 s", "3 min 12 s", "2 h 5 min".
func duration(d time.Duration) string {
	if d.Round(100*time.Millisecond) < time.Minute {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	if d = d.Round(time.Second); d < time.Hour {
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	}
	d = d.Round(time.Minute)
	return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
}

func rate(r migrate.Report) string {
	var read int64
	for _, c := range r.Kinds {
		read += c.Read
	}
	if r.Duration <= 0 || read == 0 || r.Resumed {
		return ""
	}
	return fmt.Sprintf(", %s records/s", thousands(int64(float64(read)/r.Duration.Seconds())))
}
