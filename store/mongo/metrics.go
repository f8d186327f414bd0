package mongo

import (
	"context"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
)

// metrics is the one document of the counters: {type: "global", NAME: number, …, updated_at}.
var metrics = &metricsSchema{traits{kind: record.Metrics, whole: true}}

type metricsSchema struct{ traits }

func (*metricsSchema) appendContent(doc []byte, r record.Record, now time.Time) []byte {
	for _, name := range r.FieldNames() {
		doc = appendElement(doc, name, r.Fields[name].Value)
	}
	return bsoncore.AppendDateTimeElement(doc, "updated_at", now.UnixMilli())
}

func (*metricsSchema) held(_ record.UserID, doc bson.Raw) record.Held {
	h := record.Held{Found: doc != nil, Untyped: doc != nil && !isGlobal(doc), Fields: make(map[string]record.Value)}
	for _, e := range elementsOf(doc) {
		if name := e.Key(); !record.ReservedCounter(name) {
			h.Fields[name] = number(e.Value())
		}
	}
	return h
}

// outlined returns nothing: a sweep is about users.
func (*metricsSchema) outlined(record.UserID, bson.Raw) record.Held { return record.Held{Found: true} }

func (*metricsSchema) patch(doc bson.Raw, d record.Decision, _ record.Limits, now time.Time) patch {
	p := patch{set: bson.D{{Key: "type", Value: globalType}, {Key: "updated_at", Value: bson.NewDateTimeFromTime(now)}}}
	for _, name := range sortedNames(d.Set) {
		p.set = append(p.set, bson.E{Key: name, Value: d.Set[name]})
		p.guard = append(p.guard, stillIs(doc, name))
	}
	return p
}

func (*metricsSchema) restore(r *record.Record, held record.Held, _ time.Time) error {
	for name, stands := range held.Fields {
		if v, reason, _ := record.Counter(name, stands); reason == "" {
			restoreField(r, name, v)
		}
	}
	return nil
}

// join changes nothing: a sweep is about users.
func (*metricsSchema) join(*fields, []record.Document, record.Decision) {}

// countersFilter finds the document of the counters: the one that [isGlobal], else the one under that _id.
var countersFilter = bson.D{{Key: "$or", Value: bson.A{
	bson.D{{Key: "type", Value: globalType}}, bson.D{{Key: "_id", Value: globalType}},
}}}

// isGlobal reports whether the app takes the document for that of the counters.
func isGlobal(doc bson.Raw) bool {
	kind, _ := lookup(doc, "type").StringValueOK()
	return kind == globalType
}

// counters delivers the document of the counters, and any other that the app may take for it.
func (s *Store) counters(ctx context.Context, kind record.Kind, yield func([]record.Document) error) error {
	var global, byID []record.Document
	for doc, err := range s.documents(ctx, kind, countersFilter, nil) {
		switch {
		case err != nil:
			return s.wrap("read "+collectionName(kind), err)
		case isGlobal(doc):
			global = append(global, documentOf(kind, doc))
		default:
			byID = append(byID, documentOf(kind, doc))
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
