package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// follower is a listener of a feed that is followed.
type follower struct {
	feed record.Feed
	done chan struct{} // closed once err is set
	err  error         // of Follow

	mu         sync.Mutex
	changes    map[record.SourceChange]int
	everything []string
	calls      int
}

// follow follows the store until the test ends.
func follow(t *testing.T, s *redis.Store, o redis.FeedOptions) *follower {
	t.Helper()
	feed, err := s.Feed(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	f := &follower{feed: feed, done: make(chan struct{}), changes: make(map[record.SourceChange]int)}
	go func() {
		defer close(f.done)
		f.err = feed.Follow(context.Background(), f)
	}()
	t.Cleanup(func() {
		if err := feed.Close(); err != nil {
			t.Error(err)
		}
		<-f.done
	})
	return f
}

func (f *follower) Changed(changes []record.SourceChange) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	for _, c := range changes {
		f.changes[c]++
	}
}

func (f *follower) Everything(why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.everything = append(f.everything, why)
}

// barrier waits until what was changed is told.
func (f *follower) barrier(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), busy)
	defer cancel()
	if err := f.feed.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
}

// told returns what was told since it was called before.
func (f *follower) told(t *testing.T) []string {
	t.Helper()
	f.barrier(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []string
	for _, c := range slices.Collect(maps.Keys(f.changes)) {
		switch {
		case c.APIKey != "":
			list = append(list, fmt.Sprint(c.Kind, " key ", c.APIKey))
		default:
			list = append(list, fmt.Sprint(c.Kind, " ", c.User))
		}
	}
	slices.Sort(list)
	for _, why := range f.everything {
		words := strings.Fields(why)
		list = append(list, "everything: "+strings.Join(words[2:], " "))
	}
	clear(f.changes)
	f.everything = nil
	return list
}

// end waits until Follow has ended, and returns its error.
func (f *follower) end(t *testing.T, within time.Duration) error {
	t.Helper()
	select {
	case <-f.done:
		return f.err
	case <-time.After(within):
		t.Fatalf("it is followed after %s", within)
	}
	return nil
}

// ends waits until Follow ends with a gap, whose reason has to hold a text.
func (f *follower) ends(t *testing.T, text string) {
	t.Helper()
	err := f.end(t, busy)
	if !errors.Is(err, redis.ErrFeedEnded) || !errors.Is(err, record.ErrUnavailable) || !strings.Contains(err.Error(), text) {
		t.Errorf("it ended with %v, which does not say %q", err, text)
	}
	if err := f.feed.Barrier(context.Background()); err == nil {
		t.Error("a barrier of a feed that has ended holds")
	}
}

func TestEachChangeIsTold(t *testing.T) {
	t.Parallel()
	const a, b = alice, bob
	for _, way := range []record.FeedWay{record.Tracking, record.Notifications} {
		t.Run(string(way), func(t *testing.T) {
			t.Parallel()
			srv := redisserver.Start(t, "--notify-keyspace-events", "Kg$hxe")
			c := client(t, srv.URI)
			f := follow(t, open(t, redis.Options{URI: srv.URI}), redis.FeedOptions{Way: way})
			if is, why := f.feed.Way(); is != way {
				t.Fatalf("%s, since %s", is, why)
			}
			both := func(name string, commands [][]any, want ...string) {
				t.Helper()
				fill(t, c, commands...)
				if d := diff.Diff(want, f.told(t)); d != "" {
					t.Errorf("%s: -want +told:\n%s", name, d)
				}
			}
			both("nothing", nil)
			both("of others", [][]any{cmd("SET", "other:"+a, 1), cmd("SET", "lanyard:user_kv", 1), cmd("HSET", "lanyard_kv:007", "a", 1), cmd("SET", "api_key:", a),
				cmd("HSET", "lanyard:metrics_v12", "a", 1), cmd("HSET", "lanyard_analytics:"+a, "a", 1)})
			both("HSET", [][]any{cmd("HSET", "lanyard_kv:"+a, "x", 1, "y", 2), cmd("HSET", "lanyard:user_kv:"+b, "x", 1)}, "kv "+b, "kv "+a)
			both("HDEL", [][]any{cmd("HDEL", "lanyard_kv:"+a, "x")}, "kv "+a)
			both("HDEL of the last", [][]any{cmd("HDEL", "lanyard_kv:"+a, "y")}, "kv "+a)
			both("DEL", [][]any{cmd("DEL", "lanyard:user_kv:"+b)}, "kv "+b)
			both("SET", [][]any{cmd("SET", "lanyard_last_seen:"+a, 1), cmd("SET", "lanyard:user_last_seen:"+b, 1)}, "last_seen "+b, "last_seen "+a)
			both("SETEX", [][]any{cmd("SETEX", "monitoring:"+a, 3600, 1), cmd("SETEX", "user_monitoring_since:"+b, 3600, 1)}, "monitoring_since "+b, "monitoring_since "+a)
			both("RENAME", [][]any{cmd("RENAME", "monitoring:"+a, "lanyard:user_monitoring_since:"+carol)}, "monitoring_since "+carol, "monitoring_since "+a)
			both("RENAME to another's", [][]any{cmd("RENAME", "user_monitoring_since:"+b, "x:"+a)}, "monitoring_since "+b)
			both("MSET", [][]any{cmd("MSET", "api_key:k1", a, "user_api_key:"+a, "k1")}, "api_keys "+a, "api_keys key k1")
			both("UNLINK", [][]any{cmd("UNLINK", "api_key:k1", "user_api_key:"+a)}, "api_keys "+a, "api_keys key k1")
			both("HINCRBY", [][]any{cmd("HINCRBY", "lanyard:metrics_v1", "n", 1)}, "metrics 0")
			both("MULTI", [][]any{cmd("MULTI"), cmd("SET", "api_key:k2", a), cmd("HSET", "lanyard_kv:"+a, "x", 1), cmd("EXEC")}, "api_keys key k2", "kv "+a)
			both("EVAL", [][]any{cmd("EVAL", "return redis.call('SET', KEYS[1], 1)", 1, "lanyard_last_seen:"+carol)}, "last_seen "+carol)
			both("PEXPIRE", [][]any{cmd("PEXPIRE", "api_key:k2", 3600000)}, "api_keys key k2")
			there := func() bool { return c.Exists(context.Background(), "api_key:k3").Val() > 0 }
			for told := false; !told; { // again where it has expired before that it was set was told
				fill(t, c, cmd("SET", "api_key:k3", a, "PX", 300))
				f.told(t)
				told = there()
			}
			waitUntil(t, "the key has expired", func() bool { return !there() })
			both("expiry", nil, "api_keys key k3")

			fill(t, c, cmd("CONFIG", "SET", "maxmemory-policy", "allkeys-lru"), cmd("CONFIG", "SET", "maxmemory", 1))
			waitUntil(t, "all is evicted", func() bool {
				_ = c.Set(context.Background(), "other:trigger", "x", 0) // it is refused
				return c.DBSize(context.Background()).Val() == 0
			})
			fill(t, c, cmd("CONFIG", "SET", "maxmemory", 0))
			both("eviction", nil, "api_keys key k2", "kv "+a, "last_seen "+b, "last_seen "+carol, "last_seen "+a, "metrics 0", "monitoring_since "+carol)

			other, err := goredis.ParseURL(srv.URI + "/5")
			if err != nil {
				t.Fatal(err)
			}
			fifth := goredis.NewClient(other)
			defer fifth.Close()
			fill(t, fifth, cmd("SET", "lanyard_last_seen:"+a, 1))
			if got := f.told(t); way == record.Notifications && len(got) > 0 {
				t.Errorf("of another database: %q", got)
			}
			both("MOVE", [][]any{cmd("SET", "lanyard_last_seen:"+b, 1), cmd("MOVE", "lanyard_last_seen:"+b, 5)}, "last_seen "+b)
			flushed := "everything: ran FLUSHDB or FLUSHALL"
			if way == record.Notifications {
				flushed = "everything: ran FLUSHDB"
			}
			both("FLUSHDB", [][]any{cmd("FLUSHDB")}, flushed)
			if way == record.Notifications {
				flushed = "everything: ran FLUSHALL"
			}
			both("FLUSHALL", [][]any{cmd("FLUSHALL")}, flushed)
			both("SWAPDB", [][]any{cmd("SWAPDB", 0, 1)}, "everything: ran SWAPDB")

			only := follow(t, open(t, redis.Options{URI: srv.URI}), redis.FeedOptions{Way: way, Kinds: record.Kinds(0).With(record.LastSeen)})
			fill(t, c, cmd("SET", "lanyard_last_seen:"+a, 1), cmd("HSET", "lanyard_kv:"+a, "x", 1))
			if d := diff.Diff([]string{"last_seen " + a}, only.told(t)); d != "" {
				t.Errorf("of one kind: -want +told:\n%s", d)
			}
		})
	}
}

// TestABarrierComesAfterWhatWasChanged writes, waits, and looks whether the change was delivered, while others write.
func TestABarrierComesAfterWhatWasChanged(t *testing.T) {
	t.Parallel()
	for _, way := range []record.FeedWay{record.Tracking, record.Notifications} {
		t.Run(string(way), func(t *testing.T) {
			t.Parallel()
			srv := redisserver.Start(t, "--notify-keyspace-events", "KA")
			f := follow(t, open(t, redis.Options{URI: srv.URI}), redis.FeedOptions{Way: way})
			var noise sync.WaitGroup
			defer noise.Wait()
			done := make(chan struct{})
			defer close(done)
			other := client(t, srv.URI)
			noise.Go(func() {
				for i := 0; ; i++ {
					pipe := other.Pipeline()
					for j := range 50 {
						pipe.HSet(context.Background(), fmt.Sprint("lanyard_kv:", 1+(i*50+j)%10_000), "a", i)
					}
					if _, err := pipe.Exec(context.Background()); err != nil {
						t.Error(err)
					}
					select {
					case <-done:
						return
					default:
					}
				}
			})
			c := client(t, srv.URI)
			random := rand.New(rand.NewPCG(1, 2))
			for i := range 60 {
				user := fmt.Sprint(1_000_000 + random.IntN(5))
				want := "last_seen " + user
				switch random.IntN(4) {
				case 0:
					fill(t, c, cmd("SET", "lanyard_last_seen:"+user, i))
				case 1:
					fill(t, c, cmd("SET", "lanyard_last_seen:"+user, i), cmd("DEL", "lanyard_last_seen:"+user))
				case 2:
					fill(t, c, cmd("MULTI"), cmd("SET", "api_key:"+user, i), cmd("SET", "monitoring:"+user, i), cmd("EXEC"))
					want = "monitoring_since " + user
				case 3:
					fill(t, c, cmd("FLUSHDB"))
					want = "everything: ran FLUSHDB"
				}
				if got := f.told(t); !slices.ContainsFunc(got, func(line string) bool { return strings.HasPrefix(line, want) }) {
					t.Fatalf("write %d: %s was not told by then", i, want)
				}
			}
		})
	}
}

// TestWhatAStormOfWritesCosts has no opinion on numbers: it shows them.
func TestWhatAStormOfWritesCosts(t *testing.T) {
	t.Parallel()
	const writes, atOnce = 40_000, 100
	for _, way := range []record.FeedWay{record.Tracking, record.Notifications, record.Polling} {
		srv := redisserver.Start(t, "--notify-keyspace-events", "Kg$hxe")
		c := client(t, srv.URI)
		f := follow(t, open(t, redis.Options{URI: srv.URI}), redis.FeedOptions{Way: way})
		f.barrier(t)
		info := func(section, name string) string {
			text := fmt.Sprint(srv.Do("INFO", section))
			_, rest, _ := strings.Cut(text, name+":")
			value, _, _ := strings.Cut(rest, "\r\n")
			return value
		}
		cpu := func() float64 {
			user, _ := strconv.ParseFloat(info("cpu", "used_cpu_user"), 64)
			system, _ := strconv.ParseFloat(info("cpu", "used_cpu_sys"), 64)
			return user + system
		}
		before, begun := cpu(), time.Now()
		var batch [][]any
		for i := range writes {
			user := 1 + i*7919%5000
			switch i % 4 {
			case 0:
				batch = append(batch, cmd("HSET", fmt.Sprint("lanyard_kv:", user), "a", i))
			case 1:
				batch = append(batch, cmd("SET", fmt.Sprint("lanyard_last_seen:", user), i))
			case 2:
				batch = append(batch, cmd("SET", fmt.Sprint("monitoring:", user), i))
			case 3:
				batch = append(batch, cmd("HINCRBY", "lanyard:metrics_v1", "n", 1))
			}
			if len(batch) == atOnce {
				fill(t, c, batch...)
				batch = nil
			}
		}
		f.barrier(t)
		f.mu.Lock()
		total := 0
		for _, n := range f.changes {
			total += n
		}
		t.Logf("%s: %d writes in %s: %d changes of %d records, delivered in %d calls; the server sent %s bytes and used %.3f s", way, writes,
			time.Since(begun).Round(time.Millisecond), total, len(f.changes), f.calls, info("stats", "total_net_output_bytes"), cpu()-before)
		if want := 3*1250 + 1; way != record.Polling && len(f.changes) != want {
			t.Errorf("%s: %d records were told of, not %d", way, len(f.changes), want)
		}
		f.mu.Unlock()
	}
}
