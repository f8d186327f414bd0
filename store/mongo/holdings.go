package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// HoldingsOptions says what to read back.
type HoldingsOptions struct {
	// Users are the only ones to read; none means all. With users the counters, which are nobody's, are left out.
	Users []record.UserID
}

// Holdings reads back what the database holds, and writes nothing. See [record.Holdings].
type Holdings struct {
	*Store
	users bson.A // as the documents have them; nil for all
}

// Holdings returns what the database holds. It can be read any number of times.
func (s *Store) Holdings(o HoldingsOptions) *Holdings {
	h := &Holdings{Store: s}
	for _, user := range o.Users {
		h.users = append(h.users, user.String())
	}
	return h
}

// Standings implements [record.Holdings].
func (h *Holdings) Standings(ctx context.Context, kind record.Kind, yield func([]record.Standing) error) error {
	switch {
	case !kind.OfUsers() && h.users != nil:
		return nil
	case !kind.OfUsers():
		return h.counters(ctx, kind, yield)
	}
	filter := bson.D{}
	if h.users != nil {
		filter = h.ofUsers()
	}
	p := pages[record.Standing]{yield: yield}
	for doc, err := range h.documents(ctx, kind, filter, projection(kind)) {
		if err != nil {
			return h.wrap("read "+collectionName(kind), err)
		}
		if err := p.add(standing(kind, doc), len(doc)); err != nil {
			return err
		}
	}
	return p.flush()
}

// Count implements [record.Holdings].
func (h *Holdings) Count(ctx context.Context, kind record.Kind) (int64, error) {
	var filter bson.D
	field := "user_id"
	switch {
	case !kind.OfUsers() && h.users != nil:
		return 0, nil
	case !kind.OfUsers():
		field, filter = "type", bson.D{{Key: "type", Value: globalType}}
	case h.users != nil:
		filter = h.ofUsers()
	default:
		filter = bson.D{{Key: "user_id", Value: bson.D{{Key: "$type", Value: "string"}}}}
	}
	n, err := h.dialect.count(ctx, h.Store, collectionName(kind), field, filter)
	if err != nil {
		return 0, h.wrap("count the documents of "+collectionName(kind), err)
	}
	return n, nil
}

func (h *Holdings) ofUsers() bson.D {
	return bson.D{{Key: "user_id", Value: bson.D{{Key: "$in", Value: h.users}}}}
}
