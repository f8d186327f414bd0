package redisserver_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func client(t *testing.T, s *redisserver.Server) *goredis.Client {
	t.Helper()
	opts, err := goredis.ParseURL(s.URI)
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries = -1
	c := goredis.NewClient(opts)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestServersAreIndependentAndEmpty(t *testing.T) {
	ctx := context.Background()
	a, b := redisserver.Start(t), redisserver.Start(t)
	if err := client(t, a).Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if n, err := client(t, b).DBSize(ctx).Result(); err != nil || n != 0 {
		t.Fatalf("the other server holds %d keys, error %v", n, err)
	}
}

func TestArgumentsReachTheServer(t *testing.T) {
	s := redisserver.Start(t, "--requirepass", "secret")
	if err := client(t, s).Ping(context.Background()).Err(); err != nil {
		t.Fatalf("the URI does not carry the password: %v", err)
	}
	if !strings.Contains(s.URI, "secret") {
		t.Fatalf("URI %s", s.URI)
	}
}

func TestAppendOnlyDataSurvivesARestart(t *testing.T) {
	ctx := context.Background()
	s := redisserver.Start(t, "--appendonly", "yes")
	if err := client(t, s).Set(ctx, "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.Restart()
	if v, err := client(t, s).Get(ctx, "k").Result(); err != nil || v != "v" {
		t.Fatalf("after the restart k is %q, error %v", v, err)
	}
}

func TestAKilledServerIsGone(t *testing.T) {
	s := redisserver.Start(t)
	s.Kill()
	s.Kill()
	err := client(t, s).Ping(context.Background()).Err()
	if err == nil || errors.Is(err, goredis.Nil) {
		t.Fatalf("a killed server answers: %v", err)
	}
}

func TestAClusterServesAllSlots(t *testing.T) {
	c := redisserver.StartCluster(t, 3)
	cl := c.Client(t)
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		if err := cl.Set(context.Background(), key, key, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var keys int64
	for _, m := range c.Masters {
		keys += m.Do("DBSIZE").(int64)
	}
	if keys != 5 {
		t.Fatalf("the masters hold %d keys", keys)
	}
}

func TestASentinelKnowsItsMaster(t *testing.T) {
	master := redisserver.Start(t)
	s := redisserver.StartSentinel(t, "main", master)
	addr := s.Do("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main").([]any)
	if got := addr[0].(string) + ":" + addr[1].(string); got != master.Addr {
		t.Fatalf("the master is %s, the Sentinel says %s", master.Addr, got)
	}
}
