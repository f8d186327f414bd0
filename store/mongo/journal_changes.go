package mongo

import (
	"context"
	"errors"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// changeID returns the _id of a change, in whose order the changes of a sweep were made.
func changeID(c record.Change) string { return fmt.Sprintf("%s/%012d", c.Sweep, c.Seq) }

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
		step, doc = bsoncore.AppendDocumentElementStart(doc, elementName(n))
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
		return c, errOtherCollection
	}
	if len(d.Steps) > 0 {
		c.Steps = make([]record.Step, len(d.Steps))
	}
	for i, s := range d.Steps {
		c.Steps[i] = record.Step{ID: string(s.ID), Before: s.Before, After: s.After}
		if c.Steps[i].Collection, ok = record.ParseCollection(s.Collection); !ok {
			return c, errOtherCollection
		}
		for _, document := range [][]byte{s.Before, s.After} {
			if document != nil && bson.Raw(document).Validate() != nil {
				return c, errNoDocument
			}
		}
	}
	return c, nil
}

// What a change of the journal may not hold.
var (
	errOtherCollection = errors.New("it names a collection that no sweep changes")
	errNoDocument      = errors.New("a document that it keeps is none")
)

// Changes implements [record.Journal].
func (j *Journal) Changes(ctx context.Context, sweep string, yield func([]record.Change) error) error {
	return j.changes(ctx, sweep, nil, yield)
}

// List implements [record.Journal].
func (j *Journal) List(ctx context.Context, sweep string, yield func([]record.Change) error) error {
	return j.changes(ctx, sweep, bson.D{{Key: "steps", Value: 0}}, yield)
}

// changes delivers the changes of a sweep, the last first, with what the projection leaves of them.
func (j *Journal) changes(ctx context.Context, sweep string, projection bson.D, yield func([]record.Change) error) error {
	p := pages[record.Change]{yield: yield}
	operation := "read the changes of sweep " + sweep
	// From the first digit of a number to the character after all digits.
	for doc, err := range j.dialect.descending(ctx, j.Store, SweepChangesCollection, sweep+"/0", sweep+"/:", projection) {
		if err != nil {
			return j.wrap(operation, err)
		}
		c, err := changeOf(doc)
		if err != nil {
			return j.wrap(operation, damaged(SweepChangesCollection, doc, err))
		}
		if err := p.add(c, len(doc)); err != nil {
			return err
		}
	}
	return p.flush()
}
