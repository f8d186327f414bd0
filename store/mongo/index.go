package mongo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// DuplicatesError tells that users, or API keys, stand in two documents of a collection, so that nobody can say which
// one the app reads.
type DuplicatesError struct {
	Database, Collection, Field string
	Values                      []string // the first few; API keys as fingerprints
	More                        bool
}

func (e *DuplicatesError) Error() string {
	list := strings.Join(e.Values, ", ")
	if e.More {
		list += ", …"
	}
	return fmt.Sprintf("collection %s.%s has more than one document with the same %s: %s", e.Database, e.Collection, e.Field, list)
}

// named is how many users an error or a notice names.
const named = 10

// uniqueFields returns the fields whose values stand in one document of the kind's collection only.
func uniqueFields(kind record.Kind) []string {
	switch kind {
	case record.Metrics:
		return nil
	case record.APIKeys:
		return []string{"user_id", "key"}
	}
	return []string{"user_id"}
}

// uniqueIndex is an index that is to be made.
type uniqueIndex struct {
	kind  record.Kind
	field string
}

// MakeIndexes makes the indexes that have to be there before the first write. It must be called once before it; in a
// dry run it does nothing.
func (s *Sink) MakeIndexes(ctx context.Context) error {
	if s.opts.DryRun {
		return nil
	}
	for _, index := range s.missing {
		if err := s.makeIndex(ctx, index.kind, index.field); err != nil {
			return err
		}
	}
	return nil
}

// inspect looks at a kind's collection before the first write.
func (s *Sink) inspect(ctx context.Context, kind record.Kind) error {
	name := collectionName(kind)
	count, err := s.collection(kind).EstimatedDocumentCount(ctx)
	if err != nil {
		return s.wrap("count the documents of "+name, err)
	}
	if count == 0 {
		s.deferred = s.deferred.With(kind)
		if kind == record.APIKeys {
			// A key that came to two users would let one act as the other until the load is over.
			s.missing = append(s.missing, uniqueIndex{kind, "key"})
		}
		return nil
	}
	if kind == record.Metrics {
		return s.oneGlobal(ctx)
	}
	if err := s.noticeNumericUsers(ctx, kind); err != nil {
		return err
	}
	for _, field := range uniqueFields(kind) {
		unique, err := s.hasUniqueIndex(ctx, kind, field)
		if err != nil {
			return err
		}
		if unique {
			continue
		}
		duplicates, err := s.duplicates(ctx, kind, field)
		if err != nil {
			return err
		}
		if len(duplicates) > 0 {
			return s.duplicatesError(kind, field, duplicates)
		}
		s.missing = append(s.missing, uniqueIndex{kind, field})
	}
	return nil
}

// oneGlobal fails where the counters have two documents.
func (s *Sink) oneGlobal(ctx context.Context) error {
	n, err := s.collection(record.Metrics).CountDocuments(ctx, bson.D{{Key: "type", Value: globalType}})
	if err != nil {
		return s.wrap("count the documents of metrics", err)
	}
	if n > 1 {
		return &DuplicatesError{Database: s.db.Name(), Collection: "metrics", Field: "type", Values: []string{globalType}}
	}
	return nil
}

// noticeNumericUsers counts the documents whose user_id is a number: the app does not see them.
func (s *Sink) noticeNumericUsers(ctx context.Context, kind record.Kind) error {
	numeric := bson.D{{Key: "user_id", Value: bson.D{{Key: "$type", Value: "number"}}}}
	cursor, err := s.collection(kind).Find(ctx, numeric, options.Find().SetProjection(bson.D{{Key: "user_id", Value: 1}}))
	if err != nil {
		return s.wrap("look for numeric user ids in "+collectionName(kind), err)
	}
	defer cursor.Close(context.WithoutCancel(ctx))
	notice := Notice{Kind: kind, Note: record.NumericUserID}
	for cursor.Next(ctx) {
		notice.Count++
		if len(notice.Users) < named {
			notice.Users = append(notice.Users, string(record.JSON(number(lookup(cursor.Current, "user_id")))))
		}
	}
	if err := cursor.Err(); err != nil {
		return s.wrap("look for numeric user ids in "+collectionName(kind), err)
	}
	if notice.Count > 0 {
		s.notices = append(s.notices, notice)
	}
	return nil
}

// hasUniqueIndex reports whether the field has a unique index of its own that covers every document. It fails with
// [ErrIndex] where another index on the field alone is in the way of one.
func (s *Store) hasUniqueIndex(ctx context.Context, kind record.Kind, field string) (bool, error) {
	operation := "list the indexes of " + collectionName(kind)
	specs, err := s.collection(kind).Indexes().List(ctx)
	if err != nil {
		return false, s.wrap(operation, err)
	}
	defer specs.Close(context.WithoutCancel(ctx))
	inTheWay := ""
	for specs.Next(ctx) {
		keys, err := lookup(specs.Current, "key").Document().Elements()
		if err != nil || len(keys) != 1 || keys[0].Key() != field {
			continue
		}
		unique, _ := lookup(specs.Current, "unique").BooleanOK()
		sparse, _ := lookup(specs.Current, "sparse").BooleanOK()
		partial := lookup(specs.Current, "partialFilterExpression").Type != 0
		if unique && !sparse && !partial {
			return true, nil
		}
		inTheWay, _ = lookup(specs.Current, "name").StringValueOK()
	}
	if err := specs.Err(); err != nil {
		return false, s.wrap(operation, err)
	}
	if inTheWay != "" {
		return false, fmt.Errorf("%w: %s of %s", ErrIndex, inTheWay, collectionName(kind))
	}
	return false, nil
}

func (s *Store) makeIndex(ctx context.Context, kind record.Kind, field string) error {
	_, err := s.collection(kind).Indexes().CreateOne(ctx, mongo.IndexModel{
		Keys:    bson.D{{Key: field, Value: 1}},
		Options: options.Index().SetUnique(true).SetName(field + "_1"),
	})
	if err != nil {
		return s.wrap(fmt.Sprintf("make the unique index on %s of %s", field, collectionName(kind)), err)
	}
	return nil
}

// duplicates returns values of the field that stand in more than one document: at most one more than an error names.
func (s *Store) duplicates(ctx context.Context, kind record.Kind, field string) ([]bson.RawValue, error) {
	operation := fmt.Sprintf("look for a %s in two documents of %s", field, collectionName(kind))
	pipeline := bson.A{
		bson.D{{Key: "$group", Value: bson.D{{Key: "_id", Value: "$" + field}, {Key: "n", Value: bson.D{{Key: "$sum", Value: 1}}}}}},
		bson.D{{Key: "$match", Value: bson.D{{Key: "n", Value: bson.D{{Key: "$gt", Value: 1}}}}}},
		bson.D{{Key: "$limit", Value: named + 1}},
	}
	cursor, err := s.collection(kind).Aggregate(ctx, pipeline, options.Aggregate().SetAllowDiskUse(true))
	if err != nil {
		return nil, s.wrap(operation, err)
	}
	var groups []bson.Raw
	if err := cursor.All(ctx, &groups); err != nil {
		return nil, s.wrap(operation, err)
	}
	var values []bson.RawValue
	for _, group := range groups {
		values = append(values, lookup(group, "_id"))
	}
	return values, nil
}

func (s *Store) duplicatesError(kind record.Kind, field string, values []bson.RawValue) error {
	e := &DuplicatesError{Database: s.db.Name(), Collection: collectionName(kind), Field: field, More: len(values) > named}
	for _, v := range values[:min(named, len(values))] {
		text, ok := v.StringValueOK()
		switch {
		case !ok:
			text = string(record.JSON(number(v)))
		case field == "key":
			text = record.Fingerprint(text)
		}
		e.Values = append(e.Values, text)
	}
	return e
}

// Finish implements [record.Sink]: it makes the indexes of the collections that were empty before. Where somebody else
// wrote meanwhile, so that a user has two documents, these are merged first.
func (s *Sink) Finish(ctx context.Context, keep record.KeepFunc) error {
	if s.opts.DryRun {
		return nil
	}
	for _, kind := range s.deferred.List() {
		for _, field := range uniqueFields(kind) {
			if err := s.finishIndex(ctx, kind, field, keep); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sink) finishIndex(ctx context.Context, kind record.Kind, field string, keep record.KeepFunc) error {
	for attempt := 0; ; attempt++ {
		err := s.makeIndex(ctx, kind, field)
		if err == nil || errors.Is(err, record.ErrUnavailable) {
			return err
		}
		// Servers answer duplicates with different errors, so they are looked for whatever it is.
		duplicates, lookErr := s.duplicates(ctx, kind, field)
		if lookErr != nil || len(duplicates) == 0 {
			return err
		}
		if attempt == rounds {
			return s.duplicatesError(kind, field, duplicates)
		}
		for _, v := range duplicates {
			if err := s.mergeDuplicate(ctx, kind, field, v, keep); err != nil {
				return err
			}
		}
	}
}
