package record

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A call that meets an unavailable server is made again this often, waiting twice as long each time up to maxBackoff, but
// not when it has failed for giveUpAfter: a replica set elects a primary in some twelve seconds.
const (
	maxAttempts = 9
	maxBackoff  = 5 * time.Second
	giveUpAfter = 45 * time.Second
)

// Retry makes calls again where the target was unavailable. Only one layer of an engine does.
type Retry struct {
	Backoff time.Duration // the first wait
	Notify  func(message string)
}

// Do makes the call, again and again while it fails with [ErrUnavailable], and returns its last error. Once ctx is
// cancelled, or what [Drain] made it of, it waits no more.
func (r Retry) Do(ctx context.Context, call func() error) error {
	wait := r.Backoff
	var failing time.Time // since when
	for attempt := 1; ; attempt++ {
		err := call()
		if failing.IsZero() {
			failing = time.Now()
		}
		if err == nil || attempt == maxAttempts || time.Since(failing) > giveUpAfter || !errors.Is(err, ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		select {
		case <-interrupted(ctx):
			return err
		default:
		}
		r.Notify(fmt.Sprintf("the target is unavailable (%v); trying again in %s (%d of %d)", err, wait, attempt, maxAttempts-1))
		select {
		case <-interrupted(ctx):
			return err
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
}

// Claim calls take to take something over from its owner for self, as [Retry.Do] does, and reports whether self has it.
// A call whose answer alone was lost has made self the owner, so a later one that is refused is made once more from self.
func (r Retry) Claim(ctx context.Context, from, self Owner, take func(from Owner) (bool, error)) (won bool, err error) {
	again := false
	err = r.Do(ctx, func() error {
		if won, err = take(from); err == nil && !won && again {
			won, err = take(self)
		}
		again = true
		return err
	})
	return won, err
}

// DrainTime is how long what is under way when a run is interrupted has to come to its end, unless told otherwise.
const DrainTime = 25 * time.Second

// Drain returns a context for work that an interruption of ctx shall not cut in two: it ends only when grace has passed
// since then, with the cause of ctx. The caller cancels it when the work is done.
func Drain(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	draining, cancel := context.WithCancelCause(context.WithValue(context.WithoutCancel(ctx), stopKey{}, ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-draining.Done():
		case <-time.After(grace):
			cancel(context.Cause(ctx))
		}
	})
	return draining, func() {
		stop()
		cancel(nil)
	}
}

type stopKey struct{}

// interrupted returns a channel that is closed once no work should be begun under ctx any more.
func interrupted(ctx context.Context) <-chan struct{} {
	if stop, ok := ctx.Value(stopKey{}).(context.Context); ok {
		return stop.Done()
	}
	return ctx.Done()
}
