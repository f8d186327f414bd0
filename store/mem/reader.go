package mem

import (
	"context"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Reader returns what the store holds. It can be read any number of times.
func (s *Store) Reader() record.TargetReader { return reader{s} }

// AddStray adds a document beside those that have a place of their own: one of nobody, or a second one of a user. Only
// [Store.Reader] knows of it, and [Store.Drop] removes it.
func (s *Store) AddStray(stray record.Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stray.Held.Found = true
	s.strays = append(s.strays, stray)
}

type reader struct{ store *Store }

// Read implements [record.TargetReader]. It delivers what the store held when it was called.
func (h reader) Read(ctx context.Context, kind record.Kind, yield func([]record.Document) error) error {
	return inPages(ctx, h.documents(kind), yield)
}

// ReadDigests implements [record.DigestReader]. It delivers what the store held when it was called.
func (h reader) ReadDigests(ctx context.Context, kind record.Kind, now time.Time, yield func([]record.DocumentDigest) error) error {
	return h.Read(ctx, kind, func(documents []record.Document) error {
		digests := make([]record.DocumentDigest, len(documents))
		for i, d := range documents {
			digests[i] = d.Digest(now)
		}
		return yield(digests)
	})
}

// Estimate implements [record.DigestReader].
func (h reader) Estimate(ctx context.Context, kind record.Kind) (int64, error) {
	return int64(len(h.documents(kind))), ctx.Err()
}

// Count implements [record.TargetReader].
func (h reader) Count(ctx context.Context, kind record.Kind) (int64, error) {
	var n int64
	for _, s := range h.documents(kind) {
		if !s.Numeric && !s.Held.Untyped {
			n++
		}
	}
	return n, ctx.Err()
}

// Limits implements [record.TargetReader].
func (h reader) Limits() record.Limits { return h.store.Limits() }

func (h reader) documents(kind record.Kind) []record.Document {
	var list []record.Document
	for id, d := range h.store.Everything(kind) {
		list = append(list, record.Document{
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
