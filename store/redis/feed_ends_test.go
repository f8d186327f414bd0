package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// What ends a feed: whatever lets changes be missed.

func TestALostConnectionEndsAFeed(t *testing.T) {
	t.Parallel()
	for _, way := range []record.FeedWay{record.Tracking, record.Notifications} {
		for name, tc := range map[string]struct {
			act func(t *testing.T, srv *redisserver.Server)
			why string
		}{
			"CLIENT KILL": {func(_ *testing.T, srv *redisserver.Server) { srv.Do("CLIENT", "KILL", "TYPE", "pubsub") }, "the connection was closed"},
			"a restart":   {func(_ *testing.T, srv *redisserver.Server) { srv.Restart() }, "the connection was closed"},
			"a kill":      {func(_ *testing.T, srv *redisserver.Server) { srv.Kill() }, "the connection was closed"},
			"its output buffer is full": {func(_ *testing.T, srv *redisserver.Server) {
				srv.Do("CONFIG", "SET", "client-output-buffer-limit", "pubsub 100k 100k 1")
				srv.Do("EVAL", "for i = 1, 20000 do redis.call('SET', 'lanyard_last_seen:'..i, i) end return 1", 0)
			}, "the connection was closed"},
			"it stands still": {func(t *testing.T, srv *redisserver.Server) {
				t.Cleanup(srv.Resume)
				srv.Pause()
			}, "it has not answered for 4s"},
			"it becomes a replica": {func(_ *testing.T, srv *redisserver.Server) { srv.Do("REPLICAOF", "127.0.0.1", 1) }, "it became a replica of 127.0.0.1:1"},
		} {
			t.Run(string(way)+"/"+name, func(t *testing.T) {
				t.Parallel()
				srv := redisserver.Start(t, "--notify-keyspace-events", "KA")
				uri := srv.URI
				if strings.Contains(tc.why, "4s") {
					uri += "?read_timeout=4s"
				}
				f := follow(t, open(t, redis.Options{URI: uri}), redis.FeedOptions{Way: way})
				f.barrier(t)
				tc.act(t, srv)
				f.ends(t, tc.why)
				if text := f.err.Error(); !strings.Contains(text, srv.Addr) {
					t.Errorf("%s does not name the server", text)
				}
			})
		}
	}
}

func TestAFeedEndsWithItsContextAndByClose(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	s := open(t, redis.Options{URI: srv.URI})
	for _, way := range []record.FeedWay{record.Tracking, record.Polling} {
		feed, err := s.Feed(context.Background(), redis.FeedOptions{Way: way})
		if err != nil {
			t.Fatal(err)
		}
		why := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(50*time.Millisecond, func() { cancel(why) })
		if err := feed.Follow(ctx, &follower{}); !errors.Is(err, why) {
			t.Errorf("%s: %v", way, err)
		}
		if err := feed.Close(); err != nil {
			t.Error(err)
		}
		f := follow(t, s, redis.FeedOptions{Way: way})
		f.barrier(t)
		if err := errors.Join(f.feed.Close(), f.feed.Close()); err != nil {
			t.Error(err)
		}
		if err := f.end(t, busy); err == nil {
			t.Errorf("%s: no error", way)
		}
	}
	connected := func() bool { return strings.Contains(fmt.Sprint(srv.Do("CLIENT", "LIST")), "flags=P") }
	waitUntil(t, "no feed is connected any more", func() bool { return !connected() })
	follow(t, s, redis.FeedOptions{})
	if !connected() {
		t.Error("a server that tracks does not limit what it keeps for the reader")
	}
}

// TestAReadThatIsGivenUpLeavesAFeedAlone cancels one, which cuts the connections of reads.
func TestAReadThatIsGivenUpLeavesAFeedAlone(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	s := open(t, redis.Options{URI: srv.URI})
	f := follow(t, s, redis.FeedOptions{})
	f.barrier(t)
	ctx, cancel := context.WithCancel(context.Background())
	srv.Pause()
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := s.APIKeyOwners(ctx, []string{"a"})
	srv.Resume()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the read ended with %v", err)
	}
	f.barrier(t)
}

func TestAClusterIsFollowedUntilAnotherServerHasItsSlots(t *testing.T) {
	t.Parallel()
	quick := []string{"--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0", "--notify-keyspace-events", "KA"}
	c := redisserver.StartCluster(t, 3, quick...)
	all := c.Client(t)
	fill(t, all, mixed(60)...)
	both := func() (list []*follower) {
		for _, way := range []record.FeedWay{record.Tracking, record.Notifications} {
			list = append(list, follow(t, open(t, redis.Options{URI: c.URI}), redis.FeedOptions{Way: way}))
		}
		return list
	}
	list := both()
	var want []string
	for i := range 100 { // they are on each of the masters
		fill(t, all, cmd("SET", fmt.Sprint("lanyard_last_seen:", 1000+i), 1))
		want = append(want, fmt.Sprint("last_seen ", 1000+i))
	}
	for _, f := range list {
		if d := diff.Diff(want, f.told(t)); d != "" {
			t.Errorf("-want +told:\n%s", d)
		}
	}
	for _, m := range c.Masters {
		m.Do("FLUSHALL")
		for _, f := range list {
			if got := fmt.Sprint(f.told(t)); !strings.Contains(got, "everything: ran FLUSH") {
				t.Errorf("told %s", got)
			}
		}
	}

	// Keys that a slot takes with it are told of, and what happens to them there. The feed ends when it has arrived.
	fill(t, all, mixed(60)...)
	slot := slotsOf(t, c.Masters[0], 1)[0]
	c.BeginMove(slot, c.Masters[0], c.Masters[1], -1)
	for _, f := range list {
		if got := f.told(t); len(got) == 0 {
			t.Error("what moved is not told of")
		}
	}
	c.EndMove(slot, c.Masters[0], c.Masters[1])
	for _, f := range list {
		f.ends(t, "slots of the Cluster moved")
	}

	// A master that is followed from now on, with another's slot, is another's.
	list = both()
	more := redisserver.Start(t, append([]string{"--cluster-enabled", "yes"}, quick...)...)
	c.Join(more)
	slot = slotsOf(t, c.Masters[2], 1)[0]
	c.BeginMove(slot, c.Masters[2], more, -1)
	c.EndMove(slot, c.Masters[2], more)
	for _, f := range list {
		f.ends(t, "slots of")
	}

	replica := c.AddReplica(t, c.Masters[0], quick...)
	list = both()
	replica.Do("CLUSTER", "FAILOVER", "TAKEOVER")
	for _, f := range list {
		f.ends(t, "")
	}
	waitUntil(t, "the old master follows", func() bool {
		return strings.Contains(fmt.Sprint(c.Masters[0].Do("INFO", "replication")), "master_link_status:up")
	})
	list = both()
	replica.Kill()
	for _, f := range list {
		f.ends(t, "the connection was closed")
	}
}

func TestAFeedEndsWhereSentinelsNameAnotherMaster(t *testing.T) {
	t.Parallel()
	master := redisserver.Start(t)
	host, port, _ := strings.Cut(master.Addr, ":")
	replica := redisserver.Start(t, "--replicaof", host+" "+port, "--repl-diskless-sync-delay", "0")
	sentinel := redisserver.StartSentinel(t, "main", master)
	(&scene{source: replica, admin: client(t, replica.URI), master: master}).inStep(t)
	waitUntil(t, "the Sentinel knows the replica", func() bool {
		return strings.Contains(fmt.Sprint(sentinel.Do("SENTINEL", "REPLICAS", "main")), replica.Addr)
	})
	uri := sentinel.URI + "?master_name=main"
	f := follow(t, open(t, redis.Options{URI: uri}), redis.FeedOptions{})
	fill(t, client(t, master.URI), cmd("HSET", "lanyard_kv:"+alice, "a", 1))
	if got := f.told(t); len(got) != 1 {
		t.Errorf("told %q", got)
	}
	waitUntil(t, "a failover begins", func() bool {
		return client(t, sentinel.URI).Do(context.Background(), "SENTINEL", "FAILOVER", "main").Err() == nil
	})
	f.ends(t, "")
	t.Log(f.err)
	f = follow(t, open(t, redis.Options{URI: uri}), redis.FeedOptions{})
	fill(t, client(t, replica.URI), cmd("HSET", "lanyard_kv:"+alice, "a", 2))
	if got := f.told(t); len(got) != 1 {
		t.Errorf("told %q", got)
	}
	replica.Kill()
	f.ends(t, "the connection was closed")
}

func TestAReplicaThatIsReadIsFollowed(t *testing.T) {
	t.Parallel()
	s := replicaOf(t)
	s.fill(t)
	f := follow(t, open(t, redis.Options{URI: s.source.URI}), redis.FeedOptions{})
	write := client(t, s.master.URI)
	fill(t, write, cmd("HSET", "lanyard_kv:"+alice, "a", 1), cmd("FLUSHDB"))
	s.inStep(t)
	if got := f.told(t); len(got) != 2 {
		t.Errorf("told %q", got)
	}
	s.do(t, "REPLICAOF", "NO", "ONE")
	f.ends(t, "it was made a master")
}

func TestReplicasOfAClusterAreFollowed(t *testing.T) {
	t.Parallel()
	c := redisserver.StartCluster(t, 1)
	replica := c.AddReplica(t, c.Masters[0], "--repl-diskless-sync-delay", "0")
	f := follow(t, open(t, redis.Options{URI: c.Masters[0].URI, Replica: true}), redis.FeedOptions{})
	fill(t, c.Client(t), cmd("HSET", "lanyard_kv:"+alice, "a", 1))
	at := client(t, replica.URI)
	waitUntil(t, "the replica is in step", func() bool { return at.DBSize(context.Background()).Val() == 1 })
	if d := diff.Diff([]string{"kv " + alice}, f.told(t)); d != "" {
		t.Errorf("-want +told:\n%s", d)
	}
	if !strings.Contains(fmt.Sprint(replica.Do("CLIENT", "LIST")), "flags=P") {
		t.Error("the replica is not asked")
	}
	replica.Kill()
	f.ends(t, "the connection was closed")
}
