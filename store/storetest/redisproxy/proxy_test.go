package redisproxy_test

import (
	"context"
	"slices"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func client(t *testing.T, p *redisproxy.Proxy) *goredis.Client {
	t.Helper()
	c := goredis.NewClient(&goredis.Options{Addr: p.Addr, MaxRetries: -1})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestAHookActsBetweenTwoCommandsOfAPipeline(t *testing.T) {
	srv := redisserver.Start(t)
	answered := make(chan redisproxy.Command, 100)
	p := redisproxy.Start(t, srv.Addr, redisproxy.Options{Hook: func(c redisproxy.Command) func() {
		if c.Name == "GET" && c.Nth == 2 {
			return func() { srv.Do("SET", "k", "after") }
		}
		return nil
	}, After: func(c redisproxy.Command) { answered <- c }})
	srv.Do("SET", "k", "before")
	pipe := client(t, p).Pipeline()
	var got []*goredis.StringCmd
	for range 3 {
		got = append(got, pipe.Get(context.Background(), "k"))
	}
	if _, err := pipe.Exec(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"before", "after", "after"} {
		if got[i].Val() != want {
			t.Errorf("answer %d is %q", i+1, got[i].Val())
		}
	}
	for c := range answered { // the first are those of the connection
		if c.Name == "GET" && c.Nth == 3 {
			break
		}
	}
	i := slices.IndexFunc(p.Commands(), func(c redisproxy.Command) bool { return c.Name == "GET" })
	if i < 0 || p.Commands()[i].Args[0] != "k" {
		t.Errorf("%v", p.Commands())
	}
}

func TestOneByteAtATimeIsTheSame(t *testing.T) {
	p := redisproxy.Start(t, redisserver.Start(t).Addr, redisproxy.Options{Dribble: true})
	c, ctx := client(t, p), context.Background()
	if err := c.HSet(ctx, "h", "a", "1\r\n", "b", "").Err(); err != nil {
		t.Fatal(err)
	}
	if m, err := c.HGetAll(ctx, "h").Result(); err != nil || m["a"] != "1\r\n" || len(m) != 2 {
		t.Errorf("%v, %v", m, err)
	}
}

func TestSilenceAndCuts(t *testing.T) {
	p := redisproxy.Start(t, redisserver.Start(t).Addr, redisproxy.Options{})
	c, ctx := client(t, p), context.Background()
	if err := c.Ping(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	p.CutNext(1)
	if err := c.Ping(ctx).Err(); err == nil || p.Cuts() != 1 {
		t.Errorf("%v, %d cuts", err, p.Cuts())
	}
	begun := time.Now()
	p.Silence(true)
	time.AfterFunc(50*time.Millisecond, func() { p.Silence(false) })
	if err := c.Ping(ctx).Err(); err != nil || time.Since(begun) < 50*time.Millisecond {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	before := c.ClientID(ctx).Val()
	p.CutAll()
	_ = c.Ping(ctx) // the client may notice before it sends anything
	if after := c.ClientID(ctx).Val(); before == 0 || after == before {
		t.Errorf("client %d, then %d: the connection was not cut", before, after)
	}
}
