package verify_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/verify"
)

func item(r record.Record) record.Item { return record.Item{Kind: r.Kind, Record: &r} }

func lastSeen(n int, ms int64) record.Item {
	return item(record.Record{Kind: record.LastSeen, User: userID(n), Time: ms})
}

func kvOf(n int, names ...string) record.Record {
	r := record.Record{Kind: record.KV, User: userID(n), Fields: make(map[string]record.Field)}
	for _, name := range names {
		r.Fields[name] = record.Field{Value: "value of " + name}
	}
	return r
}

// rejectedKV is an item of which nothing goes on but the named fields, which are rejected.
func rejectedKV(n int, names ...string) record.Item {
	it := record.Item{Kind: record.KV}
	for _, name := range names {
		reject := record.Reject{Kind: record.KV, User: userID(n), Reason: record.InvalidUTF8}
		it.Rejects = append(it.Rejects, reject.At(name, record.Origin{}))
	}
	return it
}

func ambiguous(n int) record.Item {
	reject := record.Reject{Kind: record.APIKeys, User: userID(n), Reason: record.AmbiguousAPIKey}
	return record.Item{Kind: record.APIKeys, APIKey: key(n), Rejects: []record.Reject{reject}}
}

func keyOf(n, of int) record.Document {
	return record.Document{Kind: record.APIKeys, User: userID(n), Held: record.Held{Found: true, APIKey: key(of)}}
}

// others is the document of a record as somebody else wrote it.
func others(r record.Record) record.Document {
	s := documentOf(r)
	s.Held.Unmodified = false
	return s
}

func counters(hidden bool) record.Document {
	return record.Document{Kind: record.Metrics, Held: record.Held{
		Found: true, Untyped: hidden, Fields: map[string]record.Value{"c1": int64(1), "c2": int64(2)},
	}}
}

func TestRules(t *testing.T) {
	full := record.Record{Kind: record.Metrics, Fields: map[string]record.Field{"c1": {Value: int64(1)}, "c2": {Value: int64(2)}}}
	half := record.Item{
		Kind: record.Metrics, Record: &record.Record{Kind: record.Metrics, Fields: map[string]record.Field{"c1": {Value: int64(1)}}},
		Rejects: []record.Reject{record.Reject{Kind: record.Metrics, Reason: record.NotACounter}.At("c2", record.Origin{})},
	}
	nobody := record.Item{Kind: record.LastSeen, Rejects: []record.Reject{{Kind: record.LastSeen, Reason: record.InvalidUserID}}}
	changed := kvOf(1, "a")
	changed.Fields["a"] = record.Field{Value: "another"}
	numeric := verify.Counts{Source: 1, Target: 2, Rejected: 1, Extra: 2, Numeric: 1}
	for _, tc := range []struct {
		rule    string
		options record.CompareOptions
		items   []record.Item
		target  []record.Document
		kind    record.Kind
		want    verify.Counts
		found   []string
	}{
		{
			rule: "an API key that authenticates, though it is rejected, is not extra", kind: record.APIKeys,
			items: []record.Item{ambiguous(1)}, target: []record.Document{keyOf(1, 1)},
			want: verify.Counts{Source: 1, Target: 1, Rejected: 1, Extra: 1},
		},
		{
			rule: "another key of that user is", kind: record.APIKeys,
			items: []record.Item{ambiguous(1)}, target: []record.Document{keyOf(1, 2)},
			want:  verify.Counts{Source: 1, Target: 1, Rejected: 1, Extra: 1},
			found: []string{`extra api_keys 94490510697181184 "" ""`},
		},
		{
			rule: "a document without a key lacks it under every policy", kind: record.APIKeys,
			options: record.CompareOptions{Policy: record.PreferTarget},
			items:   []record.Item{item(record.Record{Kind: record.APIKeys, User: userID(1), APIKey: key(1)})},
			target:  []record.Document{{Kind: record.APIKeys, User: userID(1), Held: record.Held{Found: true}}},
			want:    verify.Counts{Source: 1, Target: 1, Different: 1},
			found:   []string{`missing api_keys 94490510697181184 "" "key"`},
		},
		{
			rule: "a value that the policy lets the target keep is counted, and not as ahead", kind: record.KV,
			options: record.CompareOptions{Policy: record.PreferTarget},
			items:   []record.Item{item(kvOf(1, "a", "b"))}, target: []record.Document{func() record.Document { s := others(kvOf(1, "a", "b")); s.Held.Fields["a"] = 1.5; return s }()},
			want: verify.Counts{Source: 1, Target: 1, Agreeing: 1, Kept: 1},
		},
		{
			rule: "where equality is asked for, it is a difference", kind: record.KV,
			options: record.CompareOptions{Policy: record.PreferTarget, Exact: true},
			items:   []record.Item{item(kvOf(1, "a"))}, target: []record.Document{others(changed)},
			want:  verify.Counts{Source: 1, Target: 1, Different: 1},
			found: []string{`different kv 94490510697181184 "" "a"`},
		},
		{
			rule: "a rejected field is not extra in a document that lanyardctl wrote", kind: record.KV,
			items: []record.Item{func() record.Item { it := rejectedKV(1, "b"); r := kvOf(1, "a"); it.Record = &r; return it }()}, target: []record.Document{documentOf(kvOf(1, "a", "b"))},
			want: verify.Counts{Source: 1, Target: 1, Agreeing: 1, Ahead: 1},
		},
		{
			rule: "nor is a document of fields that were all rejected", kind: record.KV, options: record.CompareOptions{Exact: true},
			items: []record.Item{rejectedKV(1, "a", "b")}, target: []record.Document{documentOf(kvOf(1, "a", "b"))},
			want: verify.Counts{Source: 1, Target: 1, Rejected: 1, Extra: 1},
		},
		{
			rule: "nor is a time where that of the source is none", kind: record.LastSeen, options: record.CompareOptions{Exact: true},
			items:  []record.Item{{Kind: record.LastSeen, Rejects: []record.Reject{{Kind: record.LastSeen, User: userID(1), Reason: record.NotATimestamp}}}},
			target: []record.Document{{Kind: record.LastSeen, User: userID(1), Held: record.Held{Found: true, Times: map[string]any{"timestamp": int64(1_700_000_000_000)}}}},
			want:   verify.Counts{Source: 1, Target: 1, Rejected: 1, Extra: 1},
		},
		{
			rule: "a second document of a user of whom all is rejected is a difference", kind: record.KV,
			items: []record.Item{rejectedKV(1, "a")}, target: []record.Document{others(kvOf(1, "a")), others(kvOf(1, "a"))},
			want:  verify.Counts{Source: 1, Target: 2, Rejected: 1, Extra: 2},
			found: []string{`extra kv 94490510697181184 "" ""`},
		},
		{
			rule: "a document of nobody is not that of rejects without a user", kind: record.LastSeen, options: record.CompareOptions{Exact: true},
			items: []record.Item{nobody}, target: []record.Document{
				{Kind: record.LastSeen, Name: record.NameOf("7"), Numeric: true, Held: record.Held{Found: true}},
				{Kind: record.LastSeen, Name: record.NameOf("somebody"), Held: record.Held{Found: true}},
			},
			want:  numeric,
			found: []string{`extra last_seen 0 "7" ""`, `extra last_seen 0 "somebody" ""`},
		},
		{
			rule: "two documents of nobody are not two of one user", kind: record.LastSeen,
			items: []record.Item{nobody}, target: []record.Document{
				{Kind: record.LastSeen, Name: record.NameOf("7"), Numeric: true, Held: record.Held{Found: true}},
				{Kind: record.LastSeen, Name: record.NameOf("somebody"), Held: record.Held{Found: true}},
			},
			want: numeric,
		},
		{
			rule: "a rejected counter is not extra", kind: record.Metrics, options: record.CompareOptions{Exact: true},
			items: []record.Item{half}, target: []record.Document{counters(false)},
			want: verify.Counts{Source: 1, Target: 1, Agreeing: 1, Ahead: 1},
		},
		{
			rule: "counters that the app does not find are a difference", kind: record.Metrics,
			items: []record.Item{item(full)}, target: []record.Document{counters(true)},
			want:  verify.Counts{Source: 1, Target: 1, Different: 1},
			found: []string{`different metrics 0 "" "type"`},
		},
		{
			rule: "a date that another field of the document beats is ahead of nothing", kind: record.MonitoringSince,
			items:  []record.Item{item(record.Record{Kind: record.MonitoringSince, User: userID(1), Time: 1_700_000_000})},
			target: []record.Document{{Kind: record.MonitoringSince, User: userID(1), Held: record.Held{Found: true, Times: map[string]any{"since": int64(1_700_000_000), "monitoring_since": int64(1_700_000_001)}}}},
			want:   verify.Counts{Source: 1, Target: 1, Agreeing: 1},
		},
	} {
		o := options([][]record.Item{tc.items}, tc.target, tc.options)
		o.Kinds = record.Kinds(0).With(tc.kind)
		report := run(t, o)
		if d := cmp.Diff(tc.want, report.Kinds[tc.kind]); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.rule, d)
		}
		if d := cmp.Diff(append([]string(nil), tc.found...), lines(report.Differences)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.rule, d)
		}
	}
}

// moving returns options with a source that holds other items at each reading, the last ones for good.
func moving(documents []record.Document, readings ...[]record.Item) verify.Options {
	o := options(nil, documents, record.CompareOptions{})
	n := 0
	o.Source = func() record.Source {
		items := readings[min(n, len(readings)-1)]
		n++
		return &mem.Source{Items: [][]record.Item{items}}
	}
	return o
}

func TestASourceThatIsEmptiedProvesNothing(t *testing.T) {
	_, err := verify.New(moving(nil, []record.Item{lastSeen(1, 1_700_000_000_000)}, nil)).Run(context.Background())
	if !errors.Is(err, verify.ErrEmptied) {
		t.Errorf("%v, want that the source was emptied", err)
	}
}

func TestANamedUserWhoHasNothingAnyMoreIsCompared(t *testing.T) {
	o := moving(nil, []record.Item{lastSeen(1, 1_700_000_000_000)}, nil)
	o.Named = true
	if report := run(t, o); report.Total != 0 || report.Kinds[record.LastSeen] != (verify.Counts{}) {
		t.Errorf("%d differences, %+v", report.Total, report.Kinds[record.LastSeen])
	}
}

func TestAValueThatIsRejectedOnlyLaterIsARejectAllTheSame(t *testing.T) {
	keep := lastSeen(2, 1_700_000_000_000)
	o := moving(migrated([]record.Item{keep}), []record.Item{keep, item(kvOf(1, "a"))}, []record.Item{keep, rejectedKV(1, "a")})
	report := run(t, o)
	if c := report.Kinds[record.KV]; c != (verify.Counts{Source: 1, Rejected: 1}) || report.Rejects() != 1 || report.Total != 0 {
		t.Errorf("%+v, %v, %d differences", c, report.Reasons, report.Total)
	}
	// And the other way round it is none any more.
	o = moving(migrated([]record.Item{keep, item(kvOf(1, "b"))}), []record.Item{keep, rejectedKV(1, "a")}, []record.Item{keep, item(kvOf(1, "b"))})
	report = run(t, o)
	if c := report.Kinds[record.KV]; c != (verify.Counts{Source: 1, Target: 1, Agreeing: 1}) || report.Rejects() != 0 || report.Total != 0 {
		t.Errorf("%+v, %v, %d differences", c, report.Reasons, report.Total)
	}
}

func TestProgressIsThatOfThePass(t *testing.T) {
	items := []record.Item{lastSeen(1, 1_700_000_000_000), lastSeen(2, 1_700_000_000_000)}
	o := options([][]record.Item{items}, migrated(items[:1]), record.CompareOptions{})
	job := verify.New(o)
	if _, err := job.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if s := job.Snapshot(); s.Keys != 2 || s.Total != 2 || s.Documents != 1 || s.Expected != 1 {
		t.Errorf("after the second pass: %+v", s)
	}
}

// TestADocumentThatComesAgainIsJudgedOnce reads a target whose scan repeats a document: only one of another ID is a second.
func TestADocumentThatComesAgainIsJudgedOnce(t *testing.T) {
	const user = record.UserID(94490510688792576)
	seen := func(ms int64, id string) record.Document {
		return record.Document{Kind: record.LastSeen, User: user, ID: id, Held: record.Held{Found: true, Times: map[string]any{"timestamp": ms}}}
	}
	source := &mem.Source{Items: [][]record.Item{{{Kind: record.LastSeen, Record: &record.Record{Kind: record.LastSeen, User: user, Time: 1700000000000}}}}}
	for name, tc := range map[string]struct {
		documents []record.Document
		extra     int64
	}{
		"the same again":       {documents: []record.Document{seen(1700000000000, "a"), seen(1700000000000, "a")}},
		"another":              {documents: []record.Document{seen(1700000000000, "a"), seen(1700000000000, "b")}, extra: 1},
		"another, without IDs": {documents: []record.Document{seen(1700000000000, ""), seen(1700000000000, "")}, extra: 1},
	} {
		job := verify.New(verify.Options{
			Source: func() record.Source { return source }, Target: &fakeTarget{documents: tc.documents}, Kinds: record.LanyardKinds,
			Compare: record.CompareOptions{Now: now}, MaxDifferences: 10,
		})
		report, err := job.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Kinds[record.LastSeen]; got.Extra != tc.extra || report.Total != tc.extra || got.Target != 1+tc.extra {
			t.Errorf("%s: %+v, %d differences", name, got, report.Total)
		}
	}
}

// TestARecordWithoutFieldsIsThereWhereNothingIs compares a user whose last pair was removed with a target that has no document
// of theirs.
func TestARecordWithoutFieldsIsThereWhereNothingIs(t *testing.T) {
	const user = record.UserID(94490510688792576)
	source := &mem.Source{Items: [][]record.Item{{{Kind: record.KV, Record: &record.Record{Kind: record.KV, User: user}}}}}
	job := verify.New(verify.Options{
		Source: func() record.Source { return source }, Target: &fakeTarget{}, Kinds: record.LanyardKinds,
		Compare: record.CompareOptions{Now: now, Exact: true}, MaxDifferences: 10,
	})
	report, err := job.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if got := report.Kinds[record.KV]; report.Total != 0 || got.Source != 1 || got.Agreeing != 1 || got.Missing != 0 {
		t.Errorf("%+v, %d differences", got, report.Total)
	}
}
