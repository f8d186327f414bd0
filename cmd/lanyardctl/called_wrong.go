package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// calledWrong makes a usage error of an error that cobra or pflag returned when it read the arguments.
func calledWrong(root, cmd *cobra.Command, args []string, err error) error {
	if own, ok := errors.AsType[*exit.Error](err); ok {
		return own // it knows the next step
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(cmd, typedFlag(args, unknown))
	}
	if bad, ok := errors.AsType[*pflag.InvalidSyntaxError](err); ok {
		return unknownFlag(cmd, bad.GetSpecifiedFlag())
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		flag := "--" + missing.GetFlag().Name
		what, _ := pflag.UnquoteUsage(missing.GetFlag())
		return exit.WrongUse(flag+" has no value", fmt.Sprintf("write %s %s (see %s)", flag, strings.ToUpper(what), helpHint(cmd)))
	}
	if cmd == root {
		if found, rest, findErr := root.Find(args); findErr != nil && found == root && len(rest) > 0 {
			name := firstName(rest)
			if called := child(root, name); called != nil {
				return exit.WrongUse("flags stand before the command", "write the command first, then its flags: "+helpHint(called))
			}
			return unknownCommand(root, name)
		}
	}
	return exit.WrongUse(err.Error(), helpHint(cmd))
}

// typedFlag returns the argument in which the unknown flag stands. Of several flags of one letter that are written
// together, pflag knows those that follow the known ones alone.
func typedFlag(args []string, unknown *pflag.NotExistError) string {
	letters := unknown.GetSpecifiedShortnames()
	if letters == "" {
		return "--" + unknown.GetSpecifiedName()
	}
	at := slices.IndexFunc(args, func(arg string) bool {
		return strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") && strings.HasSuffix(arg, letters)
	})
	if at < 0 {
		return "-" + letters
	}
	return args[at]
}

// unknownFlag returns the error for what was typed as a flag and is none. What is near no flag may be the beginning of
// a password, as after mysql's -p, so that one letter of it is shown alone.
func unknownFlag(cmd *cobra.Command, typed string) error {
	name, _, _ := strings.Cut(typed, "=")
	near := flagsNear(cmd, name)
	switch {
	case len(near) > 0:
		return exit.WrongUse(fmt.Sprintf("unknown flag %s", name), fmt.Sprintf("did you mean %s?", english.OxfordWordSeries(near, "or")))
	case strings.HasPrefix(name, "--"):
		if shown := typedText(name); !strings.HasPrefix(shown, `"`) {
			return exit.WrongUse("unknown flag: "+shown, helpHint(cmd))
		}
	case len(name) > 2:
		name = string([]rune(name)[:2])
	}
	return exit.WrongUse("unknown flag "+name, helpHint(cmd))
}

// mostNear is how many flags are suggested at the most.
const mostNear = 3

// flagsNear returns the flags of cmd whose names are near to what was typed, however many dashes that has.
func flagsNear(cmd *cobra.Command, typed string) []string {
	plain := strings.NewReplacer("-", "", "_", "", "–", "", "—", "", "−", "", "‒", "", "‐", "", "‑", "")
	names := map[string]string{}
	nearest := &cobra.Command{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		names[plain.Replace(f.Name)] = "--" + f.Name
		nearest.AddCommand(&cobra.Command{Use: plain.Replace(f.Name), Run: func(*cobra.Command, []string) {}})
	})
	name := strings.ToLower(plain.Replace(typed))
	if flag, same := names[name]; same {
		return []string{flag}
	}
	var near []string
	for nearest.SuggestionsMinimumDistance < suggestionDistance && len(near) == 0 {
		nearest.SuggestionsMinimumDistance++
		for _, found := range nearest.SuggestionsFor(name) {
			near = append(near, names[found])
		}
	}
	if name == "" || len(near) > mostNear {
		return nil
	}
	return near
}

// checkArguments makes cmd, and the commands below it, say in our words what is wrong with their arguments.
func checkArguments(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				if _, ok := errors.AsType[*exit.Error](err); ok {
					return err
				}
				return wrongArguments(cmd, args)
			}
			for i, name := range argumentNames(cmd) {
				if i < len(args) && strings.TrimSpace(args[i]) == "" {
					return exit.WrongUse(name+" is empty", fmt.Sprintf("write %s; %s", calledRight(cmd), unsetHint))
				}
			}
			return nil
		}
	}
	for _, child := range cmd.Commands() {
		checkArguments(child)
	}
}

// argumentNames returns the arguments that cmd has, as its help names them.
func argumentNames(cmd *cobra.Command) []string { return strings.Fields(cmd.Use)[1:] }

// calledRight returns how cmd is called.
func calledRight(cmd *cobra.Command) string {
	return strings.Join(append([]string{cmd.CommandPath()}, argumentNames(cmd)...), " ")
}

// wrongArguments returns the error for arguments that cmd does not take.
func wrongArguments(cmd *cobra.Command, args []string) error {
	names := argumentNames(cmd)
	hint := fmt.Sprintf("write %s (see %s)", calledRight(cmd), helpHint(cmd))
	switch {
	case len(args) < len(names):
		return exit.WrongUse(english.OxfordWordSeries(strings.Split(names[len(args)], "|"), "or")+" is missing", hint)
	case len(args) == len(names):
		choices := strings.Split(names[len(names)-1], "|")
		return exit.WrongUse(fmt.Sprintf("%s is none of %s", typedText(args[0]), english.OxfordWordSeries(choices, "and")), hint)
	}
	first := args[len(names)]
	if near := flagsNear(cmd, first); len(near) > 0 {
		return exit.WrongUse(typedText(first)+" is no flag", fmt.Sprintf("did you mean %s? A flag begins with two hyphens", english.OxfordWordSeries(near, "or")))
	}
	if slices.Contains([]string{"true", "false", "yes", "no", "on", "off"}, strings.ToLower(first)) {
		return exit.WrongUse(typedText(first)+" belongs to no flag", "write a flag that is switched on alone, and =false after one that is switched off")
	}
	what := typedText(first)
	// Several may be the pieces of a password that holds blanks.
	if slices.ContainsFunc(args, func(arg string) bool { return strings.ContainsAny(arg, "@:") }) {
		what = "(it is not shown: it may hold a password)"
		hint += "; a URI goes after its flag, and a value with blanks into quotation marks"
	}
	return exit.WrongUse("unexpected argument "+what, hint)
}
