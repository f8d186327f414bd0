package record_test

import (
	"maps"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

// genDocument generates what may stand for a record of [genRecord].
func genDocument(kind Kind) *rapid.Generator[Document] {
	return rapid.Custom(func(t *rapid.T) Document {
		s := Document{Kind: kind, User: user, Held: genHeld(kind).Filter(func(h Existing) bool { return h.Found }).Draw(t, "held").Held}
		if kind == Metrics {
			s.User = 0
		}
		if kind == KV && !s.Held.Unmodified && rapid.IntRange(0, 9).Draw(t, "no fields") == 0 {
			s.Held.Fields, s.Held.Malformed = nil, Array{"x"}
		}
		if kind == KV && s.Held.Unmodified && len(s.Held.Fields) == 0 {
			s.Held.Unmodified = false
		}
		return s
	})
}

func genKind() *rapid.Generator[Kind] {
	return rapid.Custom(func(t *rapid.T) Kind { return Kind(rapid.IntRange(0, int(Remember)-1).Draw(t, "kind")) })
}

// documentOf returns r as a target holds it that was empty before.
func documentOf(t rapid.TB, r Record) Document {
	t.Helper()
	d, held := merge(r, Existing{}, FailOnConflict)
	if d.Status != Inserted || (r.Kind == KV || r.Kind == APIKeys) != held.Unmodified {
		t.Fatalf("a new document: column %d, written %v", d.Status, held.Unmodified)
	}
	return Document{Kind: r.Kind, User: r.User, Held: held.Held}
}

func TestContent(t *testing.T) {
	const created = 1442598693 // of user, in seconds
	for name, c := range map[string]struct {
		kind     Kind
		held     Held
		want     Record
		plain    bool
		mistyped bool
	}{
		"an API key":                     {APIKeys, Held{APIKey: "k"}, Record{APIKey: "k"}, true, false},
		"a document without an API key":  {APIKeys, Held{}, Record{}, true, false},
		"key-value pairs":                {KV, Held{Fields: map[string]Value{"a": int64(7), "b": nil}}, fields("a", int64(7), "b", nil), true, false},
		"no key-value pairs":             {KV, Held{Fields: map[string]Value{}}, fields(), true, false},
		"no document where pairs belong": {KV, Held{Malformed: "text"}, fields(), false, false},

		"milliseconds":                     {LastSeen, times("timestamp", int64(1664641326417)), Record{Time: 1664641326417}, true, false},
		"seconds in place of milliseconds": {LastSeen, times("timestamp", int64(1664641326)), Record{Time: 1664641326000}, true, true},
		"a double":                         {LastSeen, times("timestamp", 1664641326417.0), Record{Time: 1664641326417}, true, true},
		"text":                             {LastSeen, times("timestamp", "1664641326417"), Record{Time: 1664641326417}, true, true},
		"a date":                           {LastSeen, times("timestamp", time.UnixMilli(1664641326417)), Record{Time: 1664641326417}, true, true},
		"ISO 8601":                         {MonitoringSince, times("since", "2022-10-01T16:22:06Z"), Record{Time: 1664641326}, true, true},
		"milliseconds in place of seconds": {MonitoringSince, times("since", int64(1664641326999)), Record{Time: 1664641326}, true, true},
		"words":                            {LastSeen, times("timestamp", "soon"), Record{}, false, false},
		"null":                             {LastSeen, times("timestamp", nil), Record{}, false, false},
		"the far future":                   {LastSeen, times("timestamp", now.AddDate(1, 0, 0)), Record{}, false, false},
		"before the account was made":      {MonitoringSince, times("since", int64(created-1)), Record{}, false, false},
		"when the account was made":        {MonitoringSince, times("since", int64(created)), Record{Time: created}, true, false},
		"no time":                          {LastSeen, Held{}, Record{}, false, false},

		"an earlier date in a fork's field": {MonitoringSince, times("since", int64(1664641326), "monitoring_since", int64(1600000000)), Record{Time: 1664641326}, false, false},
		"a later date in a fork's field":    {MonitoringSince, times("since", int64(1664641326), "monitoring_since", int64(1700000000)), Record{Time: 1664641326}, true, false},
		"the same date in a fork's field":   {MonitoringSince, times("since", int64(1664641326), "monitoring_since", "1664641326"), Record{Time: 1664641326}, true, false},
		"no date in a fork's field":         {MonitoringSince, times("since", int64(1664641326), "monitoring_since", "soon"), Record{Time: 1664641326}, true, false},
		"a date in a fork's field alone":    {MonitoringSince, times("monitoring_since", int64(1664641326)), Record{}, false, false},

		"counters":                    {Metrics, Held{Fields: map[string]Value{"a": int64(12), "b": 1.5}}, fields("a", int64(12), "b", 1.5), true, false},
		"a counter as text":           {Metrics, Held{Fields: map[string]Value{"a": "12"}}, fields("a", int64(12)), true, true},
		"one counter of many as text": {Metrics, Held{Fields: map[string]Value{"a": "12", "b": int64(1), "c": 2.0, "d": "many", "e": int64(0)}}, fields("a", int64(12), "b", int64(1), "c", int64(2), "d", "many", "e", int64(0)), true, true},
		"a whole double is a counter": {Metrics, Held{Fields: map[string]Value{"a": 12.0}}, fields("a", 12.0), true, false},
		"no counters":                 {Metrics, Held{Fields: map[string]Value{"a": "many", "b": int64(-1), "c": nil}}, fields("a", "many", "b", int64(-1), "c", nil), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			id := user
			if c.kind == Metrics {
				id = 0
			}
			c.held.Found, c.want.Kind, c.want.User = true, c.kind, id
			got := Document{Kind: c.kind, User: id, Held: c.held}.Content(now)
			if got.Record.Digest() != c.want.Digest() || got.Complete != c.plain || got.Mistyped != c.mistyped {
				t.Errorf("%+v, want %+v plain %v mistyped %v", got, c.want, c.plain, c.mistyped)
			}
		})
	}
}

// fields returns a record with the named values, which alternate with their names.
func fields(pairs ...any) Record {
	r := Record{Fields: make(map[string]Field)}
	for i := 0; i < len(pairs); i += 2 {
		r.Fields[pairs[i].(string)] = Field{Value: pairs[i+1]}
	}
	return r
}

func times(pairs ...any) Held {
	h := Held{Times: make(map[string]any)}
	for i := 0; i < len(pairs); i += 2 {
		h.Times[pairs[i].(string)] = pairs[i+1]
	}
	return h
}

func TestContentOfNobodyIsNeverPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := genKind().Draw(t, "kind")
		s := genDocument(kind).Draw(t, "document")
		s.User = 0
		s.Name = NameOf(rapid.SampledFrom([]string{"", "nobody", "7"}).Draw(t, "name"))
		if got := s.Content(now); got.Complete != (kind == Metrics) {
			t.Errorf("%s of nobody: plain %v", kind, got.Complete)
		}
	})
}

func TestContentOfWhatWasWrittenIsTheRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord(genKind().Draw(t, "kind")).Draw(t, "record")
		c := documentOf(t, r).Content(now)
		if c.Record.Digest() != r.Digest() || !c.Complete || c.Mistyped {
			t.Errorf("%+v", c)
		}
	})
}

// TestMistypedIsWhatMergingMends is the law that a document is mistyped exactly where merging what it says into itself
// changes it.
func TestMistypedIsWhatMergingMends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := genKind().Draw(t, "kind")
		s := genDocument(kind).Draw(t, "document")
		c := s.Content(now)
		says := c.Record
		switch kind {
		case LastSeen, MonitoringSince:
			if says.Time == 0 {
				if c.Mistyped {
					t.Error("mistyped, though it says nothing")
				}
				return
			}
			s.Held.Times = map[string]any{TimeField(kind): s.Held.Times[TimeField(kind)]}
		case Metrics:
			says.Fields = maps.Clone(says.Fields)
			maps.DeleteFunc(says.Fields, func(name string, f Field) bool {
				_, reason, _ := Counter(name, f.Value)
				return reason != ""
			})
		}
		if d, _ := merge(says, Existing{Held: s.Held}, FailOnConflict); d.Write != c.Mistyped {
			t.Errorf("mistyped is %v, and merging mends it: %v", c.Mistyped, d.Write)
		}
	})
}

func TestValueDigestAgreesWithEqual(t *testing.T) {
	leaves := rapid.OneOf(genValue(), rapid.SampledFrom([]Value{
		false, "7", "true", "null", "\x00", int64(0), 0.0, math.Copysign(0, -1), math.NaN(), math.Inf(1), 1e300, int64(math.MaxInt64),
		float64(1 << 53), int64(1<<53 + 1), Array{}, Object{}, Array{nil}, Array{Array{}}, Object{"": nil}, Opaque{Type: 8, Data: []byte("id")}, Opaque{Type: 7},
	}))
	values := rapid.OneOf(leaves, rapid.Custom(func(t *rapid.T) Value {
		list := rapid.SliceOfN(leaves, 0, 2).Draw(t, "list")
		if rapid.Bool().Draw(t, "array") {
			return Array(list)
		}
		o := make(Object)
		for i, v := range list {
			o[string(rune('a'+i))] = v
		}
		return o
	}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := values.Draw(t, "a"), values.Draw(t, "b")
		if Equal(a, b) != (ValueDigest(a) == ValueDigest(b)) {
			t.Errorf("%#v and %#v: equal %v", a, b, Equal(a, b))
		}
	})
}
