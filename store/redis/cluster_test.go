package redis_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func TestAClusterGivesTheSameRecordsAsOneServer(t *testing.T) {
	c := redisserver.StartCluster(t, 3)
	fill(t, c.Client(t), mixed(100)...)
	single := load(t, redis.SourceOptions{}, mixed(100)...)

	// The URI of one node is enough: what it is part of is found out.
	for _, uri := range []string{c.URI, c.Masters[1].URI} {
		s := open(t, redis.Options{URI: uri})
		i := s.Info()
		if i.Mode != redis.Cluster || len(i.Nodes) != 3 || i.Keys != single.seen.Keys {
			t.Errorf("%+v", i)
		}
		src := s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 30})
		parts, err := src.Parts(context.Background())
		if err != nil || len(parts) != 3 || !strings.HasPrefix(parts[0].Name(), "127.0.0.1:") {
			t.Fatalf("parts %v, error %v", parts, err)
		}
		if n, err := src.Total(context.Background()); n != single.seen.Keys || err != nil {
			t.Errorf("%d keys, error %v", n, err)
		}
		r := readAll(t, src)
		if diff := cmp.Diff(shown(single.items), shown(r.items)); diff != "" {
			t.Errorf("-single +cluster:\n%s", diff)
		}
		if r.seen != single.seen {
			t.Errorf("the counts of keys are %+v, of a single server %+v", r.seen, single.seen)
		}
	}
	_, err := redis.Open(context.Background(), redis.Options{URI: c.Masters[0].URI + "/1"})
	if !errors.Is(err, redis.ErrURI) {
		t.Errorf("database 1 of a Cluster: %v", err)
	}
}

func TestAClusterWithoutAllSlotsIsAnError(t *testing.T) {
	srv := redisserver.Start(t, "--cluster-enabled", "yes")
	srv.Do("CLUSTER", "ADDSLOTSRANGE", 0, 99)
	_, err := redis.Open(context.Background(), redis.Options{URI: srv.URI})
	if err == nil || !strings.Contains(err.Error(), "slots") {
		t.Fatal(err)
	}
}

func TestTheErrorNamesTheServerOfAClusterThatIsAway(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 3)
	c.Masters[2].Kill()
	_, err := redis.Open(context.Background(), redis.Options{URI: c.Masters[0].URI, Timeout: 20 * time.Second})
	if !errors.Is(err, redis.ErrUnreachable) || !strings.Contains(err.Error(), c.Masters[2].Addr) {
		t.Fatal(err)
	}
}
