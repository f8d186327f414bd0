package mongo

import (
	"math"
	"math/big"
	"slices"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// itemSchema is that of the documents of a table's items: {_id: NAME, ATTRIBUTE: value, …}. Numbers are int64 or Decimal128,
// sets are arrays in ascending order, and a number that no Decimal128 holds is its text. Their types stand beside, in
// {lanyardctl: {types: [{path: ["tags"], type: "SS"}, {path: ["list", 0], type: "N"}]}}.
type itemSchema struct{ traits }

// nameOf returns the name of an item's document: its _id. It reports false for a document whose _id is no text, with the JSON
// of that.
func nameOf(doc bson.Raw) (name record.Name, named bool) {
	id := lookup(doc, "_id")
	text, named := id.StringValueOK()
	if !named {
		text = string(record.JSON(attribute(id, nil)))
	}
	return record.NameOf(text), named
}

func (*itemSchema) appendContent(doc []byte, r record.Record, _ time.Time) []byte {
	for _, name := range r.FieldNames() {
		doc = appendElement(doc, name, r.Fields[name].Value)
	}
	return doc
}

func (s *itemSchema) held(_ record.UserID, doc bson.Raw) record.Held {
	if doc == nil {
		return record.Held{}
	}
	h := record.Held{Found: true, Fields: attributesOf(doc)}
	if m := markOf(doc); m != "" {
		stands := record.Document{Kind: s.kind, Held: h}
		stands.Name, stands.Named = nameOf(doc)
		h.Unmodified = record.Unmodified(stands.Content(time.Time{}).Record, m)
	}
	return h
}

// appendItems makes each document an item of its own. It is rejected as a whole where its _id is not what its key says, for a
// table whose key is known.
func (s *itemSchema) appendItems(items []record.Item, from itemOrigin, documents ...bson.Raw) []record.Item {
	for _, doc := range documents {
		r := &record.Record{Kind: s.kind, Fields: make(map[string]record.Field)}
		var named bool
		r.Name, named = nameOf(doc)
		for name, v := range attributesOf(doc) {
			r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Key: from.key, Raw: string(record.JSON(v))}}
		}
		reason, detail := refusedItem(r, named, doc)
		if reason == "" {
			items = append(items, record.Item{Kind: s.kind, Record: r})
			continue
		}
		rejects := r.Rejects(reason, detail)
		if len(rejects) == 0 {
			rejects = []record.Reject{{Key: from.key, Kind: s.kind, Name: r.Name, Reason: reason, Detail: detail, Value: record.Raw("{}")}}
		}
		items = append(items, record.Item{Kind: s.kind, Rejects: rejects})
	}
	return items
}

// refusedItem returns why a document is no item; no reason where it is one.
func refusedItem(r *record.Record, named bool, doc bson.Raw) (reason record.Reason, detail string) {
	if !named || r.Name == (record.Name{}) {
		return record.InvalidItemKey, "the document's _id is no text that names an item"
	}
	if repeatsNameAtAnyDepth(doc) {
		return record.ConflictReason, "the document holds a name twice"
	}
	for name := range r.Fields {
		if !utf8.ValidString(name) {
			return record.InvalidFieldName, "a name in the document is not valid UTF-8"
		}
	}
	table, _ := r.Kind.Table()
	if len(table.Keys) == 0 {
		return "", ""
	}
	switch name, err := record.ItemName(table.Keys, r.Fields); {
	case err != nil:
		return record.InvalidItemKey, err.Error()
	case name != r.Name:
		return record.InvalidItemKey, "the document's _id is not the one that its key gives: somebody changed one of the two"
	}
	return "", ""
}

// outlined returns nothing: a sweep is about users.
func (*itemSchema) outlined(record.UserID, bson.Raw) record.Held { return record.Held{Found: true} }

// patch is guarded by all that the document holds, as the decision was about all of it.
func (*itemSchema) patch(doc bson.Raw, d record.Decision, _ record.Limits, _ time.Time) patch {
	var p patch
	becomes := attributesOf(doc)
	size := 0
	for _, name := range sortedNames(d.Set) {
		v := rawValue(d.Set[name])
		p.set = append(p.set, bson.E{Key: name, Value: v})
		was := lookup(doc, name)
		if size += len(v.Value); was.Type == 0 {
			p.grows += len(name) + 2 // the type, and the end of the name
		}
		p.grows += len(v.Value) - len(was.Value)
		becomes[name] = d.Set[name]
	}
	for _, name := range d.Unset {
		p.unset = append(p.unset, bson.E{Key: name, Value: ""})
		delete(becomes, name)
	}
	for _, name := range sortedNames(becomes) {
		p.types = appendTypes(p.types, []any{name}, becomes[name])
	}
	p.guard = bson.D{stillWhole(doc, size)}
	return p
}

func (*itemSchema) restore(r *record.Record, held record.Held, now time.Time) error {
	return kv.restore(r, held, now)
}

// join changes nothing: a sweep is about users.
func (*itemSchema) join(*fields, []record.Document, record.Decision) {}

// attributesOf returns the attributes of an item's document.
func attributesOf(doc bson.Raw) map[string]record.Value {
	types := typesIn(doc)
	elements := elementsOf(doc)
	attributes := make(map[string]record.Value, len(elements))
	for _, e := range elements {
		if name := e.Key(); name != "_id" && name != record.WrittenField {
			attributes[name] = attribute(e.Value(), types.of(name))
		}
	}
	return attributes
}

// attribute returns a value of an item. What stands beside of its type counts where the value fits it.
func attribute(v bson.RawValue, t *types) record.Value {
	switch v.Type {
	case bson.TypeDouble:
		if f := v.Double(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return record.DecimalOf(f)
		}
	case bson.TypeDecimal128:
		d := v.Decimal128()
		if n, ok := record.ParseDecimal(d.String()); ok {
			return n
		}
		if sign := d.IsInf(); sign != 0 {
			return math.Inf(sign)
		}
		return math.NaN()
	case bson.TypeBinary:
		if subtype, data := v.Binary(); subtype == bson.TypeBinaryGeneric {
			return record.Binary(data)
		}
	case bson.TypeString:
		text := v.StringValue()
		if t.is(record.NumberType) {
			n, _ := record.ParseDecimal(text)
			if d, is := n.(record.Decimal); is && string(d) == text {
				if _, fits := decimal128(d); !fits {
					return d
				}
			}
		}
		return text
	case bson.TypeEmbeddedDocument:
		elements := elementsOf(v.Document())
		o := make(record.Object, len(elements))
		for _, e := range elements {
			o[e.Key()] = attribute(e.Value(), t.of(e.Key()))
		}
		return o
	case bson.TypeArray:
		values, err := v.Array().Values()
		if err != nil {
			break
		}
		list := make(record.Array, len(values))
		for i, e := range values {
			list[i] = attribute(e, t.of(i))
		}
		if t.is(record.TextSetType, record.NumberSetType, record.BinarySetType) {
			if set, ok := record.NewSet(t.noted, list); ok {
				return set
			}
		}
		return list
	}
	return value(v)
}

// decimal128 returns the number where a Decimal128 is exactly it.
func decimal128(d record.Decimal) (bson.Decimal128, bool) {
	negative, digits, exponent := d.Parts()
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok || len(digits) > record.DecimalDigits {
		return bson.Decimal128{}, false
	}
	if negative {
		n.Neg(n)
	}
	return bson.ParseDecimal128FromBigInt(n, exponent)
}

// noted is the type of a value that stands in a document in another form: a set, or a number as text.
type noted struct {
	path []any // names, and indexes of arrays
	t    record.AttributeType
}

// typesOfRecord returns what a new document of the item notes.
func typesOfRecord(r record.Record) (list []noted) {
	for _, name := range r.FieldNames() {
		list = appendTypes(list, []any{name}, r.Fields[name].Value)
	}
	return list
}

// appendTypes appends what is to be noted of the value at the path, and of what is in it.
func appendTypes(list []noted, path []any, v record.Value) []noted {
	switch v := v.(type) {
	case record.Decimal:
		if _, fits := decimal128(v); !fits {
			list = append(list, noted{slices.Clone(path), record.NumberType})
		}
	case record.Set:
		return appendTypes(append(list, noted{slices.Clone(path), v.Type}), path, v.Members)
	case record.Array:
		for i, e := range v {
			list = appendTypes(list, append(path, i), e)
		}
	case record.Object:
		for _, name := range sortedNames(v) {
			list = appendTypes(list, append(path, name), v[name])
		}
	}
	return list
}

func (n noted) appendElement(doc []byte, name string) []byte {
	i, doc := bsoncore.AppendDocumentElementStart(doc, name)
	path, doc := bsoncore.AppendArrayElementStart(doc, "path")
	for at, step := range n.path {
		switch step := step.(type) {
		case string:
			doc = bsoncore.AppendStringElement(doc, elementName(at), step)
		case int:
			doc = bsoncore.AppendInt32Element(doc, elementName(at), int32(step))
		}
	}
	doc = bsoncore.AppendStringElement(finish(doc, path), "type", string(n.t))
	return finish(doc, i)
}

// types are those noted of a value and of what is in it. Nil has none.
type types struct {
	noted  record.AttributeType
	inside map[any]*types // by name, or index as an int
}

// typesIn returns what a document notes. What is none of that is left out.
func typesIn(doc bson.Raw) *types {
	list, ok := lookup(doc, record.WrittenField, typesField).ArrayOK()
	if !ok {
		return nil
	}
	entries, _ := list.Values()
	root := new(types)
	for _, entry := range entries {
		note, _ := entry.DocumentOK()
		path, ok := lookup(note, "path").ArrayOK()
		if !ok {
			continue
		}
		steps, _ := path.Values()
		at := root
		for _, step := range steps {
			if index, ok := step.AsInt64OK(); ok {
				at = at.enter(int(index))
			} else {
				name, _ := step.StringValueOK()
				at = at.enter(name)
			}
		}
		t, _ := lookup(note, "type").StringValueOK()
		at.noted = record.AttributeType(t)
	}
	return root
}

func (t *types) enter(step any) *types {
	if t.inside == nil {
		t.inside = make(map[any]*types)
	}
	if t.inside[step] == nil {
		t.inside[step] = new(types)
	}
	return t.inside[step]
}

// of returns the types of what is in the value under a name or an index.
func (t *types) of(step any) *types {
	if t == nil {
		return nil
	}
	return t.inside[step]
}

// is reports whether one of the types is noted.
func (t *types) is(some ...record.AttributeType) bool {
	return t != nil && slices.Contains(some, t.noted)
}
