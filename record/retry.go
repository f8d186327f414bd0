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

// Do makes the call, again and again while it fails with [ErrUnavailable], and returns its last error.
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
		r.Notify(fmt.Sprintf("the target is unavailable (%v); trying again in %s (%d of %d)", err, wait, attempt, maxAttempts-1))
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
		wait = min(2*wait, maxBackoff)
	}
}
