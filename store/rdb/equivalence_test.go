package rdb_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/rdb"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// live reads a server.
func live(t testing.TB, uri string, o redis.SourceOptions) reading {
	t.Helper()
	s, err := redis.Open(context.Background(), redis.Options{URI: uri})
	if err != nil {
		t.Fatal(err)
	}
	r := readAll(t, s.Source(o))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return r
}

// difference compares what two sources delivered.
func difference(want, got reading) string {
	a, b := inOrder(want.items), inOrder(got.items)
	if want.seen == got.seen && reflect.DeepEqual(a, b) { // which takes less time than to say in what they differ
		return ""
	}
	return cmp.Diff(want.seen, got.seen) + cmp.Diff(a, b)
}

func TestTheBundledDumpReadsAsFromItsServer(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), read(t, bundled), 0o600); err != nil {
		t.Fatal(err)
	}
	srv := redisserver.Start(t, "--dir", dir)
	f := open(t, rdb.Options{Path: bundled})
	want := live(t, srv.URI, redis.SourceOptions{Request: layout.Request{Now: now}})
	got := readAll(t, f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}}))
	if len(got.items) < 100 || got.seen.Keys == 0 {
		t.Fatalf("only %d items of %d keys", len(got.items), got.seen.Keys)
	}
	if d := difference(want, got); d != "" {
		t.Errorf("the file differs from the server (-server +file):\n%s", d)
	}
	if f.Info().Keys != got.seen.Keys {
		t.Errorf("%d keys by the info, %d were seen", f.Info().Keys, got.seen.Keys)
	}
}

// keyspace generates commands that fill a database with keys of all layouts and of others, and the names of the keys
// that are to expire within the hour.
type keyspace struct {
	commands [][]any
	soon     map[string]bool
}

var prefixes = []string{
	"lanyard:user_kv:", "lanyard_kv:", "lanyard:user_last_seen:", "lanyard_last_seen:", "lanyard:user_monitoring_since:",
	"user_monitoring_since:", "monitoring:", "user_api_key:", "api_key:", "lanyard:metrics_v1", "lanyard_analytics:", "other:",
}

var (
	ids    = []string{alice, bob, carol, "007", "x\xff", ""}
	apiKey = rapid.SampledFrom([]string{"k1", "k2", "k3", "7", "lnyd_00000000000000000000000000000000"})
)

// genText generates texts of all the forms that a file gives them.
func genText() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.SampledFrom([]string{"", "0", "-1", "127", "-128", "-4096", "4095", "32767", "-32768", "70000", "-8388608", "8388607",
			"2147483647", "-2147483649", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "+1", "007", "1.5"}),
		rapid.SampledFrom([]string{`"text"`, `{"a":[1,2]}`, "\x00\xff", "ключ", strings.Repeat("ab", 40), strings.Repeat("\x00", 5000)}),
		rapid.SampledFrom([]string{"1700000000000", "1700000000", "1664641326", "soon", "99999999999999"}),
		rapid.StringN(0, 80, -1),
	)
}

// genDate generates what users and the app keep as a monitoring date.
func genDate() *rapid.Generator[string] {
	return rapid.OneOf(genText(), rapid.SampledFrom([]string{
		"1664641326", `"1664641326"`, "1664641326.5", "2022-10-01T16:22:06Z", `"2022-10-01T16:22:06Z"`, "null", "1e400", "99999999999999999999",
	}))
}

func (k *keyspace) draw(t *rapid.T) {
	for range rapid.IntRange(0, 25).Draw(t, "keys") {
		prefix := rapid.SampledFrom(prefixes).Draw(t, "prefix")
		key := prefix
		switch prefix {
		case "lanyard:metrics_v1":
		case "api_key:":
			key += apiKey.Draw(t, "key")
		default:
			key += rapid.SampledFrom(ids).Draw(t, "id")
		}
		k.set(t, prefix, key)
		if rapid.IntRange(0, 5).Draw(t, "expires") == 0 {
			hours := rapid.SampledFrom([]time.Duration{1, 10}).Draw(t, "hours")
			k.commands = append(k.commands, cmds("PEXPIRE", key, (hours*time.Hour).Milliseconds()))
			k.soon[key] = hours == 1
		}
	}
}

func (k *keyspace) set(t *rapid.T, prefix, key string) {
	k.commands = append(k.commands, cmds("DEL", key))
	delete(k.soon, key)
	form := rapid.IntRange(0, 9).Draw(t, "form")
	hash := strings.Contains(prefix, "_kv:") || strings.Contains(prefix, "metrics")
	switch {
	case form == 0:
		k.commands = append(k.commands, rapid.SampledFrom([][]any{
			cmds("RPUSH", key, "a", "1"), cmds("SADD", key, "1", "2"), cmds("SADD", key, "a"), cmds("ZADD", key, "1.5", "a"),
			cmds("XADD", key, "1-1", "a", "b"), cmds("SET", key, "x"), cmds("HSET", key, "a", "1"), cmds("SETBIT", key, "90", "1"),
			cmds("RPUSH", key, strings.Repeat("long", 5000)), cmds("ZADD", key, "-inf", strings.Repeat("m", 100)),
		}).Draw(t, "wrong type"))
	case hash:
		fields := cmds("HSET", key)
		for name, value := range rapid.MapOfN(genText(), genText(), 1, 6).Draw(t, "fields") {
			fields = append(fields, name, value)
		}
		if rapid.Bool().Draw(t, "date") {
			fields = append(fields, layout.DateField, genDate().Draw(t, "date"))
		}
		for i := range rapid.SampledFrom([]int{0, 0, 0, 200}).Draw(t, "more fields") {
			fields = append(fields, fmt.Sprint("f", i), i*i*i)
		}
		k.commands = append(k.commands, fields)
	case prefix == "api_key:" && form < 8:
		k.commands = append(k.commands, cmds("SET", key, rapid.SampledFrom(ids).Draw(t, "owner")))
	case prefix == "user_api_key:" && form < 8:
		k.commands = append(k.commands, cmds("SET", key, apiKey.Draw(t, "current")))
	default:
		k.commands = append(k.commands, cmds("SET", key, genText().Draw(t, "text")))
	}
}

// extras are things of other databases, and functions.
var extras = [][]any{
	cmds("FUNCTION", "LOAD", "REPLACE", "#!lua name=lib\nredis.register_function('f', function() return 1 end)"),
	cmds("SELECT", 3), cmds("HSET", "lanyard_kv:"+alice, "other", "database"), cmds("XADD", "stream", "*", "a", "b"),
	cmds("XADD", "stream", "*", "a", "c", "d", "e"), cmds("XGROUP", "CREATE", "stream", "group", "0"),
	cmds("XREADGROUP", "GROUP", "group", "consumer", "COUNT", 1, "STREAMS", "stream", ">"), cmds("SELECT", 0),
}

func TestAFileReadsAsItsServer(t *testing.T) {
	srv := redisserver.Start(t)
	o, err := goredis.ParseURL(srv.URI)
	if err != nil {
		t.Fatal(err)
	}
	o.PoolSize = 1 // SELECT is to hold for what follows
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })

	rapid.Check(t, func(rt *rapid.T) {
		k := keyspace{soon: make(map[string]bool)}
		k.draw(rt)
		fill(t, c, cmds("FLUSHALL"))
		fill(t, c, k.commands...)
		if rapid.Bool().Draw(rt, "extras") {
			fill(t, c, extras...)
		}
		path := save(t, srv, c)
		at := time.Now()
		kinds := record.Kinds(rapid.IntRange(1, int(record.LanyardKinds)).Draw(rt, "kinds"))
		if rapid.Bool().Draw(rt, "all kinds") {
			kinds = record.LanyardKinds
		}
		var users []record.UserID
		for _, id := range rapid.SliceOfN(rapid.SampledFrom(ids[:3]), 0, 2).Draw(rt, "users") {
			user, _ := record.ParseUserID(id)
			users = append(users, user)
		}
		var selection *layout.Selection
		if rapid.IntRange(0, 3).Draw(rt, "selected records") == 0 {
			selection = layout.NewSelection()
			selection.Records[0] = record.Kinds(rapid.IntRange(0, int(record.LanyardKinds)).Draw(rt, "of nobody"))
			for _, user := range users {
				selection.Records[user] = record.Kinds(rapid.IntRange(1, int(record.LanyardKinds)).Draw(rt, "of a user"))
			}
		}
		upstream := rapid.Bool().Draw(rt, "prefer upstream")
		dates := rapid.Bool().Draw(rt, "dates")
		f, err := rdb.Open(context.Background(), rdb.Options{Path: path})
		if err != nil {
			rt.Fatal(err)
		}
		defer f.Close()
		compare := func(when string, at time.Time) {
			request := layout.Request{Kinds: kinds, Users: users, Selection: selection, PreferUpstream: upstream, Dates: dates, Now: at}
			want := live(t, srv.URI, redis.SourceOptions{Request: request})
			src := f.Source(rdb.SourceOptions{Request: request, PageSize: rapid.IntRange(1, 9).Draw(rt, "page")})
			for _, again := range []string{"", ", read again"} {
				if d := difference(want, readAll(t, src)); d != "" {
					rt.Fatalf("%s%s: the file differs from the server (-server +file):\n%s", when, again, d)
				}
			}
		}
		compare("now", at)
		for key, soon := range k.soon {
			if soon {
				fill(t, c, cmds("DEL", key))
			}
		}
		compare("when keys have expired", at.Add(2*time.Hour))
	})
}

func TestLargeValuesReadAsFromTheServer(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	mib := strings.Repeat("0123456789abcdef", 1<<16)
	packs := strings.Repeat("a", 33<<20)
	fill(t, c,
		cmds("SET", "lanyard_last_seen:"+alice, packs), cmds("SET", "user_api_key:"+bob, packs), cmds("SET", "api_key:k", packs),
		cmds("SET", "lanyard_last_seen:"+bob, packs[:32<<20]), cmds("LPUSH", "lanyard_kv:"+carol, packs),
	)
	for i := range 40 {
		fill(t, c, cmds("HSET", "lanyard_kv:"+alice, i, mib), cmds("HSET", "lanyard:user_kv:"+bob, i%3, mib))
	}
	fill(t, c, cmds("HSET", "lanyard_kv:"+bob, "a", "1"))
	path := save(t, srv, c)
	want := live(t, srv.URI, redis.SourceOptions{Request: layout.Request{Now: now}})
	got := readAll(t, open(t, rdb.Options{Path: path}).Source(rdb.SourceOptions{Request: layout.Request{Now: now}}))
	if d := difference(want, got); d != "" {
		t.Errorf("the file differs from the server (-server +file):\n%.2000s", d)
	}
	for _, it := range got.items {
		for _, r := range it.Rejects {
			if !r.Value.Present && r.Value.Size < 32<<20 {
				t.Errorf("%s is said to have %d bytes", r.Reason, r.Value.Size)
			}
		}
	}
}
