package redis

import (
	"context"
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// ReaderOptions say what of a target is read back.
type ReaderOptions struct {
	// Apps are those in whose layouts it is read. Where two keep a kind, what both say counts.
	Apps record.Apps

	// AsJSON is as in [SinkOptions].
	AsJSON bool

	// Users are the only ones to read; none means all. With users the counters, which are nobody's, are left out.
	Users []record.UserID

	// Exact tells that two layouts which say the same and more differ.
	Exact bool
}

// Reader reads back what the Redis holds, and writes nothing. It implements [record.TargetReader] and
// [record.TargetPointReader].
type Reader struct {
	store   *Store
	opts    ReaderOptions
	layouts layout.Layouts
}

// Reader returns what the Redis holds. It can be read any number of times.
func (s *Store) Reader(o ReaderOptions) *Reader { return &Reader{s, o, layout.LayoutsOf(o.Apps)} }

// Limits implements [record.TargetReader].
func (h *Reader) Limits() record.Limits { return h.layouts.Limits(h.opts.AsJSON) }

// Read implements [record.TargetReader]. As with any scan, a key may come twice, with the same ID; one that is made or removed
// meanwhile may be missed.
func (h *Reader) Read(ctx context.Context, kind record.Kind, yield func([]record.Document) error) error {
	switch {
	case !h.layouts.Kinds().Has(kind), !kind.Identified() && len(h.opts.Users) > 0:
		return ctx.Err()
	case kind == record.APIKeys && len(h.opts.Users) > 0:
		strays, err := h.store.strayAPIKeys(ctx)
		if err != nil {
			return err
		}
		return h.readUsers(ctx, kind, h.opts.Users, strays, yield)
	case !kind.Identified() || len(h.opts.Users) > 0:
		return h.ReadUsers(ctx, kind, h.opts.Users, yield)
	}
	source := h.store.Source(h.request(kind))
	parts, err := source.Parts(ctx)
	if err != nil {
		return err
	}
	page := h.pages(ctx, kind, yield)
	for _, part := range parts {
		if err := part.Read(ctx, "", page); err != nil {
			return err
		}
	}
	return source.Deferred(ctx, page)
}

// ReadUsers implements [record.TargetPointReader]. Of API keys it sees those alone that are the current ones.
func (h *Reader) ReadUsers(
	ctx context.Context, kind record.Kind, users []record.UserID, yield func([]record.Document) error,
) error {
	return h.readUsers(ctx, kind, users, nil, yield)
}

func (h *Reader) readUsers(
	ctx context.Context, kind record.Kind, users []record.UserID, strays map[record.UserID][]string, yield func([]record.Document) error,
) error {
	request := h.request(kind)
	request.Candidates = strays
	return h.store.Points(request).ReadUsers(ctx, record.Kinds(0).With(kind), users, h.pages(ctx, kind, yield))
}

func (h *Reader) request(kind record.Kind) SourceOptions {
	return SourceOptions{IgnoreTTL: true, Request: layout.Request{
		Kinds: record.Kinds(0).With(kind), Layouts: h.layouts,
		Documents: &layout.DocumentOptions{AsJSON: h.opts.AsJSON, Exact: h.opts.Exact},
	}}
}

// pages returns what makes documents of a source's pages.
func (h *Reader) pages(ctx context.Context, kind record.Kind, yield func([]record.Document) error) func(record.Page) error {
	return func(p record.Page) error {
		documents := make([]record.Document, 0, len(p.Items))
		for _, it := range p.Items {
			switch {
			case it.Document != nil:
				documents = append(documents, *it.Document)
			case it.Record != nil:
				d := apiKeyDocument(it.Record.User, it.Record.APIKey)
				if slices.Contains(it.Notes, record.Repaired) {
					d.Held.APIKey = "" // it authenticates, but it is not the user's current one until a migration makes it that
				}
				documents = append(documents, d)
			case it.APIKey != "": // it authenticates, though it is not the user's current one
				documents = append(documents, apiKeyDocument(it.User(), it.APIKey))
			}
		}
		if kind == record.APIKeys {
			if err := h.markKeys(ctx, documents); err != nil {
				return err
			}
		}
		if len(documents) == 0 {
			return ctx.Err()
		}
		return yield(documents)
	}
}

// markKeys enters which of the API keys are what lanyardctl last wrote.
func (h *Reader) markKeys(ctx context.Context, documents []record.Document) error {
	list := make([]*probe, len(documents))
	for i, d := range documents {
		key := keyOf(layout.UserAPIKey, d.User)
		list[i] = &probe{Found: layout.Found{Key: key, Layout: layout.UserAPIKey, State: layout.Present}}
	}
	if err := h.store.manyLookups().marks(ctx, list); err != nil {
		return err
	}
	for i := range documents {
		d := &documents[i]
		d.Held.Unmodified = record.Unmodified(record.Record{Kind: d.Kind, User: d.User, APIKey: d.Held.APIKey}, list[i].Mark)
	}
	return nil
}

// ReadDigests implements [record.DigestReader].
func (h *Reader) ReadDigests(
	ctx context.Context, kind record.Kind, now time.Time, yield func([]record.DocumentDigest) error,
) error {
	var page []record.DocumentDigest
	return h.Read(ctx, kind, func(documents []record.Document) error {
		page = page[:0]
		for _, d := range documents {
			page = append(page, d.Digest(now))
		}
		return yield(page)
	})
}

// Count implements [record.TargetReader].
func (h *Reader) Count(ctx context.Context, kind record.Kind) (n int64, err error) {
	err = h.Read(ctx, kind, func(documents []record.Document) error {
		n += int64(len(documents))
		return nil
	})
	return n, err
}

// Estimate implements [record.DigestReader]. Redis knows no numbers of keys of one sort, so that it takes a look at all keys.
func (h *Reader) Estimate(ctx context.Context, kind record.Kind) (int64, error) {
	return h.Count(ctx, kind)
}
