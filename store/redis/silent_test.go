package redis_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// busy is much longer than what a test waits for, on a machine with other things to do.
const busy = time.Minute

func TestASilentServerIsToldOfAndGivenUp(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	var mu sync.Mutex
	var told []string
	s := open(t, redis.Options{URI: srv.URI, RetryFor: 6 * time.Second, Notify: func(message string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, message)
	}})
	t.Cleanup(srv.Resume)
	var silent time.Time
	_, err := during(t, context.Background(), s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}), func() {
		silent = time.Now()
		srv.Pause()
	})
	if !errors.Is(err, record.ErrUnavailable) || !errors.Is(err, record.ErrGivenUp) || !strings.Contains(err.Error(), "tried again for 6s") {
		t.Errorf("error %v", err)
	}
	if took := time.Since(silent); took < 5*time.Second || took > busy {
		t.Errorf("given up after %s", took)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) == 0 || !strings.HasPrefix(told[0], "Redis "+srv.Addr+" has not answered for ") {
		t.Errorf("told %q", told)
	}
}

func TestAServerThatComesBackInTimeIsReadOn(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	o := redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}
	want := readAll(t, open(t, redis.Options{URI: srv.URI}).Source(o))
	got, err := during(t, context.Background(), open(t, redis.Options{URI: srv.URI, RetryFor: time.Minute}).Source(o), func() {
		srv.Pause()
		time.AfterFunc(2*time.Second, srv.Resume)
	})
	if err != nil || len(got.items) != len(want.items) {
		t.Errorf("%d items in place of %d, %v", len(got.items), len(want.items), err)
	}
}

func TestAnInterruptionEndsTheWaitForASilentServer(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	s := open(t, redis.Options{URI: srv.URI, RetryFor: time.Hour})
	t.Cleanup(srv.Resume)
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	var interrupted time.Time
	_, err := during(t, ctx, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}), func() {
		srv.Pause()
		time.AfterFunc(300*time.Millisecond, func() {
			interrupted = time.Now()
			cancel(why)
		})
	})
	if took := time.Since(interrupted); !errors.Is(err, why) || took > busy {
		t.Errorf("%v after %s", err, took)
	}
}

func TestAnInterruptionEndsOpening(t *testing.T) {
	why := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	time.AfterFunc(300*time.Millisecond, func() { cancel(why) })
	began := time.Now()
	_, err := redis.Open(ctx, redis.Options{URI: "redis://" + silent(t), Timeout: time.Hour})
	if took := time.Since(began); !errors.Is(err, why) || took > busy {
		t.Errorf("%v after %s", err, took)
	}
}
