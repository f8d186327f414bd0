package sweep

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
)

const alice record.UserID = 94490510688792576

func doc(id string, numeric bool, held record.Held) record.Document {
	held.Found = true
	return record.Document{ID: id, User: alice, Numeric: numeric, Held: held}
}

func pairs(fields map[string]record.Value) record.Held { return record.Held{Fields: fields} }

func seen(v any) record.Held { return record.Held{Times: map[string]any{"timestamp": v}} }

func key(k string) record.Held { return record.Held{APIKey: k} }

func TestDuplicates(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	type want struct {
		Action  record.Action
		Kept    []string // the documents that are joined, in order
		Removed []string
		First   bool
		Left    LeftReason
		Time    int64
		Set     map[string]record.Value
	}
	for name, c := range map[string]struct {
		collection record.Collection
		docs       []record.Document
		keyless    bool
		want       want
	}{
		"a number becomes text": {
			collection: record.KVCollection, docs: []record.Document{doc("a", true, pairs(nil))},
			want: want{Action: record.ActionChanged, Kept: []string{"a"}},
		},
		"one document that the app sees is right": {
			collection: record.KVCollection, docs: []record.Document{doc("a", false, pairs(nil))},
			want: want{Action: record.ActionRemoved},
		},
		"pairs are added up, and the one that the app sees stays": {
			collection: record.KVCollection,
			docs: []record.Document{
				doc("a", true, pairs(map[string]record.Value{"x": "1", "y": int64(7)})),
				doc("b", false, pairs(map[string]record.Value{"y": 7.0, "z": "3"})),
			},
			want: want{Action: record.ActionMerged, Kept: []string{"b", "a"}, Removed: []string{"a"}, Set: map[string]record.Value{"x": "1"}},
		},
		"pairs that differ have no rule": {
			collection: record.KVCollection,
			docs: []record.Document{
				doc("a", false, pairs(map[string]record.Value{"x": "1"})), doc("b", false, pairs(map[string]record.Value{"x": "2"})),
			},
			want: want{Left: LeftKV},
		},
		"pairs that differ among documents that are added have no rule": {
			collection: record.KVCollection,
			docs: []record.Document{
				doc("a", false, pairs(nil)), doc("b", false, pairs(map[string]record.Value{"x": "1"})), doc("c", false, pairs(map[string]record.Value{"x": "2"})),
			},
			want: want{Left: LeftKV},
		},
		"what lanyardctl once wrote does not win": {
			collection: record.KVCollection,
			docs: []record.Document{
				doc("a", false, record.Held{Unmodified: true, Fields: map[string]record.Value{"x": "1"}}),
				doc("b", false, pairs(map[string]record.Value{"x": "2"})),
			},
			want: want{Left: LeftKV},
		},
		"pairs that are no document are left": {
			collection: record.KVCollection, docs: []record.Document{doc("a", true, record.Held{Malformed: "text"})},
			want: want{Left: LeftMalformed},
		},
		"the later time wins": {
			collection: record.LastSeenCollection,
			docs:       []record.Document{doc("a", false, seen(int64(1700000000000))), doc("b", false, seen("1800000000")), doc("c", true, seen("2024-01-01T00:00:00Z"))},
			want:       want{Action: record.ActionMerged, Kept: []string{"a", "b", "c"}, Removed: []string{"b", "c"}, Time: 1704067200000},
		},
		"a time that is right stays as it is": {
			collection: record.LastSeenCollection,
			docs:       []record.Document{doc("a", false, seen(int64(1700000000000))), doc("b", false, seen(int64(1600000000000)))},
			want:       want{Action: record.ActionMerged, Kept: []string{"a", "b"}, Removed: []string{"b"}},
		},
		"a time of another type is mended, too": {
			collection: record.LastSeenCollection,
			docs:       []record.Document{doc("a", false, seen("2024-01-01T00:00:00Z")), doc("b", false, seen([]any{int32(1)}))},
			want:       want{Action: record.ActionMerged, Kept: []string{"a", "b"}, Removed: []string{"b"}, Time: 1704067200000},
		},
		"of three times the latest wins, whatever their order": {
			collection: record.LastSeenCollection,
			docs: []record.Document{
				doc("a", false, seen(int64(1600000000000))), doc("b", false, seen(int64(1700000000000))), doc("c", false, seen(int64(1650000000000))),
			},
			want: want{Action: record.ActionMerged, Kept: []string{"a", "b", "c"}, Removed: []string{"b", "c"}, Time: 1700000000000},
		},
		"one API key stays": {
			collection: record.APIKeysCollection,
			docs:       []record.Document{doc("a", false, key("k")), doc("b", true, key("k"))},
			want:       want{Action: record.ActionMerged, Kept: []string{"a", "b"}, Removed: []string{"b"}},
		},
		"two API keys have no rule": {
			collection: record.APIKeysCollection,
			docs:       []record.Document{doc("a", false, key("k")), doc("b", false, key("l"))},
			want:       want{Left: LeftAPIKeys},
		},
		"a document without a key goes first where it has the user id that the other gets": {
			collection: record.APIKeysCollection,
			docs:       []record.Document{doc("a", false, key("")), doc("b", true, key("k"))},
			want:       want{Action: record.ActionChanged, Kept: []string{"b"}, Removed: []string{"a"}, First: true},
		},
		"a document without a key goes where another of the user has one": {
			collection: record.APIKeysCollection,
			docs:       []record.Document{doc("a", false, key("")), doc("b", false, key("k"))},
			want:       want{Action: record.ActionRemoved, Kept: []string{"b"}, Removed: []string{"a"}},
		},
		"of documents without a key one stays, where it is the only one of the collection": {
			collection: record.APIKeysCollection,
			docs:       []record.Document{doc("a", true, key("")), doc("b", false, key(""))},
			want:       want{Action: record.ActionRemoved, Kept: []string{"b"}, Removed: []string{"a"}},
		},
		"documents without a key go where several users have one": {
			collection: record.APIKeysCollection, keyless: true,
			docs: []record.Document{doc("a", false, key(""))},
			want: want{Action: record.ActionRemoved, Removed: []string{"a"}},
		},
		"a key that is no text is left": {
			collection: record.APIKeysCollection, keyless: true,
			docs: []record.Document{doc("a", true, record.Held{Malformed: int64(5)})},
			want: want{Left: LeftMalformed},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := decideDuplicates(c.collection, alice, c.docs, c.keyless, now)
			got := want{Action: r.action, First: r.first, Left: r.left}
			for _, d := range r.remove {
				got.Removed = append(got.Removed, d.ID)
			}
			if r.join != nil {
				for _, d := range r.join.Documents {
					got.Kept = append(got.Kept, d.ID)
				}
				got.Time = r.join.Decision.Time
				if len(r.join.Decision.Set) > 0 {
					got.Set = r.join.Decision.Set
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
