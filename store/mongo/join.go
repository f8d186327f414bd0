package mongo

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// Joined implements [record.Documents].
func (d *Documents) Joined(j record.Join) record.Step {
	step := record.Step{Collection: j.Collection}
	fields := newFields(j)
	if len(j.Documents) > 0 {
		step.Before = j.Documents[0].Raw
		fields = union(j.Documents)
	}
	fields.setText("user_id", j.User.String())
	schemaOf(j.Collection.Form()).join(fields, j.Documents, j.Decision)
	doc := fields.document()
	step.ID, step.After = idOf(doc), doc
	return step
}

// newFields returns the fields of a new document but for what a join sets: its _id.
func newFields(j record.Join) *fields {
	f := &fields{at: make(map[string]int)}
	f.setText("_id", j.User.String())
	if j.OtherID {
		f.set("_id", bsoncore.AppendObjectIDElement(nil, "_id", bson.NewObjectID()))
	}
	return f
}

// union returns the fields of the first document, and those of the others that it lacks.
func union(documents []record.Document) *fields {
	f := &fields{at: make(map[string]int)}
	for _, doc := range documents {
		for _, e := range elementsOf(doc.Raw) {
			if _, exists := f.at[e.Key()]; !exists {
				f.set(e.Key(), e)
			}
		}
	}
	return f
}

// fields are the fields of a document in the making. A field that is changed keeps its place.
type fields struct {
	elements []bson.RawElement // nil for one that was removed
	at       map[string]int
}

func (f *fields) set(name string, e bson.RawElement) {
	if i, exists := f.at[name]; exists {
		f.elements[i] = e
		return
	}
	f.at[name] = len(f.elements)
	f.elements = append(f.elements, e)
}

func (f *fields) remove(name string) {
	if i, exists := f.at[name]; exists {
		f.elements[i] = nil
		delete(f.at, name)
	}
}

// value returns a field's value, of type zero where there is none.
func (f *fields) value(name string) bson.RawValue {
	i, exists := f.at[name]
	if !exists {
		return bson.RawValue{}
	}
	return f.elements[i].Value()
}

func (f *fields) setText(name, text string) {
	if stands, ok := f.value(name).StringValueOK(); !ok || stands != text {
		f.set(name, bsoncore.AppendStringElement(nil, name, text))
	}
}

// setInteger sets a field, unless it is an integer of this value.
func (f *fields) setInteger(name string, n int64) {
	v := f.value(name)
	if integer := v.Type == bson.TypeInt32 || v.Type == bson.TypeInt64; !integer || v.AsInt64() != n {
		f.set(name, bsoncore.AppendInt64Element(nil, name, n))
	}
}

func (f *fields) document() bson.Raw {
	i, doc := bsoncore.AppendDocumentStart(nil)
	for _, e := range f.elements {
		doc = append(doc, e...)
	}
	return finish(doc, i)
}
