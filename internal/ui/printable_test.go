package ui

import (
	"strconv"
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "имя 😀 \"x\"\n": "имя 😀 \"x\"\n", "\x1b[2J\r\t": `\x1b[2J\r\t`, "\u009b\u202e": `\u009b\u202e`, "a\xffb\ufffd": "a\\xffb\ufffd",
		`\x1b`: `\x1b`,
	} {
		if got := Printable(text); got != want || Printable(got) != got {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := PrintableLine("a\nb"); got != `a\nb` {
		t.Errorf("%q", got)
	}
}

func TestShownNames(t *testing.T) {
	for name, want := range map[string]string{
		"city": "city", "lanyard_2xx_responses": "lanyard_2xx_responses", "имя": "имя", "": `""`, "a b": `"a b"`, `a"b`: `"a\"b"`,
		"\x1b[2J": `"\x1b[2J"`, "\u202ex": `"\u202ex"`, "\xff": `"\xff"`, "\ufffd": `"�"`, "(the whole record)": `"(the whole record)"`,
		strings.Repeat("x", 101):       strconv.Quote(strings.Repeat("x", 100)) + "… (101 bytes)",
		strings.Repeat("\u00e9 ", 100): strconv.Quote(strings.Repeat("\u00e9 ", 50)) + "… (300 bytes)",
	} {
		if got := ShownName(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}
