// Package exittest helps to test how commands are called and how they end.
package exittest

import (
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// Environment returns what reads the variables, given as names and values in turn.
func Environment(pairs ...string) func(name string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// WrongUse checks that err is a usage error whose text and hint contain the parts, and nothing of the secret.
func WrongUse(t *testing.T, err error, secret string, parts ...string) {
	t.Helper()
	if exit.CodeOf(err) != exit.Usage {
		t.Fatalf("got %v, want a usage error", err)
	}
	var text strings.Builder
	exit.Print(&text, err)
	for _, part := range parts {
		if !strings.Contains(text.String(), part) {
			t.Errorf("%q is not in %q", part, text.String())
		}
	}
	if secret != "" && strings.Contains(text.String(), secret) {
		t.Errorf("the secret is in %q", text.String())
	}
}
