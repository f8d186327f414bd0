package retry

import (
	"context"
	"time"
)

// A run that is interrupted ends within the sum of these, whatever a server does: what is under way has DrainTime to
// come to its end, then what tells of it has SaveTime to be saved, and what is open CloseTime to be closed.
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
