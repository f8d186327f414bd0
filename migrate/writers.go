package migrate

import (
	"context"
	"sync"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Bounds of what waits for a writer or is being written. Batches that wait smooth the steps of a source.
const (
	maxWaiting      = 4        // batches
	maxWritingBytes = 32 << 20 // of BSON, about, or one batch
)

// writers hand batches to the goroutines that write them, as many at a time as the target's pace asks for. Two records of
// one identity and kind are never in two batches at once: the later batch waits for the earlier one's end.
type writers struct {
	mu      sync.Mutex
	changed sync.Cond
	waiting []*batch
	claims  map[claim]*batch // of the batches that wait or are being written
	bytes   int              // of the same
	active  int              // batches being written
	closed  bool
	pace    pace
}

// claim stands for the records of an identity and kind. Different ones may share it, which makes one wait for nothing.
type claim uint64

func claimOf(r *record.Record) claim { return claim(r.Identity().Hash() + uint64(r.Kind)) }

func newWriters(p pace) *writers {
	w := &writers{claims: make(map[claim]*batch), pace: p}
	w.changed.L = &w.mu
	return w
}

// wake makes what waits look at ctx when it ends, until stop is called.
func (w *writers) wake(ctx context.Context) (stop func() bool) {
	return context.AfterFunc(ctx, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.changed.Broadcast()
	})
}

// put hands a batch out, once there is room for it and nobody else writes one of its records.
func (w *writers) put(ctx context.Context, b *batch) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.room(b) && ctx.Err() == nil {
		w.changed.Wait()
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i := range b.records {
		w.claims[claimOf(&b.records[i])] = b
	}
	w.bytes += b.bytes
	w.waiting = append(w.waiting, b)
	w.changed.Broadcast()
	return nil
}

func (w *writers) room(b *batch) bool {
	if len(w.waiting) >= maxWaiting || w.bytes > 0 && w.bytes+b.bytes > maxWritingBytes {
		return false
	}
	for i := range b.records {
		if _, claimed := w.claims[claimOf(&b.records[i])]; claimed {
			return false
		}
	}
	return true
}

// close tells that no more batches come.
func (w *writers) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.changed.Broadcast()
}

// run writes batches until there are no more. It is called by as many goroutines as may ever write at a time.
func (w *writers) run(ctx context.Context, write func(context.Context, *batch) error) error {
	for {
		b, err := w.take(ctx)
		if b == nil {
			return err
		}
		began := time.Now()
		if err := write(ctx, b); err != nil {
			return err
		}
		w.done(b, time.Since(began))
	}
}

// take returns the next batch, and nil after the last.
func (w *writers) take(ctx context.Context) (*batch, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for {
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case len(w.waiting) > 0 && w.active < w.pace.workers:
			b := w.waiting[0]
			w.waiting = append(w.waiting[:0], w.waiting[1:]...)
			w.active++
			w.changed.Broadcast()
			return b, nil
		case len(w.waiting) == 0 && w.closed:
			return nil, nil
		}
		w.changed.Wait()
	}
}

func (w *writers) done(b *batch, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range b.records {
		delete(w.claims, claimOf(&b.records[i]))
	}
	w.bytes -= b.bytes
	w.active--
	w.pace.add(len(b.records), took, len(w.waiting) > 0)
	w.changed.Broadcast()
}
