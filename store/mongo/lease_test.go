package mongo_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// TestTheLeaseOfSweepsIsWhereEveryVersionLooksForIt holds the form of it, so that a sweep of an older version that is
// at work is respected, and respects this one.
func TestTheLeaseOfSweepsIsWhereEveryVersionLooksForIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	at := time.UnixMilli(1_775_000_000_123).UTC()
	stored := func(run string) bson.M {
		return bson.M{
			"_id": "lease", "host": "h.example", "pid": int64(17), "run": run, "heartbeat": bson.NewDateTimeFromTime(at), "doing": "sweep a",
		}
	}
	older := bson.D{}
	for name, v := range stored("older") {
		older = append(older, bson.E{Key: name, Value: v})
	}
	f.insert(mongo.SweepsCollection, older)
	lease := record.Lease{Name: record.SweepLease, Owner: record.Owner{Host: "h.example", PID: 17, Run: "older"}, Heartbeat: at, Doing: "sweep a"}
	leases := f.store.Leases()
	if got, held, err := leases.Lease(t.Context(), record.SweepLease); err != nil || !held || got != lease {
		t.Errorf("%+v, %v, %v", got, held, err)
	}
	if sweeps, err := f.store.Journal().Sweeps(t.Context()); err != nil || len(sweeps) > 0 {
		t.Errorf("the lease is among the sweeps: %+v, %v", sweeps, err)
	}
	mine := lease
	mine.Owner.Run = "newer"
	if won, err := leases.TakeLease(t.Context(), mine, mine.Owner); err != nil || won {
		t.Errorf("taken from who has it: %v, %v", won, err)
	}
	if won, err := leases.TakeLease(t.Context(), mine, lease.Owner); err != nil || !won {
		t.Errorf("not taken over: %v, %v", won, err)
	}
	if d := cmp.Diff([]bson.M{stored("newer")}, f.documents(mongo.SweepsCollection)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestACheckpointOfAnOlderVersionIsFound holds the form of checkpoints, so that its run is resumed.
func TestACheckpointOfAnOlderVersionIsFound(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	at := time.UnixMilli(1_775_000_000_123).UTC()
	pair := func(name, value string) bson.A {
		return bson.A{bson.D{{Key: "name", Value: name}, {Key: "value", Value: value}}}
	}
	f.insert(mongo.CheckpointCollection, bson.D{
		{Key: "_id", Value: "run"}, {Key: "scope", Value: "s"}, {Key: "host", Value: "h"}, {Key: "pid", Value: int64(17)}, {Key: "run", Value: "older"},
		{Key: "heartbeat", Value: at}, {Key: "target", Value: pair("kv", "u")}, {Key: "rejects_file", Value: "/r"},
		{Key: "positions", Value: pair("127.0.0.1:6379", "5")}, {Key: "state", Value: []byte("{}")},
	})
	want := []record.Checkpoint{{
		ID: "run", Scope: "s", Owner: record.Owner{Host: "h", PID: 17, Run: "older"}, Heartbeat: at, Target: map[string]string{"kv": "u"},
		RejectsFile: "/r", Positions: map[string]string{"127.0.0.1:6379": "5"}, State: []byte("{}"),
	}}
	checkpoints := f.store.Checkpoints()
	found, err := checkpoints.Find(t.Context(), "s")
	for i := range found {
		found[i].Heartbeat = found[i].Heartbeat.UTC()
	}
	if d := cmp.Diff(want, found); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	mine := want[0]
	mine.Owner = record.Owner{Host: "h", PID: 18, Run: "newer"}
	if won, err := checkpoints.Save(t.Context(), mine, want[0].Owner); err != nil || !won {
		t.Errorf("not taken over: %v, %v", won, err)
	}
}
