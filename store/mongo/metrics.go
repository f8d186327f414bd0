package mongo

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

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

// appendItems takes the larger one of each counter.
func (s *metricsSchema) appendItems(items []record.Item, from itemOrigin, documents ...bson.Raw) []record.Item {
	it := record.Item{Kind: record.Metrics}
	fields := make(map[string]record.Field)
	for _, doc := range documents {
		held := s.held(0, doc).Fields
		for _, name := range sortedNames(held) {
			origin := from.of(held[name])
			v, reason, detail := record.Counter(name, held[name])
			if !utf8.ValidString(name) {
				reason, detail = record.InvalidFieldName, "the name is not valid UTF-8"
			}
			if reason != "" {
				line := record.Reject{Kind: record.Metrics, Reason: reason, Detail: detail}
				it.Rejects = append(it.Rejects, line.At(name, origin))
				continue
			}
			if other, met := fields[name]; !met || record.CompareNumbers(other.Value, v) < 0 {
				fields[name] = record.Field{Value: v, Origin: origin}
			}
		}
	}
	if len(fields) > 0 {
		it.Record = &record.Record{Kind: record.Metrics, Fields: fields}
	}
	if it.Record == nil && len(it.Rejects) == 0 {
		return items
	}
	return append(items, it)
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

// counterDocuments returns the document of the counters, and any other that the app may take for it.
func (s *Store) counterDocuments(ctx context.Context, kind record.Kind) ([]bson.Raw, error) {
	var documents, byID []bson.Raw
	for doc, err := range s.documents(ctx, kind, countersFilter, nil) {
		switch {
		case err != nil:
			return nil, s.wrap("read "+collectionName(kind), err)
		case isGlobal(doc):
			documents = append(documents, slices.Clone(doc))
		default:
			byID = append(byID, slices.Clone(doc))
		}
	}
	if len(documents) == 0 {
		return byID, nil
	}
	return documents, nil
}

// counters delivers what [Store.counterDocuments] returns.
func (s *Store) counters(ctx context.Context, kind record.Kind, yield func([]record.Document) error) error {
	found, err := s.counterDocuments(ctx, kind)
	if err != nil || len(found) == 0 {
		return err
	}
	documents := make([]record.Document, len(found))
	for i, doc := range found {
		documents[i] = documentOf(kind, doc)
	}
	return yield(documents)
}
