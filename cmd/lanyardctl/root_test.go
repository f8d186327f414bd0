package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/exit/exittest"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// programOf returns the program with the variables, given as names and values in turn.
func programOf(variables ...string) program {
	return program{exittest.Environment(variables...), location.Default()}
}

// call runs the command line in this process.
func call(args ...string) (code int, stdout, stderr string) {
	var out, err strings.Builder
	code = run(args, &out, &err)
	return code, out.String(), err.String()
}

func TestACallThatIsWrongEndsWithTwoAndAHint(t *testing.T) {
	cases := map[string]string{
		"nonsense":                     "lanyardctl --help",
		"versoin":                      "did you mean lanyardctl version?",
		"--no-such-flag":               "lanyardctl --help",
		"embedded":                     "lanyardctl embedded --help",
		"embedded srve ./x":            "did you mean lanyardctl embedded serve?",
		"embedded srve ./x --listen 1": "did you mean lanyardctl embedded serve?",
		"embedded serve":               "lanyardctl embedded serve --help",
		"embedded serve a b":           "lanyardctl embedded serve --help",
		"embedded serve a --listen":    "lanyardctl embedded serve --help",
		"embedded serve a --listen=":   "leave --listen out",
		"completion":                   "lanyardctl completion --help",
		"help nonsense":                "lanyardctl --help",
		"help embedded srve":           "did you mean lanyardctl embedded serve?",
		"completion csh":               "lanyardctl completion --help",
		"version now":                  "lanyardctl version --help",
		"version --output xml":         "--output json",
		"version --outptu json":        "did you mean --output?",
		"sweep undos":                  "did you mean lanyardctl sweep undo?",
		"sweep shwo x --max-changes 5": "did you mean lanyardctl sweep show?",
		"sweep everything":             "lanyardctl sweep --help",
		"sweep --no-such-flag":         "lanyardctl sweep --help",
		"sweep undo":                   "lanyardctl sweep undo --help",
		"sweep list all":               "lanyardctl sweep list --help",
		"sweep show --mongo embedded:x --max-changes=-1 x": "give 0 to show all",
		"sweep undo x --no-such-flag":                      "lanyardctl sweep undo --help",
		"swep":                                             "did you mean lanyardctl sweep?",
		"help sweep lst":                                   "did you mean lanyardctl sweep list?",
	}
	for line, hint := range cases {
		t.Run(line, func(t *testing.T) {
			t.Chdir(t.TempDir())
			code, stdout, stderr := call(strings.Fields(line)...)
			lines := strings.Split(strings.TrimSpace(stderr), "\n")
			if code != exit.Usage || stdout != "" || len(lines) != 2 ||
				!strings.HasPrefix(lines[0], "lanyardctl: ") || !strings.HasPrefix(lines[1], "hint: ") ||
				!strings.Contains(lines[1], hint) {
				t.Errorf("exit %d\nstdout: %s\nstderr: %s", code, stdout, stderr)
			}
		})
	}
}

func TestEveryHelpHasAnExampleAndItsExitStatus(t *testing.T) {
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			check(child)
		}
		args := append(strings.Fields(cmd.CommandPath())[1:], "--help")
		code, stdout, stderr := call(args...)
		if code != exit.Done || stderr != "" {
			t.Errorf("%s: exit %d, stderr: %s", cmd.CommandPath(), code, stderr)
		}
		for _, section := range []string{"Exit status\n", "Examples:\n", "  130  interrupted"} {
			if !strings.Contains(stdout, section) {
				t.Errorf("the help of %s has no %q:\n%s", cmd.CommandPath(), section, stdout)
			}
		}
		for line := range strings.Lines(stdout) {
			if n := ui.Columns(strings.TrimSuffix(line, "\n")); n > 80 {
				t.Errorf("the help of %s has a line of %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
	}
	check(newRoot(programOf()))
}

func TestNoCommandIsBrokenWhereALineIs(t *testing.T) {
	for _, cmd := range newRoot(programOf()).Commands() {
		command := cmd.CommandPath() + " --mongo mongodb://localhost:27017"
		if got, want := ui.Wrapped("hint: type this: "+command+"\n", 30), "hint: type this:\n  "+command+"\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if code, stdout, stderr := call("completion", shell); code != exit.Done || stdout == "" || stderr != "" {
			t.Errorf("%s: exit %d, %d bytes, stderr: %s", shell, code, len(stdout), stderr)
		}
	}
	if code, stdout, _ := call("__complete", "vers"); code != exit.Done || !strings.HasPrefix(stdout, "version\t") {
		t.Errorf("complete vers: exit %d, %s", code, stdout)
	}
}

func TestShellsShowNoMarksInDescriptions(t *testing.T) {
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		for _, child := range cmd.Commands() {
			check(child)
		}
		args := append([]string{"__complete"}, strings.Fields(cmd.CommandPath())[1:]...)
		for _, typed := range []string{"-", ""} {
			if _, stdout, _ := call(append(args, typed)...); strings.Contains(stdout, "`") {
				t.Errorf("%s: %s", cmd.CommandPath(), stdout)
			}
		}
	}
	check(newRoot(programOf()))
}

func TestShellsCompleteTheValuesOfFlags(t *testing.T) {
	kinds := "api_keys,kv,last_seen,monitoring_since,metrics"
	for line, want := range map[string]string{
		"verify --on-conflict ": "source,target,fail", "migrate redis-to-mongo --kv-prefer ": "fork,upstream",
		"verify --output ": "text,json", "migrate redis-to-mongo --progress ": "auto,bar,plain,none", "verify --log-format ": "text,json",
		"version --output ": "text,json", "sweep --kv-dates ": "count,last-resort,never", "sweep --members ": "json,ndjson,jsonl", "sweep --redis ": "env",
		"sweep undo --output ": "text,json", "sweep ": "list\tList the sweeps of a database,show\tShow what a sweep changed,undo\tTake a sweep back",
		"verify --report ": "json,xml,md", "migrate redis-to-mongo --only ": kinds,
		"verify --only kv,": "kv,api_keys kv,last_seen kv,monitoring_since kv,metrics", "verify --only kv,last_seen,": "kv,last_seen,api_keys kv,last_seen,monitoring_since kv,last_seen,metrics",
	} {
		code, stdout, _ := call(append([]string{"__complete"}, strings.Split(line, " ")...)...)
		shown, _, _ := strings.Cut(stdout, "\n:")
		if got := strings.Split(shown, "\n"); code != exit.Done || strings.Join(got, ",") != want && strings.Join(got, " ") != want {
			t.Errorf("%s: exit %d, %q", line, code, got)
		}
	}
}
