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
	if kind == record.Metrics {
		return h.counters(ctx, yield)
	}
	filter := bson.D{}
	if h.users != nil {
		filter = h.ofUsers()
	}
	p := pages[record.Standing]{yield: yield}
	for doc, err := range h.documents(ctx, kind, filter, contentOnly(kind)) {
		if err != nil {
			return h.wrap("read "+collectionName(kind), err)
		}
		if err := p.add(standing(kind, doc), len(doc)); err != nil {
			return err
		}
	}
	return p.flush()
}

// counters delivers the document of the counters, and any other that the app may take for it.
func (h *Holdings) counters(ctx context.Context, yield func([]record.Standing) error) error {
	if h.users != nil {
		return nil
	}
	var global, byID []record.Standing
	for doc, err := range h.documents(ctx, record.Metrics, countersFilter, nil) {
		switch {
		case err != nil:
			return h.wrap("read "+collectionName(record.Metrics), err)
		case isGlobal(doc):
			global = append(global, standing(record.Metrics, doc))
		default:
			byID = append(byID, standing(record.Metrics, doc))
		}
	}
	if len(global) == 0 {
		global = byID
	}
	if len(global) == 0 {
		return nil
	}
	return yield(global)
}

// Count implements [record.Holdings].
func (h *Holdings) Count(ctx context.Context, kind record.Kind) (int64, error) {
	var filter bson.D
	field := "user_id"
	switch {
	case kind == record.Metrics && h.users != nil:
		return 0, nil
	case kind == record.Metrics:
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

// contentOnly returns the projection on what bears on a kind, or nil where that is about all of a document.
func contentOnly(kind record.Kind) bson.D {
	fields := bson.D{{Key: "_id", Value: 0}, {Key: "user_id", Value: 1}}
	switch kind {
	case record.APIKeys:
		return append(fields, bson.E{Key: "key", Value: 1}, bson.E{Key: record.WrittenField, Value: 1})
	case record.LastSeen, record.MonitoringSince:
		for _, name := range timeFields(kind) {
			fields = append(fields, bson.E{Key: name, Value: 1})
		}
		return fields
	}
	return nil
}
