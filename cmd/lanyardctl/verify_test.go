package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/exit/exittest"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/verify"
)

// nastyNames are names of fields that do harm where they are shown as they are.
var nastyNames = []string{
	"", " ", "-", "city", "city_name", "a.b", "a b", "имя", "😀",
	"\x1b[2J\x1b[31mred", "\x9b31m", "\u009b31m", "line\nbreak", "tab\there", "\r", "nul\x00", "\xff\xfe", "\u202egnp", "\u2028", "\ufffe",
	"a|b", "`code`", "``", "**bold**", "[link](http://x)", "<script>alert(1)</script>", "&amp;", "]]>", `"quoted"`, `back\slash`, "www.example.com",
	"@everyone", "#1", "~~x~~", "$x$", "(the whole record)",
	"0123456789abcdef0123456789abcdef", "lnyd_fedcba9876543210fedcba9876543210", strings.Repeat("long", 200),
}

// foundDifferences is a run that found something of everything.
func foundDifferences() verification {
	run := &verifyRun{pairRun: newPairRun(pairOptions{
		source: location.SourceOptions{Location: location.Location{URI: "redis://:hunter2@localhost:6379/0"}},
		targetOptions: targetOptions{target: location.TargetOptions{Location: location.Location{URI: "mongodb://lanyard:hunter2@db1:27017"}, Database: "lanyard"}, now: goldenNow,
			again: invocation.Invocation{Name: invocation.Verify, Flags: []invocation.TypedFlag{
				{Name: "mongo", Values: []string{"mongodb://lanyard:hunter2@db1:27017"}}, {Name: "only", Values: []string{"kv", "metrics"}}, {Name: "report", Values: []string{"a b.md"}},
			}}},
	}, streams{err: io.Discard, program: programOf()})}
	run.warned = []string{"the source is a replica, which may lag behind its master"}
	report := verify.Report{
		Only: record.AllKinds, Complete: true, Passes: 4, Rechecks: 2,
		StartedAt: time.Date(2026, 4, 3, 5, 7, 30, 417e6, time.FixedZone("", 7200)), Duration: 83*time.Second + 250*time.Millisecond,
		Seen:    record.Seen{Keys: 1500000, Lanyard: 1280000, Ignored: 9000, Foreign: 1000, Analytics: 210000},
		Reasons: map[record.Reason]int64{record.InvalidUTF8: 1042, record.StaleAPIKey: 17},
	}
	k := &report.Kinds
	k[record.APIKeys] = verify.Counts{Source: 1200, Target: 1184, Missing: 1, Different: 1, Extra: 3, Rejected: 18, Agreeing: 1180}
	k[record.KV] = verify.Counts{Source: 1234567, Target: 1234580, Different: 2, Extra: 15, Rejected: 2, Agreeing: 1234563, Ahead: 99}
	k[record.LastSeen] = verify.Counts{Source: 40000, Target: 39999, Missing: 1, Agreeing: 39999, Ahead: 12000, Mistyped: 3}
	k[record.MonitoringSince] = verify.Counts{Source: 8, Rejected: 8}
	k[record.Metrics] = verify.Counts{Source: 1, Target: 1, Different: 1}
	const user = record.UserID(94490510688792576)
	list := []record.Difference{
		{Kind: record.APIKeys, Name: "7.5", Numeric: true, Type: record.Extra},
		{Kind: record.APIKeys, Name: "7.5", Type: record.Extra},
		{Kind: record.APIKeys, Name: "\x1b]0;owned\x07", Type: record.Extra},
		{Kind: record.APIKeys, User: user, Type: record.Missing},
		{Kind: record.APIKeys, User: user + 1, Field: "key", HasField: true, Type: record.Different},
	}
	for i, name := range nastyNames {
		list = append(list, record.Difference{Kind: record.KV, User: user, Field: name, HasField: true, Type: record.DifferenceType(i % 3)})
	}
	list = append(list,
		record.Difference{Kind: record.LastSeen, User: 1, Type: record.Missing},
		record.Difference{Kind: record.Metrics, Field: "lanyard_messages_outbound", HasField: true, Type: record.Missing},
	)
	report.Differences, report.Total = list, 1234
	return run.verification(report, nil, exit.Differences)
}

func goldenVerifications() map[string]verification {
	runs := map[string]verification{"differences": foundDifferences()}

	clean := foundDifferences()
	clean.Exit, clean.Warnings = exit.Done, nil
	clean.Report.Differences, clean.Report.Total, clean.Report.Reasons = nil, 0, nil
	clean.Report.Only, clean.Report.Passes, clean.Report.Rechecks = record.Kinds(0).With(record.KV).With(record.LastSeen), 1, 0
	clean.Report.Kinds[record.KV] = verify.Counts{Source: 3, Target: 4, Extra: 1, Agreeing: 3}
	clean.Report.Kinds[record.LastSeen] = verify.Counts{Source: 2, Target: 2, Agreeing: 2, Ahead: 1}
	clean.Report.Seen = record.Seen{Keys: 5, Lanyard: 5}
	runs["clean"] = clean

	rejects := clean
	rejects.Exit, rejects.Report.Reasons = exit.Rejects, map[record.Reason]int64{record.NotATimestamp: 2}
	rejects.Report.Kinds[record.LastSeen] = verify.Counts{Source: 4, Target: 2, Agreeing: 2, Rejected: 2}
	runs["rejects"] = rejects

	counts := clean
	counts.Exit, counts.Report.CountsOnly, counts.Report.Total = exit.Differences, true, 1
	counts.Report.Kinds[record.KV] = verify.Counts{Source: 3, Target: 2, Missing: 1}
	counts.Report.Kinds[record.LastSeen] = verify.Counts{Source: 2, Target: 4, Extra: 2}
	runs["counts"] = counts

	counts.Exit, counts.Report.Total = exit.Done, 0
	counts.Report.Kinds[record.KV] = verify.Counts{Source: 3, Target: 4, Extra: 1}
	runs["counts-fit"] = counts
	counts.Report.Exact, counts.Report.Kinds[record.KV] = true, verify.Counts{Source: 4, Target: 4}
	counts.Report.Kinds[record.LastSeen] = verify.Counts{Source: 4, Target: 4}
	runs["counts-exact"] = counts
	counts.Exit, counts.Report.Reasons = exit.Rejects, map[record.Reason]int64{record.NotATimestamp: 2}
	runs["counts-rejects"] = counts

	kept := clean
	kept.Report.Kinds[record.KV] = verify.Counts{Source: 3, Target: 3, Agreeing: 3, Kept: 2}
	runs["kept"] = kept
	kept.Exit, kept.Report.Reasons = exit.Rejects, map[record.Reason]int64{record.NotATimestamp: 2}
	kept.Report.Kinds[record.KV] = verify.Counts{Source: 3, Target: 3, Agreeing: 3, Kept: 1}
	runs["kept-rejects"] = kept

	unlisted := clean
	unlisted.Exit, unlisted.Report.Total = exit.Differences, 1
	unlisted.Report.Kinds[record.KV] = verify.Counts{Source: 3, Target: 3, Different: 1, Agreeing: 2}
	runs["none-listed"] = unlisted

	cut := clean
	cut.Exit, cut.Err = exit.Interrupted, record.ErrInterrupted
	runs["interrupted"] = cut

	failed := clean
	failed.Exit, failed.Err = exit.Failed, errors.New("read kv of MongoDB: connection <refused> & `gone`")
	runs["failed"] = failed
	return runs
}

// verifyForms are all forms of a report.
var verifyForms = map[string]func(v verification, w io.Writer) error{
	".json": verification.writeJSON, ".xml": verification.writeJUnit, ".md": verification.writeMarkdown,
	".txt": func(v verification, w io.Writer) error {
		_, err := io.WriteString(w, v.Text(ui.Style{Width: 100}))
		return err
	},
}

func TestVerifyReports(t *testing.T) {
	for name, v := range goldenVerifications() {
		for ending, write := range verifyForms {
			var b bytes.Buffer
			if err := write(v, &b); err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("verify", name+ending), b.String())
		}
	}
	golden(t, filepath.Join("verify", "differences-60-columns.txt"), foundDifferences().Text(ui.Style{Width: 60}))
	golden(t, filepath.Join("verify", "differences-colour.txt"), foundDifferences().Text(ui.Style{Width: 100, Colour: true}))
}

// harmful matches what no report may hold: controls but the newline, other invisible characters, and secrets.
var harmful = regexp.MustCompile(`[^\pL\pM\pN\pP\pS \n]|hunter2|[0-9a-f]{32}`)

func TestNoReportObeysOrShowsWhatUsersWrote(t *testing.T) {
	for ending, write := range verifyForms {
		var b bytes.Buffer
		if err := write(foundDifferences(), &b); err != nil {
			t.Fatal(err)
		}
		if found := harmful.FindString(b.String()); found != "" {
			t.Errorf("%s holds %q", ending, found)
		}
	}
}

// cellsOf returns the cells of a Markdown table's row as GitHub cuts them.
func cellsOf(row string) []string {
	row = strings.TrimSuffix(strings.TrimPrefix(row, "| "), " |")
	return regexp.MustCompile(`(?:^|[^\\])\|`).Split(row, -1)
}

func TestReportsKeepTheirFormWhateverTheNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.OneOf(
			rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }),
			rapid.StringOf(rapid.RuneFrom([]rune("|`*_<>&[]\\\n\x1b\u202e\"'a-]"))), rapid.String(),
		).Draw(t, "name")
		v := foundDifferences()
		v.Report.Differences = []record.Difference{
			{Kind: record.KV, User: 1, Field: name, HasField: true, Type: record.Different}, {Kind: record.KV, Name: name, Type: record.Extra},
		}
		var js, junit, md bytes.Buffer
		if err := errors.Join(v.writeJSON(&js), v.writeJUnit(&junit), v.writeMarkdown(&md)); err != nil {
			t.Fatal(err)
		}
		var decoded struct{ Differences []struct{ Field *string } }
		if err := json.Unmarshal(js.Bytes(), &decoded); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(name, "\ufffd"); len([]rune(want)) == len([]rune(name)) && *decoded.Differences[0].Field != want && utf8Valid(name) {
			t.Fatalf("the field %q became %q", name, *decoded.Differences[0].Field)
		}
		for dec := xml.NewDecoder(&junit); ; {
			if _, err := dec.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v\n%s", err, junit.String())
			}
		}
		rows := 0
		for line := range strings.Lines(md.String()) {
			if strings.HasPrefix(line, "| different | kv") || strings.HasPrefix(line, "| extra | kv") {
				rows++
				if cells := cellsOf(strings.TrimSuffix(line, "\n")); len(cells) != 4 {
					t.Fatalf("%d cells: %s", len(cells), line)
				}
			}
		}
		if rows != 2 {
			t.Fatalf("%d rows of differences:\n%s", rows, md.String())
		}
		for _, text := range []string{js.String(), md.String(), v.Text(ui.Style{Width: 80}), junitText(t, v)} {
			if found := harmful.FindString(text); found != "" {
				t.Fatalf("%q in\n%s", found, text)
			}
		}
	})
}

func utf8Valid(s string) bool { return strings.ToValidUTF8(s, "") == s }

func junitText(t interface{ Fatal(...any) }, v verification) string {
	var b bytes.Buffer
	if err := v.writeJUnit(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestJUnitFailsExactlyWhenDifferencesWereFound(t *testing.T) {
	for name, v := range goldenVerifications() {
		var report junitReport
		if err := xml.Unmarshal([]byte(junitText(t, v)), &report); err != nil {
			t.Fatal(err)
		}
		if failed := report.Failures > 0; failed != (v.Exit == exit.Differences) {
			t.Errorf("%s: exit %d, %d failures", name, v.Exit, report.Failures)
		}
		if report.Errors != map[bool]int{true: 1}[v.Err != nil] {
			t.Errorf("%s: %d errors, %v", name, report.Errors, v.Err)
		}
	}
}

func TestAVerificationIsOKExactlyWhenTheExitCodeIsZero(t *testing.T) {
	for _, v := range goldenVerifications() {
		var b bytes.Buffer
		if err := v.writeJSON(&b); err != nil {
			t.Fatal(err)
		}
		var got struct {
			OK    bool    `json:"ok"`
			Error *string `json:"error"`
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.OK != (v.Exit == exit.Done) || (got.Error != nil) != (v.Err != nil) {
			t.Errorf("exit %d: %+v, %v", v.Exit, got, err)
		}
	}
}

// parseVerify checks a command line as the command does, without running it.
func parseVerify(t *testing.T, args ...string) (verifyOptions, error) {
	t.Helper()
	var f verifyFlags
	cmd := &cobra.Command{}
	f.bindAll(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	return f.options(programOf("REDIS_URI", "redis://h", "MONGODB_URI", "mongodb://h"), time.Now(), cmd.Flags())
}

func TestVerifyCalledWrong(t *testing.T) {
	t.Chdir(t.TempDir())
	for line, parts := range map[string][]string{
		"--recheck -1":         {"--recheck", "give 0"},
		"--recheck-delay -1s":  {"--recheck-delay"},
		"--max-differences -1": {"--max-differences", "give 0"},
		"--memory 0":           {"--memory", "give 1 to"},
		"--memory -5":          {"--memory"},
		"--memory 99999999":    {"--memory"},
		"--report verify.txt":  {`"verify.txt"`, ".json, .xml (JUnit) or .md"},
		"--report verify":      {".json"},
		"--report a.md --report b.md --report a.md": {"a.md is named twice"},
		"--report a.md --report ./x/../a.md":        {"named twice"},
		"--counts-only --recheck 1":                 {"--counts-only and --recheck contradict"},
		"--counts-only --recheck-delay 1s":          {"--counts-only and --recheck-delay contradict"},
		"--counts-only --max-differences 1":         {"--counts-only and --max-differences contradict"},
		"--counts-only --memory 1":                  {"--counts-only and --memory contradict"},
		"--counts-only --on-conflict source":        {"--counts-only and --on-conflict contradict"},
		"--exact --on-conflict source":              {"--exact and --on-conflict contradict"},
		"--exact --on-conflict fail":                {"--exact and --on-conflict contradict"},
		"--on-conflict nobody":                      {"give fail, source or target"},
		"--kv-prefer both":                          {"give fork, upstream"},
		"--user 0":                                  {"no Discord user id"},
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
	if err != nil || o.recheck != 2 || o.recheckDelay != 2*time.Second || o.maxDifferences != 100 || o.memory != 256<<20 || o.only != record.AllKinds {
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

func TestReportFilesAreWholeOrNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("real", 0o755), os.WriteFile("real/old.md", []byte("old"), 0o600), os.Symlink("real/old.md", "link.md")); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	half := reportFile{path: "link.md", write: func(_ verification, w io.Writer) error {
		_, err := io.WriteString(w, "half of it")
		return errors.Join(err, boom)
	}}
	if err := (verification{}).write([]reportFile{half}); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile("real/old.md"); err != nil || string(text) != "old" {
		t.Errorf("after a failure the file holds %q, %v", text, err)
	}
	files, err := parseReports([]string{"link.md", "new.json"})
	if err != nil {
		t.Fatal(err)
	}
	if err := foundDifferences().write(files); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile("real/old.md"); err != nil || !strings.HasPrefix(string(text), "## lanyardctl verify") {
		t.Errorf("the file behind the link holds %q, %v", text, err)
	}
	if info, err := os.Lstat("link.md"); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if info, err := os.Stat("new.json"); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("others cannot read the report: %v, %v", info, err)
	}
	for _, folder := range []string{".", "real"} {
		entries, err := os.ReadDir(folder)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), ".") {
				t.Errorf("%s is left in %s", e.Name(), folder)
			}
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
		"an interruption": {true, exit.Failure(context.Canceled, ""), exit.Interrupted, "interrupted before the first record"},
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
			if err := run.ended(ctx, run.reportFailure(ctx, test.err)); exit.CodeOf(err) != test.want {
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
				run.options.reports[i].write = func(verification, io.Writer) error { return full }
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var err error
			if name == "before the start" {
				err = run.reportFailure(ctx, test.err)
			} else {
				run.began = true
				if test.want == exit.Interrupted {
					cancel(record.ErrInterrupted)
				}
				report := &verify.Report{Only: record.AllKinds, Total: test.total, Seen: record.Seen{Lanyard: 1}}
				err = run.report(report, test.err)
			}
			err = run.ended(ctx, err)
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
		seen record.Seen
		err  error
		want int
	}{
		"no key of Lanyard's any more": {nil, record.Seen{Keys: 7, Ignored: 7}, nil, exit.Failed},
		"but of its analytics":         {nil, record.Seen{Analytics: 1}, nil, exit.Done},
		"as was asked for":             {[]string{"--allow-empty"}, record.Seen{}, nil, exit.Done},
		"found in a later pass":        {nil, record.Seen{Lanyard: 1}, fmt.Errorf("look closer: %w", verify.ErrEmptied), exit.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			run, _ := runOfVerify(t, test.args...)
			run.began = true
			err := run.ended(t.Context(), run.report(&verify.Report{Only: record.AllKinds, Seen: test.seen}, test.err))
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

func TestWhatToDoNext(t *testing.T) {
	const migrate, decide, more, extra = "Next: migrate", "--on-conflict source (Redis wins)", "Equality is more", "look at what only the target has"
	document := record.Difference{Kind: record.APIKeys, User: 1, Type: record.Extra}
	field := record.Difference{Kind: record.KV, User: 1, Field: "a", HasField: true, Type: record.Extra}
	changed := record.Difference{Kind: record.KV, User: 1, Field: "b", HasField: true, Type: record.Different}
	missing := record.Difference{Kind: record.KV, User: 2, Type: record.Missing}
	for name, test := range map[string]struct {
		kv     verify.Counts
		listed []record.Difference
		exact  bool
		counts bool
		said   []string
	}{
		"missing":                         {kv: verify.Counts{Missing: 1}, listed: []record.Difference{missing}, said: []string{migrate}},
		"different":                       {kv: verify.Counts{Different: 1}, listed: []record.Difference{changed}, said: []string{migrate, decide}},
		"extra":                           {kv: verify.Counts{Extra: 1}, listed: []record.Difference{document}, said: []string{extra}},
		"missing and extra":               {kv: verify.Counts{Missing: 1, Extra: 1}, listed: []record.Difference{document, missing}, said: []string{migrate, extra}},
		"missing, and extra that is fine": {kv: verify.Counts{Missing: 1, Extra: 1}, listed: []record.Difference{missing}, said: []string{migrate}},
		"a field that lanyardctl wrote":   {kv: verify.Counts{Different: 1}, listed: []record.Difference{field}, said: []string{migrate, decide}},
		"exact, different":                {kv: verify.Counts{Different: 1}, listed: []record.Difference{changed}, exact: true, said: []string{migrate, more}},
		"exact, a field more":             {kv: verify.Counts{Different: 1}, listed: []record.Difference{field}, exact: true, said: []string{migrate, more, extra}},
		"numbers":                         {kv: verify.Counts{Missing: 1, Extra: 0}, counts: true, said: []string{migrate}},
		"numbers, exact":                  {kv: verify.Counts{Missing: 1, Extra: 1}, counts: true, exact: true, said: []string{migrate, extra}},
		"none listed":                     {kv: verify.Counts{Extra: 1}, said: []string{extra}},
	} {
		v := verification{Report: verify.Report{Only: record.AllKinds, Total: 1, Differences: test.listed, Exact: test.exact, CountsOnly: test.counts}}
		v.Exit, v.Again, v.Report.Kinds[record.KV] = exit.Differences, invocation.Invocation{Name: invocation.Verify}, test.kv
		text := v.Text(ui.Style{})
		for _, advice := range []string{migrate, decide, more, extra} {
			if said := strings.Contains(text, advice); said != slices.Contains(test.said, advice) {
				t.Errorf("%s: %q is said: %v\n%s", name, advice, said, text)
			}
		}
		if !strings.Contains(text, "Then verify again:\n  lanyardctl verify\n") {
			t.Errorf("%s: %s", name, text)
		}
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
	p := verifyProgress(verify.Snapshot{Phase: "comparing", Keys: 10, Total: 100, Documents: 5}, 60)
	if p.Done != 15 || p.Total != 160 {
		t.Errorf("%+v", p)
	}
	if p = verifyProgress(verify.Snapshot{Keys: 10, Total: 100, Expected: 70}, 60); p.Total != 170 {
		t.Errorf("%+v", p)
	}
	if p = verifyProgress(verify.Snapshot{Keys: 10}, 60); p.Total != 0 {
		t.Errorf("a total of %d without one of the source", p.Total)
	}
}
