package dynamo

import (
	"context"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Reader reads back what the tables hold, and writes nothing. See [record.TargetReader].
type Reader struct{ *Store }

// Reader returns what the tables hold. It can be read any number of times.
func (s *Store) Reader() Reader { return Reader{s} }

// Read implements [record.TargetReader].
func (h Reader) Read(ctx context.Context, kind record.Kind, yield func([]record.Document) error) error {
	return h.each(ctx, kind, func(items []item) error {
		documents := make([]record.Document, 0, len(items))
		for _, it := range items {
			documents = append(documents, h.documentOf(kind, it))
		}
		if err := h.mark(ctx, documents); err != nil {
			return err
		}
		return yield(documents)
	})
}

// ReadDigests implements [record.DigestReader].
func (h Reader) ReadDigests(ctx context.Context, kind record.Kind, now time.Time, yield func([]record.DocumentDigest) error) error {
	return h.Read(ctx, kind, func(documents []record.Document) error {
		digests := make([]record.DocumentDigest, 0, len(documents))
		for _, d := range documents {
			digests = append(digests, d.Digest(now))
		}
		return yield(digests)
	})
}

// each delivers the items of a table a page at a time.
func (h Reader) each(ctx context.Context, kind record.Kind, yield func([]item) error) error {
	scan := scan{store: h.Store, table: h.tables[kind]}
	for start := item(nil); ; {
		items, next, err := scan.page(ctx, start)
		if err != nil {
			return err
		}
		if len(items) > 0 {
			if err := yield(items); err != nil {
				return err
			}
		}
		if len(next) == 0 {
			return nil
		}
		start = next
	}
}

// Count implements [record.TargetReader]. It takes the capacity that reading all items takes.
func (h Reader) Count(ctx context.Context, kind record.Kind) (n int64, err error) {
	scan := scan{store: h.Store, table: h.tables[kind], count: true}
	for start := item(nil); ; {
		out, err := scan.ask(ctx, start)
		if err != nil {
			return 0, err
		}
		n += int64(out.Count)
		if start = out.LastEvaluatedKey; len(start) == 0 {
			return n, nil
		}
	}
}

// documentOf returns an item as a document. What cannot be read of it equals nothing.
func (s *Store) documentOf(kind record.Kind, it item) record.Document {
	d := record.Document{Kind: kind, Collection: record.CollectionOf(kind), Held: record.Held{Found: true, Fields: make(map[string]record.Value, len(it))}}
	fields := make(map[string]record.Field, len(it))
	for name, a := range it {
		v, err := valueOf(a)
		if err != nil {
			v = record.Opaque{Data: appendWire(nil, a)}
		}
		fields[name], d.Held.Fields[name] = record.Field{Value: v}, v
	}
	if name, err := record.ItemName(s.tables[kind].Keys, fields); err == nil {
		d.Named, d.Name = true, name
	}
	return d
}
