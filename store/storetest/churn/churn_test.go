package churn

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func connect(t *testing.T, uri string) goredis.UniversalClient {
	t.Helper()
	c, err := Connect(uri, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// made returns the first writes of a seed as text. They are sent nowhere.
func made(t *testing.T, o Options, batch int) []string {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	o.Client, o.Users = client, 200
	w, pipe := New(o), client.Pipeline()
	var all []string
	for len(all) < 20_000 {
		pipe.Discard()
		for pipe.Len() < batch {
			w.act(t.Context(), pipe, w.user())
		}
		for _, c := range pipe.Cmds() {
			all = append(all, fmt.Sprintf("%q", c.Args()))
		}
	}
	return all[:20_000]
}

func TestASeedDecidesTheWrites(t *testing.T) {
	t.Parallel()
	o := Options{Seed: 7, Backwards: true, Rejects: true}
	first := made(t, o, 10)
	if !slices.Equal(first, made(t, o, 33)) {
		t.Error("the same seed makes other writes")
	}
	o.Seed++
	if slices.Equal(first, made(t, o, 10)) {
		t.Error("another seed makes the same writes")
	}
}

// TestAWriterWritesWhatLanyardsDo looks for every layout of a key, whatever the server.
func TestAWriterWritesWhatLanyardsDo(t *testing.T) {
	t.Parallel()
	single, group := redisserver.Start(t), redisserver.StartCluster(t, 3)
	for name, client := range map[string]goredis.UniversalClient{"standalone": connect(t, single.URI), "Cluster": group.Client(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := t.Context()
			w := New(Options{Client: client, Seed: 1, Users: 300, Rejects: true})
			for n := 0; n < 20_000; {
				made, err := w.write(ctx, 100)
				if err != nil {
					t.Fatal(err)
				}
				n += made
			}
			if written := w.Written(); written < 20_000 {
				t.Errorf("%d writes were acknowledged", written)
			}
			found := make(map[layout.Layout]int)
			var mu sync.Mutex
			count := func(ctx context.Context, c goredis.UniversalClient) error {
				keys, err := c.Keys(ctx, "*").Result()
				mu.Lock()
				defer mu.Unlock()
				for _, key := range keys {
					l, _ := layout.Classify(key)
					found[l]++
				}
				return err
			}
			var err error
			if c, ok := client.(*goredis.ClusterClient); ok {
				err = c.ForEachMaster(ctx, func(ctx context.Context, c *goredis.Client) error { return count(ctx, c) })
			} else {
				err = count(ctx, client)
			}
			if err != nil {
				t.Fatal(err)
			}
			for l := layout.Other; l < layout.Analytics; l++ {
				if found[l] == 0 {
					t.Errorf("no key of layout %d; %v", l, found)
				}
			}
		})
	}
}

func TestAWriterOutlivesTheRedis(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{0, 3} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			t.Parallel()
			outlives(t, nodes)
		})
	}
}

func outlives(t *testing.T, nodes int) {
	server := redisserver.Start(t)
	w := New(Options{Client: connect(t, server.URI), Seed: 1, Users: 100, Rate: 2000, Nodes: nodes})
	w.Start(t.Context())
	more := func() {
		for from, deadline := w.Written(), time.Now().Add(30*time.Second); w.Written() < from+200; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("nothing is written")
			}
		}
	}
	more()
	server.Restart()
	more()
	server.Kill()
	written, _ := w.Stop()
	if again, _ := w.Stop(); again != written || written < 400 {
		t.Errorf("%d writes, then %d", written, again)
	}
}

// TestLagIsTheTimeUntilTheMirrorHasAWrite has the Redis itself as the mirror, and one that shows what was written before.
func TestLagIsTheTimeUntilTheMirrorHasAWrite(t *testing.T) {
	t.Parallel()
	client := connect(t, redisserver.Start(t).URI)
	user := UserID(1)
	see := func(ctx context.Context) (string, error) {
		text, err := client.HGet(ctx, "lanyard_kv:"+user, LagField).Result()
		if err == goredis.Nil {
			return "", nil
		}
		return text, err
	}
	ctx, stop := context.WithCancel(t.Context())
	seen := 0
	l := &Lag{Client: client, User: user, Every: time.Millisecond, See: func(ctx context.Context) (string, error) {
		if seen++; seen == 50 {
			stop()
		}
		return see(ctx)
	}}
	if err := l.Run(ctx, time.Minute); err != nil || len(l.times) == 0 || l.At(50) > l.At(100) {
		t.Errorf("%v, %s", err, l)
	}
	stopped, stop := context.WithCancel(t.Context())
	late := &Lag{Client: client, User: user, See: func(context.Context) (string, error) { stop(); return "0", nil }}
	if err := late.Run(stopped, 10*time.Millisecond); err == nil {
		t.Error("a mirror that has nothing has no lag")
	}
}
