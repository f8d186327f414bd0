package mongo_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// TestGuardOfMongoDB reads the filter that only MongoDB takes.
func TestGuardOfMongoDB(t *testing.T) {
	before := bson.D{
		{Key: "_id", Value: bson.D{{Key: "$ref", Value: "x"}}}, {Key: "user_id", Value: int64(7)}, {Key: "since", Value: 5.0},
		{Key: "a.b", Value: 1.0}, {Key: "$c", Value: 1.0}, {Key: "", Value: 1.0}, {Key: "min", Value: bson.MinKey{}}, {Key: "same", Value: "x"},
	}
	after := bson.D{{Key: "_id", Value: before[0].Value}, {Key: "user_id", Value: "7"}, {Key: "since", Value: int64(5)}, {Key: "same", Value: "x"}, {Key: "new", Value: 1}}
	filter := func(before, after bson.D) string {
		step := record.Step{Before: encoded(t, before)}
		if after != nil {
			step.After = encoded(t, after)
		}
		return bson.Raw(encoded(t, mongo.AsReadByMongoDB(step))).String()
	}
	want := func(filter bson.D) string { return bson.Raw(encoded(t, filter)).String() }
	same := bson.E{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{
		bson.D{{Key: "$cmp", Value: bson.A{"$$ROOT", bson.D{{Key: "$literal", Value: before}}}}}, int32(0),
	}}}}
	id := bson.E{Key: "_id", Value: bson.D{{Key: "$eq", Value: before[0].Value}}}
	is := func(name string, number int32) bson.E {
		return bson.E{Key: name, Value: bson.D{{Key: "$type", Value: number}}}
	}
	absent := bson.E{Key: "new", Value: bson.D{{Key: "$exists", Value: false}}}
	if d := cmp.Diff(want(bson.D{id, is("user_id", 18), is("since", 1), is("min", -1), absent, same}), filter(before, after)); d != "" {
		t.Errorf("for a replacement (-want +got):\n%s", d)
	}
	if d := cmp.Diff(want(bson.D{id, same}), filter(before, nil)); d != "" {
		t.Errorf("for a removal (-want +got):\n%s", d)
	}
	large := bson.D{{Key: "_id", Value: "x"}, {Key: "kv", Value: strings.Repeat("x", 8<<20)}}
	size := bson.E{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{bson.D{{Key: "$bsonSize", Value: "$$ROOT"}}, int32(len(encoded(t, large)))}}}}
	if d := cmp.Diff(want(bson.D{{Key: "_id", Value: "x"}, size}), filter(large, large)); d != "" {
		t.Errorf("for what does not fit into a statement twice (-want +got):\n%s", d)
	}
}

// interrupted returns documents that are read and written through a client which calls a function just before its first
// command of the name.
func (f *fixture) interrupted(command string, now func()) *mongo.Documents {
	f.t.Helper()
	var once sync.Once
	client, err := driver.Connect(options.Client().ApplyURI(f.uri).SetMonitor(&event.CommandMonitor{
		Started: func(_ context.Context, e *event.CommandStartedEvent) {
			if e.CommandName == command {
				once.Do(now)
			}
		},
	}))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	store, err := mongo.OpenWith(context.Background(), client, f.name)
	if err != nil {
		f.t.Fatal(err)
	}
	if store.Info().Server == "FerretDB" {
		store.AsMongoDB()
	}
	return store.Documents()
}

// TestStepsMeetOthers has somebody else write after the documents were read and before they are changed. Guards by type
// are those that FerretDB takes as well.
func TestStepsMeetOthers(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	const c = record.MonitoringCollection
	for name, test := range map[string]struct {
		command string
		then    storetest.Fields // what stands there meanwhile; nil for nothing
		want    record.StepResult
	}{
		"changed":                 {"update", storetest.Fields{"_id": "x", "user_id": "7", "since": "text"}, record.StepModified},
		"a field more":            {"update", storetest.Fields{"_id": "x", "user_id": int64(7), "since": 5.0, "new": "x"}, record.StepModified},
		"removed":                 {"update", nil, record.StepModified},
		"made what it shall be":   {"update", storetest.Fields{"_id": "x", "user_id": "7", "since": int64(1664641326), "new": "y"}, record.StepDone},
		"inserted":                {"insert", storetest.Fields{"_id": "7", "user_id": "7"}, record.StepDuplicate},
		"removed what was to go":  {"delete", nil, record.StepDone},
		"unlike what was written": {"update", storetest.Fields{"_id": "x", "user_id": int64(7), "since": int64(5)}, record.StepModified},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, uri)
			target := f.documentsTarget()
			id := target.Put(c, storetest.Fields{"_id": "x", "user_id": int64(7), "since": 5.0})
			other := target.Put(c, storetest.Fields{"_id": "y", "user_id": int64(8), "since": 5.0})
			docs, err := f.store.Documents().Whole(context.Background(), c, []string{id, other}, record.DefaultMaxDocument)
			if err != nil || len(docs) != 2 {
				t.Fatal(err)
			}
			if docs[0].ID != id {
				docs[0], docs[1] = docs[1], docs[0]
			}
			step := record.Step{Collection: c, ID: id, Before: docs[0].Raw, After: encoded(t, bson.D{
				{Key: "_id", Value: "x"}, {Key: "new", Value: "y"}, {Key: "since", Value: int64(1664641326)}, {Key: "user_id", Value: "7"},
			})}
			switch test.command {
			case "insert":
				step.After = encoded(t, bson.D{{Key: "_id", Value: "7"}, {Key: "since", Value: int64(5)}})
				step.ID, step.Before = stringID(t, bson.D{{Key: "_id", Value: "7"}}), nil
			case "delete":
				step.After = nil
			}
			d := f.interrupted(test.command, func() {
				if test.then == nil {
					target.Remove(c, id)
				} else {
					target.Put(c, test.then)
				}
			})
			beside := d.Joined(record.Join{Collection: c, User: 8, Documents: docs[1:], Decision: record.Decision{Write: true, Time: 6}})
			results, err := d.Apply(context.Background(), []record.Step{step, beside})
			if err != nil {
				t.Fatal(err)
			}
			if want := []record.StepResult{test.want, record.StepDone}; !cmp.Equal(want, results) {
				t.Errorf("results %v, want %v", results, want)
			}
			if test.then != nil {
				now := stringID(t, bson.D{{Key: "_id", Value: test.then["_id"]}})
				if d := cmp.Diff(test.then, target.All(c)[now]); d != "" {
					t.Errorf("somebody else's work is lost (-want +got):\n%s", d)
				}
			}
		})
	}
}

// TestStepsOfLargeDocuments reads and changes more than a reply or a command can hold.
func TestStepsOfLargeDocuments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	const c = record.KVCollection
	d := f.store.Documents()
	var ids []string
	for i := range record.UserID(6) {
		user := (alice + i).String()
		f.insert("kv", bson.D{{Key: "_id", Value: user}, {Key: "user_id", Value: int64(alice + i)}, {Key: "kv", Value: bson.D{{Key: "a", Value: strings.Repeat("x", 9<<20)}}}})
		ids = append(ids, stringID(t, bson.D{{Key: "_id", Value: user}}))
	}
	var steps []record.Step
	again(t, func() error {
		docs, err := d.Whole(context.Background(), c, ids, 64<<20)
		steps = nil
		for i := range docs {
			steps = append(steps, d.Joined(record.Join{Collection: c, User: docs[i].User, Documents: docs[i : i+1]}))
		}
		return err
	})
	if len(steps) != len(ids) {
		t.Fatalf("%d documents", len(steps))
	}
	again(t, func() error {
		results, err := d.Apply(context.Background(), steps)
		for i, got := range results {
			if got != record.StepDone && got != record.StepNoop {
				t.Errorf("step %d has the result %d", i, got)
			}
		}
		return err
	})
}

// TestStepsThatFerretDBDoesNotCarryOut has steps that it refuses, or takes for no change, among others.
func TestStepsThatFerretDBDoesNotCarryOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ferretdb.Start(t).URI)
	const c = record.MonitoringCollection
	step := func(id string, was, becomes any) record.Step {
		before := bson.D{{Key: "_id", Value: id}, {Key: "a", Value: was}}
		if was != nil {
			f.insert(c.String(), before)
		}
		s := record.Step{Collection: c, ID: stringID(t, before), After: encoded(t, bson.D{{Key: "_id", Value: id}, {Key: "a", Value: becomes}})}
		if was != nil {
			s.Before = encoded(t, before)
		}
		return s
	}
	refused := bson.D{{Key: "b.c", Value: 1}}
	results, err := f.store.Documents().Apply(context.Background(), []record.Step{
		step("first", "x", "y"),
		step("dotted", "x", refused),
		step("nested", bson.D{{Key: "n", Value: 1.0}}, bson.D{{Key: "n", Value: int64(1)}}),
		step("new", nil, "y"),
		step("new and dotted", nil, refused),
		step("last", "x", "y"),
	})
	want := []record.StepResult{record.StepDone, record.StepRefused, record.StepRefused, record.StepDone, record.StepRefused, record.StepDone}
	if err != nil || !cmp.Equal(want, results) {
		t.Errorf("results %v, want %v: %v", results, want, err)
	}
	if n := len(f.documents(c.String())); n != 5 {
		t.Errorf("%d documents", n)
	}
}

// TestOutlineSparesPairs counts the bytes that the server sends.
func TestOutlineSparesPairs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	for i := range record.UserID(3) {
		f.insert("kv", bson.D{{Key: "user_id", Value: (alice + i).String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: strings.Repeat("x", 1<<20)}, {Key: record.OlderTimeField, Value: 5}}}})
	}
	var mu sync.Mutex
	sent := 0
	client, err := driver.Connect(options.Client().ApplyURI(f.uri).SetMonitor(&event.CommandMonitor{
		Succeeded: func(_ context.Context, e *event.CommandSucceededEvent) {
			mu.Lock()
			defer mu.Unlock()
			sent += len(e.Reply)
		},
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	store, err := mongo.OpenWith(context.Background(), client, f.name)
	if err != nil {
		t.Fatal(err)
	}
	dates := 0
	err = store.Documents().Outline(context.Background(), record.KVCollection, func(page []record.Document) error {
		for _, d := range page {
			dates += len(d.Held.Times)
		}
		return nil
	})
	if err != nil || dates != 3 {
		t.Errorf("%d dates: %v", dates, err)
	}
	mu.Lock()
	defer mu.Unlock()
	if sent > 100_000 {
		t.Errorf("the server sent %d bytes", sent)
	}
}

// TestFewOfManyDocumentsAreLookedUp counts commands: a collection that is scanned takes many.
func TestFewOfManyDocumentsAreLookedUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ferretdb.Start(t).URI)
	var batch []record.Record
	for i := range record.UserID(1000) {
		batch = append(batch, record.Record{Kind: record.MonitoringSince, User: alice + i, Time: 1664641326})
	}
	f.write(f.sink(record.LanyardKinds), &keeper{}, batch...)
	h, w := f.watched()
	whole := func(n int) (finds, more int) {
		t.Helper()
		var ids []string
		for _, r := range batch[:n] {
			ids = append(ids, stringID(t, bson.D{{Key: "_id", Value: r.User.String()}}))
		}
		finds, more = w.count("find"), w.count("getMore")
		docs, err := h.Store.Documents().Whole(context.Background(), record.MonitoringCollection, ids, 64<<20)
		if err != nil || len(docs) != n {
			t.Fatalf("%d documents of %d: %v", len(docs), n, err)
		}
		return w.count("find") - finds, w.count("getMore") - more
	}
	if finds, more := whole(5); finds != 5 || more != 0 {
		t.Errorf("5 documents take %d finds and %d replies more", finds, more)
	}
	if finds, more := whole(50); finds != 1 || more == 0 {
		t.Errorf("50 documents take %d finds and %d replies more", finds, more)
	}
}

func TestStepsWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	_, store, proxy := behindProxy(t)
	d, j, l := store.Documents(), store.Journal(), store.Leases()
	const c = record.MonitoringCollection
	step := d.Joined(record.Join{Collection: c, User: alice, Decision: record.Decision{Write: true, Time: 5}})
	change := record.Change{Sweep: "s", Seq: 1, Collection: c, Action: record.ActionCreated, Steps: []record.Step{step}}
	lease := record.Lease{Owner: record.Owner{Run: "r"}}
	proxy.Refuse(true)
	proxy.Cut()
	ctx := context.Background()
	_, applyErr := d.Apply(ctx, []record.Step{step})
	_, wholeErr := d.Whole(ctx, c, []string{step.ID}, record.DefaultMaxDocument)
	_, leaseErr := l.TakeLease(ctx, lease, lease.Owner)
	_, keepErr := l.KeepLease(ctx, lease)
	for operation, err := range map[string]error{
		"apply": applyErr, "whole": wholeErr, "take the lease": leaseErr, "keep the lease": keepErr,
		"outline": d.Outline(ctx, c, func([]record.Document) error { return nil }),
		"append":  j.Append(ctx, []record.Change{change}),
		"amend":   j.Amend(ctx, []record.Change{change}),
		"changes": j.Changes(ctx, "s", func([]record.Change) error { return nil }),
		"list":    j.List(ctx, "s", func([]record.Change) error { return nil }),
		"save":    j.SaveSweep(ctx, record.Sweep{ID: "s"}),
	} {
		if !errors.Is(err, record.ErrUnavailable) {
			t.Errorf("%s while the server is away: %v", operation, err)
		}
	}
}
