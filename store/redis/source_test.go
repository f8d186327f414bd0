package redis_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// show is an item in a form that is easy to write down.
func show(it record.Item) string {
	s := it.Kind.String() + " "
	switch r := it.Record; {
	case r == nil:
		s += "-"
	case r.Kind == record.APIKeys:
		s += fmt.Sprintf("%d %s", r.User, r.APIKey)
	case r.Kind == record.LastSeen, r.Kind == record.MonitoringSince:
		s += fmt.Sprintf("%d %d", r.User, r.Time)
	default:
		s += fmt.Sprint(r.User)
		for _, name := range r.FieldNames() {
			s += fmt.Sprintf(" %s=%#v", name, r.Fields[name].Value)
		}
	}
	for _, r := range it.Rejects {
		s += fmt.Sprintf("; %s %s", r.Reason, r.Key)
		if r.HasField {
			s += fmt.Sprintf(" [%s]", r.Field)
		}
		if r.Value.Present {
			s += fmt.Sprintf(" %q", r.Value.Data)
		} else {
			s += " a " + r.Value.Type
		}
	}
	for _, r := range it.Superseded {
		s += fmt.Sprintf("; superseded %s [%s] %q", r.Key, r.Field, r.Value.Data)
	}
	if len(it.Notes) > 0 {
		s += fmt.Sprintf("; %v", it.Notes)
	}
	return s
}

func shown(items []record.Item) []string {
	var lines []string
	for _, it := range items {
		lines = append(lines, show(it))
	}
	slices.Sort(lines)
	return lines
}

func TestEveryKindIsReadFromEveryLayout(t *testing.T) {
	nobody := "18446744073709551616"
	for _, tc := range []struct {
		rule     string
		commands [][]any
		want     []string
		seen     record.KeyCounts
	}{
		{"an empty database has nothing", [][]any{cmd("PING")}, nil, record.KeyCounts{}},
		{"key-value pairs of upstream", [][]any{cmd("HSET", "lanyard_kv:"+alice, "a", "7", "b", "\xff", "", "x")},
			[]string{`kv 94490510688792576 ="x" a="7"; invalid-utf8 lanyard_kv:94490510688792576 [b] "\xff"`},
			record.KeyCounts{Keys: 1, Lanyard: 1}},
		{"key-value pairs of the fork", [][]any{cmd("HSET", "lanyard:user_kv:"+alice, "a", "7", "b", "text")},
			[]string{`kv 94490510688792576 a=7 b="text"; [not_json]`}, record.KeyCounts{Keys: 1, Lanyard: 1}},
		{"both layouts are one record", [][]any{
			cmd("HSET", "lanyard:user_kv:"+alice, "a", `"1"`), cmd("HSET", "lanyard_kv:"+alice, "a", "2", "b", "3"),
		}, []string{`kv 94490510688792576 a="1" b="3"; superseded lanyard_kv:94490510688792576 [a] "2"; [both_layouts superseded]`},
			record.KeyCounts{Keys: 2, Lanyard: 2}},
		{"last seen is the later", [][]any{
			cmd("SET", "lanyard:user_last_seen:"+alice, "1700000000000"), cmd("SET", "lanyard_last_seen:"+alice, "1700000000001"),
			cmd("SET", "lanyard_last_seen:"+bob, "1700000000"),
		}, []string{"last_seen 268473310986240001 1700000000000; [normalised]", "last_seen 94490510688792576 1700000000001"},
			record.KeyCounts{Keys: 3, Lanyard: 3}},
		{"monitoring is the earliest of three", [][]any{
			cmd("SET", "lanyard:user_monitoring_since:"+alice, "1700000000"), cmd("SET", "user_monitoring_since:"+alice, "1664641326"),
			cmd("SET", "monitoring:"+alice, "1680000000"), cmd("SET", "monitoring:"+bob, "1680000000"),
		}, []string{"monitoring_since 268473310986240001 1680000000", "monitoring_since 94490510688792576 1664641326"},
			record.KeyCounts{Keys: 4, Lanyard: 4}},
		{"counters", [][]any{cmd("HSET", "lanyard:metrics_v1", "lanyard_2xx_responses", "12", "x", "1.5", "bad", "NaN")},
			[]string{`metrics 0 lanyard_2xx_responses=12 x=1.5; not-a-counter lanyard:metrics_v1 [bad] "NaN"`},
			record.KeyCounts{Keys: 1, Lanyard: 1}},
		{"counters of a wrong type", [][]any{cmd("SET", "lanyard:metrics_v1", "12")},
			[]string{`metrics -; wrong-type lanyard:metrics_v1 a string`}, record.KeyCounts{Keys: 1, Lanyard: 1}},
		{"halves that fit are one API key", [][]any{cmd("SET", "api_key:k1", alice), cmd("SET", "user_api_key:"+alice, "k1")},
			[]string{"api_keys 94490510688792576 k1"}, record.KeyCounts{Keys: 2, Lanyard: 2}},
		{"beside the current key, another is stale", [][]any{
			cmd("SET", "api_key:k1", alice), cmd("SET", "user_api_key:"+alice, "k1"), cmd("SET", "api_key:k0", alice),
		}, []string{"api_keys -; stale-api-key api_key:k0 \"94490510688792576\"", "api_keys 94490510688792576 k1"},
			record.KeyCounts{Keys: 3, Lanyard: 3}},
		{"a single key that authenticates is repaired", [][]any{
			cmd("SET", "api_key:k1", alice), cmd("SET", "user_api_key:"+alice, "gone"), cmd("SET", "api_key:k2", bob),
		}, []string{`api_keys -; unpaired-api-key user_api_key:94490510688792576 "gone"`,
			"api_keys 268473310986240001 k2; [repaired]", "api_keys 94490510688792576 k1; [repaired]"},
			record.KeyCounts{Keys: 3, Lanyard: 3}},
		{"several without a current one are ambiguous", [][]any{cmd("SET", "api_key:k1", alice), cmd("SET", "api_key:k2", alice)},
			[]string{`api_keys -; ambiguous-api-key api_key:k1 "94490510688792576"`,
				`api_keys -; ambiguous-api-key api_key:k2 "94490510688792576"`}, record.KeyCounts{Keys: 2, Lanyard: 2}},
		{"a current key that does not authenticate is unpaired", [][]any{cmd("SET", "user_api_key:"+alice, "gone")},
			[]string{`api_keys -; unpaired-api-key user_api_key:94490510688792576 "gone"`}, record.KeyCounts{Keys: 1, Lanyard: 1}},
		{"a key that is another user's does not authenticate", [][]any{
			cmd("SET", "user_api_key:"+alice, "k1"), cmd("SET", "api_key:k1", bob), cmd("SET", "user_api_key:"+bob, "k1"),
		}, []string{`api_keys -; unpaired-api-key user_api_key:94490510688792576 "k1"`, "api_keys 268473310986240001 k1"},
			record.KeyCounts{Keys: 3, Lanyard: 3}},
		{"a current key of a wrong type", [][]any{cmd("HSET", "user_api_key:"+alice, "a", "b"), cmd("SET", "api_key:k1", alice)},
			[]string{"api_keys -; wrong-type user_api_key:94490510688792576 a hash", "api_keys 94490510688792576 k1; [repaired]"},
			record.KeyCounts{Keys: 2, Lanyard: 2}},
		{"a current key longer than any", [][]any{
			cmd("SET", "user_api_key:"+alice, strings.Repeat("k", 5000)), cmd("SET", "api_key:"+strings.Repeat("k", 5000), alice),
		}, []string{"api_keys 94490510688792576 " + strings.Repeat("k", 5000)}, record.KeyCounts{Keys: 2, Lanyard: 2}},
		{"an invalid user id under Lanyard's prefixes is rejected", [][]any{
			cmd("HSET", "lanyard_kv:007", "a", "1", "b", "2"), cmd("SET", "lanyard:user_last_seen:x", "1"),
			cmd("SET", "user_api_key:"+nobody, "k"), cmd("SET", "lanyard:user_monitoring_since:0", ""),
		}, []string{`api_keys -; invalid-user-id user_api_key:18446744073709551616 "k"`,
			`kv -; invalid-user-id lanyard_kv:007 [a] "1"; invalid-user-id lanyard_kv:007 [b] "2"`,
			`last_seen -; invalid-user-id lanyard:user_last_seen:x "1"`,
			`monitoring_since -; invalid-user-id lanyard:user_monitoring_since:0 ""`}, record.KeyCounts{Keys: 4, Lanyard: 4}},
		{"a wrong type under Lanyard's prefixes is rejected", [][]any{
			cmd("SET", "lanyard_kv:"+alice, "x"), cmd("HSET", "lanyard:user_kv:"+alice, "a", "1"), cmd("SADD", "lanyard:user_kv:"+bob, "x"),
			cmd("LPUSH", "lanyard_last_seen:"+alice, "x"), cmd("HSET", "lanyard:user_monitoring_since:"+alice, "a", "1"),
		}, []string{"kv -; wrong-type lanyard:user_kv:268473310986240001 a set",
			"kv 94490510688792576 a=1; wrong-type lanyard_kv:94490510688792576 a string",
			"last_seen -; wrong-type lanyard_last_seen:94490510688792576 a list",
			"monitoring_since -; wrong-type lanyard:user_monitoring_since:94490510688792576 a hash"}, record.KeyCounts{Keys: 5, Lanyard: 5}},
		{"the same under generic prefixes is foreign", [][]any{
			cmd("SET", "api_key:abc", "not a user"), cmd("HSET", "api_key:def", "secret", "1"), cmd("SET", "monitoring:cpu", "99"),
			cmd("HSET", "monitoring:"+alice, "a", "1"), cmd("SET", "user_monitoring_since:x", "1"), cmd("ZADD", "user_monitoring_since:"+alice, 1, "x"),
			cmd("SET", "api_key:empty", ""), cmd("SET", "api_key:long", strings.Repeat("9", 5000)),
		}, nil, record.KeyCounts{Keys: 8, Foreign: 8}},
		{"a foreign sibling does not hide Lanyard's own", [][]any{
			cmd("ZADD", "user_monitoring_since:"+alice, 1, "x"), cmd("SET", "monitoring:"+alice, "1680000000"),
		}, []string{"monitoring_since 94490510688792576 1680000000"}, record.KeyCounts{Keys: 2, Foreign: 1, Lanyard: 1}},
		{"what is nobody's is ignored, old analytics are counted", [][]any{
			cmd("SET", "sessions:1", "x"), cmd("HSET", "lanyard_analytics:"+alice+":spotify:track:1", "plays", 1), cmd("SET", "lanyard:x", "1"),
		}, nil, record.KeyCounts{Keys: 3, Ignored: 2, Analytics: 1}},
		{"an empty text is a value", [][]any{cmd("SET", "lanyard:user_last_seen:"+alice, ""), cmd("SET", "lanyard_last_seen:"+alice, "1700000000000")},
			[]string{`last_seen 94490510688792576 1700000000000; not-a-timestamp lanyard:user_last_seen:94490510688792576 ""`},
			record.KeyCounts{Keys: 2, Lanyard: 2}},
		{"a long text is rejected whole", [][]any{cmd("SET", "lanyard_last_seen:"+alice, strings.Repeat("x", 4096)), cmd("SET", "lanyard_last_seen:"+bob, strings.Repeat("x", 4097))},
			[]string{fmt.Sprintf("last_seen -; not-a-timestamp lanyard_last_seen:268473310986240001 %q", strings.Repeat("x", 4097)),
				fmt.Sprintf("last_seen -; not-a-timestamp lanyard_last_seen:94490510688792576 %q", strings.Repeat("x", 4096))},
			record.KeyCounts{Keys: 2, Lanyard: 2}},
		{"keys with a TTL are noted", [][]any{
			cmd("HSET", "lanyard_kv:"+alice, "a", "1"), cmd("EXPIRE", "lanyard_kv:"+alice, 1000), cmd("HSET", "lanyard_kv:"+bob, "a", "1"),
			cmd("SET", "api_key:k1", alice, "EX", 1000), cmd("SET", "user_api_key:"+alice, "k1"),
			cmd("SET", "monitoring:"+alice, "1680000000", "EX", 1000),
		}, []string{"api_keys 94490510688792576 k1; [expiring]", `kv 268473310986240001 a="1"`, `kv 94490510688792576 a="1"; [expiring]`,
			"monitoring_since 94490510688792576 1680000000; [expiring]"}, record.KeyCounts{Keys: 5, Lanyard: 5}},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			t.Parallel()
			r := load(t, redis.SourceOptions{}, tc.commands...)
			if diff := cmp.Diff(tc.want, shown(r.items)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tc.seen, r.seen); diff != "" {
				t.Errorf("seen -want +got:\n%s", diff)
			}
		})
	}
}

// mixed is a database with users in all layouts, halves of API keys and bad rows.
func mixed(users int) [][]any {
	var all [][]any
	for i := range users {
		u := fmt.Sprint(94490510688792576 + uint64(i)<<22)
		switch i % 5 {
		case 0:
			all = append(all, cmd("HSET", "lanyard_kv:"+u, "name", i, "bad", "\xff"))
		case 1:
			all = append(all, cmd("HSET", "lanyard:user_kv:"+u, "name", i))
		default:
			all = append(all, cmd("HSET", "lanyard_kv:"+u, "a", "1", "b", "2"), cmd("HSET", "lanyard:user_kv:"+u, "b", `"3"`, "c", `"4"`))
		}
		all = append(all, cmd("SET", "lanyard_last_seen:"+u, 1700000000000+i), cmd("SET", "lanyard:user_last_seen:"+u, 1700000000001+i))
		all = append(all, cmd("SET", "monitoring:"+u, 1690000000), cmd("SET", "user_monitoring_since:"+u, 1680000000))
		key := fmt.Sprintf("key%d", i)
		switch i % 7 {
		case 0: // unpaired
			all = append(all, cmd("SET", "user_api_key:"+u, key))
		case 1: // repaired
			all = append(all, cmd("SET", "api_key:"+key, u))
		case 2: // ambiguous
			all = append(all, cmd("SET", "api_key:"+key, u), cmd("SET", "api_key:"+key+"b", u))
		case 3: // stale
			all = append(all, cmd("SET", "api_key:"+key, u), cmd("SET", "api_key:"+key+"b", u), cmd("SET", "user_api_key:"+u, key))
		default:
			all = append(all, cmd("SET", "api_key:"+key, u), cmd("SET", "user_api_key:"+u, key))
		}
		all = append(all, cmd("SET", fmt.Sprintf("other:%d", i), "x"), cmd("SET", fmt.Sprintf("api_key:foreign%d", i), "x"))
	}
	return append(all, cmd("HSET", "lanyard:metrics_v1", "lanyard_2xx_responses", "12"))
}

func TestOnlyTheKindsAskedForAreRead(t *testing.T) {
	all := load(t, redis.SourceOptions{}, mixed(50)...)
	var union []string
	for _, kind := range record.LanyardKinds.List() {
		r := load(t, redis.SourceOptions{Request: layout.Request{Kinds: record.Kinds(0).With(kind)}}, mixed(50)...)
		if len(r.items) == 0 {
			t.Errorf("%s: nothing was read", kind)
		}
		for _, it := range r.items {
			if it.Kind != kind {
				t.Errorf("%s was read, but only %s asked for", it.Kind, kind)
			}
		}
		if r.seen != all.seen {
			t.Errorf("%s: the counts of keys are %+v, with all kinds %+v", kind, r.seen, all.seen)
		}
		union = append(union, shown(r.items)...)
	}
	slices.Sort(union)
	if diff := cmp.Diff(shown(all.items), union); diff != "" {
		t.Errorf("all at once and one by one differ:\n%s", diff)
	}
}

func TestOnlyTheUsersAskedForAreRead(t *testing.T) {
	all := load(t, redis.SourceOptions{}, mixed(50)...)
	wanted := []record.UserID{94490510688792576 + 2<<22, 94490510688792576 + 14<<22, 1}
	r := load(t, redis.SourceOptions{Request: layout.Request{Users: wanted}}, append(mixed(50), cmd("HSET", "lanyard_kv:bad", "a", "1"))...)
	var want []record.Item
	for _, it := range all.items {
		if slices.Contains(wanted, it.User()) {
			want = append(want, it)
		}
	}
	if len(want) < 6 {
		t.Fatalf("the users have %d items", len(want))
	}
	if diff := cmp.Diff(shown(want), shown(r.items)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	all.seen.Add(record.KeyCounts{Keys: 1, Lanyard: 1})
	if r.seen != all.seen {
		t.Errorf("the counts of keys are %+v, without the filter %+v", r.seen, all.seen)
	}
}

func TestUpstreamCanBePreferred(t *testing.T) {
	r := load(t, redis.SourceOptions{Request: layout.Request{PreferUpstream: true}},
		cmd("HSET", "lanyard:user_kv:"+alice, "a", `"1"`), cmd("HSET", "lanyard_kv:"+alice, "a", "2"))
	want := []string{`kv 94490510688792576 a="2"; superseded lanyard:user_kv:94490510688792576 [a] "\"1\""; [both_layouts superseded]`}
	if diff := cmp.Diff(want, shown(r.items)); diff != "" {
		t.Error(diff)
	}
}
