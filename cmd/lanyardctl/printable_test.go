package main

import (
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/verify"
)

// nasty begins a name that clears a terminal, in both forms of the control.
const nasty = "\x1b[2J\u009b31m"

// obeyed returns what a terminal would obey in text, and nothing where there is none.
func obeyed(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' {
			return r
		}
		return -1
	}, text)
}

func TestNoPathReachesTheTerminalAsItIs(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(nasty+"text.rdb", []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, line := range map[string][]string{
		"a file that is missing": {"verify", "--redis", "rdb:" + nasty + "none.rdb", "--mongo", "embedded:x"},
		"a file that is none":    {"verify", "--redis", "rdb:" + nasty + "text.rdb", "--mongo", "embedded:x", "--report", nasty + ".md"},
		"logged for people":      {"migrate", "redis-to-mongo", "--redis", "rdb:" + nasty + "none.rdb", "--mongo", "embedded:x", "--verbose"},
		"a report":               {"verify", "--redis", "rdb:x", "--mongo", "embedded:x", "--report", nasty + "/none.md"},
		"rejects":                {"migrate", "redis-to-mongo", "--redis", "rdb:x", "--mongo", "embedded:x", "--rejects", nasty + "/none"},
		"a database":             {"verify", "--redis", "rdb:x?db=" + nasty, "--mongo", "embedded:x"},
		"a flag":                 {"verify", "--" + nasty},
		"a value":                {"verify", "--timeout", nasty},
		"what is no URI":         {"verify", "--redis", nasty + "://x", "--mongo", "embedded:x"},
		"a command":              {nasty},
		"a folder of embedded":   {"embedded", "serve", nasty + "/none/none", "--listen", nasty},
		"an unreachable server":  {"verify", "--redis", "unix:///" + nasty + "/none", "--mongo", "embedded:x", "--timeout", "100ms"},
		"for scripts":            {"verify", "--redis", "rdb:" + nasty + "none.rdb", "--mongo", "embedded:x", "--output", "json", "--log-format", "json"},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(line...)
			if code == exit.Done || stderr == "" {
				t.Errorf("exit %d, stderr %q", code, stderr)
			}
			if found := obeyed(stdout + stderr); found != "" {
				t.Errorf("%q in\n%q\n%q", found, stdout, stderr)
			}
		})
	}
	if md, err := os.ReadFile(nasty + ".md"); err != nil || obeyed(string(md)) != "" {
		t.Errorf("%q, %v", md, err)
	}
}

func TestNoReportAndNoLogObeysAPath(t *testing.T) {
	var stderr strings.Builder
	o := pairOptions{
		source: location.SourceOptions{Location: location.Location{URI: "rdb:" + nasty}}, only: record.AllKinds,
		targetOptions: targetOptions{target: location.TargetOptions{Location: location.Location{URI: "embedded:" + nasty}, Database: "lanyard"},
			outputFlags: outputFlags{verbose: true}, again: invocation.Invocation{Name: invocation.Verify, Flags: []invocation.TypedFlag{{Name: "redis", Values: []string{"rdb:" + nasty}}}}},
	}
	run := &verifyRun{pairRun: newPairRun(o, streams{err: &stderr, program: programOf()})}
	run.warn("the file " + nasty)
	run.log.Info("said by a server: "+nasty, slog.String("path", nasty))
	run.announce(report.Preflight{Source: report.Endpoint{URI: o.source.Shown()}, Target: report.Endpoint{URI: o.target.Shown()}})
	v := run.verification(verify.Report{Only: record.AllKinds}, nil, exit.Done)
	m := report.Migration{Pair: v.Pair}
	m.Report.RejectsFile, m.Report.SupersededFile, m.Report.Reasons = nasty, nasty, map[record.Reason]int64{record.TooDeep: 1}
	texts := []string{stderr.String(), m.Text(ui.Style{})}
	for _, write := range []func(report.Verification, io.Writer) error{report.Verification.WriteJSON, report.Verification.WriteJUnit, report.Verification.WriteMarkdown} {
		var b strings.Builder
		if err := write(v, &b); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, b.String())
	}
	for _, text := range texts {
		if found := obeyed(text); found != "" || !strings.Contains(text, "2J") {
			t.Errorf("%q in %s", found, text)
		}
	}
}
