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

// uniqueField is a field of a kind's collection in which no value may stand twice.
type uniqueField struct {
	kind  record.Kind
	field string
	index string // the name of the index to make

	exists bool // the server lists the index, which may be in the making
}

// secret reports whether the field's value lets a user in.
func (u uniqueField) secret() bool { return u.field == schemaOf(u.kind).about().secret }

// String returns the field for people: "kv.user_id".
func (u uniqueField) String() string { return collectionName(u.kind) + "." + u.field }

// Begin implements [record.Sink]: it makes the indexes that have to be there before the first write.
func (s *Sink) Begin(ctx context.Context, keep record.ArchiveFunc) error {
	return s.makeUnique(ctx, s.first, keep)
}

// Finish implements [record.Sink]: it makes the indexes of the collections that were empty before, which is faster after
// the load.
func (s *Sink) Finish(ctx context.Context, keep record.ArchiveFunc) error {
	return s.makeUnique(ctx, s.last, keep)
}

func (s *Sink) makeUnique(ctx context.Context, fields []uniqueField, keep record.ArchiveFunc) error {
	if s.opts.DryRun {
		return nil
	}
	for _, u := range fields {
		if err := s.makeIndex(ctx, u, keep); err != nil {
			return err
		}
	}
	return nil
}

// inspect looks at a kind's collection before the first write, and decides when its indexes are made.
func (s *Sink) inspect(ctx context.Context, kind record.Kind) error {
	empty, err := s.isEmpty(ctx, collectionName(kind))
	if err != nil {
		return err
	}
	s.empty[kind] = empty
	s.findFirst[kind].Store(!empty && s.dialect.findsFirst(1, 1))
	if !empty {
		warnings, err := s.NumericUsers(ctx, record.Kinds(0).With(kind))
		if err != nil {
			return err
		}
		s.warnings = append(s.warnings, warnings...)
	}
	indexes, err := s.indexes(ctx, kind)
	if err != nil {
		return err
	}
	for _, field := range uniqueFields(kind) {
		u := uniqueField{kind: kind, field: field, index: indexes.freeName(field)}
		unique, inTheWay := indexes.unique(field)
		switch {
		case unique != "":
			// It may be in the making, by somebody else or for a run that was cut short: then it is waited for.
			u.index, u.exists = unique, true
			s.first = append(s.first, u)
			continue
		case inTheWay != "" && kind.Identified():
			return &IndexError{Collection: collectionName(kind), Index: inTheWay, Field: field}
		// A key that came to two users would let one act as the other until the load is over.
		case empty && !u.secret() && !s.peculiar[collectionName(kind)].sharded:
			s.last = append(s.last, u)
			continue
		}
		if err := s.checkDuplicates(ctx, u); err != nil {
			return err
		}
		s.first = append(s.first, u)
		if !kind.Identified() {
			s.last = append(s.last, u) // without an index, the app's document may come at any time
		}
	}
	return nil
}

// isEmpty reports whether a collection holds no document. A count of the server's may be wrong after a crash.
func (s *Store) isEmpty(ctx context.Context, collection string) (bool, error) {
	onlyID := options.FindOne().SetProjection(bson.D{{Key: "_id", Value: 1}})
	_, err := s.findOne(ctx, collection, bson.D{}, onlyID)
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return true, nil
	case err != nil:
		return false, s.wrap("look into "+collection, err)
	}
	return false, nil
}

// indexSpec is what the server says of an index.
type indexSpec struct {
	Name      string    `bson:"name"`
	Key       bson.D    `bson:"key"`
	Unique    bool      `bson:"unique"`
	Sparse    bool      `bson:"sparse"`
	Partial   bson.Raw  `bson:"partialFilterExpression"`
	Collation collation `bson:"collation"`
}

// indexes are those of a collection.
type indexes []indexSpec

func (s *Store) indexes(ctx context.Context, kind record.Kind) (indexes, error) {
	operation := "list the indexes of " + collectionName(kind)
	ctx, cancel := context.WithTimeout(ctx, s.commandTimeout)
	defer cancel()
	cursor, err := s.collection(kind).Indexes().List(ctx)
	if hasCode(err, codeNamespaceNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, s.wrap(operation, err)
	}
	var list indexes
	if err := cursor.All(ctx, &list); err != nil {
		return nil, s.wrap(operation, err)
	}
	return list, nil
}

// unique returns the name of a unique index on the field alone that covers every document and compares bytes, or of another
// one beside which the server makes no such index.
func (x indexes) unique(field string) (unique, inTheWay string) {
	for _, i := range x {
		if len(i.Key) != 1 || i.Key[0].Key != field || !i.Collation.comparesBytes() {
			continue
		}
		ascending, isNumber := asInteger(i.Key[0].Value)
		switch {
		case !isNumber || ascending != 1:
		case i.Unique && !i.Sparse && i.Partial == nil:
			return i.Name, ""
		default:
			inTheWay = i.Name
		}
	}
	return "", inTheWay
}

// asInteger returns the number that an index has in place of its order.
func asInteger(v any) (int64, bool) {
	switch n := v.(type) {
	case int32:
		return int64(n), true
	case int64:
		return n, true
	case float64:
		return int64(n), true
	}
	return 0, false
}

// freeName returns a name for an index on the field that no other has: another index may be called "user_id_1" already.
func (x indexes) freeName(field string) string {
	name := field + "_1"
	for slices.ContainsFunc(x, func(i indexSpec) bool { return i.Name == name }) {
		name += "_unique"
	}
	return name
}

// makeIndex makes the unique index on a field. Where somebody else wrote meanwhile, so that a user has two documents,
// these are merged first.
func (s *Sink) makeIndex(ctx context.Context, u uniqueField, keep record.ArchiveFunc) error {
	for attempt := 1; ; attempt++ {
		err := s.createIndex(ctx, u)
		if err != nil && (ctx.Err() != nil || isAny(err, record.ErrUnavailable, ErrPermission, ErrIndexTime, ErrUnwritable)) {
			return err
		}
		if err == nil && u.kind.Identified() {
			return nil
		}
		// Servers answer duplicates with different errors, so they are looked for whatever it is.
		duplicates, lookErr := s.duplicates(ctx, u, mergedAtOnce)
		switch {
		case lookErr == nil && len(duplicates) == 0 && err != nil && classify(err) == duplicate && attempt < rounds:
			continue // it went meanwhile
		case lookErr != nil || len(duplicates) == 0:
			return errors.Join(err, lookErr)
		}
		for _, v := range duplicates {
			if err := s.mergeDuplicate(ctx, u, v, keep); err != nil {
				return err
			}
		}
	}
}
