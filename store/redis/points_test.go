package redis_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// pointUsers are users of whom a keyspace may have something.
func pointUsers() (users []record.UserID) {
	for i := range 12 {
		users = append(users, record.UserID(94490510688792576+i<<30))
	}
	return users
}

// quirks returns commands that fill a database with keys of the users in both layouts, half pairs of API keys, values of
// wrong types and forms, and keys of nobody and of others.
func quirks(random *rand.Rand) (commands [][]any) {
	one := func(of ...string) string { return of[random.IntN(len(of))] }
	add := func(words ...any) { commands = append(commands, words) }
	ids := []string{"007", "x\xff", "", "18446744073709551616"}
	for _, u := range pointUsers() {
		ids = append(ids, u.String())
	}
	key := func() string { return fmt.Sprintf("lnyd_%d", random.IntN(12)) }
	owned := []string{
		"lanyard:user_kv:", "lanyard_kv:", "lanyard:user_last_seen:", "lanyard_last_seen:", "lanyard:user_monitoring_since:",
		"user_monitoring_since:", "monitoring:", "user_api_key:",
	}
	for _, id := range ids {
		for _, prefix := range owned {
			name := prefix + id
			switch form := random.IntN(14); {
			case form < 5: // absent
				continue
			case form == 5:
				add("RPUSH", name, "a", "1")
			case form == 6 && prefix != "user_api_key:":
				add("SET", name, one("", "7", strings.Repeat("long", 2000), "soon\xff"))
			case strings.Contains(prefix, "_kv:"):
				fields := []any{"HSET", name, "a", one(`"text"`, "7", "{", "\xff"), "monitoring_since", one("1664641326", `"soon"`, "1664641326000")}
				for i := range random.IntN(40) {
					fields = append(fields, fmt.Sprint("f", i, one("", "\xff")), one(`"x"`, strings.Repeat("large", 200)))
				}
				commands = append(commands, fields)
			case prefix == "user_api_key:":
				add("SET", name, one(key(), key(), key(), key(), "", strings.Repeat("k", 5000)))
			default:
				add("SET", name, one("1700000000000", "1700000001000", "1664641326", "1664641325", "99999999999999", "1.5"))
			}
			if random.IntN(6) == 0 {
				add("EXPIRE", name, 3600)
			}
		}
	}
	for range 16 {
		name := "api_key:" + key()
		switch {
		case random.IntN(8) == 0:
			add("DEL", name)
			add("RPUSH", name, "a")
		default:
			add("SET", name, one(ids...))
		}
	}
	// Some pairs are whole.
	for i, id := range ids {
		if random.IntN(3) == 0 {
			add("SET", "user_api_key:"+id, fmt.Sprint("whole", i))
			add("SET", "api_key:whole"+fmt.Sprint(i), id)
		}
	}
	add("HSET", "lanyard:metrics_v1", "lanyard_messages_inbound", 7, "lanyard_2xx_responses", "many")
	add("SET", "other:"+ids[4], "x")
	return commands
}

// unseen reports whether only a look at every key finds the item: an API key that names its user, but that the user's
// current key does not name. It is the one class that points do not see.
func unseen(it record.Item, c *goredis.Client) bool {
	if it.Kind != record.APIKeys {
		return false
	}
	var key string
	if it.Record != nil {
		key = it.Record.Origin.Key
	} else {
		key = it.Rejects[0].Key
	}
	l, _ := layout.Classify(key)
	current := c.Get(context.Background(), layout.UserAPIKey.Key(it.User().String())).Val()
	return l == layout.APIKey && key != layout.APIKey.Key(current)
}

func inOrder(items []record.Item) []record.Item {
	type keyed struct {
		key  string
		item record.Item
	}
	var list []keyed
	for _, it := range items {
		list = append(list, keyed{show(it) + fmt.Sprint(it.Dates), it})
	}
	slices.SortStableFunc(list, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	var sorted []record.Item
	for _, k := range list {
		sorted = append(sorted, k.item)
	}
	return sorted
}

// readPoints reads the users by points, each of the given groups in a call.
func readPoints(t *testing.T, from record.PointReader, kinds record.Kinds, groups ...[]record.UserID) (r reading) {
	t.Helper()
	for _, users := range groups {
		if err := from.ReadUsers(context.Background(), kinds, users, r.take); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func TestPointsDeliverWhatAScanDelivers(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	users := pointUsers()
	var each [][]record.UserID
	for _, u := range users {
		each = append(each, []record.UserID{u})
	}
	decided, left := 0, 0
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		fill(t, c, cmd("FLUSHALL"))
		fill(t, c, quirks(random)...)
		o := redis.SourceOptions{Request: layout.Request{Now: now, PreferUpstream: seed%2 == 0, Dates: seed%5 == 4}}
		if seed%3 == 0 {
			o.PageSize, o.Budget = 5, 10_000 // several pages, in pieces
		}
		if kinds := record.Kinds(random.IntN(int(record.LanyardKinds))); seed%4 == 1 {
			o.Kinds = kinds
		}
		s := open(t, redis.Options{URI: srv.URI})
		var want []record.Item
		for _, it := range readAll(t, s.Source(o)).items {
			user := it.User()
			if len(it.Dates) > 0 {
				user = it.Dates[0].User
			}
			switch {
			case user == 0:
			case unseen(it, c):
				left++
			default:
				want = append(want, it)
				if it.Kind == record.APIKeys {
					decided++
				}
			}
		}
		s = open(t, redis.Options{URI: srv.URI, Points: true})
		users := append(slices.Clone(users), 7) // of whom there is nothing
		kinds := record.LanyardKinds &^ record.Kinds(0).With(record.Metrics)
		named := o
		named.Points, named.Users = true, append(users, users...)
		src := s.Source(named)
		all := readAll(t, src)
		for what, got := range map[string][]record.Item{
			"one by one": readPoints(t, s.Points(o), kinds, each...).items,
			"together":   readPoints(t, s.Points(o), kinds, users).items,
			"a source":   all.items,
		} {
			if d := diff.Diff(inOrder(want), inOrder(got), cmpopts.EquateEmpty(), cmpopts.EquateComparable(record.Name{})); d != "" {
				t.Fatalf("seed %d, %s (-scan +points):\n%s", seed, what, d)
			}
		}
		if total, err := src.Total(context.Background()); err != nil || total != all.seen.Keys {
			t.Errorf("%d keys are looked at, %d were to be: %v", all.seen.Keys, total, err)
		}
	}
	if decided < 100 || left < 100 {
		t.Errorf("%d API keys were decided by the users' own keys, and %d were not: the test says little", decided, left)
	}
}

func TestPointsReadTheKindsOfACallAlone(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(3)...)
	fill(t, client(t, srv.URI), cmd("HSET", "lanyard:metrics_v1", "lanyard_messages_inbound", 7))
	s := open(t, redis.Options{URI: srv.URI, Points: true})
	users := []record.UserID{}
	for _, it := range readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}})).items {
		users = append(users, it.User())
	}
	p := s.Points(redis.SourceOptions{Request: layout.Request{Now: now, Kinds: record.Kinds(0).With(record.KV).With(record.Metrics)}})
	for _, tc := range []struct {
		asked record.Kinds
		want  []record.Kind
	}{
		{record.LanyardKinds, []record.Kind{record.KV, record.Metrics}},
		{record.Kinds(0).With(record.Metrics), []record.Kind{record.Metrics}},
		{record.Kinds(0).With(record.LastSeen), nil},
	} {
		var got []record.Kind
		for _, it := range readPoints(t, p, tc.asked, users).items {
			got = append(got, it.Kind)
		}
		slices.Sort(got)
		if got = slices.Compact(got); !slices.Equal(got, tc.want) {
			t.Errorf("of %s asked for, %v came, want %v", tc.asked, got, tc.want)
		}
	}
}

func TestAClaimThatIsNamedIsLookedAt(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), cmd("MSET", "api_key:old", alice, "api_key:new", alice, "user_api_key:"+alice, "new", "api_key:lone", bob, "api_key:other", carol))
	a, _ := record.ParseUserID(alice)
	b, _ := record.ParseUserID(bob)
	s := open(t, redis.Options{URI: srv.URI, Points: true})
	r := readAll(t, s.Source(redis.SourceOptions{
		Request: layout.Request{Now: now, Users: []record.UserID{a, b}}, Points: true,
		Candidates: map[record.UserID][]string{a: {"old", "new", "gone", "other"}, b: {"lone", "other"}},
	}))
	want := []string{
		`api_keys - 94490510688792576; stale-api-key`, "api_keys 268473310986240001 lone; [repaired]", "api_keys 94490510688792576 new",
	}
	got := shown(r.items)
	if len(got) != 3 || !strings.Contains(got[0], "stale-api-key api_key:old") || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("got %q", got)
	}
}

func TestPointsInAClusterAreTheSame(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3)
	srv := redisserver.Start(t)
	commands := quirks(rand.New(rand.NewPCG(1, 2)))
	fill(t, c.Client(t), commands...)
	fill(t, client(t, srv.URI), commands...)
	o := redis.SourceOptions{Request: layout.Request{Now: now, Users: pointUsers()}, Points: true}
	cluster, single := open(t, redis.Options{URI: c.URI, Points: true}), open(t, redis.Options{URI: srv.URI, Points: true})
	// By text, since a key takes more memory in a Cluster.
	if d := diff.Diff(shown(readAll(t, single.Source(o)).items), shown(readAll(t, cluster.Source(o)).items)); d != "" {
		t.Errorf("-single +cluster:\n%s", d)
	}
	for _, s := range []*redis.Store{cluster, single} {
		if has, err := s.HasUsers(context.Background(), pointUsers()); !has || err != nil {
			t.Errorf("no key of the users is found: %v", err)
		}
		if has, err := s.HasUsers(context.Background(), []record.UserID{7}); has || err != nil {
			t.Errorf("a key of nobody is found: %v", err)
		}
	}
}

func TestPointsGoOnFromEveryPage(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), quirks(rand.New(rand.NewPCG(3, 4)))...)
	s := open(t, redis.Options{URI: srv.URI, Points: true})
	o := redis.SourceOptions{Request: layout.Request{Now: now, Users: pointUsers()}, Points: true, PageSize: 20, Budget: 1000}
	want := readAll(t, s.Source(o))
	for stop := 1; stop < want.pages; stop++ {
		at, first, _ := readFrom(t, s, o, "", stop)
		_, rest, _ := readFrom(t, s, o, at, 0)
		seen := first.seen
		seen.Add(rest.seen)
		lines := slices.Compact(slices.Sorted(slices.Values(append(shown(first.items), shown(rest.items)...))))
		if d := diff.Diff(shown(want.items), lines); d != "" || seen != want.seen {
			t.Fatalf("stopped after page %d at %q: %+v, want %+v\n%s", stop, at, seen, want.seen, d)
		}
	}
	if err := firstPart(t, s.Source(o)).Read(context.Background(), "12 keys", func(record.Page) error { return nil }); err == nil {
		t.Error("a position of a scan was taken for one")
	}
}

func firstPart(t *testing.T, src record.Source) record.Part {
	t.Helper()
	parts, err := src.Parts(context.Background())
	if err != nil || len(parts) != 1 {
		t.Fatalf("%d parts: %v", len(parts), err)
	}
	return parts[0]
}

func TestPointsOfASourceThatMovesEndWithAnError(t *testing.T) {
	others := func(t *testing.T, c *goredis.Client) {
		for i := range 200 {
			fill(t, c, cmd("SET", fmt.Sprint("lanyard_last_seen:", 800000000000000000+i), 1700000000000))
		}
	}
	for name, act := range map[string]func(t *testing.T, c *goredis.Client){
		"nothing": func(*testing.T, *goredis.Client) {},
		"FLUSHALL": func(t *testing.T, c *goredis.Client) {
			fill(t, c, cmd("FLUSHALL"))
			others(t, c)
		},
		"FLUSHDB": func(t *testing.T, c *goredis.Client) {
			fill(t, c, cmd("FLUSHDB"))
			others(t, c)
		},
		"other keys in place of the users'": func(t *testing.T, c *goredis.Client) {
			for _, u := range pointUsers() {
				fill(t, c, cmd("DEL", "lanyard_last_seen:"+u.String(), "lanyard_kv:"+u.String()))
			}
			others(t, c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := redisserver.Start(t)
			c := client(t, srv.URI)
			for _, u := range pointUsers() {
				fill(t, c, cmd("SET", "lanyard_last_seen:"+u.String(), 1700000000000), cmd("HSET", "lanyard_kv:"+u.String(), "a", "b"))
			}
			s := open(t, redis.Options{URI: srv.URI, Points: true})
			src := s.Source(redis.SourceOptions{Request: layout.Request{Now: now, Users: pointUsers()}, Points: true, PageSize: 9})
			var r reading
			if err := firstPart(t, src).Read(context.Background(), "", r.take); err != nil {
				t.Fatal(err)
			}
			act(t, c)
			err := src.Deferred(context.Background(), r.take)
			if moved := errors.Is(err, record.ErrSourceMoved); moved != (name != "nothing") || !moved && err != nil {
				t.Errorf("after %d items: %v", len(r.items), err)
			}
		})
	}
}

// TestRejectedRecordsAreReadAgainAsAScanReadsThem selects some of what a scan rejected, and reads it by its keys and by
// a scan: both deliver the records of the selection, and nothing else.
func TestRejectedRecordsAreReadAgainAsAScanReadsThem(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	read := 0
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		fill(t, c, cmd("FLUSHALL"))
		fill(t, c, quirks(rng)...)
		fill(t, c, cmd("HSET", "lanyard_kv:nobody", "a", "1"), cmd("SET", "lanyard_last_seen:-5", "1"), cmd("HSET", "lanyard:metrics_v1", "bad", "-1", "good", "2"))
		s := open(t, redis.Options{URI: srv.URI, Points: true})
		all := readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}})).items
		selection := layout.NewSelection()
		for _, it := range all {
			for _, r := range it.Rejects {
				selection.Add(r, rng.IntN(2) == 0)
			}
		}
		var want []string
		for _, it := range all {
			if len(it.Rejects) > 0 && it.User() == 0 && it.Kind != record.Metrics && !slices.Contains(selection.Keys(), it.Rejects[0].Key) {
				continue
			}
			// Of what a run wrote, only a scan finds the API keys that nothing was wrong with.
			if selection.Records[it.User()].Has(it.Kind) && !(len(it.Rejects) == 0 && unseen(it, c)) {
				want = append(want, show(it))
			}
		}
		slices.Sort(want)
		points := readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now, Selection: selection}, Points: true, PageSize: 7}))
		if d := diff.Diff(want, shown(points.items), cmpopts.EquateEmpty()); d != "" {
			t.Fatalf("seed %d: -scan +points:\n%s", seed, d)
		}
		read += len(want)
		scan := shown(readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now, Selection: selection}})).items)
		for _, line := range want {
			if !slices.Contains(scan, line) {
				t.Errorf("seed %d: a scan of the selection lacks %s", seed, line)
			}
		}
	}
	if read < 100 {
		t.Errorf("%d records were read again: the test says little", read)
	}
}
