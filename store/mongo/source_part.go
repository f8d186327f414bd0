package mongo

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// idRange is a range of _ids in the order in which MongoDB sorts values of all types: numbers, texts, documents, and in
// the end the ObjectIDs that the app's documents have.
type idRange struct {
	name        string        // after that of the collection
	from, below bson.RawValue // of type zero where the range is open
}

// largeCollection is how many documents are worth several readers.
const largeCollection = 50_000

// fences divide the _ids that lanyardctl gives, which are the texts of user ids, in the order of bytes: from "10" to "14"
// begin those of accounts made since 2022, and from "2" to "9" older ones. So do the names of most tables' items, by the id of a
// server. They never change: a position is one in a range.
var fences = [...]string{"11", "12", "2", "4", "6", "8"}

// ranges returns the ranges in which the collection is read side by side.
func (c *sourceCollection) ranges(large bool) []idRange {
	if !large || !c.ordered || c.collated { // a collation may have numbers in the order of their size
		return []idRange{{}}
	}
	var list []idRange
	var from bson.RawValue
	for _, fence := range fences {
		below := idFence(fence)
		list = append(list, idRange{" up to " + fence, from, below})
		from = below
	}
	afterTexts := idFence(bson.D{})
	return append(list, idRange{" from " + fences[len(fences)-1], from, afterTexts}, idRange{" beyond texts", afterTexts, bson.RawValue{}})
}

// idFence returns a text, or an empty document, as BSON.
func idFence(v any) bson.RawValue {
	t, data, _ := bson.MarshalValue(v) // neither can fail
	return bson.RawValue{Type: t, Value: data}
}

// collectionPart is a range of a collection of documents of users, or of items. Its positions are the last _id read, as an ID is. Where
// the server has no order of _ids, there are none, and it is read as a whole.
type collectionPart struct {
	source     *Source
	collection *sourceCollection
	ids        idRange
}

// Name implements [record.Part].
func (p *collectionPart) Name() string { return p.collection.name() + p.ids.name }

// Read implements [record.Part]. Where the server is unavailable it resumes behind the last document, for as long as no
// document comes within the time that a command may take. Without an order of _ids it begins anew then, and delivers
// again what it has delivered.
func (p *collectionPart) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	r := partReading{collectionPart: p, yield: yield}
	if from != "" {
		id, err := base64.RawURLEncoding.DecodeString(from)
		if _, ok := idValue(string(id)); err != nil || !ok || !p.collection.ordered {
			return fmt.Errorf("read %s: %q is no position in it", p.Name(), from)
		}
		r.last = id
	}
	again := func(err error) bool { return retry.Temporary(err) && r.stopped == nil }
	policy := p.source.retry
	policy.Temporary = func(err error) bool { return again(err) && !r.moved }
	for {
		r.moved = false
		err := policy.Do(ctx, func() error { return r.scan(ctx) })
		if err == nil || !r.moved || !again(err) {
			return err
		}
	}
}

// partReading is one reading of a part.
type partReading struct {
	*collectionPart
	yield func(record.Page) error

	page record.Page
	size int    // of its documents, in bytes
	last []byte // the ID of the last document that was read; empty for none

	moved   bool  // since the time for trying again began, a document was read that was not before
	stopped error // by yield

	looked, counted int64 // documents that this scan has read, and that were delivered in pages
}

// scan reads from the last document to the end of the part.
func (r *partReading) scan(ctx context.Context) error {
	s, c := r.source, r.collection
	q := query{projection: sourceProjection(c.kind)}
	if c.ordered {
		ids := r.ids
		if id, ok := idValue(string(r.last)); ok {
			ids.from = id
		}
		q.ids = &ids
	} else {
		r.page, r.size, r.looked = record.Page{}, 0, 0
	}
	id := make([]byte, 0, len(r.last))
	for doc, err := range s.store.stream(ctx, c.name(), q) {
		if err != nil {
			return s.store.wrap("read "+c.name(), err)
		}
		id = appendID(id[:0], doc)
		// Several shards may have a document of one _id, and not all of them may have been read.
		if c.ordered && !s.store.router && bytes.Equal(id, r.last) {
			continue
		}
		r.last = append(r.last[:0], id...)
		if err := r.add(doc); err != nil {
			return err
		}
	}
	return r.flush()
}

// add adds what a document holds to the page.
func (r *partReading) add(doc bson.Raw) error {
	items, known := r.source.appendItems(r.page.Items, r.collection, doc)
	r.page.Items = items
	r.looked++
	if r.collection.ordered || r.looked > r.counted {
		r.moved = r.collection.ordered
		r.page.Seen.Keys++
		if known {
			r.page.Seen.Lanyard++
		}
	}
	if r.size += len(doc); len(items) < pageLength && r.page.Seen.Keys < pageLength && r.size < pageBytes {
		return nil
	}
	return r.flush()
}

// flush delivers the page.
func (r *partReading) flush() error {
	if len(r.page.Items) == 0 && r.page.Seen.Keys == 0 {
		return nil
	}
	page := r.page
	if r.collection.ordered {
		page.Next = base64.RawURLEncoding.EncodeToString(r.last)
	}
	r.page, r.size = record.Page{Items: make([]record.Item, 0, len(page.Items))}, 0
	r.counted = max(r.counted, r.looked)
	r.stopped = r.yield(page)
	return r.stopped
}

// sourceProjection returns the fields of which items are made, or nil where they are all of a document.
func sourceProjection(kind record.Kind) bson.D {
	about := schemaOf(kind).about()
	if about.whole {
		return nil
	}
	fields := bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: 1}}
	for _, name := range about.content {
		fields = append(fields, bson.E{Key: name, Value: 1})
	}
	return fields
}

// countersPart is the document of the counters.
type countersPart struct {
	source *Source
	kind   record.Kind
}

// Name implements [record.Part].
func (p countersPart) Name() string { return collectionName(p.kind) }

// Read implements [record.Part]. There are no positions.
func (p countersPart) Read(ctx context.Context, _ string, yield func(record.Page) error) error {
	page, err := p.source.counters(ctx, p.kind)
	if err != nil || page.Seen.Keys == 0 {
		return err
	}
	return yield(page)
}
