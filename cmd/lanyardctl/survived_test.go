package main

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
)

// trouble is what a run has to survive. It goes on for about so long, where it takes time.
type trouble struct {
	name    string
	dribble bool
	hold    time.Duration // by which each scan is slower, where not by a part of what is long

	// at is called before each scan, of which that number has passed, and begins what ends by itself.
	at func(t *testing.T, s *movedSource, p *redisproxy.Proxy, scans int, long time.Duration)
	// beside goes on during the whole run, which takes long.
	beside func(ctx context.Context, t *testing.T, s *movedSource)
}

const live = "a live Lanyard"

func troubles(keys int) []trouble {
	return []trouble{
		{name: "SIGSTOP", at: func(t *testing.T, s *movedSource, _ *redisproxy.Proxy, scans int, long time.Duration) {
			if scans == 2 {
				s.server.Pause()
				time.AfterFunc(long, s.server.Resume)
			}
		}},
		{name: "CLIENT PAUSE", at: func(t *testing.T, s *movedSource, _ *redisproxy.Proxy, scans int, long time.Duration) {
			if scans == 2 {
				s.do(t, "CLIENT", "PAUSE", long.Milliseconds(), "ALL")
			}
		}},
		{name: "silence", at: func(t *testing.T, _ *movedSource, p *redisproxy.Proxy, scans int, long time.Duration) {
			if scans == 2 {
				p.Silence(true)
				time.AfterFunc(long, func() { p.Silence(false) })
			}
		}},
		{name: "CLIENT KILL every 300 ms", hold: 150 * time.Millisecond, beside: func(ctx context.Context, t *testing.T, s *movedSource) {
			for tick := time.Tick(300 * time.Millisecond); ; {
				select {
				case <-ctx.Done():
					return
				case <-tick:
					s.do(t, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
				}
			}
		}},
		{name: "resets", at: func(_ *testing.T, _ *movedSource, p *redisproxy.Proxy, scans int, _ time.Duration) {
			if scans%2 == 0 { // the next one is tried again
				p.CutAll()
			}
		}},
		{name: "one byte at a time", dribble: true},
		{name: fmt.Sprintf("%d keys added", keys), at: func(t *testing.T, s *movedSource, _ *redisproxy.Proxy, scans int, _ time.Duration) {
			if scans != 2 {
				return
			}
			ctx := context.Background()
			for from := 0; from < keys; from += 10_000 {
				_, err := s.admin.Pipelined(ctx, func(p goredis.Pipeliner) error {
					for i := from; i < min(from+10_000, keys); i++ {
						p.Set(ctx, fmt.Sprint("presence:added:", i), "x", 0)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		}},
		{name: live, beside: liveLanyard},
	}
}

// liveLanyard writes or deletes 2,000 keys a second of users beside those that stay. It deletes one time in five: however
// long a run takes, the keys that are gone at its end are far from the half that is an error.
func liveLanyard(ctx context.Context, t *testing.T, s *movedSource) {
	const users, each = 3000, 20
	var done atomic.Int64
	begun := time.Now()
	for tick := time.Tick(time.Second * each / 2000); ; {
		select {
		case <-ctx.Done():
			t.Logf("%d keys in %s", done.Load(), time.Since(begun).Round(time.Second))
			return
		case <-tick:
		}
		pipe := s.admin.Pipeline()
		for range each {
			user := fmt.Sprint(1100000000000000000 + rand.IntN(users))
			key := []string{"lanyard_kv:", "lanyard_last_seen:"}[rand.IntN(2)] + user
			switch {
			case rand.IntN(5) == 0:
				pipe.Del(ctx, key)
			case key[len("lanyard_")] == 'k':
				pipe.HSet(ctx, key, "n", rand.IntN(1000))
			default:
				pipe.Set(ctx, key, time.Now().UnixMilli(), 0)
			}
			done.Add(1)
		}
		if _, err := pipe.Exec(ctx); err != nil && ctx.Err() == nil {
			t.Errorf("live: %v", err)
		}
	}
}

// TestWhatIsNoLossIsSurvived migrates while Redis is troubled, and finds all that stayed. LANYARDCTL_TEST_SECONDS is how
// long a trouble lasts, LANYARDCTL_TEST_KEYS how many keys come.
func TestWhatIsNoLossIsSurvived(t *testing.T) {
	t.Parallel()
	long := time.Duration(numberFrom(t, "LANYARDCTL_TEST_SECONDS", 3)) * time.Second
	server := mongoserver.Start(t)
	calm := newMovedSource(t, false)
	whole := server.Database(t)
	if code, _, all := runCommand(t, whole, "migrate", "redis-to-mongo", "--redis", calm.server.URI); code != exit.Done {
		t.Fatalf("exit %d\n%s", code, all)
	}
	want := documentsOf(t, whole.Connect(t))
	for _, trouble := range troubles(numberFrom(t, "LANYARDCTL_TEST_KEYS", 20_000)) {
		t.Run(trouble.name, func(t *testing.T) {
			t.Parallel()
			s, target := newMovedSource(t, false), server.Database(t)
			ctx, stop := context.WithCancel(context.Background())
			var beside sync.WaitGroup
			scanning := make(chan struct{})
			if trouble.beside != nil {
				settled, settle := context.WithTimeout(ctx, time.Second)
				if trouble.name == live {
					trouble.beside(settled, t, s) // until there is something to delete
				}
				settle()
				beside.Go(func() {
					select { // opening is not tried again
					case <-scanning:
						trouble.beside(ctx, t, s)
					case <-ctx.Done():
					}
				})
			}
			var scans scansOfRun
			var proxy *redisproxy.Proxy
			ready := make(chan struct{})
			proxy = redisproxy.Start(t, s.server.Addr, redisproxy.Options{Dribble: trouble.dribble, Hook: func(c redisproxy.Command) func() {
				n := scans.count(c)
				if n == 0 {
					return nil
				}
				<-ready
				if n == 1 {
					close(scanning)
				}
				if trouble.at != nil {
					trouble.at(t, s, proxy, n+1, long)
				}
				if trouble.beside != nil {
					return func() { time.Sleep(cmp.Or(trouble.hold, long/6)) }
				}
				return nil
			}})
			close(ready)
			begun := time.Now()
			code, first, all := runCommand(t, target, "migrate", "redis-to-mongo", "--redis", proxy.URI, "--verbose")
			took := time.Since(begun).Round(100 * time.Millisecond)
			stop()
			beside.Wait()
			have := make(map[string]bool)
			for _, doc := range documentsOf(t, target.Connect(t)) {
				have[doc] = true
			}
			missing := 0
			for _, doc := range want {
				if !have[doc] {
					missing++
				}
			}
			t.Logf("%-26s %d  %s  %d of %d documents, in %s", trouble.name, code, first, len(want)-missing, len(want), took)
			if code != exit.Done || missing > 0 {
				t.Errorf("%d documents are missing\n%s", missing, all)
			}
		})
	}
}
