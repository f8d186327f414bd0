package mongo

import (
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// schema is all that is peculiar to the documents of a kind. What a kind means, package record says.
type schema interface {
	about() *traits

	// appendContent appends the fields of a new document, but for those of its identity and lanyardctl's mark.
	appendContent(doc []byte, r record.Record, now time.Time) []byte

	// held returns what a document of the user's holds. The document may be nil.
	held(user record.UserID, doc bson.Raw) record.Held

	// appendItems appends what a source delivers of the documents, which are of one user or, for a kind that is nobody's, all
	// that there are. That is no item where they hold nothing.
	appendItems(items []record.Item, from itemOrigin, documents ...bson.Raw) []record.Item

	// outlined returns what a sweep needs of a document that was projected on its outline.
	outlined(user record.UserID, doc bson.Raw) record.Held

	// patch returns how a document becomes what the decision says, but for lanyardctl's mark.
	patch(doc bson.Raw, d record.Decision, limits record.Limits, now time.Time) patch

	// restore completes a record by what a document that lanyardctl wrote holds.
	restore(r *record.Record, held record.Held, now time.Time) error

	// join makes the fields those of one document in place of several, as [record.Join] says, but for the user's id.
	join(f *fields, documents []record.Document, d record.Decision)
}

// traits is what is known of a kind's documents without one of them.
type traits struct {
	kind record.Kind

	// content are the fields in which documents keep what the kind is about; nil where any field may be.
	content []string

	// whole tells that documents are read as a whole. Else it is the user's id, the content and lanyardctl's mark.
	whole bool

	// outline are the paths of what bears on a sweep.
	outline []string

	// secret is the field whose value lets the user in, so that no two of them may have the same; empty where there is none.
	secret string
}

func (t *traits) about() *traits { return t }

var schemas = [...]schema{
	record.APIKeys:         apiKeys,
	record.KV:              kv,
	record.LastSeen:        lastSeen,
	record.MonitoringSince: monitoring,
	record.Metrics:         metrics,
}

// This does not compile where the last kind of Lanyard's has no schema.
var _ [record.Remember]schema = schemas

// schemaOf returns what is peculiar to a kind's documents. It panics for a number that is no kind.
func schemaOf(kind record.Kind) schema {
	if _, table := kind.Table(); table {
		return &itemSchema{traits{kind: kind, whole: true}}
	}
	if int(kind) >= len(schemas) || schemas[kind] == nil {
		panic("mongo: " + kind.String() + " has no schema")
	}
	return schemas[kind]
}

// collectionName returns the name of a kind's collection.
func collectionName(kind record.Kind) string { return record.CollectionOf(kind).String() }

// marked reports whether new documents of the kind carry the digest of what lanyardctl wrote, where they are of a mirror
// or not.
func marked(kind record.Kind, mirror bool) bool {
	return !kind.Ordered() || mirror && kind.Identified()
}

// ofUsers reports whether the kind's documents are of users, by their user_id.
func ofUsers(kind record.Kind) bool { return kind.Identified() && !kind.Named() }

// globalType marks the one document of a kind that is nobody's, and is its _id where lanyardctl inserts it.
const globalType = "global"

// uniqueFields returns the fields, beside _id, in which no value may stand in two documents of the kind's collection. For that
// of nobody's document there is no index.
func uniqueFields(kind record.Kind) []string {
	switch secret := schemaOf(kind).about().secret; {
	case kind.Named():
		return nil
	case !kind.Identified():
		return []string{"type"}
	case secret != "":
		return []string{"user_id", secret}
	}
	return []string{"user_id"}
}

// allUniqueFields returns the [uniqueFields] of all kinds, each once.
func allUniqueFields() (fields []string) {
	for _, kind := range record.LanyardKinds.List() {
		for _, field := range uniqueFields(kind) {
			if !slices.Contains(fields, field) {
				fields = append(fields, field)
			}
		}
	}
	return fields
}

// projection returns the fields that bear on a kind, or nil where they are about all of a document.
func projection(kind record.Kind) bson.D {
	about := schemaOf(kind).about()
	if about.whole {
		return nil
	}
	fields := bson.D{{Key: "_id", Value: 0}, {Key: "user_id", Value: 1}}
	for _, name := range about.content {
		fields = append(fields, bson.E{Key: name, Value: 1})
	}
	return append(fields, bson.E{Key: record.WrittenField, Value: 1})
}

// appendNewDocument appends r as a new document of its collection. Its _id is the user id, the name, or [globalType].
func appendNewDocument(dst []byte, r record.Record, now time.Time, mirror bool) []byte {
	i, doc := bsoncore.AppendDocumentStart(dst)
	// Conversions of short texts to a string that nobody keeps take no allocation.
	var scratch [32]byte
	var types []noted
	switch {
	case r.Kind.Named():
		doc = bsoncore.AppendStringElement(doc, "_id", r.Name.String())
		types = typesOfRecord(r)
	case r.Kind.Identified():
		id := strconv.AppendUint(scratch[:0], uint64(r.User), 10)
		doc = bsoncore.AppendStringElement(doc, "_id", string(id))
		doc = bsoncore.AppendStringElement(doc, "user_id", string(id))
	default:
		doc = bsoncore.AppendStringElement(doc, "_id", globalType)
		doc = bsoncore.AppendStringElement(doc, "type", globalType)
	}
	doc = schemaOf(r.Kind).appendContent(doc, r, now)
	if marked(r.Kind, mirror) {
		digest := r.Digest()
		doc = appendMark(doc, string(hex.AppendEncode(scratch[:0], digest[:])), types...)
	}
	return finish(doc, i)
}

// insertedByUs reports whether lanyardctl inserted the document: its _id is the user id, or [globalType].
func insertedByUs(kind record.Kind, doc bson.Raw) bool {
	id, _ := lookup(doc, "_id").StringValueOK()
	if !kind.Identified() {
		return id == globalType
	}
	user, ok := lookup(doc, "user_id").StringValueOK()
	return ok && id == user
}

// documentOf returns what a document of the kind holds, and whose it is.
func documentOf(kind record.Kind, doc bson.Raw) record.Document {
	s := record.Document{Kind: kind, Collection: record.CollectionOf(kind)}
	switch {
	case kind.Named():
		s.Name, s.Named = nameOf(doc)
	case kind.Identified():
		user, name, numeric := owner(doc)
		s.User, s.Name, s.Numeric = user, record.NameOf(name), numeric
	}
	s.Held = schemaOf(kind).held(s.User, doc)
	return s
}

// patch is how a document changes: whole values of top-level fields, each of which must be what was read.
type patch struct {
	set, unset bson.D
	guard      bson.D
	types      []noted // of the document as it becomes
	grows      int     // bytes of BSON, where that may be many
	refused    string  // why a server cannot do it; empty where it can
}

// addMark adds to the patch of a document what becomes of its mark.
func (p *patch) addMark(doc bson.Raw, digest string) {
	was := lookup(doc, record.WrittenField)
	stands := was.Type != 0
	switch {
	case digest != "" || len(p.types) > 0:
		m := bson.Raw(mark(digest, p.types...))
		p.set = append(p.set, bson.E{Key: record.WrittenField, Value: m})
		p.grows += len(m) - len(was.Value)
		if !stands {
			p.grows += len(record.WrittenField) + 2 // the type, and the end of the name
		}
	case stands:
		p.unset = append(p.unset, bson.E{Key: record.WrittenField, Value: ""})
	}
}
