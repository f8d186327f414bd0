package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
)

// caughtUp is a run that changed nothing.
func caughtUp() Sync {
	return Sync{
		Pair: Pair{Source: "redis://:xxxxx@localhost:6379", Run: Run{
			Target: "mongodb://lanyard:xxxxx@db1:27017", Database: "lanyard", Now: goldenNow, CPU: 120 * time.Millisecond,
			Again: invocation.Invocation{Name: invocation.Sync, Flags: []invocation.TypedFlag{
				{Name: "redis", Values: []string{"redis://:hunter2@localhost:6379"}}, {Name: "until-caught-up"}, {Name: "on-conflict", Values: []string{"fail"}},
			}},
		}},
		Only: record.LanyardKinds, UntilCaughtUp: true,
		Report: mirror.Report{
			Agreed: true, StartedAt: goldenNow, Duration: 2500 * time.Millisecond, Quiet: goldenNow,
			Snapshot: mirror.Snapshot{State: mirror.Following, Way: record.Tracking, Sessions: 1, Reconciled: 1},
		},
	}
}

func goldenSyncs() map[string]Sync {
	all := map[string]Sync{"sync-caught-up": caughtUp()}

	rejects := caughtUp()
	rejects.Exit, rejects.Beside = exit.Rejects, true
	rejects.Report.Rejects, rejects.Report.RejectsFile, rejects.Report.EarlierRejects = 1042, "my rejects.ndjson", 7
	rejects.Report.Changes, rejects.Report.Quiet = 1, goldenNow.Add(time.Second)
	all["sync-rejects"] = rejects

	differences := caughtUp()
	differences.Exit = exit.Differences
	r := &differences.Report
	r.Agreed, r.Conflicts, r.Total, r.Reconciled = false, 12, 12, 2
	r.Kinds[record.KV][mirror.Conflicted], r.Kinds[record.APIKeys][mirror.Kept] = 11, 1
	for i := range record.UserID(12) {
		r.Differences = append(r.Differences, record.Difference{Kind: record.KV, User: 94490510688792576 + i, Field: "city", HasField: true, Type: record.DifferenceType(i % 3)})
	}
	all["sync-differences"] = differences

	lost := caughtUp()
	lost.Exit = exit.Differences
	lost.Report.State, lost.Report.Agreed, lost.Report.HeldBack = mirror.HoldingBack, false, 60
	lost.Report.Kinds[record.KV][mirror.HeldBack] = 60
	all["sync-held-back"] = lost

	stopped := caughtUp()
	stopped.UntilCaughtUp, stopped.Report.Agreed = false, false
	stopped.Again = stopped.Again.Without("until-caught-up")
	r = &stopped.Report
	r.Changes, r.Sessions, r.Reconciled, r.Duration, r.Waiting, r.Lag = 1234567, 2, 145, 26*time.Hour, 3, 20*time.Millisecond
	for kind := range r.Kinds {
		for fate := range r.Kinds[kind] {
			r.Kinds[kind][fate] = int64(1000*kind + fate)
		}
	}
	r.Latency = mirror.Latency{Sum: time.Minute, Most: 1900 * time.Millisecond}
	r.Latency.Counts[3], r.Latency.Counts[5], r.Latency.Counts[11] = 90, 9, 1
	r.SupersededFile, r.EarlierSuperseded = "sync.superseded.ndjson", 3
	stopped.Copied = &migrate.Report{Only: record.LanyardKinds, Duration: 3 * time.Second}
	stopped.Copied.Kinds[record.KV] = migrate.Counts{Read: 40, Inserted: 30, Unchanged: 10, Notes: map[record.Note]int64{record.NotJSON: 2}}
	stopped.Warnings = []string{"everybody on this machine can read the password in --redis: set REDIS_URI instead"}
	all["sync-stopped"] = stopped

	polling := caughtUp()
	polling.Again = stopped.Again
	polling.UntilCaughtUp, polling.Report.Way, polling.Report.Reconciled = false, record.Polling, 9
	polling.Report.Why = "the user may not run CLIENT TRACKING (ACL SETUSER reader +client|tracking)"
	all["sync-polling"] = polling

	blind := caughtUp()
	blind.Report.Way, blind.Report.Why = record.Polling, polling.Report.Why
	all["sync-caught-up-polling"] = blind

	standby := caughtUp()
	standby.Again = stopped.Again
	standby.UntilCaughtUp = false
	standby.Report.Snapshot = mirror.Snapshot{State: mirror.Standby}
	all["sync-standby"] = standby

	failed := caughtUp()
	failed.Exit, failed.Err = exit.Failed, errors.New("follow redis localhost:6379: the user may not run GETRANGE")
	failed.Report.Agreed, failed.Report.Snapshot = false, mirror.Snapshot{State: mirror.Connecting, Sessions: 1}
	all["sync-failed"] = failed

	interrupted := caughtUp()
	interrupted.Exit, interrupted.Err, interrupted.Report.Agreed = exit.Interrupted, record.ErrInterrupted, false
	all["sync-interrupted"] = interrupted
	return all
}

func TestASyncForPeople(t *testing.T) {
	for name, s := range goldenSyncs() {
		golden.Compare(t, name+".txt", s.Text(ui.Style{Width: 80}))
	}
}

func TestASyncForScripts(t *testing.T) {
	for name, s := range goldenSyncs() {
		var b bytes.Buffer
		if err := s.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name+".json", b.String())
		var told struct{ OK, Agreed bool }
		if err := json.Unmarshal(b.Bytes(), &told); err != nil || told.OK != (s.Exit == exit.Done) || strings.Contains(b.String(), "hunter2") {
			t.Errorf("%s: %v\n%s", name, err, &b)
		}
	}
}
