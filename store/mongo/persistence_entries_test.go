package mongo_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// of returns a document of alice's.
func of(elements ...bson.E) bson.D {
	return append(bson.D{{Key: "user_id", Value: alice.String()}}, elements...)
}

func has(name string, v any) bson.E { return bson.E{Key: name, Value: v} }

// said returns what is known of the entries, a line each: where, what, and the faults.
func said(kind record.Kind, entries []record.Entry) []string {
	var lines []string
	for _, e := range entries {
		content := fmt.Sprintf("%T %v", e.Time, e.Time)
		switch kind.Shape() {
		case record.FieldsShape:
			content = string(record.JSON(record.Object(e.Fields)))
		case record.TextShape:
			content = fmt.Sprintf("%q %t", e.APIKey, e.Authenticates)
		}
		for _, field := range slices.Sorted(maps.Keys(e.Unreadable)) {
			content += fmt.Sprintf(", %s: %s", field, e.Unreadable[field])
		}
		lines = append(lines, strings.TrimRight(fmt.Sprintf("%s: %s: %s", e.Place, content, e.Fault), ": "))
	}
	return lines
}

func TestEntriesSayWhyTheAppCannotReadWhatStandsThere(t *testing.T) {
	t.Parallel()
	const (
		twice   = "one of 2 documents, of which Lanyard reads any one"
		twice2  = "one of 2 documents of this user, each of which authenticates by its key"
		crashes = "no integer, on which Lanyard crashes"
		unit    = "not in seconds, on which Lanyard crashes"
	)
	uri := mongoserver.URI(t)
	pairs := func(elements ...bson.E) bson.D { return of(has("kv", append(bson.D{}, elements...))) }
	global := func(elements ...bson.E) bson.D { return append(bson.D{has("type", "global")}, elements...) }
	for name, c := range map[string]struct {
		kind      record.Kind
		documents map[string][]bson.D
		want      []string
	}{
		"pairs":              {record.KV, map[string][]bson.D{"kv": {pairs(has("a", "x"), has("n", int32(7)))}}, []string{`kv: {"a":"x","n":7}`}},
		"no pairs are empty": {record.KV, map[string][]bson.D{"kv": {pairs()}}, []string{"kv: {}"}},
		"no field for pairs": {record.KV, map[string][]bson.D{"kv": {of()}}, []string{"kv: {}"}},
		"text in place of pairs": {record.KV, map[string][]bson.D{"kv": {of(has("kv", "x"))}},
			[]string{"kv: {}: what stands in place of the pairs is no document"}},
		"two documents of pairs": {record.KV, map[string][]bson.D{"kv": {pairs(has("a", "1")), pairs(has("a", "2"))}},
			[]string{`kv: {"a":"1"}: ` + twice, `kv: {"a":"2"}: ` + twice}},
		"pairs of a number are invisible": {record.KV, map[string][]bson.D{"kv": {{has("user_id", int64(alice)), has("kv", bson.D{})}}}, nil},
		"a time":                          {record.LastSeen, map[string][]bson.D{"last_seen": {of(has("timestamp", int64(1775185650417)))}}, []string{"last_seen.timestamp: int64 1775185650417"}},
		"a time that is a double": {record.LastSeen, map[string][]bson.D{"last_seen": {of(has("timestamp", 1775185650417.0))}},
			[]string{"last_seen.timestamp: float64 1.775185650417e+12: " + crashes}},
		"a time that is small": {record.LastSeen, map[string][]bson.D{"last_seen": {of(has("timestamp", int32(7)))}}, []string{"last_seen.timestamp: int64 7"}},
		"no time":              {record.LastSeen, map[string][]bson.D{"last_seen": {of()}}, nil},
		"null for a time":      {record.LastSeen, map[string][]bson.D{"last_seen": {of(has("timestamp", nil))}}, []string{"last_seen.timestamp: <nil> <nil>"}},
		"dates in their order": {record.MonitoringSince, map[string][]bson.D{
			"kv":         {pairs(has("monitoring_since", "1664641326"), has("since", "other"))},
			"users":      {of(has("monitoring_since", int32(5)), has("since", int32(4)))},
			"monitoring": {of(has("monitoring_since", int32(2)), has("since", int32(-1)))},
		}, []string{
			"monitoring.since: int64 -1", "monitoring.monitoring_since: int64 2", "users.since: int64 4", "users.monitoring_since: int64 5",
			"kv.kv.monitoring_since: int64 1664641326",
		}},
		"dates that crash Lanyard": {record.MonitoringSince, map[string][]bson.D{
			"monitoring": {of(has("since", int64(1664641326000)), has("monitoring_since", "1664641326"))},
			"users":      {of(has("since", storetest.Now), has("monitoring_since", int64(math.MaxInt64)))},
		}, []string{
			"monitoring.since: int64 1664641326000: " + unit, "monitoring.monitoring_since: string 1664641326: " + crashes,
			"users.since: time.Time 2026-07-01 12:00:00 +0000 UTC: " + crashes, "users.monitoring_since: int64 9223372036854775807: " + unit,
		}},
		"two documents of dates": {record.MonitoringSince, map[string][]bson.D{"monitoring": {of(has("since", int32(1))), of(has("since", int32(2)))}},
			[]string{"monitoring.since: int64 1: " + twice, "monitoring.since: int64 2: " + twice}},
		"the user wrote milliseconds": {record.MonitoringSince, map[string][]bson.D{"kv": {pairs(has("monitoring_since", "1664641326000"))}}, []string{"kv.kv.monitoring_since: int64 1664641326000: " + unit}},
		"the user wrote a date":       {record.MonitoringSince, map[string][]bson.D{"kv": {pairs(has("monitoring_since", "2022-10-01"))}}, []string{"kv.kv.monitoring_since: string 2022-10-01: " + crashes}},
		"the user wrote a double":     {record.MonitoringSince, map[string][]bson.D{"kv": {pairs(has("monitoring_since", "1664641326.0"))}}, []string{"kv.kv.monitoring_since: string 1664641326.0: " + crashes}},
		"the user wrote nonsense":     {record.MonitoringSince, map[string][]bson.D{"kv": {pairs(has("monitoring_since", "soon"))}}, []string{"kv.kv.monitoring_since: string soon: " + crashes}},
		"keys":                        {record.APIKeys, map[string][]bson.D{"api_keys": {of(has("key", "a")), {has("user_id", "7"), has("key", "b")}}}, []string{`api_keys: "a" true`}},
		"a key beside one of the number": {record.APIKeys, map[string][]bson.D{"api_keys": {{has("user_id", int64(alice)), has("key", "n")}, of(has("key", "a"))}},
			[]string{`api_keys: "a" true: ` + twice2}},
		"no key":          {record.APIKeys, map[string][]bson.D{"api_keys": {of()}}, []string{`api_keys: "" false`}},
		"a key of a type": {record.APIKeys, map[string][]bson.D{"api_keys": {of(has("key", int32(5)))}}, []string{`api_keys: "" false: what stands in place of the key is no text`}},
		"counters": {record.Metrics, map[string][]bson.D{"metrics": {global(has("a", int32(1)), has("b", 1.5), has("updated_at", storetest.Now), has("lanyardctl", bson.D{}))}},
			[]string{`metrics: {"a":1,"b":1.5}`}},
		"counters that stop Lanyard": {record.Metrics, map[string][]bson.D{"metrics": {global(has("a", "5"), has("b", int32(-1)), has("c", bson.D{}), has("d", "x"), has("e", int32(1)))}},
			[]string{`metrics: {"a":5,"e":1}, a: text in place of a number, b: negative, c: no number, d: no decimal number`}},
		"counters without type":    {record.Metrics, map[string][]bson.D{"metrics": {{has("_id", "global"), has("a", int32(1))}}}, []string{`metrics: {"a":1}: the document lacks its type, so that Lanyard does not find it`}},
		"counters in one and more": {record.Metrics, map[string][]bson.D{"metrics": {global(has("a", int32(1))), global(has("a", int32(2)))}}, []string{`metrics: {"a":1}: ` + twice, `metrics: {"a":2}: ` + twice}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, uri)
			for collection, documents := range c.documents {
				for _, doc := range documents {
					f.insert(collection, doc)
				}
			}
			entries, err := f.store.Persistence().Entries(context.Background(), c.kind, alice)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, said(c.kind, entries)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
			for i, e := range entries {
				second := strings.HasPrefix(e.Fault, "one of 2") && i >= len(entries)/2 && c.kind != record.APIKeys
				if e.Apps.Has(record.Upstream) || e.Apps.Has(record.Fork) == second || e.TextOnly {
					t.Errorf("%+v", e)
				}
			}
		})
	}
}

func TestEntriesOfADocumentWithTwoFieldsOfOneName(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t) // FerretDB refuses it
	f.insert("kv", of(has("kv", bson.D{has("a", "1"), has("a", "2")})))
	p := f.store.Persistence()
	entries, err := p.Entries(context.Background(), record.KV, alice)
	if err != nil || len(entries) != 1 || entries[0].Fault != "the document holds two fields of one name" {
		t.Errorf("%+v, %v", entries, err)
	}
}

// TestKeysThatTheNumberOfAUserHas has documents of a number authenticate.
func TestKeysThatTheNumberOfAUserHas(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t, mongoserver.URI(t))
	p := f.store.Persistence()
	find := func() []string {
		t.Helper()
		entries, err := p.FindAPIKeys(ctx, alice)
		if err != nil {
			t.Fatal(err)
		}
		return said(record.APIKeys, entries)
	}
	put := func() {
		t.Helper()
		for _, doc := range []bson.D{
			{has("user_id", int64(alice)), has("key", "number")}, of(has("key", "first"), has("extra", "x"), has("created_at", storetest.Now)), of(has("key", "second")),
			{has("user_id", "94490510688792577"), has("key", "others")}, {has("user_id", true), has("key", "others")},
		} {
			f.insert("api_keys", doc)
		}
	}
	put()
	const more = "one of 3 documents of this user, each of which authenticates by its key"
	if d := cmp.Diff([]string{
		`api_keys: "first" true: ` + more, `api_keys: "second" true: ` + more, `api_keys: "number" true: the user_id is a number; ` + more,
	}, find()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for key, want := range map[string][]record.KeyOwner{
		"number": {{Place: "api_keys", Apps: record.Apps(0).With(record.Fork), User: alice, Fault: "the user_id is a number"}},
		"others": {
			{Place: "api_keys", Apps: record.Apps(0).With(record.Fork), User: alice + 1},
			{Place: "api_keys", Apps: record.Apps(0).With(record.Fork), Fault: "the user_id is none"},
		},
	} {
		if owners, err := p.KeyOwners(ctx, key); err != nil || !slices.Equal(owners, want) {
			t.Errorf("%s: %+v, %v", key, owners, err)
		}
	}

	if given, err := p.GiveAPIKey(ctx, record.Fork, alice, "given"); err != nil || !given {
		t.Fatal(given, err)
	}
	if got := find(); !slices.Equal(got, []string{`api_keys: "given" true`}) {
		t.Errorf("given: %q", got)
	}
	for _, doc := range f.documents("api_keys") {
		if doc["key"] == "given" && (doc["extra"] != "x" || doc["created_at"].(bson.DateTime).Time().Equal(storetest.Now)) {
			t.Errorf("given: %v", doc)
		}
	}
	put()
	if err := p.RevokeAPIKeys(ctx, alice, nil, true); err != nil {
		t.Fatal(err)
	}
	if got := find(); len(got) > 0 {
		t.Errorf("revoked: %q", got)
	}
	if n := len(f.documents("api_keys")); n != 4 {
		t.Errorf("%d documents of others are left", n)
	}

	// One of a number alone becomes one of text.
	f.insert("api_keys", bson.D{has("_id", "numbers"), has("user_id", int64(alice)), has("key", "number")})
	if _, err := p.GiveAPIKey(ctx, record.Fork, alice, "number"); err != nil {
		t.Fatal(err)
	}
	if got := find(); !slices.Equal(got, []string{`api_keys: "number" true`}) {
		t.Errorf("given: %q", got)
	}
	if given, err := p.GiveAPIKey(ctx, record.Fork, bob, "third"); err != nil || !given {
		t.Error(given, err)
	}
}
