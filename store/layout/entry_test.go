package layout

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

func values() *rapid.Generator[record.Value] {
	leaf := rapid.OneOf(
		rapid.Just[record.Value](nil), rapid.Map(rapid.Bool(), toValue), rapid.Map(rapid.Int64(), toValue),
		rapid.Map(rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64), toValue), rapid.Map(rapid.String(), toValue),
		rapid.SampledFrom([]record.Value{"7", `"7"`, "null", "<&>\u2028\x00", "", "1e400"}),
	)
	deeper := rapid.Deferred(values)
	return rapid.OneOf(leaf, leaf, leaf,
		rapid.Map(rapid.SliceOfN(deeper, 0, 3), func(l []record.Value) record.Value { return record.Array(l) }),
		rapid.Map(rapid.MapOfN(rapid.String(), deeper, 0, 3), func(m map[string]record.Value) record.Value { return record.Object(m) }),
	)
}

func toValue[T any](v T) record.Value { return v }

func TestWhatIsEncodedIsDecodedToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SampledFrom([]Layout{ForkKV, UpstreamKV, Counters}).Draw(t, "layout")
		v := values().Draw(t, "value")
		if l == Counters {
			v = rapid.OneOf(rapid.Map(rapid.Int64Range(0, math.MaxInt64), toValue),
				rapid.Map(rapid.Float64Range(0, math.MaxFloat64), toValue)).Draw(t, "counter")
		}
		text, err := l.Encode(v)
		if err != nil {
			if _, isText := v.(string); l == UpstreamKV && !isText {
				return
			}
			t.Fatalf("encode %#v: %v", v, err)
		}
		e, ok := hash(l, "name", text).Entry()
		if !ok || e.Fault != "" || !record.Equal(e.Fields["name"], v) {
			t.Fatalf("%#v is encoded as %q and decoded to %#v (%s)", v, text, e.Fields["name"], e.Fault)
		}
	})
}

func TestValuesAreWrittenAsTheAppsWriteThem(t *testing.T) {
	for _, tc := range []struct {
		l    Layout
		v    record.Value
		want string
	}{
		{ForkKV, "7", `"7"`}, {ForkKV, int64(7), "7"}, {ForkKV, 7.0, "7.0"}, {ForkKV, "<a&b>", `"<a&b>"`}, {ForkKV, record.Object{"b": record.Array{nil}, "a": 1.5}, `{"a":1.5,"b":[null]}`},
		{UpstreamKV, "7", "7"}, {UpstreamKV, `"7"`, `"7"`}, {UpstreamKV, "", ""},
		{Counters, int64(12), "12"}, {Counters, 12.0, "12.0"}, {Counters, 1.5, "1.5"}, {Counters, 1e21, "1.0e21"}, {Counters, 1.25e-7, "1.25e-7"}, {Counters, 0.0, "0.0"},
	} {
		if got, err := tc.l.Encode(tc.v); got != tc.want || err != nil {
			t.Errorf("%#v becomes %q (%v), want %q", tc.v, got, err, tc.want)
		}
	}
}

func TestWhatALayoutCannotHoldIsNotEncoded(t *testing.T) {
	deep := func(levels int) record.Value {
		var v record.Value = "x"
		for range levels {
			v = record.Array{v}
		}
		return v
	}
	for _, tc := range []struct {
		l Layout
		v record.Value
	}{
		{UpstreamKV, int64(7)}, {UpstreamKV, nil}, {UpstreamKV, "\xff"}, {ForkKV, "\xff"}, {ForkKV, record.Object{"\xff": nil}},
		{ForkKV, math.NaN()}, {ForkKV, math.Inf(1)}, {ForkKV, record.Array{record.Opaque{}}}, {ForkKV, deep(record.MaxDepth + 1)},
		{Counters, int64(-1)}, {Counters, math.Inf(1)}, {Counters, "7"}, {Counters, nil},
	} {
		if got, err := tc.l.Encode(tc.v); err == nil {
			t.Errorf("%#v becomes %q", tc.v, got)
		}
	}
	text, err := ForkKV.Encode(deep(record.MaxDepth))
	if e, _ := hash(ForkKV, "x", text).Entry(); err != nil || e.Fault != "" {
		t.Errorf("%v, %s", err, e.Fault)
	}
}

func TestEachKeyIsReadByItself(t *testing.T) {
	fork, upstream := record.Apps(0).With(record.Fork), record.Apps(0).With(record.Upstream)
	const key = "0123456789abcdef0123456789abcdef"
	for name, tc := range map[string]struct {
		f    Found
		want record.Entry
		none bool
	}{
		"the fork's values are JSON, or text that is none": {f: hash(ForkKV, "a", `"7"`, "b", "7", "c", "x"), want: record.Entry{
			Place: "lanyard:user_kv:" + userID, Apps: fork, Fields: map[string]record.Value{"a": "7", "b": int64(7), "c": "x"}}},
		"upstream's values are texts": {f: hash(UpstreamKV, "a", `"7"`, "b", "7"), want: record.Entry{
			Place: "lanyard_kv:" + userID, Apps: upstream, TextOnly: true, Fields: map[string]record.Value{"a": `"7"`, "b": "7"}}},
		"values that cannot be read are left out": {f: hash(ForkKV, "a", "\xff", "b", "1e400", "c", "1"), want: record.Entry{
			Place: "lanyard:user_kv:" + userID, Apps: fork, Fields: map[string]record.Value{"c": int64(1)},
			Unreadable: map[string]string{"a": "the value is not valid UTF-8", "b": "holds an integer beyond 64 bits or a number beyond a double"}}},
		"a list is no hash": {f: wrong(ForkKV, "list"), want: record.Entry{
			Place: "lanyard:user_kv:" + userID, Apps: fork, Fault: "the key holds a list, not a hash"}},
		"a large hash": {f: large(UpstreamKV), want: record.Entry{
			Place: "lanyard_kv:" + userID, Apps: upstream, TextOnly: true, Fault: "the value is larger than 32 MiB"}},
		"a time":                         {f: text(ForkLastSeen, "+0012"), want: record.Entry{Place: "lanyard:user_last_seen:" + userID, Apps: fork, Time: int64(12)}},
		"a time that is none":            {f: text(UpstreamLastSeen, "12.0"), want: record.Entry{Place: "lanyard_last_seen:" + userID, Apps: upstream, Time: "12.0", Fault: "the text is no integer"}},
		"a time that is empty":           {f: text(OldestMonitoringSince, ""), want: record.Entry{Place: "monitoring:" + userID, Apps: fork, Time: "", Fault: "the text is no integer"}},
		"another application's key":      {f: wrong(OldestMonitoringSince, "set"), none: true},
		"nothing":                        {f: absent(ForkKV), none: true},
		"an API key":                     {f: text(UserAPIKey, key), want: record.Entry{Place: "user_api_key:" + userID, Apps: upstream, APIKey: key}},
		"an API key that is empty":       {f: text(UserAPIKey, ""), want: record.Entry{Place: "user_api_key:" + userID, Apps: upstream, Fault: "the key is empty"}},
		"counters":                       {f: hash(Counters, "a", "12", "b", "1.0e6"), want: record.Entry{Place: Counters.Key(userID), Apps: fork, Fields: map[string]record.Value{"a": int64(12), "b": 1e6}}},
		"a counter that cannot be read":  {f: hash(Counters, "a", "-1"), want: record.Entry{Place: Counters.Key(userID), Apps: fork, Fields: map[string]record.Value{}, Unreadable: map[string]string{"a": "negative"}}},
		"a counter with a name reserved": {f: hash(Counters, "type", "1"), want: record.Entry{Place: Counters.Key(userID), Apps: fork, Fields: map[string]record.Value{}, Unreadable: map[string]string{"type": "the name is reserved for the document itself"}}},
	} {
		got, ok := tc.f.Entry()
		if ok == tc.none {
			t.Errorf("%s: reported %v", name, ok)
		}
		if diff := cmp.Diff(tc.want, got); diff != "" && !tc.none {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
	if place := Place("api_key:" + key); strings.Contains(place, key) || !utf8.ValidString(place) || !strings.HasPrefix(place, "api_key:…") {
		t.Errorf("%q", place)
	}
}

func TestLanyardctlsOwnKeyIsNobodysElse(t *testing.T) {
	if l, _ := Classify(CountersNote); l != Other {
		t.Errorf("it is layout %d", l)
	}
}
