package mongo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// change changes pairs of alice's.
func change(t testing.TB, p record.Persistence, set values, unset ...string) {
	t.Helper()
	_, err := p.UpdatePairs(context.Background(), record.Fork, alice, func(e record.Entry) (record.PairChange, error) {
		if e.Fault != "" {
			return record.PairChange{}, errors.New(e.Fault)
		}
		return record.PairChange{Set: set, Unset: unset}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestMarksStayTrue migrates after changes of pairs that were made in both stores: what lanyardctl alone wrote follows the
// source, and what the app wrote does not.
func TestMarksStayTrue(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	app := []bson.E{has("kv", bson.D{has("a", "1"), has("b", "app")})}
	for name, c := range map[string]struct {
		app      []bson.E      // what the app wrote before
		migrated values        // what was migrated before
		set      values        // and then
		source   values        // what the source has in the end
		want     record.Status // of its migration
	}{
		"a new document that the source equals":             {nil, nil, values{"a": "1"}, values{"a": "1"}, record.Unchanged},
		"a new document that the source changes":            {nil, nil, values{"a": "1", "b": "2"}, values{"a": "2"}, record.Updated},
		"a document of a migration that the source equals":  {nil, values{"a": "1", "b": "2"}, values{"a": "9"}, values{"a": "9", "b": "2"}, record.Unchanged},
		"a document of a migration that the source changes": {nil, values{"a": "1", "b": "2"}, values{"a": "9"}, values{"a": "9", "b": "3"}, record.Updated},
		"a document of the app's that the source equals":    {app, nil, values{"a": "9"}, values{"a": "9", "b": "app"}, record.Unchanged},
		"a document of the app's that the source changes":   {app, nil, values{"a": "9"}, values{"a": "9", "b": "3"}, record.Conflicted},
		"a value that changes nothing":                      {app, nil, values{"a": "1"}, values{"a": "2"}, record.Conflicted},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, uri)
			if c.app != nil {
				f.insert("kv", of(c.app...))
			}
			sink := f.target(storetest.Options{}).Sink
			if c.migrated != nil {
				f.write(sink, &keeper{}, kv(alice, c.migrated))
			}
			change(t, f.store.Persistence(), c.set)
			if got := f.write(sink, &keeper{}, kv(alice, c.source))[0].Status; got != c.want {
				t.Errorf("migrated: %v, want %v", got, c.want)
			}
		})
	}
}

// TestMarksOfAPIKeys migrates after a key was given: it is lanyardctl's, whoever gave the one before.
func TestMarksOfAPIKeys(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	for name, before := range map[string][]bson.E{
		"none": nil, "another": {has("key", "old"), has("lanyardctl", bson.D{has("digest", "x")})}, "the same": {has("key", "new"), has("created_at", storetest.Now)},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, uri)
			if before != nil {
				f.insert("api_keys", of(before...))
			}
			if _, err := f.store.Persistence().GiveAPIKey(context.Background(), record.Fork, alice, "new"); err != nil {
				t.Fatal(err)
			}
			if at := f.documents("api_keys")[0]["created_at"].(bson.DateTime).Time(); at.Equal(storetest.Now) != (name == "the same") {
				t.Errorf("created at %s", at)
			}
			sink := f.target(storetest.Options{}).Sink
			for i, want := range []record.Status{record.Unchanged, record.Updated} {
				key := record.Record{Kind: record.APIKeys, User: alice, APIKey: []string{"new", "newer"}[i]}
				if got := f.write(sink, &keeper{}, key)[0].Status; got != want {
					t.Errorf("the key %q: %v, want %v", key.APIKey, got, want)
				}
			}
		})
	}
}

// TestTheNoteStaysBesideTheCounters migrates and verifies counters beside which lanyardctl noted something.
func TestTheNoteStaysBesideTheCounters(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	p := f.store.Persistence()
	note := func() (noted string) {
		t.Helper()
		err := p.UpdateCounters(context.Background(), func(_ record.Entry, note []byte) (map[string]record.Value, []byte, error) {
			noted = string(note)
			return values{"c": int64(5)}, []byte("noted"), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return noted
	}
	note()
	target := f.target(storetest.Options{})
	counters := record.Record{Kind: record.Metrics, Fields: map[string]record.Field{"c": {Value: int64(7)}, "new": {Value: 1.5}}}
	for _, want := range []record.Status{record.Updated, record.Unchanged} {
		if got := f.write(target.Sink, &keeper{}, counters)[0].Status; got != want {
			t.Errorf("migrated: %v, want %v", got, want)
		}
	}
	err := target.Reader.Read(context.Background(), record.Metrics, func(page []record.Document) error {
		for _, d := range page {
			if c := record.Compare(counters, d, record.CompareOptions{Exact: true, Now: storetest.Now}); len(c.Differences) > 0 || len(d.Held.Fields) != 2 {
				t.Errorf("verified: %+v, %v", c, d.Held.Fields)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if got := note(); got != "noted" {
		t.Errorf("the note is %q", got)
	}
	doc := f.documents("metrics")[0]
	if doc["_id"] != "global" || doc["type"] != "global" || doc["updated_at"] == nil || len(f.documents("metrics")) != 1 {
		t.Errorf("%v", doc)
	}
}

// TestPairsKeepTheirPlaceAndEncoding reads the document as it is afterwards.
func TestPairsKeepTheirPlaceAndEncoding(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.insert("kv", bson.D{
		has("_id", int32(5)), has("other", bson.D{has("z", int32(1))}), has("kv", bson.D{has("z", int32(1)), has("gone", "x"), has("b", 2.0), has("a", "y")}), has("user_id", alice.String()),
	})
	change(t, f.store.Persistence(), values{"b": int64(2), "a": int64(3), "new": nil}, "gone")
	want := encoded(t, bson.D{
		has("_id", int32(5)), has("other", bson.D{has("z", int32(1))}), has("kv", bson.D{has("z", int32(1)), has("b", 2.0), has("a", int64(3)), has("new", nil)}), has("user_id", alice.String()),
	})
	for _, doc := range f.dump("kv") {
		if d := cmp.Diff(bson.Raw(want).String(), bson.Raw(doc).String()); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

func TestDocumentsThatNobodyCanChangeAreLeftAlone(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	uri := mongoserver.URI(t)
	set := func(record.Entry) (record.PairChange, error) { return record.PairChange{Set: values{"a": "2"}}, nil }
	for name, c := range map[string]struct {
		collection string
		documents  []bson.D
		want       string
	}{
		"two of a user":         {"kv", []bson.D{of(has("kv", bson.D{has("a", "1")})), of()}, "change the pairs of user 94490510688792576 in kv: one of 2 documents, of which Lanyard reads any one"},
		"text in place of all":  {"kv", []bson.D{of(has("kv", "x"))}, "change the pairs of user 94490510688792576 in kv: what stands in place of the pairs is no document"},
		"counters without type": {"metrics", []bson.D{{has("_id", "global")}}, "change the counters: the document lacks its type, so that Lanyard does not find it"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, uri)
			for _, doc := range c.documents {
				f.insert(c.collection, doc)
			}
			before := f.dump(c.collection)
			p := f.store.Persistence()
			_, err := p.UpdatePairs(ctx, record.Fork, alice, set)
			if c.collection == "metrics" {
				err = p.UpdateCounters(ctx, func(record.Entry, []byte) (map[string]record.Value, []byte, error) {
					return values{"a": int64(1)}, nil, nil
				})
			}
			if err == nil || err.Error() != c.want {
				t.Errorf("%v, want %s", err, c.want)
			}
			if d := cmp.Diff(before, f.dump(c.collection)); d != "" {
				t.Errorf("(-before +after):\n%s", d)
			}
		})
	}
}

// TestANewDocumentWhoseIDIsTaken gives it another.
func TestANewDocumentWhoseIDIsTaken(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	p := f.store.Persistence()
	for _, collection := range []string{"kv", "api_keys"} {
		f.insert(collection, bson.D{has("_id", alice.String()), has("user_id", bob.String()), has("key", "bobs")})
	}
	change(t, p, values{"a": "1"})
	if _, err := p.GiveAPIKey(context.Background(), record.Fork, alice, "new"); err != nil {
		t.Fatal(err)
	}
	for _, collection := range []string{"kv", "api_keys"} {
		owners := make(map[any]any)
		for _, doc := range f.documents(collection) {
			owners[doc["user_id"]] = doc["_id"]
		}
		if _, ok := owners[alice.String()].(bson.ObjectID); !ok || owners[bob.String()] != alice.String() {
			t.Errorf("%s: %v", collection, owners)
		}
	}
}

// TestTheAppsDocumentComesJustBefore has the app insert a document between the moment in which there was none and the one in
// which lanyardctl inserts its own. No unique index prevents two.
func TestTheAppsDocumentComesJustBefore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	p := f.interrupted("update", func() { f.insert("kv", of(has("kv", bson.D{has("app", "1")}))) }).Persistence()
	change(t, p, values{"a": "2"})
	documents := f.documents("kv")
	if len(documents) != 1 || !cmp.Equal(plain(documents[0]["kv"]), any(record.Object{"app": "1", "a": "2"})) || documents[0]["lanyardctl"] != nil {
		t.Errorf("%v", documents)
	}
}

func TestWhatTheServerCannotHoldIsAnError(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t, mongoserver.URI(t))
	f.insert("kv", of(has("kv", bson.D{has("a", "1")})))
	f.store.SetMaxDocument(1000)
	p := f.store.Persistence()
	for name, c := range map[string]struct {
		user record.UserID
		set  values
		want string
	}{
		"a document that grows":   {alice, values{"b": strings.Repeat("x", 990)}, "change a document of kv: it would have "},
		"a value that is larger":  {bob, values{"b": strings.Repeat("x", 2000)}, "change a document of kv: it would have "},
		"a name of another sort":  {bob, values{"a\x00b": "x"}, `the field "a\x00b" of kv: BSON names cannot contain a NUL byte`},
		"a name that is too long": {alice, values{strings.Repeat("n", 990): "x"}, "change a document of kv: it would have "},
	} {
		_, err := p.UpdatePairs(ctx, record.Fork, c.user, func(record.Entry) (record.PairChange, error) { return record.PairChange{Set: c.set}, nil })
		if err == nil || errors.Is(err, record.ErrUnavailable) || errors.Is(err, record.ErrContended) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := p.UpdateCounters(ctx, func(record.Entry, []byte) (map[string]record.Value, []byte, error) {
		return values{"a.b": int64(1)}, nil, nil
	})
	if err == nil || !strings.Contains(err.Error(), `the field "a.b" of metrics`) {
		t.Errorf("counters: %v", err)
	}
	if n := len(f.documents("kv")); n != 1 {
		t.Errorf("%d documents", n)
	}
}

func TestAKeyOfAnotherUserIsNotGiven(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.insert("api_keys", bson.D{has("user_id", bob.String()), has("key", "bobs")})
	given, err := f.store.Persistence().GiveAPIKey(context.Background(), record.Fork, alice, "bobs")
	if given || err == nil || err.Error() != "give an API key to user 94490510688792576: it is that of another user" {
		t.Errorf("given: %t, %v", given, err)
	}
}

func TestAViewIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	f.create("kv", has("viewOn", "other"), has("pipeline", bson.A{}))
	_, err := f.store.Persistence().UpdatePairs(context.Background(), record.Fork, alice, func(record.Entry) (record.PairChange, error) {
		return record.PairChange{Set: values{"a": "1"}}, nil
	})
	if !errors.Is(err, mongo.ErrUnwritable) {
		t.Error(err)
	}
}
