package mongo_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// The tests of this file need what MongoDB has and FerretDB has not.

// onMongoDB returns a database on the MongoDB that is named for tests, and skips the test where none is.
func onMongoDB(t *testing.T) *fixture {
	t.Helper()
	named, err := mongoserver.Named()
	switch {
	case err != nil:
		t.Fatal(err)
	case named == nil:
		t.Skipf("needs a MongoDB, and %s names none", mongoserver.Variable)
	case !strings.HasPrefix(named.Facts, "MongoDB"):
		t.Skipf("needs a MongoDB, and %s names a %s", mongoserver.Variable, named.Facts)
	}
	return newFixture(t, mongoserver.URI(t))
}

func (f *fixture) create(name string, options ...bson.E) {
	f.t.Helper()
	command := append(bson.D{{Key: "create", Value: name}}, options...)
	if err := f.db.RunCommand(context.Background(), command).Err(); err != nil {
		f.t.Fatal(err)
	}
}

// ignoreCase is a default collation that takes "a" for "A".
func ignoreCase() bson.E {
	return bson.E{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 1}}}
}

// TestWritesUnderACollation has somebody change a value in its letter case alone, between the moment in which it is read
// and the one in which it is written: their write must not be lost.
func TestWritesUnderACollation(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	for _, name := range []string{"kv", "monitoring", "last_seen", "api_keys", "metrics"} {
		f.create(name, ignoreCase())
	}
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: "x"}, {Key: "app", Value: "old"}}}})
	sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds, Policy: record.PreferSource})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(sink.Warnings()); n != 5 {
		t.Errorf("%d notices: %+v", n, sink.Warnings())
	}
	if err := sink.Begin(context.Background(), (&keeper{}).keep); err != nil {
		t.Fatal(err)
	}
	changed := false
	outcomes, err := sink.Write(context.Background(), []record.Record{kv(alice, values{"a": "y"})}, func([]record.Superseded) error {
		if changed {
			return nil
		}
		changed = true
		_, err := f.db.Collection("kv").UpdateOne(context.Background(), bson.D{{Key: "user_id", Value: alice.String()}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "kv.app", Value: "OLD"}}}})
		return err
	})
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	if err := sink.Finish(context.Background(), (&keeper{}).keep); err != nil {
		t.Fatal(err)
	}
	if got := f.all(record.KV)[alice].Fields; outcomes[0].Status != record.Updated || got["a"] != "y" || got["app"] != "OLD" {
		t.Errorf("%+v, %v", outcomes[0], got)
	}
	for _, name := range []string{"kv", "monitoring", "last_seen", "api_keys"} {
		if !f.hasUniqueIndex(name, "user_id") {
			t.Errorf("%s has no unique index on user_id that compares bytes", name)
		}
	}
}

// hasUniqueIndex reports whether there is one that compares bytes.
func (f *fixture) hasUniqueIndex(collection, field string) bool {
	f.t.Helper()
	cursor, err := f.db.Collection(collection).Indexes().List(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	var list []struct {
		Key       bson.D
		Unique    bool
		Collation struct{ Locale string }
	}
	if err := cursor.All(context.Background(), &list); err != nil {
		f.t.Fatal(err)
	}
	for _, i := range list {
		if len(i.Key) == 1 && i.Key[0].Key == field && i.Unique && (i.Collation.Locale == "" || i.Collation.Locale == "simple") {
			return true
		}
	}
	return false
}

// TestStepsUnderACollation is the same for single documents, as a sweep changes them.
func TestStepsUnderACollation(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	f.create("monitoring", ignoreCase())
	before := bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "note", Value: "old"}, {Key: "since", Value: int64(5)}}
	after := slices.Clone(before)
	after[3].Value = int64(4)
	f.insert("monitoring", before)
	documents := f.interrupted("update", func() {
		_, err := f.db.Collection("monitoring").UpdateOne(context.Background(), bson.D{{Key: "_id", Value: "x"}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "note", Value: "OLD"}}}})
		if err != nil {
			t.Error(err)
		}
	})
	id := string(append([]byte{byte(bson.TypeString)}, bsoncore.AppendString(nil, "x")...))
	results, err := documents.Apply(context.Background(), []record.Step{
		{Collection: record.MonitoringCollection, ID: id, Before: encoded(t, before), After: encoded(t, after)},
	})
	if err != nil || results[0] != record.StepModified {
		t.Errorf("%v, %v", results, err)
	}
	if doc := f.documents("monitoring")[0]; doc["note"] != "OLD" || doc["since"] != int64(5) {
		t.Errorf("%v", doc)
	}
}

// TestASourceFollowsTheCollectionsCollation has _ids in another order than that of their bytes: numbers are in the order of
// their size. A view has no order.
func TestASourceFollowsTheCollectionsCollation(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	f.create("last_seen", bson.E{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 1}, {Key: "numericOrdering", Value: true}}})
	users := f.mixedIDs(2500)
	src := f.source(mongo.SourceOptions{Kinds: onlyLastSeen})
	src.SetLarge(0)
	parts, err := src.Parts(t.Context())
	if err != nil || len(parts) != 1 {
		t.Fatalf("%d parts, %v", len(parts), err)
	}
	var d delivery
	stop := func(p record.Page) error { return errors.Join(d.take(p), errKilled) }
	for killed := true; killed; {
		position := append([]string{""}, d.next...)[len(d.next)]
		if err := parts[0].Read(t.Context(), position, stop); !errors.Is(err, errKilled) {
			if err != nil {
				t.Fatal(err)
			}
			killed = false
		}
	}
	if !slices.Equal(d.users(), users) {
		t.Errorf("%d items", len(d.items))
	}
	f.drop()
	f.create("last_seen", bson.E{Key: "viewOn", Value: "others"}, bson.E{Key: "pipeline", Value: bson.A{}})
	f.insert("others", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "timestamp", Value: int64(1700000000000)}})
	if items := deliver(t, f.source(mongo.SourceOptions{})).items; len(items) != 1 {
		t.Errorf("%d items of a view", len(items))
	}
}

func TestOddCollectionsAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []bson.E
		why     string
	}{
		"capped":      {[]bson.E{{Key: "capped", Value: true}, {Key: "size", Value: 4096}}, "is capped"},
		"view":        {[]bson.E{{Key: "viewOn", Value: "others"}, {Key: "pipeline", Value: bson.A{}}}, "is a view on others"},
		"time series": {[]bson.E{{Key: "timeseries", Value: bson.D{{Key: "timeField", Value: "at"}}}}, "is a time series"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := onMongoDB(t)
			if name == "time series" && f.store.Limits().NoDollars {
				t.Skip("needs MongoDB 5.0, which has time series")
			}
			f.create("last_seen", c.options...)
			_, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds})
			if !errors.Is(err, mongo.ErrUnwritable) || !strings.Contains(err.Error(), f.name+".last_seen "+c.why) {
				t.Errorf("%v", err)
			}
			if _, err := f.store.CheckWritable(context.Background(), []record.Collection{record.KVCollection}); err != nil {
				t.Errorf("of another collection: %v", err)
			}
		})
	}
}

func TestADocumentThatAValidatorRefuses(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	f.create("kv", bson.E{Key: "validator", Value: bson.D{{Key: "kv.bad", Value: bson.D{{Key: "$exists", Value: false}}}}})
	outcomes := f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, kv(alice, values{"bad": "secret"}), kv(bob, values{"good": "x"}))
	if o := outcomes[0]; o.Status != record.Rejected || !strings.HasSuffix(o.Rejects[0].Detail, "error 121 DocumentValidationFailure") {
		t.Errorf("%+v", o)
	}
	if outcomes[1].Status != record.Inserted {
		t.Errorf("%+v", outcomes[1])
	}
}

func TestAForeignUniqueIndexRefusesOneOfTwo(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	foreign := driver.IndexModel{Keys: bson.D{{Key: "kv.f1", Value: 1}}, Options: options.Index().SetUnique(true).SetSparse(true)}
	if _, err := f.db.Collection("kv").Indexes().CreateOne(context.Background(), foreign); err != nil {
		t.Fatal(err)
	}
	f.insert("kv", bson.D{{Key: "user_id", Value: bob.String()}, {Key: "kv", Value: bson.D{{Key: "f2", Value: "x"}}}})
	sink := f.sink(record.Kinds(0).With(record.KV))
	outcomes := f.write(sink, &keeper{}, kv(alice, values{"f1": "secret"}))
	outcomes = append(outcomes, f.write(sink, &keeper{}, kv(alice+1, values{"f1": "secret"}), kv(bob, values{"f1": "secret"}))...)
	if outcomes[0].Status != record.Inserted {
		t.Errorf("%+v", outcomes[0])
	}
	for _, o := range outcomes[1:] { // an insert and an update
		if o.Status != record.Rejected || o.Rejects[0].Reason != record.RefusedByTarget || !strings.Contains(o.Rejects[0].Detail, "index kv.f1_1 ") {
			t.Errorf("%+v", o)
		}
	}
}

func TestTimesOfNoValueAreMended(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	f.insert("monitoring", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "since", Value: bson.Undefined{}}})
	f.insert("last_seen", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "timestamp", Value: bson.Undefined{}}})
	outcomes := f.write(f.sink(record.LanyardKinds), &keeper{},
		record.Record{Kind: record.MonitoringSince, User: alice, Time: 1664641326},
		record.Record{Kind: record.LastSeen, User: alice, Time: 1775185650417})
	for _, o := range outcomes {
		if o.Status != record.Updated {
			t.Errorf("%+v", o)
		}
	}
	if got := f.documents("monitoring")[0]["since"]; got != int64(1664641326) {
		t.Errorf("since %v", got)
	}
	if got := f.documents("last_seen")[0]["timestamp"]; got != int64(1775185650417) {
		t.Errorf("timestamp %v", got)
	}
}

// TestANameThatBeginsWithADollarStays is inserted by somebody; every server takes it deep in a new document.
func TestANameThatBeginsWithADollarStays(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "deep", Value: bson.D{{Key: "$x", Value: int64(1)}}}}}})
	o := f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, kv(alice, values{"a": "b"}))[0]
	if got := f.all(record.KV)[alice].Fields; o.Status != record.Updated || got["a"] != "b" || got["deep"].(record.Object)["$x"] != int64(1) {
		t.Errorf("%+v, %v", o, got)
	}
}

func TestAFieldThatStandsTwiceStays(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}}}})
	f.insert("monitoring", bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "since", Value: 5.0}, {Key: "since", Value: 4.0}})
	outcomes := f.write(f.sink(record.LanyardKinds), &keeper{}, kv(alice, values{"b": "x"}), record.Record{Kind: record.MonitoringSince, User: alice, Time: 1664641326})
	for i, name := range []string{`"a"`, `"since"`} {
		if o := outcomes[i]; o.Status != record.Rejected || !strings.Contains(o.Rejects[0].Detail, "holds the field "+name+" more than once") {
			t.Errorf("%+v", o)
		}
	}
	id := string(append([]byte{byte(bson.TypeString)}, bsoncore.AppendString(nil, "x")...))
	whole, err := f.store.Documents().Whole(context.Background(), record.MonitoringCollection, []string{id}, 1<<20)
	if err != nil || len(whole) != 1 || !whole[0].Repeated {
		t.Errorf("%+v, %v", whole, err)
	}
}

func TestASecondaryOfTheNamedSetIsNoTarget(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	var hello struct {
		Hosts   []string `bson:"hosts"`
		Primary string   `bson:"primary"`
	}
	if err := f.db.RunCommand(context.Background(), bson.D{{Key: "hello", Value: 1}}).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	hosts := slices.DeleteFunc(hello.Hosts, func(host string) bool { return host == hello.Primary })
	if len(hosts) == 0 {
		t.Skipf("needs a replica set with a secondary, and %s names none", mongoserver.Variable)
	}
	uri := mongoserver.Direct(f.uri, hosts[0])
	_, err := mongo.Open(context.Background(), mongo.Options{URI: uri, Database: f.name})
	if !errors.Is(err, mongo.ErrNotPrimary) || !strings.HasSuffix(err.Error(), "whose primary is "+hello.Primary) {
		t.Errorf("%v", err)
	}
	store, err := mongo.Open(context.Background(), mongo.Options{URI: uri, Database: f.name, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close(context.Background())
	if store.Info().Lagging == "" {
		t.Errorf("%+v", store.Info())
	}
	if _, err := store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds, DryRun: true}); err != nil {
		t.Error(err)
	}
}

func TestASetThatTheNamedServerIsNotIn(t *testing.T) {
	t.Parallel()
	f := onMongoDB(t)
	uri := mongoserver.InSet(f.uri, "no-such-set")
	err := whyNot(mongo.Options{URI: uri, Database: f.name, Timeout: time.Second})
	if !errors.Is(err, mongo.ErrUnreachable) || !strings.Contains(err.Error(), "no-such-set") {
		t.Errorf("%v", err)
	}
}
