package verify

import (
	"github.com/lanyardctl/lanyardctl/record"
)

// expected is a record of the source in the smallest form in which it can still be compared: values of key-value pairs,
// which may be long, and API keys, which are secret, are replaced by their digests.
type expected struct {
	present bool   // the source has the record; else only what was rejected of it is known
	met     bool   // the target has a document for it
	id      string // of that document, where it may come again
	time    int64
	more    *details // nil for the kinds with a time
}

// details are what the kinds without a time need.
type details struct {
	key          record.Digest // of the API key
	rejectedKeys []record.Digest
	fields       []field
	omitted      *record.Omitted
}

type field struct {
	name  string
	value record.Value
}

// About how many bytes holding takes, with the map's share.
const (
	costOfRecord  = 88
	costOfDetails = 128
	costOfField   = 64
	costOfBucket  = 512 // what is counted of it
)

// costOf returns about how many bytes holding the item takes.
func costOf(it record.Item) int64 {
	cost := int64(costOfRecord)
	if it.Kind.Shape() != record.TimeShape {
		cost += costOfDetails
	}
	if it.Record != nil {
		for name := range it.Record.Fields {
			cost += costOfField + int64(len(name))
		}
	}
	if l := it.Omitted(); l != nil {
		for _, name := range l.Names {
			cost += costOfField + int64(len(name))
		}
	}
	return cost
}

// digested returns what stands for a value of the kind: itself where one value is better than another.
func digested(kind record.Kind, v record.Value) record.Value {
	if kind.Ordered() {
		return v
	}
	digest := record.ValueDigest(v)
	return record.Opaque{Data: digest[:]}
}

func digestedKey(key string) string {
	if key == "" {
		return ""
	}
	digest := record.ValueDigest(key)
	return string(digest[:])
}

// empty reports whether the record has no fields, so that a target without a document says the same.
func (e *expected) empty(kind record.Kind) bool {
	return kind.Shape() == record.FieldsShape && (e.more == nil || len(e.more.fields) == 0 && e.more.omitted == nil)
}

// take takes in an item of the source. Of an item that comes again, the last counts.
func (e *expected) take(it record.Item) {
	if it.Kind.Shape() == record.TimeShape {
		if it.Record != nil {
			e.present, e.time = true, it.Record.Time
		}
		return
	}
	if e.more == nil {
		e.more = new(details)
	}
	if it.APIKey != "" {
		e.more.rejectedKeys = append(e.more.rejectedKeys, record.ValueDigest(it.APIKey))
	}
	e.more.omitted = it.Omitted()
	if it.Record == nil {
		return
	}
	e.present = true
	if it.Kind.Shape() == record.TextShape {
		e.more.key = record.ValueDigest(it.Record.APIKey)
		return
	}
	e.more.fields = make([]field, 0, len(it.Record.Fields))
	for name, f := range it.Record.Fields {
		e.more.fields = append(e.more.fields, field{name, digested(it.Kind, f.Value)})
	}
}

// record returns the record, with digests in place of values.
func (e *expected) record(kind record.Kind, id record.Identity) record.Record {
	r := record.Record{Kind: kind, User: id.User, Name: id.Name, Time: e.time}
	if e.more == nil {
		return r
	}
	if kind.Shape() == record.TextShape {
		r.APIKey = string(e.more.key[:])
		return r
	}
	r.Omitted = e.more.omitted
	r.Fields = make(map[string]record.Field, len(e.more.fields))
	for _, f := range e.more.fields {
		r.Fields[f.name] = record.Field{Value: f.value}
	}
	return r
}

// hasRejectedKey reports whether the source has the document's API key, though it does not go on.
func (e *expected) hasRejectedKey(s record.Document) bool {
	if e.more == nil {
		return false
	}
	for _, key := range e.more.rejectedKeys {
		if key == record.ValueDigest(s.Held.APIKey) {
			return true
		}
	}
	return false
}

// withDigests returns the document with digests in place of values.
func withDigests(s record.Document) record.Document {
	switch {
	case s.Kind.Ordered():
	case s.Kind.Shape() == record.TextShape:
		s.Held.APIKey = digestedKey(s.Held.APIKey)
	default:
		fields := make(map[string]record.Value, len(s.Held.Fields))
		for name, v := range s.Held.Fields {
			fields[name] = digested(s.Kind, v)
		}
		s.Held.Fields = fields
	}
	return s
}
