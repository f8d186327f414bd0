package storetest

import (
	"slices"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

const (
	alice = record.UserID(94490510688792576)
	bob   = record.UserID(156114103033790464)
	keyA  = "lnyd_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	keyB  = "lnyd_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

func kv(user record.UserID, fields map[string]record.Value) record.Record {
	r := record.Record{Kind: record.KV, User: user, Fields: make(map[string]record.Field)}
	for name, v := range fields {
		r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Key: "lanyard_kv:" + user.String(), Raw: string(record.JSON(v))}}
	}
	return r
}

func apiKey(user record.UserID, key string) record.Record {
	return record.Record{Kind: record.APIKeys, User: user, APIKey: key, Origin: record.Origin{Key: "api_key:" + key, Raw: key}}
}

func seen(user record.UserID, ms int64) record.Record {
	return record.Record{Kind: record.LastSeen, User: user, Time: ms}
}

func since(user record.UserID, s int64) record.Record {
	return record.Record{Kind: record.MonitoringSince, User: user, Time: s}
}

func counters(all map[string]record.Value) record.Record {
	r := record.Record{Kind: record.Metrics, Fields: make(map[string]record.Field)}
	for name, v := range all {
		r.Fields[name] = record.Field{Value: v}
	}
	return r
}

// rule is a sequence of writes to a target that may hold somebody else's documents, and what has to come of it.
type rule struct {
	name    string
	policy  record.Policy
	before  map[record.Kind]map[record.UserID]mem.Document
	writes  []record.Record // one batch each
	between func(Target)    // after the first write
	columns []record.Status
	kind    record.Kind
	user    record.UserID
	want    mem.Document // times of creation and marks are not compared
	lost    int          // superseded values of the last write

	short []string // in what the target falls short of the last write before all of them; not compared where nil
	kept  int      // values of the last write that the target does not take

	// Of a mirror: in the end the document is marked as what lanyardctl wrote, and was created when it was before.
	mirror, marked, keepsCreated bool
}

func before(kind record.Kind, user record.UserID, d mem.Document) map[record.Kind]map[record.UserID]mem.Document {
	return map[record.Kind]map[record.UserID]mem.Document{kind: {user: d}}
}

type values = map[string]record.Value

var allRules = []rule{
	{
		name:    "a later last-seen time wins, an earlier one changes nothing",
		writes:  []record.Record{seen(alice, 1700000000000), seen(alice, 1600000000000), seen(alice, 1710000000000)},
		columns: []record.Status{record.Inserted, record.Unchanged, record.Updated},
		kind:    record.LastSeen, user: alice, want: mem.Document{Times: map[string]any{"timestamp": int64(1710000000000)}}, lost: 1,
	},
	{
		name:    "the earliest monitoring date of both fields wins, and text becomes an integer",
		before:  before(record.MonitoringSince, alice, mem.Document{Times: map[string]any{"since": "1700000000", "monitoring_since": int64(1650000000)}}),
		writes:  []record.Record{since(alice, 1690000000), since(alice, 1690000000)},
		columns: []record.Status{record.Updated, record.Unchanged},
		kind:    record.MonitoringSince, user: alice, want: mem.Document{Times: map[string]any{"since": int64(1650000000), "monitoring_since": int64(1650000000)}},
	},
	{
		name:    "a double becomes the integer that the app needs, also where nothing else changes",
		before:  before(record.MonitoringSince, alice, mem.Document{Times: map[string]any{"since": 1650000000.0}}),
		writes:  []record.Record{since(alice, 1690000000), since(alice, 1690000000)},
		columns: []record.Status{record.Updated, record.Unchanged},
		kind:    record.MonitoringSince, user: alice, want: mem.Document{Times: map[string]any{"since": int64(1650000000)}},
	},
	{
		name:    "a date before the account was made never wins",
		before:  before(record.MonitoringSince, bob, mem.Document{Times: map[string]any{"since": int64(1230768000)}}),
		writes:  []record.Record{since(bob, 1690000000)},
		columns: []record.Status{record.Updated},
		kind:    record.MonitoringSince, user: bob, want: mem.Document{Times: map[string]any{"since": int64(1690000000)}}, lost: 1,
	},
	{
		name:    "what lanyardctl wrote follows the source, removed fields too",
		writes:  []record.Record{kv(alice, values{"a": "1", "b": "2"}), kv(alice, values{"a": "3"}), kv(alice, values{"a": "3"})},
		columns: []record.Status{record.Inserted, record.Updated, record.Unchanged},
		kind:    record.KV, user: alice, want: mem.Document{Fields: values{"a": "3"}},
	},
	{
		name:   "what the app changed is not overwritten, and new fields are added",
		writes: []record.Record{kv(alice, values{"a": "1", "b": "2"}), kv(alice, values{"a": "3", "b": "2", "c": "new"})},
		between: func(t Target) {
			t.Put(record.KV, alice, mem.Document{Fields: values{"a": "app", "b": "2", "d": "app"}})
		},
		columns: []record.Status{record.Inserted, record.Conflicted},
		kind:    record.KV, user: alice, want: mem.Document{Fields: values{"a": "app", "b": "2", "c": "new", "d": "app"}},
	},
	{
		name: "the source wins a conflict where told so", policy: record.PreferSource,
		before:  before(record.KV, alice, mem.Document{Fields: values{"a": "app", "d": "app"}}),
		writes:  []record.Record{kv(alice, values{"a": "1"}), kv(alice, values{"a": "1"})},
		columns: []record.Status{record.Updated, record.Unchanged},
		kind:    record.KV, user: alice, want: mem.Document{Fields: values{"a": "1", "d": "app"}},
	},
	{
		name: "the target wins a conflict where told so", policy: record.PreferTarget,
		before:  before(record.KV, alice, mem.Document{Fields: values{"a": "app"}}),
		writes:  []record.Record{kv(alice, values{"a": "1"})},
		columns: []record.Status{record.Unchanged},
		kind:    record.KV, user: alice, want: mem.Document{Fields: values{"a": "app"}}, lost: 1, kept: 1,
	},
	{
		name: "of several fields the target wins those that differ", policy: record.PreferTarget,
		before:  before(record.KV, alice, mem.Document{Fields: values{"a": "app", "b": "app", "c": "same"}}),
		writes:  []record.Record{kv(alice, values{"a": "1", "b": "2", "c": "same", "d": "new"})},
		columns: []record.Status{record.Updated}, short: []string{"d missing"},
		kind: record.KV, user: alice, want: mem.Document{Fields: values{"a": "app", "b": "app", "c": "same", "d": "new"}}, lost: 2, kept: 2,
	},
	{
		name: "a key of the app's stays where the target wins", policy: record.PreferTarget,
		before:  before(record.APIKeys, alice, mem.Document{APIKey: keyB}),
		writes:  []record.Record{apiKey(alice, keyA)},
		columns: []record.Status{record.Unchanged},
		kind:    record.APIKeys, user: alice, want: mem.Document{APIKey: keyB}, lost: 1, kept: 1,
	},
	{
		name:    "text in place of all fields gives way to fields",
		before:  before(record.KV, alice, mem.Document{Junk: "text"}),
		writes:  []record.Record{kv(alice, values{"a": "1"})},
		columns: []record.Status{record.Updated}, short: []string{"a missing"},
		kind: record.KV, user: alice, want: mem.Document{Fields: values{"a": "1"}}, lost: 1,
	},
	{
		name:    "counters that the app does not find are made to be found, though all are right",
		before:  before(record.Metrics, 0, mem.Document{Hidden: true, Fields: values{"x": int64(5), "other": "stays"}}),
		writes:  []record.Record{counters(values{"x": int64(5)}), counters(values{"x": int64(5)})},
		columns: []record.Status{record.Updated, record.Unchanged}, short: []string{"type different"},
		kind: record.Metrics, want: mem.Document{Fields: values{"x": int64(5), "other": "stays"}},
	},
	{
		name:    "counters that the app does not find are merged as others are",
		before:  before(record.Metrics, 0, mem.Document{Hidden: true, Fields: values{"x": int64(5), "y": int64(7)}}),
		writes:  []record.Record{counters(values{"x": int64(6), "y": int64(6), "z": int64(1)})},
		columns: []record.Status{record.Updated}, short: []string{"type different", "x different", "z missing"},
		kind: record.Metrics, want: mem.Document{Fields: values{"x": int64(6), "y": int64(7), "z": int64(1)}}, lost: 1,
	},
	{
		name:    "dots and dollars aside, any name and type is kept",
		writes:  []record.Record{kv(alice, values{"": "empty", "a b\n": nil, "ключ": record.Object{"x": record.Array{int64(1), 1.5, false}}, "big": int64(1)<<62 + 1})},
		columns: []record.Status{record.Inserted},
		kind:    record.KV, user: alice,
		want: mem.Document{Fields: values{"": "empty", "a b\n": nil, "ключ": record.Object{"x": record.Array{int64(1), 1.5, false}}, "big": int64(1)<<62 + 1}},
	},
	{
		name:    "a key that was regenerated in the source does not live on",
		writes:  []record.Record{apiKey(alice, keyA), apiKey(alice, keyA), apiKey(alice, keyB)},
		columns: []record.Status{record.Inserted, record.Unchanged, record.Updated},
		kind:    record.APIKeys, user: alice, want: mem.Document{APIKey: keyB}, lost: 1,
	},
	{
		name:    "a key that the app gave is not overwritten",
		before:  before(record.APIKeys, alice, mem.Document{APIKey: keyB}),
		writes:  []record.Record{apiKey(alice, keyA)},
		columns: []record.Status{record.Conflicted},
		kind:    record.APIKeys, user: alice, want: mem.Document{APIKey: keyB},
	},
	{
		name:    "a key of another user in the target is a conflict",
		before:  before(record.APIKeys, bob, mem.Document{APIKey: keyA}),
		writes:  []record.Record{apiKey(alice, keyA)},
		columns: []record.Status{record.Conflicted},
		kind:    record.APIKeys, user: bob, want: mem.Document{APIKey: keyA},
	},
	{
		name: "a key of another user moves where the source wins", policy: record.PreferSource,
		before:  before(record.APIKeys, bob, mem.Document{APIKey: keyA}),
		writes:  []record.Record{apiKey(alice, keyA), apiKey(alice, keyA)},
		columns: []record.Status{record.Inserted, record.Unchanged},
		kind:    record.APIKeys, user: alice, want: mem.Document{APIKey: keyA},
	},
	{
		name:    "the larger counter wins, whatever its number type",
		before:  before(record.Metrics, 0, mem.Document{Fields: values{"x": int64(5), "y": 7.0, "z": "many", "other": "stays"}}),
		writes:  []record.Record{counters(values{"x": 5.5, "y": int64(6), "z": int64(1), "w": int64(0)})},
		columns: []record.Status{record.Updated},
		kind:    record.Metrics, want: mem.Document{Fields: values{"x": 5.5, "y": 7.0, "z": int64(1), "w": int64(0), "other": "stays"}}, lost: 2,
	},
}

// rulesOfNoKey are those of a document that has no API key, or something else in its place: whatever the policy, nobody
// misses it.
func rulesOfNoKey() []rule {
	var all []rule
	for _, policy := range []record.Policy{record.FailOnConflict, record.PreferSource, record.PreferTarget} {
		for name, d := range map[string]mem.Document{"no API key": {}, "a number": {Junk: int64(5)}, "a document": {Junk: record.Object{"k": "v"}}} {
			r := rule{
				name: name + " gives way to an API key, policy " + policy.String(), policy: policy,
				before:  before(record.APIKeys, alice, d),
				writes:  []record.Record{apiKey(alice, keyA)},
				columns: []record.Status{record.Updated}, short: []string{"key missing"},
				kind: record.APIKeys, user: alice, want: mem.Document{APIKey: keyA},
			}
			if d.Junk != nil {
				r.lost = 1
			}
			all = append(all, r)
			r.name += ", written twice"
			r.writes, r.columns, r.lost = append(r.writes, r.writes[0]), append(r.columns, record.Unchanged), 0
			all = append(all, r)
		}
	}
	return all
}

// checkCompared compares the rule's last record with the document of its user.
func (r rule) checkCompared(t *testing.T, target Target, when string, short []string, kept int) {
	t.Helper()
	last := r.writes[len(r.writes)-1]
	s, exists := readBack(t, target, last.Kind)[last.User]
	if !exists {
		t.Fatalf("%s the writes user %s has no document", when, last.User)
	}
	found := record.Compare(last, s, record.CompareOptions{Policy: r.policy, Now: Now})
	var said []string
	for _, d := range found.Differences {
		said = append(said, d.Field+" "+d.Type.String())
	}
	if !slices.Equal(said, short) || found.Kept != kept {
		t.Errorf("%s the writes %q and %d values that the target keeps, want %q and %d", when, said, found.Kept, short, kept)
	}
}

func rules(t *testing.T, open Open, all []rule) {
	for _, r := range all {
		t.Run(r.name, func(t *testing.T) {
			target := open(t, Options{Policy: r.policy, Mirror: r.mirror, Now: clock, Before: func(put func(record.Kind, record.UserID, mem.Document)) {
				for kind, documents := range r.before {
					for user, d := range documents {
						put(kind, user, d)
					}
				}
			}})
			if r.short != nil {
				r.checkCompared(t, target, "before", r.short, r.kept)
			}
			var last written
			for i, rec := range r.writes {
				last = write(t, target, []record.Record{rec})
				if got := last.Outcomes[0].Status; got != r.columns[i] {
					t.Errorf("write %d is counted in column %d, want %d", i, got, r.columns[i])
				}
				if i == 0 && r.between != nil {
					r.between(target)
				}
			}
			if len(last.Superseded) != r.lost {
				t.Errorf("the last write superseded %d values, want %d: %v", len(last.Superseded), r.lost, last.Superseded)
			}
			got := target.All(r.kind)[r.user]
			if is := heldIn(got, r.kind, record.Identity{User: r.user}).Unmodified; r.mirror && is != r.marked {
				t.Errorf("the document is known as what lanyardctl wrote: %v", is)
			}
			if created := r.before[r.kind][r.user].CreatedAt; r.keepsCreated && !got.CreatedAt.Equal(created) {
				t.Errorf("created at %v, not %v", got.CreatedAt, created)
			}
			got.Mark, got.CreatedAt = "", r.want.CreatedAt
			if d := difference(document(r.want), document(got)); d != "" {
				t.Errorf("the document (-want +got):\n%s", d)
			}
			if r.columns[len(r.columns)-1] != record.Conflicted {
				r.checkCompared(t, target, "after", nil, r.kept)
			}
			checkReadBack(t, target)
		})
	}
}

func dryRun(t *testing.T, open Open) {
	documents := func(put func(record.Kind, record.UserID, mem.Document)) {
		put(record.KV, alice, mem.Document{Fields: values{"a": "app"}})
		put(record.LastSeen, alice, mem.Document{Times: map[string]any{"timestamp": int64(1700000000000)}})
	}
	target := open(t, Options{Now: clock, DryRun: true, Before: documents})
	was := contentsOf(target)
	got := write(t, target, []record.Record{
		kv(alice, values{"a": "1"}), kv(bob, values{"a": "1"}), seen(alice, 1700000000000), seen(alice, 1710000000000), apiKey(alice, keyA),
	})
	want := []record.Status{record.Conflicted, record.Inserted, record.Unchanged, record.Updated, record.Inserted}
	for i, o := range got.Outcomes {
		if o.Status != want[i] {
			t.Errorf("record %d is counted in column %d, want %d", i, o.Status, want[i])
		}
	}
	if d := difference(was, contentsOf(target)); d != "" {
		t.Errorf("a dry run changed the target (-before +after):\n%s", d)
	}
	checkReadBack(t, target)
}
