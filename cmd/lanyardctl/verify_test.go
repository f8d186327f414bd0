package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/exit/exittest"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/verify"
)

// parseVerify checks a command line as the command does, without running it.
func parseVerify(t *testing.T, args ...string) (verifyOptions, error) {
	t.Helper()
	var f verifyFlags
	cmd := &cobra.Command{}
	f.bindAll(cmd)
	checkGiven(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		return verifyOptions{}, calledWrong(cmd, cmd, args, err)
	}
	return f.options(programOf("REDIS_URI", "redis://h", "MONGODB_URI", "mongodb://h"), time.Now(), cmd.Flags(), invocation.Verify)
}

func TestVerifyCalledWrong(t *testing.T) {
	t.Chdir(t.TempDir())
	for line, parts := range map[string][]string{
		"--recheck -1":                              {"--recheck", "give 0"},
		"--recheck-delay -1s":                       {"--recheck-delay"},
		"--max-differences -1":                      {"--max-differences", "give 0"},
		"--memory 0MB":                              {"--memory", "give 1MB to 1TiB"},
		"--memory -5MB":                             {"--memory"},
		"--memory 9999TiB":                          {"--memory"},
		"--report verify.txt":                       {`"verify.txt"`, ".json, .xml (JUnit) or .md"},
		"--report verify":                           {".json"},
		"--report a.md --report b.md --report a.md": {"a.md is named twice"},
		"--report a.md --report ./x/../a.md":        {"named twice"},
		"--counts-only --recheck 1":                 {"--counts-only and --recheck contradict"},
		"--counts-only --recheck-delay 1s":          {"--counts-only and --recheck-delay contradict"},
		"--counts-only --max-differences 1":         {"--counts-only and --max-differences contradict"},
		"--counts-only --memory 1MB":                {"--counts-only and --memory contradict"},
		"--counts-only --on-conflict source":        {"--counts-only and --on-conflict contradict"},
		"--exact --on-conflict source":              {"--exact and --on-conflict contradict"},
		"--exact --on-conflict fail":                {"--exact and --on-conflict contradict"},
		"--on-conflict nobody":                      {"give fail, source or target"},
		"--kv-prefer both":                          {"give fork, upstream"},
		"--user 0":                                  {"is not a Discord user id"},
		"--user 1 --only metrics":                   {"contradict"},
		"--only nonsense":                           {"unknown kind"},
		"--quiet --verbose":                         {"contradict"},
		"--output xml":                              {"give text, json"},
		"--timeout 0s":                              {"--timeout"},
		"--redis rdb:dump.rdb?db=x":                 {"no number of a database"},
		"--redis rdb:dump.rdb?db=-1":                {"no number of a database"},
		"--redis rdb:dump.rdb?db=2147483648":        {"no number of a database"},
		"--redis rdb:dump.rdb?db=99999999999":       {"no number of a database"},
	} {
		t.Run(line, func(t *testing.T) {
			if strings.Contains(line, "./x/") {
				if err := os.MkdirAll("x", 0o755); err != nil {
					t.Fatal(err)
				}
			}
			_, err := parseVerify(t, strings.Fields(line)...)
			exittest.WrongUse(t, err, "", parts...)
		})
	}
}

func TestVerifyOptions(t *testing.T) {
	t.Chdir(t.TempDir())
	o, err := parseVerify(t)
	if err != nil || o.recheck != 2 || o.recheckDelay != 2*time.Second || o.maxDifferences != 100 || o.memory != 64<<20 || o.only != record.LanyardKinds {
		t.Errorf("the defaults are %+v, %v", o, err)
	}
	if o, err = parseVerify(t, "--redis", "rdb:dump.rdb"); err != nil || o.recheck != 0 {
		t.Errorf("an RDB file is rechecked %d times, %v", o.recheck, err)
	}
	if o, err = parseVerify(t, "--redis", "rdb:dump.rdb", "--recheck", "2"); err != nil || o.recheck != 2 {
		t.Errorf("an RDB file is rechecked %d times, %v", o.recheck, err)
	}
	if o, err = parseVerify(t, "--counts-only", "--exact", "--only", "kv", "--report", "A.JSON"); err != nil || !o.countsOnly || !o.exact || len(o.reports) != 1 {
		t.Errorf("got %+v, %v", o, err)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) != 0 {
		t.Errorf("the check of --report left %v, %v", left, err)
	}
}

func TestAReportThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("folder.md", 0o755), os.Symlink("loop.md", "loop.md")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"missing/a.md", "folder.md", "loop.md"} {
		if _, err := parseVerify(t, "--report", path); exit.CodeOf(err) != exit.Failed || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestARunThatNeverBeganReplacesAnOlderReport(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, test := range map[string]struct {
		cancelled bool
		err       error
		want      int
		text      string
	}{
		"an error":        {false, exit.Failure(errors.New("no server"), "start it"), exit.Failed, "no server"},
		"an interruption": {true, exit.Failure(context.Canceled, ""), exit.Interrupted, "interrupted before anything was done"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := parseVerify(t, "--report", "verify.json")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile("verify.json", []byte(`{"ok": true}`), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.cancelled {
				cancel()
			}
			o.output = outputJSON
			var stdout bytes.Buffer
			run := &verifyRun{pairRun: newPairRun(o.pairOptions, streams{out: &stdout, err: io.Discard, program: programOf()}), options: o}
			if err := run.run(ctx, test.err, nil, run.early); exit.CodeOf(err) != test.want {
				t.Errorf("exit %d", exit.CodeOf(err))
			}
			text, err := os.ReadFile("verify.json")
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				OK    bool
				Error string
			}
			if err := json.Unmarshal(text, &got); err != nil || got.OK || got.Error != test.text {
				t.Errorf("%s, %v", text, err)
			}
			if stdout.String() != string(text) {
				t.Errorf("stdout differs from the file: %s", &stdout)
			}
		})
	}
}

// runOfVerify is a run with what it prints.
func runOfVerify(t *testing.T, args ...string) (run *verifyRun, stdout *bytes.Buffer) {
	t.Helper()
	o, err := parseVerify(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	stdout = new(bytes.Buffer)
	return &verifyRun{pairRun: newPairRun(o.pairOptions, streams{out: stdout, err: io.Discard, program: programOf()}), options: o}, stdout
}

func TestFilesThatCannotBeWrittenAreAllNamed(t *testing.T) {
	for name, test := range map[string]struct {
		total int64
		err   error
		want  int
	}{
		"nothing found":    {0, nil, exit.Failed},
		"differences":      {1, nil, exit.Failed},
		"a failure":        {0, errors.New("the server is gone"), exit.Failed},
		"an interruption":  {0, record.ErrInterrupted, exit.Interrupted},
		"before the start": {0, exit.Failure(errors.New("no server"), "start it"), exit.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			if err := os.Mkdir("a", 0o755); err != nil {
				t.Fatal(err)
			}
			run, stdout := runOfVerify(t, "--output", "json", "--report", "a/1.json", "--report", "a/2.xml", "--report", "3.md")
			full := &os.PathError{Op: "write", Path: "/another/path", Err: errors.New("no space left on device")}
			for i := range run.options.reports {
				run.options.reports[i].Write = func(report.Verification, io.Writer) error { return full }
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var err error
			if name == "before the start" {
				err = run.run(ctx, test.err, nil, run.early)
			} else {
				run.began = true
				if test.want == exit.Interrupted {
					cancel(record.ErrInterrupted)
				}
				report := &verify.Report{Only: record.LanyardKinds, Total: test.total, Seen: record.KeyCounts{Lanyard: 1}}
				err = run.ended(ctx, run.report(report, test.err))
			}
			if exit.CodeOf(err) != test.want {
				t.Errorf("exit %d", exit.CodeOf(err))
			}
			said := readReport(t, stdout.Bytes())
			for _, file := range []string{"a/1.json", "a/2.xml", "3.md"} {
				for where, text := range map[string]string{"stderr": err.Error(), "stdout": said.Error} {
					if !strings.Contains(text, "the report "+file+" cannot be written: no space left") {
						t.Errorf("%s does not name %s: %s", where, file, text)
					}
				}
			}
			if said.OK || test.err != nil && !strings.Contains(said.Error, strings.Split(test.err.Error(), ":")[0]) {
				t.Errorf("%+v", said)
			}
		})
	}
}

func TestASourceThatWasEmptiedIsNoVerdict(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, test := range map[string]struct {
		args []string
		seen record.KeyCounts
		err  error
		want int
	}{
		"no key of Lanyard's any more": {nil, record.KeyCounts{Keys: 7, Ignored: 7}, nil, exit.Failed},
		"but of its analytics":         {nil, record.KeyCounts{Analytics: 1}, nil, exit.Done},
		"as was asked for":             {[]string{"--allow-empty"}, record.KeyCounts{}, nil, exit.Done},
		"found in a later pass":        {nil, record.KeyCounts{Lanyard: 1}, fmt.Errorf("look closer: %w", verify.ErrEmptied), exit.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			run, _ := runOfVerify(t, test.args...)
			run.began = true
			err := run.ended(t.Context(), run.report(&verify.Report{Only: record.LanyardKinds, Seen: test.seen}, test.err))
			if exit.CodeOf(err) != test.want {
				t.Fatalf("exit %d, %v", exit.CodeOf(err), err)
			}
			var said strings.Builder
			if test.want != exit.Done {
				exit.Print(&said, err)
			}
			if test.want != exit.Done && (!strings.Contains(said.String(), "was emptied") || !strings.Contains(said.String(), "hint: is somebody flushing")) {
				t.Error(said.String())
			}
		})
	}
}

func TestAUserWhoMayNotIsToldWhichRoleIsEnough(t *testing.T) {
	for readOnly, role := range map[bool]string{true: "the role read on", false: "the role readWrite on"} {
		var said strings.Builder
		exit.Print(&said, location.Default().ExplainTarget(fmt.Errorf("find: %w", mongo.ErrPermission),
			location.TargetOptions{Location: location.Location{URI: "mongodb://h"}, ReadOnly: readOnly}))
		if !strings.Contains(said.String(), role) {
			t.Errorf("only reads: %t: %s", readOnly, &said)
		}
	}
}

func TestProgressOfAComparisonAddsBothSidesUp(t *testing.T) {
	p := verifyProgress(verify.Snapshot{Phase: "comparing", Keys: 10, Total: 100, Documents: 5}, 60, invocation.ToMongo)
	if p.Done != 15 || p.Total != 160 {
		t.Errorf("%+v", p)
	}
	if p = verifyProgress(verify.Snapshot{Keys: 10, Total: 100, Expected: 70}, 60, invocation.ToMongo); p.Total != 170 {
		t.Errorf("%+v", p)
	}
	if p = verifyProgress(verify.Snapshot{Keys: 10}, 60, invocation.ToMongo); p.Total != 0 {
		t.Errorf("a total of %d without one of the source", p.Total)
	}
}
