package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/retry"
)

// tellAfter is how long a read may go without an answer before somebody is told, and how often then.
const tellAfter = 20 * time.Second

// persist calls read until it succeeds, fails for good, or has failed for as long as the store tries: reads change
// nothing. The context of the calls ends then, too, so the time of the first call counts in full.
func (s *Store) persist(ctx context.Context, what string, read func(context.Context) error) error {
	defer context.AfterFunc(ctx, s.connections.cut)()
	wait := s.beginWait()
	defer wait.end()
	end := wait.begun.Add(s.retryFor)
	trying, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	var last error
	again := retry.Policy{For: s.retryFor, Temporary: temporary}
	err := again.Do(trying, func() error {
		err := s.afresh(trying, func() error { return read(trying) })
		if err != nil && !s.single {
			s.cluster().ReloadState(trying) // else go-redis asks a server that is away until it looks by itself
		}
		if last == nil || time.Now().Before(end) { // what a call says that is cut off tells less
			last = err
			wait.failed(err)
		}
		return err
	})
	if err == nil {
		return nil
	}
	return s.failed(ctx, what, last)
}

// afresh makes the call again at once where it meets a connection that was cut: others like it may wait in the pool.
func (s *Store) afresh(ctx context.Context, call func() error) error {
	err := call()
	for n := poolSize(s.reads); n > 0 && errors.Is(err, net.ErrClosed) && ctx.Err() == nil; n-- {
		err = call()
	}
	return err
}

// failed returns the error of a call that was tried for as long as it may be, or that fails for good.
func (s *Store) failed(ctx context.Context, what string, err error) error {
	switch {
	case ctx.Err() != nil:
		return &callError{what: what, cause: context.Cause(ctx)}
	case temporary(err):
		if s.single && !strings.HasSuffix(what, s.current()[0].addr) {
			what += " " + s.current()[0].addr
		}
		return &callError{what: what, cause: err, givenUp: s.retryFor}
	}
	return &callError{what: what, cause: err}
}

// wait is a read that has no answer yet. Somebody is told where that takes long.
type wait struct {
	store *Store
	begun time.Time
	every time.Duration

	mu    sync.Mutex
	timer *time.Timer
	ended bool
	last  error // of the calls so far
}

func (s *Store) beginWait() *wait {
	w := &wait{store: s, begun: time.Now(), every: min(tellAfter, s.retryFor/2)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.every, w.tell)
	return w
}

func (w *wait) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = err
}

func (w *wait) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.timer.Stop()
}

// name names the store for people. Which server of a Cluster does not answer shows in the error, if any.
func (s *Store) name() string {
	if s.single {
		return "Redis " + s.current()[0].addr
	}
	return "a server of the Redis Cluster at " + s.addr
}

func (w *wait) tell() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	w.timer.Reset(w.every)
	// Several readers may wait for one server.
	now := time.Now().UnixNano()
	told := w.store.told.Load()
	if now-told < int64(w.every/2) || !w.store.told.CompareAndSwap(told, now) {
		return
	}
	since := time.Since(w.begun)
	left := w.store.retryFor - since
	if left < w.every/2 {
		return
	}
	why := ""
	if w.last != nil {
		why = " (" + plain(w.last) + ")"
	}
	w.store.notify(fmt.Sprintf("%s has not answered for %s%s: waiting for another %s",
		w.store.name(), since.Round(time.Second), why, left.Round(time.Second)))
}

// pipeline sends what fill queues in one round trip and returns once every command has its answer. Answers that
// concern one key alone are left to the caller: no such key, a wrong type, and a refused MEMORY USAGE. fill may be
// called again.
func (s *Store) pipeline(ctx context.Context, what string, fill func(context.Context, goredis.Pipeliner)) error {
	return s.persist(ctx, what, func(ctx context.Context) error {
		pipe := s.reads.Pipeline()
		fill(ctx, pipe)
		if pipe.Len() == 0 {
			return nil
		}
		return exec(ctx, pipe)
	})
}

// exec sends the pipeline and returns what keeps the answers of all its commands from being of use.
func exec(ctx context.Context, pipe goredis.Pipeliner) error {
	cmds, err := pipe.Exec(ctx)
	if err == nil {
		return nil
	}
	answered := false
	for _, cmd := range cmds {
		err := cmd.Err()
		switch {
		case err == nil, errors.Is(err, goredis.Nil), isWrongType(err), cmd.Name() == "memory" && isRefused(err):
			answered = true
		default:
			return err
		}
	}
	if !answered {
		return err
	}
	return nil
}
