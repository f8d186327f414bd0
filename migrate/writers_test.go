package migrate

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// TestNoRecordIsInTwoWrites hands out batches of which many have an identity in common, from two readers.
func TestNoRecordIsInTwoWrites(t *testing.T) {
	w := newWriters(pinned(4))
	group, ctx := errgroup.WithContext(context.Background())
	var mu sync.Mutex
	busy, order := make(map[record.Identity]bool), make(map[record.UserID][]int64)
	write := func(_ context.Context, b *batch) error {
		mu.Lock()
		for _, r := range b.records {
			if busy[r.Identity()] {
				t.Errorf("user %s is written by two", r.User)
			}
			order[r.User] = append(order[r.User], r.Time)
		}
		for _, r := range b.records {
			busy[r.Identity()] = true
		}
		mu.Unlock()
		runtime.Gosched()
		mu.Lock()
		for _, r := range b.records {
			delete(busy, r.Identity())
		}
		mu.Unlock()
		return nil
	}
	for range w.pace.max {
		group.Go(func() error { return w.run(ctx, write) })
	}
	var readers errgroup.Group
	const batches = 300
	for reader := range 2 {
		readers.Go(func() error {
			for n := range batches {
				b := &batch{bytes: 1}
				for _, user := range []int{1000*reader + n, n % 3, 5000 + reader} {
					b.records = append(b.records, record.Record{Kind: record.LastSeen, User: record.UserID(user + 1), Time: int64(n)})
				}
				if err := w.put(ctx, b); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := readers.Wait(); err != nil {
		t.Fatal(err)
	}
	w.close()
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, user := range []record.UserID{5001, 5002} { // of one reader each
		for n := 1; n < len(order[user]); n++ {
			if order[user][n] < order[user][n-1] {
				t.Fatalf("user %s is written in the order %v", user, order[user])
			}
		}
	}
	if len(w.claims) > 0 || w.bytes != 0 || w.active != 0 {
		t.Errorf("%d claims, %d bytes and %d batches are left", len(w.claims), w.bytes, w.active)
	}
}

// TestHandingOutEndsWithItsContext checks that a reader which waits for room learns that the writers failed.
func TestHandingOutEndsWithItsContext(t *testing.T) {
	cause := errors.New("the cause")
	w := newWriters(pinned(1))
	ctx, cancel := context.WithCancelCause(context.Background())
	defer w.wake(ctx)()
	records := []record.Record{{Kind: record.LastSeen, User: 1}}
	if err := w.put(ctx, &batch{records: records}); err != nil {
		t.Fatal(err)
	}
	go cancel(cause)
	if err := w.put(ctx, &batch{records: records}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	if b, err := w.take(ctx); b != nil || !errors.Is(err, cause) {
		t.Errorf("got a batch, %v", err)
	}
}
