package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
)

// goldenNow is what the reports of the golden files judge dates by.
var goldenNow = time.Date(2026, 4, 3, 3, 7, 29, 0, time.UTC)

// fullRun is a report with something in every place.
func fullRun() Migration {
	m := Migration{
		Report: migrate.Report{
			Only:           record.LanyardKinds,
			RejectsFile:    "lanyardctl-rejects-20260403T030730Z.ndjson",
			SupersededFile: "lanyardctl-rejects-20260403T030730Z.superseded.ndjson",
			StartedAt:      time.Date(2026, 4, 3, 5, 7, 30, 417e6, time.FixedZone("", 7200)),
			Duration:       83*time.Second + 250*time.Millisecond,
			Waits:          migrate.Waits{Source: 51*time.Second + 600*time.Millisecond, Target: 12 * time.Second},
		},
		Pair: Pair{Source: "redis://:xxxxx@localhost:6379/0", Run: Run{Now: goldenNow, CPU: 21 * time.Second, Target: "mongodb://lanyard:xxxxx@db1:27017,db2:27017/?replicaSet=rs0",
			Database: "lanyard",
			Warnings: []string{"the password in --redis can be read by everybody who can list processes; set REDIS_URI instead"},
			Exit:     exit.Rejects,
			Again: invocation.Invocation{Name: invocation.Migrate, Flags: []invocation.TypedFlag{
				{Name: "mongo", Values: []string{"mongodb://lanyard:hunter2@db1:27017,db2:27017/?replicaSet=rs0"}}, {Name: "only", Values: []string{"kv", "last_seen"}},
				{Name: "restart", Values: nil}, {Name: "user", Values: []string{"94490510688792576"}},
			}}}},
	}
	k := &m.Report.Kinds
	k[record.APIKeys] = migrate.Counts{Read: 1200, Inserted: 1000, Updated: 2, Unchanged: 180, Conflicts: 1, Rejected: 17,
		Notes: map[record.Note]int64{record.Repaired: 3}}
	k[record.KV] = migrate.Counts{Read: 1234567, Inserted: 1200000, Updated: 567, Unchanged: 33990, Conflicts: 7, Rejected: 3,
		Fields: migrate.FieldCounts{Rejected: 1042, Conflicts: 9},
		Notes:  map[record.Note]int64{record.NotJSON: 12, record.Expiring: 1, record.BothLayouts: 2222, record.SupersededNote: 4}}
	k[record.LastSeen] = migrate.Counts{Read: 40000, Inserted: 39998, Updated: 1, Unchanged: 1, Notes: map[record.Note]int64{record.Normalised: 812}}
	k[record.MonitoringSince] = migrate.Counts{Read: 8, Rejected: 8}
	k[record.Metrics] = migrate.Counts{Read: 1, Inserted: 1}
	m.Report.Seen = record.KeyCounts{Keys: 1500000, Lanyard: 1280000, Ignored: 9000, Foreign: 1000, Analytics: 210000}
	m.Report.Reasons = map[record.Reason]int64{record.InvalidUTF8: 1042, record.StaleAPIKey: 17, record.ConflictReason: 10,
		record.ImplausibleTimestamp: 8, record.DocumentTooLarge: 3}
	m.Report.Superseded = 4
	return m
}

func cleanRun() Migration {
	m := fullRun()
	m.Exit, m.Warnings = exit.Done, nil
	m.Report.RejectsFile, m.Report.SupersededFile, m.Report.Reasons, m.Report.Superseded = "", "", nil, 0
	m.Report.Only = record.Kinds(0).With(record.KV).With(record.LastSeen)
	for i := range m.Report.Kinds {
		m.Report.Kinds[i] = migrate.Counts{}
	}
	m.Report.Kinds[record.KV] = migrate.Counts{Read: 3, Unchanged: 3}
	m.Report.Kinds[record.LastSeen] = migrate.Counts{Read: 2, Inserted: 1, Updated: 1}
	m.Report.Seen = record.KeyCounts{Keys: 5, Lanyard: 5}
	m.Report.Duration = 400 * time.Millisecond
	return m
}

// wayBack returns the pair in the other direction.
func wayBack(p Pair) Pair {
	p.Source, p.Target, p.Direction, p.Layout = p.Target, p.Source, invocation.ToRedis, "both"
	p.Warnings = []string{"monitoring_since and metrics: upstream keeps none; they stay in MongoDB"}
	p.Again.Name = map[string]string{invocation.Migrate: invocation.MigrateBack, invocation.Verify: invocation.VerifyBack}[p.Again.Name]
	return p
}

func goldenRuns() map[string]Migration {
	runs := map[string]Migration{"rejects": fullRun(), "clean": cleanRun()}

	dry := fullRun()
	dry.Report.DryRun, dry.Report.SupersededFile = true, ""
	dry.Again.Flags[2].Name = "dry-run"
	runs["dry-run"] = dry

	cut := fullRun()
	cut.Exit, cut.Err = exit.Interrupted, record.ErrInterrupted
	runs["interrupted"] = cut

	failed := fullRun()
	failed.Exit, failed.Err = exit.Failed, errors.New("write kv to FerretDB 1.24.0: connection refused")
	runs["failed"] = failed

	moved := fullRun()
	moved.Exit, moved.Err = exit.Failed, fmt.Errorf("check redis 127.0.0.1:6379: %w", record.ErrSourceMoved)
	runs["moved"] = moved

	retried := fullRun()
	retried.Retried = &Retried{File: "rejects.ndjson", Run: rejectsfile.RunLines{Run: rejectsfile.Run{ID: "RUN1"}, Lines: 40}, Lines: 30, Selected: 12}
	retried.ByUser, retried.Report.EarlierRejects = true, 7
	runs["retried"] = retried
	cutRetry := retried
	cutRetry.Exit, cutRetry.Err = exit.Interrupted, record.ErrInterrupted
	runs["retried-interrupted"] = cutRetry

	back := fullRun()
	back.Pair = wayBack(back.Pair)
	back.Report.Reasons = map[record.Reason]int64{record.NotText: 9, record.InvalidUserID: 1, record.ConflictReason: 2}
	back.Report.Seen = record.KeyCounts{Keys: 1280000, Lanyard: 1280000}
	runs["back"] = back

	resumed := cleanRun()
	resumed.Report.Resumed = true
	runs["resumed"] = resumed
	return runs
}

func TestReportsForPeople(t *testing.T) {
	for name, m := range goldenRuns() {
		golden.Compare(t, name+".txt", m.Text(ui.Style{Width: 100}))
	}
	golden.Compare(t, "rejects-60-columns.txt", fullRun().Text(ui.Style{Width: 60}))
	golden.Compare(t, "rejects-colour.txt", fullRun().Text(ui.Style{Width: 100, Colour: true}))
}

func TestReportsForScripts(t *testing.T) {
	for name, m := range goldenRuns() {
		var b bytes.Buffer
		if err := m.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name+".json", b.String())
	}
}

func TestAdviceFitsTheRun(t *testing.T) {
	whole := func(m Migration) Migration {
		m.Again = m.Again.Without("only", "user", "restart")
		return m
	}
	file := func(m Migration) Migration {
		m.Source = "rdb:dump.rdb"
		m.Still = true
		return m
	}
	conflicts := fullRun()
	conflicts.Report.Reasons = map[record.Reason]int64{record.ConflictReason: 10}
	inSource := fullRun()
	inSource.Direction = invocation.ToRedis
	inSource.Report.Kinds = [record.KindCount]migrate.Counts{{Read: 10, Rejected: 10}}
	inSource.Report.Reasons = conflicts.Report.Reasons
	const mend, dump, again, limited = "correct in Redis", "take a new dump", "Run it again at any time", "limited by --only or --user"
	for _, tc := range []struct {
		run   string
		m     Migration
		says  []string
		omits []string
	}{
		{"conflicts alone leave nothing to mend", conflicts, []string{"--on-conflict target"}, []string{mend}},
		{"what the source says in two ways is mended there", inSource, []string{"correct in MongoDB"}, []string{"--on-conflict"}},
		{"rejects are mended in a server", fullRun(), []string{mend}, []string{dump}},
		{"a file has to be taken anew", file(fullRun()), []string{mend, dump}, nil},
		{"a server moves on", whole(cleanRun()), []string{"lanyardctl verify", again}, []string{limited}},
		{"a file does not", file(whole(cleanRun())), []string{"lanyardctl verify"}, []string{again, limited}},
		{"a part is not all", cleanRun(), []string{limited}, []string{again}},
	} {
		text := tc.m.Text(ui.Style{})
		for _, want := range tc.says {
			if !strings.Contains(text, want) {
				t.Errorf("%s: does not say %q", tc.run, want)
			}
		}
		for _, no := range tc.omits {
			if strings.Contains(text, no) {
				t.Errorf("%s: says %q", tc.run, no)
			}
		}
	}
}

func TestAReportForScriptsIsOKExactlyWhenTheExitCodeIsZero(t *testing.T) {
	for _, code := range []int{exit.Done, exit.Failed, exit.Rejects, exit.Interrupted} {
		m := fullRun()
		m.Exit = code
		var b bytes.Buffer
		if err := m.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		var got struct {
			OK bool `json:"ok"`
		}
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || got.OK != (code == 0) {
			t.Errorf("exit %d: ok is %v, %v", code, got.OK, err)
		}
	}
}

func TestThePrintedTableAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := Migration{Report: migrate.Report{Only: record.LanyardKinds}}
		for k := range m.Report.Kinds {
			n := rapid.SliceOfN(rapid.Int64Range(0, 1e12), 5, 5).Draw(t, "counts")
			m.Report.Kinds[k] = migrate.Counts{Read: n[0] + n[1] + n[2] + n[3] + n[4],
				Inserted: n[0], Updated: n[1], Unchanged: n[2], Conflicts: n[3], Rejected: n[4]}
		}
		total := make([]int64, 6)
		rows, width := 0, 0
		for line := range strings.Lines(m.Text(ui.Style{})) {
			cells := strings.Fields(line)
			if len(cells) != 7 || cells[0] == "kind" {
				continue
			}
			if width == 0 {
				width = len(line)
			}
			if len(line) != width {
				t.Fatalf("columns do not stand below each other: %q", line)
			}
			var row [6]int64
			for i, cell := range cells[1:] {
				n, err := strconv.ParseInt(strings.ReplaceAll(cell, ",", ""), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				row[i] = n
			}
			if row[0] != row[1]+row[2]+row[3]+row[4]+row[5] {
				t.Fatalf("%q does not add up", line)
			}
			for i := range row {
				if cells[0] == "total" && row[i] != total[i] {
					t.Fatalf("column %d of %q is not the sum of those above, %d", i, line, total[i])
				}
				total[i] += row[i]
			}
			rows++
		}
		if rows != record.LanyardKinds.Len()+1 {
			t.Fatalf("%d rows", rows)
		}
	})
}

func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	for line := range strings.Lines(fullRun().Text(ui.Style{Width: 80})) {
		line = strings.TrimSuffix(line, "\n")
		// Commands, paths and the table are not broken.
		if n := len([]rune(line)); n > 80 && !strings.Contains(line, "lanyardctl") && !strings.Contains(line, "jq ") && !strings.Contains(line, "://") {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
