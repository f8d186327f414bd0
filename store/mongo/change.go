package mongo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// changeID returns the _id of a change, in whose order the changes of a sweep were made.
func changeID(c record.Change) string { return fmt.Sprintf("%s/%012d", c.Sweep, c.Seq) }

// ofSweep finds the changes of a sweep with a smaller _id than below; all where that is empty.
func ofSweep(sweep, below string) bson.D {
	if below == "" {
		below = sweep + "/:" // the character after the digits
	}
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: sweep + "/0"}, {Key: "$lt", Value: below}}}}
}

// changeDocument returns the form of a change in the database. What is empty is left out.
func changeDocument(c record.Change) bson.Raw {
	i, doc := bsoncore.AppendDocumentStart(nil)
	doc = bsoncore.AppendStringElement(doc, "_id", changeID(c))
	doc = bsoncore.AppendStringElement(doc, "sweep", c.Sweep)
	doc = bsoncore.AppendInt64Element(doc, "seq", c.Seq)
	if c.User != 0 {
		doc = bsoncore.AppendStringElement(doc, "user_id", c.User.String())
	}
	doc = bsoncore.AppendStringElement(doc, "collection", c.Collection.String())
	doc = bsoncore.AppendStringElement(doc, "action", string(c.Action))
	if c.Place != "" {
		doc = bsoncore.AppendStringElement(doc, "source", c.Place)
	}
	if c.From != 0 {
		doc = bsoncore.AppendInt64Element(doc, "from", c.From)
	}
	if c.To != 0 {
		doc = bsoncore.AppendInt64Element(doc, "to", c.To)
	}
	steps, doc := bsoncore.AppendArrayElementStart(doc, "steps")
	for n, s := range c.Steps {
		var step int32
		step, doc = bsoncore.AppendDocumentElementStart(doc, index(n))
		doc = bsoncore.AppendStringElement(doc, "collection", s.Collection.String())
		doc = bsoncore.AppendBinaryElement(doc, "id", 0, []byte(s.ID))
		if s.Before != nil {
			doc = bsoncore.AppendBinaryElement(doc, "before", 0, s.Before)
		}
		if s.After != nil {
			doc = bsoncore.AppendBinaryElement(doc, "after", 0, s.After)
		}
		doc = finish(doc, step)
	}
	return finish(finish(doc, steps), i)
}

// changeOf returns the change that a document of the journal is.
func changeOf(doc bson.Raw) (record.Change, error) {
	var c record.Change
	var d struct {
		Sweep      string        `bson:"sweep"`
		Seq        int64         `bson:"seq"`
		UserID     string        `bson:"user_id"`
		Collection string        `bson:"collection"`
		Action     record.Action `bson:"action"`
		Source     string        `bson:"source"`
		From       int64         `bson:"from"`
		To         int64         `bson:"to"`
		Steps      []struct {
			Collection string `bson:"collection"`
			ID         []byte `bson:"id"`
			Before     []byte `bson:"before"`
			After      []byte `bson:"after"`
		} `bson:"steps"`
	}
	if err := bson.Unmarshal(doc, &d); err != nil {
		return c, err
	}
	c = record.Change{Sweep: d.Sweep, Seq: d.Seq, Action: d.Action, Place: d.Source, From: d.From, To: d.To}
	c.User, _ = record.ParseUserID(d.UserID) // zero for nobody
	var ok bool
	if c.Collection, ok = record.ParseCollection(d.Collection); !ok {
		return c, fmt.Errorf("change %d is of an unknown collection", d.Seq)
	}
	if len(d.Steps) > 0 {
		c.Steps = make([]record.Step, len(d.Steps))
	}
	for i, s := range d.Steps {
		c.Steps[i] = record.Step{ID: string(s.ID), Before: s.Before, After: s.After}
		if c.Steps[i].Collection, ok = record.ParseCollection(s.Collection); !ok {
			return c, fmt.Errorf("change %d is of an unknown collection", d.Seq)
		}
	}
	return c, nil
}

// Changes implements [record.Journal].
func (j *Journal) Changes(ctx context.Context, sweep string, yield func([]record.Change) error) error {
	return j.changes(ctx, sweep, nil, yield)
}

// List implements [record.Journal].
func (j *Journal) List(ctx context.Context, sweep string, yield func([]record.Change) error) error {
	return j.changes(ctx, sweep, bson.D{{Key: "steps", Value: 0}}, yield)
}

// changes delivers the changes of a sweep with what the projection leaves of them. MongoDB reads them in the order of an
// index. FerretDB, which would hold all of them to sort them, reads the collection once for some thousands of changes.
func (j *Journal) changes(ctx context.Context, sweep string, projection bson.D, yield func([]record.Change) error) error {
	p := pages[record.Change]{yield: yield}
	read := j.changesSorted
	if j.quirks.sortLoads {
		read = j.changesUnsorted
	}
	err := read(ctx, sweep, projection, &p)
	switch {
	case p.stopped != nil:
		return p.stopped
	case err != nil:
		return j.wrap("read the changes of sweep "+sweep, err)
	}
	return p.flush()
}

func addChange(p *pages[record.Change], doc bson.Raw) error {
	c, err := changeOf(doc)
	if err != nil {
		return err
	}
	return p.add(c, len(doc))
}

func (j *Journal) changesSorted(ctx context.Context, sweep string, projection bson.D, p *pages[record.Change]) error {
	q := query{filter: ofSweep(sweep, ""), projection: projection, sort: bson.D{{Key: "_id", Value: -1}}}
	for doc, err := range j.stream(ctx, SweepChangesCollection, q) {
		if err != nil {
			return err
		}
		if err := addChange(p, doc); err != nil {
			return err
		}
	}
	return nil
}

// changesUnsorted reads the collection again and again: each time, as many of the last changes that were not delivered
// as may be held in memory.
func (j *Journal) changesUnsorted(ctx context.Context, sweep string, projection bson.D, p *pages[record.Change]) error {
	for below, more := "", true; more; {
		last := lastChanges{maxCount: sortedLength, maxBytes: sortedBytes}
		for doc, err := range j.stream(ctx, SweepChangesCollection, query{filter: ofSweep(sweep, below), projection: projection}) {
			if err != nil {
				return err
			}
			last.add(doc)
		}
		sorted := last.descending()
		for _, doc := range sorted {
			if err := addChange(p, doc.raw); err != nil {
				return err
			}
			below = doc.id
		}
		more = last.dropped
	}
	return nil
}

// Bounds of what is held to be sorted.
const (
	sortedLength = 10_000
	sortedBytes  = 16 << 20 // of BSON, or one document
)

// lastChanges collects the documents with the largest _id, as many as it may hold.
type lastChanges struct {
	maxCount, maxBytes int

	held    []heldChange // not sorted
	bytes   int
	floor   string // no document below it is held any more
	dropped bool
}

type heldChange struct {
	id  string
	raw bson.Raw
}

func (l *lastChanges) add(doc bson.Raw) {
	id := lookup(doc, "_id").StringValue()
	if id < l.floor {
		return
	}
	l.held = append(l.held, heldChange{id, slices.Clone(doc)})
	l.bytes += len(doc)
	// Twice as many as in the end, so that they are sorted seldom.
	if len(l.held) >= 2*l.maxCount || l.bytes >= 2*l.maxBytes {
		l.cut()
	}
}

// cut sorts the documents and drops the smallest that are too many.
func (l *lastChanges) cut() {
	slices.SortFunc(l.held, func(a, b heldChange) int { return strings.Compare(b.id, a.id) })
	l.held = slices.CompactFunc(l.held, func(a, b heldChange) bool { return a.id == b.id })
	l.bytes = 0
	for n, doc := range l.held {
		if n > 0 && (n >= l.maxCount || l.bytes+len(doc.raw) > l.maxBytes) {
			clear(l.held[n:])
			l.held, l.floor, l.dropped = l.held[:n], l.held[n-1].id, true
			return
		}
		l.bytes += len(doc.raw)
	}
}

func (l *lastChanges) descending() []heldChange {
	l.cut()
	return l.held
}
