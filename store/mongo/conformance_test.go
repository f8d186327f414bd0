package mongo_test

import (
	"context"
	"crypto/rand"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/bench/countingserver"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	uri := mongoserver.URI(t)
	storetest.Run(t, func(t testing.TB, o storetest.Options) storetest.Target { return newFixture(t, uri).target(o) })
}

// TestConformanceOfThePathForMongoDB runs the suite with the statements that MongoDB gets, behind a proxy that says of
// FerretDB it were one: every command that compares text has to say that it compares bytes.
func TestConformanceOfThePathForMongoDB(t *testing.T) {
	t.Parallel()
	open := asMongoDB(t, "find", "aggregate", "update", "delete", "createIndexes")
	storetest.Run(t, func(t testing.TB, o storetest.Options) storetest.Target { return open(t).target(o) })
}

// TestConformanceWithMongoDBsGuards runs the suite against a server in memory that compares whole documents, as MongoDB
// does and FerretDB cannot.
func TestConformanceWithMongoDBsGuards(t *testing.T) {
	t.Parallel()
	uri := guardedServer(t)
	storetest.Run(t, func(t testing.TB, o storetest.Options) storetest.Target { return newFixture(t, uri).target(o) })
}

// guardedServer starts a server in memory that compares whole documents, and returns its URI.
func guardedServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go new(countingserver.Server).Serve(listener, func(err error) { t.Error(err) })
	return "mongodb://" + listener.Addr().String()
}

// asMongoDB returns what opens databases behind a proxy that says of FerretDB it were a MongoDB. At the end of the test it
// checks that the commands compared bytes.
func asMongoDB(t *testing.T, commands ...string) (open func(t testing.TB) *fixture) {
	t.Helper()
	server := ferretdb.Start(t)
	proxy := mongoproxy.Start(t, server.URI, mongoproxy.Options{Version: release})
	t.Cleanup(func() { checkBytewise(t, proxy, commands) })
	return func(t testing.TB) *fixture {
		f := newFixtureOf(t, server.URI, proxy.URI)
		f.store.AsMongoDB()
		return f
	}
}

// checkBytewise checks that all commands which compare text compare bytes, and that those of the names were seen.
func checkBytewise(t *testing.T, proxy *mongoproxy.Proxy, commands []string) {
	t.Helper()
	simple := bson.D{{Key: "locale", Value: "simple"}}
	seen := make(map[string]int)
	for _, c := range proxy.Commands("") {
		var found []any
		switch c.Name {
		case "find", "aggregate": // and what counts, by aggregate
			found = append(found, c.Get("collation"))
		case "update", "delete":
			for _, statement := range c.Get(c.Name + "s").(bson.A) {
				found = append(found, mongoproxy.Command{Body: statement.(bson.D)}.Get("collation"))
			}
		case "createIndexes":
			for _, index := range c.Get("indexes").(bson.A) {
				found = append(found, mongoproxy.Command{Body: index.(bson.D)}.Get("collation"))
			}
		}
		for _, collation := range found {
			seen[c.Name]++
			if !cmp.Equal(collation, simple) {
				t.Errorf("%s of %v compares by %v", c.Name, c.Body[0].Value, collation)
			}
		}
	}
	for _, name := range commands {
		if seen[name] == 0 {
			t.Errorf("no %s was seen", name)
		}
	}
}

// fixture is a database of its own on a real server.
type fixture struct {
	t    testing.TB
	uri  string
	name string

	storeURI string // by which the store reaches the server

	db    *driver.Database
	store *mongo.Store
}

func newFixture(t testing.TB, uri string) *fixture {
	t.Helper()
	return newFixtureOf(t, uri, uri)
}

// newFixtureOf returns a database whose store reaches the server in a way of its own.
func newFixtureOf(t testing.TB, uri, storeURI string) *fixture {
	t.Helper()
	client, err := driver.Connect(options.Client().ApplyURI(uri))
	if err != nil {
		t.Fatal(err)
	}
	name := "test_" + strings.ToLower(rand.Text()[:10])
	store, err := mongo.Open(context.Background(), mongo.Options{URI: storeURI, Database: name})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, uri: uri, name: name, storeURI: storeURI, db: client.Database(name), store: store}
	t.Cleanup(func() {
		ctx := context.Background()
		for _, err := range []error{f.db.Drop(ctx), store.Close(ctx), client.Disconnect(ctx)} {
			if err != nil {
				t.Error(err)
			}
		}
	})
	return f
}

func (f *fixture) target(o storetest.Options) storetest.Target {
	f.t.Helper()
	if o.Before != nil {
		o.Before(f.put)
	}
	sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds, Policy: o.Policy, Mirror: o.Mirror, DryRun: o.DryRun, Now: o.Now})
	if err == nil {
		err = sink.Begin(context.Background(), func([]record.Superseded) error { return nil })
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return storetest.Target{
		Sink: sink, Checkpoints: f.store.Checkpoints(), Reader: f.store.Reader(mongo.ReaderOptions{}), Points: f.store, Owners: f.store, Deleter: sink,
		Put: f.put, All: f.all, Drop: f.drop,
	}
}

func collection(kind record.Kind) string {
	if kind == record.MonitoringSince {
		return "monitoring"
	}
	return kind.String()
}

// put writes a document as the app does: in place of the one that is there, else with an ObjectID.
func (f *fixture) put(kind record.Kind, user record.UserID, d mem.Document) {
	f.t.Helper()
	doc := bson.D{}
	filter := bson.D{{Key: "user_id", Value: user.String()}}
	switch kind {
	case record.APIKeys:
		doc = bson.D{{Key: "created_at", Value: d.CreatedAt}}
		switch {
		case d.Junk != nil:
			doc = append(doc, bson.E{Key: "key", Value: d.Junk})
		case d.APIKey != "":
			doc = append(doc, bson.E{Key: "key", Value: d.APIKey})
		}
	case record.KV:
		doc = bson.D{{Key: "kv", Value: d.Fields}}
		if d.Junk != nil {
			doc[0].Value = d.Junk
		}
	case record.LastSeen, record.MonitoringSince:
		for name, v := range d.Times {
			doc = append(doc, bson.E{Key: name, Value: v})
		}
	case record.Metrics:
		// It stands in place of one of the other sort, too.
		others := bson.D{{Key: "type", Value: bson.D{{Key: "$ne", Value: "global"}}}}
		filter = bson.D{{Key: "type", Value: "global"}}
		if d.Hidden {
			filter, others = bson.D{{Key: "_id", Value: "global"}}, filter
		}
		if _, err := f.db.Collection("metrics").DeleteMany(context.Background(), others); err != nil {
			f.t.Fatal(err)
		}
		for name, v := range d.Fields {
			doc = append(doc, bson.E{Key: name, Value: v})
		}
	}
	if d.Mark != "" {
		doc = append(doc, bson.E{Key: "lanyardctl", Value: bson.D{{Key: "digest", Value: d.Mark}}})
	}
	f.replace(collection(kind), filter, append(filter, doc...))
}

func (f *fixture) replace(collection string, filter, doc bson.D) {
	f.t.Helper()
	if _, err := f.db.Collection(collection).ReplaceOne(context.Background(), filter, doc, options.Replace().SetUpsert(true)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) insert(collection string, doc bson.D) {
	f.t.Helper()
	if _, err := f.db.Collection(collection).InsertOne(context.Background(), doc); err != nil {
		f.t.Fatal(err)
	}
}

// documents returns all documents of a collection.
func (f *fixture) documents(collection string) []bson.M {
	f.t.Helper()
	cursor, err := f.db.Collection(collection).Find(context.Background(), bson.D{})
	if err != nil {
		f.t.Fatal(err)
	}
	var documents []bson.M
	if err := cursor.All(context.Background(), &documents); err != nil {
		f.t.Fatal(err)
	}
	return documents
}

func (f *fixture) drop() {
	f.t.Helper()
	for _, kind := range record.LanyardKinds.List() {
		if err := f.db.Collection(collection(kind)).Drop(context.Background()); err != nil {
			f.t.Fatal(err)
		}
	}
}

func (f *fixture) all(kind record.Kind) map[record.UserID]mem.Document {
	f.t.Helper()
	all := make(map[record.UserID]mem.Document)
	for _, doc := range f.documents(collection(kind)) {
		var d mem.Document
		if m, ok := doc["lanyardctl"].(bson.D); ok {
			d.Mark = m[0].Value.(string)
		}
		var user record.UserID
		if kind != record.Metrics {
			var ok bool
			if user, ok = record.ParseUserID(doc["user_id"].(string)); !ok {
				f.t.Fatalf("user_id %v in %s", doc["user_id"], collection(kind))
			}
		}
		if _, twice := all[user]; twice {
			f.t.Fatalf("user %s has two documents in %s", user, collection(kind))
		}
		switch kind {
		case record.APIKeys:
			var ok bool
			if d.APIKey, ok = doc["key"].(string); !ok && doc["key"] != nil {
				d.Junk = plain(doc["key"])
			}
			d.CreatedAt = doc["created_at"].(bson.DateTime).Time()
		case record.KV:
			d.Fields = plain(doc["kv"]).(record.Object)
		case record.LastSeen, record.MonitoringSince:
			d.Times = make(map[string]any)
			for _, name := range []string{"timestamp", "since", "monitoring_since"} {
				if v, ok := doc[name]; ok {
					d.Times[name] = plain(v)
				}
			}
		case record.Metrics:
			d.Hidden = doc["type"] != "global"
			d.Fields = make(map[string]record.Value)
			for name, v := range doc {
				if name != "_id" && name != "type" && name != "updated_at" {
					d.Fields[name] = plain(v)
				}
			}
		}
		all[user] = d
	}
	return all
}

// plain returns what the driver decoded in the forms of store/mem. It is written apart from the store's own decoder.
func plain(v any) any {
	switch v := v.(type) {
	case int32:
		return int64(v)
	case bson.DateTime:
		return v.Time()
	case bson.A:
		list := make(record.Array, len(v))
		for i, e := range v {
			list[i] = plain(e)
		}
		return list
	case bson.D:
		o := make(record.Object, len(v))
		for _, e := range v {
			o[e.Key] = plain(e.Value)
		}
		return o
	case time.Time:
		return v
	}
	return v
}
