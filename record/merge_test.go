package record_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	. "github.com/lanyardctl/lanyardctl/record"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

const user = UserID(94490510688792576)

// apply returns what a target holds after a decision. It is the smallest store there is.
func apply(r Record, held Existing, d Decision) Existing {
	if !d.Write {
		return held
	}
	next := Existing{KeyOwner: held.KeyOwner, Held: Held{
		Found: true, Unmodified: d.Mark != "", APIKey: held.APIKey, Times: maps.Clone(held.Times), Fields: maps.Clone(held.Fields),
	}}
	if d.Adopts {
		return next
	}
	switch r.Kind {
	case APIKeys:
		next.APIKey = d.APIKey
		if d.RevokeOther {
			next.KeyOwner = ""
		}
	case LastSeen, MonitoringSince:
		if next.Times == nil {
			next.Times = make(map[string]any)
		}
		next.Times[TimeField(r.Kind)] = d.Time
	case KV, Metrics:
		if next.Fields == nil {
			next.Fields = make(map[string]Value)
		}
		maps.Copy(next.Fields, d.Set)
		for _, name := range d.Unset {
			delete(next.Fields, name)
		}
	}
	return next
}

func merge(r Record, held Existing, p Policy) (Decision, Existing) {
	d := Merge(r, held, TimeBounds(r.Kind, r.User, now), p)
	return d, apply(r, held, d)
}

func genValue() *rapid.Generator[Value] {
	return rapid.SampledFrom([]Value{nil, true, "", "x", int64(7), 7.0, 7.5, Array{int64(1)}, Object{"a": "b"}, Opaque{Type: 7, Data: []byte("id")}})
}

func genRecord(kind Kind) *rapid.Generator[Record] {
	return rapid.Custom(func(t *rapid.T) Record {
		r := Record{Kind: kind, User: user}
		switch kind {
		case APIKeys:
			r.APIKey = rapid.SampledFrom([]string{"k1", "k2"}).Draw(t, "key")
			r.Origin = Origin{Key: "api_key:" + r.APIKey, Raw: r.APIKey}
		case LastSeen:
			r.Time = 1664641326000 + rapid.Int64Range(0, 3).Draw(t, "time")
		case MonitoringSince:
			r.Time = 1664641326 + rapid.Int64Range(0, 3).Draw(t, "time")
		case KV:
			r.Fields = make(map[string]Field)
			for name, v := range rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), genValue(), 1, 3).Draw(t, "fields") {
				r.Fields[name] = Field{Value: v, Origin: Origin{Raw: string(JSON(v))}}
			}
		case Metrics:
			r.User, r.Fields = 0, make(map[string]Field)
			for name, v := range rapid.MapOfN(rapid.SampledFrom([]string{"a", "b"}), rapid.SampledFrom([]Value{int64(0), 1.5, int64(9)}), 1, 2).Draw(t, "counters") {
				r.Fields[name] = Field{Value: v}
			}
		}
		return r
	})
}

func genHeld(kind Kind) *rapid.Generator[Existing] {
	return rapid.Custom(func(t *rapid.T) Existing {
		h := Existing{Held: Held{Found: rapid.Bool().Draw(t, "found")}}
		if !h.Found {
			return h
		}
		switch kind {
		case APIKeys:
			h.APIKey = rapid.SampledFrom([]string{"k1", "k3"}).Draw(t, "held key")
			h.Unmodified = rapid.Bool().Draw(t, "written")
			if h.APIKey == "k3" && rapid.Bool().Draw(t, "holder") {
				h.KeyOwner = (user + 1).String()
			}
		case KV:
			h.Unmodified = rapid.Bool().Draw(t, "written")
			h.Fields = rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "d"}), genValue(), 0, 3).Draw(t, "held fields")
		case LastSeen, MonitoringSince:
			h.Times = make(map[string]any)
			times := rapid.SampledFrom([]any{int64(1664641327), int64(1664641327000), "2022-10-01T16:22:06Z", 1664641328.0, int64(5), "soon", now, nil})
			for _, name := range []string{TimeField(kind), "monitoring_since"} {
				if kind == LastSeen && name == "monitoring_since" {
					continue
				}
				if rapid.Bool().Draw(t, "has "+name) {
					h.Times[name] = times.Draw(t, name)
				}
			}
		case Metrics:
			h.Fields = rapid.MapOfN(rapid.SampledFrom([]string{"a", "c"}), rapid.SampledFrom([]Value{int64(1), 9.0, 2.5, "12", "x", int64(-4), nil}), 0, 2).Draw(t, "held counters")
		}
		return h
	})
}

func genCase(t *rapid.T) (Record, Existing, Policy) {
	kind := Kind(rapid.IntRange(0, int(Remember)-1).Draw(t, "kind"))
	return genRecord(kind).Draw(t, "record"), genHeld(kind).Draw(t, "held"), Policy(rapid.IntRange(0, 2).Draw(t, "policy"))
}

func TestMergingTwiceChangesNothingMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, held, policy := genCase(t)
		first, after := merge(r, held, policy)
		second, _ := merge(r, after, policy)
		if second.Write {
			t.Errorf("the second merge writes: %+v", second)
		}
		if (first.Status == Conflicted) != (second.Status == Conflicted) {
			t.Errorf("column %d, then %d", first.Status, second.Status)
		}
	})
}

// TestNothingIsLost is the law that every value of the source and of the target is in the target afterwards, or kept.
func TestNothingIsLost(t *testing.T) {
	t.Run("merged", func(t *testing.T) { nothingIsLost(t, genCase, merge) })
	t.Run("mirrored", func(t *testing.T) { nothingIsLost(t, genMirrored, mirror) })
}

func nothingIsLost(
	t *testing.T, genCase func(*rapid.T) (Record, Existing, Policy), merge func(Record, Existing, Policy) (Decision, Existing),
) {
	rapid.Check(t, func(t *rapid.T) {
		r, held, policy := genCase(t)
		d, after := merge(r, held, policy)
		kept := make(map[string]bool)
		for _, s := range d.Superseded {
			kept[fmt.Sprintf("%q %q", s.Field, s.Value.Data)] = true
		}
		lost := func(field string, v any) bool {
			text, ok := v.(string)
			if !ok {
				text = string(JSON(Storable(v)))
			}
			return !kept[fmt.Sprintf("%q %q", field, text)]
		}
		for name, v := range held.Fields {
			if now, there := after.Fields[name]; (!there || !Equal(now, v)) && lost(name, v) {
				t.Errorf("the target's %q = %v is gone", name, v)
			}
		}
		for name, v := range held.Times {
			if now := after.Times[name]; !Equal(Storable(now), Storable(v)) && lost(name, v) {
				t.Errorf("the target's %q = %v is gone", name, v)
			}
		}
		if held.APIKey != "" && after.APIKey != held.APIKey && lost("key", held.APIKey) {
			t.Errorf("the target's key %s is gone", held.APIKey)
		}
		rejected := make(map[string]bool)
		for _, reject := range d.Rejects {
			rejected[reject.Field] = true
		}
		if r.Kind == KV {
			for name, f := range r.Fields {
				if !Equal(after.Fields[name], f.Value) && !rejected[name] && lost(name, f.Origin.Raw) {
					t.Errorf("the source's %q = %v is nowhere", name, f.Value)
				}
			}
		}
		if r.Kind == APIKeys && after.APIKey != r.APIKey && len(d.Rejects) == 0 && lost("", r.APIKey) {
			t.Errorf("the source's key is nowhere")
		}
	})
}

// TestOrderOfTimesAndCountersIsNothing is the law that makes two runs at once and any splitting harmless.
func TestOrderOfTimesAndCountersIsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]Kind{LastSeen, MonitoringSince, Metrics}).Draw(t, "kind")
		held := genHeld(kind).Draw(t, "held")
		a, b := genRecord(kind).Draw(t, "a"), genRecord(kind).Draw(t, "b")
		run := func(first, second Record) string {
			_, h := merge(first, held, FailOnConflict)
			_, h = merge(second, h, FailOnConflict)
			times := make(Object)
			for name, v := range h.Times {
				times[name] = Storable(v)
			}
			return string(JSON(times)) + string(JSON(Object(h.Fields)))
		}
		if ab, ba := run(a, b), run(b, a); ab != ba {
			t.Errorf("%s, the other way round %s", ab, ba)
		}
	})
}

func TestWhatLanyardctlWroteFollowsTheSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]Kind{KV, APIKeys}).Draw(t, "kind")
		held := genHeld(kind).Draw(t, "held")
		held.Found, held.Unmodified, held.KeyOwner = true, true, ""
		r := genRecord(kind).Draw(t, "record")
		d, after := merge(r, held, FailOnConflict)
		if d.Status == Conflicted {
			t.Fatalf("a conflict with what lanyardctl wrote: %+v", d.Rejects)
		}
		if after.APIKey != r.APIKey && kind == APIKeys || kind == KV && len(after.Fields) != len(r.Fields) {
			t.Errorf("%+v instead of %+v", after, r)
		}
	})
}

func BenchmarkMerge(b *testing.B) {
	r := Record{Kind: KV, User: user, Fields: make(map[string]Field)}
	held := Existing{Held: Held{Found: true, Fields: make(map[string]Value)}}
	for i := range 20 {
		name := fmt.Sprintf("field_%d", i)
		r.Fields[name] = Field{Value: "some text of ordinary length"}
		held.Fields[name] = "some text of ordinary length"
	}
	bounds := TimeBounds(KV, user, now)
	b.ReportAllocs()
	for b.Loop() {
		Merge(r, held, bounds, FailOnConflict)
	}
}

func BenchmarkDigest(b *testing.B) {
	r := Record{Kind: KV, User: user, Fields: make(map[string]Field)}
	for i := range 20 {
		r.Fields[fmt.Sprintf("field_%d", i)] = Field{Value: "some text of ordinary length"}
	}
	b.ReportAllocs()
	for b.Loop() {
		r.Digest()
	}
}

// TestTheBestOfAllWins compares with what a person would compute by hand from all plausible values.
func TestTheBestOfAllWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom([]Kind{LastSeen, MonitoringSince}).Draw(t, "kind")
		held, r := genHeld(kind).Draw(t, "held"), genRecord(kind).Draw(t, "record")
		_, after := merge(r, held, FailOnConflict)
		want := r.Time
		for _, v := range held.Times {
			if theirs, reason, _ := Timestamp(kind, v, TimeBounds(kind, user, now)); reason == "" {
				if kind == LastSeen {
					want = max(want, theirs.Time)
				} else {
					want = min(want, theirs.Time)
				}
			}
		}
		if got := after.Times[TimeField(kind)]; got != want {
			t.Errorf("%v, want the integer %d", got, want)
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		held, r := genHeld(Metrics).Draw(t, "held"), genRecord(Metrics).Draw(t, "record")
		_, after := merge(r, held, FailOnConflict)
		number := func(v Value) float64 {
			n, reason, _ := Counter("x", v)
			if reason != "" {
				return -1
			}
			if i, ok := n.(int64); ok {
				return float64(i)
			}
			return n.(float64)
		}
		for name, f := range r.Fields {
			if got, want := number(after.Fields[name]), max(number(f.Value), number(held.Fields[name])); got != want {
				t.Errorf("%s is %v, want %v", name, got, want)
			}
			if _, text := after.Fields[name].(string); text {
				t.Errorf("%s is still text", name)
			}
		}
	})
}

func TestRejectedFieldIsNotGone(t *testing.T) {
	held := Existing{Held: Held{Found: true, Unmodified: true, Fields: map[string]Value{"a": "old", "bad": "old", "gone": "old"}}}
	r := Record{Kind: KV, User: user, Fields: map[string]Field{"a": {Value: "new"}}}
	it := Limits{}.Apply(Item{Kind: KV, Record: &r, Rejects: []Reject{{Kind: KV, User: user, Field: "bad", HasField: true, Reason: NumberOutOfRange}}})
	d, after := merge(*it.Record, held, FailOnConflict)
	if after.Fields["bad"] != "old" || after.Fields["a"] != "new" || len(after.Fields) != 2 {
		t.Errorf("%v", after.Fields)
	}
	content := Record{Kind: KV, User: user, Fields: map[string]Field{"a": {Value: "new"}, "bad": {Value: "old"}}}
	if !Unmodified(content, d.Mark) {
		t.Error("the document is no longer known as lanyardctl's own")
	}
	it = Limits{}.Apply(Item{Kind: KV, Record: &r, Rejects: []Reject{{Kind: KV, User: user, Reason: WrongType}}})
	if _, after := merge(*it.Record, held, FailOnConflict); len(after.Fields) != 3 {
		t.Errorf("after a layout that could not be read: %v", after.Fields)
	}
}
