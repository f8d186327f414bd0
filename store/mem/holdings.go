package mem

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
)

// Holdings returns what the store holds. It can be read any number of times.
func (s *Store) Holdings() record.Holdings { return holdings{s} }

// AddStray adds a document beside those that have a place of their own: one of nobody, or a second one of a user. Only
// [Store.Holdings] knows of it, and [Store.Drop] removes it.
func (s *Store) AddStray(stray record.Standing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stray.Held.Found = true
	s.strays = append(s.strays, stray)
}

type holdings struct{ store *Store }

// Standings implements [record.Holdings]. It delivers what the store held when it was called.
func (h holdings) Standings(ctx context.Context, kind record.Kind, yield func([]record.Standing) error) error {
	return inPages(ctx, h.standings(kind), yield)
}

// Count implements [record.Holdings].
func (h holdings) Count(ctx context.Context, kind record.Kind) (int64, error) {
	var n int64
	for _, s := range h.standings(kind) {
		if !s.Numeric && !s.Held.Hidden {
			n++
		}
	}
	return n, ctx.Err()
}

// Limits implements [record.Holdings].
func (h holdings) Limits() record.Limits { return h.store.Limits() }

func (h holdings) standings(kind record.Kind) []record.Standing {
	var list []record.Standing
	for id, d := range h.store.Everything(kind) {
		list = append(list, record.Standing{
			Kind: kind, Collection: record.CollectionOf(kind),
			User: id.User, Name: id.Name, Named: id.Name != (record.Name{}), Held: d.held(kind, id),
		})
	}
	h.store.mu.Lock()
	defer h.store.mu.Unlock()
	for _, stray := range h.store.strays {
		if stray.Kind == kind {
			list = append(list, stray)
		}
	}
	return list
}
