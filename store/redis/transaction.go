package redis

import (
	"context"
	"errors"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// wires are connections of which each has one transaction at a time.
type wires struct {
	mu   sync.Mutex
	free []*wire
	all  []*wire
}

// take returns a wire that nobody uses.
func (w *wires) take(client *goredis.Client) *wire {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.free); n > 0 {
		last := w.free[n-1]
		w.free = w.free[:n-1]
		return last
	}
	made := &wire{client: client}
	w.all = append(w.all, made)
	return made
}

func (w *wires) give(back *wire) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free = append(w.free, back)
}

func (w *wires) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.all {
		one.close()
	}
}

// transaction is a conversation with the server that holds all keys: keys are watched and looked at, and what is to be done
// then is done as a whole, and only if they still hold what was seen.
type transaction struct {
	lookups
	link *link
}

// transact hands a transaction to work, which is a new one at each attempt. A connection that failed takes its watch with it.
// It ends with errOvertaken where a watched key was changed.
func (s *Store) transact(ctx context.Context, what string, work func(*transaction) error) error {
	w := s.transactions.take(s.wire.client)
	defer s.transactions.give(w)
	return s.insist(ctx, what, func() error {
		answered := s.patience()
		l, err := w.open(ctx)
		if err == nil {
			t := &transaction{link: l}
			t.lookups = lookups{s, func(ctx context.Context, _ string, b *batch) error { return l.do(ctx, b) }}
			err = work(t)
		}
		if err != nil && err != errOvertaken && !errors.As(err, new(ownError)) {
			w.renew() // the next attempt may be another server's
		}
		return answered(err)
	})
}

// watch watches the keys and returns how many of them exist. What was watched before stays so, unless it is the first watch of
// a transaction.
func (t *transaction) watch(ctx context.Context, first bool, keys []string) (existing int64, err error) {
	b := newBatch()
	if first {
		b.ask("unwatch") // the last transaction may have ended in its middle
	}
	for _, command := range []string{"watch", "exists"} {
		b.begin(1 + len(keys))
		b.word(command, "")
		for _, key := range keys {
			b.word(key, "")
		}
	}
	if err := t.link.do(ctx, b); err != nil {
		return 0, err
	}
	existing = b.answers[len(b.answers)-1].n
	b.free()
	return existing, nil
}

// commit carries out the commands, which stand between multi and exec.
func (t *transaction) commit(ctx context.Context, b *batch) error {
	b.mixed = true
	if err := t.link.do(ctx, b); err != nil {
		said := make([]error, len(b.answers))
		for i, a := range b.answers {
			said[i] = a.err
		}
		return refusalOf(said, err)
	}
	switch done := b.answers[len(b.answers)-1].err; {
	case errors.Is(done, goredis.Nil):
		return errOvertaken
	default:
		return done // of one of the commands
	}
}
