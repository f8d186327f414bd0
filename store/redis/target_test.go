package redis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func TestTargetConforms(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) goredis.UniversalClient{
		"standalone": func(t *testing.T) goredis.UniversalClient { return client(t, redisserver.Start(t).URI) },
		"cluster":    func(t *testing.T) goredis.UniversalClient { return redisserver.StartCluster(t, 3).Client(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := start(t)
			s := open(t, redis.Options{URI: uriOf(c), AllowShrinking: true})
			storetest.RunTexts(t, func(t testing.TB, o storetest.Options) storetest.Target {
				raw := rawTarget{t, c}
				raw.empty()
				return raw.open(s, o)
			})
			storetest.Leases(t, func(t testing.TB) record.Leases {
				rawTarget{t, c}.empty()
				return s.Leases()
			})
			rawTarget{t, c}.empty()
			storetest.Runs(t, s.Runs())
		})
	}
}

// rawTarget writes and reads a Redis as the apps do, without the code under test.
type rawTarget struct {
	testing.TB
	client goredis.UniversalClient
}

func (r rawTarget) open(s *redis.Store, o storetest.Options) storetest.Target {
	if o.Before != nil {
		o.Before(r.put)
	}
	sink := s.Sink(redis.SinkOptions{Policy: o.Policy, DryRun: o.DryRun, Now: o.Now}).Writing(redis.ForkWithAPIKeys)
	if err := sink.Begin(context.Background(), nil); err != nil {
		r.Fatal(err)
	}
	reader := s.Reader(redis.ReaderOptions{}).Reading(redis.ForkWithAPIKeys)
	return storetest.Target{
		Sink: sink, Checkpoints: s.Checkpoints(), Reader: reader, Points: reader, Owners: s, Deleter: sink,
		Put: r.put, All: r.all, Drop: r.drop,
	}
}

var timeKeys = map[record.Kind]map[string]string{
	record.LastSeen:        {"timestamp": "lanyard:user_last_seen:"},
	record.MonitoringSince: {"since": "lanyard:user_monitoring_since:", "monitoring_since": "user_monitoring_since:"},
}

func (r rawTarget) do(args ...any) string {
	r.Helper()
	v, err := r.client.Do(context.Background(), args...).Result()
	if err != nil && err != goredis.Nil {
		r.Fatalf("%v: %v", args, err)
	}
	return fmt.Sprint(v)
}

func (r rawTarget) put(kind record.Kind, user record.UserID, d mem.Document) {
	id := user.String()
	switch kind {
	case record.APIKeys:
		r.do("DEL", "api_key:"+r.get("user_api_key:"+id))
		r.do("SET", "user_api_key:"+id, d.APIKey)
		r.do("SET", "api_key:"+d.APIKey, id)
	case record.KV:
		r.do("DEL", "lanyard:user_kv:"+id)
		for name, v := range d.Fields {
			r.do("HSET", "lanyard:user_kv:"+id, name, record.JSON(v))
		}
	case record.Metrics:
		r.do("DEL", "lanyard:metrics_v1")
		for name, v := range d.Fields {
			text := fmt.Sprint(v)
			if f, ok := v.(float64); ok {
				text = fmt.Sprintf("%.1f", f)
			}
			r.do("HSET", "lanyard:metrics_v1", name, text)
		}
	default:
		for field, prefix := range timeKeys[kind] {
			r.do("DEL", prefix+id)
			if v, ok := d.Times[field]; ok {
				r.do("SET", prefix+id, v)
			}
		}
	}
}

func (r rawTarget) get(key string) string { return r.client.Get(context.Background(), key).Val() }

// keys returns all keys with the prefix, by what follows it.
func (r rawTarget) keys(prefix string) map[string]string {
	found := make(map[string]string)
	for _, c := range r.servers() {
		for _, key := range c.Keys(context.Background(), prefix+"*").Val() {
			found[strings.TrimPrefix(key, prefix)] = key
		}
	}
	return found
}

func (r rawTarget) servers() (list []*goredis.Client) {
	if c, ok := r.client.(*goredis.ClusterClient); ok {
		done := make(chan *goredis.Client, 100)
		err := c.ForEachMaster(context.Background(), func(_ context.Context, c *goredis.Client) error {
			done <- c
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
		close(done)
		for c := range done {
			list = append(list, c)
		}
		return list
	}
	return []*goredis.Client{r.client.(*goredis.Client)}
}

func (r rawTarget) mark(key string) string {
	digests := layout.Digests
	if _, cluster := r.client.(*goredis.ClusterClient); cluster {
		digests = layout.DigestsOf(key)
	}
	return r.client.HGet(context.Background(), digests, key).Val()
}

func (r rawTarget) all(kind record.Kind) map[record.UserID]mem.Document {
	all := make(map[record.UserID]mem.Document)
	switch kind {
	case record.APIKeys:
		for id, key := range r.keys("user_api_key:") {
			user, _ := record.ParseUserID(id)
			if secret := r.get(key); r.get("api_key:"+secret) == id {
				all[user] = mem.Document{APIKey: secret, Mark: r.mark(key)}
			}
		}
	case record.KV, record.Metrics:
		prefix := map[record.Kind]string{record.KV: "lanyard:user_kv:", record.Metrics: "lanyard:metrics_v1"}[kind]
		for id, key := range r.keys(prefix) {
			user, _ := record.ParseUserID(id)
			d := mem.Document{Fields: make(map[string]record.Value), Mark: r.mark(key)}
			for name, raw := range r.client.HGetAll(context.Background(), key).Val() {
				d.Fields[name] = jsonOr(raw)
			}
			all[user] = d
		}
	default:
		for field, prefix := range timeKeys[kind] {
			for id, key := range r.keys(prefix) {
				user, _ := record.ParseUserID(id)
				d := all[user]
				if d.Times == nil {
					d.Times = make(map[string]any)
				}
				d.Times[field] = r.get(key)
				var n int64
				if _, err := fmt.Sscan(r.get(key), &n); err == nil && fmt.Sprint(n) == r.get(key) {
					d.Times[field] = n
				}
				all[user] = d
			}
		}
	}
	return all
}

// jsonOr reads JSON with whole numbers as int64, and any other text as it is.
func jsonOr(text string) record.Value {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return text
	}
	return valueOf(v)
}

func valueOf(v any) record.Value {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		list := make(record.Array, len(v))
		for i, e := range v {
			list[i] = valueOf(e)
		}
		return list
	case map[string]any:
		o := make(record.Object)
		for name, e := range v {
			o[name] = valueOf(e)
		}
		return o
	}
	return v
}

// empty deletes all keys: a server on which FLUSHALL runs is taken for one that lost its data.
func (r rawTarget) empty() {
	for _, key := range r.keys("") {
		r.do("DEL", key)
	}
}

func (r rawTarget) drop() {
	for _, prefix := range []string{"lanyard:", "user_", "api_key:"} {
		for _, key := range r.keys(prefix) {
			r.do("DEL", key)
		}
	}
}

// TestATargetThatLosesItsDataIsNoSuccess flushes a target while it is written to, and has another one evict.
func TestATargetThatLosesItsDataIsNoSuccess(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(c *goredis.Client){
		"FLUSHALL": func(c *goredis.Client) { c.FlushAll(context.Background()) },
		"eviction": func(c *goredis.Client) {
			c.ConfigSet(context.Background(), "maxmemory-policy", "allkeys-random")
			c.ConfigSet(context.Background(), "maxmemory", "1")
			c.Do(context.Background(), "SET", "more", "x") // it makes room for that
			c.ConfigSet(context.Background(), "maxmemory", "0")
		},
	} {
		c := client(t, redisserver.Start(t).URI)
		fill(t, c, cmd("SET", "another application's", "x"))
		s := open(t, redis.Options{URI: uriOf(c), Points: true})
		sink := s.Sink(redis.SinkOptions{Apps: record.Apps(0).With(record.Fork)})
		nothing := func([]record.Superseded) error { return nil }
		seen := record.Record{Kind: record.LastSeen, User: 94490510688792576, Time: 1700000000000}
		if _, err := sink.Write(t.Context(), []record.Record{seen}, nothing); err != nil {
			t.Fatal(err)
		}
		if err := sink.Finish(t.Context(), nothing); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		lose(c)
		if err := sink.Finish(t.Context(), nothing); !errors.Is(err, record.ErrSourceMoved) {
			t.Errorf("%s: %v", name, err)
		} else {
			t.Log(err)
		}
	}
}

// TestATargetThatIsRestartedMayHaveLostWhatItTookLast restarts a target that keeps everything on disk.
func TestATargetThatIsRestartedMayHaveLostWhatItTookLast(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	s := open(t, redis.Options{URI: srv.URI, Points: true})
	sink := s.Sink(redis.SinkOptions{Apps: record.Apps(0).With(record.Fork)})
	nothing := func([]record.Superseded) error { return nil }
	if err := sink.Begin(t.Context(), nothing); err != nil {
		t.Fatal(err)
	}
	seen := record.Record{Kind: record.LastSeen, User: 94490510688792576, Time: 1700000000000}
	for i, want := range []record.Status{record.Inserted, record.Unchanged} {
		outcomes, err := sink.Write(t.Context(), []record.Record{seen}, nothing)
		if err != nil || outcomes[0].Status != want {
			t.Fatalf("%+v, %v", outcomes, err)
		}
		if i == 0 {
			srv.Restart()
		}
	}
	if err := sink.Finish(t.Context(), nothing); !errors.Is(err, redis.ErrRestarted) || !errors.Is(err, record.ErrSourceMoved) {
		t.Error(err)
	}
}

// TestAPIKeysPassBetweenUsersOfOneBatch has two users change keys, and three pass theirs on in a circle.
func TestAPIKeysPassBetweenUsersOfOneBatch(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		users := []record.UserID{94490510688792576, 156114103033790464, 1012345678901234567}
		for _, n := range []int{2, 3} {
			raw := rawTarget{t, w.client}
			raw.empty()
			var batch []record.Record
			for i, user := range users[:n] {
				raw.put(record.APIKeys, user, mem.Document{APIKey: fmt.Sprint("key", i)})
				batch = append(batch, record.Record{Kind: record.APIKeys, User: user, APIKey: fmt.Sprint("key", (i+1)%n)})
			}
			nothing := func([]record.Superseded) error { return nil }
			for range 2 { // in a Cluster the second mends what the first met half way
				sink := w.store.Sink(redis.SinkOptions{Apps: record.Apps(0).With(record.Upstream), Policy: record.PreferSource})
				if err := sink.Begin(t.Context(), nothing); err != nil {
					t.Fatal(err)
				}
				if _, err := sink.Write(t.Context(), batch, nothing); err != nil {
					t.Fatal(err)
				}
				if _, cluster := w.client.(*goredis.ClusterClient); !cluster {
					break
				}
			}
			all := raw.all(record.APIKeys)
			for i, user := range users[:n] {
				if want := fmt.Sprint("key", (i+1)%n); all[user].APIKey != want {
					t.Errorf("of %d users, %d has %q, want %q", n, i, all[user].APIKey, want)
				}
			}
			if keys := raw.keys("api_key:"); len(keys) != n {
				t.Errorf("%d users have %v", n, keys)
			}
		}
	})
}

// TestAKeyOfLanyardctlsNameThatIsNoHashIsNamed has somebody else's text stand where digests would be written: nothing is
// written then, since it would count as somebody else's.
func TestAKeyOfLanyardctlsNameThatIsNoHashIsNamed(t *testing.T) {
	t.Parallel()
	c := client(t, redisserver.Start(t).URI)
	fill(t, c, cmd("SET", layout.Digests, "x"), cmd("SET", layout.Checkpoints, "x"))
	s := open(t, redis.Options{URI: uriOf(c), Points: true})
	if err := s.Sink(redis.SinkOptions{Apps: record.AllApps}).Begin(t.Context(), nil); err == nil || !strings.Contains(err.Error(), layout.Digests) {
		t.Error(err)
	}
	if _, err := s.Checkpoints().Find(t.Context(), ""); err == nil || !strings.Contains(err.Error(), layout.Checkpoints) {
		t.Error(err)
	}
}

// TestHalfAnAPIKeyIsNoKeyOfATarget reads back a key that authenticates and is not the user's current one: a migration has
// something to write there.
func TestHalfAnAPIKeyIsNoKeyOfATarget(t *testing.T) {
	t.Parallel()
	const user record.UserID = 94490510688792576
	c := client(t, redisserver.Start(t).URI)
	fill(t, c, cmd("SET", "api_key:1", user.String()))
	s := open(t, redis.Options{URI: uriOf(c), Points: true})
	upstream := record.Apps(0).With(record.Upstream)
	for _, want := range []string{"", "1"} {
		var held []string
		err := s.Reader(redis.ReaderOptions{Apps: upstream}).Read(t.Context(), record.APIKeys, func(documents []record.Document) error {
			for _, d := range documents {
				held = append(held, d.Held.APIKey)
			}
			return nil
		})
		if err != nil || len(held) != 1 || held[0] != want {
			t.Errorf("%q, %v, want %q", held, err, want)
		}
		sink := s.Sink(redis.SinkOptions{Apps: upstream})
		keep := func([]record.Superseded) error { return nil }
		if _, err := sink.Write(t.Context(), []record.Record{{Kind: record.APIKeys, User: user, APIKey: "1"}}, keep); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWhatIsWrittenLasts merges into a hash and a text that would expire.
func TestWhatIsWrittenLasts(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		fill(t, w.client, cmd("HSET", "lanyard:user_kv:"+alice, "theirs", `"x"`), cmd("EXPIRE", "lanyard:user_kv:"+alice, 1000),
			cmd("SET", "lanyard:user_last_seen:"+alice, 1, "EX", 1000))
		s := open(t, redis.Options{URI: uriOf(w.client), Points: true})
		sink := s.Sink(redis.SinkOptions{Apps: record.Apps(0).With(record.Fork)})
		_, err := sink.Write(t.Context(), []record.Record{
			{Kind: record.KV, User: aliceID, Fields: map[string]record.Field{"ours": {Value: "y"}}},
			{Kind: record.LastSeen, User: aliceID, Time: 1700000000000},
		}, func([]record.Superseded) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"lanyard:user_kv:" + alice, "lanyard:user_last_seen:" + alice} {
			if left := w.client.TTL(t.Context(), key).Val(); left != -1 {
				t.Errorf("%s expires in %s", key, left)
			}
		}
	})
}

// TestAUserWhoseLastPairWasRemovedHasNone writes pairs, and then a record without any.
func TestAUserWhoseLastPairWasRemovedHasNone(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		fill(t, w.client, cmd("HSET", "lanyard:user_kv:"+bob, "theirs", `"x"`))
		sink := w.store.Sink(redis.SinkOptions{Apps: record.Apps(0).With(record.Fork)})
		kv := func(user record.UserID, fields map[string]record.Field) record.Record {
			return record.Record{Kind: record.KV, User: user, Fields: fields}
		}
		for i, tc := range []struct {
			batch []record.Record
			want  record.Status
			left  int64
		}{
			{[]record.Record{kv(aliceID, map[string]record.Field{"a": {Value: "1"}, "b": {Value: "2"}})}, record.Inserted, 1},
			{[]record.Record{kv(aliceID, nil)}, record.Updated, 0},
			{[]record.Record{kv(aliceID, nil)}, record.Unchanged, 0},
			{[]record.Record{kv(bobID, nil)}, record.Unchanged, 0}, // somebody else's stay
		} {
			outcomes, err := sink.Write(t.Context(), tc.batch, func([]record.Superseded) error { return nil })
			if err != nil || outcomes[0].Status != tc.want {
				t.Errorf("%d: %+v, %v", i, outcomes, err)
			}
			if n := w.client.Exists(t.Context(), "lanyard:user_kv:"+alice).Val(); n != tc.left {
				t.Errorf("%d: %d keys are left", i, n)
			}
			if mark := (rawTarget{t, w.client}).mark("lanyard:user_kv:" + alice); (mark != "") != (tc.left > 0) {
				t.Errorf("%d: the digest is %q", i, mark)
			}
		}
		if n := w.client.HLen(t.Context(), "lanyard:user_kv:"+bob).Val(); n != 1 {
			t.Errorf("bob has %d pairs", n)
		}
	})
}

// TestStrayAPIKeysOfNamedUsersAreSeen reads back one user who has two keys that authenticate.
func TestStrayAPIKeysOfNamedUsersAreSeen(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		fill(t, w.client, cmd("SET", "user_api_key:"+alice, oldKey), cmd("SET", "api_key:"+oldKey, alice), cmd("SET", "api_key:"+newKey, alice))
		s := open(t, redis.Options{URI: uriOf(w.client), Points: true})
		var held []string
		reader := s.Reader(redis.ReaderOptions{Apps: record.Apps(0).With(record.Upstream), Users: []record.UserID{aliceID}})
		err := reader.Read(t.Context(), record.APIKeys, func(documents []record.Document) error {
			for _, d := range documents {
				held = append(held, d.Held.APIKey)
			}
			return nil
		})
		slices.Sort(held)
		if want := slices.Sorted(slices.Values([]string{oldKey, newKey})); err != nil || !slices.Equal(held, want) {
			t.Errorf("%d keys, %v", len(held), err)
		}
	})
}

func TestForgetNamesWhatIsNotLanyardctls(t *testing.T) {
	t.Parallel()
	c := client(t, redisserver.Start(t).URI)
	fill(t, c, cmd("SET", layout.Runs, "x"))
	if _, err := open(t, redis.Options{URI: uriOf(c), Points: true}).Forget(t.Context(), false); err == nil || !strings.Contains(err.Error(), layout.Runs) {
		t.Error(err)
	}
}
