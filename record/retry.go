package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// RetryFor is how long a server that is unavailable is tried again, unless told otherwise: a replica set elects a primary
// in some twelve seconds, and a machine that was stopped comes back within a minute.
const RetryFor = 2 * time.Minute

// maxBackoff bounds the wait between two calls, which doubles each time.
const maxBackoff = 5 * time.Second

// Retry makes calls again where the target was unavailable. Only one layer of an engine does.
type Retry struct {
	Backoff time.Duration // the first wait
	For     time.Duration // how long; [RetryFor] where zero
	Notify  func(message string)
}

// Do makes the call, again and again while it fails with [ErrUnavailable] and not with [ErrGivenUp], and returns its last
// error. The time that the first failing call took counts, since the server may have been silent, but only up to half of
// what there is: the call may also have worked for long. Once ctx is cancelled, or what [Drain] made it of, it waits no more.
func (r Retry) Do(ctx context.Context, call func() error) error {
	wait := r.Backoff
	most := cmp.Or(r.For, RetryFor)
	var failing time.Time // since when
	for {
		begun := time.Now()
		err := call()
		if failing.IsZero() {
			failing = begun.Add(max(0, time.Since(begun)-most/2))
		}
		left := most - time.Since(failing)
		if err == nil || left < wait || !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrGivenUp) || ctx.Err() != nil {
			return err
		}
		select {
		case <-interrupted(ctx):
			return err
		default:
		}
		r.Notify(fmt.Sprintf("the target is unavailable (%v); trying again in %s, for another %s", err, wait, left.Round(time.Second)))
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

// A run that is interrupted ends within the sum of these, whatever a server does: what is under way has DrainTime to come to
// its end, then what tells of it has SaveTime to be saved, and what is open CloseTime to be closed.
const (
	DrainTime = 3 * time.Second
	SaveTime  = 500 * time.Millisecond
	CloseTime = 500 * time.Millisecond
)

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
