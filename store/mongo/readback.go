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
	own      bson.Raw // the user's document of the kind
	holder   bson.Raw // another document than own with the record's API key
	holderID string   // its user_id, as text

	// idTaken tells that a document which is not the user's stands under the _id that a new document would have.
	idTaken bool
}

// existing returns what the documents hold for r.
func (f found) existing(r record.Record) record.Existing {
	return record.Existing{Held: schemaOf(r.Kind).held(r.User, f.own), KeyOwner: f.holderID}
}

// readBack reads what the target has for each of the records.
func (w *writing) readBack(ctx context.Context, indexes []int) (map[int]*found, error) {
	m := newMatcher(w, indexes)
	documents := w.dialect.bearing(ctx, m)
	if !w.kind.OfUsers() {
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

// matcher matches documents of the target to the records they bear on.
type matcher struct {
	w      *writing
	secret string // the field of a user's secret; empty where there is none
	found  map[int]*found
	byUser map[string]int
	byKey  map[string][]int // by the record's secret
}

func newMatcher(w *writing, indexes []int) *matcher {
	m := &matcher{
		w: w, secret: schemaOf(w.kind).about().secret,
		found: make(map[int]*found, len(indexes)), byUser: make(map[string]int, len(indexes)), byKey: make(map[string][]int),
	}
	for _, i := range indexes {
		r := w.batch[i]
		m.found[i] = &found{}
		m.byUser[r.User.String()] = i
		if m.secret != "" {
			m.byKey[r.APIKey] = append(m.byKey[r.APIKey], i)
		}
	}
	return m
}

func (m *matcher) filter() bson.D {
	users := bson.A{}
	for user := range m.byUser {
		users = append(users, user)
	}
	in := bson.D{{Key: "$in", Value: users}}
	or := bson.A{bson.D{{Key: "user_id", Value: in}}, bson.D{{Key: "_id", Value: in}}}
	if len(m.byKey) > 0 {
		or = append(or, bson.D{{Key: m.secret, Value: bson.D{{Key: "$in", Value: sortedNames(m.byKey)}}}})
	}
	return bson.D{{Key: "$or", Value: or}}
}

// settles reports whether the document, which may be nil, leaves no question about a record: no other bears on it.
func (m *matcher) settles(index int, doc bson.Raw) bool {
	r := m.w.batch[index]
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

// match enters a document where it bears on a record. Documents of others pass by.
func (m *matcher) match(doc bson.Raw) {
	doc = slices.Clone(doc)
	if !m.w.kind.OfUsers() {
		for _, f := range m.found {
			if isGlobal(doc) || f.own == nil {
				f.own = doc
			}
		}
		return
	}
	user, text := lookup(doc, "user_id").StringValueOK()
	if i, ok := m.byUser[user]; ok {
		m.found[i].own = doc
	}
	if id, ok := lookup(doc, "_id").StringValueOK(); ok && id != user {
		if i, ok := m.byUser[id]; ok {
			m.found[i].idTaken = true
		}
	}
	if m.secret == "" {
		return
	}
	key, _ := lookup(doc, m.secret).StringValueOK()
	for _, i := range m.byKey[key] {
		if user == m.w.batch[i].User.String() {
			continue
		}
		holder := user
		if !text {
			_, holder, _ = owner(doc)
		}
		if holder == "" {
			holder = "nobody"
		}
		m.found[i].holder, m.found[i].holderID = doc, holder
	}
}
