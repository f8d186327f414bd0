package mongo

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// kv are the documents of key-value pairs: {user_id, kv: {NAME: value}}.
var kv = &kvSchema{traits{kind: record.KV, content: []string{"kv"}, whole: true, outline: []string{"kv." + record.OlderTimeField}}}

type kvSchema struct{ traits }

func (*kvSchema) appendContent(doc []byte, r record.Record, _ time.Time) []byte {
	i, doc := bsoncore.AppendDocumentElementStart(doc, "kv")
	var scratch [16]string
	for _, name := range record.AppendNames(scratch[:0], r.Fields) {
		doc = appendElement(doc, name, r.Fields[name].Value)
	}
	return finish(doc, i)
}

func (*kvSchema) held(user record.UserID, doc bson.Raw) record.Held {
	h := record.Held{Found: doc != nil}
	stands := lookup(doc, "kv")
	pairs, ok := stands.DocumentOK()
	if !ok {
		if stands.Type != 0 {
			h.Malformed = value(stands)
		}
		return h
	}
	h.Fields = object(pairs)
	if m := markOf(doc); m != "" {
		content := record.Record{Kind: record.KV, User: user, Fields: make(map[string]record.Field, len(h.Fields))}
		for name, v := range h.Fields {
			content.Fields[name] = record.Field{Value: v}
		}
		h.Unmodified = record.Unmodified(content, m)
	}
	return h
}

// appendItems takes all pairs for one user's. Of a name with different values none goes on. A user whose last pair was removed
// has a record without any.
func (*kvSchema) appendItems(items []record.Item, from itemOrigin, documents ...bson.Raw) []record.Item {
	const kind = record.KV
	it := record.Item{Kind: kind}
	line := record.Reject{Kind: kind, User: from.user}
	reject := func(name string, origin record.Origin, reason record.Reason, detail string) {
		line.Reason, line.Detail = reason, detail
		it.Rejects = append(it.Rejects, line.At(name, origin))
	}
	differ := "the document holds the name twice, with different values"
	if len(documents) > 1 {
		differ = "the user's documents hold different values; lanyardctl sweep --dedupe names them, for you to decide"
	}
	var fields map[string]record.Field
	differing := make(map[string]bool)
	for _, doc := range documents {
		stands := lookup(doc, "kv")
		pairs, ok := stands.DocumentOK()
		if !ok {
			if stands.Type != 0 && stands.Type != bson.TypeNull {
				it.Rejects = append(it.Rejects, from.reject(kind, value(stands), record.WrongType, "kv is no document of key-value pairs"))
			}
			continue
		}
		elements := elementsOf(pairs)
		if fields == nil {
			fields = make(map[string]record.Field, len(elements))
		}
		for _, e := range elements {
			name, v := e.Key(), value(e.Value())
			origin := from.of(v)
			there, met := fields[name]
			switch {
			case !utf8.ValidString(name):
				reject(name, origin, record.InvalidFieldName, "the name is not valid UTF-8")
			case differing[name]:
				reject(name, origin, record.ConflictReason, differ)
			case !met:
				fields[name] = record.Field{Value: v, Origin: origin}
			case !record.Equal(there.Value, v):
				delete(fields, name)
				differing[name] = true
				reject(name, there.Origin, record.ConflictReason, differ)
				reject(name, origin, record.ConflictReason, differ)
			}
		}
	}
	if len(fields) > 0 || fields != nil && len(it.Rejects) == 0 {
		it.Record = &record.Record{Kind: kind, User: from.user, Fields: fields}
	}
	if it.Record == nil && len(it.Rejects) == 0 {
		return items
	}
	return append(items, it)
}

func (*kvSchema) outlined(_ record.UserID, doc bson.Raw) record.Held {
	return record.Held{Found: true, Times: pairTimes(doc)}
}

// pairTimes returns the date among a user's key-value pairs.
func pairTimes(doc bson.Raw) map[string]any {
	pairs, _ := lookup(doc, "kv").DocumentOK()
	v := lookup(pairs, record.OlderTimeField)
	if v.Type == 0 {
		return nil
	}
	return map[string]any{record.OlderTimeField: moment(v)}
}

// patch sets all pairs at once. Where somebody inserted a name that begins with a dollar, it sets them one by one: MongoDB
// before 5.0 takes such a name deep in a new document, and refuses it in whatever is set or replaced.
func (*kvSchema) patch(doc bson.Raw, d record.Decision, limits record.Limits, _ time.Time) patch {
	pairs := mergedPairs(doc, d, nil)
	old := lookup(doc, "kv")
	p := patch{set: bson.D{{Key: "kv", Value: pairs}}, guard: bson.D{stillIs(doc, "kv")}, grows: len(pairs) - len(old.Value)}
	if len(pairs)+len(old.Value) >= guardBytes {
		// Old and new value do not fit into one statement; the old one's size has to do.
		p.guard = bson.D{{Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{
			bson.D{{Key: "$bsonSize", Value: "$kv"}}, len(old.Value),
		}}}}}
	}
	if !limits.NoDollars || !dollarInside(bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: pairs}) {
		return p
	}
	p.set = nil
	for _, name := range sortedNames(d.Set) {
		p.set = append(p.set, bson.E{Key: "kv." + name, Value: rawValue(d.Set[name])})
	}
	for _, name := range d.Unset {
		p.unset = append(p.unset, bson.E{Key: "kv." + name, Value: ""})
	}
	for _, e := range slices.Concat(p.set, p.unset) {
		if name := strings.TrimPrefix(e.Key, "kv."); !plainName(name) {
			p.refused = fmt.Sprintf("the document in the target holds a name that begins with a dollar, beside which the server cannot set the field %q", name)
			break
		}
	}
	return p
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

func (*kvSchema) restore(r *record.Record, held record.Held, _ time.Time) error {
	for name, v := range held.Fields {
		restoreField(r, name, v)
	}
	return nil
}

func (*kvSchema) join(f *fields, documents []record.Document, d record.Decision) {
	if len(d.Set)+len(d.Unset) > 0 {
		pairs := mergedPairs(f.document(), d, exactPairs(documents, d))
		f.set("kv", bsoncore.AppendDocumentElement(nil, "kv", pairs))
		f.remove(record.WrittenField)
	}
}

// exactPairs returns the pairs that a decision sets as one of the documents has them, so that they keep their encoding.
func exactPairs(documents []record.Document, d record.Decision) map[string]bson.RawElement {
	exact := make(map[string]bson.RawElement)
	for _, doc := range documents {
		pairs, _ := lookup(doc.Raw, "kv").DocumentOK()
		for _, e := range elementsOf(pairs) {
			name := e.Key()
			v, wanted := d.Set[name]
			if _, found := exact[name]; wanted && !found && record.Equal(v, value(e.Value())) {
				exact[name] = e
			}
		}
	}
	return exact
}

// mergedPairs returns the pairs of doc with the decision's changes: those that stay keep their place and their exact
// encoding, and those of exact come in theirs.
func mergedPairs(doc bson.Raw, d record.Decision, exact map[string]bson.RawElement) bson.Raw {
	i, pairs := bsoncore.AppendDocumentStart(nil)
	set := func(name string) {
		if e, ok := exact[name]; ok {
			pairs = append(pairs, e...)
		} else {
			pairs = appendElement(pairs, name, d.Set[name])
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
				pairs = append(pairs, e...)
			}
			written[name] = true
		}
	}
	for _, name := range sortedNames(d.Set) {
		if !written[name] {
			set(name)
		}
	}
	return finish(pairs, i)
}
