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

// What is written at the end has so long: where the target was away, after another failure, and otherwise, which
// outlasts an election.
const (
	endTimeoutAway = time.Second
	endTimeout     = 3 * time.Second
	endTimeoutCalm = time.Minute
)

// bounded returns a context for what is written at the end of a run that ended with err. An interruption ends ctx,
// and so the writing, as [retry.Drain] does.
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

// steadyJournal is a journal that tries again where the target was unavailable. Whoever reads changes goes on where the
// reading broke off.
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

// release gives the lease back, after what ended with cause. Where that fails, all is done all the same: the next
// sweep finds the lease without a sign of life.
func release(ctx context.Context, held *lease.Held, cause error, notify func(message string)) {
	ctx, cancel := bounded(ctx, cause)
	defer cancel()
	if err := held.Release(ctx); err != nil {
		notify(fmt.Sprintf("the lease was not released (%v): the next sweep takes some seconds longer to start", err))
	}
}

// interruptedBy returns err, or, where ctx has ended, why it did: [record.ErrInterrupted] or [lease.ErrLost].
func interruptedBy(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil {
		return err
	}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, lease.ErrLost):
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
