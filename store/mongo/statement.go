package mongo

import (
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// guardBytes bounds what one statement may hold of a large value, before and after together: the server takes no more
// than 16 MiB and a little.
const guardBytes = 15 << 20

// statement returns the update that carries out a change. It writes whole values of top-level fields, whose names hold
// no dot, and is guarded by the values that were read.
func (w *writing) statement(c change) mongo.WriteModel {
	doc, d := c.found.own, c.decision
	now := bson.NewDateTimeFromTime(w.opts.Now())
	var set, unset, guard bson.D
	guarded := func(name string) { guard = append(guard, stillIs(doc, name)) }
	switch w.kind {
	case record.APIKeys:
		set = bson.D{{Key: "key", Value: d.APIKey}, {Key: "created_at", Value: now}}
		guarded("key")
	case record.KV:
		set = bson.D{{Key: "kv", Value: c.kv}}
		if len(c.kv)+len(lookup(doc, "kv").Value) < guardBytes {
			guarded("kv")
		} else {
			// Old and new value do not fit into one statement; the old one's size has to do.
			guard = append(guard, bson.E{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{
				bson.D{{Key: "$bsonSize", Value: "$kv"}}, len(lookup(doc, "kv").Value),
			}}}})
		}
	case record.LastSeen:
		set = bson.D{{Key: record.TimeField(w.kind), Value: d.Time}, {Key: "updated_at", Value: now}}
		guarded(record.TimeField(w.kind))
	case record.MonitoringSince:
		set = bson.D{{Key: record.TimeField(w.kind), Value: d.Time}}
		for _, name := range timeFields(w.kind) {
			guarded(name)
		}
	case record.Metrics:
		set = bson.D{{Key: "type", Value: globalType}, {Key: "updated_at", Value: now}}
		for _, name := range sortedNames(d.Set) {
			set = append(set, bson.E{Key: name, Value: d.Set[name]})
			guarded(name)
		}
	}
	if w.kind == record.APIKeys || w.kind == record.KV {
		if d.Mark != "" {
			set = append(set, bson.E{Key: record.WrittenField, Value: bson.Raw(mark(d.Mark))})
		} else if lookup(doc, record.WrittenField).Type != 0 {
			unset = bson.D{{Key: record.WrittenField, Value: ""}}
		}
	}
	if w.needsPaths(c) {
		set, unset = paths(d, set[1:], unset) // in place of the whole kv
	}
	filter := w.dialect.guard(w.identity(collectionName(w.kind), doc), guard)
	return w.dialect.update(w.Store, filter, doc, set, unset)
}

// needsPaths reports whether single key-value pairs have to be set in place of all: somebody inserted a name that begins with
// a dollar, which MongoDB before 5.0 takes deep in a new document, and refuses in whatever is set or replaced.
func (w *writing) needsPaths(c change) bool {
	return len(c.kv) > 0 && w.limits.NoDollars && dollarInside(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: c.kv})
}

// paths returns what has to be set and unset for the pairs of a decision, beside what else there is.
func paths(d record.Decision, set, unset bson.D) (bson.D, bson.D) {
	for _, name := range sortedNames(d.Set) {
		set = append(set, bson.E{Key: "kv." + name, Value: rawValue(d.Set[name])})
	}
	for _, name := range d.Unset {
		unset = append(unset, bson.E{Key: "kv." + name, Value: ""})
	}
	return set, unset
}

// rawValue returns a value as it stands in a document.
func rawValue(v record.Value) bson.RawValue {
	return bson.RawElement(appendElement(nil, "v", v)).Value()
}

// stillIs returns the condition that the document's field has the value that was read.
func stillIs(doc bson.Raw, name string) bson.E {
	v := lookup(doc, name)
	switch v.Type {
	case 0:
		return bson.E{Key: name, Value: bson.D{{Key: "$exists", Value: false}}}
	case bson.TypeUndefined: // of which servers compare the type alone; a list of it has the type, too
		return bson.E{Key: name, Value: bson.D{{Key: "$type", Value: int32(bson.TypeUndefined)}, {Key: "$not", Value: bson.D{{Key: "$type", Value: "array"}}}}}
	}
	return bson.E{Key: name, Value: bson.D{{Key: "$eq", Value: v}}}
}

// dollarInside reports whether a name at any depth of a value begins with a dollar.
func dollarInside(v bson.RawValue) bool {
	var inner bson.Raw
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		inner = v.Document()
	case bson.TypeArray:
		inner = bson.Raw(v.Array())
	}
	return slices.ContainsFunc(elementsOf(inner), func(e bson.RawElement) bool {
		return strings.HasPrefix(e.Key(), "$") || dollarInside(e.Value())
	})
}

// withNewID returns doc with an ObjectID in place of its _id.
func withNewID(doc bson.Raw) bson.Raw {
	i, out := bsoncore.AppendDocumentStart(nil)
	out = bsoncore.AppendObjectIDElement(out, "_id", bson.NewObjectID())
	for _, e := range elementsOf(doc) {
		if e.Key() != "_id" {
			out = append(out, e...)
		}
	}
	return finish(out, i)
}
