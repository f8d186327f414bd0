package mongo

import (
	"context"
	"iter"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// ReadUsers implements [record.TargetPointReader].
func (s *Store) ReadUsers(
	ctx context.Context, kind record.Kind, users []record.UserID, yield func([]record.Document) error,
) error {
	if !kind.OfUsers() {
		return s.counters(ctx, kind, yield)
	}
	p := pages[record.Document]{yield: yield}
	for doc, err := range s.documentsOf(ctx, collectionName(kind), users, projection(kind)) {
		if err != nil {
			return s.wrap("read "+collectionName(kind), err)
		}
		if err := p.add(documentOf(kind, doc), len(doc)); err != nil {
			return err
		}
	}
	return p.flush()
}

// documentsOf streams the documents of a collection whose user_id is the text of one of the users, as [Store.stream] does.
func (s *Store) documentsOf(
	ctx context.Context, collection string, users []record.UserID, projection bson.D,
) iter.Seq2[bson.Raw, error] {
	asked := texts(users)
	return func(yield func(bson.Raw, error) bool) {
		for doc, err := range s.dialect.ofUsers(ctx, s, collection, asked, projection) {
			if err != nil {
				yield(nil, err)
				return
			}
			user, _ := lookup(doc, "user_id").StringValueOK()
			if _, found := slices.BinarySearch(asked, user); found && !yield(doc, nil) {
				return
			}
		}
	}
}

// texts returns the users as documents have them, each once, in order.
func texts(users []record.UserID) []string {
	list := make([]string, len(users))
	for i, user := range users {
		list[i] = user.String()
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// ofUsers returns the filter on documents of the users, whose ids are texts.
func ofUsers(users []string) bson.D {
	return bson.D{{Key: "user_id", Value: bson.D{{Key: "$in", Value: users}}}}
}
