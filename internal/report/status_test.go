package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/golden"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// wellStatus is that of two stores with nothing wrong.
func wellStatus() StatusReport {
	return StatusReport{
		Layer: Layer{Mode: persistence.Both, Now: goldenNow, Redis: "redis://:xxxxx@localhost:6379/3", Mongo: "mongodb://lanyard:xxxxx@db1:27017/?replicaSet=rs0",
			Database: "lanyard", Warnings: []string{"everybody on this machine can read the password in --redis: set REDIS_URI instead"},
			Again: invocation.Invocation{Name: invocation.Status, Flags: []invocation.TypedFlag{
				{Name: "redis", Values: []string{"redis://:hunter2@localhost:6379/3"}}, {Name: "mongo", Values: []string{"mongodb://lanyard:hunter2@db1:27017/?replicaSet=rs0"}},
				{Name: "app", Values: []string{"fork"}}, {Name: "timeout", Values: []string{"5s"}},
			}}},
		Stores: []StoreStatus{
			{Name: "MongoDB", URI: "mongodb://lanyard:xxxxx@db1:27017/?replicaSet=rs0", Database: "lanyard", Survey: record.Survey{
				Servers: []record.Server{
					{Name: "MongoDB", Version: "7.0.14", Addr: "db1:27017", Role: "primary", Part: "replica set rs0", Ping: 412 * time.Microsecond, TLS: true, Lag: 2 * time.Second, HasLag: true, Keeps: "journal"},
					{Name: "MongoDB", Addr: "db2:27017", Role: "secondary", Part: "replica set rs0", TLS: true, Lag: 2 * time.Second, HasLag: true},
				},
				Counts: []record.PlaceCount{
					{Place: "monitoring", Kind: record.MonitoringSince, Count: 1000123, Estimated: true}, {Place: "kv", Kind: record.KV, Count: 845, Estimated: true},
					{Place: "last_seen", Kind: record.LastSeen, Estimated: true}, {Place: "metrics", Kind: record.Metrics, Count: 1},
				},
			}},
			{Name: "Redis", URI: "redis://:xxxxx@localhost:6379/3", Database: "3", Survey: record.Survey{
				Servers: []record.Server{{Name: "Valkey", Version: "8.0.1", Addr: "127.0.0.1:6379", Role: "master", Part: "standalone", Ping: 98 * time.Microsecond, Keeps: "append-only file, fsync everysec"}},
				Counts: []record.PlaceCount{
					{Place: "lanyard_kv:", Kind: record.KV, Count: 12, Estimated: true}, {Place: "lanyard:user_kv:", Kind: record.KV, Count: 845, Estimated: true},
					{Place: "user_api_key:", Kind: record.APIKeys, Count: 7},
				},
			}},
		},
		Told: true,
		Runs: []record.EndedRun{{Command: invocation.Migrate, Options: "--only kv", Version: "v1", Host: "here", StartedAt: goldenNow.Add(-2 * time.Hour),
			EndedAt: goldenNow.Add(-100 * time.Minute), Exit: 3, Read: 1234567, Inserted: 1200000, Updated: 567, Conflicts: 7, Rejected: 3}},
		Sync: &RunningSync{Alive: true, Lease: record.Lease{Name: mirror.SyncLease, Owner: record.Owner{Host: "here", PID: 4711, Run: "RUN2"}, Heartbeat: goldenNow.Add(-time.Second),
			Doing: "sync of redis://:xxxxx@localhost:6379/3: following (tracking), 0 waiting, lag 0s"}},
		Sweeps: sweep.History{Sweeps: []record.Sweep{{ID: "20260331-030730-ab12", State: record.SweepDone, StartedAt: goldenNow.Add(-72 * time.Hour), EndedAt: goldenNow.Add(-71 * time.Hour), Changes: 1250}}},
	}
}

// illStatus has every fault.
func illStatus() StatusReport {
	s := wellStatus()
	s.Exit = exit.Differences
	s.Sweeps.Sweeps[0].State = record.SweepInterrupted
	users := []string{"94490510688792576", "94490510688792577"}
	mongo, redis := &s.Stores[0].Survey, &s.Stores[1].Survey
	mongo.Unchecked = []string{"kv: its documents were not all looked at in time (numeric user ids, pairs of the wrong type)"}
	mongo.Faults = []record.Fault{
		{Code: record.MissingIndex, Place: "kv", Field: "user_id"},
		{Code: record.UnfitIndex, Place: "last_seen", Field: "user_id", Detail: "user_id_1"},
		{Code: record.DuplicateUsers, Place: "kv", Field: "user_id", Count: 12, Estimated: true, Users: users},
		{Code: record.DuplicateUsers, Place: "monitoring", Field: "user_id", Count: 1, Users: users[:1]},
		{Code: record.NobodysDocuments, Place: "kv", Field: "user_id", Count: 2, Users: []string{`"x"`, "null"}},
		{Code: record.SharedAPIKey, Place: "api_keys", Field: "key", Count: 3, Users: users},
		{Code: record.NumericUsers, Place: "last_seen", Field: "user_id", Count: 1, Users: users[:1]},
		{Code: record.UnreadableTime, Place: "last_seen", Field: "timestamp", Count: 2, Users: users},
		{Code: record.UnreadableTime, Place: "monitoring", Field: "since", Count: 2, Users: users},
		{Code: record.UnreadablePairs, Place: "kv", Field: "kv", Count: 2, Users: users},
		{Code: record.UnreadableCount, Place: "metrics", Field: "lanyard_2xx_responses", Count: 2, Detail: `{"lanyard_2xx_responses":"","lanyard_4xx_responses":""}`},
		{Code: record.UntypedCounters, Place: "metrics", Count: 1},
		{Code: record.SeveralCounters, Place: "metrics", Count: 2, Detail: `ObjectId("65a1b2c3d4e5f60718293a4b")`},
		{Code: record.InterruptedRun, Place: "lanyardctl_progress", Count: 1, Detail: "RUN1"},
		{Code: record.MemberDown, Place: "replica set rs0", Count: 1, Detail: "db3:27017 (not reachable/healthy)"},
		{Code: record.NotPrimary, Place: "db2:27017", Detail: "db1:27017"},
	}
	redis.Faults = []record.Fault{
		{Code: record.HalfAPIKey, Place: "user_api_key:", Count: 2, Users: users},
		{Code: record.StrayAPIKey, Place: "api_key:", Count: 11, Users: users[:1]},
		{Code: record.LayoutsDiffer, Place: "lanyard_kv:", Count: 1, Users: users[:1]},
		{Code: record.WrongTypes, Place: "lanyard_kv:", Count: 1, Users: users[:1]},
		{Code: record.WrongTypes, Place: "api_key:", Count: 1},
		{Code: record.Expires, Place: "lanyard:user_kv:", Count: 40, Estimated: true, Users: users[:1]},
		{Code: record.NotKept, Place: "127.0.0.1:6379"},
		{Code: record.SaveFails, Place: "127.0.0.1:6379", Detail: "the last snapshot"},
		{Code: record.Evicts, Place: "127.0.0.1:6379", Detail: "allkeys-lru"},
		{Code: record.ReadOnly, Place: "127.0.0.1:6379", Detail: "10.0.0.1:6379"},
		{Code: record.ReplicaAlone, Place: "127.0.0.1:6379", Detail: "without 10.0.0.1:6379 for 5s"},
	}
	return s
}

func goldenStatus() map[string]StatusReport {
	all := map[string]StatusReport{"status-well": wellStatus(), "status-ill": illStatus()}
	failed := wellStatus()
	failed.Exit, failed.Err = exit.Failed, errors.New("open redis localhost:6379: unreachable: connection refused")
	failed.Stores[1] = StoreStatus{Name: "Redis", URI: failed.Redis, Err: failed.Err}
	failed.Told, failed.Runs, failed.Sync, failed.Sweeps = false, nil, nil, sweep.History{}
	all["status-failed"] = failed
	all["status-lite"] = StatusReport{Layer: Layer{App: record.Upstream, Mode: persistence.Lite, Now: goldenNow, Again: invocation.Invocation{Name: invocation.Status}}}
	empty := wellStatus()
	empty.Sync = nil
	empty.Stores[0].Counts, empty.Runs, empty.Sweeps = nil, nil, sweep.History{}
	all["status-migrate-next"] = empty
	again := wellStatus()
	again.Runs[0].Exit = exit.Failed
	again.Sync.Alive, again.Sync.Heartbeat = false, goldenNow.Add(-3*time.Minute)
	all["status-migrate-again"] = again
	return all
}

func TestTheStatusForPeople(t *testing.T) {
	for name, s := range goldenStatus() {
		golden.Compare(t, name+".txt", s.Text(ui.Style{Width: 100}))
	}
}

func TestTheStatusForScripts(t *testing.T) {
	for name, s := range goldenStatus() {
		var b bytes.Buffer
		if err := s.WriteJSON(&b); err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, name+".json", b.String())
		if !json.Valid(b.Bytes()) || strings.Contains(b.String(), "hunter2") {
			t.Errorf("%s: %s", name, &b)
		}
	}
}

// TestEachFaultHasItsWords has every code in the order of mending, with a text and something to do.
func TestEachFaultHasItsWords(t *testing.T) {
	s, met := illStatus(), make(map[record.FaultCode]bool)
	for _, f := range s.Faults() {
		met[f.Code] = true
		if !slices.Contains(mendOrder, f.Code) || strings.HasPrefix(f.text(), string(f.Code)) || len(s.mend(f)) == 0 {
			t.Errorf("%+v: %q, %+v", f.Fault, f.text(), s.mend(f))
		}
	}
	for _, code := range mendOrder {
		if !met[code] {
			t.Errorf("no %s", code)
		}
	}
}

func TestWhatStandsInACommandIsObeyedByNobody(t *testing.T) {
	s := wellStatus()
	s.Stores[0].Faults = []record.Fault{
		{Code: record.UnfitIndex, Place: "kv", Field: "user_id", Detail: "\u202e\x1b[2J\"});db.dropDatabase()"},
		{Code: record.InterruptedRun, Place: "lanyardctl_progress", Detail: strings.Repeat("x", 1<<20)},
	}
	text := s.Text(ui.Style{})
	if strings.ContainsAny(text, "\x1b\u202e") || len(text) > 10_000 || !strings.Contains(text, `\"});db`) {
		t.Errorf("%q", text)
	}
}
