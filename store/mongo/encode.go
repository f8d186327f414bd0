package mongo

import (
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// newDocument returns r as a new document of its collection. Its _id is the user id, and for the counters "global".
func newDocument(r record.Record, now time.Time) bson.Raw {
	i, doc := bsoncore.AppendDocumentStart(make([]byte, 0, r.DocumentSize()))
	if r.Kind == record.Metrics {
		doc = bsoncore.AppendStringElement(doc, "_id", globalType)
		doc = bsoncore.AppendStringElement(doc, "type", globalType)
		for _, name := range r.FieldNames() {
			doc = appendElement(doc, name, r.Fields[name].Value)
		}
		doc = bsoncore.AppendDateTimeElement(doc, "updated_at", now.UnixMilli())
		return finish(doc, i)
	}
	id := r.User.String()
	doc = bsoncore.AppendStringElement(doc, "_id", id)
	doc = bsoncore.AppendStringElement(doc, "user_id", id)
	switch r.Kind {
	case record.APIKeys:
		doc = bsoncore.AppendStringElement(doc, "key", r.APIKey)
		doc = bsoncore.AppendDateTimeElement(doc, "created_at", now.UnixMilli())
		doc = appendMark(doc, r.Digest().String())
	case record.KV:
		var k int32
		k, doc = bsoncore.AppendDocumentElementStart(doc, "kv")
		for _, name := range r.FieldNames() {
			doc = appendElement(doc, name, r.Fields[name].Value)
		}
		doc = finish(doc, k)
		doc = appendMark(doc, r.Digest().String())
	case record.LastSeen:
		doc = bsoncore.AppendInt64Element(doc, "timestamp", r.Time)
		doc = bsoncore.AppendDateTimeElement(doc, "updated_at", now.UnixMilli())
	case record.MonitoringSince:
		doc = bsoncore.AppendInt64Element(doc, "since", r.Time)
	}
	return finish(doc, i)
}

// appendMark appends the field that tells what lanyardctl wrote.
func appendMark(doc []byte, digest string) []byte {
	return bsoncore.AppendDocumentElement(doc, record.WrittenField, mark(digest))
}

func mark(digest string) []byte {
	i, doc := bsoncore.AppendDocumentStart(nil)
	doc = bsoncore.AppendStringElement(doc, "digest", digest)
	return finish(doc, i)
}

// finish ends the document that was started at i.
func finish(doc []byte, i int32) []byte {
	doc, err := bsoncore.AppendDocumentEnd(doc, i)
	if err != nil {
		panic("mongo: " + err.Error()) // the index comes from the start of the same document
	}
	return doc
}

// appendElement appends a named value.
func appendElement(doc []byte, name string, v record.Value) []byte {
	switch v := v.(type) {
	case bool:
		return bsoncore.AppendBooleanElement(doc, name, v)
	case int64:
		return bsoncore.AppendInt64Element(doc, name, v)
	case float64:
		return bsoncore.AppendDoubleElement(doc, name, v)
	case string:
		return bsoncore.AppendStringElement(doc, name, v)
	case record.Array:
		i, doc := bsoncore.AppendArrayElementStart(doc, name)
		for n, e := range v {
			doc = appendElement(doc, index(n), e)
		}
		return finish(doc, i)
	case record.Object:
		i, doc := bsoncore.AppendDocumentElementStart(doc, name)
		for _, n := range sortedNames(v) {
			doc = appendElement(doc, n, v[n])
		}
		return finish(doc, i)
	case record.Opaque:
		return bsoncore.AppendValueElement(doc, name, bsoncore.Value{Type: bsoncore.Type(v.Type), Data: v.Data})
	}
	return bsoncore.AppendNullElement(doc, name)
}

// mergedKV returns the kv document of doc with the decision's changes: fields that stay keep their place and their exact
// encoding, and those of exact come in theirs.
func mergedKV(doc bson.Raw, d record.Decision, exact map[string]bson.RawElement) bson.Raw {
	i, kv := bsoncore.AppendDocumentStart(nil)
	set := func(name string) {
		if e, ok := exact[name]; ok {
			kv = append(kv, e...)
		} else {
			kv = appendElement(kv, name, d.Set[name])
		}
	}
	written := make(map[string]bool)
	gone := make(map[string]bool, len(d.Unset))
	for _, name := range d.Unset {
		gone[name] = true
	}
	if old, ok := lookup(doc, "kv").DocumentOK(); ok {
		for _, e := range elementsOf(old) {
			name := e.Key()
			_, changed := d.Set[name]
			switch {
			case gone[name] || written[name]:
			case changed:
				set(name)
			default:
				kv = append(kv, e...)
			}
			written[name] = true
		}
	}
	for _, name := range sortedNames(d.Set) {
		if !written[name] {
			set(name)
		}
	}
	return finish(kv, i)
}
