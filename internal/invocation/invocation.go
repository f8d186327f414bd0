package invocation

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// Invocation is a command as a person typed it, so that a report can say what to type next.
type Invocation struct {
	Name  string // "migrate redis-to-mongo"
	Flags []TypedFlag
}

// TypedFlag is a flag as it was typed.
type TypedFlag struct {
	Name   string
	Values []string // none for a flag without a value
}

// Typed returns the command of the given name with the flags that were set. Passwords in URIs are hidden.
func Typed(name string, flags *pflag.FlagSet) Invocation {
	a := Invocation{Name: name}
	flags.Visit(func(f *pflag.Flag) {
		t := TypedFlag{Name: f.Name}
		list, isList := f.Value.(pflag.SliceValue)
		switch {
		case f.Value.Type() == "bool":
			if f.Value.String() != "true" {
				t.Name += "=" + f.Value.String()
			}
		case f.Value.Type() == "stringSlice":
			t.Values = []string{strings.Join(list.GetSlice(), ",")}
		case isList:
			t.Values = list.GetSlice()
		default:
			t.Values = []string{f.Value.String()}
		}
		a.Flags = append(a.Flags, t)
	})
	return a
}

// Without returns the command without the named flags.
func (a Invocation) Without(names ...string) Invocation {
	var kept []TypedFlag
	for _, f := range a.Flags {
		if !slices.Contains(names, f.Name) {
			kept = append(kept, f)
		}
	}
	return Invocation{Name: a.Name, Flags: kept}
}

// Narrowed reports whether the command reads only a part of what Lanyard, or the bot, keeps.
func (a Invocation) Narrowed() bool {
	return slices.ContainsFunc(a.Flags, func(f TypedFlag) bool { return f.Name == "only" || f.Name == "user" || f.Name == "tables" })
}

// Value returns what the named flag was given, nothing where it was not given.
func (a Invocation) Value(name string) string {
	for _, f := range a.Flags {
		if f.Name == name {
			return strings.Join(f.Values, ",")
		}
	}
	return ""
}

// With returns the command with one more flag.
func (a Invocation) With(name string, values ...string) Invocation {
	return Invocation{Name: a.Name, Flags: append(slices.Clone(a.Flags), TypedFlag{name, values})}
}

// As returns another command with those of the flags that it has too.
func (a Invocation) As(name string, flags ...string) Invocation {
	other := Invocation{Name: name}
	for _, f := range a.Flags {
		if slices.Contains(flags, f.Name) {
			other.Flags = append(other.Flags, f)
		}
	}
	return other
}

// String returns the command as it is typed into a shell.
func (a Invocation) String() string {
	return strings.TrimRight("lanyardctl "+a.Name+" "+a.FlagText(), " ")
}

// FlagText returns the flags alone, as they are typed.
func (a Invocation) FlagText() string {
	var words []string
	for _, f := range a.Flags {
		if len(f.Values) == 0 {
			words = append(words, "--"+f.Name)
		}
		for _, v := range f.Values {
			words = append(words, "--"+f.Name, Quote(redact.HideText(v)))
		}
	}
	return strings.Join(words, " ")
}

// Quote returns s as one word of a POSIX shell; with characters that do not print, of Bash or Zsh.
func Quote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%"
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	if shown := ui.PrintableLine(s); shown != s {
		// The form in which Bash and Zsh take escapes.
		return "$'" + strings.NewReplacer(`\"`, `"`, "'", `\'`).Replace(redact.InsideQuotes(s)) + "'"
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
