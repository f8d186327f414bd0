package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
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

// TestAValueThatIsNotReplacedStaysAsItIs, on servers without decimals, too.
func TestAValueThatIsNotReplacedStaysAsItIs(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	f := newFixture(t, mongoserver.URI(t))
	f.insert("remember", bson.D{
		{Key: "_id", Value: "7/a"}, {Key: "discord_server_id", Value: int32(7)}, {Key: "rem_key", Value: "a"}, {Key: "share", Value: 0.5}, {Key: "rem_value", Value: "x"},
	})
	before, err := f.store.Items().Item(ctx, record.Remember, values{"discord_server_id": int64(7), "rem_key": "a"})
	if err != nil || before == nil {
		t.Fatal(before, err)
	}
	after := *before
	after.Fields = maps.Clone(before.Fields)
	after.Fields["rem_value"] = record.Field{Value: "y"}
	if done, err := f.store.Items().Replace(ctx, before, &after); err != nil || !done {
		t.Fatal(done, err)
	}
	doc, err := f.db.Collection("remember").FindOne(ctx, bson.D{{Key: "_id", Value: "7/a"}}).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := doc.Lookup("discord_server_id").Int32OK(); !ok || n != 7 || doc.Lookup("share").Type != bson.TypeDouble || doc.Lookup("rem_value").StringValue() != "y" {
		t.Errorf("%v", doc)
	}
}

// TestDecimalsAreRejectedByFerretDB: exactly those items whose numbers no int64 holds.
func TestDecimalsAreRejectedByFerretDB(t *testing.T) {
	t.Parallel()
	limits := newFixture(t, ferretdb.Start(t).URI).store.Limits()
	for v, want := range map[record.Value]record.Reason{
		int64(1) << 62: "", "0.1": "", record.Decimal("0.1"): record.NumberOutOfRange, record.Decimal("1E-130"): record.NumberOutOfRange,
	} {
		for _, held := range []record.Value{v, record.Object{"in": v}, record.Array{v}} {
			r := storetest.Item(record.BotData, values{"key": "a", "value": held, "other": "x"})
			it := limits.Apply(record.Item{Kind: r.Kind, Record: &r})
			switch {
			case want == "" && (it.Record == nil || len(it.Rejects) > 0):
				t.Errorf("%v is rejected: %+v", held, it.Rejects)
			case want != "" && (it.Record != nil || len(it.Rejects) != len(r.Fields) || it.Rejects[0].Reason != want):
				t.Errorf("%v is no reject of the whole item: %+v", held, it)
			}
		}
	}
}

// TestTypesBeside reads documents as somebody may have left them.
func TestTypesBeside(t *testing.T) {
	const digits = "12345678901234567890123456789012345678"
	note := func(t string, path ...any) bson.D {
		return bson.D{{Key: "path", Value: bson.A(path)}, {Key: "type", Value: t}}
	}
	decimal := func(s string) bson.Decimal128 {
		d, err := bson.ParseDecimal128(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	set := func(t record.AttributeType, members ...record.Value) record.Set {
		s, _ := record.NewSet(t, members)
		return s
	}
	for _, tc := range []struct {
		rule   string
		stands any
		notes  bson.A
		want   record.Value
	}{
		{"a number is exact, whatever its BSON type", bson.A{int32(7), int64(7), decimal("7.0"), decimal("-0"), decimal("1E2"), decimal("0.10"), 0.5}, nil,
			record.Array{int64(7), int64(7), int64(7), int64(0), int64(100), record.Decimal("0.1"), record.Decimal("0.5")}},
		{"a double is what somebody typed", bson.A{81384788765712384.0, 0.1, math.Copysign(0, -1), 1e300, 0x1p63},
			nil, record.Array{int64(81384788765712384), record.Decimal("0.1"), int64(0), record.Decimal("1E300"), record.Decimal("9223372036854776000")}},
		{"a double of a set is a number of it", bson.A{int64(3), 2.5}, bson.A{note("NS", "v")}, set(record.NumberSetType, int64(3), record.Decimal("2.5"))},
		{"what is not finite is a float", bson.A{math.Inf(-1), decimal("Infinity"), decimal("-Infinity")}, nil, record.Array{math.Inf(-1), math.Inf(1), math.Inf(-1)}},
		{"binary of another subtype is opaque", bson.Binary{Subtype: 4, Data: make([]byte, 16)}, nil, record.Opaque{Type: byte(bson.TypeBinary)}},
		{"a set is in order, whatever the array's", bson.A{"b", "a"}, bson.A{note("SS", "v")}, set(record.TextSetType, "a", "b")},
		{"a set that somebody emptied is empty", bson.A{}, bson.A{note("NS", "v")}, record.Set{Type: record.NumberSetType, Members: record.Array{}}},
		{"a set with another type in it is an array", bson.A{"b", int64(1)}, bson.A{note("SS", "v")}, record.Array{"b", int64(1)}},
		{"a set with a member twice is an array", bson.A{int64(1), decimal("1")}, bson.A{note("NS", "v")}, record.Array{int64(1), int64(1)}},
		{"what is no array is no set", "a", bson.A{note("SS", "v")}, "a"},
		{"digits are a number where they stand for one", digits, bson.A{note("N", "v")}, record.Decimal(digits)},
		{"digits are text else", digits, nil, digits},
		{"other text than lanyardctl's is no number", "7", bson.A{note("N", "v")}, "7"},
		{"nor is one that a Decimal128 holds", "0.5", bson.A{note("N", "v")}, "0.5"},
		{"nor is text", "tomorrow", bson.A{note("N", "v")}, "tomorrow"},
		{"a type is of its path alone", bson.D{{Key: "a", Value: bson.A{bson.A{"x"}, bson.A{"x"}}}, {Key: "0", Value: bson.A{"x"}}},
			bson.A{note("SS", "v", "a", int32(1)), note("SS", "v", "a"), note("SS", "w"), note("SS", "v", int32(0)), note("SS", "v", "b", "c")},
			record.Object{"a": record.Array{record.Array{"x"}, set(record.TextSetType, "x")}, "0": record.Array{"x"}}},
		{"notes that are none do no harm", "a", bson.A{"x", bson.D{}, note("N"), bson.D{{Key: "path", Value: "v"}}, note("L", "v"), note("", "v")}, "a"},
		{"a list that is noted as a list is a list", bson.A{}, bson.A{note("L", "v")}, record.Array{}},
	} {
		doc := encoded(t, bson.D{{Key: "_id", Value: "a"}, {Key: "v", Value: tc.stands}, {Key: "lanyardctl", Value: bson.D{{Key: "types", Value: tc.notes}}}})
		got := mongo.DocumentOf(record.BotData, doc).Held.Fields["v"]
		if want, ok := tc.want.(record.Opaque); ok {
			if o, _ := got.(record.Opaque); o.Type != want.Type {
				t.Errorf("%s: %#v", tc.rule, got)
			}
			continue
		}
		if !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%s: %#v, want %#v", tc.rule, got, tc.want)
		}
	}
	for _, beside := range []any{"x", bson.A{}, bson.D{{Key: "types", Value: "x"}}} {
		doc := encoded(t, bson.D{{Key: "_id", Value: "a"}, {Key: "v", Value: int64(1)}, {Key: "lanyardctl", Value: beside}})
		if h := mongo.DocumentOf(record.BotData, doc).Held; h.Unmodified || !reflect.DeepEqual(h.Fields, map[string]record.Value{"v": int64(1)}) {
			t.Errorf("beside %v: %+v", beside, h)
		}
	}
}

// TestDocumentsThatAreNoItems: what is not understood is a reject, with all that the document holds.
func TestDocumentsThatAreNoItems(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	named := func(id any, server any, key string) bson.D {
		return bson.D{{Key: "_id", Value: id}, {Key: "discord_server_id", Value: server}, {Key: "rem_key", Value: key}}
	}
	id := bson.NewObjectID()
	for _, doc := range []bson.D{
		named("7/a%2Fb", int64(7), "a/b"),
		named("7/a", int64(8), "a"), named("9/a", "9", "a"), {{Key: "_id", Value: "10/a"}, {Key: "rem_key", Value: "a"}}, {{Key: "_id", Value: "11/a"}},
		named(id, int64(12), "a"), named(int32(7), int64(13), "a"),
	} {
		f.insert("remember", doc)
	}
	items := make(map[string]record.Item)
	page := deliver(t, f.source(mongo.SourceOptions{Kinds: record.Kinds(0).With(record.Remember)}))
	for _, it := range page.items {
		key := ""
		if it.Record != nil {
			key = it.Record.Fields["rem_key"].Origin.Key
		}
		for _, r := range it.Rejects {
			if key = r.Key; r.Reason != record.InvalidItemKey || r.Detail == "" || !r.Value.Present || r.Kind != record.Remember {
				t.Errorf("%+v", r)
			}
		}
		items[key] = it
	}
	for key, want := range map[string]int{
		"remember/7/a%2Fb": 0, "remember/7/a": 2, "remember/9/a": 2, "remember/10/a": 1, "remember/11/a": 1,
		"remember/" + string(record.JSON(record.Opaque{Type: byte(bson.TypeObjectID), Data: id[:]})): 2, "remember/7": 2,
	} {
		it, ok := items[key]
		if !ok || len(it.Rejects) != want || (it.Record == nil) != (want > 0) {
			t.Errorf("%s is delivered %v, as %+v", key, ok, it)
		}
	}
	if len(items) != 7 || page.seen.Keys != 7 || page.seen.Lanyard != 5 {
		t.Errorf("%d items, %+v", len(items), page.seen)
	}
	// Nobody takes a document for an item that its _id does not name, and none is written over.
	h := f.store.Reader(mongo.ReaderOptions{})
	storetest.CheckDigestsOf(t, h, storetest.TestedTables)
	named7 := 0
	err := h.Read(t.Context(), record.Remember, func(documents []record.Document) error {
		for _, d := range documents {
			if d.Named != (d.Identity() != record.Identity{}) || d.Name == (record.Name{}) {
				t.Errorf("%+v", d)
			}
			if d.Named {
				named7++
			}
		}
		return nil
	})
	if n, countErr := h.Count(t.Context(), record.Remember); err != nil || countErr != nil || n != 5 || named7 != 5 {
		t.Errorf("%d named, counted as %d: %v %v", named7, n, err, countErr)
	}
}

// TestGuardsOfItems changes an item between the moment in which it is read and the one in which it is written: in another
// attribute than those that are written, but an item is decided about as a whole.
func TestGuardsOfItems(t *testing.T) {
	t.Parallel()
	f := newFixture(t, guardedServer(t))
	item := func(value string) record.Record {
		return storetest.Item(record.BotData, values{"key": "a", "value": value})
	}
	sink := f.tables(storetest.TableOptions{Now: func() time.Time { return storetest.Now }}).Sink
	f.write(sink, &keeper{}, item("x"))
	theirs := mem.Document{Fields: values{"key": "a", "value": "x", "other": "theirs"}, Mark: item("x").Digest().String()}
	changed := false
	outcomes, err := sink.Write(t.Context(), []record.Record{item("y")}, func([]record.Superseded) error {
		changed = true
		f.putItem(record.BotData, record.NameOf("a"), theirs)
		return nil
	})
	if err != nil || !changed || outcomes[0].Status != record.Conflicted {
		t.Fatalf("changed %v, %+v: %v", changed, outcomes, err)
	}
	if got := f.items(record.BotData)[record.NameOf("a")]; !reflect.DeepEqual(got, theirs) {
		t.Errorf("%+v, want %+v", got, theirs)
	}
}

// orders is a table that is none of the bot's. The process knows it from the start, whichever tests run.
var orders = func() record.Kind {
	kind, err := record.DefineTable("Orders", "orders_2026")
	if err != nil {
		panic(err)
	}
	return kind
}()

// TestOtherTables copies a table whose key nobody knows here.
func TestOtherTables(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	kind := orders
	r := record.Record{Kind: kind, Name: record.NameOf("81384788765712384"), Fields: map[string]record.Field{"user_id": {Value: int64(7)}, "type": {Value: "global"}}}
	sink := f.sink(record.Kinds(0).With(kind))
	for _, want := range []record.Status{record.Inserted, record.Unchanged} {
		if o := f.write(sink, &keeper{}, r); o[0].Status != want {
			t.Errorf("%+v, want column %d", o[0], want)
		}
	}
	if documents := f.documents("orders_2026"); len(documents) != 1 || documents[0]["_id"] != "81384788765712384" || documents[0]["user_id"] != int64(7) {
		t.Errorf("%v", documents)
	}
	page := deliver(t, f.source(mongo.SourceOptions{Kinds: record.Kinds(0).With(kind)}))
	if len(page.items) != 1 || page.items[0].Record == nil || page.items[0].Record.Digest() != r.Digest() {
		t.Errorf("%+v", page.items)
	}
	if _, err := f.store.Items().Item(t.Context(), kind, values{"id": "x"}); err == nil {
		t.Error("an item was looked for by a key that nobody knows")
	}
	target, err := f.store.Checkpoints().Target(t.Context())
	if _, named := target["orders_2026"]; !named || err != nil {
		t.Errorf("%v: %v", target, err)
	}
	// Of users, nothing is an item's.
	users := []record.UserID{81384788765712384, 7}
	h := f.store.Reader(mongo.ReaderOptions{Users: users})
	none := func(documents []record.Document) error {
		t.Errorf("%+v", documents)
		return nil
	}
	n, countErr := h.Count(t.Context(), kind)
	if err := errors.Join(countErr, h.Read(t.Context(), kind, none), f.store.ReadUsers(t.Context(), kind, users, none)); err != nil || n != 0 {
		t.Errorf("%d counted: %v", n, err)
	}
	if page := deliver(t, f.source(mongo.SourceOptions{Kinds: record.Kinds(0).With(kind), Users: users})); len(page.items) > 0 {
		t.Errorf("%+v", page.items)
	}
}
