package main

import (
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// hooked is a Redis, standalone or a Cluster, behind proxies that share a hook.
type hooked struct {
	uri     string
	direct  []*goredis.Client // of each server, past the proxies
	proxies []*redisproxy.Proxy

	mu      sync.Mutex
	queuing int // transactions that are open
	writes  int // that have passed, or would have
	before  func(nth int, c redisproxy.Command) (act func())
	after   func(nth int)
}

// isWrite reports whether something changes once the command has passed. What is queued for EXEC changes nothing yet.
func (h *hooked) isWrite(name string) bool {
	switch name {
	case "MULTI":
		h.queuing++
	case "EXEC":
		h.queuing--
		return true
	case "SET", "HSET", "HSETNX", "HDEL", "DEL", "UNLINK", "MSETNX":
		return h.queuing == 0
	}
	return false
}

func startHooked(t testing.TB, cluster bool) *hooked {
	h := &hooked{}
	var servers []*redisserver.Server
	if cluster {
		servers = redisserver.StartCluster(t, 3).Masters
	} else {
		servers = append(servers, redisserver.Start(t))
	}
	for _, s := range servers {
		var nth int // of the write that waits for its answer, one at a time
		p := redisproxy.Start(t, s.Addr, redisproxy.Options{
			Hook: func(c redisproxy.Command) func() {
				h.mu.Lock()
				defer h.mu.Unlock()
				if !h.isWrite(c.Name) {
					return nil
				}
				h.writes++
				nth = h.writes
				if h.before == nil {
					return nil
				}
				return h.before(nth, c)
			},
			Instead: func(c redisproxy.Command) string {
				h.mu.Lock()
				defer h.mu.Unlock()
				if h.after != nil && nth > 0 && c.Name != "MULTI" {
					h.after(nth)
				}
				return ""
			},
		})
		h.proxies = append(h.proxies, p)
		client := goredis.NewClient(&goredis.Options{Addr: s.Addr})
		t.Cleanup(func() { _ = client.Close() })
		h.direct = append(h.direct, client)
	}
	h.uri = h.proxies[0].URI
	if cluster {
		h.uri += "?addr=" + h.proxies[1].Addr + "&addr=" + h.proxies[2].Addr
		for i, s := range servers {
			_, own, _ := net.SplitHostPort(s.Addr)
			_, shown, _ := net.SplitHostPort(h.proxies[i].Addr)
			port, _ := strconv.Atoi(own)
			s.Do("CONFIG", "SET", "cluster-announce-bus-port", port+10000, "cluster-announce-port", shown)
		}
		for _, s := range servers {
			waitUntilAll(t, "the Cluster to name the proxies", func() bool {
				said := fmt.Sprint(s.Do("CLUSTER", "SLOTS"))
				return !slices.ContainsFunc(h.proxies, func(p *redisproxy.Proxy) bool { return !strings.Contains(said, p.Addr[len("127.0.0.1:"):]) })
			})
		}
	}
	return h
}

func waitUntilAll(t testing.TB, what string, holds func() bool) {
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// cut ends all connections, and lets no command pass until mend.
func (h *hooked) cut() {
	for _, p := range h.proxies {
		p.CutNext(1 << 30)
		p.CutAll()
	}
}

// reset lets everything pass, with other hooks.
func (h *hooked) reset(before func(int, redisproxy.Command) func(), after func(int)) {
	for _, p := range h.proxies {
		p.CutNext(0)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.queuing, h.writes, h.before, h.after = 0, 0, before, after
}

// of returns the server that has the key.
func (h *hooked) of(key string) *goredis.Client {
	if len(h.direct) == 1 {
		return h.direct[0]
	}
	slot := int(h.direct[0].ClusterKeySlot(context.Background(), key).Val())
	return h.direct[min(slot/(16384/3), 2)]
}

// put makes the Redis hold what is given, and nothing else.
func (h *hooked) put(t testing.TB, all plainRedis) {
	t.Helper()
	ctx := context.Background()
	for _, c := range h.direct {
		if err := c.FlushAll(ctx).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for key, text := range all.texts {
		if err := h.of(key).Set(ctx, key, text, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for key, fields := range all.hashes {
		if err := h.of(key).HSet(ctx, key, fields).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// kept is what has to be the same however a run came about: Lanyard's keys, and the marks of what lanyardctl wrote.
func (p plainRedis) kept() plainRedis {
	q := p.ofLanyard()
	for key, fields := range p.hashes {
		if strings.HasPrefix(key, "lanyardctl:digests") {
			// A mark of a key that is not there is of one that was going to be made.
			fields = maps.Clone(fields)
			maps.DeleteFunc(fields, func(key, _ string) bool {
				_, text := p.texts[key]
				_, hash := p.hashes[key]
				return !text && !hash
			})
			if len(fields) > 0 {
				q.hashes[key] = fields
			}
		}
	}
	return q
}

// authenticatedTwice returns the users whom several API keys authenticate.
func (p plainRedis) authenticatedTwice() (twice []string) {
	seen := make(map[string]bool)
	for key, user := range p.texts {
		if strings.HasPrefix(key, "api_key:") {
			if seen[user] {
				twice = append(twice, user)
			}
			seen[user] = true
		}
	}
	return twice
}

// moments are states of one MongoDB, one after the other: values change, come and go, and API keys are regenerated.
func moments(t testing.TB, users, n int) []*mongoserver.Database {
	server := &mongoserver.Server{URI: serveCounting(t.(*testing.T))}
	var list []*mongoserver.Database
	for m := range n {
		d := server.Database(t)
		db := d.Connect(t)
		const id = 94490510688792576
		for i := range users + m { // another user at each
			user := strconv.Itoa(id + i)
			kv := bson.D{{Key: "same", Value: "x"}, {Key: "changes", Value: fmt.Sprint(m)}, {Key: fmt.Sprint("only at ", m), Value: int64(m)}, {Key: "odd.name $", Value: bson.A{1.0, nil}}}
			for collection, doc := range map[string]bson.D{
				"kv":         {{Key: "kv", Value: kv}},
				"api_keys":   {{Key: "key", Value: fmt.Sprintf("lnyd_%032x", 1000*i+m*(i%2))}, {Key: "created_at", Value: time.Now()}}, // of every other one
				"last_seen":  {{Key: "timestamp", Value: int64(1700000000000 + m)}},
				"monitoring": {{Key: "since", Value: int64(1700000000 - m)}},
			} {
				if _, err := db.Collection(collection).InsertOne(t.Context(), append(bson.D{{Key: "user_id", Value: user}}, doc...)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := db.Collection("metrics").InsertOne(t.Context(), bson.D{{Key: "type", Value: "global"}, {Key: "lanyard_messages_inbound", Value: 7.5 + float64(m)}}); err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

// migrateHere runs the way back in this process.
func migrateHere(ctx context.Context, t testing.TB, source *mongoserver.Database, uri string, args ...string) (code int, said string) {
	t.Helper()
	env := make(map[string]string)
	for _, v := range source.Env() {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
	}
	var stdout, stderr strings.Builder
	code = program{func(name string) string { return env[name] }, location.Back()}.execute(ctx, append([]string{
		"migrate", "mongo-to-redis", "--redis", uri, "--layout", "both", "--as-json", "--workers", "1", "--batch-size", "10", "--output", "json",
		"--rejects", filepath.Join(t.TempDir(), "rejects.ndjson"),
	}, args...), &stdout, &stderr)
	return code, stdout.String() + stderr.String()
}

// history is what a Redis holds after each of some moments of a MongoDB has been copied to it, one after the other.
type history struct {
	*hooked
	t      testing.TB
	at     []*mongoserver.Database
	states []plainRedis // before the first moment, and after each
	writes []int        // that each took
}

func newHistory(t testing.TB, cluster bool, users int) *history {
	h := &history{hooked: startHooked(t, cluster), t: t, at: moments(t, users, 3), states: []plainRedis{{}}}
	for m := range h.at {
		h.copy(m)
		h.mu.Lock()
		h.writes = append(h.writes, h.hooked.writes)
		h.mu.Unlock()
		h.states = append(h.states, h.read())
	}
	return h
}

func (h *history) read() plainRedis { return readRedis(h.t, h.direct...) }

// copy copies a moment, undisturbed.
func (h *history) copy(m int) {
	h.t.Helper()
	h.reset(nil, nil)
	if code, said := migrateHere(h.t.Context(), h.t, h.at[m], h.uri); code != exit.Done {
		h.t.Fatalf("exit %d: %s", code, said)
	}
}

// nobodyTwice checks that no user is authenticated by two API keys.
func (h *history) nobodyTwice(when string) {
	if users := h.read().authenticatedTwice(); len(users) > 0 {
		h.t.Errorf("%s: two API keys authenticate %v", when, users)
	}
}

// goOn copies a moment and those after it, and checks that each gives what it gave undisturbed.
func (h *history) goOn(m int, after string) {
	h.t.Helper()
	h.nobodyTwice(after)
	for ; m < len(h.at); m++ {
		h.copy(m)
		if d := cmp.Diff(h.states[m+1].kept(), h.read().kept(), cmp.AllowUnexported(plainRedis{})); d != "" {
			h.t.Errorf("%s: moment %d (-want +got):\n%s", after, m, shortened(d))
		}
	}
}

// eachServer runs the test on a standalone server and on a Cluster.
func eachServer(t *testing.T, test func(t *testing.T, cluster bool)) {
	for name, cluster := range map[string]bool{"standalone": false, "cluster": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, cluster)
		})
	}
}

// TestTheWayBackCanBeCutAtEveryWrite cuts all connections at each write in turn, before it is carried out and after, and lets
// none pass any more: for the Redis that is what a process leaves that is killed there. One more run then gives what an
// undisturbed one gives, and so does the next, once MongoDB has changed. At no moment do two API keys authenticate a user.
// Without LANYARDCTL_TEST_KILLS it leaves most writes out.
func TestTheWayBackCanBeCutAtEveryWrite(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, cluster bool) {
		h, step := newHistory(t, cluster, 3), 1
		if os.Getenv(killsVariable) == "" {
			step = map[bool]int{false: 2, true: 9}[cluster]
		}
		var tried atomic.Int64
		wanted := int64(0)
		for m := range 2 { // an empty Redis, and one that is filled already
			for nth := 1; nth <= h.writes[m]; nth += step {
				for _, carriedOut := range []bool{false, true} {
					when := fmt.Sprintf("moment %d, cut at write %d, carried out %v", m, nth, carriedOut)
					h.put(t, h.states[m])
					ctx, end := context.WithCancel(t.Context())
					cut := sync.OnceFunc(func() {
						h.cut()
						tried.Add(1)
						end() // a process that is gone does not try again, either
					})
					h.reset(func(n int, _ redisproxy.Command) func() {
						if n == nth && !carriedOut {
							return cut
						}
						return nil
					}, func(n int) {
						h.nobodyTwice(when)
						if n == nth && carriedOut {
							cut()
						}
					})
					_, _ = migrateHere(ctx, t, h.at[m], h.uri)
					end()
					wanted++
					h.goOn(m, when)
				}
			}
		}
		t.Logf("%d writes; %d of %d runs were cut short", h.writes, tried.Load(), wanted)
		if tried.Load() < wanted*3/4 { // a run may make a write less than another did
			t.Errorf("%d writes; %d of %d runs were cut short", h.writes, tried.Load(), wanted)
		}
	})
}

const killsVariable = "LANYARDCTL_TEST_KILLS" // how often a process is killed

// TestTheWayBackCanBeKilled kills processes that work on several batches at once, each at another write.
func TestTheWayBackCanBeKilled(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, cluster bool) {
		h, kills := newHistory(t, cluster, map[bool]int{false: 100, true: 30}[cluster]), 2
		if text := os.Getenv(killsVariable); text != "" {
			var err error
			if kills, err = strconv.Atoi(text); err != nil {
				t.Fatal(err)
			}
		}
		killed := 0
		for i := range kills {
			m := i % 2
			nth := 1 + (i*h.writes[m])/kills
			when := fmt.Sprintf("moment %d, killed at write %d of %d", m, nth, h.writes[m])
			h.put(t, h.states[m])
			started := make(chan *running, 1)
			h.reset(func(n int, _ redisproxy.Command) func() {
				if n == nth {
					r := <-started
					r.signal(syscall.SIGKILL)
					h.cut()
				}
				return nil
			}, nil)
			r := startBack(t, t.TempDir(), h.at[m], h.uri, "migrate", "--as-json", "--workers", "4", "--batch-size", "10")
			started <- r
			if code, _ := r.wait(); code == -1 {
				killed++
			}
			h.goOn(m, when)
		}
		t.Logf("%d writes; %d of %d processes were killed", h.writes, killed, kills)
		if killed < kills*3/4 {
			t.Errorf("%d of %d processes were killed", killed, kills)
		}
	})
}
