package mongo

import (
	"bytes"
	"context"
	"encoding/hex"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// ReadDigests implements [record.DigestReader]. Documents come whole, which costs the server less than to leave out of
// small ones what does not bear on them.
func (h *Reader) ReadDigests(
	ctx context.Context, kind record.Kind, now time.Time, yield func([]record.DocumentDigest) error,
) error {
	page := make([]record.DocumentDigest, 0, pageLength)
	if !ofUsers(kind) {
		return h.Read(ctx, kind, func(documents []record.Document) error {
			page = page[:0]
			for _, doc := range documents {
				page = append(page, doc.Digest(now))
			}
			return yield(page)
		})
	}
	documents := h.documents(ctx, kind, nil, nil)
	if len(h.users) > 0 {
		documents = h.documentsOf(ctx, collectionName(kind), h.users, nil)
	}
	d := digester{kind: kind, now: now}
	for doc, err := range documents {
		if err != nil {
			return h.wrap("read "+collectionName(kind), err)
		}
		if page = append(page, d.digest(doc)); len(page) < pageLength {
			continue
		}
		if err := yield(page); err != nil {
			return err
		}
		page = page[:0]
	}
	if len(page) == 0 {
		return nil
	}
	return yield(page)
}

// Estimate implements [record.DigestReader].
func (h *Reader) Estimate(ctx context.Context, kind record.Kind) (int64, error) {
	if !ofUsers(kind) && len(h.users) > 0 {
		return 0, nil
	}
	n, err := h.estimate(ctx, collectionName(kind))
	if err != nil {
		return 0, h.wrap("count the documents of "+collectionName(kind), err)
	}
	if len(h.users) > 0 {
		n = min(n, int64(len(h.users)))
	}
	return n, nil
}

// digester makes the digests of one kind's documents, which are of users.
type digester struct {
	kind      record.Kind
	now       time.Time
	canonical record.Canonical
}

// digest returns the [record.Document.Digest] of a document.
func (d *digester) digest(doc bson.Raw) record.DocumentDigest {
	if digest, ok := d.plain(doc); ok {
		return digest
	}
	return documentOf(d.kind, doc).Digest(d.now)
}

// plain digests a document such as lanyardctl and the app write them, straight from its encoding. It reports false for any
// other.
func (d *digester) plain(doc bson.Raw) (digest record.DocumentDigest, ok bool) {
	about := schemaOf(d.kind).about()
	var user, content, older, mark bsoncore.Value
	for rest := insideOf(doc); len(rest) > 0; {
		var name []byte
		var v bsoncore.Value
		if name, v, rest, ok = firstOf(rest); !ok {
			return digest, false
		}
		var at *bsoncore.Value
		switch {
		case string(name) == "user_id":
			at = &user
		case string(name) == about.content[0]:
			at = &content
		case len(about.content) > 1 && string(name) == about.content[1]:
			at = &older
		case string(name) == record.WrittenField:
			at = &mark
		default:
			continue
		}
		if at.Type != 0 {
			return digest, false // it stands twice
		}
		*at = v
	}
	id, ok := d.user(user)
	if !ok || older.Type != 0 {
		return digest, false
	}
	d.canonical.Begin(d.kind, id)
	digest = record.DocumentDigest{Kind: d.kind, Hash: record.HashOf(id, ""), Identified: true, Complete: true}
	switch d.kind.Shape() {
	case record.TextShape:
		key, ok := text(content)
		if !ok || len(key) == 0 {
			return digest, false
		}
		digest.Secret = record.HashOfText(key)
		d.canonical.Text(key)
	case record.TimeShape:
		time, ok := integer(content)
		if !ok || !record.PlainTime(d.kind, id, time, d.now) {
			return digest, false
		}
		d.canonical.Time(time)
	case record.FieldsShape:
		if content.Type != bsoncore.TypeEmbeddedDocument || !d.fields(record.RecordFields, content.Data) {
			return digest, false
		}
	}
	digest.Digest = d.canonical.Digest()
	digest.Unmodified, ok = d.is(mark, digest.Digest)
	return digest, ok
}

// is reports whether a mark, of type zero where there is none, tells the digest; ok is false for what is no mark.
func (*digester) is(mark bsoncore.Value, digest record.Digest) (is, ok bool) {
	if mark.Type != bsoncore.TypeEmbeddedDocument {
		return false, mark.Type == 0
	}
	elements := insideOf(mark.Data)
	if len(elements) == 0 {
		return false, true
	}
	name, v, rest, ok := firstOf(elements)
	var want [2 * len(digest)]byte
	hex.Encode(want[:], digest[:])
	told, _ := text(v)
	return bytes.Equal(told, want[:]), ok && string(name) == markField && len(rest) == 0
}

func (*digester) user(v bsoncore.Value) (record.UserID, bool) {
	id, ok := text(v)
	if !ok {
		return 0, false
	}
	return record.ParseUserID(string(id))
}

// fields adds the fields of a document, whose names must ascend: no other form is canonical, nor one with a name twice.
func (d *digester) fields(of record.Members, doc []byte) bool {
	at, n := d.canonical.Open(of), 0
	var last []byte
	for rest := insideOf(doc); len(rest) > 0; n++ {
		name, v, next, ok := firstOf(rest)
		if !ok || n > 0 && bytes.Compare(last, name) >= 0 {
			return false
		}
		d.canonical.Text(name)
		if !d.value(v) {
			return false
		}
		last, rest = name, next
	}
	d.canonical.Close(at, n)
	return true
}

func (d *digester) values(array []byte) bool {
	at, n := d.canonical.Open(record.ArrayValues), 0
	for rest := insideOf(array); len(rest) > 0; n++ {
		_, v, next, ok := firstOf(rest)
		if !ok || !d.value(v) {
			return false
		}
		rest = next
	}
	d.canonical.Close(at, n)
	return true
}

// value adds a value of a sort that has its counterpart in JSON.
func (d *digester) value(v bsoncore.Value) bool {
	switch v.Type {
	case bsoncore.TypeNull:
		d.canonical.Null()
	case bsoncore.TypeBoolean:
		d.canonical.Bool(v.Boolean())
	case bsoncore.TypeInt32, bsoncore.TypeInt64:
		n, _ := integer(v)
		d.canonical.Int(n)
	case bsoncore.TypeDouble:
		d.canonical.Float(v.Double())
	case bsoncore.TypeString:
		s, ok := text(v)
		d.canonical.String(s)
		return ok
	case bsoncore.TypeEmbeddedDocument:
		return d.fields(record.ObjectFields, v.Data)
	case bsoncore.TypeArray:
		return d.values(v.Data)
	default:
		return false
	}
	return true
}

// insideOf returns the elements of a document or an array. What is none has one that cannot be read.
func insideOf(doc []byte) []byte {
	length, rest, ok := bsoncore.ReadLength(doc)
	if !ok || int(length) != len(doc) || len(rest) == 0 || rest[len(rest)-1] != 0 {
		return []byte{0}
	}
	return rest[:len(rest)-1]
}

// firstOf returns the first element, and the rest.
func firstOf(elements []byte) (name []byte, v bsoncore.Value, rest []byte, ok bool) {
	name, rest, ok = bsoncore.ReadKeyBytes(elements[1:])
	if !ok {
		return nil, v, nil, false
	}
	v, rest, ok = bsoncore.ReadValue(rest, bsoncore.Type(elements[0]))
	return name, v, rest, ok
}

// text returns the bytes of a text.
func text(v bsoncore.Value) ([]byte, bool) {
	const length = 4 // bytes
	if n := len(v.Data) - 1; v.Type == bsoncore.TypeString && n >= length && v.Data[n] == 0 {
		return v.Data[length:n], true
	}
	return nil, false
}

// integer returns a whole number of either size.
func integer(v bsoncore.Value) (int64, bool) {
	switch v.Type {
	case bsoncore.TypeInt32:
		return int64(v.Int32()), true
	case bsoncore.TypeInt64:
		return v.Int64(), true
	}
	return 0, false
}
