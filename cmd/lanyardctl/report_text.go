package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/record"
)

// look is how a report for people is laid out.
type look struct {
	Width  int // columns; zero for no limit
	Colour bool
	Blocks bool // bars may be of block elements
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

// textBuilder is a text in the making.
type textBuilder struct {
	look
	strings.Builder
}

// reportText is a report in the making.
type reportText struct{ textBuilder }

func newReportText(l look) *reportText { return &reportText{textBuilder{look: l}} }

func (t *textBuilder) line(format string, args ...any) {
	fmt.Fprintf(t, format+"\n", args...)
}

// table writes rows below their head. The first column is text, the others are numbers; the last row is the sum of those
// above it, with nothing where they do not add up. Numbers other than zero have their column's colour.
func (t *textBuilder) table(head []string, rows [][]string, colours map[string]string) {
	width := make([]int, len(head))
	for _, row := range append(rows, head) {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	line := func(row []string) string {
		text := fmt.Sprintf("%-*s", width[0], row[0])
		for i, cell := range row[1:] {
			cell, column := fmt.Sprintf("%*s", width[i+1], cell), head[i+1]
			if n := strings.TrimSpace(cell); n != "" && n != "0" && colours[column] != "" {
				cell = t.paint(colours[column], cell)
			}
			text += "  " + cell
		}
		return text
	}
	plain := make([]string, len(head))
	for i, name := range head {
		plain[i] = fmt.Sprintf("%*s", width[i], name)
	}
	plain[0] = fmt.Sprintf("%-*s", width[0], head[0])
	t.line("%s", t.paint(bold, strings.Join(plain, "  ")))
	for i, row := range rows {
		if i == len(rows)-1 {
			t.line("%s", strings.Repeat("-", sum(width)+2*(len(head)-1)))
		}
		t.line("%s", strings.TrimRight(line(row), " "))
	}
}

// numbers returns a row of a table.
func numbers(name string, list ...int64) []string {
	row := []string{name}
	for _, n := range list {
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

func (t *reportText) warnings(list []string) {
	if len(list) == 0 {
		return
	}
	t.line("")
	for _, w := range list {
		t.wrap("", t.paint(yellow, "Warning: ")+w)
	}
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

func (t *textBuilder) list(heading string, list []counted) {
	if len(list) == 0 {
		return
	}
	t.line("")
	t.line("%s", t.paint(bold, heading))
	t.items(list)
}

func (t *textBuilder) items(list []counted) {
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
func (t *textBuilder) wrap(head, text string) {
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
