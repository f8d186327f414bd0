package redis_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// What a reading makes of a source that moves under it: each of the events at each of the moments. The law is that a
// reading which ends without an error has delivered everything that was there when the store was opened.

// momentsVariable is how many moments are tried beside those that have a name; all where it is 0.
const momentsVariable = "LANYARDCTL_TEST_MOMENTS"

func momentsToTry(t *testing.T) int {
	text := cmp.Or(os.Getenv(momentsVariable), "6")
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", momentsVariable, err)
	}
	return n
}

// scene is a source, with what can be done to it.
type scene struct {
	source *redisserver.Server // that is read
	admin  *goredis.Client
	master *redisserver.Server // of the source, where that is a replica
}

// passing are users who are not there to the end of every scene.
const passing = "7000000000000000"

func stableKeys() [][]any {
	all := mixed(20)
	for i := range 60 { // only the end decides these
		all = append(all, cmd("SET", fmt.Sprintf("api_key:rest%d", i), 600000000000000000+i))
	}
	return all
}

func (s *scene) fill(t *testing.T) {
	at := s.admin
	if s.master != nil {
		at = client(t, s.master.URI)
	}
	fill(t, at, cmd("FLUSHALL"))
	fill(t, at, stableKeys()...)
	fill(t, at, passingKeys()...)
	if s.master != nil {
		s.inStep(t)
	}
}

func passingKeys() [][]any {
	var all [][]any
	for i := range 20 {
		all = append(all, cmd("SET", fmt.Sprintf("lanyard_last_seen:%s%02d", passing, i), 1700000000000, "EX", 3600))
	}
	return all
}

// others fills the source with as many keys, of other users.
func (s *scene) others(t *testing.T) {
	var all [][]any
	for i := range len(stableKeys()) {
		all = append(all, cmd("SET", fmt.Sprint("lanyard_last_seen:", 800000000000000000+i), 1700000000000))
	}
	fill(t, s.admin, all...)
}

// inStep waits until a replica has what its master has, and its master knows: the replica's answer comes a moment after its link
// is up.
func (s *scene) inStep(t *testing.T) {
	at := client(t, s.master.URI)
	_, port, _ := strings.Cut(s.source.Addr, ":")
	waitUntil(t, "the replica is in step", func() bool {
		ours, _ := s.admin.Info(context.Background(), "replication").Result()
		theirs, _ := at.Info(context.Background(), "replication").Result()
		return strings.Contains(theirs, "port="+port+",state=online") &&
			strings.Contains(ours, "master_link_status:up") && !strings.Contains(ours, "master_sync_in_progress:1") &&
			at.DBSize(context.Background()).Val() == s.admin.DBSize(context.Background()).Val() &&
			offset(at) == offset(s.admin)
	})
}

func offset(c *goredis.Client) string {
	info, _ := c.Info(context.Background(), "replication").Result()
	_, rest, _ := strings.Cut(info, "master_repl_offset:")
	number, _, _ := strings.Cut(rest, "\r\n")
	return number
}

func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("waited in vain: %s", what)
			return
		}
	}
}

func (s *scene) do(t *testing.T, words ...any) {
	t.Helper()
	if err := s.admin.Do(context.Background(), words...).Err(); err != nil {
		t.Errorf("%v: %v", words, err)
	}
}

// event is something that happens to a source.
type event struct {
	name  string
	make  func(t *testing.T) *scene // nil for one master
	act   func(t *testing.T, s *scene)
	back  func(t *testing.T, s *scene) // takes it back a few pages later
	after func(t *testing.T, s *scene) // puts it right again

	slow     bool   // it is tried at a few moments, unless at all
	survived bool   // it must never fail
	remark   string // of a reading that it does not fail
}

func replicaOf(t *testing.T) *scene {
	quick := []string{"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", "--shutdown-timeout", "0"}
	master := redisserver.Start(t, quick...)
	host, port, _ := strings.Cut(master.Addr, ":")
	source := redisserver.Start(t, append(quick, "--replicaof", host+" "+port)...)
	return &scene{source: source, admin: client(t, source.URI), master: master}
}

func (s *scene) follow(t *testing.T, master *redisserver.Server) {
	host, port, _ := strings.Cut(master.Addr, ":")
	s.do(t, "REPLICAOF", host, port)
}

func events() []event {
	deleting := `for i, k in ipairs(redis.call('KEYS', '*')) do if i % 20 > 0 then redis.call('DEL', k) end end return 1`
	return []event{
		{name: "FLUSHALL", act: func(t *testing.T, s *scene) { s.do(t, "FLUSHALL") }},
		{name: "FLUSHDB", act: func(t *testing.T, s *scene) { s.do(t, "FLUSHDB") }},
		{name: "FLUSHDB of another", survived: true, remark: "ran FLUSHDB", act: func(t *testing.T, s *scene) {
			conn := s.admin.Conn()
			defer conn.Close()
			conn.Select(context.Background(), 5)
			conn.FlushDB(context.Background())
			conn.Select(context.Background(), 0)
		}},
		{name: "SWAPDB", act: func(t *testing.T, s *scene) { s.do(t, "SWAPDB", 0, 1) }},
		{name: "SWAPDB and back", act: func(t *testing.T, s *scene) {
			s.do(t, "SWAPDB", 0, 1)
			s.do(t, "SWAPDB", 1, 0)
		}},
		{name: "restart, empty", act: func(t *testing.T, s *scene) { s.source.Restart() }},
		{name: "restart, other data", act: func(t *testing.T, s *scene) {
			s.source.Restart()
			s.others(t)
		}},
		{name: "DEL of 19 in 20 keys", act: func(t *testing.T, s *scene) { s.do(t, "EVAL", deleting, 0) }},
		{name: "DEL of 19 in 20, RESETSTAT", act: func(t *testing.T, s *scene) {
			s.do(t, "EVAL", deleting, 0)
			s.do(t, "CONFIG", "RESETSTAT")
		}},
		{name: "19 in 20 away for a while", act: func(t *testing.T, s *scene) { s.do(t, "EVAL", deleting, 0) },
			back: func(t *testing.T, s *scene) { fill(t, s.admin, stableKeys()...) }},
		{name: "FLUSHALL, RESETSTAT", act: func(t *testing.T, s *scene) {
			s.do(t, "FLUSHALL")
			s.do(t, "CONFIG", "RESETSTAT")
		}},
		{name: "FLUSHDB, the same keys", act: func(t *testing.T, s *scene) {
			s.do(t, "FLUSHDB")
			fill(t, s.admin, stableKeys()...)
		}},
		{name: "FLUSHDB, other keys", act: func(t *testing.T, s *scene) {
			s.do(t, "FLUSHDB")
			s.others(t)
		}},
		{name: "eviction", act: func(t *testing.T, s *scene) {
			ctx, before := context.Background(), evicted(s.admin)
			s.do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-random")
			for limit := 2_000_000; limit > 0 && evicted(s.admin) == before; limit -= 10_000 {
				s.do(t, "CONFIG", "SET", "maxmemory", limit)
				_ = s.admin.Set(ctx, "other:trigger", "x", 0) // it may be refused
			}
			s.do(t, "CONFIG", "SET", "maxmemory", 0)
			s.do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
			if evicted(s.admin) == before {
				t.Error("nothing was evicted")
			}
		}},
		{name: "keys expire", survived: true, act: func(t *testing.T, s *scene) {
			for i := range 20 {
				s.do(t, "PEXPIRE", fmt.Sprintf("lanyard_last_seen:%s%02d", passing, i), 1)
			}
			time.Sleep(3 * time.Millisecond)
		}},
		{name: "100 keys come", survived: true, act: func(t *testing.T, s *scene) {
			var all [][]any
			for i := range 100 {
				all = append(all, cmd("SET", fmt.Sprintf("lanyard_last_seen:%s%03d", passing, i), 1700000000000))
			}
			fill(t, s.admin, all...)
		}},
		{name: "a master becomes a replica", act: func(t *testing.T, s *scene) {
			other := redisserver.Start(t, "--repl-diskless-sync-delay", "0")
			s.follow(t, other)
			waitUntil(t, "the data were replaced", func() bool { return s.admin.DBSize(context.Background()).Val() == 0 })
		}, after: func(t *testing.T, s *scene) { s.do(t, "REPLICAOF", "NO", "ONE") }},
		{name: "a replica of a flushed master", make: replicaOf, act: func(t *testing.T, s *scene) {
			s.master.Do("FLUSHALL")
			s.inStep(t)
		}},
		{name: "a replica of a master restarted empty", make: replicaOf, slow: true, act: func(t *testing.T, s *scene) {
			s.master.Restart()
			s.inStep(t)
		}},
		{name: "the same, then promoted", make: replicaOf, slow: true, act: func(t *testing.T, s *scene) {
			s.master.Restart()
			s.inStep(t)
			s.do(t, "REPLICAOF", "NO", "ONE")
			fill(t, s.admin, stableKeys()[:100]...)
			s.others(t)
		}, after: func(t *testing.T, s *scene) { s.follow(t, s.master) }},
		{name: "a replica promoted", make: replicaOf, survived: true, remark: "was made a master", act: func(t *testing.T, s *scene) {
			s.do(t, "REPLICAOF", "NO", "ONE")
		}, after: func(t *testing.T, s *scene) { s.follow(t, s.master) }},
	}
}

func evicted(c *goredis.Client) int {
	info, _ := c.Info(context.Background(), "stats").Result()
	_, rest, _ := strings.Cut(info, "evicted_keys:")
	number, _, _ := strings.Cut(rest, "\r\n")
	n, _ := strconv.Atoi(number)
	return n
}

// played is a reading with what happened to it.
type played struct {
	items   []string
	rest    []string // of them, what the end decided
	remarks []string
	err     error

	opened, read, ended int // commands until the store was open, until the parts were read, and until the end
	looks               []int
	lastScan            int
	second              int  // of the end's looks at two keys of one user, the second
	whole               bool // the page after which the part is not read again went out
	acted               bool
}

// commandsAway is how many commands pass before what happened is taken back, where it is.
const commandsAway = 150

// afterAll is the moment after the last command.
const afterAll = 1 << 30

// play opens and reads the source. Before the command of that number it lets the event happen.
func play(t *testing.T, s *scene, act, back func(), at int) played {
	var p played
	var count atomic.Int64
	proxy := redisproxy.Start(t, s.source.Addr, redisproxy.Options{Hook: func(c redisproxy.Command) func() {
		switch n := int(count.Add(1)); {
		case n == at+1 && act != nil:
			return func() {
				act()
				p.acted = true
			}
		case n == at+1+commandsAway && back != nil:
			return back
		}
		return nil
	}})
	store, err := redis.Open(context.Background(), redis.Options{URI: proxy.URI, RetryFor: time.Minute})
	if err != nil {
		p.err = err
		return p
	}
	defer store.Close()
	p.opened = int(count.Load())
	var r reading
	p.err = func() error {
		ctx := context.Background()
		src := store.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25})
		parts, err := src.Parts(ctx)
		if err != nil {
			return err
		}
		err = parts[0].Read(ctx, "", func(page record.Page) error {
			p.whole = strings.HasPrefix(page.Next, "end")
			return r.take(page)
		})
		if err != nil {
			return err
		}
		p.read = int(count.Load())
		return src.Deferred(ctx, func(page record.Page) error {
			p.rest = append(p.rest, shown(page.Items)...)
			return r.take(page)
		})
	}()
	p.ended = int(count.Load())
	if act != nil && !p.acted {
		act()
	}
	for i, c := range proxy.Commands() {
		if c.Name == "INFO" && len(c.Args) == 1 && c.Args[0] == "all" {
			p.looks = append(p.looks, i)
		}
		if c.Name == "SCAN" {
			p.lastScan = i
		}
		if i >= p.read && c.Name == "GETRANGE" && strings.HasPrefix(c.Args[0], "api_key:key2") {
			p.second = i
		}
	}
	p.items, p.remarks = slices.Compact(shown(r.items)), store.Remarks()
	p.items = slices.DeleteFunc(p.items, func(line string) bool { return strings.Contains(line, passing) })
	return p
}

func (p played) String() string {
	switch {
	case p.err == nil && len(p.remarks) > 0:
		return "exact, told"
	case p.err == nil:
		return "exact"
	}
	for _, reason := range []error{redis.ErrReplaced, redis.ErrShrank} {
		if errors.Is(p.err, reason) {
			_, detail, _ := strings.Cut(p.err.Error(), reason.Error())
			return strings.TrimPrefix(strings.TrimPrefix(detail, ": "), "it ")
		}
	}
	return p.err.Error()
}

func TestNoReadingOfAMovedSourceEndsWell(t *testing.T) {
	t.Parallel()
	names := []string{"before the first read", "in the scan", "before the scan's last look", "before what is decided last", "between two keys of a user", "in it", "before the last look", "after it"}
	for _, e := range events() {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			var s *scene
			if e.make != nil {
				s = e.make(t)
			} else {
				srv := redisserver.Start(t)
				s = &scene{source: srv, admin: client(t, srv.URI)}
			}
			s.fill(t)
			calm := play(t, s, nil, nil, 0)
			if calm.err != nil || len(calm.items) == 0 || len(calm.remarks) > 0 {
				t.Fatalf("undisturbed: %d items, %q, %v", len(calm.items), calm.remarks, calm.err)
			}
			looks := calm.looks
			lastOfScan := slices.IndexFunc(looks, func(i int) bool { return i >= calm.read }) - 1
			if lastOfScan < 1 {
				t.Fatalf("there are looks at %v, of which none follows the scan's end, at %d", looks, calm.read)
			}
			moments := []int{calm.opened, (looks[lastOfScan-1] + looks[lastOfScan]) / 2, looks[lastOfScan], calm.read, calm.second,
				(calm.read + calm.ended) / 2, looks[len(looks)-1], afterAll}
			n := momentsToTry(t)
			switch {
			case n == 0:
				for at := calm.opened; at < calm.ended; at++ {
					moments = append(moments, at)
				}
			case e.slow:
			default:
				for i := range n {
					moments = append(moments, calm.opened+(calm.ended-calm.opened)*(2*i+1)/(2*n))
				}
			}
			for i, at := range moments {
				if e.slow && n != 0 && (i == 2 || i == 4 || i == 6) {
					continue
				}
				name := fmt.Sprintf("before command %d of %d", at, calm.ended)
				if i < len(names) {
					name = names[i]
				}
				s.fill(t)
				var back func()
				if e.back != nil {
					back = func() { e.back(t, s) }
				}
				got := play(t, s, func() { e.act(t, s) }, back, at)
				if i < len(names) {
					t.Logf("%-38s %-28s %v", e.name, name, got)
				}
				exact := diff.Diff(calm.items, got.items) == ""
				switch {
				case !got.acted && got.err != nil:
					t.Errorf("%s: %v", name, got.err)
				case e.survived && got.err != nil:
					t.Errorf("%s: a false alarm: %v", name, got.err)
				case got.err == nil && !exact:
					t.Errorf("%s: it ended well with %d of %d items\n%s", name, len(got.items), len(calm.items), diff.Diff(calm.items, got.items))
				case got.err != nil && !errors.Is(got.err, record.ErrSourceMoved):
					t.Errorf("%s: %v", name, got.err)
				case got.err == nil && got.acted && i < len(names) && e.remark != "" && !strings.Contains(fmt.Sprint(got.remarks), e.remark):
					t.Errorf("%s: told %q", name, got.remarks)
				}
				if got.whole && got.err != nil && at <= calm.lastScan {
					t.Errorf("%s: the part passes for read: %v", name, got.err)
				}
				for _, line := range got.rest {
					if !slices.Contains(calm.items, line) {
						t.Errorf("%s: the end decided %s", name, line)
					}
				}
				if e.after != nil {
					e.after(t, s)
				}
				if t.Failed() {
					return
				}
			}
		})
	}
}

// moves reads the parts, then the rest; act happens once, after the first page of the part of that number.
func moves(t *testing.T, src record.Source, part int, act func()) (r reading, err error) {
	t.Helper()
	parts, err := src.Parts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	acted := false
	for i, p := range parts {
		err := p.Read(context.Background(), "", func(page record.Page) error {
			_ = r.take(page)
			if i == part && !acted {
				acted = true
				act()
			}
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	return r, src.Deferred(context.Background(), r.take)
}

func TestAMasterOfAClusterThatMovesBetweenParts(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3)
	all := c.Client(t)
	o := redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 10}
	flush := func(i int) func() { return func() { c.Masters[i].Do("FLUSHALL") } }
	restart := func(i int) func() {
		return func() {
			c.Masters[i].Restart()
			waitUntil(t, "the Cluster serves all slots", func() bool {
				for _, m := range c.Masters {
					if !strings.Contains(fmt.Sprint(m.Do("CLUSTER", "INFO")), "cluster_state:ok") {
						return false
					}
				}
				return true
			})
		}
	}
	for _, tc := range []struct {
		name string
		part int
		act  func()
		want error
	}{
		{"FLUSHALL of one that was read", 1, flush(0), redis.ErrReplaced},
		{"FLUSHALL of one that is read", 1, flush(1), redis.ErrReplaced},
		{"FLUSHALL of one that comes next", 1, flush(2), redis.ErrReplaced},
		{"one that was read restarts empty", 1, restart(0), redis.ErrReplaced},
		{"the last one restarts empty", 2, restart(2), redis.ErrReplaced},
	} {
		_ = all.ForEachMaster(context.Background(), func(ctx context.Context, m *goredis.Client) error { return m.FlushAll(ctx).Err() })
		fill(t, all, stableKeys()...)
		s := open(t, redis.Options{URI: c.URI})
		r, err := moves(t, s.Source(o), tc.part, tc.act)
		t.Logf("%-38s %v", tc.name, err)
		// A look at the others finds what is missing first, now and then.
		if !errors.Is(err, tc.want) && !errors.Is(err, redis.ErrShrank) || !errors.Is(err, record.ErrSourceMoved) {
			t.Errorf("%s: after %d items: %v", tc.name, len(r.items), err)
		}
	}
}

// TestKeysThatExpireAreNoWitnesses reads dates, for which no time to live is asked.
func TestKeysThatExpireAreNoWitnesses(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	for i := range 60 {
		fill(t, c, cmd("SET", fmt.Sprintf("monitoring:%s%02d", passing, i), 1690000000, "EX", 3600))
	}
	fill(t, c, cmd("SET", "monitoring:"+alice, 1690000000))
	src := open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{Request: layout.Request{Dates: true, Now: now}, PageSize: 10})
	_, err := moves(t, src, 0, func() {
		for i := range 60 {
			fill(t, c, cmd("DEL", fmt.Sprintf("monitoring:%s%02d", passing, i))) // as if by time
		}
	})
	if err != nil {
		t.Error(err)
	}
}
