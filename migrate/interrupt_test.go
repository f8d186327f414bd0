package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// stuck is a sink of which one method does not return before its context ends. Reached is closed once it is called.
type stuck struct {
	record.Sink
	in      string
	reached chan struct{}
}

func (s *stuck) wait(ctx context.Context, in string) error {
	if in != s.in {
		return nil
	}
	select {
	case <-s.reached:
	default:
		close(s.reached)
	}
	<-ctx.Done()
	return ctx.Err()
}

func (s *stuck) Begin(ctx context.Context, keep record.KeepFunc) error {
	return errors.Join(s.wait(ctx, "Begin"), s.Sink.Begin(ctx, keep))
}

func (s *stuck) Write(ctx context.Context, batch []record.Record, keep record.KeepFunc) ([]record.Outcome, error) {
	if err := s.wait(ctx, "Write"); err != nil {
		return nil, err
	}
	return s.Sink.Write(ctx, batch, keep)
}

func (s *stuck) Finish(ctx context.Context, keep record.KeepFunc) error {
	return errors.Join(s.wait(ctx, "Finish"), s.Sink.Finish(ctx, keep))
}

// TestAnInterruptionEndsEveryWait hangs for good where one of the waits does not end.
func TestAnInterruptionEndsEveryWait(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"Begin", "Write", "Finish"} {
		t.Run(in, func(t *testing.T) {
			t.Parallel()
			target := newTarget()
			sink := &stuck{Sink: target, in: in, reached: make(chan struct{})}
			o := options(t, &mem.Source{Items: [][]record.Item{users(30)}, ID: "a"}, sink, target)
			if o.DrainTime = time.Hour; in == "Write" {
				o.DrainTime = time.Millisecond
			}
			ctx, interrupt := context.WithCancel(context.Background())
			go func() {
				<-sink.reached
				interrupt()
			}()
			report, err := run(t, ctx, o)
			if !errors.Is(err, migrate.ErrInterrupted) {
				t.Fatalf("error %v", err)
			}
			checkTotals(t, report)
			o.Sink = target
			again := mustRun(t, o)
			if again.Kinds[record.KV].Read != 30 || target.Count(record.KV) != 30 {
				t.Errorf("%+v", again.Kinds[record.KV])
			}
		})
	}
}

// TestAnInterruptionEndsTryingAgain waits for an hour where it does not.
func TestAnInterruptionEndsTryingAgain(t *testing.T) {
	t.Parallel()
	target := newTarget()
	sink := &away{Sink: target}
	o := options(t, &mem.Source{Items: [][]record.Item{users(30)}, ID: "a"}, sink, target)
	o.Backoff = time.Hour
	ctx, interrupt := context.WithCancel(context.Background())
	o.Notify = func(string) { interrupt() }
	if _, err := run(t, ctx, o); !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

type away struct{ record.Sink }

func (away) Write(context.Context, []record.Record, record.KeepFunc) ([]record.Outcome, error) {
	return nil, fmt.Errorf("away: %w", record.ErrUnavailable)
}
