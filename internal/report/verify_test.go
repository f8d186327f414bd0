package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
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
func foundDifferences() Verification {
	found := verify.Report{
		Only: record.LanyardKinds, Complete: true, Passes: 4, Rechecks: 2,
		StartedAt: time.Date(2026, 4, 3, 5, 7, 30, 417e6, time.FixedZone("", 7200)), SourceTime: 80 * time.Second, TargetTime: 31 * time.Second, Duration: 83*time.Second + 250*time.Millisecond,
		Seen:    record.KeyCounts{Keys: 1500000, Lanyard: 1280000, Ignored: 9000, Foreign: 1000, Analytics: 210000},
		Reasons: map[record.Reason]int64{record.InvalidUTF8: 1042, record.StaleAPIKey: 17},
	}
	k := &found.Kinds
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
	red := ui.NewSanitizer()
	for i := range list { // as the command does
		list[i].Field, list[i].Name = red.Text(list[i].Field), red.Text(list[i].Name)
	}
	found.Differences, found.Total = list, 1234
	return Verification{Report: found, Pair: Pair{
		Source: "redis://:xxxxx@localhost:6379/0",
		Run: Run{
			Target: "mongodb://lanyard:xxxxx@db1:27017", Database: "lanyard", Now: goldenNow, Exit: exit.Differences,
			Warnings: []string{"the source is a replica, which may lag behind its master"},
			Again: invocation.Invocation{Name: invocation.Verify, Flags: []invocation.TypedFlag{
				{Name: "mongo", Values: []string{"mongodb://lanyard:hunter2@db1:27017"}}, {Name: "only", Values: []string{"kv", "metrics"}}, {Name: "report", Values: []string{"a b.md"}},
			}},
		},
	}}
}

func goldenVerifications() map[string]Verification {
	runs := map[string]Verification{"differences": foundDifferences()}

	clean := foundDifferences()
	clean.Exit, clean.Warnings = exit.Done, nil
	clean.Report.Differences, clean.Report.Total, clean.Report.Reasons = nil, 0, nil
	clean.Report.Only, clean.Report.Passes, clean.Report.Rechecks = record.Kinds(0).With(record.KV).With(record.LastSeen), 1, 0
	clean.Report.Kinds[record.KV] = verify.Counts{Source: 3, Target: 4, Extra: 1, Agreeing: 3}
	clean.Report.Kinds[record.LastSeen] = verify.Counts{Source: 2, Target: 2, Agreeing: 2, Ahead: 1}
	clean.Report.Seen = record.KeyCounts{Keys: 5, Lanyard: 5}
	runs["clean"] = clean

	back := foundDifferences()
	back.Pair = wayBack(back.Pair)
	back.Report.Kinds[record.KV].Kept = 1
	runs["back"] = back

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

	early := Verification{Pair: failed.Pair, Report: verify.Report{Only: failed.Report.Only, StartedAt: failed.Report.StartedAt}}
	early.Err = errors.New("MongoDB cannot be reached")
	runs["failed-early"] = early
	return runs
}

// verifyForms are all forms of a report.
var verifyForms = map[string]func(v Verification, w io.Writer) error{
	".json": Verification.WriteJSON, ".xml": Verification.WriteJUnit, ".md": Verification.WriteMarkdown,
	".txt": func(v Verification, w io.Writer) error {
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
			golden.Compare(t, filepath.Join("verify", name+ending), b.String())
		}
	}
	golden.Compare(t, filepath.Join("verify", "differences-60-columns.txt"), foundDifferences().Text(ui.Style{Width: 60}))
	golden.Compare(t, filepath.Join("verify", "differences-colour.txt"), foundDifferences().Text(ui.Style{Width: 100, Colour: true}))
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

func TestAReportOfTablesNamesItems(t *testing.T) {
	v := foundDifferences()
	for direction, want := range map[invocation.Direction]string{v.Direction: "| kind | user |", invocation.TablesToMongo: "| kind | item |", invocation.TablesBack: "| kind | item |"} {
		v.Direction = direction
		var b bytes.Buffer
		if err := v.WriteMarkdown(&b); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s: %s is missing", direction.Verify(), want)
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
		if err := errors.Join(v.WriteJSON(&js), v.WriteJUnit(&junit), v.WriteMarkdown(&md)); err != nil {
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

func junitText(t interface{ Fatal(...any) }, v Verification) string {
	var b bytes.Buffer
	if err := v.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestJUnitFailsExactlyWhenDifferencesWereFoundAndPassesNothingThatWasNotRun(t *testing.T) {
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
		if passed := report.Tests - report.Errors - report.Failures - report.Skipped; v.Err != nil && passed > 0 {
			t.Errorf("%s: failed with %v, and yet %d tests passed", name, v.Err, passed)
		}
	}
}

func TestAVerificationIsOKExactlyWhenTheExitCodeIsZero(t *testing.T) {
	for _, v := range goldenVerifications() {
		var b bytes.Buffer
		if err := v.WriteJSON(&b); err != nil {
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

func TestReportFilesAreWholeOrNotThere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("real", 0o755), os.WriteFile("real/old.md", []byte("old"), 0o600), os.Symlink("real/old.md", "link.md"), os.Symlink("real", "folder")); err != nil {
		t.Fatal(err)
	}
	boom := errors.New("boom")
	half := File{Path: "folder/old.md", Write: func(_ Verification, w io.Writer) error {
		_, err := io.WriteString(w, "half of it")
		return errors.Join(err, boom)
	}}
	if err := (Verification{}).Write([]File{half}); !errors.Is(err, boom) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile("real/old.md"); err != nil || string(text) != "old" {
		t.Errorf("after a failure the file holds %q, %v", text, err)
	}
	files, err := ParseFiles([]string{"folder/old.md", "new.json"})
	if err != nil {
		t.Fatal(err)
	}
	if err := foundDifferences().Write(files); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile("real/old.md"); err != nil || !strings.HasPrefix(string(text), "## lanyardctl verify") {
		t.Errorf("the file in the folder behind the link holds %q, %v", text, err)
	}
	link, err := ParseFiles([]string{"link.md"})
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckFiles(link); err == nil || !strings.Contains(err.Error(), "link.md is a symbolic link to real/old.md") {
		t.Errorf("through a link: %v", err)
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

func TestWhatToDoNext(t *testing.T) {
	const migrate, decide, more, extra = "Next: migrate", "--on-conflict source (Redis wins)", "does not make both sides equal", "look at what only the target has"
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
		v := Verification{Report: verify.Report{Only: record.LanyardKinds, Total: 1, Differences: test.listed, Exact: test.exact, CountsOnly: test.counts}}
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
