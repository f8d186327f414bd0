// Package lease lets one process at a time do what a lease in the target is named after. The process that has it
// shows every [HeartbeatEvery] that it lives; another takes over where the first gives no sign of life any more. A
// process that was suspended may so lose its lease, and its context then ends.
package lease

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// ErrLost is the cause of the context of a lease that another process took over.
var ErrLost = errors.New("another process took over, because this one did not report for too long")

// BusyError tells that another process has the lease.
type BusyError struct{ Lease record.Lease }

// Error says what that process is at, and on which host.
func (e *BusyError) Error() string {
	return "another process is at work: " + e.Lease.Doing + " on " + e.Lease.Owner.Host
}

// DefaultWatch is how long another process is watched, unless told otherwise, before it counts as dead.
const DefaultWatch = 2*HeartbeatEvery + time.Second

// Options say how a lease is taken.
type Options struct {
	// Retry is for the calls that take the lease and give it back. Heartbeats come again by themselves.
	Retry retry.Policy

	// Watch is how long another process that may be dead is watched for signs of life; [DefaultWatch] where zero.
	Watch time.Duration

	// Notify is told, in words for people, that another process is watched. It is not nil.
	Notify func(message string)

	// Doing says with each sign of life what the process is at; what it was at first where nil.
	Doing func() string
}

// Held is a lease that this process has and keeps alive.
type Held struct {
	Lease record.Lease

	// From is the owner, dead now, that it was taken over from; zero where nobody had it.
	From record.Owner

	store record.Leases
	again retry.Policy
	stop  func()
}

// Take takes the lease of the name, also from a process that lives no more. The returned context ends when the lease
// is lost, with the cause [ErrLost]; the caller calls Release once, when the work is done. Where another process has
// the lease, the error is a [*BusyError].
func Take(ctx context.Context, store record.Leases, name, doing string, o Options) (context.Context, *Held, error) {
	h := &Held{Lease: record.Lease{Name: name, Owner: Self(), Doing: doing}, store: store, again: o.Retry}
	was, found, err := h.look(ctx)
	if err != nil {
		return ctx, nil, err
	}
	if found {
		alive, err := h.lives(ctx, was, o)
		if err != nil {
			return ctx, nil, err
		}
		if alive {
			return ctx, nil, &BusyError{was}
		}
	}
	h.From, h.Lease.Heartbeat = was.Owner, time.Now()
	won, err := TakeOver(ctx, h.again, was.Owner, h.Lease.Owner, func(from record.Owner) (bool, error) {
		return store.TakeLease(ctx, h.Lease, from)
	})
	if err != nil {
		return ctx, nil, err
	}
	if !won {
		// Somebody was faster.
		if now, found, err := h.look(ctx); err == nil && found {
			was = now
		}
		return ctx, nil, &BusyError{was}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.beat(ctx, cancel, o.Doing)
	}()
	h.stop = func() {
		cancel(nil)
		<-done
	}
	return ctx, h, nil
}

// look returns who has the lease now.
func (h *Held) look(ctx context.Context) (l record.Lease, found bool, err error) {
	err = h.again.Do(ctx, func() error {
		l, found, err = h.store.Lease(ctx, h.Lease.Name)
		return err
	})
	return l, found, err
}

// lives reports whether the owner of a lease still runs. The clocks of two hosts may differ, and a process of the
// same number may be in another container, so an owner is dead only where it shows nothing for a while. By then the
// target has also done with what the dead one had asked for last.
func (h *Held) lives(ctx context.Context, l record.Lease, o Options) (bool, error) {
	if self := h.Lease.Owner; l.Owner.Host == self.Host && Alive(l.Owner, l.Heartbeat, self, time.Now()) {
		return true, nil
	}
	watch := cmp.Or(max(o.Watch, 0), DefaultWatch)
	o.Notify(fmt.Sprintf("%s (host %s, process %d) did not end: watching for %s whether it is still at work", l.Doing, l.Owner.Host, l.Owner.PID, watch))
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(watch):
	}
	now, found, err := h.look(ctx)
	return found && !now.Heartbeat.Equal(l.Heartbeat), err
}

// beat shows that the owner lives until ctx ends, which it ends itself where another process has the lease.
func (h *Held) beat(ctx context.Context, cancel context.CancelCauseFunc, doing func() string) {
	tick := time.NewTicker(HeartbeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l := h.Lease
		l.Heartbeat = time.Now()
		if doing != nil {
			l.Doing = doing()
		}
		// A target that is away for a moment is the business of those who work on it.
		if kept, err := h.store.KeepLease(ctx, l); err == nil && !kept {
			cancel(ErrLost)
			return
		}
	}
}

// Lost reports whether another process has had the lease since it was taken, as far as the target can be asked.
func (h *Held) Lost(ctx context.Context) bool {
	kept, err := h.store.KeepLease(ctx, h.Lease)
	return !kept && err == nil
}

// Release ends the context and the heartbeats, and gives the lease back. Where that fails, the next process finds the
// lease without a sign of life.
func (h *Held) Release(ctx context.Context) error {
	h.stop()
	return h.again.Do(ctx, func() error { return h.store.EndLease(ctx, h.Lease.Name, h.Lease.Owner) })
}
