package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// fullSweep is a report with something in every place.
func fullSweep() Sweep {
	const user = record.UserID(94490510688792576)
	s := Sweep{
		Run: Run{
			Now:    goldenNow,
			Target: "mongodb://lanyard:xxxxx@db1:27017", Database: "lanyard", Exit: exit.Rejects,
			Warnings: []string{"the source is a replica, which may lag behind its master"},
			Again: invocation.Invocation{Name: invocation.Sweep, Flags: []invocation.TypedFlag{
				{Name: "mongo", Values: []string{"mongodb://lanyard:hunter2@db1:27017"}}, {Name: "guild", Values: []string{"911655453283848242"}}, {Name: "timeout", Values: []string{"5s"}},
			}},
		},
		Report: sweep.Report{
			ID: "20260403-030730-ab12", Complete: true, Users: 12345,
			Columns: sweep.Columns{Created: 40, Changed: 1200, Merged: 7, Unchanged: 11000, Undated: 95, Left: 3},
			ByUsers: 12, Changes: 1250, LeftoversTotal: 103,
			Before:    map[int]int64{2022: 100, 2024: 900, 2026: 11205},
			After:     map[int]int64{2015: 1, 2022: 1300, 2024: 1000, 2026: 9949},
			StartedAt: time.Date(2026, 4, 3, 5, 7, 30, 417e6, time.FixedZone("", 7200)), Duration: 83*time.Second + 250*time.Millisecond,
		},
	}
	for i, name := range []string{"monitoring.since", "users.since", "kv.kv.monitoring_since", "redis:lanyard:user_kv", "guild:911655453283848242"} {
		n := int64(i)
		s.Report.Places = append(s.Report.Places, sweep.PlaceFigures{
			Place: record.DatePlace{Name: name, UserWritable: i == 2 || i == 3}, Documents: 12000 - n*1000, Candidates: 11000 - n*1000, Won: 11000 >> (3 * i),
		})
	}
	s.Report.Places[0].Implausible = map[record.Reason]int64{record.NotATimestamp: 2, record.ImplausibleTimestamp: 31}
	s.Report.Places[3].Implausible = map[record.Reason]int64{record.WrongType: 1}
	s.Report.Places[4].Nobodys = 4
	s.Report.Collections = []sweep.CollectionFigures{
		{Collection: record.MonitoringCollection, Documents: 12000, Numeric: 5, Duplicates: 7, Nobodys: 1, Examples: []string{"94490510688792576", "94490510688792577"}},
		{Collection: record.UsersCollection, Documents: 300},
		{Collection: record.KVCollection, Documents: 9000, Duplicates: 4, Examples: []string{"1"}, Merged: 3, Left: 1},
		{Collection: record.LastSeenCollection, Documents: 9000, Numeric: 1, Examples: []string{"2"}, Renamed: 1},
		{Collection: record.APIKeysCollection, Documents: 9000, Keyless: 2, Removed: 2, Duplicates: 2, Examples: []string{"3", "4"}, Left: 2},
	}
	s.Report.Largest = []sweep.Recovery{
		{User: user, From: 1775185650, To: 1664641326, Place: "users.since"},
		{User: 1, From: 0, To: 1420070400, Place: "guild:911655453283848242"},
	}
	reasons := []sweep.LeftReason{sweep.LeftAPIKeys, sweep.LeftKV, sweep.LeftMalformed, sweep.LeftSize, sweep.LeftMany, sweep.LeftMoved, sweep.LeftTaken, sweep.LeftRefused, sweep.LeftTwice}
	for i, reason := range reasons {
		s.Report.Leftovers = append(s.Report.Leftovers, sweep.Leftover{Collection: record.UserCollections[i%5], User: user + record.UserID(i), Reason: reason})
	}
	return s
}

// cleanSweep is a report of a sweep that had nothing to do.
func cleanSweep() Sweep {
	s := fullSweep()
	s.Exit, s.Warnings = exit.Done, nil
	s.Report = sweep.Report{
		Complete: true, Users: 2, Columns: sweep.Columns{Unchanged: 2}, StartedAt: s.Report.StartedAt, Duration: 400 * time.Millisecond,
		Before: map[int]int64{2022: 2}, After: map[int]int64{2022: 2},
		Places:      []sweep.PlaceFigures{{Place: record.DatePlace{Name: "monitoring.since"}, Documents: 2, Candidates: 2, Won: 2}},
		Collections: []sweep.CollectionFigures{{Collection: record.MonitoringCollection, Documents: 2}},
	}
	return s
}

func goldenSweeps() map[string]Sweep {
	list := map[string]Sweep{"full": fullSweep(), "nothing": cleanSweep()}
	dedupe := fullSweep()
	dedupe.Report.Dedupe = true
	list["dedupe"] = dedupe

	done := fullSweep()
	done.Exit, done.Report.Leftovers, done.Report.LeftoversTotal, done.Report.Collections = exit.Done, nil, 0, nil
	list["done"] = done

	dry := fullSweep()
	dry.Report.DryRun, dry.Report.Dedupe, dry.Report.ID = true, true, ""
	dry.Again = dry.Again.With("dry-run")
	list["dry-run"] = dry

	check := done
	check.Report.DryRun, check.Report.ID, check.Check, check.Exit = true, "", true, exit.Differences
	check.Again = check.Again.With("check")
	list["check"] = check

	cut := fullSweep()
	cut.Exit, cut.Err = exit.Interrupted, record.ErrInterrupted
	list["interrupted"] = cut

	failed := fullSweep()
	failed.Exit, failed.Err = exit.Failed, errors.New("read monitoring of FerretDB 1.24.0: connection refused")
	list["failed"] = failed
	return list
}

func TestSweepsForPeople(t *testing.T) {
	for name, s := range goldenSweeps() {
		golden.Compare(t, "sweep/"+name+".txt", s.Text(ui.Style{Width: 100}))
	}
	golden.Compare(t, "sweep/full-60-columns.txt", fullSweep().Text(ui.Style{Width: 60, Blocks: true}))
	golden.Compare(t, "sweep/full-colour.txt", fullSweep().Text(ui.Style{Width: 100, Colour: true, Blocks: true}))
}

func TestSweepsForScripts(t *testing.T) {
	for name, s := range goldenSweeps() {
		var b bytes.Buffer
		if err := s.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "sweep/"+name+".json", b.String())
	}
}

// journalled sweeps, the newest first, one of which goes on.
func someSweeps() sweep.History {
	at := func(minutes int) time.Time { return time.Date(2026, 4, 3, 3, minutes, 0, 0, time.UTC) }
	alive := record.Owner{Host: "db-host", PID: 17, Run: "R1"}
	return sweep.History{
		Lease: record.Lease{Owner: alive, Heartbeat: at(50), Doing: "sweep 20260403-035000-0001"},
		Sweeps: []record.Sweep{
			{ID: "20260403-035000-0001", State: record.SweepRunning, Owner: alive, StartedAt: at(50), Version: "v1.2.3", Changes: 7},
			{ID: "20260403-034000-0002", State: record.SweepRunning, Owner: record.Owner{Host: "other\x1b[2J", PID: 18, Run: "R2"}, StartedAt: at(40),
				Changes: 1234, Options: "--redis redis://:hunter2@h --kv-dates never"},
			{ID: "20260403-033000-0003", State: record.SweepUndoing, StartedAt: at(30), EndedAt: at(31), UndoneAt: at(32), Changes: 3},
			{ID: "20260403-032000-0004", State: record.SweepInterrupted, StartedAt: at(20), EndedAt: at(21), Changes: 1},
			{ID: "20260403-031000-0005", State: record.SweepUndone, StartedAt: at(10), EndedAt: at(11), UndoneAt: at(12), Changes: 2},
			{ID: "20260403-030000-0006", State: record.SweepDone, StartedAt: at(0), EndedAt: at(1), Changes: 9, Options: "--dedupe"},
		},
	}
}

func TestTheListOfSweeps(t *testing.T) {
	l := SweepList{Run: Run{Target: "embedded:try", Database: "lanyard", Again: invocation.Invocation{Name: invocation.SweepList, Flags: []invocation.TypedFlag{{Name: "mongo", Values: []string{"embedded:try"}}}}}, History: someSweeps()}
	golden.Compare(t, "sweep/list.txt", l.Text(ui.Style{Width: 100}))
	golden.Compare(t, "sweep/list-empty.txt", SweepList{Run: l.Run}.Text(ui.Style{Width: 100}))
	var b bytes.Buffer
	if err := l.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "sweep/list.json", b.String())
}

func goldenUndos() map[string]SweepUndo {
	facts := Run{Target: "embedded:try", Database: "lanyard", Again: invocation.Invocation{Name: invocation.SweepUndo + " 20260403-030000-0006", Flags: []invocation.TypedFlag{{Name: "mongo", Values: []string{"embedded:try"}}}}}
	report := sweep.UndoReport{Complete: true, Restored: 1234, Already: 2, StartedAt: time.Date(2026, 4, 3, 3, 7, 30, 0, time.UTC), Duration: 3 * time.Second}
	undone := SweepUndo{Run: facts, ID: "20260403-030000-0006", Report: report}

	kept := undone
	kept.Exit, kept.Report.Moved, kept.Report.Refused = exit.Rejects, 2, 1
	kept.Report.Kept = []sweep.Leftover{{Collection: record.MonitoringCollection, User: 94490510688792576, Reason: sweep.LeftMoved},
		{Collection: record.APIKeysCollection, Reason: sweep.LeftTaken}}

	later := kept
	later.Report.Later = []string{"20260403-035000-0001", "20260403-034000-0002"}

	dry := undone
	dry.Report.DryRun, dry.Again = true, facts.Again.With("dry-run")

	cut := undone
	cut.Exit, cut.Err = exit.Interrupted, record.ErrInterrupted
	return map[string]SweepUndo{"undo": undone, "undo-kept": kept, "undo-later": later, "undo-dry-run": dry, "undo-interrupted": cut}
}

func TestTakingBackIsReported(t *testing.T) {
	for name, u := range goldenUndos() {
		golden.Compare(t, "sweep/"+name+".txt", u.Text(ui.Style{Width: 100}))
		var b bytes.Buffer
		if err := u.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, "sweep/"+name+".json", b.String())
	}
}

func TestAReportOfASweepIsOKExactlyWhenTheExitCodeIsZero(t *testing.T) {
	for _, code := range []int{exit.Done, exit.Failed, exit.Rejects, exit.Differences, exit.Interrupted} {
		s, u := fullSweep(), SweepUndo{Run: Run{Exit: code}}
		s.Exit = code
		for _, r := range []Report{s, u} {
			var b bytes.Buffer
			if err := r.WriteJSON(&b); err != nil {
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
}

func TestBarsAreAsLongAsTheirNumbersSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Int64Range(1, 1e12).Draw(t, "most")
		a, b := rapid.Int64Range(0, most).Draw(t, "a"), rapid.Int64Range(0, most).Draw(t, "b")
		width := rapid.IntRange(4, widestBar).Draw(t, "width")
		p := newBuilder(ui.Style{Blocks: rapid.Bool().Draw(t, "blocks")})
		// The ink of a bar, in eighths of a column.
		ink := func(bar string) int {
			n := 0
			for _, r := range bar {
				n += 1 + slices.Index([]rune("▏▎▍▌▋▊▉█"), r)
				if r == '#' {
					n += 8
				}
			}
			return n
		}
		barA, barB := p.bar(a, most, width), p.bar(b, most, width)
		if ui.Columns(barA) > width || (barA == "") != (a == 0) || ui.Columns(p.bar(most, most, width)) != width {
			t.Fatalf("%d of %d in %d: %q", a, most, width, barA)
		}
		if a < b && ink(barA) > ink(barB) {
			t.Fatalf("%d: %q, %d: %q", a, barA, b, barB)
		}
	})
}

func TestTheUsersOfASweepAddUpInItsReport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SliceOfN(rapid.Int64Range(0, 1e9), 6, 6).Draw(t, "counts")
		s := Sweep{Report: sweep.Report{Columns: sweep.Columns{Created: n[0], Changed: n[1], Merged: n[2], Unchanged: n[3], Undated: n[4], Left: n[5]}}}
		for _, v := range n {
			s.Report.Users += v
		}
		var total, sum int64
		for line := range strings.Lines(s.Text(ui.Style{})) {
			words := strings.Fields(line)
			if len(words) == 0 {
				continue
			}
			v, err := strconv.ParseInt(strings.ReplaceAll(words[0], ",", ""), 10, 64)
			switch {
			case err != nil:
			case strings.HasSuffix(line, "users:\n") || strings.HasSuffix(line, "user:\n"):
				total = v
			case strings.HasPrefix(line, "  "):
				sum += v
			}
		}
		if total != s.Report.Users || sum != total {
			t.Fatalf("%d users, %d below", total, sum)
		}
	})
}

func TestNoLineOfASweepIsWiderThanTheTerminal(t *testing.T) {
	for name, s := range goldenSweeps() {
		for line := range strings.Lines(s.Text(ui.Style{Width: 80, Blocks: true})) {
			line = strings.TrimSuffix(line, "\n")
			if n := ui.Columns(line); n > 80 && !strings.Contains(line, "lanyardctl") && !strings.Contains(line, "→") {
				t.Errorf("%s: %d columns: %s", name, n, line)
			}
		}
	}
}

func TestThePlanOfASweep(t *testing.T) {
	p := SweepPlan{Database: "lanyard", Dedupe: true, UserDates: sweep.NeverUserDates, Target: Endpoint{"mongodb://db1:27017", "MongoDB 7.0.14, replica set rs0"},
		Contents: map[record.Collection]int64{record.MonitoringCollection: 12345, record.MetricsCollection: 1},
		Dates:    []Endpoint{{"redis://:xxxxx@localhost:6379", "Redis 7.0.15, master, db 0, 12 keys"}, {"guild 1", "when its members joined, by Discord's API"}}}
	golden.Compare(t, "sweep/preflight.txt", p.Text(ui.Style{Width: 100}))
	p.DryRun, p.Dedupe, p.Dates, p.Contents = true, false, nil, nil
	golden.Compare(t, "sweep/preflight-dry-run.txt", p.Text(ui.Style{Width: 60, Colour: true}))
}

func TestASweepRunsOnlyWhileItsOwnerHasALivingLease(t *testing.T) {
	k := someSweeps()
	for i, want := range []string{"running", "killed", "partly-undone", "interrupted", "undone", "done"} {
		if got := k.State(k.Sweeps[i]); got != want {
			t.Errorf("%s: %s, want %s", k.Sweeps[i].ID, got, want)
		}
	}
	k.Lease = record.Lease{}
	if got := k.State(k.Sweeps[0]); got != "killed" {
		t.Errorf("without a lease: %s", got)
	}
}
