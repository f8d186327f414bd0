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
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/discord"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// shownChanges is a journal with changes of every kind.
type shownChanges struct {
	record.Journal
	n   int
	err error
}

func (j shownChanges) Sweeps(context.Context) ([]record.Sweep, error) {
	at := time.Date(2026, 4, 3, 3, 0, 0, 0, time.UTC)
	return []record.Sweep{{ID: "20260403-030000-0006", State: record.SweepDone, StartedAt: at, EndedAt: at.Add(time.Minute), Changes: 9, Options: "--dedupe"}}, nil
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
			o := targetOptions{target: location.TargetOptions{Location: location.Location{URI: "embedded:try"}, MongoSettings: location.MongoSettings{Database: "lanyard"}}, outputFlags: outputFlags{output: form},
				again: invocation.Invocation{Name: invocation.SweepShow + " x", Flags: []invocation.TypedFlag{{Name: "mongo", Values: []string{"embedded:try"}}, {Name: "max-changes", Values: []string{"2"}}}}}
			r := newTargetRun(o, streams{out: &stdout, err: io.Discard, program: programOf()}, ui.NewSanitizer())
			err := showSweep(t.Context(), r, test.journal, new(mem.Leases), "20260403-030000-0006", test.most)
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
			golden.Compare(t, "sweep/show-"+name+ending, stdout.String())
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
		"busy":           {&lease.BusyError{Lease: record.Lease{Doing: "sweep x", Owner: record.Owner{Host: "h"}}}, exit.Failed, list},
		"taken over":     {lease.ErrLost, exit.Failed, list},
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
	checkGiven(cmd)
	if err := cmd.Flags().Parse(append([]string{"--mongo", "embedded:x"}, args...)); err != nil {
		return sweepOptions{}, calledWrong(cmd, cmd, args, err)
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
	if o, err = parseSweep(t, p, "--redis", "rdb:x", "--kv-dates", "last-resort", "--memory", "3MiB", "--check"); err != nil ||
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
		"--guild one":                          {exit.Usage, "is not a Discord guild id"},
		"--kv-dates some":                      {exit.Usage, "count, last-resort or never"},
		"--memory 0":                           {exit.Usage, "--memory: \"0\" is too little"},
		"--memory 2GiB":                        {exit.Usage, "--memory"},
		"--timeout 0s":                         {exit.Usage, "--timeout"},
		"--quiet --verbose":                    {exit.Usage, "contradict"},
		"--discord-api https://h":              {exit.Usage, "--discord-api without --guild"},
		"--temp-dir nowhere":                   {exit.Failed, "--temp-dir"},
		"--temp-dir file":                      {exit.Failed, "is not a folder"},
		"--database a/b":                       {exit.Usage, "cannot be the name"},
		"TOKEN --guild 1 --discord-api ftp://": {exit.Usage, "--discord-api"},
		"TOKEN --guild a-token-of-discord":     {exit.Usage, "is not a Discord guild id"},
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
		golden.Compare(t, "sweep/help-"+strings.ReplaceAll(name, " ", "-")+".txt", stdout)
	}
}
