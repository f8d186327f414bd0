package mongo_test

import (
	"context"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// compared returns what comparing r with the only document of its kind finds.
func (f *fixture) compared(r record.Record, policy record.Policy) []record.Difference {
	f.t.Helper()
	all := readBack(f.t, f.store.Reader(mongo.ReaderOptions{}), r.Kind)
	if len(all) != 1 || all[0].User != r.User {
		f.t.Fatalf("%+v", all)
	}
	return record.Compare(r, all[0], record.CompareOptions{Policy: policy, Now: storetest.Now}).Differences
}

// TestDocumentsWithoutAKey writes a key where none is, in each form in which BSON can have none.
func TestDocumentsWithoutAKey(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	const key = "lnyd_0123456789abcdef0123456789abcdef"
	r := record.Record{Kind: record.APIKeys, User: alice, APIKey: key, Origin: record.Origin{Key: "api_key:" + key, Raw: alice.String()}}
	for name, c := range map[string]struct {
		key  bson.D
		lost string
	}{
		"nothing": {nil, ""},
		"null":    {bson.D{{Key: "key", Value: nil}}, ""},
		"empty":   {bson.D{{Key: "key", Value: ""}}, ""},
		"int32":   {bson.D{{Key: "key", Value: int32(5)}}, "5"},
		"double":  {bson.D{{Key: "key", Value: 1.5}}, "1.5"},
		"boolean": {bson.D{{Key: "key", Value: false}}, "false"},
	} {
		for _, policy := range []record.Policy{record.FailOnConflict, record.PreferSource, record.PreferTarget} {
			for _, asMongoDB := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, policy %s, as MongoDB: %t", name, policy, asMongoDB), func(t *testing.T) {
					t.Parallel()
					f := newFixture(t, uri)
					if asMongoDB {
						f.store.AsMongoDB()
					}
					f.insert("api_keys", append(bson.D{{Key: "user_id", Value: alice.String()}, {Key: "extra", Value: "stays"}}, c.key...))
					if found := f.compared(r, policy); len(found) != 1 || found[0].Field != "key" || found[0].Type != record.Missing {
						t.Errorf("before: %+v", found)
					}
					sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds, Policy: policy})
					if err != nil {
						t.Fatal(err)
					}
					if err := sink.Begin(context.Background(), (&keeper{}).keep); err != nil {
						t.Fatal(err)
					}
					k := &keeper{}
					for i, want := range []record.Status{record.Updated, record.Unchanged} {
						if o := f.write(sink, k, r)[0]; o.Status != want {
							t.Errorf("write %d: %+v", i, o)
						}
					}
					if lost := len(k.kept); lost != min(1, len(c.lost)) || lost == 1 && k.kept[0].Value.Data != c.lost {
						t.Errorf("lost %+v, want %q", k.kept, c.lost)
					}
					if found := f.compared(r, policy); len(found) != 0 {
						t.Errorf("after: %+v", found)
					}
					documents := f.documents("api_keys")
					if d := documents[0]; len(documents) != 1 || d["key"] != key || d["extra"] != "stays" || d["created_at"] == nil {
						t.Errorf("%v", documents)
					}
				})
			}
		}
	}
}

// TestAppMakesItsCountersWhileHiddenOnesAreWritten lets the app, which does not find the counters, insert its own between
// the moment in which they are read and the one in which they get their type.
func TestAppMakesItsCountersWhileHiddenOnesAreWritten(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	for _, asMongoDB := range []bool{false, true} {
		t.Run(fmt.Sprintf("as MongoDB: %t", asMongoDB), func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, uri)
			if asMongoDB {
				f.store.AsMongoDB()
			}
			f.put(record.Metrics, 0, mem.Document{Hidden: true, Fields: values{"a": int64(1), "b": int64(1), "c": int64(9)}})
			sink := f.sink(record.LanyardKinds)
			r := record.Record{Kind: record.Metrics, Fields: map[string]record.Field{"a": {Value: int64(5)}, "b": {Value: int64(5)}}}
			inserted := false
			_, err := sink.Write(context.Background(), []record.Record{r}, func([]record.Superseded) error {
				if !inserted {
					inserted = true
					f.insert("metrics", bson.D{{Key: "type", Value: "global"}, {Key: "a", Value: int64(7)}, {Key: "b", Value: int64(0)}})
				}
				return nil
			})
			if err == nil {
				err = sink.Finish(context.Background(), (&keeper{}).keep)
			}
			if err != nil || !inserted {
				t.Fatal(inserted, err)
			}
			documents := f.documents("metrics")
			if d := documents[0]; len(documents) != 1 || d["type"] != "global" || d["a"] != int64(7) || d["b"] != int64(5) || d["c"] != int64(9) {
				t.Errorf("%v", documents)
			}
			if found := f.compared(r, record.FailOnConflict); len(found) != 0 {
				t.Errorf("%+v", found)
			}
		})
	}
}
