package redis_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// during reads a source's only part and calls act once, after the third page.
func during(t *testing.T, ctx context.Context, src record.Source, act func()) (reading, error) {
	t.Helper()
	parts, err := src.Parts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var r reading
	err = parts[0].Read(ctx, "", func(p record.Page) error {
		_ = r.take(p)
		if r.pages == 3 {
			act()
		}
		return nil
	})
	if err != nil {
		return r, err
	}
	return r, src.Deferred(ctx, r.take)
}

func TestACutConnectionLosesNothing(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	o := redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}
	want := shown(readAll(t, open(t, redis.Options{URI: srv.URI}).Source(o)).items)

	p := redisproxy.Start(t, srv.Addr, redisproxy.Options{})
	s := open(t, redis.Options{URI: p.URI})
	r, err := during(t, context.Background(), s.Source(o), func() { p.CutNext(3) })
	if err != nil {
		t.Fatal(err)
	}
	if p.Cuts() != 3 {
		t.Fatalf("%d commands were cut", p.Cuts())
	}
	if diff := cmp.Diff(want, shown(r.items)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAConnectionThatStaysCutIsUnavailable(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	p := redisproxy.Start(t, srv.Addr, redisproxy.Options{})
	s := open(t, redis.Options{URI: p.URI, RetryFor: 5 * time.Second})
	src := s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25})
	_, err := during(t, context.Background(), src, func() { p.CutNext(1000) })
	if !errors.Is(err, record.ErrUnavailable) {
		t.Fatal(err)
	}
}

func TestAServerThatIsGoneIsUnavailable(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	s := open(t, redis.Options{URI: srv.URI, RetryFor: 5 * time.Second})
	src := s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25})
	_, err := during(t, context.Background(), src, srv.Kill)
	if !errors.Is(err, record.ErrUnavailable) || !strings.Contains(err.Error(), srv.Addr) {
		t.Fatal(err)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	src := open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25})
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	r, err := during(t, ctx, src, func() { cancel(why) })
	if !errors.Is(err, why) || errors.Is(err, record.ErrUnavailable) || r.pages != 3 {
		t.Fatalf("%d pages, error %v", r.pages, err)
	}
}

func TestTheReadersErrorComesBackAsItIs(t *testing.T) {
	srv := redisserver.Start(t)
	parts, err := open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{}).Parts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := parts[0].Read(context.Background(), "", func(record.Page) error { return errStop }); err != errStop {
		t.Fatal(err)
	}
}

func TestErrorsShowNoAPIKey(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	srv := redisserver.Start(t, "--rename-command", "GETRANGE", "")
	fill(t, client(t, srv.URI), cmd("SET", "api_key:"+secret, alice), cmd("SET", "user_api_key:"+alice, secret))
	limited := redisserver.Start(t)
	fill(t, client(t, limited.URI), cmd("SET", "api_key:"+secret, alice), cmd("SET", "user_api_key:"+alice, secret))
	limited.Do("ACL", "SETUSER", "reader", "on", ">"+password, "~lanyard*", "+@all")
	for _, uri := range []string{srv.URI, strings.Replace(limited.URI, "://", "://reader:"+password+"@", 1)} {
		src := open(t, redis.Options{URI: uri}).Source(redis.SourceOptions{Request: layout.Request{Now: now}})
		_, err := during(t, context.Background(), src, func() {})
		if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), password) {
			t.Errorf("%v", err)
		}
		t.Log(err)
	}
}

// An answer that comes among others of one round trip is that of its own command.
func TestARefusalAmongAnswers(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	o := redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}
	want := shown(readAll(t, open(t, redis.Options{URI: srv.URI}).Source(o)).items)
	for _, refusal := range []struct {
		text   string
		reason error // nil where it is tried again
	}{
		{"LOADING Redis is loading the dataset in memory", nil},
		{"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.", nil},
		{"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", nil},
		{"ERR max number of clients reached", nil},
		{"NOPERM No permissions to access a key", redis.ErrKeys},
		{"OOM command not allowed when used memory > 'maxmemory'.", redis.ErrMemory},
	} {
		for _, name := range []string{"SCAN", "INFO", "GETRANGE", "EXISTS", "HGETALL", "PTTL"} {
			for _, nth := range []int32{1, 7} {
				var opened atomic.Bool
				var asked atomic.Int32
				p := redisproxy.Start(t, srv.Addr, redisproxy.Options{Instead: func(c redisproxy.Command) string {
					if opened.Load() && c.Name == name && asked.Add(1) == nth {
						return "-" + refusal.text + "\r\n"
					}
					return ""
				}})
				s := open(t, redis.Options{URI: p.URI})
				opened.Store(true)
				r, err := during(t, t.Context(), s.Source(o), func() {})
				switch {
				case asked.Load() < nth: // the command is not sent as often
				case !errors.Is(err, refusal.reason):
					t.Errorf("%s, %s %d: %v", refusal.text, name, nth, err)
				case err == nil:
					if diff := cmp.Diff(want, shown(r.items)); diff != "" {
						t.Errorf("%s, %s %d: %s", refusal.text, name, nth, diff)
					}
				}
			}
		}
	}
}
