package layout

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

var now = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

const (
	user   record.UserID = 94490510688792576
	userID               = "94490510688792576"
)

func hash(l Layout, pairs ...string) Found {
	f := Found{Key: l.Key(userID), Layout: l, State: Present, Hash: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		f.Hash[pairs[i]] = pairs[i+1]
	}
	return f
}

func text(l Layout, value string) Found {
	return Found{Key: l.Key(userID), Layout: l, State: Present, Text: value}
}

func absent(l Layout) Found { return Found{Key: l.Key(userID), Layout: l} }

func wrong(l Layout, typ string) Found {
	return Found{Key: l.Key(userID), Layout: l, State: WrongType, Type: typ, Size: 64}
}

func large(l Layout) Found {
	return Found{Key: l.Key(userID), Layout: l, State: TooLarge, Type: "hash", Size: 40 << 20}
}

// summary is an item in a form that is easy to write down: values or time, rejects, superseded values, notes.
func summary(it record.Item, ok bool) string {
	if !ok {
		return "nothing"
	}
	s := ""
	switch r := it.Record; {
	case r == nil:
		s = "no record"
	case r.Kind == record.KV || r.Kind == record.Metrics:
		for _, name := range r.FieldNames() {
			s += fmt.Sprintf("%s=%#v(%s) ", name, r.Fields[name].Value, r.Fields[name].Origin.Key[:11])
		}
	case r.Kind == record.APIKeys:
		s = "key " + r.APIKey
	default:
		s = fmt.Sprintf("%d from %s", r.Time, r.Origin.Raw)
	}
	for _, r := range it.Rejects {
		value := r.Value.Data
		if !r.Value.Present {
			value = fmt.Sprintf("%s of %d", r.Value.Type, r.Value.Size)
		}
		s += fmt.Sprintf("; %s %q %q: %q", r.Reason, r.Key, r.Field, value)
	}
	for _, r := range it.Superseded {
		s += fmt.Sprintf("; superseded %q %q: %q", r.Key, r.Field, r.Value.Data)
	}
	if len(it.Notes) > 0 {
		s += fmt.Sprintf("; %v", it.Notes)
	}
	return s
}

func expect(t *testing.T, rule, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got %s\nwant %s", rule, got, want)
	}
}

func TestKeyValuePairs(t *testing.T) {
	withTTL := hash(UpstreamKV, "a", "1")
	withTTL.Expires = true
	for _, tc := range []struct {
		rule           string
		fork, upstream Found
		prefer         Layout
		want           string
	}{
		{"no key, no record", absent(ForkKV), absent(UpstreamKV), ForkKV, `nothing`},
		{"upstream's value is raw text", absent(ForkKV), hash(UpstreamKV, "a", "7", "b", `"x"`), ForkKV,
			`a="7"(lanyard_kv:) b="\"x\""(lanyard_kv:) `},
		{"the fork's value is JSON", hash(ForkKV, "a", "7", "b", `"x"`), absent(UpstreamKV), ForkKV,
			`a=7(lanyard:use) b="x"(lanyard:use) `},
		{"a fork's value that is no JSON is text", hash(ForkKV, "a", "x"), absent(UpstreamKV), ForkKV,
			`a="x"(lanyard:use) ; [not_json]`},
		{"names are kept as they are", absent(ForkKV), hash(UpstreamKV, "", "1", "a.b", "2", "$c", "3", "d\ne", "4"), ForkKV,
			"=\"1\"(lanyard_kv:) $c=\"3\"(lanyard_kv:) a.b=\"2\"(lanyard_kv:) d\ne=\"4\"(lanyard_kv:) "},
		{"one bad value does not harm the others", absent(ForkKV), hash(UpstreamKV, "a", "\xff", "b", "2"), ForkKV,
			`b="2"(lanyard_kv:) ; invalid-utf8 "lanyard_kv:94490510688792576" "a": "\xff"`},
		{"bad values alone make no record", absent(ForkKV), hash(UpstreamKV, "a", "\xff"), ForkKV,
			`no record; invalid-utf8 "lanyard_kv:94490510688792576" "a": "\xff"`},
		{"a name that is no UTF-8 is rejected", absent(ForkKV), hash(UpstreamKV, "\xff", "1"), ForkKV,
			`no record; invalid-field-name "lanyard_kv:94490510688792576" "\xff": "1"`},
		{"of both layouts the union goes on", hash(ForkKV, "a", `"1"`), hash(UpstreamKV, "b", "2"), ForkKV,
			`a="1"(lanyard:use) b="2"(lanyard_kv:) ; [both_layouts]`},
		{"the preferred layout wins", hash(ForkKV, "a", `"1"`), hash(UpstreamKV, "a", "2"), ForkKV,
			`a="1"(lanyard:use) ; superseded "lanyard_kv:94490510688792576" "a": "2"; [both_layouts superseded]`},
		{"upstream can be preferred", hash(ForkKV, "a", `"1"`), hash(UpstreamKV, "a", "2"), UpstreamKV,
			`a="2"(lanyard_kv:) ; superseded "lanyard:user_kv:94490510688792576" "a": "\"1\""; [both_layouts superseded]`},
		{"what means the same is not superseded", hash(ForkKV, "a", `"1"`), hash(UpstreamKV, "a", "1"), ForkKV,
			`a="1"(lanyard:use) ; [both_layouts]`},
		{"a number is not the same as its digits", hash(ForkKV, "a", `1`), hash(UpstreamKV, "a", "1"), ForkKV,
			`a=1(lanyard:use) ; superseded "lanyard_kv:94490510688792576" "a": "1"; [both_layouts superseded]`},
		{"a good value stands in for a bad preferred one", hash(ForkKV, "a", "1e999"), hash(UpstreamKV, "a", "2"), ForkKV,
			`a="2"(lanyard_kv:) ; number-out-of-range "lanyard:user_kv:94490510688792576" "a": "1e999"; [both_layouts]`},
		{"two bad values are two rejects", hash(ForkKV, "a", "1e999"), hash(UpstreamKV, "a", "\xff"), ForkKV,
			`no record; number-out-of-range "lanyard:user_kv:94490510688792576" "a": "1e999"` +
				`; invalid-utf8 "lanyard_kv:94490510688792576" "a": "\xff"; [both_layouts]`},
		{"a key of a wrong type is rejected with type and size", wrong(ForkKV, "list"), absent(UpstreamKV), ForkKV,
			`no record; wrong-type "lanyard:user_kv:94490510688792576" "": "list of 64"`},
		{"a wrong type does not harm the other layout", wrong(ForkKV, "list"), hash(UpstreamKV, "a", "1"), ForkKV,
			`a="1"(lanyard_kv:) ; wrong-type "lanyard:user_kv:94490510688792576" "": "list of 64"`},
		{"a hash over 32 MiB is one reject", absent(ForkKV), large(UpstreamKV), ForkKV,
			`no record; document-too-large "lanyard_kv:94490510688792576" "": "hash of 41943040"`},
		{"a key with a TTL goes on and is noted", absent(ForkKV), withTTL, ForkKV, `a="1"(lanyard_kv:) ; [expiring]`},
	} {
		expect(t, tc.rule, summary(KV(user, tc.fork, tc.upstream, tc.prefer)), tc.want)
	}
}

func TestLastSeen(t *testing.T) {
	for _, tc := range []struct {
		rule           string
		fork, upstream Found
		want           string
	}{
		{"no key, no record", absent(ForkLastSeen), absent(UpstreamLastSeen), "nothing"},
		{"milliseconds are kept", text(ForkLastSeen, "1700000000123"), absent(UpstreamLastSeen), "1700000000123 from 1700000000123"},
		{"seconds are normalised", text(ForkLastSeen, "1700000000"), absent(UpstreamLastSeen),
			"1700000000000 from 1700000000; [normalised]"},
		{"the later of both wins", text(ForkLastSeen, "1700000000000"), text(UpstreamLastSeen, "1700000000001"),
			"1700000000001 from 1700000000001"},
		{"only the winner's unit is noted", text(ForkLastSeen, "1600000000"), text(UpstreamLastSeen, "1700000000001"),
			"1700000000001 from 1700000000001"},
		{"an implausible time does not win", text(ForkLastSeen, "1900000000000"), text(UpstreamLastSeen, "1700000000000"),
			`1700000000000 from 1700000000000; implausible-timestamp "lanyard:user_last_seen:94490510688792576" "": "1900000000000"`},
		{"text that is no time is rejected", text(ForkLastSeen, "soon\xff"), absent(UpstreamLastSeen),
			`no record; not-a-timestamp "lanyard:user_last_seen:94490510688792576" "": "soon\xff"`},
		{"an empty text is rejected", text(ForkLastSeen, ""), absent(UpstreamLastSeen),
			`no record; not-a-timestamp "lanyard:user_last_seen:94490510688792576" "": ""`},
		{"a wrong type is rejected", wrong(ForkLastSeen, "hash"), text(UpstreamLastSeen, "1700000000000"),
			`1700000000000 from 1700000000000; wrong-type "lanyard:user_last_seen:94490510688792576" "": "hash of 64"`},
	} {
		expect(t, tc.rule, summary(LastSeen(user, tc.fork, tc.upstream, now)), tc.want)
	}
}

func TestMonitoringSince(t *testing.T) {
	none := [3]Found{absent(ForkMonitoringSince), absent(OlderMonitoringSince), absent(OldestMonitoringSince)}
	with := func(founds ...Found) [3]Found {
		all := none
		for _, f := range founds {
			all[slices.Index(monitoringFamily, f.Layout)] = f
		}
		return all
	}
	for _, tc := range []struct {
		rule   string
		founds [3]Found
		want   string
	}{
		{"no key, no record", none, "nothing"},
		{"seconds are kept", with(text(ForkMonitoringSince, "1664641326")), "1664641326 from 1664641326"},
		{"the earliest wins", with(text(ForkMonitoringSince, "1700000000"), text(OlderMonitoringSince, "1664641326"),
			text(OldestMonitoringSince, "1680000000")), "1664641326 from 1664641326"},
		{"before the account's creation is implausible", with(text(ForkMonitoringSince, "1664641326"),
			text(OldestMonitoringSince, "1430000000")),
			`1664641326 from 1664641326; implausible-timestamp "monitoring:94490510688792576" "": "1430000000"`},
		{"milliseconds are normalised", with(text(OldestMonitoringSince, "1664641326000")),
			"1664641326 from 1664641326000; [normalised]"},
		{"a wrong type under a generic prefix is foreign", with(wrong(OldestMonitoringSince, "zset")), "nothing"},
		{"a foreign sibling harms nothing", with(text(ForkMonitoringSince, "1664641326"), wrong(OlderMonitoringSince, "zset")),
			"1664641326 from 1664641326"},
		{"a wrong type under Lanyard's own prefix is rejected", with(wrong(ForkMonitoringSince, "zset")),
			`no record; wrong-type "lanyard:user_monitoring_since:94490510688792576" "": "zset of 64"`},
	} {
		f := tc.founds
		expect(t, tc.rule, summary(MonitoringSince(user, f[0], f[1], f[2], now)), tc.want)
	}
}

func TestMetrics(t *testing.T) {
	of := func(pairs ...string) Found {
		f := hash(Counters, pairs...)
		f.Key = Counters.Key("")
		return f
	}
	for _, tc := range []struct {
		rule  string
		found Found
		want  string
	}{
		{"no key, no record", absent(Counters), "nothing"},
		{"Elixir's numbers are read", of("a", "12", "b", "12.5", "c", "1.0e6"),
			"a=12(lanyard:met) b=12.5(lanyard:met) c=1e+06(lanyard:met) "},
		{"bad counters are rejected one by one", of("a", "12", "b", "-1", "type", "1", "c", "NaN", "\xff", "1"),
			`a=12(lanyard:met) ; not-a-counter "lanyard:metrics_v1" "b": "-1"; not-a-counter "lanyard:metrics_v1" "c": "NaN"` +
				`; not-a-counter "lanyard:metrics_v1" "type": "1"; invalid-field-name "lanyard:metrics_v1" "\xff": "1"`},
		{"a wrong type is rejected", Found{Key: "lanyard:metrics_v1", Layout: Counters, State: WrongType, Type: "string", Size: 9},
			`no record; wrong-type "lanyard:metrics_v1" "": "string of 9"`},
	} {
		expect(t, tc.rule, summary(Metrics(tc.found)), tc.want)
	}
}

func TestDamagedKeys(t *testing.T) {
	at := func(l Layout, id string, f Found) Found {
		f.Key = l.Key(id)
		return f
	}
	for _, tc := range []struct {
		rule  string
		found Found
		want  string
	}{
		{"a hash of no user is rejected field by field", at(UpstreamKV, "007", hash(UpstreamKV, "b", "2", "a", "1")),
			`no record; invalid-user-id "lanyard_kv:007" "a": "1"; invalid-user-id "lanyard_kv:007" "b": "2"`},
		{"a string of no user is rejected", at(ForkLastSeen, "-1", text(ForkLastSeen, "x")),
			`no record; invalid-user-id "lanyard:user_last_seen:-1" "": "x"`},
		{"a wrong type of no user carries no value", at(UpstreamKV, "", wrong(UpstreamKV, "set")),
			`no record; wrong-type "lanyard_kv:" "": "set of 64"`},
		{"a generic prefix is foreign", at(OldestMonitoringSince, "cpu", text(OldestMonitoringSince, "x")), "nothing"},
		{"a user's API key of a wrong type is rejected", wrong(UserAPIKey, "hash"),
			`no record; wrong-type "user_api_key:94490510688792576" "": "hash of 64"`},
		{"a good key is not damaged", text(UserAPIKey, "k"), "nothing"},
	} {
		expect(t, tc.rule, summary(Damaged(tc.found)), tc.want)
	}
}

func claim(key string) Found {
	return Found{Key: APIKey.Key(key), Layout: APIKey, State: Present, Text: userID}
}

func TestAPIKeysArePaired(t *testing.T) {
	for _, tc := range []struct {
		rule    string
		claims  []Found
		current Found
		want    []string
	}{
		{"nothing makes nothing", nil, absent(UserAPIKey), nil},
		{"halves that fit go on", []Found{claim("k1")}, text(UserAPIKey, "k1"), []string{"key k1"}},
		{"beside the current key, others are stale", []Found{claim("k2"), claim("k1"), claim("k3")}, text(UserAPIKey, "k2"),
			[]string{`no record; stale-api-key "api_key:k1" "": "94490510688792576"`, "key k2",
				`no record; stale-api-key "api_key:k3" "": "94490510688792576"`}},
		{"one key without a current one is repaired", []Found{claim("k1")}, absent(UserAPIKey), []string{"key k1; [repaired]"}},
		{"one key beside a dead current one is repaired", []Found{claim("k1")}, text(UserAPIKey, "gone"),
			[]string{"key k1; [repaired]", `no record; unpaired-api-key "user_api_key:94490510688792576" "": "gone"`}},
		{"several keys without a current one are ambiguous", []Found{claim("k2"), claim("k1")}, absent(UserAPIKey),
			[]string{`no record; ambiguous-api-key "api_key:k1" "": "94490510688792576"`,
				`no record; ambiguous-api-key "api_key:k2" "": "94490510688792576"`}},
		{"a current key that does not authenticate is unpaired", nil, text(UserAPIKey, "gone"),
			[]string{`no record; unpaired-api-key "user_api_key:94490510688792576" "": "gone"`}},
		{"a current key of a wrong type counts as none", []Found{claim("k1")}, wrong(UserAPIKey, "hash"), []string{"key k1; [repaired]"}},
		{"a key that comes twice counts once", []Found{claim("k1"), claim("k1")}, absent(UserAPIKey), []string{"key k1; [repaired]"}},
		{"a key that is no UTF-8 is rejected", []Found{claim("\xff")}, text(UserAPIKey, "\xff"),
			[]string{`no record; invalid-utf8 "api_key:\xff" "": "94490510688792576"`}},
	} {
		var got []string
		for _, it := range Pair(user, tc.claims, tc.current) {
			got = append(got, summary(it, true))
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s:\n%s", tc.rule, diff)
		}
	}
}

func TestPairingLosesNoKeyAndLetsOneThroughAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`k[0-9]`), 0, 5, rapid.ID).Draw(t, "claims")
		var claims []Found
		for _, name := range names {
			claims = append(claims, claim(name))
		}
		current := absent(UserAPIKey)
		if rapid.Bool().Draw(t, "has current") {
			current = text(UserAPIKey, rapid.StringMatching(`k[0-9]`).Draw(t, "current"))
		}
		items := Pair(user, claims, current)
		again := Pair(user, rapid.Permutation(claims).Draw(t, "order"), current)
		if diff := cmp.Diff(items, again); diff != "" {
			t.Fatalf("the order of claims matters:\n%s", diff)
		}
		seen := map[string]int{}
		through := 0
		for _, it := range items {
			if it.Record != nil {
				through++
				seen[it.Record.Origin.Key]++
				if !slices.Contains(names, it.Record.APIKey) {
					t.Fatalf("%q does not authenticate, but goes on", it.Record.APIKey)
				}
			}
			for _, r := range it.Rejects {
				seen[r.Key]++
			}
		}
		for _, c := range claims {
			if seen[c.Key] != 1 {
				t.Fatalf("%s is in %d items", c.Key, seen[c.Key])
			}
		}
		if through > 1 || (len(names) == 1 && through != 1) {
			t.Fatalf("%d of %d keys go on", through, len(names))
		}
	})
}

func TestKeyValuePairsLoseNoValue(t *testing.T) {
	raw := rapid.OneOf(rapid.SampledFrom([]string{"1", `"1"`, "1e999", "\xff", "x", `"x"`, `{"a":1}`, nested(101)}), rapid.String())
	name := rapid.SampledFrom([]string{"", "a", "b", "c", "\xff", "a.b"})
	rapid.Check(t, func(t *rapid.T) {
		fork, upstream := hash(ForkKV), hash(UpstreamKV)
		fork.Hash = rapid.MapOfN(name, raw, 1, 5).Draw(t, "fork")
		upstream.Hash = rapid.MapOfN(name, raw, 1, 5).Draw(t, "upstream")
		prefer := rapid.SampledFrom(kvFamily).Draw(t, "prefer")
		it, ok := KV(user, fork, upstream, prefer)
		if !ok {
			t.Fatal("no item")
		}
		kept := map[record.Origin][]string{}
		var values map[string]record.Field
		if it.Record != nil {
			values = it.Record.Fields
			for name, f := range values {
				kept[f.Origin] = append(kept[f.Origin], name)
			}
		} else if len(it.Rejects) == 0 {
			t.Fatal("neither record nor reject")
		}
		for _, r := range it.Rejects {
			o := record.Origin{Key: r.Key, Raw: r.Value.Data}
			kept[o] = append(kept[o], r.Field)
		}
		for _, s := range it.Superseded {
			o := record.Origin{Key: s.Key, Raw: s.Value.Data}
			kept[o] = append(kept[o], s.Field)
		}
		for _, f := range []Found{fork, upstream} {
			for name, raw := range f.Hash {
				if slices.Contains(kept[record.Origin{Key: f.Key, Raw: raw}], name) {
					continue
				}
				v, _, _, _ := kvValue(f.Layout, name, raw)
				if won, ok := values[name]; !ok || !record.Equal(won.Value, v) {
					t.Fatalf("%q of %s is nowhere", name, f.Key)
				}
			}
		}
	})
}

func FuzzTimesAndCounters(f *testing.F) {
	for _, seed := range []string{"1700000000000", "1664641326", "2022-10-01T16:22:06Z", "1.0e6", "-1", "NaN", "", "0x1p4", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, l := range []Layout{ForkLastSeen, ForkMonitoringSince} {
			kind, _ := l.Kind()
			var it record.Item
			if kind == record.LastSeen {
				it, _ = LastSeen(user, text(l, raw), absent(UpstreamLastSeen), now)
			} else {
				it, _ = MonitoringSince(user, text(l, raw), absent(OlderMonitoringSince), absent(OldestMonitoringSince), now)
			}
			if (it.Record == nil) != (len(it.Rejects) == 1) {
				t.Fatalf("%q is neither a time nor a reject: %+v", raw, it)
			}
			if it.Record == nil {
				if it.Rejects[0].Value != record.Raw(raw) {
					t.Fatalf("%q is not kept in its reject", raw)
				}
				continue
			}
			// What was read is read again as the same, in its own unit.
			written := text(l, strconv.FormatInt(it.Record.Time, 10))
			again, _ := moment(kind, user, now, written)
			if again.Record == nil || again.Record.Time != it.Record.Time || len(again.Notes) > 0 {
				t.Fatalf("%q became %d, which became %+v", raw, it.Record.Time, again)
			}
		}
		counters := hash(Counters, "lanyard_messages_inbound", raw)
		it, _ := Metrics(counters)
		if (it.Record == nil) != (len(it.Rejects) == 1) {
			t.Fatalf("%q is neither a counter nor a reject: %+v", raw, it)
		}
	})
}

func FuzzKV(f *testing.F) {
	f.Add("a", `"1"`, "1")
	f.Add("a.b", `{"x":[1]}`, "\xff")
	f.Add("\xff", "", "")
	f.Fuzz(func(t *testing.T, name, fork, upstream string) {
		it, ok := KV(user, hash(ForkKV, name, fork), hash(UpstreamKV, name, upstream), ForkKV)
		if !ok || (it.Record == nil && len(it.Rejects) != 2) {
			t.Fatalf("%+v", it)
		}
		if it.Record == nil {
			return
		}
		if !utf8.ValidString(name) {
			t.Fatalf("the name %q went through", name)
		}
		if text, isText := it.Record.Fields[name].Value.(string); isText && !utf8.ValidString(text) {
			t.Fatalf("the text %q went through", text)
		}
	})
}

func BenchmarkKV(b *testing.B) {
	pairs := []string{"website", `"https://example.com/~someone"`, "status", `"away"`, "count", `"17"`, "bio",
		`"A line of text about a person, as long as such lines are."`, "quote", `"\"quoted\" \u00e9"`}
	fork, upstream := hash(ForkKV, pairs...), hash(UpstreamKV, pairs...)
	for _, bc := range []struct {
		name           string
		fork, upstream Found
	}{
		{"fork", fork, absent(UpstreamKV)},
		{"upstream", absent(ForkKV), upstream},
		{"both", fork, upstream},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				KV(user, bc.fork, bc.upstream, ForkKV)
			}
		})
	}
}

func BenchmarkLastSeen(b *testing.B) {
	fork, upstream := text(ForkLastSeen, "1700000000123"), absent(UpstreamLastSeen)
	b.ReportAllocs()
	for b.Loop() {
		LastSeen(user, fork, upstream, now)
	}
}

func BenchmarkClassify(b *testing.B) {
	keys := []string{"lanyard_kv:" + userID, "lanyard:user_last_seen:" + userID, "api_key:0123456789abcdef0123456789abcdef", "sessions:1"}
	b.ReportAllocs()
	for b.Loop() {
		for _, k := range keys {
			Classify(k)
		}
	}
}

func BenchmarkForkValue(b *testing.B) {
	for name, raw := range map[string]string{
		"plain": `"https://example.com/~someone"`, "escaped": `"a \"quoted\" word"`, "object": `{"a":[1,2.5,null],"b":"x"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ForkValue(raw)
			}
		})
	}
}

func TestAKeyThatAuthenticatesIsNamedAlsoWhereItIsRejected(t *testing.T) {
	claim := func(key string) Found {
		return Found{Key: APIKey.Key(key), Layout: APIKey, State: Present, Text: userID}
	}
	current := text(UserAPIKey, "gone")
	got := make(map[record.Reason][]string)
	for _, it := range Pair(user, []Found{claim("a"), claim("b")}, current) {
		got[it.Rejects[0].Reason] = append(got[it.Rejects[0].Reason], it.APIKey)
	}
	want := map[record.Reason][]string{record.AmbiguousAPIKey: {"a", "b"}, record.UnpairedAPIKey: {""}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
	if it := Stale(user, claim("c")); it.APIKey != "c" {
		t.Errorf("a stale key is named %q", it.APIKey)
	}
}
