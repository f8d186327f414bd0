package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// What a reading makes of servers that take over from each other. The law is that it ends without an error and has
// delivered everything that was there all the time.

// smallPages is how the tests read: pages so small that a part has many more than are read ahead.
var smallPages = redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 10}

// everything returns what a reading delivers, without what came twice.
func everything(items []record.Item) []string { return slices.Compact(shown(items)) }

// readWhile reads the store at uri, and act happens after the first page of the part of that number. It fails where the reading
// ends with an error, has not delivered what is wanted, or does not tell what happened.
func readWhile(t *testing.T, name, uri string, want []string, part int, act func(), remark string) {
	t.Helper()
	store := open(t, redis.Options{URI: uri, RetryFor: time.Minute})
	src := store.Source(smallPages)
	before := src.Identity()
	r, err := moves(t, src, part, act)
	if err != nil {
		t.Errorf("%s: after %d items: %v", name, len(r.items), err)
		return
	}
	if diff := cmp.Diff(want, everything(r.items)); diff != "" {
		t.Errorf("%s: -want +got:\n%s", name, diff)
	}
	told := fmt.Sprint(store.Remarks())
	if !strings.Contains(told, remark) || remark != "" && !strings.Contains(told, "keys were read again for that") {
		t.Errorf("%s: told %s", name, told)
	}
	if store.Source(smallPages).Identity() == before {
		t.Errorf("%s: the positions of before pass for those of now", name)
	}
	// Another reading of the same store finds the servers as they are now.
	if r := readAll(t, store.Source(smallPages)); cmp.Diff(want, shown(r.items)) != "" {
		t.Errorf("%s: the next reading: -want +got:\n%s", name, cmp.Diff(want, shown(r.items)))
	}
}

// slotsOf returns so many slots of a master that hold keys.
func slotsOf(t *testing.T, s *redisserver.Server, n int) (slots []int) {
	t.Helper()
	c := client(t, s.URI)
	for _, key := range c.Keys(context.Background(), "*").Val() {
		if slot := int(c.ClusterKeySlot(context.Background(), key).Val()); !slices.Contains(slots, slot) {
			slots = append(slots, slot)
		}
	}
	slices.Sort(slots)
	if len(slots) < n {
		t.Fatalf("%d slots of %s hold keys", len(slots), s.Addr)
	}
	return slots[:n]
}

func TestSlotsThatMoveDuringTheScanAreReadAgain(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3)
	fill(t, c.Client(t), mixed(60)...)
	// Parts are in the order of addresses.
	by := slices.SortedFunc(slices.Values(c.Masters), func(a, b *redisserver.Server) int { return strings.Compare(a.Addr, b.Addr) })
	want := shown(readAll(t, open(t, redis.Options{URI: c.URI}).Source(smallPages)).items)
	move := func(from, to *redisserver.Server, n int) func() {
		return func() {
			for _, slot := range slotsOf(t, from, n) {
				c.BeginMove(slot, from, to, -1)
				c.EndMove(slot, from, to)
			}
		}
	}
	for _, tc := range []struct {
		name string
		part int
		act  func()
	}{
		{"to one that was read, from one that is read", 1, move(by[1], by[0], 8)},
		{"to one that was read, from one that comes next", 1, move(by[2], by[0], 8)},
		{"to one that is read, from one that comes next", 1, move(by[2], by[1], 8)},
		{"there and back", 1, func() {
			slots := slotsOf(t, by[1], 4)
			for _, slot := range slots {
				c.BeginMove(slot, by[1], by[0], -1)
				c.EndMove(slot, by[1], by[0])
			}
			for _, slot := range slots {
				c.BeginMove(slot, by[0], by[1], -1)
				c.EndMove(slot, by[0], by[1])
			}
		}},
		{"most of a server", 0, move(by[0], by[2], 80)},
	} {
		readWhile(t, tc.name, c.URI, want, tc.part, tc.act, "slots of the Cluster moved")
	}

	// One is on its way while the parts are read, and arrives later.
	slot := slotsOf(t, by[1], 1)[0]
	readWhile(t, "half of a slot", c.URI, want, 1, func() {
		c.BeginMove(slot, by[1], by[0], 1)
		time.AfterFunc(300*time.Millisecond, func() { c.EndMove(slot, by[1], by[0]) })
	}, "slots of the Cluster moved")

	// One never arrives.
	slot = slotsOf(t, by[1], 1)[0]
	c.BeginMove(slot, by[1], by[0], 1)
	_, err := moves(t, open(t, redis.Options{URI: c.URI, RetryFor: 3 * time.Second}).Source(smallPages), 0, func() {})
	if !errors.Is(err, redis.ErrResharded) || !errors.Is(err, record.ErrSourceMoved) || !strings.Contains(err.Error(), fmt.Sprintf("slot %d is still", slot)) {
		t.Error(err)
	}
}

func TestAReplicaThatTakesOverInAClusterLosesNothing(t *testing.T) {
	t.Parallel()
	quick := []string{"--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"}
	c := redisserver.StartCluster(t, 3, quick...)
	fill(t, c.Client(t), mixed(60)...)
	want := shown(readAll(t, open(t, redis.Options{URI: c.URI}).Source(smallPages)).items)
	by := slices.SortedFunc(slices.Values(c.Masters), func(a, b *redisserver.Server) int { return strings.Compare(a.Addr, b.Addr) })
	replica := c.AddReplica(t, by[1], quick...)
	readWhile(t, "a kill", c.URI, want, 1, by[1].Kill, "took over from another server")
	replicaOfIt := c.AddReplica(t, replica, quick...)
	readWhile(t, "a failover by hand", by[0].URI+"?addr="+replica.Addr, want, 2, func() {
		replicaOfIt.Do("CLUSTER", "FAILOVER", "TAKEOVER") // without a vote, which a busy machine may lose
		waitUntil(t, "the replica is the master", func() bool {
			return strings.Contains(fmt.Sprint(replicaOfIt.Do("INFO", "replication")), "role:master") &&
				strings.Contains(fmt.Sprint(replica.Do("INFO", "replication")), "role:slave")
		})
	}, "")
}

func TestAServerThatRestartsWithItsDataIsReadAgain(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3, "--appendonly", "yes")
	fill(t, c.Client(t), mixed(60)...)
	by := slices.SortedFunc(slices.Values(c.Masters), func(a, b *redisserver.Server) int { return strings.Compare(a.Addr, b.Addr) })
	want := shown(readAll(t, open(t, redis.Options{URI: c.URI}).Source(smallPages)).items)
	readWhile(t, "of a Cluster", c.URI, want, 1, by[1].Restart, by[1].Addr+" restarted during the run")

	single := redisserver.Start(t, "--appendonly", "yes")
	fill(t, client(t, single.URI), mixed(60)...)
	readWhile(t, "alone", single.URI, want, 0, single.Restart, single.Addr+" restarted during the run")

	// Dates are read by a source of their own.
	dates := func(act func()) (list []string) {
		request := smallPages
		request.Dates = true
		acted := false
		err := layout.DateSource(open(t, redis.Options{URI: single.URI}).Source(request)).Values(context.Background(), func(values []record.DateValue) error {
			if !acted {
				acted = true
				act()
			}
			for _, v := range values {
				list = append(list, fmt.Sprint(v))
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		slices.Sort(list)
		return slices.Compact(list)
	}
	if diff := cmp.Diff(dates(func() {}), dates(single.Restart)); diff != "" {
		t.Errorf("dates: -want +got:\n%s", diff)
	}
}

func TestAServerThatRestartsWithoutItsDataIsAnError(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	_, err := moves(t, open(t, redis.Options{URI: srv.URI}).Source(smallPages), 0, srv.Restart)
	if !errors.Is(err, redis.ErrReplaced) || !errors.Is(err, record.ErrSourceMoved) || !strings.Contains(err.Error(), srv.Addr) {
		t.Error(err)
	}
}

func TestASentinelsFailoverDuringTheScanLosesNothing(t *testing.T) {
	t.Parallel()
	master := redisserver.Start(t)
	fill(t, client(t, master.URI), mixed(60)...)
	host, port, _ := strings.Cut(master.Addr, ":")
	replica := redisserver.Start(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	sentinel := redisserver.StartSentinel(t, "main", master)
	s := &scene{source: replica, admin: client(t, replica.URI), master: master}
	s.inStep(t)
	waitUntil(t, "the Sentinel knows the replica", func() bool {
		return strings.Contains(fmt.Sprint(sentinel.Do("SENTINEL", "REPLICAS", "main")), replica.Addr)
	})
	want := shown(readAll(t, open(t, redis.Options{URI: master.URI}).Source(smallPages)).items)
	readWhile(t, "a kill", sentinel.URI+"?master_name=main", want, 0, master.Kill, replica.Addr+" took over from another server")
}
