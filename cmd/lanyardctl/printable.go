package main

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/lanyardctl/lanyardctl/internal/redact"
)

// printable returns text in which a terminal finds nothing to obey: what is no mark on paper, such as a control character
// in the name of a file, becomes its escape. Lines stay lines.
func printable(text string) string {
	return escaping(text, func(r rune) bool { return r == '\n' || unicode.IsPrint(r) })
}

// printableLine is [printable] for what is one line.
func printableLine(text string) string { return escaping(text, unicode.IsPrint) }

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
