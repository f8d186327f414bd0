package redisserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// slotCount is the number of slots of every Cluster.
const slotCount = 16384

// Cluster is a running Redis Cluster of masters, to which replicas can be added.
type Cluster struct {
	Masters []*Server // with equal shares of the slots, in order, as it was started
	URI     string    // of the first master, with the others as addr= parameters
}

// StartCluster runs a Cluster of the given number of masters and returns once all its slots are served.
func StartCluster(t testing.TB, masters int, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{}
	share := slotCount / masters
	for i := range masters {
		s := Start(t, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "5000"}, args...)...)
		last := (i+1)*share - 1
		if i == masters-1 {
			last = slotCount - 1
		}
		s.Do("CLUSTER", "SET-CONFIG-EPOCH", i+1)
		s.Do("CLUSTER", "ADDSLOTSRANGE", i*share, last)
		c.Masters = append(c.Masters, s)
	}
	c.URI = c.Masters[0].URI
	for i, s := range c.Masters[1:] {
		meet(c.Masters[0], s)
		separator := "&"
		if i == 0 {
			separator = "?"
		}
		c.URI += separator + "addr=" + s.Addr
	}
	for _, s := range c.Masters {
		s.until("the Cluster serves all slots", func() bool {
			info := fmt.Sprint(s.Do("CLUSTER", "INFO"))
			return strings.Contains(info, "cluster_state:ok") &&
				strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", masters))
		})
	}
	return c
}

// handshakeTime is longer than a server remembers one that it does not hear of.
const handshakeTime = 6 * time.Second

// meet makes a server known to another, and returns once it is. A handshake that takes too long is forgotten.
func meet(s, other *Server) {
	s.t.Helper()
	host, port, _ := strings.Cut(other.Addr, ":")
	id := fmt.Sprint(other.Do("CLUSTER", "MYID"))
	var met time.Time
	s.until("the servers know each other", func() bool {
		if time.Since(met) > handshakeTime {
			met = time.Now()
			s.Do("CLUSTER", "MEET", host, port)
		}
		return s.knows(id)
	})
}

// knows reports whether a server of a Cluster knows another by its id.
func (s *Server) knows(id string) bool {
	return strings.Contains(fmt.Sprint(s.Do("CLUSTER", "NODES")), id)
}

// Join adds a server without slots to the Cluster, and returns once all masters know it.
func (c *Cluster) Join(s *Server) {
	meet(s, c.Masters[0])
	id := fmt.Sprint(s.Do("CLUSTER", "MYID"))
	for _, m := range append([]*Server{s}, c.Masters...) {
		m.until("the masters know the server", func() bool {
			return m.knows(id) && strings.Contains(fmt.Sprint(m.Do("CLUSTER", "INFO")), "cluster_state:ok")
		})
	}
}

// AddReplica runs a replica of a master and returns once it is in step and all masters that run know it.
func (c *Cluster) AddReplica(t testing.TB, of *Server, args ...string) *Server {
	t.Helper()
	s := Start(t, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "5000"}, args...)...)
	meet(s, of)
	s.Do("CLUSTER", "REPLICATE", of.Do("CLUSTER", "MYID"))
	s.until("the replica is in step", func() bool {
		return strings.Contains(fmt.Sprint(s.Do("INFO", "replication")), "master_link_status:up") && s.Do("DBSIZE") == of.Do("DBSIZE")
	})
	for _, m := range c.Masters {
		if _, err := ping(context.Background(), m.Addr); err != nil {
			continue // it was killed
		}
		s.until("the masters know the replica", func() bool { // how far it is, as well
			return strings.Contains(fmt.Sprint(m.Do("CLUSTER", "SLOTS")), strings.TrimPrefix(s.Addr, "127.0.0.1:"))
		})
		s.until("the Cluster serves all slots", func() bool {
			return strings.Contains(fmt.Sprint(m.Do("CLUSTER", "INFO")), "cluster_state:ok")
		})
	}
	return s
}

// BeginMove begins to move a slot from one master to another and moves up to so many of its keys, all where it is negative.
// The others and what comes anew follow with [Cluster.EndMove].
func (c *Cluster) BeginMove(slot int, from, to *Server, keys int) {
	from.t.Helper()
	to.Do("CLUSTER", "SETSLOT", slot, "IMPORTING", from.Do("CLUSTER", "MYID"))
	from.Do("CLUSTER", "SETSLOT", slot, "MIGRATING", to.Do("CLUSTER", "MYID"))
	c.moveKeys(slot, from, to, keys)
}

// EndMove moves what is left of the slot.
func (c *Cluster) EndMove(slot int, from, to *Server) {
	from.t.Helper()
	c.moveKeys(slot, from, to, -1)
	id := to.Do("CLUSTER", "MYID")
	to.Do("CLUSTER", "SETSLOT", slot, "NODE", id)
	from.Do("CLUSTER", "SETSLOT", slot, "NODE", id)
}

func (c *Cluster) moveKeys(slot int, from, to *Server, most int) {
	if most < 0 {
		most = int(from.Do("CLUSTER", "COUNTKEYSINSLOT", slot).(int64))
	}
	if most == 0 {
		return
	}
	host, port, _ := strings.Cut(to.Addr, ":")
	keys := from.Do("CLUSTER", "GETKEYSINSLOT", slot, most).([]any)
	from.Do(append([]any{"MIGRATE", host, port, "", 0, 5000, "KEYS"}, keys...)...)
}

// Client returns a client of the Cluster, which is closed with the test.
func (c *Cluster) Client(t testing.TB) *goredis.ClusterClient {
	t.Helper()
	o, err := goredis.ParseClusterURL(c.URI)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClusterClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// StartSentinel runs a Sentinel that watches master under the given name.
func StartSentinel(t testing.TB, name string, master *Server, args ...string) *Server {
	t.Helper()
	host, port, _ := strings.Cut(master.Addr, ":")
	path := filepath.Join(t.TempDir(), "sentinel.conf")
	// Where a failover comes to nothing on a busy machine, the next one begins after twice the timeout.
	text := fmt.Sprintf("sentinel monitor %[1]s %[2]s %[3]s 1\n"+
		"sentinel down-after-milliseconds %[1]s 3000\nsentinel failover-timeout %[1]s 5000\n", name, host, port)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Start(t, append([]string{path, "--sentinel"}, args...)...)
}

// Do sends one command to the server and returns its answer. An error fails the test.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	o, err := goredis.ParseURL(s.URI)
	if err != nil {
		s.t.Fatal(err)
	}
	client := goredis.NewClient(o)
	defer client.Close()
	answer, err := client.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("redis %v: %v", args[0], err)
	}
	return answer
}

// until polls a condition. What it waits for happens in another process, which gives no signal.
func (s *Server) until(what string, done func() bool) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(deadline) {
			s.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}
