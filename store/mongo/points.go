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
	switch {
	case kind.Named():
		return nil
	case !kind.Identified():
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
	return s.having(ctx, collection, "user_id", texts(users), projection)
}

// having streams the documents of a collection that have one of the texts, which are in order, in a field, as [Store.stream]
// does.
func (s *Store) having(
	ctx context.Context, collection, field string, asked []string, projection bson.D,
) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		for doc, err := range s.dialect.having(ctx, s, collection, field, asked, projection) {
			if err != nil {
				yield(nil, err)
				return
			}
			text, ok := lookup(doc, field).StringValueOK()
			if _, found := slices.BinarySearch(asked, text); ok && found && !yield(doc, nil) {
				return
			}
		}
	}
}

// APIKeyOwners implements [record.APIKeyOwners]. The unique index on the field lets no two documents bear one key.
func (s *Store) APIKeyOwners(ctx context.Context, keys []string) (map[string]record.UserID, error) {
	field := schemaOf(record.APIKeys).about().secret
	asked := slices.Compact(slices.Sorted(slices.Values(keys)))
	projection := bson.D{{Key: "_id", Value: 0}, {Key: "user_id", Value: 1}, {Key: field, Value: 1}}
	owners := make(map[string]record.UserID, len(asked))
	for doc, err := range s.having(ctx, collectionName(record.APIKeys), field, asked, projection) {
		if err != nil {
			return nil, s.wrap("find the users of API keys in "+collectionName(record.APIKeys), err)
		}
		if user, _, numeric := owner(doc); user != 0 && !numeric {
			owners[lookup(doc, field).StringValue()] = user
		}
	}
	return owners, nil
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

// havingOne returns the filter on documents that have one of the texts in a field.
func havingOne(field string, texts []string) bson.D {
	return bson.D{{Key: field, Value: bson.D{{Key: "$in", Value: texts}}}}
}
