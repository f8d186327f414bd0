package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// spared fails where a server was asked for keys since its statistics were reset.
func spared(t *testing.T, s *redisserver.Server) {
	t.Helper()
	stats := fmt.Sprint(s.Do("INFO", "commandstats"))
	for _, name := range []string{"scan", "getrange", "hgetall", "exists"} {
		if strings.Contains(stats, "cmdstat_"+name+":") {
			t.Errorf("%s was asked: %s", s.Addr, name)
		}
	}
}

func TestAReplicaIsReadInPlaceOfItsMaster(t *testing.T) {
	t.Parallel()
	s := replicaOf(t)
	s.fill(t)
	sentinel := redisserver.StartSentinel(t, "main", s.master)
	want := shown(readAll(t, open(t, redis.Options{URI: s.master.URI}).Source(smallPages)).items)
	s.master.Do("CONFIG", "RESETSTAT")
	for _, uri := range []string{s.master.URI, s.source.URI, sentinel.URI + "?master_name=main"} {
		store := open(t, redis.Options{URI: uri, Replica: true})
		if i := store.Info(); !i.Replica() || i.Nodes[0].Addr != s.source.Addr || len(i.Nodes) != 1 {
			t.Errorf("%s: %+v", uri, i)
		}
		if diff := cmp.Diff(want, shown(readAll(t, store.Source(smallPages)).items)); diff != "" {
			t.Errorf("%s: -master +replica:\n%s", uri, diff)
		}
	}
	spared(t, s.master)
}

func TestAMasterWithoutAReplicaIsAnError(t *testing.T) {
	t.Parallel()
	single, c := redisserver.Start(t), redisserver.StartCluster(t, 2)
	for _, s := range []*redisserver.Server{single, c.Masters[0]} {
		_, err := redis.Open(context.Background(), redis.Options{URI: s.URI, Replica: true})
		if !errors.Is(err, redis.ErrNoReplica) || !strings.Contains(err.Error(), "127.0.0.1:") {
			t.Error(err)
		}
	}
}

func TestReplicasOfAClusterAreReadWhileSlotsMove(t *testing.T) {
	t.Parallel()
	quick := []string{"--repl-diskless-sync-delay", "0"}
	c := redisserver.StartCluster(t, 2, quick...)
	fill(t, c.Client(t), mixed(60)...)
	for _, m := range c.Masters {
		c.AddReplica(t, m, quick...)
	}
	want := shown(readAll(t, open(t, redis.Options{URI: c.URI}).Source(smallPages)).items)
	for _, m := range c.Masters {
		m.Do("CONFIG", "RESETSTAT")
	}
	store := open(t, redis.Options{URI: c.URI, Replica: true, RetryFor: time.Minute})
	if i := store.Info(); len(i.Nodes) != 2 || !i.Nodes[0].Replica || !i.Nodes[1].Replica {
		t.Errorf("%+v", i)
	}
	if diff := cmp.Diff(want, shown(readAll(t, store.Source(smallPages)).items)); diff != "" {
		t.Errorf("-masters +replicas:\n%s", diff)
	}
	for _, m := range c.Masters {
		spared(t, m)
	}
	for _, from := range []int{0, 1} {
		slots := slotsOf(t, c.Masters[from], 6)
		r, err := moves(t, store.Source(smallPages), 1, func() {
			for _, slot := range slots {
				c.BeginMove(slot, c.Masters[from], c.Masters[1-from], -1)
				c.EndMove(slot, c.Masters[from], c.Masters[1-from])
			}
		})
		if diff := cmp.Diff(want, everything(r.items)); diff != "" || err != nil {
			t.Errorf("while slots move: %v, -masters +replicas:\n%s", err, diff)
		}
	}
}
