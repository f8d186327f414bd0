package mongo

import (
	"bytes"
	"context"
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// The fields of what a document of the counters has in [record.WrittenField].
const (
	noteField   = "note"   // what lanyardctl noted, as bytes
	changeField = "change" // an ObjectID of the change's own, so that no two changes have the same document
)

// counterDocuments returns the document of the counters, whole, and any other that the app may take for it.
func (p *Persistence) counterDocuments(ctx context.Context) ([]record.Document, error) {
	const c = record.MetricsCollection
	w := newWhole(c, maxHeld)
	for doc, err := range p.stream(ctx, c.String(), query{filter: countersFilter}) {
		if err == nil {
			err = w.add(doc)
		}
		if err != nil {
			return nil, p.Documents().wholeError(c, err)
		}
	}
	var typed, byID []record.Document
	for _, d := range w.documents {
		if d.Held.Untyped {
			byID = append(byID, d)
		} else {
			typed = append(typed, d)
		}
	}
	if len(typed) > 0 {
		return typed, nil
	}
	return byID, nil
}

func countersEntry(d record.Document) record.Entry {
	e := record.Entry{Fields: make(map[string]record.Value, len(d.Held.Fields))}
	if d.Held.Untyped {
		addFault(&e, "the document lacks its type, so that Lanyard does not find it")
	}
	if d.Repeated {
		addFault(&e, "the document holds two fields of one name")
	}
	for _, name := range sortedNames(d.Held.Fields) {
		v, reason, detail := record.Counter(name, d.Held.Fields[name])
		if reason == "" {
			e.Fields[name] = v
			if _, text := d.Held.Fields[name].(string); !text {
				continue
			}
			detail = "text in place of a number"
		}
		if e.Unreadable == nil {
			e.Unreadable = make(map[string]string)
		}
		e.Unreadable[name] = detail
	}
	return e
}

// UpdateCounters implements [record.Persistence].
func (p *Persistence) UpdateCounters(
	ctx context.Context, decide func(held record.Entry, note []byte) (set map[string]record.Value, newNote []byte, err error),
) error {
	const what = "change the counters"
	return p.untilMade(ctx, what, func() (bool, error) {
		documents, err := p.counterDocuments(ctx)
		if err != nil {
			return false, err
		}
		held := record.Entry{Place: record.MetricsCollection.String(), Apps: forkAlone}
		var before bson.Raw
		if len(documents) > 0 {
			held, before = entriesOf(documents, countersEntry)[0], documents[0].Raw
		}
		_, note, _ := lookup(before, record.WrittenField, noteField).BinaryOK()
		set, newNote, err := decide(held, bytes.Clone(note))
		if err == nil && held.Fault != "" {
			err = fmt.Errorf("%s: %s", what, held.Fault)
		}
		if err == nil {
			err = p.checkHeld(record.Metrics, 0, set)
		}
		if err != nil || len(set) == 0 && bytes.Equal(note, newNote) {
			return err == nil, err
		}
		return p.apply(ctx, globalType, p.countersStep(documents, set, newNote))
	})
}

func (p *Persistence) countersStep(documents []record.Document, set map[string]record.Value, note []byte) record.Step {
	var before []byte
	f := &fields{at: make(map[string]int)}
	if len(documents) > 0 {
		f, before = union(documents[:1]), documents[0].Raw
	} else {
		f.setText("_id", globalType)
	}
	f.setText("type", globalType)
	for _, name := range sortedNames(set) {
		f.set(name, appendElement(nil, name, set[name]))
	}
	f.set("updated_at", bsoncore.AppendDateTimeElement(nil, "updated_at", p.now().UnixMilli()))
	i, ours := bsoncore.AppendDocumentElementStart(nil, record.WrittenField)
	ours = bsoncore.AppendBinaryElement(ours, noteField, bson.TypeBinaryGeneric, note)
	ours = bsoncore.AppendObjectIDElement(ours, changeField, bson.NewObjectID())
	f.set(record.WrittenField, finish(ours, i))
	return f.step(record.MetricsCollection, before)
}
