package retry_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

func TestDrainOutlivesAnInterruption(t *testing.T) {
	cause := errors.New("the cause")
	ctx, interrupt := context.WithCancelCause(context.Background())
	long, done := retry.Drain(ctx, time.Hour)
	defer done()
	short, done := retry.Drain(ctx, time.Millisecond)
	defer done()
	interrupt(cause)
	<-short.Done()
	if got := context.Cause(short); !errors.Is(got, cause) {
		t.Errorf("ended by %v", got)
	}
	if long.Err() != nil {
		t.Error("ended before its time")
	}
	inner, cancel := context.WithCancel(long)
	defer cancel()
	calls := 0
	err := retry.Policy{Backoff: time.Hour, For: 2 * time.Hour}.Do(inner, func() error {
		calls++
		return record.ErrUnavailable
	})
	if calls != 1 || !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestDrainEndsWithItsWork(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	draining, done := retry.Drain(ctx, time.Hour)
	done()
	interrupt()
	if draining.Err() == nil {
		t.Error("it lives on")
	}
}
