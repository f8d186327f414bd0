package layout_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

var lawTime = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// TestWhatIsEncodedIsDecodedAsTheSame encodes every record that a layout can hold, and decodes its keys as a source does.
func TestWhatIsEncodedIsDecodedAsTheSame(t *testing.T) {
	for _, app := range []record.App{record.Fork, record.Upstream} {
		set := layout.LayoutsOf(record.Apps(0).With(app))
		for _, kind := range set.Kinds().List() {
			t.Run(fmt.Sprint(app, " ", kind), func(t *testing.T) {
				rapid.Check(t, func(rt *rapid.T) {
					asJSON := rapid.Bool().Draw(rt, "as JSON")
					drawn := records(kind).Draw(rt, "record")
					it := set.Limits(asJSON).Apply(record.Item{Kind: kind, Record: &drawn})
					if n := len(it.Rejects); it.Record == nil && n == 0 && len(drawn.Fields) > 0 {
						rt.Fatal("the record vanished")
					}
					if it.Record == nil {
						return
					}
					founds, err := encode(app, *it.Record)
					if err != nil {
						rt.Fatal(err)
					}
					decoded, ok := decode(kind, *it.Record, founds)
					if !ok || decoded.Record == nil || len(decoded.Rejects) > 0 {
						rt.Fatalf("decoded as %+v", decoded)
					}
					if decoded.Record.Digest() != it.Record.Digest() {
						rt.Errorf("%s", cmp.Diff(it.Record.Fields, decoded.Record.Fields))
					}
					for name, f := range it.Record.Fields {
						if !record.Equal(f.Value, decoded.Record.Fields[name].Value) {
							rt.Errorf("%q: %v became %v", name, f.Value, decoded.Record.Fields[name].Value)
						}
					}
				})
			})
		}
	}
}

// encode returns the keys in which the app keeps the record: of an API key both halves.
func encode(app record.App, r record.Record) ([]layout.Found, error) {
	l := layout.LayoutsOf(record.Apps(0).With(app)).Written(r.Kind)[0]
	f := layout.Found{Key: l.Key(""), Layout: l, State: layout.Present}
	if l.HasUser() {
		f.Key = l.Key(r.User.String())
	}
	switch r.Kind.Shape() {
	case record.TextShape:
		f.Text = r.APIKey
		return []layout.Found{f, {Key: layout.APIKey.Key(r.APIKey), Layout: layout.APIKey, State: layout.Present, Text: r.User.String()}}, nil
	case record.TimeShape:
		f.Text = string(layout.AppendTime(nil, r.Time))
	case record.FieldsShape:
		f.Hash = make(map[string]string, len(r.Fields))
		for name, field := range r.Fields {
			text, err := l.Encode(field.Value)
			if err != nil {
				return nil, fmt.Errorf("the field %q: %w", name, err)
			}
			f.Hash[name] = text
		}
	}
	return []layout.Found{f}, nil
}

// decode decodes the keys of one record as a source does.
func decode(kind record.Kind, r record.Record, founds []layout.Found) (record.Item, bool) {
	for i, f := range founds { // by its name alone
		founds[i].Layout, _ = layout.Classify(f.Key)
	}
	switch kind {
	case record.APIKeys:
		return layout.Pair(r.User, founds[1:], founds[0])[0], true
	case record.Metrics:
		return layout.Metrics(founds[0])
	}
	return layout.NewWanted(layout.Request{Now: lawTime}).Item(kind, r.User, founds)
}

func records(kind record.Kind) *rapid.Generator[record.Record] {
	return rapid.Custom(func(t *rapid.T) record.Record {
		r := record.Record{Kind: kind}
		if kind.Identified() {
			r.User = record.UserID(rapid.Uint64Range(94490510688792576, 1400000000000000000).Draw(t, "user"))
		}
		switch kind {
		case record.APIKeys:
			r.APIKey = rapid.StringN(1, 40, -1).Draw(t, "key")
		case record.KV:
			r.Fields = make(map[string]record.Field)
			for name, v := range rapid.MapOfN(rapid.String(), jsonLike(2), 1, 5).Draw(t, "fields") {
				r.Fields[name] = record.Field{Value: v}
			}
		case record.Metrics:
			r.Fields = make(map[string]record.Field)
			for name, v := range rapid.MapOfN(rapid.StringMatching(`lanyard_[a-z_]+`), numbers(), 1, 5).Draw(t, "counters") {
				r.Fields[name] = record.Field{Value: v}
			}
		default:
			bounds := record.TimeBounds(kind, r.User, lawTime)
			r.Time = rapid.Int64Range(bounds.Earliest, bounds.Latest).Draw(t, "time")
			if kind == record.MonitoringSince {
				r.Time /= 1000
			}
		}
		return r
	})
}

func numbers() *rapid.Generator[record.Value] {
	return rapid.OneOf(
		rapid.Map(rapid.Int64Min(0), func(n int64) record.Value { return n }),
		rapid.Map(rapid.Float64Range(0, 1e300), func(f float64) record.Value { return f }),
	)
}

func jsonLike(depth int) *rapid.Generator[record.Value] {
	plain := []*rapid.Generator[record.Value]{
		rapid.Map(rapid.String(), func(s string) record.Value { return s }),
		rapid.SampledFrom([]record.Value{"", "7", `"7"`, "null", "{", "\x00", " ", "true", `\ud800`, nil, true, false}),
		rapid.Map(rapid.Int64(), func(n int64) record.Value { return n }),
		rapid.Map(rapid.Float64(), func(f float64) record.Value { return f }),
		rapid.Just(record.Value(record.Opaque{Type: 7, Data: []byte("x")})),
		rapid.Just(record.Value("not \xff UTF-8")),
	}
	if depth == 0 {
		return rapid.OneOf(plain...)
	}
	return rapid.OneOf(append(plain,
		rapid.Map(rapid.SliceOfN(jsonLike(depth-1), 0, 3), func(l []record.Value) record.Value { return record.Array(l) }),
		rapid.Map(rapid.MapOfN(rapid.String(), jsonLike(depth-1), 0, 3), func(m map[string]record.Value) record.Value { return record.Object(m) }),
	)...)
}

func TestWhatALayoutCannotHoldIsRejectedWithAReason(t *testing.T) {
	deep := record.Value("x")
	for range record.MaxDepth + 1 {
		deep = record.Array{deep}
	}
	fields := map[string]record.Value{
		"text": "x", "number": int64(7), "null": nil, "list": record.Array{"x"}, "id": record.Opaque{Type: 7, Data: []byte("x")},
		"infinite": math.Inf(1), "deep": deep, "bytes": "\xff",
	}
	r := record.Record{Kind: record.KV, User: 94490510688792576, Fields: make(map[string]record.Field)}
	for name, v := range fields {
		r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Key: "kv/94490510688792576", Raw: "raw " + name}}
	}
	never := map[string]record.Reason{
		"id": record.RefusedByTarget, "infinite": record.NumberOutOfRange, "deep": record.TooDeep, "bytes": record.InvalidUTF8,
	}
	texts := map[string]record.Reason{"number": record.NotText, "null": record.NotText, "list": record.NotText}
	for name, tc := range map[string]struct {
		apps     record.Apps
		asJSON   bool
		rejected []map[string]record.Reason
		written  map[string]record.Value // of those that are no text; nil where they are gone
		notes    int
	}{
		"the fork":              {apps: record.Apps(0).With(record.Fork), rejected: []map[string]record.Reason{never}, written: fields},
		"upstream":              {apps: record.Apps(0).With(record.Upstream), rejected: []map[string]record.Reason{never, texts}},
		"upstream, as JSON":     {apps: record.Apps(0).With(record.Upstream), asJSON: true, rejected: []map[string]record.Reason{never}, written: map[string]record.Value{"number": "7", "null": "null", "list": `["x"]`}, notes: 3},
		"both":                  {apps: record.AllApps, rejected: []map[string]record.Reason{never, texts}, written: fields},
		"both, as JSON as well": {apps: record.AllApps, asJSON: true, rejected: []map[string]record.Reason{never}, written: fields, notes: 3},
	} {
		it := layout.LayoutsOf(tc.apps).Limits(tc.asJSON).Apply(record.Item{Kind: record.KV, Record: &r})
		got := make(map[string]record.Reason)
		for _, line := range it.Rejects {
			got[line.Field] = line.Reason
			if line.Value.Data != "raw "+line.Field || line.Key != "kv/94490510688792576" {
				t.Errorf("%s: the reject of %q lost its value: %+v", name, line.Field, line)
			}
		}
		want := make(map[string]record.Reason)
		for _, some := range tc.rejected {
			for field, reason := range some {
				want[field] = reason
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for field := range fields {
			v, exists := it.Record.Fields[field]
			expected, should := tc.written[field]
			if _, no := never[field]; no {
				should = false
			}
			if field == "text" {
				expected, should = "x", true
			}
			if exists != should || should && !record.Equal(v.Value, expected) {
				t.Errorf("%s: %q is %v (%v), want %v (%v)", name, field, v.Value, exists, expected, should)
			}
		}
		if len(it.Notes) != tc.notes {
			t.Errorf("%s: notes %v", name, it.Notes)
		}
		if len(r.Fields) != len(fields) {
			t.Fatal("the record itself was changed")
		}
	}
}

func TestPairsThatGrowTooLongAsJSONAreRejected(t *testing.T) {
	for value, fits := range map[string]bool{
		strings.Repeat("x", layout.MaxValue/2):      true,
		strings.Repeat("\x01", layout.MaxValue/6):   false,
		strings.Repeat("\x01", layout.MaxValue/6-9): true,
	} {
		r := record.Record{Kind: record.KV, User: 94490510688792576, Fields: map[string]record.Field{"a": {Value: value}}}
		it := layout.LayoutsOf(record.Apps(0).With(record.Fork)).Limits(false).Apply(record.Item{Kind: record.KV, Record: &r})
		if (it.Record != nil) != fits || !fits && it.Rejects[0].Reason != record.DocumentTooLarge {
			t.Errorf("%d bytes of %q fit: %v", len(value), value[:1], it.Record != nil)
		}
	}
}

func TestTwoLayoutsAgreeByWhatTheyMean(t *testing.T) {
	const user = record.UserID(94490510688792576)
	for _, tc := range []struct {
		fork, upstream string
		agree          bool
	}{
		{"1000", "1000", true}, {"1000", "1000.0", true}, {"1e3", "1000", true}, {`{"a":[1,2.0]}`, `{"a":[1.0,2]}`, true},
		{"1000", `"1000"`, false}, {"1000", "1001", false}, {"1000", "text", false}, {`"1000"`, "1000", true}, {`"1000"`, "1000.0", false},
	} {
		founds := []layout.Found{
			{Key: layout.ForkKV.Key(user.String()), Layout: layout.ForkKV, State: layout.Present, Hash: map[string]string{"a": tc.fork}},
			{Key: layout.UpstreamKV.Key(user.String()), Layout: layout.UpstreamKV, State: layout.Present, Hash: map[string]string{"a": tc.upstream}},
		}
		d, ok := layout.Document(record.KV, user, founds, layout.LayoutsOf(record.AllApps), layout.DocumentOptions{AsJSON: true})
		said, _, _, _ := layout.ForkValue(tc.fork)
		if got := record.Equal(d.Held.Fields["a"], said); !ok || got != tc.agree {
			t.Errorf("%s and %s agree: %v, want %v", tc.fork, tc.upstream, got, tc.agree)
		}
	}
}

func TestALayoutHoldsSomeKindsAlone(t *testing.T) {
	for app, want := range map[record.App]string{record.Fork: "kv,last_seen,monitoring_since,metrics", record.Upstream: "api_keys,kv,last_seen"} {
		if got := layout.KindsOf(record.Apps(0).With(app)).String(); got != want {
			t.Errorf("%s holds %s, want %s", app, got, want)
		}
	}
	if layout.KindsOf(record.AllApps) != record.LanyardKinds {
		t.Error("both do not hold all")
	}
}

func TestADigestLiesInTheSlotOfItsKey(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.String().Draw(rt, "key")
		if got, want := layout.Slot(layout.DigestsOf(key)), layout.Slot(key); got != want {
			rt.Errorf("%q lies in slot %d, its digest in %d", key, want, got)
		}
	})
	all := make(map[int]bool)
	for _, key := range layout.DigestKeys() {
		all[layout.Slot(key)] = true
	}
	if len(all) != layout.SlotCount {
		t.Errorf("the hashes of digests lie in %d slots", len(all))
	}
}
