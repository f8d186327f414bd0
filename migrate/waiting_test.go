package migrate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// slow takes a while for each batch.
type slow struct{ record.Sink }

const slowness = 100 * time.Millisecond

func (s slow) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	time.Sleep(slowness)
	return s.Sink.Write(ctx, batch, keep)
}

// TestARunWaitsNoLongerThanItTakes has the last batches of a source that was read at once wait for room.
func TestARunWaitsNoLongerThanItTakes(t *testing.T) {
	t.Parallel()
	o := options(t, &mem.Source{Items: [][]record.Item{users(7)}}, slow{newTarget()}, nil)
	o.Workers = 1
	r := mustRun(t, o)
	// It waits for about six batches. One of them alone would be that for which it waits while it still reads.
	if all := r.Waits.Source + r.Waits.Target; all > r.Duration || r.Waits.Target < 2*slowness {
		t.Errorf("%+v in %s", r.Waits, r.Duration)
	}
}

// TestAnInterruptedRunTellsThatItWaited interrupts runs that have not begun to copy.
func TestAnInterruptedRunTellsThatItWaited(t *testing.T) {
	t.Parallel()
	const while = 30 * time.Millisecond
	target := newTarget()
	mustRun(t, options(t, &mem.Source{Items: [][]record.Item{users(30)}}, target, nil))
	beginning := &stuck{Sink: target, in: "Begin", reached: make(chan struct{})}
	silent := silentTarget{target.Reader(), make(chan struct{})}
	for name, c := range map[string]struct {
		sink    record.Sink
		target  record.DigestReader
		reached chan struct{}
	}{
		"the target is made ready": {beginning, nil, beginning.reached},
		"the target is read":       {target, silent, silent.reached},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, &mem.Source{Items: [][]record.Item{users(30)}}, c.sink, nil)
			o.Target = c.target
			ctx, interrupt := context.WithCancel(context.Background())
			go func() {
				<-c.reached
				time.Sleep(while)
				interrupt()
			}()
			r, err := run(t, ctx, o)
			if !errors.Is(err, record.ErrInterrupted) || r.Waits.Target < while {
				t.Errorf("%+v, error %v", r.Waits, err)
			}
		})
	}
}
