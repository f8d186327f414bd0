package mongo

import (
	"context"
	"iter"
	"maps"
	"slices"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// StandingsOf implements [record.TargetPointReader].
func (s *Store) StandingsOf(
	ctx context.Context, kind record.Kind, users []record.UserID, yield func([]record.Standing) error,
) error {
	if !kind.OfUsers() {
		return s.counters(ctx, kind, yield)
	}
	p := pages[record.Standing]{yield: yield}
	for doc, err := range s.documentsOf(ctx, kind, users, projection(kind)) {
		if err != nil {
			return s.wrap("read "+collectionName(kind), err)
		}
		if err := p.add(standing(kind, doc), len(doc)); err != nil {
			return err
		}
	}
	return p.flush()
}

// documentsOf streams the documents of a kind whose user_id is the text of one of the users, as [Store.stream] does.
func (s *Store) documentsOf(
	ctx context.Context, kind record.Kind, users []record.UserID, projection bson.D,
) iter.Seq2[bson.Raw, error] {
	asked := make(map[string]bool, len(users))
	for _, user := range users {
		asked[user.String()] = true
	}
	return func(yield func(bson.Raw, error) bool) {
		for doc, err := range s.dialect.ofUsers(ctx, s, collectionName(kind), slices.Sorted(maps.Keys(asked)), projection) {
			if err != nil {
				yield(nil, err)
				return
			}
			if user, _ := lookup(doc, "user_id").StringValueOK(); asked[user] && !yield(doc, nil) {
				return
			}
		}
	}
}

// countOf counts the documents that [Store.documentsOf] streams.
func (s *Store) countOf(ctx context.Context, kind record.Kind, users []record.UserID) (n int64, err error) {
	for _, err := range s.documentsOf(ctx, kind, users, bson.D{{Key: "_id", Value: 0}, {Key: "user_id", Value: 1}}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}
