package mongo

import (
	"maps"
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

// held returns what a document of the kind holds, but for [record.Held.Holder]. The user is the one whose document it is;
// doc may be nil.
func held(kind record.Kind, user record.UserID, doc bson.Raw) record.Held {
	h := record.Held{Found: doc != nil}
	content := record.Record{Kind: kind, User: user}
	switch kind {
	case record.APIKeys:
		key := lookup(doc, "key")
		var ok bool
		if h.APIKey, ok = key.StringValueOK(); !ok && key.Type != 0 && key.Type != bson.TypeNull {
			h.Junk = value(key)
		}
		content.APIKey = h.APIKey
		h.Written = record.StillWritten(content, markOf(doc))
	case record.KV:
		kv := lookup(doc, "kv")
		fields, ok := kv.DocumentOK()
		if !ok {
			if kv.Type != 0 {
				h.Junk = value(kv)
			}
			return h
		}
		h.Fields = object(fields)
		if m := markOf(doc); m != "" {
			content.Fields = make(map[string]record.Field, len(h.Fields))
			for name, v := range h.Fields {
				content.Fields[name] = record.Field{Value: v}
			}
			h.Written = record.StillWritten(content, m)
		}
	case record.LastSeen, record.MonitoringSince:
		h.Times = make(map[string]any)
		for _, name := range timeFields(kind) {
			if v := lookup(doc, name); v.Type != 0 {
				h.Times[name] = moment(v)
			}
		}
	case record.Metrics:
		h.Hidden = doc != nil && !isGlobal(doc)
		h.Fields = make(map[string]record.Value)
		for _, e := range elementsOf(doc) {
			if name := e.Key(); !record.ReservedCounter(name) {
				h.Fields[name] = number(e.Value())
			}
		}
	}
	return h
}

// standing returns what a document of the kind holds, and whose it is.
func standing(kind record.Kind, doc bson.Raw) record.Standing {
	s := record.Standing{Kind: kind}
	if kind != record.Metrics {
		s.User, s.Name, s.Numeric = owner(doc)
	}
	s.Held = held(kind, s.User, doc)
	return s
}

// owner returns the user whose document the app takes it for, or what the document has in place of a user id, which may
// be a number.
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
	return 0, text, v.IsNumber()
}

// timeFields returns the fields in which the app and its forks keep the time of a kind.
func timeFields(kind record.Kind) []string {
	if kind == record.MonitoringSince {
		return []string{record.TimeField(kind), "monitoring_since"}
	}
	return []string{record.TimeField(kind)}
}

// markOf returns the digest that the document carries, if any.
func markOf(doc bson.Raw) string {
	m, _ := lookup(doc, record.WrittenField, "digest").StringValueOK()
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

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// index returns an array's element name.
func index(i int) string { return strconv.Itoa(i) }
