package storetest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/lanyardctl/lanyardctl/record"
)

// Faulty is a sink that fails at chosen calls of Write, counted from one.
type Faulty struct {
	record.Sink

	// Before is called before a batch is written, and After when it was: an error is returned in place of the outcomes.
	// After leaves the batch written, as a connection does that is cut before the answer.
	Before, After func(call int64) error

	calls atomic.Int64
}

// Write implements [record.Sink].
func (f *Faulty) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	call := f.calls.Add(1)
	if f.Before != nil {
		if err := f.Before(call); err != nil {
			return nil, err
		}
	}
	outcomes, err := f.Sink.Write(ctx, batch, keep)
	if err == nil && f.After != nil {
		err = f.After(call)
	}
	return outcomes, err
}

// Calls returns how often Write was called.
func (f *Faulty) Calls() int64 { return f.calls.Load() }

// Killed returns a fault that lets the first n calls pass and fails all others, as if the process had died.
func Killed(n int64) func(int64) error {
	return func(call int64) error {
		if call > n {
			return fmt.Errorf("killed at call %d", call)
		}
		return nil
	}
}

// Unavailable returns a fault that fails the given calls with [record.ErrUnavailable].
func Unavailable(calls ...int64) func(int64) error {
	return func(call int64) error {
		for _, c := range calls {
			if c == call {
				return fmt.Errorf("cut at call %d: %w", call, record.ErrUnavailable)
			}
		}
		return nil
	}
}
