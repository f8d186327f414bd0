package main

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit/exittest"
)

// everyFlag calls f with each flag of each command, the parsing included.
func everyFlag(f func(cmd *cobra.Command, flag *pflag.Flag, parse func(args ...string) error)) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			f(cmd, flag, func(args ...string) error { return calledWrong(cmd.Root(), cmd, args, cmd.ParseFlags(args)) })
		})
		for _, child := range cmd.Commands() {
			walk(child)
		}
	}
	walk(newRoot(programOf()))
}

func TestEveryFlagOfEveryCommandRefusesAnEmptyValue(t *testing.T) {
	n := 0
	everyFlag(func(cmd *cobra.Command, flag *pflag.Flag, parse func(args ...string) error) {
		n++
		exittest.WrongUse(t, parse("--"+flag.Name+"="), "", "--"+flag.Name+" is empty", "hint: give a value, or leave --"+flag.Name+" out")
		exittest.WrongUse(t, parse("--"+flag.Name+"= \n"), "", "--"+flag.Name+" is empty")
		switch flag.Value.Type() {
		case "bool":
		case "stringSlice", "int64Slice":
			exittest.WrongUse(t, parse("--"+flag.Name, "1,,2"), "", "--"+flag.Name+" has an empty value among the others")
			fallthrough
		default:
			exittest.WrongUse(t, parse("--"+flag.Name, "--help"), "", "--"+flag.Name+" has no value: --help follows it")
		}
	})
	if n < 100 {
		t.Errorf("saw only %d flags", n)
	}
}

func TestEveryMistypedFlagOfEveryCommandIsRecognised(t *testing.T) {
	everyFlag(func(cmd *cobra.Command, flag *pflag.Flag, parse func(args ...string) error) {
		if cmd.FParseErrWhitelist.UnknownFlags {
			return // a group, which says that the command is missing
		}
		typed := []string{"--" + strings.ToUpper(flag.Name), "---" + flag.Name, "--" + flag.Name + "e"}
		if strings.Contains(flag.Name, "-") {
			typed = append(typed, "--"+strings.ReplaceAll(flag.Name, "-", ""), "--"+strings.ReplaceAll(flag.Name, "-", "_"))
		}
		if flag.Name != "help" { // -h is the help, whatever follows
			typed = append(typed, "-"+flag.Name)
		}
		for _, arg := range typed {
			exittest.WrongUse(t, parse(arg+"=1"), "", "unknown flag "+arg, "did you mean --"+flag.Name)
		}
	})
}

func TestWhatIsShownOfAnUnknownFlag(t *testing.T) {
	for arg, says := range map[string]string{
		"-phunter2": "unknown flag -p\n", "--password=hunter2": "unknown flag --password\n", "--u:hunter2@h=1": "it is not shown",
		"--redis://u:hunter2@h": "it is not shown", "–dry-run": `"–dry-run" is no flag`, "dry_run": "did you mean --dry-run?", "true": "belongs to no flag",
		"u:hunter2@h": "unexpected argument (it is not shown",
	} {
		code, stdout, stderr := call("migrate", "redis-to-mongo", arg)
		if code != 2 || stdout != "" || !strings.Contains(stderr, says) || strings.Contains(stderr, "hunter2") {
			t.Errorf("%s: exit %d, %s", arg, code, stderr)
		}
	}
}

func TestDurationsAsPeopleTypeThem(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"10s": 10 * time.Second, "10 s": 10 * time.Second, " 5sec ": 5 * time.Second, "1.5s": 1500 * time.Millisecond, "0": 0, "-1s": -time.Second,
		"2 minutes": 2 * time.Minute, "5min": 5 * time.Minute, "1h30m": 90 * time.Minute, "1 h 30 min": 90 * time.Minute, "2 hrs": 2 * time.Hour,
		"1d": 24 * time.Hour, "2 days": 48 * time.Hour, "1.5d": 36 * time.Hour, "1w": 7 * 24 * time.Hour, "250 ms": 250 * time.Millisecond, "3H": 3 * time.Hour,
	} {
		if got, err := parseDuration(text); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
	for text, parts := range map[string][]string{
		"10": {`"10" has no unit`, "say the unit: 10s, 10m or 10h"}, "1h30": {"number without a unit"}, "ten": {`"ten" is no duration`, "such as 10s"},
		"1,5s": {"has a comma", "1.5s"}, "9999999999h": {"is too long"}, "9999999w": {"is too long"}, "290y": {"is no duration"}, "1M": {"is no duration"},
		"": {"is no duration"}, "s": {"is no duration"}, "100000d 100000d": {"is too long"}, "- 5s": {"is no duration"}, "u:hunter2@h": {"it is not shown"},
	} {
		_, err := parseDuration(text)
		exittest.WrongUse(t, err, "hunter2", parts...)
	}
}

func TestSizesAsPeopleTypeThem(t *testing.T) {
	for text, want := range map[string]int64{
		"1MiB": 1 << 20, "512MB": 512_000_000, "512M": 512_000_000, "512 mb": 512_000_000, "1.5GiB": 3 << 29, "64Mi": 64 << 20, " 1 GiB ": 1 << 30, "2000000B": 2_000_000,
	} {
		s := sizeOf(1<<20, 1<<40)
		if err := s.Set(text); err != nil || s.bytes != want {
			t.Errorf("%q: %d, %v; want %d", text, s.bytes, err, want)
		}
		again := sizeOf(1<<20, 1<<40)
		if err := again.Set(s.String()); err != nil || again.bytes != want {
			t.Errorf("%q is told as %q, which is %d, %v", text, &s, again.bytes, err)
		}
	}
	for text, parts := range map[string][]string{
		"512": {`"512" has no unit`, "say the unit, such as 512MiB"}, "1.5": {"has no unit"}, "lots": {"is no size", "such as 64MiB"}, "-5MB": {"is no size"},
		"1,5GiB": {"has a comma", "1.5GiB"}, "1.2.3GB": {"is no size"}, "5kB": {"is too little", "give 1MB to 1TiB"}, "0MB": {"is too little"}, "0": {"is too little", "give 1MB to 1TiB"},
		"2TiB": {"is too much", "give 1MB to 1TiB"}, "99999999999EB": {"is no size"}, "MB": {"is no size"}, "u:hunter2@h": {"it is not shown"},
	} {
		s := sizeOf(1<<20, 1<<40)
		exittest.WrongUse(t, s.Set(text), "hunter2", parts...)
	}
}
