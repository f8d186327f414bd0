package record_test

import (
	"math"
	"strings"
	"testing"
	"time"

	. "github.com/lanyardctl/lanyardctl/record"
)

func TestUserID(t *testing.T) {
	for text, want := range map[string]UserID{"1": 1, "94490510688792576": 94490510688792576, "18446744073709551615": math.MaxUint64} {
		if id, ok := ParseUserID(text); !ok || id != want || id.String() != text {
			t.Errorf("%q: %d, %v", text, id, ok)
		}
	}
	for _, text := range []string{"", "0", "01", "+1", "-1", " 1", "1 ", "1.0", "18446744073709551616", "99999999999999999999", "x", "١"} {
		if id, ok := ParseUserID(text); ok {
			t.Errorf("%q is taken for user %d", text, id)
		}
	}
	if got := UserID(175928847299117063).Created(); got != 1462015105796 {
		t.Errorf("created %d; Discord's documentation gives 1462015105796 for this id", got)
	}
}

func TestTimestamp(t *testing.T) {
	const created = "before the account's creation"
	for name, c := range map[string]struct {
		kind       Kind
		value      any
		want       int64
		normalised bool
		reason     Reason
		detail     string
	}{
		"milliseconds as they are":           {LastSeen, "1664641326417", 1664641326417, false, "", ""},
		"seconds as they are":                {MonitoringSince, "1664641326", 1664641326, false, "", ""},
		"seconds become milliseconds":        {LastSeen, "1664641326", 1664641326000, true, "", ""},
		"milliseconds become seconds":        {MonitoringSince, "1664641326999", 1664641326, true, "", ""},
		"microseconds become seconds":        {MonitoringSince, int64(1664641326999999), 1664641326, true, "", ""},
		"microseconds become milliseconds":   {LastSeen, int64(1664641326999999), 1664641326999, true, "", ""},
		"a double is normalised":             {MonitoringSince, 1664641326.0, 1664641326, true, "", ""},
		"a date is normalised":               {MonitoringSince, time.Unix(1664641326, 999e6), 1664641326, true, "", ""},
		"text with a fraction":               {MonitoringSince, "1664641326.75", 1664641326, true, "", ""},
		"text with an exponent":              {MonitoringSince, "1.664641326e9", 1664641326, true, "", ""},
		"text with spaces":                   {MonitoringSince, " 1664641326\n", 1664641326, true, "", ""},
		"ISO 8601 with Z":                    {MonitoringSince, "2022-10-01T16:22:06Z", 1664641326, true, "", ""},
		"ISO 8601 with a fraction":           {LastSeen, "2022-10-01T16:22:06.417Z", 1664641326417, true, "", ""},
		"ISO 8601 with an offset":            {MonitoringSince, "2022-10-01T18:22:06+02:00", 1664641326, true, "", ""},
		"ISO 8601 without a zone is UTC":     {MonitoringSince, "2022-10-01T16:22:06", 1664641326, true, "", ""},
		"ISO 8601 with a space":              {MonitoringSince, "2022-10-01 16:22:06", 1664641326, true, "", ""},
		"a date alone":                       {MonitoringSince, "2022-10-01", 1664582400, true, "", ""},
		"zero is before 2015":                {LastSeen, "0", 0, false, ImplausibleTimestamp, "before 2015-01-01"},
		"2009 is before 2015":                {LastSeen, "1230768000000", 0, false, ImplausibleTimestamp, "before 2015-01-01"},
		"the first moment of 2015":           {LastSeen, "1420070400000", 1420070400000, false, "", ""},
		"the last moment of 2014":            {LastSeen, "1420070399999", 0, false, ImplausibleTimestamp, "before 2015-01-01"},
		"a day ahead is let pass":            {LastSeen, now.Add(24 * time.Hour), now.Add(24 * time.Hour).UnixMilli(), true, "", ""},
		"more than a day ahead is not":       {LastSeen, now.Add(24*time.Hour + time.Second), 0, false, ImplausibleTimestamp, "more than a day in the future"},
		"nanoseconds are too large":          {LastSeen, "1664641326417000000", 0, false, ImplausibleTimestamp, "too large for a time in microseconds"},
		"digits beyond int64 are too large":  {LastSeen, "99999999999999999999", 0, false, ImplausibleTimestamp, "too large for a time in microseconds"},
		"negative":                           {LastSeen, "-5", 0, false, ImplausibleTimestamp, "negative"},
		"before the account was made":        {MonitoringSince, "1442500000", 0, false, ImplausibleTimestamp, created},
		"in the second in which it was made": {MonitoringSince, "1442598693", 1442598693, false, "", ""},
		"last seen knows no account":         {LastSeen, "1442500000000", 1442500000000, false, "", ""},
		"words":                              {LastSeen, "yesterday", 0, false, NotATimestamp, "neither a number nor an ISO 8601 time"},
		"nothing":                            {LastSeen, "", 0, false, NotATimestamp, "neither a number nor an ISO 8601 time"},
		"NaN":                                {LastSeen, "NaN", 0, false, NotATimestamp, "neither a number nor an ISO 8601 time"},
		"hexadecimal":                        {LastSeen, "0x18395DDEA51", 0, false, NotATimestamp, "neither a number nor an ISO 8601 time"},
		"a NaN double":                       {LastSeen, math.NaN(), 0, false, NotATimestamp, "not finite"},
		"a boolean":                          {LastSeen, true, 0, false, NotATimestamp, "neither a number nor an ISO 8601 time"},
		"null":                               {LastSeen, nil, 0, false, NotATimestamp, "neither a number nor an ISO 8601 time"},
	} {
		t.Run(name, func(t *testing.T) {
			// The account of this user was made at 1442598693.…, in September 2015.
			const id = UserID(94490510688792576)
			if id.Created()/1000 != 1442598693 {
				t.Fatalf("created %d", id.Created())
			}
			got, reason, detail := Timestamp(c.kind, c.value, TimeBounds(c.kind, id, now))
			if got.Time != c.want || got.Normalised != c.normalised || reason != c.reason || detail != c.detail {
				t.Errorf("%+v %s %q, want %d %v %s %q", got, reason, detail, c.want, c.normalised, c.reason, c.detail)
			}
		})
	}
}

func TestAnIDFromTheFutureSetsNoBound(t *testing.T) {
	future := UserID(uint64(now.AddDate(1, 0, 0).UnixMilli()-1420070400000) << 22)
	if _, reason, _ := Timestamp(MonitoringSince, "1664641326", TimeBounds(MonitoringSince, future, now)); reason != "" {
		t.Error(reason)
	}
}

func TestTheClockIsDoubtedWhereManyTimesLieInTheFuture(t *testing.T) {
	for _, c := range []struct {
		future, times int64
		want          bool
	}{{0, 0, false}, {9, 9, false}, {10, 10, true}, {10, 100, true}, {10, 101, false}, {1000, 10_000, true}} {
		if got := ClockInDoubt(c.future, c.times); got != c.want {
			t.Errorf("%d of %d: %t", c.future, c.times, got)
		}
	}
}

func TestCounter(t *testing.T) {
	for text, want := range map[string]Value{"12": int64(12), "12.0": 12.0, "1.0e6": 1e6, "1.5": 1.5, "0": int64(0), "-0": int64(0), "+3": int64(3), "9223372036854775808": 9223372036854775808.0} {
		if v, reason, _ := Counter("lanyard_messages_inbound", text); reason != "" || v != want {
			t.Errorf("%s: %v %s, want %v", text, v, reason, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "-0.5", "NaN", "inf", "Infinity", "0x10", "1_000", "1e999", "1.", ".5", "+-1", "1e", " 1"} {
		if v, reason, _ := Counter("lanyard_messages_inbound", text); reason != NotACounter {
			t.Errorf("%q: %v %s", text, v, reason)
		}
	}
	for _, name := range []string{"type", "_id", "updated_at", "lanyardctl"} {
		if _, reason, _ := Counter(name, "1"); reason != NotACounter {
			t.Errorf("%s is taken for a counter", name)
		}
	}
}

func FuzzTimestamp(f *testing.F) {
	for _, s := range []string{"1664641326", "2022-10-01T16:22:06Z", "1e9", "", "0x1p4", "99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, kind := range []Kind{LastSeen, MonitoringSince} {
			bounds := TimeBounds(kind, 94490510688792576, now)
			got, reason, _ := Timestamp(kind, s, bounds)
			if reason != "" {
				continue
			}
			// A plausible time reads the same once more, from its own integer.
			again, reason, _ := Timestamp(kind, got.Time, bounds)
			if reason != "" || again.Time != got.Time || again.Normalised {
				t.Errorf("%s %q is %d, and then %+v %s", kind, s, got.Time, again, reason)
			}
		}
	})
}

func FuzzCounter(f *testing.F) {
	for _, s := range []string{"12", "1.0e6", "-1", "NaN", "0x10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, reason, _ := Counter("c", s)
		if reason != "" {
			return
		}
		if n, ok := v.(float64); ok && (math.IsNaN(n) || math.IsInf(n, 0) || n < 0) {
			t.Errorf("%q is the counter %v", s, n)
		}
		if again, reason, _ := Counter("c", v); reason != "" || !Equal(again, v) {
			t.Errorf("%q is %v, and then %v %s", s, v, again, reason)
		}
	})
}

func TestEqualIsByMeaning(t *testing.T) {
	same := [][2]Value{
		{int64(7), 7.0}, {Array{int64(7)}, Array{7.0}}, {Object{"a": 1.0, "b": nil}, Object{"b": nil, "a": int64(1)}},
		{math.NaN(), math.NaN()}, {0.0, math.Copysign(0, -1)}, {nil, nil}, {Opaque{1, []byte("x")}, Opaque{1, []byte("x")}},
	}
	for _, c := range same {
		if !Equal(c[0], c[1]) || digest(c[0]) != digest(c[1]) {
			t.Errorf("%v and %v are told apart", c[0], c[1])
		}
	}
	different := []Value{
		int64(7), "7", 7.5, true, false, nil, "", Array{}, Object{}, Array{nil}, Array{Array{}}, Object{"a": nil}, Object{"": nil}, "null",
		int64(1)<<53 + 1, float64(int64(1) << 53), math.Inf(1), math.NaN(), Opaque{1, []byte("7")}, Opaque{2, []byte("7")}, Array{"a", "b"}, Array{"ab"},
	}
	for i, a := range different {
		for j, b := range different {
			if (i == j) != Equal(a, b) || (i == j) != (digest(a) == digest(b)) {
				t.Errorf("%#v and %#v: equal %v", a, b, Equal(a, b))
			}
		}
	}
}

func digest(v Value) Digest {
	return Record{Kind: KV, User: 1, Fields: map[string]Field{"f": {Value: v}}}.Digest()
}

// TestDigestsAreStable fails where a release would no longer know what an earlier one wrote.
func TestDigestsAreStable(t *testing.T) {
	kv := Record{Kind: KV, User: 94490510688792576, Fields: map[string]Field{
		"text": {Value: "x"}, "number": {Value: 7.0}, "half": {Value: 0.5}, "list": {Value: Array{nil, true}}, "object": {Value: Object{"a": int64(-1)}},
	}}
	key := Record{Kind: APIKeys, User: 94490510688792576, APIKey: "lnyd_00000000000000000000000000000000"}
	if got := kv.Digest().String(); got != "be9ca8b82ca786dc3843d6a9e9bf856d" {
		t.Errorf("kv: %s", got)
	}
	if got := key.Digest().String(); got != "6e1147a60dfbbb9aba78ed556f2aa83e" {
		t.Errorf("api key: %s", got)
	}
}

func TestLimitsTakeOutWhatCannotBeHeld(t *testing.T) {
	limits := Limits{Server: "Test", MaxDocument: 400, NoDots: true, NoDollars: true, NoNestedArray: true}
	fields := map[string]Value{
		"good": "x", "a\x00b": "x", "a.b": "x", "$a": "x", "nested": Object{"a.b": int64(1)}, "deep": Array{Object{"$x": nil}}, "arrays": Array{Array{}}, "sets": Array{Set{Type: TextSetType}},
	}
	r := Record{Kind: KV, User: user, Fields: make(map[string]Field)}
	for name, v := range fields {
		r.Fields[name] = Field{Value: v, Origin: Origin{Key: "lanyard_kv:1", Raw: name}}
	}
	it := limits.Apply(Item{Kind: KV, Record: &r})
	if len(it.Record.Fields) != 1 || len(r.Fields) != len(fields) {
		t.Errorf("%d fields left, and the source's record has %d", len(it.Record.Fields), len(r.Fields))
	}
	for _, reject := range it.Rejects {
		want := InvalidFieldName
		if reject.Field == "arrays" || reject.Field == "sets" {
			want = RefusedByTarget
		}
		if reject.Reason != want || reject.Value.Data != reject.Field {
			t.Errorf("%q: %s %q", reject.Field, reject.Reason, reject.Value.Data)
		}
	}
	if none := (Limits{}).Apply(Item{Kind: KV, Record: &r}); len(none.Rejects) != 1 {
		t.Errorf("%d rejects of a target that refuses nothing but NUL", len(none.Rejects))
	}
	large := Record{Kind: KV, User: user, Fields: map[string]Field{"x": {Value: strings.Repeat("x", 400)}}}
	if it := limits.Apply(Item{Kind: KV, Record: &large}); it.Record != nil || it.Rejects[0].Reason != DocumentTooLarge {
		t.Errorf("%+v", it)
	}
	counters := Record{Kind: Metrics, Fields: map[string]Field{"a.b": {Value: int64(1)}}}
	if it := (Limits{}).Apply(Item{Kind: Metrics, Record: &counters}); it.Record != nil || it.Rejects[0].Reason != InvalidFieldName {
		t.Errorf("%+v", it)
	}
}

func TestFingerprintShowsNoKey(t *testing.T) {
	if got := Fingerprint("lnyd_0123456789abcdef0123456789abcdef"); got != "lnyd_…3cd591b7" {
		t.Error(got)
	}
	if got := Fingerprint("0123456789abcdef0123456789abcdef"); got != "…3eb1bd43" {
		t.Error(got)
	}
}

func TestKindsAndPoliciesReadBack(t *testing.T) {
	set, err := ParseKinds([]string{"kv", " metrics"}, LanyardKinds)
	if err != nil || set.String() != "kv,metrics" {
		t.Errorf("%s, %v", set, err)
	}
	for _, names := range [][]string{nil, {"users"}, {"KV"}, {""}} {
		if _, err := ParseKinds(names, LanyardKinds); err == nil {
			t.Errorf("%q is taken for kinds", names)
		}
	}
	for _, p := range []Policy{FailOnConflict, PreferSource, PreferTarget} {
		if back, err := ParsePolicy(p.String()); err != nil || back != p {
			t.Errorf("%s: %v, %v", p, back, err)
		}
	}
}

func TestNumbersThatAreUserIDs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v    Value
		want UserID
	}{
		{int64(94490510688792576), 94490510688792576}, {int64(1), 1}, {int64(0), 0}, {int64(-5), 0},
		{float64(7), 7}, {float64(1<<53 - 1), 1<<53 - 1}, {float64(1 << 53), 0}, {94490510688792576.0, 0}, {7.5, 0}, {-1.0, 0},
		{math.NaN(), 0}, {math.Inf(1), 0}, {"94490510688792576", 0}, {nil, 0}, {true, 0},
	} {
		if user, ok := WholeUserID(c.v); user != c.want || ok != (c.want != 0) {
			t.Errorf("%T %v: %d, %v", c.v, c.v, user, ok)
		}
	}
}
