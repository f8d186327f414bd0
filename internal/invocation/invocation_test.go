package invocation

import "testing"

func TestShellQuoting(t *testing.T) {
	for s, want := range map[string]string{"": "''", "a-b/c.d:1": "a-b/c.d:1", "a b": "'a b'", "it's": `'it'\''s'`, "$x": "'$x'", "a&b": "'a&b'", "~/x": "'~/x'",
		"\x1b[2J it's \\ \"\u009b": `$'\x1b[2J it\'s \\ "\u009b'`} {
		if got := Quote(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}
