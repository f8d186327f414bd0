package mongo_test

import (
	"context"
	"fmt"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

func TestConformanceOfTables(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	storetest.RunTables(t, func(t testing.TB, o storetest.TableOptions) storetest.TableTarget {
		return newFixture(t, uri).tables(o)
	})
}

// TestConformanceOfTablesOnThePathForMongoDB is as [TestConformanceOfThePathForMongoDB].
func TestConformanceOfTablesOnThePathForMongoDB(t *testing.T) {
	t.Parallel()
	open := asMongoDB(t, "find", "update")
	storetest.RunTables(t, func(t testing.TB, o storetest.TableOptions) storetest.TableTarget { return open(t).tables(o) })
}

// TestConformanceOfTablesWithDecimals runs the suite against a server in memory that holds decimals, and compares whole
// documents.
func TestConformanceOfTablesWithDecimals(t *testing.T) {
	t.Parallel()
	uri := guardedServer(t)
	storetest.RunTables(t, func(t testing.TB, o storetest.TableOptions) storetest.TableTarget {
		return newFixture(t, uri).tables(o)
	})
}

func (f *fixture) tables(o storetest.TableOptions) storetest.TableTarget {
	f.t.Helper()
	if o.Before != nil {
		o.Before(f.putItem)
	}
	sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: storetest.TestedTables, Policy: o.Policy, DryRun: o.DryRun, Now: o.Now})
	if err == nil {
		err = sink.Begin(context.Background(), func([]record.Superseded) error { return nil })
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return storetest.TableTarget{
		Sink: sink, Checkpoints: f.store.Checkpoints(), Reader: f.store.Reader(mongo.ReaderOptions{}), Put: f.putItem, All: f.items,
		Drop: func() {
			for _, kind := range storetest.TestedTables.List() {
				if err := f.db.Collection(kind.String()).Drop(context.Background()); err != nil {
					f.t.Fatal(err)
				}
			}
		},
	}
}

// putItem writes a document as somebody does who knows of the types that stand beside.
func (f *fixture) putItem(kind record.Kind, name record.Name, d mem.Document) {
	f.t.Helper()
	doc, beside := bson.D{}, bson.D{}
	var types bson.A
	for attribute, v := range d.Fields {
		doc = append(doc, bson.E{Key: attribute, Value: stored(v, bson.A{attribute}, &types)})
	}
	if d.Mark != "" {
		beside = append(beside, bson.E{Key: "digest", Value: d.Mark})
	}
	if len(types) > 0 {
		beside = append(beside, bson.E{Key: "types", Value: types})
	}
	if len(beside) > 0 {
		doc = append(doc, bson.E{Key: "lanyardctl", Value: beside})
	}
	filter := bson.D{{Key: "_id", Value: name.String()}}
	if _, err := f.db.Collection(kind.String()).ReplaceOne(context.Background(), filter, doc, options.Replace().SetUpsert(true)); err != nil {
		f.t.Fatal(err)
	}
}

// stored returns a value as it stands in a document. It is written apart from the store's own encoder, as is [fixture.items].
func stored(v record.Value, path bson.A, types *bson.A) any {
	note := func(t record.AttributeType) {
		*types = append(*types, bson.D{{Key: "path", Value: append(bson.A{}, path...)}, {Key: "type", Value: string(t)}})
	}
	below := func(step any) bson.A { return append(append(bson.A{}, path...), step) }
	switch v := v.(type) {
	case record.Decimal:
		_, digits, _ := v.Parts()
		if len(digits) > 34 {
			note(record.NumberType)
			return string(v)
		}
		d, err := bson.ParseDecimal128(string(v))
		if err != nil {
			panic(err)
		}
		return d
	case record.Binary:
		return bson.Binary{Data: []byte(v)}
	case record.Set:
		note(v.Type)
		return stored(v.Members, path, types)
	case record.Array:
		list := bson.A{}
		for i, e := range v {
			list = append(list, stored(e, below(int32(i)), types))
		}
		return list
	case record.Object:
		o := bson.D{}
		for name, e := range v {
			o = append(o, bson.E{Key: name, Value: stored(e, below(name), types)})
		}
		return o
	}
	return v
}

// items returns all documents of a table's collection.
func (f *fixture) items(kind record.Kind) map[record.Name]mem.Document {
	f.t.Helper()
	all := make(map[record.Name]mem.Document)
	for _, doc := range f.documents(kind.String()) {
		d := mem.Document{Fields: make(map[string]record.Value)}
		types := make(map[string]string)
		beside, _ := doc["lanyardctl"].(bson.D)
		for _, e := range beside {
			switch v := e.Value.(type) {
			case string:
				d.Mark = v
			case bson.A:
				for _, note := range v {
					types[fmt.Sprintf("%q", note.(bson.D)[0].Value)] = note.(bson.D)[1].Value.(string)
				}
			}
		}
		for name, v := range doc {
			if name != "_id" && name != "lanyardctl" {
				d.Fields[name] = asRecorded(v, bson.A{name}, types)
			}
		}
		if len(types) > 0 {
			f.t.Errorf("of %v there are notes of what is not there: %v", doc["_id"], types)
		}
		all[record.NameOf(doc["_id"].(string))] = d
	}
	return all
}

// asRecorded returns the value of a record that stands in a document, and removes what is noted of it.
func asRecorded(v any, path bson.A, types map[string]string) record.Value {
	key := fmt.Sprintf("%q", path)
	noted := types[key]
	delete(types, key)
	below := func(step any) bson.A { return append(append(bson.A{}, path...), step) }
	switch v := v.(type) {
	case string:
		if noted == "N" {
			return record.Decimal(v)
		}
	case bson.Decimal128:
		n, _ := record.ParseDecimal(v.String())
		return n
	case bson.Binary:
		return record.Binary(v.Data)
	case bson.A:
		list := record.Array{}
		for i, e := range v {
			list = append(list, asRecorded(e, below(int32(i)), types))
		}
		if noted != "" {
			return record.Set{Type: record.AttributeType(noted), Members: list}
		}
		return list
	case bson.D:
		o := record.Object{}
		for _, e := range v {
			o[e.Key] = asRecorded(e.Value, below(e.Key), types)
		}
		return o
	}
	return v
}

func TestTableSource(t *testing.T) {
	t.Parallel()
	for name, uri := range map[string]string{"a server for tests": mongoserver.URI(t), "in the order of MongoDB": guardedServer(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunTableSource(t, func(t testing.TB) storetest.TableSource { return newFixture(t, uri).tableSource() })
		})
	}
}

func (f *fixture) tableSource() storetest.TableSource {
	ctx := context.Background()
	put := func(items []record.Record) {
		f.t.Helper()
		documents := make(map[record.Kind][]any)
		for _, r := range items {
			var types bson.A
			doc := bson.D{{Key: "_id", Value: r.Name.String()}}
			for attribute, field := range r.Fields {
				doc = append(doc, bson.E{Key: attribute, Value: stored(field.Value, bson.A{attribute}, &types)})
			}
			documents[r.Kind] = append(documents[r.Kind], append(doc, bson.E{Key: "lanyardctl", Value: bson.D{{Key: "types", Value: types}}}))
		}
		for kind, list := range documents {
			if _, err := f.db.Collection(kind.String()).InsertMany(ctx, list); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	return storetest.TableSource{Put: put, Limits: f.store.Limits(), Source: func() record.Source {
		source, err := f.store.Source(ctx, mongo.SourceOptions{Kinds: storetest.TestedTables})
		if err != nil {
			f.t.Fatal(err)
		}
		return source
	}}
}

func TestItems(t *testing.T) {
	t.Parallel()
	for name, uri := range map[string]string{"a server for tests": mongoserver.URI(t), "with MongoDB's guards": guardedServer(t)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.RunItems(t, func(t testing.TB) record.Items { return newFixture(t, uri).store.Items() })
		})
	}
}
