package mongo

import (
	"slices"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// value returns a BSON value as a record's value. What Redis and JSON do not know stays opaque.
func value(v bson.RawValue) record.Value {
	switch v.Type {
	case bson.TypeNull:
		return nil
	case bson.TypeBoolean:
		return v.Boolean()
	case bson.TypeInt32:
		return int64(v.Int32())
	case bson.TypeInt64:
		return v.Int64()
	case bson.TypeDouble:
		return v.Double()
	case bson.TypeString:
		return v.StringValue()
	case bson.TypeEmbeddedDocument:
		return object(v.Document())
	case bson.TypeArray:
		values, err := v.Array().Values()
		if err != nil {
			break
		}
		list := make(record.Array, len(values))
		for i, e := range values {
			list[i] = value(e)
		}
		return list
	}
	return record.Opaque{Type: byte(v.Type), Data: slices.Clone(v.Value)}
}

func object(doc bson.Raw) record.Object {
	elements := elementsOf(doc)
	o := make(record.Object, len(elements))
	for _, e := range elements {
		o[e.Key()] = value(e.Value())
	}
	return o
}

// moment returns a BSON value as [record.Timestamp] takes it.
func moment(v bson.RawValue) any {
	switch v.Type {
	case bson.TypeDateTime:
		return v.Time()
	case bson.TypeDecimal128:
		return v.Decimal128().String()
	}
	return value(v)
}

// number returns a BSON value as [record.Counter] takes it.
func number(v bson.RawValue) record.Value {
	if v.Type == bson.TypeDecimal128 {
		return v.Decimal128().String()
	}
	return value(v)
}

// owner returns the user whose document it is, by text or by a number, and what the document has in place of the text of a
// user id.
func owner(doc bson.Raw) (user record.UserID, name string, numeric bool) {
	v := lookup(doc, "user_id")
	if v.Type == 0 {
		return 0, "", false
	}
	text, ok := number(v).(string) // a decimal is its digits
	if !ok {
		text = string(record.JSON(value(v)))
	}
	if v.Type == bson.TypeString {
		if user, ok := record.ParseUserID(text); ok {
			return user, "", false
		}
	}
	if whole, ok := wholeUser(v); ok {
		user = whole
	}
	return user, text, v.IsNumber()
}

// markOf returns the digest that the document carries, if any.
func markOf(doc bson.Raw) string {
	m, _ := lookup(doc, record.WrittenField, markField).StringValueOK()
	return m
}

// repeatedName returns the name of a field that the document, or its key-value pairs, hold more than once: whoever reads
// it takes the first or the last, and a change would drop the other. It reports false where there is none.
func repeatedName(doc bson.Raw) (name string, repeated bool) {
	pairs, _ := lookup(doc, "kv").DocumentOK()
	for _, fields := range []bson.Raw{doc, pairs} {
		seen := make(map[string]bool)
		for _, e := range elementsOf(fields) {
			if name := e.Key(); seen[name] {
				return name, true
			}
			seen[e.Key()] = true
		}
	}
	return "", false
}

// repeatsNameAtAnyDepth reports whether a document, or one at any depth in it, holds a name more than once.
func repeatsNameAtAnyDepth(doc bson.Raw) bool {
	seen := make(map[string]bool)
	for _, e := range elementsOf(doc) {
		if seen[e.Key()] || repeatsNameIn(e.Value()) {
			return true
		}
		seen[e.Key()] = true
	}
	return false
}

func repeatsNameIn(v bson.RawValue) bool {
	switch v.Type {
	case bson.TypeEmbeddedDocument:
		return repeatsNameAtAnyDepth(v.Document())
	case bson.TypeArray:
		return slices.ContainsFunc(elementsOf(bson.Raw(v.Array())), func(e bson.RawElement) bool { return repeatsNameIn(e.Value()) })
	}
	return false
}

func elementsOf(doc bson.Raw) []bson.RawElement {
	elements, _ := doc.Elements() // the driver validated the document when it was read
	return elements
}

// lookup returns a field, or a value of type zero where there is none; doc may be nil.
func lookup(doc bson.Raw, path ...string) bson.RawValue {
	if doc == nil {
		return bson.RawValue{}
	}
	v, err := doc.LookupErr(path...)
	if err != nil {
		return bson.RawValue{}
	}
	return v
}

func sortedNames[V any](m map[string]V) []string { return record.AppendNames(nil, m) }

// elementName returns the name of an array's element.
func elementName(i int) string { return strconv.Itoa(i) }
