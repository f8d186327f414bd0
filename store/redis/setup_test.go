package redis_test

import (
	"context"
	"flag"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestMain leaves alone what go-redis has look for a server that is away: it ends within a second after its client is closed.
func TestMain(m *testing.M) {
	// A law takes a few round trips a try; a longer run asks for more with -rapid.checks.
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("20"); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"))
}

// now is when the tests take place.
var now = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// alice, bob and carol are real-looking users; their accounts are from 2015 to 2018.
const (
	alice = "94490510688792576"
	bob   = "268473310986240001"
	carol = "456226577798135808"
)

func client(t testing.TB, uri string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// fill sends commands, each a command line split at spaces by the caller.
func fill(t testing.TB, c goredis.UniversalClient, commands ...[]any) {
	t.Helper()
	pipe := c.Pipeline()
	for _, cmd := range commands {
		pipe.Do(context.Background(), cmd...)
	}
	if _, err := pipe.Exec(context.Background()); err != nil {
		t.Fatalf("fill redis: %v", err)
	}
}

func open(t testing.TB, o redis.Options) *redis.Store {
	t.Helper()
	if o.RetryFor == 0 {
		o.RetryFor = 30 * time.Second
	}
	s, err := redis.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// reading is all that a source delivers.
type reading struct {
	items []record.Item
	seen  record.KeyCounts
	pages int
}

func (r *reading) take(p record.Page) error {
	r.items = append(r.items, p.Items...)
	r.seen.Add(p.Seen)
	r.pages++
	return nil
}

func readAll(t testing.TB, src record.Source) reading {
	t.Helper()
	ctx := context.Background()
	var r reading
	parts, err := src.Parts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if err := p.Read(ctx, "", r.take); err != nil {
			t.Fatalf("read part %s: %v", p.Name(), err)
		}
	}
	if err := src.Deferred(ctx, r.take); err != nil {
		t.Fatalf("rest: %v", err)
	}
	return r
}

// load starts a server, fills it and reads it as o says.
func load(t testing.TB, o redis.SourceOptions, commands ...[]any) reading {
	t.Helper()
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), commands...)
	if o.Now.IsZero() {
		o.Now = now
	}
	return readAll(t, open(t, redis.Options{URI: srv.URI}).Source(o))
}

func cmd(words ...any) []any { return words }
