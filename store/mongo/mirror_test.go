package mongo_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

func (f *fixture) mirror() *mongo.Sink {
	f.t.Helper()
	sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{
		Kinds: record.LanyardKinds, Mirror: true, Now: func() time.Time { return storetest.Now },
	})
	if err == nil {
		err = sink.Begin(context.Background(), func([]record.Superseded) error { return nil })
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return sink
}

// TestAMirrorAddsNothingButItsMark mirrors records that documents of the app's say already, each with a field of its own.
func TestAMirrorAddsNothingButItsMark(t *testing.T) {
	t.Parallel()
	for name, uri := range map[string]string{"server": mongoserver.URI(t), "with guards": guardedServer(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, uri)
			then := bson.NewDateTimeFromTime(storetest.Now.AddDate(-1, 0, 0))
			user := bson.E{Key: "user_id", Value: alice.String()}
			for collection, doc := range map[string]bson.D{
				"api_keys":   {user, {Key: "key", Value: "lnyd_1"}, {Key: "created_at", Value: then}, {Key: "lanyardctl", Value: "text"}},
				"kv":         {user, {Key: "app", Value: int32(1)}, {Key: "kv", Value: bson.D{{Key: "b", Value: 7.0}, {Key: "a", Value: int32(1)}}}},
				"last_seen":  {user, {Key: "timestamp", Value: int64(1775185650417)}, {Key: "updated_at", Value: then}, {Key: "app", Value: "x"}},
				"monitoring": {user, {Key: "since", Value: int32(1664641326)}, {Key: "lanyardctl", Value: bson.D{}}},
			} {
				f.insert(collection, append(bson.D{{Key: "_id", Value: "the app's"}}, doc...))
			}
			records := []record.Record{
				{Kind: record.APIKeys, User: alice, APIKey: "lnyd_1"},
				kv(alice, values{"a": int64(1), "b": int64(7)}),
				{Kind: record.LastSeen, User: alice, Time: 1775185650417},
				{Kind: record.MonitoringSince, User: alice, Time: 1664641326},
			}
			sink, k := f.mirror(), &keeper{}
			before := make(map[string]bson.M)
			for _, r := range records {
				before[collection(r.Kind)] = f.documents(collection(r.Kind))[0]
			}
			for i, o := range f.write(sink, k, records...) {
				r := records[i]
				c := collection(r.Kind)
				want := maps.Clone(before[c])
				want["lanyardctl"] = bson.D{{Key: "digest", Value: r.Digest().String()}}
				if d := cmp.Diff([]bson.M{want}, f.documents(c)); d != "" || o.Status != record.Updated {
					t.Errorf("%s in column %d (-want +got):\n%s", c, o.Status, d)
				}
			}
			for i, o := range f.write(sink, k, records...) {
				if o.Status != record.Unchanged {
					t.Errorf("%s in column %d the second time", records[i].Kind, o.Status)
				}
			}
			if len(k.kept) > 0 {
				t.Errorf("gave way: %v", k.kept)
			}
		})
	}
}

// TestAMirrorLeavesWhatCannotBeMarked mirrors what documents say already that have no room for the mark, or that nothing is
// written to.
func TestAMirrorLeavesWhatCannotBeMarked(t *testing.T) {
	t.Parallel()
	f := newFixture(t, guardedServer(t))
	long := strings.Repeat("x", 1000)
	f.insert("kv", bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: long}}}})
	f.insert("kv", bson.D{{Key: "_id", Value: 2}, {Key: "user_id", Value: bob.String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: "1"}, {Key: "a", Value: "1"}}}})
	f.store.SetMaxDocument(1100)
	before := f.documents("kv")
	for i, o := range f.write(f.mirror(), &keeper{}, kv(alice, values{"a": long}), kv(bob, values{"a": "1"})) {
		if o.Status != record.Unchanged || len(o.Rejects) > 0 {
			t.Errorf("record %d in column %d, rejects %v", i, o.Status, o.Rejects)
		}
	}
	if d := cmp.Diff(before, f.documents("kv")); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
}

// TestATimeThatIsMergedIsMarkedNoMore merges a time, without a mirror, over one that a mirror wrote.
func TestATimeThatIsMergedIsMarkedNoMore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	seen := record.Record{Kind: record.LastSeen, User: alice, Time: 1775185650417}
	f.write(f.mirror(), &keeper{}, seen)
	if got := f.all(record.LastSeen)[alice].Mark; got != seen.Digest().String() {
		t.Errorf("the mark is %q", got)
	}
	seen.Time++
	f.write(f.sink(record.LanyardKinds), &keeper{}, seen)
	if d := f.all(record.LastSeen)[alice]; d.Mark != "" || d.Times["timestamp"] != seen.Time {
		t.Errorf("%+v", d)
	}
}

func TestAKeyIsNobodysWhereItsDocumentIs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	for i, user := range []any{alice.String(), int64(bob), "nobody", nil} {
		f.insert("api_keys", bson.D{{Key: "user_id", Value: user}, {Key: "key", Value: string(rune('a' + i))}})
	}
	got, err := f.store.APIKeyOwners(context.Background(), []string{"a", "b", "c", "d"})
	if err != nil || !maps.Equal(got, map[string]record.UserID{"a": alice}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestTheMarkIsWithinTheSizeOfADocument(t *testing.T) {
	for _, r := range oneOfEachKind() {
		if got, most := len(mongo.NewMirrored(r, storetest.Now)), r.DocumentSize(); got > most {
			t.Errorf("%s: %d bytes are more than %d", r.Kind, got, most)
		}
	}
}
