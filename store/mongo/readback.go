package mongo

import (
	"context"
	"errors"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// found is what the target has that bears on one record. Documents are nil where there is none.
type found struct {
	own      bson.Raw // the document of the record's identity
	holder   bson.Raw // another document than own with the record's API key
	holderID string   // its user_id, as text

	// idTaken tells that a document which is not the user's stands under the _id that a new document would have.
	idTaken bool
}

// existing returns what the documents hold for r.
func (f found) existing(r record.Record) record.Existing {
	return record.Existing{Held: schemaOf(r.Kind).held(r.User, f.own), KeyOwner: f.holderID}
}

// allFound is what the target has for several records, in their order.
type allFound []found

// documents returns how many of the records have a document.
func (a allFound) documents() (n int) {
	for i := range a {
		if a[i].own != nil {
			n++
		}
	}
	return n
}

// readBack reads what the target has for each of the records.
func (w *writing) readBack(ctx context.Context, indexes []int) (allFound, error) {
	if w.opts.DryRun && w.empty[w.kind] {
		return make(allFound, len(indexes)), nil
	}
	m := newMatcher(w, indexes)
	documents := w.dialect.bearing(ctx, m)
	if !w.kind.Identified() {
		documents = w.documents(ctx, w.kind, countersFilter, nil)
	}
	for doc, err := range documents {
		if err != nil {
			return nil, w.wrap("read back from "+collectionName(w.kind), err)
		}
		m.match(doc)
	}
	return m.found, nil
}

// matcher matches documents of the target to the records they bear on. Records are named by their place among those that
// are looked up.
type matcher struct {
	w       *writing
	indexes []int  // of the records, in the batch
	secret  string // the field of a user's secret; empty where there is none
	found   allFound
	byID    map[string]int   // by the identity's text
	byKey   map[string][]int // by the record's secret
}

func newMatcher(w *writing, indexes []int) *matcher {
	m := &matcher{
		w: w, indexes: indexes, secret: schemaOf(w.kind).about().secret,
		found: make(allFound, len(indexes)), byID: make(map[string]int, len(indexes)), byKey: make(map[string][]int),
	}
	for n, i := range indexes {
		r := &w.batch[i]
		m.byID[r.Identity().String()] = n
		if m.secret != "" {
			m.byKey[r.APIKey] = append(m.byKey[r.APIKey], n)
		}
	}
	return m
}

// filter finds the documents by their users or names, and where somebody else's may bear on a record, by that: a lone $in is a
// third cheaper.
func (m *matcher) filter() bson.D {
	ids := bson.D{{Key: "$in", Value: sortedNames(m.byID)}}
	if m.w.kind.Named() {
		return bson.D{{Key: "_id", Value: ids}}
	}
	filters := bson.A{bson.D{{Key: "user_id", Value: ids}}}
	if m.w.byID {
		filters = append(filters, bson.D{{Key: "_id", Value: ids}})
	}
	if len(m.byKey) > 0 {
		filters = append(filters, bson.D{{Key: m.secret, Value: bson.D{{Key: "$in", Value: sortedNames(m.byKey)}}}})
	}
	if len(filters) == 1 {
		return filters[0].(bson.D)
	}
	return bson.D{{Key: "$or", Value: filters}}
}

// settles reports whether the document, which may be nil, leaves no question about a record: no other bears on it.
func (m *matcher) settles(n int, doc bson.Raw) bool {
	r := m.record(n)
	if m.w.kind.Named() {
		return true
	}
	user, _ := lookup(doc, "user_id").StringValueOK()
	key, _ := lookup(doc, m.secret).StringValueOK()
	return user == r.User.String() && (m.secret == "" || key == r.APIKey)
}

// documentByID returns the document with the _id, or nil.
func (s *Store) documentByID(ctx context.Context, collection string, id any) (bson.Raw, error) {
	doc, err := s.findOne(ctx, collection, bson.D{{Key: "_id", Value: id}}, options.FindOne())
	if errors.Is(err, mongo.ErrNoDocuments) {
		return nil, nil
	}
	return doc, err
}

func (m *matcher) record(n int) *record.Record { return &m.w.batch[m.indexes[n]] }

// match enters a document where it bears on a record. Documents of others pass by.
func (m *matcher) match(doc bson.Raw) {
	doc = slices.Clone(doc)
	if !m.w.kind.Identified() {
		for n := range m.found {
			if isGlobal(doc) || m.found[n].own == nil {
				m.found[n].own = doc
			}
		}
		return
	}
	if m.w.kind.Named() {
		name, _ := lookup(doc, "_id").StringValueOK()
		if n, ok := m.byID[name]; ok {
			m.found[n].own = doc
		}
		return
	}
	user, text := lookup(doc, "user_id").StringValueOK()
	if n, ok := m.byID[user]; ok {
		m.found[n].own = doc
	}
	if id, ok := lookup(doc, "_id").StringValueOK(); ok && id != user {
		if n, ok := m.byID[id]; ok {
			m.found[n].idTaken = true
		}
	}
	if m.secret == "" {
		return
	}
	key, _ := lookup(doc, m.secret).StringValueOK()
	for _, n := range m.byKey[key] {
		if user == m.record(n).User.String() {
			continue
		}
		holder := user
		if !text {
			_, holder, _ = owner(doc)
		}
		if holder == "" {
			holder = "nobody"
		}
		m.found[n].holder, m.found[n].holderID = doc, holder
	}
}
