package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// holding is a lease that is kept alive.
type holding struct {
	journal record.Journal
	lease   record.Lease
	stop    func()
}

// endTimeout bounds what is written after an interruption.
const endTimeout = 10 * time.Second

// hold takes the lease, also from a process that lives no more, whose owner it returns then. The returned context ends
// when the lease is lost.
func hold(ctx context.Context, journal record.Journal, doing string) (context.Context, *holding, record.Owner, error) {
	h := &holding{journal: journal, lease: record.Lease{Owner: record.NewOwner(), Heartbeat: time.Now(), Doing: doing}}
	was, found, err := journal.Lease(ctx)
	if err != nil {
		return ctx, nil, record.Owner{}, err
	}
	if found && was.Owner.Alive(was.Heartbeat, h.lease.Owner, time.Now()) {
		return ctx, nil, record.Owner{}, &BusyError{was}
	}
	won, err := journal.TakeLease(ctx, h.lease, was.Owner)
	if err != nil {
		return ctx, nil, record.Owner{}, err
	}
	if !won {
		// Somebody was faster.
		if now, found, err := journal.Lease(ctx); err == nil && found {
			was = now
		}
		return ctx, nil, record.Owner{}, &BusyError{was}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.beat(ctx, cancel)
	}()
	h.stop = func() {
		cancel(nil)
		<-done
	}
	return ctx, h, was.Owner, nil
}

// beat shows that the owner lives until ctx ends, which it ends itself where another process has the lease.
func (h *holding) beat(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(record.HeartbeatEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l := h.lease
		l.Heartbeat = time.Now()
		// A target that is away for a moment is the business of those who work on it.
		if won, err := h.journal.TakeLease(ctx, l, l.Owner); err == nil && !won {
			cancel(ErrLeaseLost)
			return
		}
	}
}

// end gives the lease back.
func (h *holding) end(ctx context.Context) error {
	h.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	return h.journal.EndLease(ctx, h.lease.Owner)
}

// because returns err, or, where ctx has ended, why it did: [ErrInterrupted] or [ErrLeaseLost].
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, ErrLeaseLost) {
		return cause
	}
	return fmt.Errorf("%w: %w", ErrInterrupted, cause)
}

// markDead marks the sweeps of a process that lives no more as interrupted.
func markDead(ctx context.Context, journal record.Journal, dead record.Owner) error {
	if dead.Run == "" {
		return nil
	}
	sweeps, err := journal.Sweeps(ctx)
	if err != nil {
		return err
	}
	for _, s := range sweeps {
		if s.State != record.SweepRunning {
			continue
		}
		s.State, s.EndedAt = record.SweepInterrupted, time.Now()
		if err := journal.SaveSweep(ctx, s); err != nil {
			return err
		}
	}
	return nil
}
