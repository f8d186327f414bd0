package mongo_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

func TestDocumentsConform(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	storetest.Documents(t, func(t testing.TB) storetest.DocumentsTarget { return newFixture(t, uri).documentsTarget() })
}

// TestDocumentsConformOnThePathForMongoDB runs the suite with the statements that MongoDB gets.
func TestDocumentsConformOnThePathForMongoDB(t *testing.T) {
	t.Parallel()
	open := asMongoDB(t, "find", "update", "delete")
	storetest.Documents(t, func(t testing.TB) storetest.DocumentsTarget {
		f := open(t)
		target := f.documentsTarget()
		target.Many = 100 // FerretDB scans the collection for each guard
		return target
	})
}

func TestJournalConforms(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	storetest.Journal(t, func(t testing.TB) record.Journal { return newFixture(t, uri).store.Journal() })
}

func TestLeasesConform(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	storetest.Leases(t, func(t testing.TB) record.Leases { return newFixture(t, uri).store.Leases() })
}

func TestRunsConform(t *testing.T) {
	t.Parallel()
	storetest.Runs(t, newFixture(t, mongoserver.URI(t)).store.Runs())
	storetest.Runs(t, asMongoDB(t, "update")(t).store.Runs())
}

func TestLeasesConformOnThePathForMongoDB(t *testing.T) {
	t.Parallel()
	open := asMongoDB(t, "find", "update", "delete")
	storetest.Leases(t, func(t testing.TB) record.Leases { return open(t).store.Leases() })
}

func TestJournalConformsOnThePathForMongoDB(t *testing.T) {
	t.Parallel()
	open := asMongoDB(t, "find", "update", "delete")
	storetest.Journal(t, func(t testing.TB) record.Journal { return open(t).store.Journal() })
}

func (f *fixture) documentsTarget() storetest.DocumentsTarget {
	return storetest.DocumentsTarget{
		Documents: f.store.Documents(),
		Put: func(c record.Collection, fields storetest.Fields) string {
			f.t.Helper()
			doc := ordered(fields)
			if _, ok := fields["_id"]; !ok {
				doc = append(bson.D{{Key: "_id", Value: bson.NewObjectID()}}, doc...)
			}
			f.removeID(c.String(), doc[0].Value)
			f.insert(c.String(), doc)
			return stringID(f.t, doc)
		},
		Remove: func(c record.Collection, id string) {
			f.t.Helper()
			f.removeID(c.String(), bson.RawValue{Type: bson.Type(id[0]), Value: []byte(id[1:])})
		},
		Unique: func(c record.Collection, field string) {
			f.t.Helper()
			f.unique(c.String(), field)
		},
		All: func(c record.Collection) map[string]storetest.Fields {
			f.t.Helper()
			all := make(map[string]storetest.Fields)
			for id, raw := range f.dump(c.String()) {
				var doc bson.D
				if err := bson.Unmarshal(raw, &doc); err != nil {
					f.t.Fatal(err)
				}
				all[id] = fieldsOf(doc)
			}
			return all
		},
		Dump: func(c record.Collection) map[string][]byte {
			f.t.Helper()
			return f.dump(c.String())
		},
	}
}

func (f *fixture) removeID(collection string, id any) {
	f.t.Helper()
	if _, err := f.db.Collection(collection).DeleteOne(context.Background(), bson.D{{Key: "_id", Value: id}}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) unique(collection, field string) {
	f.t.Helper()
	_, err := f.db.Collection(collection).Indexes().CreateOne(context.Background(), driver.IndexModel{
		Keys: bson.D{{Key: field, Value: 1}}, Options: options.Index().SetUnique(true),
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

// dump returns the documents of a collection as they are, by ID.
func (f *fixture) dump(collection string) map[string][]byte {
	f.t.Helper()
	ctx := context.Background()
	cursor, err := f.db.Collection(collection).Find(ctx, bson.D{}, options.Find().SetBatchSize(100))
	if err != nil {
		f.t.Fatal(err)
	}
	all := make(map[string][]byte)
	for cursor.Next(ctx) {
		id := cursor.Current.Lookup("_id")
		all[string(append([]byte{byte(id.Type)}, id.Value...))] = slices.Clone(cursor.Current)
	}
	if err := errors.Join(cursor.Err(), cursor.Close(ctx)); err != nil {
		f.t.Fatal(err)
	}
	return all
}

// stringID returns the ID of a document. It is written apart from the store's own.
func stringID(t testing.TB, doc bson.D) string {
	t.Helper()
	kind, value, err := bson.MarshalValue(doc[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	return string(append([]byte{byte(kind)}, value...))
}

// ordered returns the fields in the order of their names, the _id first.
func ordered(fields storetest.Fields) bson.D {
	var doc bson.D
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		v := fields[name]
		if fields, ok := v.(storetest.Fields); ok {
			v = ordered(fields)
		}
		if list, ok := v.([]any); ok {
			array := bson.A{}
			for _, e := range list {
				if fields, ok := e.(storetest.Fields); ok {
					e = ordered(fields)
				}
				array = append(array, e)
			}
			v = array
		}
		doc = append(doc, bson.E{Key: name, Value: v})
	}
	if doc == nil {
		return bson.D{}
	}
	return doc
}

func fieldsOf(doc bson.D) storetest.Fields {
	fields := make(storetest.Fields, len(doc))
	for _, e := range doc {
		fields[e.Key] = fieldOf(e.Value)
	}
	return fields
}

func fieldOf(v any) any {
	switch v := v.(type) {
	case bson.D:
		return fieldsOf(v)
	case bson.A:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = fieldOf(e)
		}
		return list
	case bson.DateTime:
		return v.Time().In(time.UTC)
	}
	return v
}
