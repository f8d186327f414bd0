package ui

import (
	"io"
	"slices"
	"testing"
)

func TestBlocksAreForTerminalsThatHaveThem(t *testing.T) {
	for name, test := range map[string]struct {
		env  func(string) string
		want bool
	}{
		"UTF-8": {variables("LANG", "en_US.UTF-8"), true}, "in lower case": {variables("LANG", "de_DE.utf8"), true}, "none": {variables(), false},
		"Latin": {variables("LANG", "de_DE.ISO8859-1"), false}, "the first counts": {variables("LC_ALL", "C", "LANG", "en_US.UTF-8"), false},
		"characters": {variables("LC_CTYPE", "C.UTF-8", "LANG", "C"), true}, "a terminal that can nothing": {variables("LANG", "C.UTF-8", "TERM", "dumb"), false},
	} {
		if got := drawsBlocks(test.env); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if StyleOf(io.Discard, variables("LANG", "C.UTF-8")).Blocks {
		t.Error("blocks where no terminal is")
	}
}

// variables returns what reads the variables, given as names and values in turn.
func variables(pairs ...string) func(name string) string {
	return func(name string) string {
		if i := slices.Index(pairs, name); i >= 0 {
			return pairs[i+1]
		}
		return ""
	}
}
