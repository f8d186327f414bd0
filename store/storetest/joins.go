package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
)

// join is a way to make one document of a user's, and what comes of it but for its _id.
type join struct {
	name       string
	collection record.Collection
	documents  []Fields // the first of which has the _id "first"
	decision   record.Decision
	want       Fields
}

var mark = Fields{"digest": "0123456789abcdef0123456789abcdef"}

var allJoins = []join{
	{
		name: "a user without a document gets one", collection: record.MonitoringCollection,
		decision: record.Decision{Write: true, Time: 1664641326},
		want:     Fields{"user_id": alice.String(), "since": int64(1664641326)},
	},
	{
		name: "a numeric user id becomes text, and a date as text a number", collection: record.MonitoringCollection,
		documents: []Fields{{"user_id": int64(alice), "since": "2022-10-01T16:22:06Z", "other": Fields{"a": []any{int32(1), nil}}}},
		decision:  record.Decision{Write: true, Time: 1664641326},
		want:      Fields{"user_id": alice.String(), "since": int64(1664641326), "other": Fields{"a": []any{int32(1), nil}}},
	},
	{
		name: "an int32 that is right stays one", collection: record.MonitoringCollection,
		documents: []Fields{{"user_id": int64(alice), "since": int32(1664641326)}},
		decision:  record.Decision{Write: true, Time: 1664641326},
		want:      Fields{"user_id": alice.String(), "since": int32(1664641326)},
	},
	{
		name: "an int64 that is right stays one", collection: record.MonitoringCollection,
		documents: []Fields{{"user_id": alice.String(), "since": int64(1664641326)}},
		decision:  record.Decision{Write: true, Time: 1664641326},
		want:      Fields{"user_id": alice.String(), "since": int64(1664641326)},
	},
	{
		name: "an int32 that is not right becomes an int64", collection: record.MonitoringCollection,
		documents: []Fields{{"user_id": alice.String(), "since": int32(5)}},
		decision:  record.Decision{Write: true, Time: 1664641326},
		want:      Fields{"user_id": alice.String(), "since": int64(1664641326)},
	},
	{
		name: "a double of the right value becomes an int64", collection: record.MonitoringCollection,
		documents: []Fields{{"user_id": alice.String(), "since": 1664641326.0}},
		decision:  record.Decision{Write: true, Time: 1664641326},
		want:      Fields{"user_id": alice.String(), "since": int64(1664641326)},
	},
	{
		name: "the first document gets the fields that it lacks", collection: record.MonitoringCollection,
		documents: []Fields{
			{"user_id": alice.String(), "a": "first", "none": nil},
			{"user_id": int64(alice), "a": "second", "b": int32(2), "none": "x", "since": int32(9)},
			{"user_id": alice.String(), "a": "third", "b": int32(3), "c": 3.0},
		},
		decision: record.Decision{Write: true, Time: 1664641326},
		want:     Fields{"user_id": alice.String(), "a": "first", "none": nil, "b": int32(2), "c": 3.0, "since": int64(1664641326)},
	},
	{
		name: "a date that need not be written stays", collection: record.MonitoringCollection,
		documents: []Fields{{"user_id": int64(alice), "since": 1664641326.0}, {"user_id": alice.String(), "since": int64(5)}},
		want:      Fields{"user_id": alice.String(), "since": 1664641326.0},
	},
	{
		name: "a last-seen time is written", collection: record.LastSeenCollection,
		documents: []Fields{{"user_id": int64(alice), "timestamp": int64(5), "updated_at": Now}},
		decision:  record.Decision{Write: true, Time: 1700000000000},
		want:      Fields{"user_id": alice.String(), "timestamp": int64(1700000000000), "updated_at": Now},
	},
	{
		name: "pairs are added, and the mark goes", collection: record.KVCollection,
		documents: []Fields{
			{"user_id": alice.String(), "kv": Fields{"a": "1", "n": int32(7)}, record.WrittenField: mark},
			{"user_id": int64(alice), "kv": Fields{"b": "2"}},
		},
		decision: record.Decision{Write: true, Set: values{"b": "2"}},
		want:     Fields{"user_id": alice.String(), "kv": Fields{"a": "1", "n": int32(7), "b": "2"}},
	},
	{
		name: "a document without pairs gets some", collection: record.KVCollection,
		documents: []Fields{{"user_id": int64(alice)}, {"user_id": alice.String(), "kv": Fields{"b": "2"}}},
		decision:  record.Decision{Write: true, Set: values{"b": "2"}},
		want:      Fields{"user_id": alice.String(), "kv": Fields{"b": "2"}},
	},
	{
		name: "the mark stays where no pair changes", collection: record.KVCollection,
		documents: []Fields{
			{"user_id": alice.String(), "kv": Fields{"a": "1"}, record.WrittenField: mark},
			{"user_id": int64(alice), "kv": Fields{"a": "1"}},
		},
		want: Fields{"user_id": alice.String(), "kv": Fields{"a": "1"}, record.WrittenField: mark},
	},
	{
		name: "the key and its mark stay", collection: record.APIKeysCollection,
		documents: []Fields{
			{"user_id": alice.String(), "key": keyA, record.WrittenField: mark},
			{"user_id": int64(alice), "key": keyA, "created_at": Now},
		},
		decision: record.Decision{Write: true, APIKey: keyA},
		want:     Fields{"user_id": alice.String(), "key": keyA, record.WrittenField: mark, "created_at": Now},
	},
	{
		name: "another key is written, and the mark goes", collection: record.APIKeysCollection,
		documents: []Fields{{"user_id": alice.String(), "key": keyB, record.WrittenField: mark}},
		decision:  record.Decision{Write: true, APIKey: keyA},
		want:      Fields{"user_id": alice.String(), "key": keyA},
	},
	{
		name: "without a key to write, the key stays", collection: record.APIKeysCollection,
		documents: []Fields{{"user_id": int64(alice), "key": keyB}},
		want:      Fields{"user_id": alice.String(), "key": keyB},
	},
}

// joins applies each join, compares the document with what is wanted, and takes it back.
func joins(t *testing.T, target DocumentsTarget) {
	for _, j := range allJoins {
		t.Run(j.name, func(t *testing.T) {
			r := record.Join{Collection: j.collection, User: alice, Decision: j.decision}
			var ids []string
			id := any("first")
			for n, fields := range j.documents {
				doc := Fields{"_id": id}
				for name, v := range fields {
					doc[name] = v
				}
				id = int64(n)
				ids = append(ids, target.Put(j.collection, doc))
				r.Documents = append(r.Documents, target.one(t, j.collection, ids[n]))
			}
			before := target.Dump(j.collection)
			step := target.Documents.Joined(r)
			if d := cmp.Diff(before, target.Dump(j.collection)); d != "" {
				t.Fatalf("joining alone writes (-before +after):\n%s", d)
			}
			want := Fields{"_id": any("first")}
			switch {
			case len(ids) == 0:
				want["_id"] = alice.String()
			case step.ID != ids[0]:
				t.Errorf("the step is for %q", step.ID)
			}
			for name, v := range j.want {
				want[name] = v
			}
			once := record.StepDone
			if len(ids) > 0 && cmp.Equal(step.Before, step.After) {
				once = record.StepNoop
			}
			target.apply(t, once, step)
			if d := cmp.Diff(want, target.All(j.collection)[step.ID]); d != "" {
				t.Errorf("joined (-want +got):\n%s", d)
			}
			again := target.Documents.Joined(record.Join{
				Collection: j.collection, User: alice, Decision: j.decision,
				Documents: []record.Document{target.one(t, j.collection, step.ID)},
			})
			if d := cmp.Diff(again.Before, again.After); d != "" {
				t.Errorf("joined again, it changes (-before +after):\n%s", d)
			}
			target.apply(t, once, step.Undo())
			if d := cmp.Diff(before, target.Dump(j.collection)); d != "" {
				t.Errorf("taken back (-before +after):\n%s", d)
			}
			for _, id := range ids {
				target.Remove(j.collection, id)
			}
		})
	}
	t.Run("where another has the identity, a new document gets its own", func(t *testing.T) {
		const c = record.MonitoringCollection
		theirs := target.Put(c, Fields{"_id": alice.String(), "user_id": bob.String()})
		r := record.Join{Collection: c, User: alice, Decision: record.Decision{Write: true, Time: 1664641326}}
		target.apply(t, record.StepDuplicate, target.Documents.Joined(r))
		r.OtherID = true
		step := target.Documents.Joined(r)
		if step.ID == theirs {
			t.Fatal("it is the other's")
		}
		target.apply(t, record.StepDone, step)
		got := target.All(c)[step.ID]
		delete(got, "_id")
		if d := cmp.Diff(Fields{"user_id": alice.String(), "since": int64(1664641326)}, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	})
}
