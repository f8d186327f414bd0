package mongo

import (
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// Fields of [record.WrittenField]: the mark, which is the digest of what lanyardctl wrote, and the types that BSON has not.
const (
	markField  = "digest"
	typesField = "types"
)

// appendMark appends the field that tells what lanyardctl wrote.
func appendMark(doc []byte, digest string, types ...noted) []byte {
	i, doc := bsoncore.AppendDocumentElementStart(doc, record.WrittenField)
	return finish(appendMarkFields(doc, digest, types), i)
}

func mark(digest string, types ...noted) []byte {
	i, doc := bsoncore.AppendDocumentStart(nil)
	return finish(appendMarkFields(doc, digest, types), i)
}

func appendMarkFields(doc []byte, digest string, types []noted) []byte {
	if digest != "" {
		doc = bsoncore.AppendStringElement(doc, markField, digest)
	}
	if len(types) == 0 {
		return doc
	}
	i, doc := bsoncore.AppendArrayElementStart(doc, typesField)
	for n, t := range types {
		doc = t.appendElement(doc, elementName(n))
	}
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

// appendElement appends a named value. Of a [record.Set], and of a [record.Decimal] that no Decimal128 holds, the type goes
// beside; see [noted].
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
			doc = appendElement(doc, elementName(n), e)
		}
		return finish(doc, i)
	case record.Object:
		return appendObject(doc, name, v)
	case record.Decimal:
		if d, ok := decimal128(v); ok {
			high, low := d.GetBytes()
			return bsoncore.AppendDecimal128Element(doc, name, high, low)
		}
		return bsoncore.AppendStringElement(doc, name, string(v))
	case record.Binary:
		return bsoncore.AppendBinaryElement(doc, name, bson.TypeBinaryGeneric, []byte(v))
	case record.Set:
		return appendElement(doc, name, v.Members)
	case record.Opaque:
		return bsoncore.AppendValueElement(doc, name, bsoncore.Value{Type: bsoncore.Type(v.Type), Data: v.Data})
	}
	return bsoncore.AppendNullElement(doc, name)
}

func appendObject(doc []byte, name string, v record.Object) []byte {
	i, doc := bsoncore.AppendDocumentElementStart(doc, name)
	var scratch [8]string
	for _, n := range record.AppendNames(scratch[:0], v) {
		doc = appendElement(doc, n, v[n])
	}
	return finish(doc, i)
}

// rawValue returns a value as it stands in a document.
func rawValue(v record.Value) bson.RawValue {
	return bson.RawElement(appendElement(nil, "v", v)).Value()
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
