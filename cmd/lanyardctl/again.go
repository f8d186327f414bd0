package main

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/redact"
)

// again is a command as a person typed it, so that a report can say what to type next.
type again struct {
	name  string // "migrate redis-to-mongo"
	flags []typedFlag
}

type typedFlag struct {
	name   string
	values []string // none for a flag without a value
}

// typed returns the command of the given name with the flags that were set. Passwords in URIs are hidden.
func typed(name string, flags *pflag.FlagSet) again {
	a := again{name: name}
	flags.Visit(func(f *pflag.Flag) {
		t := typedFlag{name: f.Name}
		list, isList := f.Value.(pflag.SliceValue)
		switch {
		case f.Value.Type() == "bool":
			if f.Value.String() != "true" {
				t.name += "=" + f.Value.String()
			}
		case f.Value.Type() == "stringSlice":
			t.values = []string{strings.Join(list.GetSlice(), ",")}
		case isList:
			t.values = list.GetSlice()
		default:
			t.values = []string{f.Value.String()}
		}
		a.flags = append(a.flags, t)
	})
	return a
}

// without returns the command without the named flags.
func (a again) without(names ...string) again {
	var kept []typedFlag
	for _, f := range a.flags {
		if !slices.Contains(names, f.name) {
			kept = append(kept, f)
		}
	}
	return again{name: a.name, flags: kept}
}

// narrowed reports whether the command reads only a part of what Lanyard keeps.
func (a again) narrowed() bool {
	return slices.ContainsFunc(a.flags, func(f typedFlag) bool { return f.name == "only" || f.name == "user" })
}

// value returns what the named flag was given, nothing where it was not given.
func (a again) value(name string) string {
	for _, f := range a.flags {
		if f.name == name {
			return strings.Join(f.values, ",")
		}
	}
	return ""
}

// with returns the command with one more flag.
func (a again) with(name string, values ...string) again {
	return again{name: a.name, flags: append(slices.Clone(a.flags), typedFlag{name, values})}
}

// as returns another command with those of the flags that it has too.
func (a again) as(name string, flags ...string) again {
	other := again{name: name}
	for _, f := range a.flags {
		if slices.Contains(flags, f.name) {
			other.flags = append(other.flags, f)
		}
	}
	return other
}

// String returns the command as it is typed into a shell.
func (a again) String() string {
	return strings.TrimRight("lanyardctl "+a.name+" "+a.flagText(), " ")
}

// flagText returns the flags alone, as they are typed.
func (a again) flagText() string {
	var words []string
	for _, f := range a.flags {
		if len(f.values) == 0 {
			words = append(words, "--"+f.name)
		}
		for _, v := range f.values {
			words = append(words, "--"+f.name, shellQuote(redact.HideText(v)))
		}
	}
	return strings.Join(words, " ")
}

// shellQuote returns s as one word of a POSIX shell; with characters that do not print, of Bash or Zsh.
func shellQuote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	if shown := printableLine(s); shown != s {
		// The form in which Bash and Zsh take escapes.
		return "$'" + strings.NewReplacer(`\"`, `"`, "'", `\'`).Replace(redact.InsideQuotes(s)) + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
