package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/churn"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// Soaks let a mirror run while Lanyards write and everything around it breaks, again and again, by chance. The law: once
// all is quiet, the target equals the source, and the mirror never ended by itself.
const (
	soakVariable = "LANYARDCTL_TEST_SOAK" // how long a soak takes, such as 60m
	seedVariable = "LANYARDCTL_TEST_SEED" // which one: its number was told by the one before
)

// durationFrom returns the time that a variable says, else d.
func durationFrom(t testing.TB, variable string, d time.Duration) time.Duration {
	text := os.Getenv(variable)
	if text == "" {
		return d
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return d
}

// soak is one that runs.
type soak struct {
	*syncing
	random *rand.Rand
	source string   // URI for the mirror
	args   []string // of the mirror
	target *mongoserver.Database
	long   bool
	writer *churn.Writer

	opened bool    // the mirror has caught up once
	memory []int64 // highest of each minute
	begun  time.Time
}

// newSoak returns one of chance whose writer writes. The mirror is yet to start.
func newSoak(t *testing.T, client, other goredis.UniversalClient) *soak {
	seed := uint64(numberFrom(t, seedVariable, rand.IntN(1_000_000)))
	t.Logf("%s=%d", seedVariable, seed)
	s := &soak{
		random: rand.New(rand.NewPCG(seed, 2)), begun: time.Now(), long: os.Getenv(soakVariable) != "",
		args: []string{"--allow-empty", "--allow-shrinking"},
	}
	o := churn.Options{Other: other, Seed: seed, Users: 200, Rate: 60, Rejects: true}
	if s.long {
		o.Users = 300 // a FerretDB does not keep up with much more
	}
	s.writer = startWriter(t, client, o)
	return s
}

// start starts a mirror in place of the one that has ended.
func (s *soak) start(t *testing.T) {
	s.syncing, s.opened = startSync(t, s.source, s.target, s.args...), false
}

// runs fails the test where the mirror has ended by itself. One that did not come to anything yet, since a server was away
// when it was started, is started again, as a service manager does.
func (s *soak) runs(t *testing.T) {
	t.Helper()
	s.opened = s.opened || s.ready()
	select {
	case <-s.exited:
		if s.opened {
			s.syncing.runs()
		}
		t.Logf("%6.1f s  sync could not start: %s", time.Since(s.begun).Seconds(), s.said.last("lanyardctl: "))
		s.start(t)
	default:
	}
}

// trial is something that breaks. All runs again when it returns.
type trial struct {
	name string
	act  func()
}

// play plays trials by chance for as long as a soak takes; each of them once in any case.
func (s *soak) play(t *testing.T, short time.Duration, trials []trial) {
	t.Helper()
	end := s.begun.Add(durationFrom(t, soakVariable, short))
	order := s.random.Perm(len(trials))
	for n := 0; n < len(trials) || time.Now().Before(end); n++ {
		i := s.random.IntN(len(trials))
		if n < len(order) {
			i = order[n]
		}
		s.calm(t)
		t.Logf("%6.1f s  %s", time.Since(s.begun).Seconds(), trials[i].name)
		trials[i].act()
		s.runs(t)
	}
	s.calm(t)
	finish(t, s.writer)
	waitUntil(t, "a mirror that runs", func() bool {
		s.runs(t)
		return s.opened
	})
	t.Logf("the target equals the source %s after the last write", s.untilAgrees(s.source, s.target))
	s.checkMemory(t)
	s.stop()
}

// calm lets the mirror follow for a while.
func (s *soak) calm(t *testing.T) {
	most := 2 * time.Second
	if s.long {
		most = 8 * time.Second
	}
	for end := time.Now().Add(s.time(most)); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		s.runs(t)
		resident, _ := s.usage()
		minute := int(time.Since(s.begun) / time.Minute)
		for len(s.memory) <= minute {
			s.memory = append(s.memory, 0)
		}
		s.memory[minute] = max(s.memory[minute], resident)
	}
}

// time returns one of chance.
func (s *soak) time(most time.Duration) time.Duration {
	return time.Duration(s.random.Int64N(int64(most)))
}

// pause waits for a time of chance, while something is broken.
func (s *soak) pause(most time.Duration) { time.Sleep(s.time(most)) }

// checkMemory compares the end with the first five minutes, in a soak that is long enough.
func (s *soak) checkMemory(t *testing.T) {
	const first = 5
	highest := func(of []int64) (most int64) {
		for _, resident := range of {
			most = max(most, resident)
		}
		return most >> 10
	}
	begin, end := highest(s.memory[:min(first, len(s.memory))]), highest(s.memory[max(0, len(s.memory)-first):])
	t.Logf("resident memory, the highest: %d KiB in the first minutes, %d KiB in the last", begin, end)
	if len(s.memory) > 3*first && end*10 > begin*12 {
		t.Errorf("the memory grew: %d KiB by minute", s.memory)
	}
}

// replaced are the trials of the mirror itself.
func (s *soak) replaced(t *testing.T) []trial {
	return []trial{
		{"sync is killed", func() {
			s.kill()
			s.start(t)
		}},
		{"sync is ended and started again", func() {
			waitUntil(t, "a mirror that has begun", func() bool { // else it has nothing to end
				s.runs(t)
				return s.opened
			})
			s.stop()
			s.start(t)
		}},
		{"sync stands still", func() {
			s.signal(syscall.SIGSTOP)
			if s.long {
				s.pause(25 * time.Second) // longer than its lease holds
			} else {
				s.pause(3 * time.Second)
			}
			s.signal(syscall.SIGCONT)
		}},
	}
}

// TestASoakBreaksEverything has one Redis and one FerretDB.
func TestASoakBreaksEverything(t *testing.T) {
	t.Parallel()
	redis := redisserver.Start(t, "--appendonly", "yes")
	ferret := ferretdb.Start(t)
	toRedis, toMongo := storetest.NewProxy(t, redis.Addr), storetest.NewProxy(t, hostOf(t, ferret.URI))
	s := newSoak(t, churnClient(t, redis.URI, false), churnClient(t, redis.URI+"/1", false))
	s.source = "redis://" + toRedis.Addr
	s.target = (&mongoserver.Server{URI: "mongodb://" + toMongo.Addr}).Database(t)
	s.start(t)
	trials := append(s.replaced(t), []trial{
		{"Redis is killed and keeps its data", func() {
			redis.Kill()
			s.pause(time.Second)
			redis.Restart()
		}},
		{"Redis is killed and loses its data", func() {
			redis.Kill()
			if err := os.RemoveAll(filepath.Join(redis.Dir, "appendonlydir")); err != nil {
				t.Fatal(err)
			}
			redis.Restart()
		}},
		{"the target is killed", func() {
			ferret.Kill()
			s.pause(2 * time.Second)
			ferret = ferretdb.StartIn(t, ferret.Dir)
			toMongo.Pass(hostOf(t, ferret.URI))
		}},
		{"CLIENT KILL", func() { redis.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") }},
		{"CLIENT KILL again and again", func() {
			for range 10 {
				redis.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
				s.pause(200 * time.Millisecond)
			}
		}},
		{"output buffers are full at once", func() {
			const limit = "client-output-buffer-limit"
			redis.Do("CONFIG", "SET", limit, "normal 4096 0 0 pubsub 4096 0 0")
			s.pause(3 * time.Second)
			redis.Do("CONFIG", "SET", limit, "normal 0 0 0 pubsub 33554432 8388608 60")
		}},
		{"FLUSHDB", func() { redis.Do("FLUSHDB") }},
	}...)
	trials = append(trials, s.connections("Redis", toRedis)...)
	s.play(t, time.Minute, append(trials, s.connections("the target", toMongo)...))
}

func hostOf(t *testing.T, uri string) string {
	t.Helper()
	u, err := url.Parse(uri)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// connections are the trials of the mirror's connections to a server.
func (s *soak) connections(name string, front *storetest.Proxy) []trial {
	return []trial{
		{"connections to " + name + " are cut", front.Cut},
		{name + " refuses connections", func() {
			front.Refuse(true)
			front.Cut()
			s.pause(3 * time.Second)
			front.Refuse(false)
		}},
		{name + " is silent", func() {
			front.Silence(true)
			s.pause(4 * time.Second)
			front.Silence(false)
		}},
	}
}

// TestASoakFailsOver has a Sentinel and two servers, one of which is the master.
func TestASoakFailsOver(t *testing.T) {
	t.Parallel()
	args := []string{"--appendonly", "yes", "--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0"}
	master, other := redisserver.Start(t, args...), redisserver.Start(t, args...)
	host, port, _ := strings.Cut(master.Addr, ":")
	other.Do("REPLICAOF", host, port)
	waitUntil(t, "a replica in step", func() bool {
		return strings.Contains(fmt.Sprint(other.Do("INFO", "replication")), "master_link_status:up")
	})
	const name = "main"
	sentinel := redisserver.StartSentinel(t, name, master)
	sentinel.Do("SENTINEL", "SET", name, "failover-timeout", "3000", "down-after-milliseconds", "3000") // a second one does not come sooner
	source := sentinel.URI + "?master_name=" + name
	o, err := goredis.ParseFailoverURL(source)
	if err != nil {
		t.Fatal(err)
	}
	o.MaxRetries, o.ReadTimeout = -1, 2*time.Second
	client := goredis.NewFailoverClient(o)
	t.Cleanup(func() { _ = client.Close() })
	s := newSoak(t, client, nil)
	s.source, s.target = source, mongoserver.New(t)
	s.start(t)
	// named has the variables say who the Sentinel says is who, and waits until the other one could take over. On a busy
	// machine a Sentinel names another master by itself.
	named := func() {
		for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			at := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name).([]any)
			if fmt.Sprint(at[0], ":", at[1]) == other.Addr {
				master, other = other, master
			}
			info := fmt.Sprint(other.Do("INFO", "replication"))
			if _, port, _ := strings.Cut(master.Addr, ":"); !strings.Contains(info, "master_port:"+port) {
				other.Do("REPLICAOF", "127.0.0.1", port)
			}
			told := fmt.Sprint(sentinel.Do("SENTINEL", "REPLICAS", name))
			if strings.Contains(info, "master_link_status:up") && strings.Contains(told, other.Addr) &&
				strings.Contains(told, "master-link-status:ok") && !strings.Contains(told, "s_down") {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("the Sentinel knows no replica: %s\n%s\n%s", told, info, sentinel.Log())
			}
		}
	}
	passed := func(to string) {
		waitUntil(t, "the other server as the master", func() bool {
			at := sentinel.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name).([]any)
			return fmt.Sprint(at[0], ":", at[1]) == to
		})
	}
	s.play(t, 20*time.Second, append(s.replaced(t)[:1], []trial{
		{"the master is killed", func() {
			named()
			killed := master
			killed.Kill()
			passed(other.Addr)
			killed.Restart()
			named()
		}},
		{"another master is named", func() {
			named()
			waitUntil(t, "a failover that may begin", func() bool {
				return redisClient(t, sentinel.URI).Do(context.Background(), "SENTINEL", "FAILOVER", name).Err() == nil
			})
			passed(other.Addr)
			named()
		}},
	}...))
}

// TestASoakMovesSlots has a Cluster of three masters.
func TestASoakMovesSlots(t *testing.T) {
	t.Parallel()
	group := redisserver.StartCluster(t, 3, "--appendonly", "yes")
	first := group.Masters[0]
	replica := group.AddReplica(t, first, "--appendonly", "yes")
	s := newSoak(t, churnClient(t, group.URI, true), nil)
	s.source, s.target = group.URI, mongoserver.New(t)
	s.start(t)
	owners := make(map[int]*redisserver.Server) // of slots that were moved
	owner := func(slot int) *redisserver.Server {
		if at := owners[slot]; at != nil {
			return at
		}
		const slots = 16384
		return group.Masters[min(slot/(slots/3), 2)]
	}
	passed := func() { // to the replica, by whatever was done; on a busy machine it takes over by itself
		for slot, at := range owners {
			if at == group.Masters[0] {
				owners[slot] = replica
			}
		}
		group.Masters[0], replica = replica, group.Masters[0]
	}
	isMaster := func(s *redisserver.Server) bool { return strings.Contains(fmt.Sprint(s.Do("ROLE")), "master") }
	named := func() {
		if isMaster(replica) {
			passed()
		}
	}
	s.play(t, 20*time.Second, append(s.replaced(t)[:1], []trial{
		{"slots move", func() {
			named()
			for range 20 {
				slot := slotOf(t, first, fmt.Sprint("lanyard_kv:", churn.UserID(s.random.IntN(200))))
				from, to := owner(slot), group.Masters[s.random.IntN(3)]
				if from == to {
					continue
				}
				group.BeginMove(slot, from, to, 1)
				s.pause(50 * time.Millisecond)
				group.EndMove(slot, from, to)
				owners[slot] = to
			}
		}},
		{"a master is killed and keeps its data", func() {
			master := group.Masters[1+s.random.IntN(2)]
			master.Kill()
			s.pause(time.Second)
			master.Restart()
			waitUntil(t, "a Cluster that serves all slots", func() bool {
				return !slices.ContainsFunc(group.Masters, func(m *redisserver.Server) bool {
					return !strings.Contains(fmt.Sprint(m.Do("CLUSTER", "INFO")), "cluster_state:ok")
				})
			})
		}},
		{"a replica takes over", func() {
			named()
			waitUntil(t, "a replica in step", func() bool {
				return strings.Contains(fmt.Sprint(replica.Do("INFO", "replication")), "master_link_status:up")
			})
			waitUntil(t, "the replica as the master", func() bool { // the others may not agree at once
				replica.Do("CLUSTER", "FAILOVER")
				for range 60 { // it gives up after five seconds
					time.Sleep(100 * time.Millisecond)
					if isMaster(replica) {
						return true
					}
				}
				return false
			})
			passed()
		}},
	}...))
}

func slotOf(t *testing.T, s *redisserver.Server, key string) int {
	t.Helper()
	return int(s.Do("CLUSTER", "KEYSLOT", key).(int64))
}
