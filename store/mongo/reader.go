package mongo

import (
	"context"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
)

// ReaderOptions says what to read back.
type ReaderOptions struct {
	// Users are the only ones to read; none means all. With users the counters, which are nobody's, and items of tables are left
	// out.
	Users []record.UserID
}

// Reader reads back what the database holds, and writes nothing. See [record.TargetReader].
type Reader struct {
	*Store
	users []record.UserID // empty for all
}

// Reader returns what the database holds. It can be read any number of times.
func (s *Store) Reader(o ReaderOptions) *Reader {
	return &Reader{Store: s, users: o.Users}
}

// Read implements [record.TargetReader].
func (h *Reader) Read(ctx context.Context, kind record.Kind, yield func([]record.Document) error) error {
	switch {
	case !ofUsers(kind) && len(h.users) > 0:
		return nil
	case !kind.Identified() || len(h.users) > 0:
		return h.ReadUsers(ctx, kind, h.users, yield)
	}
	p := pages[record.Document]{yield: yield}
	for doc, err := range h.documents(ctx, kind, bson.D{}, projection(kind)) {
		if err != nil {
			return h.wrap("read "+collectionName(kind), err)
		}
		if err := p.add(documentOf(kind, doc), len(doc)); err != nil {
			return err
		}
	}
	return p.flush()
}

// Count implements [record.TargetReader].
func (h *Reader) Count(ctx context.Context, kind record.Kind) (int64, error) {
	if !ofUsers(kind) && len(h.users) > 0 {
		return 0, nil
	}
	field, filter := "user_id", bson.D{{Key: "user_id", Value: bson.D{{Key: "$type", Value: "string"}}}}
	switch {
	case kind.Named():
		field, filter = "_id", bson.D{{Key: "_id", Value: bson.D{{Key: "$type", Value: "string"}}}}
	case !kind.Identified():
		field, filter = "type", bson.D{{Key: "type", Value: globalType}}
	case len(h.users) > 0:
		filter = havingOne("user_id", texts(h.users))
	}
	n, err := h.dialect.count(ctx, h.Store, collectionName(kind), field, filter)
	if err != nil {
		return 0, h.wrap("count the documents of "+collectionName(kind), err)
	}
	return n, nil
}
