package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// stuck is a sink of which one method does not return before its context ends. Reached is closed once it is called.
type stuck struct {
	record.Sink
	in      string
	once    sync.Once
	reached chan struct{}
}

func (s *stuck) wait(ctx context.Context, in string) error {
	if in != s.in {
		return nil
	}
	s.once.Do(func() { close(s.reached) })
	<-ctx.Done()
	return ctx.Err()
}

func (s *stuck) Begin(ctx context.Context, keep record.ArchiveFunc) error {
	return errors.Join(s.wait(ctx, "Begin"), s.Sink.Begin(ctx, keep))
}

func (s *stuck) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	if err := s.wait(ctx, "Write"); err != nil {
		return nil, err
	}
	return s.Sink.Write(ctx, batch, keep)
}

func (s *stuck) Finish(ctx context.Context, keep record.ArchiveFunc) error {
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
			if !errors.Is(err, record.ErrInterrupted) {
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

func (away) Write(context.Context, []record.Record, record.ArchiveFunc) ([]record.Outcome, error) {
	return nil, fmt.Errorf("away: %w", record.ErrUnavailable)
}

// shaky keeps checkpoints, and fails at the first call of each sort, as at an election: before Save wrote anything, or,
// where answers are lost, when it had.
type shaky struct {
	record.Checkpoints
	loses  bool
	failed map[string]bool
}

func (c shaky) once(name string) error {
	if c.failed[name] {
		return nil
	}
	c.failed[name] = true
	return fmt.Errorf("%s: %w", name, record.ErrUnavailable)
}

func (c shaky) Find(ctx context.Context, scope string) ([]record.Checkpoint, error) {
	if err := c.once("Find"); err != nil {
		return nil, err
	}
	return c.Checkpoints.Find(ctx, scope)
}

func (c shaky) Target(ctx context.Context) (map[string]string, error) {
	if err := c.once("Target"); err != nil {
		return nil, err
	}
	return c.Checkpoints.Target(ctx)
}

func (c shaky) Save(ctx context.Context, checkpoint record.Checkpoint, from record.Owner) (saved bool, err error) {
	failed := c.once("Save")
	if failed == nil || c.loses {
		saved, err = c.Checkpoints.Save(ctx, checkpoint, from)
	}
	if failed != nil {
		return false, failed
	}
	return saved, err
}

func (c shaky) Remove(ctx context.Context, id string) error {
	if err := c.once("Remove"); err != nil {
		return err
	}
	return c.Checkpoints.Remove(ctx, id)
}

func TestAnElectionAtTheEdgesEndsNoRun(t *testing.T) {
	t.Parallel()
	for name, loses := range map[string]bool{"before it is written": false, "before it is answered": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target := newTarget()
			o := options(t, &mem.Source{Items: [][]record.Item{users(30)}, ID: "a"}, &stuck{Sink: target, in: "Finish", reached: make(chan struct{})}, target)
			ctx, interrupt := context.WithCancel(context.Background())
			go func() {
				<-o.Sink.(*stuck).reached
				interrupt()
			}()
			if _, err := run(t, ctx, o); !errors.Is(err, record.ErrInterrupted) {
				t.Fatal(err)
			}
			o.Sink, o.Checkpoints = target, shaky{target, loses, make(map[string]bool)}
			report := mustRun(t, o)
			if !report.Resumed || report.Kinds[record.KV].Read != 30 {
				t.Errorf("resumed: %t, %+v", report.Resumed, report.Kinds[record.KV])
			}
			// Nothing is left to go on with.
			o.Checkpoints = target
			if again := mustRun(t, o); again.Resumed || again.Kinds[record.KV].Unchanged != 30 {
				t.Errorf("resumed: %t, %+v", again.Resumed, again.Kinds[record.KV])
			}
		})
	}
}

// absent is a source that is not there, and is tried again.
type absent struct {
	mem.Source
	tried func()
}

func (s *absent) Parts(context.Context) ([]record.Part, error) { return []record.Part{s}, nil }

func (s *absent) Name() string { return "absent" }

func (s *absent) Read(ctx context.Context, _ string, _ func(record.Page) error) error {
	again := retry.Policy{For: time.Hour, Temporary: func(error) bool { return true }}
	return again.Do(ctx, func() error {
		s.tried()
		return fmt.Errorf("read the source: %w", record.ErrUnavailable)
	})
}

// TestAnInterruptionOfAWaitIsOne has a reader that learns of it while it waits to try again.
func TestAnInterruptionOfAWaitIsOne(t *testing.T) {
	t.Parallel()
	for range 100 {
		ctx, interrupt := context.WithCancel(t.Context())
		var once sync.Once
		source := &absent{tried: func() { once.Do(func() { time.AfterFunc(time.Millisecond, interrupt) }) }}
		source.ID = "absent"
		target := newTarget()
		if _, err := run(t, ctx, options(t, source, target, target)); !errors.Is(err, record.ErrInterrupted) || errors.Is(err, record.ErrUnavailable) {
			t.Fatal(err)
		}
	}
}
