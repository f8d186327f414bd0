package mongo

import (
	"context"
	"errors"
	"math/big"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// Documents reads the documents of users one by one, and changes single ones. See [record.Documents].
//
// The ID of a document is its _id as BSON: a byte for the type, and the value's own bytes.
type Documents struct{ *Store }

// Documents returns the database's documents.
func (s *Store) Documents() *Documents { return &Documents{s} }

// Contents implements [record.Documents].
func (d *Documents) Contents(ctx context.Context) (map[record.Collection]int64, error) {
	contents := make(map[record.Collection]int64, len(record.UserCollections))
	for _, c := range record.UserCollections {
		n, err := d.estimate(ctx, c.String())
		if err != nil {
			return nil, d.wrap("count the documents of "+c.String(), err)
		}
		contents[c] = n
	}
	return contents, nil
}

// Whole implements [record.Documents].
func (d *Documents) Whole(ctx context.Context, c record.Collection, ids []string, most int) ([]record.Document, error) {
	w := newWhole(c, most)
	if err := d.byIDs(ctx, c.String(), ids, func(_ string, doc bson.Raw) error { return w.add(doc) }); err != nil {
		return nil, d.wholeError(c, err)
	}
	return w.documents, nil
}

// OfUsers implements [record.Documents].
func (d *Documents) OfUsers(ctx context.Context, kind record.Kind, users []record.UserID, most int) ([]record.Document, error) {
	w := newWhole(record.CollectionOf(kind), most)
	for doc, err := range d.documentsOf(ctx, collectionName(kind), users, nil) {
		if err == nil {
			err = w.add(doc)
		}
		if err != nil {
			return nil, d.wholeError(w.collection, err)
		}
	}
	return w.documents, nil
}

func (d *Documents) wholeError(c record.Collection, err error) error {
	if errors.Is(err, record.ErrTooMuch) {
		return err
	}
	return d.wrap("read single documents of "+c.String(), err)
}

// whole gathers whole documents, of at most so many bytes.
type whole struct {
	collection record.Collection
	left       int // bytes
	documents  []record.Document
	at         map[string]int // by identity
}

func newWhole(c record.Collection, most int) *whole {
	return &whole{collection: c, left: most, at: make(map[string]int)}
}

// add adds a document, or replaces it where it was changed while it was read.
func (w *whole) add(doc bson.Raw) error {
	if w.left -= len(doc); w.left < 0 {
		return record.ErrTooMuch
	}
	found := document(w.collection, doc)
	found.Held, found.Raw = content(w.collection, found.User, doc), slices.Clone(doc)
	_, found.Repeated = repeatedName(doc)
	if i, again := w.at[found.ID]; again {
		w.documents[i] = found
		return nil
	}
	w.at[found.ID] = len(w.documents)
	w.documents = append(w.documents, found)
	return nil
}

// byIDs calls found with those documents of a collection that have the IDs, each of which is good until the call returns.
// It returns found's error as it is. A document that is changed meanwhile may come twice.
func (s *Store) byIDs(ctx context.Context, collection string, ids []string, found func(id string, doc bson.Raw) error) error {
	asked := make(map[string]bool, len(ids))
	values := bson.A{}
	for _, id := range ids {
		v, ok := idValue(id)
		if !ok || asked[id] {
			continue
		}
		asked[id] = true
		values = append(values, v)
	}
	if len(asked) == 0 {
		return nil
	}
	for doc, err := range s.dialect.withIDs(ctx, s, collection, values) {
		if err != nil {
			return err
		}
		id := idOf(doc)
		if !asked[id] {
			continue
		}
		if err := found(id, doc); err != nil {
			return err
		}
	}
	return nil
}

// idOf returns the document's ID.
func idOf(doc bson.Raw) string { return string(appendID(nil, doc)) }

func appendID(id []byte, doc bson.Raw) []byte {
	v := lookup(doc, "_id")
	return append(append(id, byte(v.Type)), v.Value...)
}

// idValue returns the _id of an ID. It reports false for text that is the ID of nothing.
func idValue(id string) (bson.RawValue, bool) {
	if id == "" {
		return bson.RawValue{}, false
	}
	v := bson.RawValue{Type: bson.Type(id[0]), Value: []byte(id[1:])}
	return v, v.Validate() == nil
}

// document returns what identifies a document, and whose it is. The rest is empty.
func document(c record.Collection, doc bson.Raw) record.Document {
	d := record.Document{Kind: c.Form(), Collection: c, ID: idOf(doc)}
	user, name, numeric := owner(doc)
	d.User, d.Name, d.Numeric = user, record.NameOf(name), numeric
	return d
}

// wholeUser returns the user whose id the number is, where the number gives it exactly.
func wholeUser(v bson.RawValue) (record.UserID, bool) {
	if v.Type != bson.TypeDecimal128 {
		return record.WholeUserID(value(v))
	}
	digits, exponent, err := v.Decimal128().BigInt()
	if err != nil || exponent < -record.DecimalDigits || exponent > record.DecimalDigits {
		return 0, false
	}
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	rest := new(big.Int)
	if exponent >= 0 {
		digits.Mul(digits, scale)
	} else {
		digits.QuoRem(digits, scale, rest)
	}
	return record.UserID(digits.Uint64()), rest.Sign() == 0 && digits.Sign() > 0 && digits.IsUint64()
}

// content returns all that a whole document holds.
func content(c record.Collection, user record.UserID, doc bson.Raw) record.Held {
	h := schemaOf(c.Form()).held(user, doc)
	if c == record.KVCollection {
		h.Times = pairTimes(doc)
	}
	return h
}
