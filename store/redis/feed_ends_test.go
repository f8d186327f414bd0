package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

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
			}, "it has not answered for 1s"},
			"it becomes a replica": {func(_ *testing.T, srv *redisserver.Server) { srv.Do("REPLICAOF", "127.0.0.1", 1) }, "it became a replica of 127.0.0.1:1"},
		} {
			t.Run(string(way)+"/"+name, func(t *testing.T) {
				t.Parallel()
				srv := redisserver.Start(t, "--notify-keyspace-events", "KA")
				f := follow(t, open(t, redis.Options{URI: srv.URI + "?read_timeout=1s"}), redis.FeedOptions{Way: way})
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
