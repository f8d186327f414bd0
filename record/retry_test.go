package record_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestDrainOutlivesAnInterruption(t *testing.T) {
	cause := errors.New("the cause")
	ctx, interrupt := context.WithCancelCause(context.Background())
	long, done := record.Drain(ctx, time.Hour)
	defer done()
	short, done := record.Drain(ctx, time.Millisecond)
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
	err := record.Retry{Backoff: time.Hour, Notify: func(string) {}}.Do(inner, func() error {
		calls++
		return record.ErrUnavailable
	})
	if calls != 1 || !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestDrainEndsWithItsWork(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	draining, done := record.Drain(ctx, time.Hour)
	done()
	interrupt()
	if draining.Err() == nil {
		t.Error("it lives on")
	}
}
