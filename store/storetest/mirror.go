package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// timed returns a document that has a time in the field that the app reads.
func timed(kind record.Kind, v any) mem.Document {
	return mem.Document{Times: map[string]any{record.TimeField(kind): v}}
}

// rulesOfMirrors are those of targets that mirror their source.
func rulesOfMirrors() []rule {
	const at = 1700000000000
	written := seen(alice, at).Digest().String()
	all := []rule{
		{
			name:    "a time that lanyardctl wrote goes back with the source's",
			writes:  []record.Record{seen(alice, at), seen(alice, at-1), seen(alice, at-1)},
			columns: []record.Status{record.Inserted, record.Updated, record.Unchanged},
			kind:    record.LastSeen, user: alice, want: timed(record.LastSeen, int64(at-1)), marked: true,
		},
		{
			name:    "a date that lanyardctl wrote becomes a later one, and the earlier is kept",
			writes:  []record.Record{since(alice, 1650000000), since(alice, 1690000000)},
			columns: []record.Status{record.Inserted, record.Updated},
			kind:    record.MonitoringSince, user: alice, want: timed(record.MonitoringSince, int64(1690000000)), lost: 1, marked: true,
		},
		{
			name:   "a later time of the app's stays",
			writes: []record.Record{seen(alice, at), seen(alice, at-1)},
			between: func(t Target) {
				d := timed(record.LastSeen, int64(at+1))
				d.Mark = written
				t.Put(record.LastSeen, alice, d)
			},
			columns: []record.Status{record.Inserted, record.Unchanged},
			kind:    record.LastSeen, user: alice, want: timed(record.LastSeen, int64(at+1)),
		},
		{
			name:    "what the source overtakes follows it from then on",
			before:  before(record.LastSeen, alice, timed(record.LastSeen, int64(at))),
			writes:  []record.Record{seen(alice, at+5), seen(alice, at+3)},
			columns: []record.Status{record.Updated, record.Updated},
			kind:    record.LastSeen, user: alice, want: timed(record.LastSeen, int64(at+3)), lost: 1, marked: true,
		},
		{
			name:    "a time that the app wrote as the source has it follows the source from then on",
			before:  before(record.LastSeen, alice, timed(record.LastSeen, int64(at))),
			writes:  []record.Record{seen(alice, at), seen(alice, at), seen(alice, at-1)},
			columns: []record.Status{record.Updated, record.Unchanged, record.Updated},
			kind:    record.LastSeen, user: alice, want: timed(record.LastSeen, int64(at-1)), lost: 1, marked: true,
		},
		{
			name:    "text that means the same becomes the integer, and follows the source from then on",
			before:  before(record.MonitoringSince, alice, timed(record.MonitoringSince, "1690000000")),
			writes:  []record.Record{since(alice, 1690000000)},
			columns: []record.Status{record.Updated},
			kind:    record.MonitoringSince, user: alice, want: timed(record.MonitoringSince, int64(1690000000)), lost: 1, marked: true,
		},
		{
			name: "a date beside a fork's is merged, whatever mark there is",
			before: before(record.MonitoringSince, alice, mem.Document{
				Times: map[string]any{"since": int64(1690000000), "monitoring_since": int64(1700000000)},
				Mark:  since(alice, 1690000000).Digest().String(),
			}),
			writes:  []record.Record{since(alice, 1690000000), since(alice, 1695000000)},
			columns: []record.Status{record.Unchanged, record.Unchanged},
			kind:    record.MonitoringSince, user: alice,
			want: mem.Document{Times: map[string]any{"since": int64(1690000000), "monitoring_since": int64(1700000000)}},
		},
		{
			name:    "pairs that the app wrote as the source has them follow the source from then on, and go with it",
			before:  before(record.KV, alice, mem.Document{Fields: values{"a": "1", "n": 7.0}}),
			writes:  []record.Record{kv(alice, values{"a": "1", "n": int64(7)}), kv(alice, values{"a": "1", "n": 7.0}), kv(alice, values{"b": "2"})},
			columns: []record.Status{record.Updated, record.Unchanged, record.Updated},
			kind:    record.KV, user: alice, want: mem.Document{Fields: values{"b": "2"}}, lost: 2, marked: true,
		},
		{
			name:    "pairs keep their values while they get the mark, in place of one that tells of others",
			before:  before(record.KV, alice, mem.Document{Fields: values{"a": "1", "n": 7.0}, Mark: written}),
			writes:  []record.Record{kv(alice, values{"a": "1", "n": int64(7)})},
			columns: []record.Status{record.Updated},
			kind:    record.KV, user: alice, want: mem.Document{Fields: values{"a": "1", "n": 7.0}}, marked: true,
		},
		{
			name:    "pairs of the app's to which all others were added follow the source from then on",
			before:  before(record.KV, alice, mem.Document{Fields: values{"a": "1"}}),
			writes:  []record.Record{kv(alice, values{"a": "1", "b": "2"}), kv(alice, values{"b": "3"})},
			columns: []record.Status{record.Updated, record.Updated},
			kind:    record.KV, user: alice, want: mem.Document{Fields: values{"b": "3"}}, lost: 2, marked: true,
		},
		{
			name:    "pairs beside the app's own are merged",
			before:  before(record.KV, alice, mem.Document{Fields: values{"a": "1", "app": "x"}}),
			writes:  []record.Record{kv(alice, values{"a": "1"}), kv(alice, values{"b": "2"})},
			columns: []record.Status{record.Unchanged, record.Updated},
			kind:    record.KV, user: alice, want: mem.Document{Fields: values{"a": "1", "app": "x", "b": "2"}},
		},
		{
			name:    "a key that the app wrote as the source has it gets the mark, and keeps when it was made",
			before:  before(record.APIKeys, alice, mem.Document{APIKey: keyA, CreatedAt: Now.AddDate(-1, 0, 0)}),
			writes:  []record.Record{apiKey(alice, keyA), apiKey(alice, keyA)},
			columns: []record.Status{record.Updated, record.Unchanged},
			kind:    record.APIKeys, user: alice, want: mem.Document{APIKey: keyA}, keepsCreated: true, marked: true,
		},
		{
			name:    "a key that got the mark follows the source from then on",
			before:  before(record.APIKeys, alice, mem.Document{APIKey: keyA}),
			writes:  []record.Record{apiKey(alice, keyA), apiKey(alice, keyB)},
			columns: []record.Status{record.Updated, record.Updated},
			kind:    record.APIKeys, user: alice, want: mem.Document{APIKey: keyB}, lost: 1, marked: true,
		},
		{
			name:    "another key of the app's is a conflict",
			before:  before(record.APIKeys, alice, mem.Document{APIKey: keyB}),
			writes:  []record.Record{apiKey(alice, keyA)},
			columns: []record.Status{record.Conflicted},
			kind:    record.APIKeys, user: alice, want: mem.Document{APIKey: keyB},
		},
		{
			name:    "counters only grow",
			writes:  []record.Record{counters(values{"x": int64(5)}), counters(values{"x": int64(5)}), counters(values{"x": int64(3)})},
			columns: []record.Status{record.Inserted, record.Unchanged, record.Unchanged},
			kind:    record.Metrics, want: mem.Document{Fields: values{"x": int64(5)}},
		},
	}
	for i := range all {
		all[i].mirror = true
	}
	return all
}

// keyOwners asks for the users of a few keys, and of more than a command names.
func keyOwners(t *testing.T, open Open, texts bool) {
	target := open(t, Options{Now: clock, Before: func(put func(record.Kind, record.UserID, mem.Document)) {
		put(record.APIKeys, bob, mem.Document{APIKey: keyB})
		if texts {
			return
		}
		put(record.APIKeys, bob+1, mem.Document{Junk: record.Array{"in a list"}})
	}})
	write(t, target, []record.Record{apiKey(alice, keyA)})
	var many []string
	for i := range 2500 {
		many = append(many, fmt.Sprintf("lnyd_%032d", i))
	}
	owners := map[string]record.UserID{keyA: alice, keyB: bob}
	for _, c := range []struct {
		keys []string
		want map[string]record.UserID
	}{
		{nil, nil},
		{[]string{"none"}, nil},
		{[]string{keyB, keyA, keyB, "", "in a list"}, owners},
		{append(many, keyA, keyB), owners},
	} {
		got, err := target.Owners.APIKeyOwners(context.Background(), c.keys)
		if err != nil || !maps.Equal(got, c.want) {
			t.Errorf("the users of %d keys are %v, want %v: %v", len(c.keys), got, c.want, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := target.Owners.APIKeyOwners(ctx, many); !errors.Is(err, context.Canceled) {
		t.Errorf("after the context was cancelled: %v", err)
	}
}
