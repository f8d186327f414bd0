package ui

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/internal/redact"
)

// Printable returns text in which a terminal finds nothing to obey: what is no mark on paper, such as a control
// character in the name of a file, becomes its escape. Lines stay lines.
func Printable(text string) string {
	return escaping(text, func(r rune) bool { return r == '\n' || unicode.IsPrint(r) })
}

// PrintableLine is [Printable] for what is one line.
func PrintableLine(text string) string { return escaping(text, unicode.IsPrint) }

func escaping(text string, plain func(rune) bool) string {
	if utf8.ValidString(text) && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if plain(r) && (r != utf8.RuneError || size > 1) {
			b.WriteString(text[:size])
		} else {
			b.WriteString(redact.InsideQuotes(text[:size]))
		}
		text = text[size:]
	}
	return b.String()
}

// How many characters are shown: of a name, of a word that somebody else wrote into a line of a report, and of a whole
// text, such as an error's. No path is longer than the last.
const (
	longestName = 100
	longestWord = 200
	longestText = 5000
)

// ShownWord returns what somebody else wrote, such as a server's name of itself, fit to stand in a line: printable, and
// cut where it is long.
func ShownWord(text string) string { return PrintableLine(cut(text, longestWord)) }

// ShownText returns a text of any kind fit for a terminal: printable, and cut where it is longer than any honest one.
func ShownText(text string) string { return Printable(Shortened(text)) }

// Indented returns a text of several lines, of which all but the first are indented: so that what somebody else wrote
// never begins a line.
func Indented(text string) string { return strings.ReplaceAll(text, "\n", "\n  ") }

// Shortened returns text without what goes beyond the longest honest one.
func Shortened(text string) string { return cut(text, longestText) }

// cut returns text without what goes beyond so many characters, and with how long it is instead.
func cut(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return fmt.Sprintf("%s… (%s)", text[:i], Plural(int64(len(text)), "byte"))
		}
		n++
	}
	return text
}

// ShownName returns a name that a user chose so that it does no harm anywhere: a plain word as it is, anything else in
// quotation marks, with escapes for all that is no visible character. A long one is cut.
func ShownName(name string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-.$:/@+#", r)
	}
	if name != "" && len(name) <= longestName && strings.IndexFunc(name, func(r rune) bool { return !plain(r) || r == unicode.ReplacementChar }) < 0 {
		return name
	}
	return QuotedName(name)
}

// QuotedName returns the name in quotation marks, with escapes for all that is no visible character. A long one is cut.
func QuotedName(name string) string { return Quoted(name, longestName) }

// Quoted returns the text in quotation marks, with escapes for all that is no visible character. Of one that is longer
// than so many characters it returns the beginning, and the length.
func Quoted(text string, most int) string {
	n := 0
	for i := range text {
		if n == most {
			return fmt.Sprintf("%s… (%s)", strconv.Quote(text[:i]), Plural(int64(len(text)), "byte"))
		}
		n++
	}
	return strconv.Quote(text)
}
