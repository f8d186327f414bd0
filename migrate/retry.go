package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// A write that meets an unavailable server is tried again this often, waiting twice as long each time up to maxBackoff,
// but not when it has failed for giveUpAfter: a replica set elects a primary in some twelve seconds.
const (
	maxAttempts = 9
	maxBackoff  = 5 * time.Second
	giveUpAfter = 45 * time.Second
)

// retrying is a sink that tries again where the server was unavailable. Only this layer does.
type retrying struct {
	record.Sink
	backoff time.Duration
	notify  func(string)
}

// Write implements [record.Sink].
func (s retrying) Write(ctx context.Context, batch []record.Record, keep record.KeepFunc) (outcomes []record.Outcome, err error) {
	err = s.try(ctx, func() error {
		outcomes, err = s.Sink.Write(ctx, batch, keep)
		return err
	})
	return outcomes, err
}

// Begin implements [record.Sink].
func (s retrying) Begin(ctx context.Context, keep record.KeepFunc) error {
	return s.try(ctx, func() error { return s.Sink.Begin(ctx, keep) })
}

// Finish implements [record.Sink].
func (s retrying) Finish(ctx context.Context, keep record.KeepFunc) error {
	return s.try(ctx, func() error { return s.Sink.Finish(ctx, keep) })
}

func (s retrying) try(ctx context.Context, call func() error) error {
	wait := s.backoff
	started := time.Now()
	for attempt := 1; ; attempt++ {
		err := call()
		if err == nil || attempt == maxAttempts || time.Since(started) > giveUpAfter || !errors.Is(err, record.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		s.notify(fmt.Sprintf("the target is unavailable (%v); trying again in %s (%d of %d)", err, wait, attempt, maxAttempts-1))
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
}
