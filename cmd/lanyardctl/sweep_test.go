package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	"github.com/lanyardctl/lanyardctl/store/discord"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// fullSweep is a report with something in every place.
func fullSweep() sweeping {
	const user = record.UserID(94490510688792576)
	s := sweeping{
		runFacts: runFacts{
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
			Place: record.Place{Name: name, ByUser: i == 2 || i == 3}, Documents: 12000 - n*1000, Candidates: 11000 - n*1000, Won: 11000 >> (3 * i),
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
	reasons := []sweep.LeftReason{sweep.LeftAPIKeys, sweep.LeftKV, sweep.LeftJunk, sweep.LeftSize, sweep.LeftMany, sweep.LeftMoved, sweep.LeftTaken, sweep.LeftRefused, sweep.LeftTwice}
	for i, reason := range reasons {
		s.Report.Leftovers = append(s.Report.Leftovers, sweep.Leftover{Collection: record.UserCollections[i%5], User: user + record.UserID(i), Reason: reason})
	}
	return s
}

// cleanSweep is a report of a sweep that had nothing to do.
func cleanSweep() sweeping {
	s := fullSweep()
	s.Exit, s.Warnings = exit.Done, nil
	s.Report = sweep.Report{
		Complete: true, Users: 2, Columns: sweep.Columns{Unchanged: 2}, StartedAt: s.Report.StartedAt, Duration: 400 * time.Millisecond,
		Before: map[int]int64{2022: 2}, After: map[int]int64{2022: 2},
		Places:      []sweep.PlaceFigures{{Place: record.Place{Name: "monitoring.since"}, Documents: 2, Candidates: 2, Won: 2}},
		Collections: []sweep.CollectionFigures{{Collection: record.MonitoringCollection, Documents: 2}},
	}
	return s
}

func goldenSweeps() map[string]sweeping {
	list := map[string]sweeping{"full": fullSweep(), "nothing": cleanSweep()}
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
		golden(t, "sweep/"+name+".txt", s.Text(ui.Style{Width: 100}))
	}
	golden(t, "sweep/full-60-columns.txt", fullSweep().Text(ui.Style{Width: 60, Blocks: true}))
	golden(t, "sweep/full-colour.txt", fullSweep().Text(ui.Style{Width: 100, Colour: true, Blocks: true}))
}

func TestSweepsForScripts(t *testing.T) {
	for name, s := range goldenSweeps() {
		var b bytes.Buffer
		if err := s.writeJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, "sweep/"+name+".json", b.String())
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
	l := listing{runFacts: runFacts{Target: "embedded:try", Database: "lanyard", Again: invocation.Invocation{Name: invocation.SweepList, Flags: []invocation.TypedFlag{{Name: "mongo", Values: []string{"embedded:try"}}}}}, History: someSweeps()}
	golden(t, "sweep/list.txt", l.Text(ui.Style{Width: 100}))
	golden(t, "sweep/list-empty.txt", listing{runFacts: l.runFacts}.Text(ui.Style{Width: 100}))
	var b bytes.Buffer
	if err := l.writeJSON(&b); err != nil {
		t.Fatal(err)
	}
	golden(t, "sweep/list.json", b.String())
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

// shownChanges is a journal with changes of every kind.
type shownChanges struct {
	record.Journal
	n   int
	err error
}

func (j shownChanges) Sweeps(context.Context) ([]record.Sweep, error) {
	return someSweeps().Sweeps, nil
}

func (j shownChanges) Lease(context.Context) (record.Lease, bool, error) {
	return record.Lease{}, false, nil
}

func (j shownChanges) List(_ context.Context, _ string, yield func([]record.Change) error) error {
	for i := j.n; i > 0; i-- {
		c := record.Change{Seq: int64(i), User: record.UserID(94490510688792576 + i), Collection: record.UserCollections[i%5], Action: record.ActionMerged}
		if c.Collection == record.MonitoringCollection {
			c.Action, c.From, c.To, c.Place = record.ActionChanged, 1775185650, 1664641326, "users.since"
		}
		if err := yield([]record.Change{c}); err != nil {
			return err
		}
	}
	return j.err
}

func TestASweepIsShownAsItsChangesCome(t *testing.T) {
	boom := errors.New("read the journal: connection refused")
	for name, test := range map[string]struct {
		journal shownChanges
		most    int
	}{
		"all": {shownChanges{n: 6}, 0}, "cut": {shownChanges{n: 6}, 2}, "exactly": {shownChanges{n: 6}, 6}, "none": {shownChanges{}, 100}, "failed": {shownChanges{n: 1, err: boom}, 0},
	} {
		for _, form := range []string{outputText, outputJSON} {
			var stdout bytes.Buffer
			o := targetOptions{target: location.TargetOptions{Location: location.Location{URI: "embedded:try"}, Database: "lanyard"}, outputFlags: outputFlags{output: form},
				again: invocation.Invocation{Name: invocation.SweepShow + " x", Flags: []invocation.TypedFlag{{Name: "mongo", Values: []string{"embedded:try"}}, {Name: "max-changes", Values: []string{"2"}}}}}
			r := newTargetRun(o, streams{out: &stdout, err: io.Discard, program: programOf()}, ui.NewSanitizer())
			err := showSweep(t.Context(), r, test.journal, "20260403-030000-0006", test.most)
			if failed := test.journal.err != nil; failed != (err != nil) || failed && exit.CodeOf(err) != exit.Failed {
				t.Errorf("%s: %v", name, err)
			}
			ending := ".txt"
			if form == outputJSON {
				ending = ".json"
				var got struct {
					List []json.RawMessage
					OK   bool
				}
				if err := json.Unmarshal(stdout.Bytes(), &got); err != nil || got.OK == (test.journal.err != nil) {
					t.Errorf("%s: %v, %v", name, got.OK, err)
				}
			}
			golden(t, "sweep/show-"+name+ending, stdout.String())
		}
	}
}

func goldenUndos() map[string]undoing {
	facts := runFacts{Target: "embedded:try", Database: "lanyard", Again: invocation.Invocation{Name: invocation.SweepUndo + " 20260403-030000-0006", Flags: []invocation.TypedFlag{{Name: "mongo", Values: []string{"embedded:try"}}}}}
	report := sweep.UndoReport{Complete: true, Restored: 1234, Already: 2, StartedAt: time.Date(2026, 4, 3, 3, 7, 30, 0, time.UTC), Duration: 3 * time.Second}
	undone := undoing{runFacts: facts, id: "20260403-030000-0006", Report: report}

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
	return map[string]undoing{"undo": undone, "undo-kept": kept, "undo-later": later, "undo-dry-run": dry, "undo-interrupted": cut}
}

func TestTakingBackIsReported(t *testing.T) {
	for name, u := range goldenUndos() {
		golden(t, "sweep/"+name+".txt", u.Text(ui.Style{Width: 100}))
		var b bytes.Buffer
		if err := u.writeJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden(t, "sweep/"+name+".json", b.String())
	}
}

func TestAReportOfASweepIsOKExactlyWhenTheExitCodeIsZero(t *testing.T) {
	for _, code := range []int{exit.Done, exit.Failed, exit.Rejects, exit.Differences, exit.Interrupted} {
		s, u := fullSweep(), undoing{runFacts: runFacts{Exit: code}}
		s.Exit = code
		for _, r := range []report{s, u} {
			var b bytes.Buffer
			if err := r.writeJSON(&b); err != nil {
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

func TestTheExitCodeOfASweep(t *testing.T) {
	boom := errors.New("boom")
	for name, test := range map[string]struct {
		check  bool
		report sweep.Report
		err    error
		want   int
	}{
		"nothing to do":               {false, sweep.Report{}, nil, exit.Done},
		"done":                        {false, sweep.Report{Changes: 1}, nil, exit.Done},
		"something left":              {false, sweep.Report{Changes: 1, LeftoversTotal: 1}, nil, exit.Rejects},
		"a dry run with changes":      {false, sweep.Report{Changes: 1, DryRun: true}, nil, exit.Done},
		"a check without changes":     {true, sweep.Report{DryRun: true}, nil, exit.Done},
		"a check with changes":        {true, sweep.Report{Changes: 1, DryRun: true}, nil, exit.Differences},
		"changes come before left":    {true, sweep.Report{Changes: 1, LeftoversTotal: 1, DryRun: true}, nil, exit.Differences},
		"left alone":                  {true, sweep.Report{LeftoversTotal: 1, DryRun: true}, nil, exit.Rejects},
		"an error comes before both":  {true, sweep.Report{Changes: 1, LeftoversTotal: 1, DryRun: true}, boom, exit.Failed},
		"an interruption before that": {true, sweep.Report{Changes: 1, DryRun: true}, record.ErrInterrupted, exit.Interrupted},
		"duplicates are no leftovers": {false, sweep.Report{Collections: []sweep.CollectionFigures{{Duplicates: 3}}}, nil, exit.Done},
	} {
		o := sweepOptions{check: test.check}
		run := &sweepRun{newTargetRun(targetOptions{}, streams{out: io.Discard, err: io.Discard, program: programOf()}, ui.NewSanitizer()), o}
		if got := exit.CodeOf(run.report(&test.report, test.err)); got != test.want {
			t.Errorf("%s: exit %d, want %d", name, got, test.want)
		}
	}
	for want, report := range map[int]sweep.UndoReport{exit.Done: {Restored: 1, Already: 1}, exit.Rejects: {Restored: 1, Refused: 1}} {
		run := newTargetRun(targetOptions{}, streams{program: programOf()}, ui.NewSanitizer())
		if got := exit.CodeOf(undoOutcome(run, &report, nil)); got != want {
			t.Errorf("undo: exit %d, want %d", got, want)
		}
	}
}

func TestErrorsOfSweepsKnowTheNextStep(t *testing.T) {
	a := invocation.Invocation{Name: invocation.Sweep, Flags: []invocation.TypedFlag{{Name: "mongo", Values: []string{"embedded:try"}}, {Name: "dedupe", Values: nil}}}
	run := &sweepRun{newTargetRun(targetOptions{again: a, target: location.TargetOptions{Location: location.Location{URI: "mongodb://h"}}}, streams{program: programOf()}, ui.NewSanitizer()), sweepOptions{redis: &location.SourceOptions{Location: location.Location{URI: "redis://h"}}}}
	const list = "lanyardctl sweep list --mongo embedded:try"
	for name, test := range map[string]struct {
		err  error
		code int
		hint string
	}{
		"busy":           {&sweep.BusyError{Lease: record.Lease{Doing: "sweep x", Owner: record.Owner{Host: "h"}}}, exit.Failed, list},
		"taken over":     {sweep.ErrLeaseLost, exit.Failed, list},
		"unknown":        {sweep.ErrUnknown, exit.Failed, list},
		"temporary file": {fmt.Errorf("%w: %w", sweep.ErrTempFile, fs.ErrNotExist), exit.Failed, "--temp-dir"},
		"no connection":  {&discord.Error{Reason: errors.Join(discord.ErrUnreachable, record.ErrUnavailable)}, exit.Failed, "--members FILE needs no Discord"},
		"the token":      {&discord.Error{Reason: discord.ErrToken}, exit.Failed, location.TokenVariable},
		"the bot":        {&discord.Error{Reason: discord.ErrForbidden}, exit.Failed, "Server Members Intent"},
		"the guild":      {&discord.Error{Reason: discord.ErrGuild}, exit.Failed, "--guild"},
		"the address":    {&discord.Error{Reason: discord.ErrAddress}, exit.Usage, "https://discord.com/api"},
		"the file":       {&discord.Error{Reason: discord.ErrNotMembers}, exit.Failed, "joined_at"},
		"the target":     {fmt.Errorf("find: %w", mongo.ErrPermission), exit.Failed, "readWrite"},
		"something else": {errors.New("boom"), exit.Failed, "run the same command again"},
	} {
		var said strings.Builder
		err := run.explain(fmt.Errorf("do: %w", test.err), true)
		exit.Print(&said, err)
		if exit.CodeOf(err) != test.code || !strings.Contains(said.String(), "\nhint: ") || !strings.Contains(said.String(), test.hint) {
			t.Errorf("%s: exit %d, %s", name, exit.CodeOf(err), &said)
		}
	}
	duplicates := func(field string) string {
		var said strings.Builder
		err := &mongo.DuplicatesError{Collection: "kv", Field: field, Values: []string{"null", "94490510688792576"}}
		o := location.TargetOptions{Location: location.Location{URI: "embedded:try"}, Dedupe: "lanyardctl sweep --mongo embedded:try --dedupe"}
		exit.Print(&said, location.Default().ExplainTarget(err, o))
		return said.String()
	}
	if said := duplicates("user_id"); !strings.Contains(said, "lanyardctl sweep --mongo embedded:try --dedupe") {
		t.Error(said)
	}
	if said := duplicates("type"); strings.Contains(said, "sweep") || !strings.Contains(said, "hint: ") {
		t.Error(said)
	}
}

// parseSweep reads flags as a person types them.
func parseSweep(t *testing.T, p program, args ...string) (sweepOptions, error) {
	t.Helper()
	var f sweepFlags
	cmd := &cobra.Command{}
	f.bind(cmd)
	if err := cmd.Flags().Parse(append([]string{"--mongo", "embedded:x"}, args...)); err != nil {
		t.Fatal(err)
	}
	return f.options(p, time.Now(), cmd.Flags())
}

func TestFlagsOfASweep(t *testing.T) {
	t.Chdir(t.TempDir())
	p := programOf("REDIS_URI", "redis://:hunter2@h:6379", "BOT_TOKEN", "Bot a-token-of-discord")
	o, err := parseSweep(t, p)
	if err != nil || o.redis != nil || o.dryRun || o.check || o.memory != sweep.DefaultMemory || o.userDates != sweep.CountUserDates {
		t.Errorf("without flags: %+v, %v", o, err)
	}
	if o, err = parseSweep(t, p, "--redis", "env"); err != nil || o.redis == nil || o.redis.From != "REDIS_URI" {
		t.Errorf("--redis env: %+v, %v", o.redis, err)
	}
	if o, err = parseSweep(t, p, "--redis", "rdb:x", "--kv-dates", "last-resort", "--memory", "3", "--check"); err != nil ||
		o.redis.URI != "rdb:x" || o.userDates != sweep.LastResortUserDates || o.memory != 3<<20 || !o.check || !o.dryRun || !o.target.ReadOnly {
		t.Errorf("%+v, %v", o, err)
	}
	o, err = parseSweep(t, p, "--guild", "2,1", "--guild", "2", "--members", "a.json", "--redis", "redis://:hunter2@h", "--dedupe", "--dry-run", "--check")
	if err != nil || !slices.Equal(o.discord.Guilds, []record.UserID{1, 2}) || len(o.discord.Members) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	if got, want := o.described(), "--dedupe --guild 2,1,2 --members a.json --redis redis://:xxxxx@h"; got != want {
		t.Errorf("described as %s, want %s", got, want)
	}
	if len(o.warnings) != 1 || !strings.Contains(o.warnings[0], "the password in --redis") {
		t.Errorf("%q", o.warnings)
	}
	for url, warned := range map[string]bool{"http://127.0.0.1:1": false, "http://localhost/api": false, "http://discord.example": true, "https://discord.example": false} {
		if o, err = parseSweep(t, p, "--guild", "1", "--discord-api", url); err != nil || (len(o.warnings) > 0) != warned {
			t.Errorf("%s: %q, %v", url, o.warnings, err)
		}
	}
}

func TestFlagsOfASweepThatCannotBe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for line, test := range map[string]struct {
		code int
		says string
	}{
		"--redis=":                             {exit.Usage, "--redis is empty"},
		"--redis env":                          {exit.Usage, "no Redis is named"},
		"--redis http://h":                     {exit.Usage, "unknown scheme"},
		"--guild 1":                            {exit.Usage, location.TokenVariable},
		"--guild one":                          {exit.Usage, "no Discord guild id"},
		"--guild=":                             {exit.Usage, "guild id"},
		"--members=":                           {exit.Usage, "no file named"},
		"--kv-dates some":                      {exit.Usage, "count, last-resort or never"},
		"--memory 0":                           {exit.Usage, "--memory: 0 MiB"},
		"--memory 9999999":                     {exit.Usage, "--memory"},
		"--timeout 0s":                         {exit.Usage, "--timeout"},
		"--quiet --verbose":                    {exit.Usage, "contradict"},
		"--discord-api https://h":              {exit.Usage, "--discord-api without --guild"},
		"--temp-dir nowhere":                   {exit.Failed, "--temp-dir"},
		"--temp-dir file":                      {exit.Failed, "is no folder"},
		"--database a/b":                       {exit.Usage, "cannot be the name"},
		"TOKEN --guild 1 --discord-api ftp://": {exit.Usage, "--discord-api"},
		"TOKEN --guild a-token-of-discord":     {exit.Usage, "no Discord guild id"},
	} {
		p := programOf()
		if rest, ok := strings.CutPrefix(line, "TOKEN "); ok {
			p, line = programOf("BOT_TOKEN", "a-token-of-discord"), rest
		}
		_, err := parseSweep(t, p, strings.Fields(line)...)
		var said strings.Builder
		if err != nil {
			exit.Print(&said, err)
		}
		if exit.CodeOf(err) != test.code || !strings.Contains(said.String(), test.says) || !strings.Contains(said.String(), "\nhint: ") || strings.Contains(said.String(), "a-token") {
			t.Errorf("%s: exit %d, %s", line, exit.CodeOf(err), &said)
		}
	}
}

func TestTheTokenIsHiddenWhereverItStands(t *testing.T) {
	const token = "MTE0.x.secret-of-the-bot"
	red := ui.NewSanitizer("mongodb://u:hunter2@h").Hiding(token)
	for _, text := range []string{"the token " + token + " is refused", fmt.Sprintf("%q", token), "hunter2 " + token} {
		if got := red.Text(text); strings.Contains(got, token) || strings.Contains(got, "hunter2") || !strings.Contains(got, "xxxxx") {
			t.Error(got)
		}
	}
	if got := ui.NewSanitizer().Hiding("").Text("nothing is hidden"); got != "nothing is hidden" {
		t.Error(got)
	}
}

func TestBarsAreAsLongAsTheirNumbersSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		most := rapid.Int64Range(1, 1e12).Draw(t, "most")
		a, b := rapid.Int64Range(0, most).Draw(t, "a"), rapid.Int64Range(0, most).Draw(t, "b")
		width := rapid.IntRange(4, widestBar).Draw(t, "width")
		p := newReportText(ui.Style{Blocks: rapid.Bool().Draw(t, "blocks")})
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

func TestBlocksAreForTerminalsThatHaveThem(t *testing.T) {
	for name, test := range map[string]struct {
		env  func(string) string
		want bool
	}{
		"UTF-8": {exittest.Environment("LANG", "en_US.UTF-8"), true}, "in lower case": {exittest.Environment("LANG", "de_DE.utf8"), true}, "none": {exittest.Environment(), false},
		"Latin": {exittest.Environment("LANG", "de_DE.ISO8859-1"), false}, "the first counts": {exittest.Environment("LC_ALL", "C", "LANG", "en_US.UTF-8"), false},
		"characters": {exittest.Environment("LC_CTYPE", "C.UTF-8", "LANG", "C"), true}, "a terminal that can nothing": {exittest.Environment("LANG", "C.UTF-8", "TERM", "dumb"), false},
	} {
		if got := ui.DrawsBlocks(test.env); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if ui.StyleOf(io.Discard, exittest.Environment("LANG", "C.UTF-8")).Blocks {
		t.Error("blocks where no terminal is")
	}
}

func TestTheUsersOfASweepAddUpInItsReport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.SliceOfN(rapid.Int64Range(0, 1e9), 6, 6).Draw(t, "counts")
		s := sweeping{Report: sweep.Report{Columns: sweep.Columns{Created: n[0], Changed: n[1], Merged: n[2], Unchanged: n[3], Undated: n[4], Left: n[5]}}}
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

func TestASweepThatNeverBeganIsReportedToScripts(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, test := range map[string]struct {
		line string
		want int
		said string
	}{
		"no folder":       {"sweep", exit.Failed, "does not exist"},
		"no folder, list": {"sweep list", exit.Failed, "does not exist"},
		"no folder, show": {"sweep show x", exit.Failed, "does not exist"},
		"no folder, undo": {"sweep undo x", exit.Failed, "does not exist"},
		"no members":      {"sweep --members nowhere.json", exit.Failed, "nowhere.json"},
		"no dump":         {"sweep --redis rdb:nowhere.rdb", exit.Failed, "nowhere.rdb"},
		"a wrong call":    {"sweep --kv-dates x", exit.Usage, ""},
	} {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := call(append(strings.Fields(test.line), "--mongo", "embedded:missing", "--output", "json")...)
			if code != test.want || !strings.Contains(stderr, "\nhint: ") {
				t.Errorf("exit %d, stderr %s", code, stderr)
			}
			if test.said == "" {
				if stdout != "" {
					t.Error(stdout)
				}
				return
			}
			var got struct {
				Command, Error string
				OK             bool
			}
			if err := json.Unmarshal([]byte(stdout), &got); err != nil || got.OK || !strings.Contains(got.Error, test.said) || !strings.HasPrefix(test.line, got.Command) {
				t.Errorf("%s, %v", stdout, err)
			}
			if code, stdout, _ := call(append(strings.Fields(test.line), "--mongo", "embedded:missing")...); code != test.want || stdout != "" {
				t.Errorf("for people: exit %d, %s", code, stdout)
			}
		})
	}
	if _, err := os.Stat("missing"); err == nil {
		t.Error("the folder was made")
	}
	if list, err := filepath.Glob("*"); err != nil || len(list) > 0 {
		t.Errorf("%q, %v", list, err)
	}
}

func TestTheHelpOfSweep(t *testing.T) {
	for _, name := range []string{"sweep", "sweep list", "sweep show", "sweep undo"} {
		code, stdout, stderr := call(append(strings.Fields(name), "--help")...)
		if code != exit.Done || stderr != "" {
			t.Errorf("%s: exit %d, %s", name, code, stderr)
		}
		golden(t, "sweep/help-"+strings.ReplaceAll(name, " ", "-")+".txt", stdout)
	}
}

func TestThePlanOfASweep(t *testing.T) {
	p := sweepPlan{Database: "lanyard", Dedupe: true, UserDates: sweep.NeverUserDates, Target: endpoint{"mongodb://db1:27017", "MongoDB 7.0.14, replica set rs0"},
		Contents: map[record.Collection]int64{record.MonitoringCollection: 12345, record.MetricsCollection: 1},
		Dates:    []endpoint{{"redis://:xxxxx@localhost:6379", "Redis 7.0.15, master, db 0, 12 keys"}, {"guild 1", "when its members joined, by Discord's API"}}}
	golden(t, "sweep/preflight.txt", p.Text(ui.Style{Width: 100}))
	p.DryRun, p.Dedupe, p.Dates, p.Contents = true, false, nil, nil
	golden(t, "sweep/preflight-dry-run.txt", p.Text(ui.Style{Width: 60, Colour: true}))
}
