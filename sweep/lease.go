package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// holding is a lease that is kept alive.
type holding struct {
	journal record.Journal
	lease   record.Lease
	notify  func(message string)
	stop    func()
}

// What is written at the end has so long: where the target was away, after another failure, and otherwise, which outlasts an
// election.
const (
	endTimeoutAway = time.Second
	endTimeout     = 3 * time.Second
	endTimeoutCalm = time.Minute
)

// bounded returns a context for what is written at the end of a run that ended with err. An interruption ends ctx, and so the
// writing, as [retry.Drain] does.
func bounded(ctx context.Context, err error) (context.Context, context.CancelFunc) {
	timeout := endTimeoutCalm
	switch {
	case errors.Is(err, record.ErrUnavailable):
		timeout = endTimeoutAway
	case err != nil:
		timeout = endTimeout
	}
	return context.WithTimeout(ctx, timeout)
}

// steadyJournal is a journal that tries again where the target was unavailable. Heartbeats come again by themselves, and
// whoever reads changes goes on where the reading broke off.
type steadyJournal struct {
	record.Journal
	retry retry.Policy
}

func (j steadyJournal) Sweeps(ctx context.Context) (sweeps []record.Sweep, err error) {
	err = j.retry.Do(ctx, func() error {
		sweeps, err = j.Journal.Sweeps(ctx)
		return err
	})
	return sweeps, err
}

func (j steadyJournal) SaveSweep(ctx context.Context, s record.Sweep) error {
	return j.retry.Do(ctx, func() error { return j.Journal.SaveSweep(ctx, s) })
}

func (j steadyJournal) Append(ctx context.Context, changes []record.Change) error {
	return j.retry.Do(ctx, func() error { return j.Journal.Append(ctx, changes) })
}

func (j steadyJournal) Amend(ctx context.Context, changes []record.Change) error {
	return j.retry.Do(ctx, func() error { return j.Journal.Amend(ctx, changes) })
}

func (j steadyJournal) Lease(ctx context.Context) (l record.Lease, found bool, err error) {
	err = j.retry.Do(ctx, func() error {
		l, found, err = j.Journal.Lease(ctx)
		return err
	})
	return l, found, err
}

func (j steadyJournal) TakeLease(ctx context.Context, l record.Lease, from record.Owner) (bool, error) {
	return lease.TakeOver(ctx, j.retry, from, l.Owner, func(from record.Owner) (bool, error) { return j.Journal.TakeLease(ctx, l, from) })
}

func (j steadyJournal) EndLease(ctx context.Context, owner record.Owner) error {
	return j.retry.Do(ctx, func() error { return j.Journal.EndLease(ctx, owner) })
}

// patience is how long another process is watched before it counts as dead, and who is told of it.
type patience struct {
	watch  time.Duration
	notify func(message string)
}

// hold takes the lease, also from a process that lives no more, whose owner it returns then. The returned context ends
// when the lease is lost.
func hold(ctx context.Context, journal record.Journal, doing string, p patience) (context.Context, *holding, record.Owner, error) {
	h := &holding{journal: journal, notify: p.notify, lease: record.Lease{Owner: record.NewOwner(), Heartbeat: time.Now(), Doing: doing}}
	was, found, err := journal.Lease(ctx)
	if err != nil {
		return ctx, nil, record.Owner{}, err
	}
	if found {
		alive, err := lives(ctx, journal, was, h.lease.Owner, p)
		if err != nil {
			return ctx, nil, record.Owner{}, err
		}
		if alive {
			return ctx, nil, record.Owner{}, &BusyError{was}
		}
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

// lives reports whether the owner of a lease still runs, as seen from self. The clocks of two hosts may differ, and a
// process of the same number may be in another container, so an owner is dead only where it shows nothing for a while. By
// then the target has also done with what the dead one had asked for last.
func lives(ctx context.Context, journal record.Journal, l record.Lease, self record.Owner, p patience) (bool, error) {
	if l.Owner.Host == self.Host && l.Owner.Alive(l.Heartbeat, self, time.Now()) {
		return true, nil
	}
	p.notify(fmt.Sprintf("%s (host %s, process %d) did not end: watching for %s whether it is still at work", l.Doing, l.Owner.Host, l.Owner.PID, p.watch))
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(p.watch):
	}
	now, found, err := journal.Lease(ctx)
	return found && !now.Heartbeat.Equal(l.Heartbeat), err
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
		if kept, err := h.journal.KeepLease(ctx, l); err == nil && !kept {
			cancel(ErrLeaseLost)
			return
		}
	}
}

// held reports whether the lease is still held, as far as the journal can be asked.
func (h *holding) held(ctx context.Context) bool {
	kept, err := h.journal.KeepLease(ctx, h.lease)
	return kept || err != nil
}

// end gives the lease back, after what ended with cause. Where that fails, all is done all the same: the next sweep finds the lease without a sign of life.
func (h *holding) end(ctx context.Context, cause error) {
	h.stop()
	ctx, cancel := bounded(ctx, cause)
	defer cancel()
	if err := h.journal.EndLease(ctx, h.lease.Owner); err != nil {
		h.notify(fmt.Sprintf("the lease was not given back (%v): the next sweep takes a while to find out that nobody has it", err))
	}
}

// because returns err, or, where ctx has ended, why it did: [record.ErrInterrupted] or [ErrLeaseLost].
func because(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, ErrLeaseLost):
		return cause
	case errors.Is(err, record.ErrInterrupted):
		return err
	case errors.Is(err, context.Canceled):
		return record.Interruption(ctx)
	}
	return fmt.Errorf("%w: %w", record.ErrInterrupted, err)
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
