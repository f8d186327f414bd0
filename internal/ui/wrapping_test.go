package ui

import (
	"slices"
	"strings"
	"testing"
)

func TestCommandsAreNotBroken(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, " a  b\tc ": {"a", "b", "c"},
		"see it: lanyardctl sweep list --mongo 'embedded:a  b; c' --quiet":         {"see", "it:", "lanyardctl sweep list --mongo 'embedded:a  b; c' --quiet"},
		"run lanyardctl verify, then lanyardctl sweep --redis rdb:. --dry-run; so": {"run", "lanyardctl verify,", "then", "lanyardctl sweep --redis rdb:. --dry-run;", "so"},
		`take one (redis-cli --rdb FILE, or SAVE) now`:                             {"take", "one", "(redis-cli --rdb FILE, or SAVE)", "now"},
		`drop it (db.kv.dropIndex("a b")), and so on`:                              {"drop", "it", `(db.kv.dropIndex("a b")),`, "and", "so", "on"},
		`db.kv.createIndex({a: 1}, {name: "x"}) it is`:                             {`db.kv.createIndex({a: 1}, {name: "x"})`, "it", "is"},
		"CONFIG GET dir. It's so":                                                  {"CONFIG GET dir.", "It's", "so"},
		"lanyardctl did not":                                                       {"lanyardctl", "did", "not"},
		"lanyardctl sweep makes text of the user's id":                             {"lanyardctl sweep makes text of the user's id"},
	} {
		if got := pieces(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestLinesAreBrokenAtTheWidth(t *testing.T) {
	const text = "lanyardctl: the server is away\nhint: see which sweeps there are: lanyardctl sweep list --mongo mongodb://h\n"
	for columns, want := range map[int]string{
		0: text, 80: text,
		40: "lanyardctl: the server is away\nhint: see which sweeps there are:\n  lanyardctl sweep list --mongo mongodb://h\n",
	} {
		if got := Wrapped(text, columns); got != want {
			t.Errorf("at %d columns:\n%s\nwant:\n%s", columns, got, want)
		}
	}
}

func TestASecretIsHiddenAlsoWhereALineIsBroken(t *testing.T) {
	var out strings.Builder
	red := NewSanitizer()
	red.Hiding("two words of a password")
	NewLogger(NewConsole(&out, red, Style{Width: 20}), LogText, LogLevel(false, false)).Warn("cannot read two words of a password")
	if out.String() != "warning: cannot read\n  xxxxx\n" {
		t.Errorf("%q", out.String())
	}
}
