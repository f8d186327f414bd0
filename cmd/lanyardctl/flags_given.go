package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// checkGiven makes every flag of cmd, and of the commands below it, refuse what cannot be meant.
func checkGiven(cmd *cobra.Command) {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		g := givenValue{f.Value, f.Name, cmd.Flags()}
		f.Value = g
		if list, ok := g.Value.(pflag.SliceValue); ok {
			f.Value, f.DefValue = givenList{g, list}, strings.Trim(f.DefValue, "[]")
		}
	})
	for _, child := range cmd.Commands() {
		checkGiven(child)
	}
}

// unsetHint is why a value most often is empty.
const unsetHint = "a shell variable that is not set is empty"

// givenValue is the value of a flag, which says in our words what is wrong with what was typed. It refuses nothing,
// which is what a shell variable that is not set leaves, and the name of another flag, which such a variable without
// quotation marks puts in the value's place.
type givenValue struct {
	pflag.Value
	name  string
	flags *pflag.FlagSet
}

// givenList is a givenValue that holds several.
type givenList struct {
	givenValue
	pflag.SliceValue
}

// Set implements [pflag.Value].
func (g givenValue) Set(text string) error {
	flag := "--" + g.name
	if named, _ := pflag.UnquoteUsage(g.flags.Lookup(g.name)); named == "URI" || named == "URL" {
		text = location.Tidied(text)
	}
	elements := []string{text}
	if strings.HasSuffix(g.Type(), "Slice") {
		elements = strings.Split(text, ",")
	}
	for _, element := range elements {
		switch {
		case strings.TrimSpace(text) == "":
			return exit.WrongUse(flag+" is empty", fmt.Sprintf("give a value, or leave %s out; %s", flag, unsetHint))
		case strings.TrimSpace(element) == "":
			return exit.WrongUse(flag+" has an empty value among the others", "write the values with one comma between; "+unsetHint)
		}
	}
	if name, long := strings.CutPrefix(text, "--"); long {
		if name, _, _ = strings.Cut(name, "="); g.flags.Lookup(name) != nil {
			return exit.WrongUse(fmt.Sprintf("%s has no value: --%s follows it", flag, name),
				fmt.Sprintf("give a value, or leave %s out; %s", flag, unsetHint))
		}
	}
	err := g.Value.Set(text)
	if err == nil {
		return nil
	}
	if own, ok := errors.AsType[*exit.Error](err); ok {
		return exit.WrongUse(flag+": "+own.Error(), own.Hint)
	}
	switch g.Type() {
	case "bool":
		return exit.WrongUse(fmt.Sprintf("%s: %s is neither true nor false", flag, typedText(text)), fmt.Sprintf("write %s alone, or %s=false", flag, flag))
	case "int", "int64Slice":
		if errors.Is(err, strconv.ErrRange) {
			return exit.WrongUse(fmt.Sprintf("%s: %s is too large", flag, typedText(text)), "give a smaller number")
		}
		return exit.WrongUse(fmt.Sprintf("%s: %s is no whole number", flag, typedText(text)), "write it with digits alone, such as 100")
	case "stringSlice":
		return exit.WrongUse(flag+": the quotation marks in it do not fit", "write the values with commas between, and without quotation marks")
	}
	return exit.WrongUse(flag+": "+err.Error(), "")
}

// typedText quotes what was typed, unless it may hold a password.
func typedText(text string) string {
	if redact.MayHoldUser(text) || strings.Contains(text, "@") {
		return "what was typed (it is not shown: it may hold a password)"
	}
	return ui.QuotedName(text)
}
