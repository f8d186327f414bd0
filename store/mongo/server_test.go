package mongo_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
)

// The tests of this file run against FerretDB behind a proxy that answers as MongoDB does by its documentation. What a
// MongoDB itself does is in real_test.go.

// release is the release of MongoDB that the proxy shows.
const release = "5.0.7"

// shownAs returns a proxy to a fresh server, and an address at which nobody listens.
func shownAs(t *testing.T, o mongoproxy.Options) (proxy *mongoproxy.Proxy, f func(uri string) *fixture, dead string) {
	t.Helper()
	dead = storetest.NobodyAt(t)
	server := ferretdb.Start(t)
	o.Version = release
	if o.Set != "" {
		o.Others = []string{dead}
	}
	proxy = mongoproxy.Start(t, server.URI, o)
	return proxy, func(uri string) *fixture {
		f := newFixtureOf(t, server.URI, uri)
		f.store.AsMongoDB()
		return f
	}, dead
}

// inSet returns the URI of the proxy as a member of a set, so that the driver looks for its other members.
func inSet(p *mongoproxy.Proxy, set string) string {
	return "mongodb://" + p.Addr + "/?replicaSet=" + set
}

// notices collects what is told.
type notices struct {
	mu    sync.Mutex
	texts []string
	first chan struct{}
}

func (n *notices) notify(text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.texts) == 0 {
		close(n.first)
	}
	n.texts = append(n.texts, text)
}

func TestAnIndexIsReadyOnceMostMembersHaveIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts mongoproxy.Options
		want any
	}{
		"standalone": {mongoproxy.Options{}, nil},
		"set":        {mongoproxy.Options{Set: "rs0"}, "majority"},
		"mongos":     {mongoproxy.Options{Router: true}, "majority"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, c.opts)
			f := open(proxy.URI)
			sink := f.sink(record.Kinds(0).With(record.KV))
			f.write(sink, &keeper{}, record.Record{Kind: record.KV, User: alice, Fields: map[string]record.Field{"a": {Value: "b"}}})
			if err := sink.Finish(context.Background(), (&keeper{}).keep); err != nil {
				t.Fatal(err)
			}
			made := proxy.Commands("createIndexes")
			if len(made) != 1 || made[0].Get("commitQuorum") != c.want {
				t.Errorf("%v", made)
			}
			if limit, _ := made[0].Get("maxTimeMS").(int64); limit < 100_000 || limit > 120_000 {
				t.Errorf("maxTimeMS is %v", made[0].Get("maxTimeMS"))
			}
		})
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	var silent atomic.Bool
	proxy, _, _ := shownAs(t, mongoproxy.Options{Hook: func(ctx context.Context, c mongoproxy.Command) bson.D {
		if silent.Load() {
			<-ctx.Done()
		}
		return nil
	}})
	store, err := mongo.Open(t.Context(), mongo.Options{URI: proxy.URI, Database: "silent", CommandTimeout: 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	silent.Store(true)
	err = store.Reader(mongo.ReaderOptions{}).Read(t.Context(), record.KV, func([]record.Document) error { return nil })
	if !errors.Is(err, record.ErrUnavailable) || !errors.Is(err, record.ErrGivenUp) {
		t.Errorf("error %v", err)
	}
	calls := 0
	again := retry.Policy{Backoff: time.Millisecond}
	_ = again.Do(t.Context(), func() error {
		calls++
		return err
	})
	if calls != 1 {
		t.Errorf("tried %d times", calls)
	}
}

// stuckIndex answers no createIndexes before released is closed.
func stuckIndex(released chan struct{}) mongoproxy.Hook {
	return func(ctx context.Context, c mongoproxy.Command) bson.D {
		if c.Name == "createIndexes" {
			select {
			case <-released:
			case <-ctx.Done():
			}
		}
		return nil
	}
}

func TestAnIndexThatIsWaitedForIsNamed(t *testing.T) {
	t.Parallel()
	status := bson.D{{Key: "ok", Value: 1.0}, {Key: "members", Value: bson.A{
		bson.D{{Key: "name", Value: "a:27017"}, {Key: "health", Value: 1.0}, {Key: "stateStr", Value: "PRIMARY"}},
		bson.D{{Key: "name", Value: "b:27017"}, {Key: "health", Value: 0.0}, {Key: "stateStr", Value: "(not reachable/healthy)"}},
		bson.D{{Key: "name", Value: "c:27017"}, {Key: "health", Value: 1.0}, {Key: "stateStr", Value: "RECOVERING"}},
	}}}
	for name, maySee := range map[string]bool{"by the set's status": true, "by heartbeats": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			released := make(chan struct{})
			stuck := stuckIndex(released)
			proxy, open, dead := shownAs(t, mongoproxy.Options{Set: "rs0", Hook: func(ctx context.Context, c mongoproxy.Command) bson.D {
				if c.Name == "replSetGetStatus" && maySee {
					return status
				}
				return stuck(ctx, c)
			}})
			f := open(inSet(proxy, "rs0"))
			down, want := f.store.Info().Down, []string{"b:27017 ((not reachable/healthy))", "c:27017 (RECOVERING)"}
			if !maySee {
				want = []string{dead + " (connection refused)"}
			}
			if !slices.Equal(down, want) {
				t.Errorf("down are %q, want %q", down, want)
			}
			told := &notices{first: make(chan struct{})}
			sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{
				Kinds: record.Kinds(0).With(record.KV), Notify: told.notify, NotifyAfter: time.Millisecond,
			})
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				<-told.first
				close(released)
			}()
			if err := sink.Finish(context.Background(), (&keeper{}).keep); err != nil {
				t.Fatal(err)
			}
			text := "waiting for the index on kv.user_id; the set has a member down: " + want[0]
			if maySee {
				text = "waiting for the index on kv.user_id; the set has 2 members down: " + strings.Join(want, ", ")
			}
			if told.texts[0] != text {
				t.Errorf("%q, want %q", told.texts[0], text)
			}
		})
	}
}

func TestAnIndexThatIsNotMadeInTime(t *testing.T) {
	t.Parallel()
	for name, hook := range map[string]mongoproxy.Hook{
		"no answer": stuckIndex(nil),
		"the server's own limit": func(ctx context.Context, c mongoproxy.Command) bson.D {
			if c.Name != "createIndexes" {
				return nil
			}
			return mongoproxy.Error(50, "MaxTimeMSExpired", "operation exceeded time limit")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, dead := shownAs(t, mongoproxy.Options{Set: "rs0", Hook: hook})
			f := open(inSet(proxy, "rs0"))
			sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.Kinds(0).With(record.KV), IndexTimeout: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			err = sink.Finish(context.Background(), (&keeper{}).keep)
			var late *mongo.IndexTimeError
			if !errors.As(err, &late) || errors.Is(err, record.ErrUnavailable) || !errors.Is(err, mongo.ErrIndexTime) {
				t.Fatalf("%v", err)
			}
			if late.Collection != "kv" || late.Index != "user_id_1" || !slices.Equal(late.Down, []string{dead + " (connection refused)"}) {
				t.Errorf("%+v", late)
			}
		})
	}
}

func TestAnInterruptionEndsTheWaitForAnIndex(t *testing.T) {
	t.Parallel()
	proxy, open, _ := shownAs(t, mongoproxy.Options{Set: "rs0", Hook: stuckIndex(nil)})
	f := open(proxy.URI)
	sink := f.sink(record.Kinds(0).With(record.KV))
	ctx, interrupt := context.WithCancel(context.Background())
	go func() {
		for len(proxy.Commands("createIndexes")) == 0 {
			time.Sleep(time.Millisecond)
		}
		interrupt()
	}()
	if err := sink.Finish(ctx, (&keeper{}).keep); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestASecondaryIsNoTarget(t *testing.T) {
	t.Parallel()
	proxy, open, dead := shownAs(t, mongoproxy.Options{Set: "rs0", Secondary: true})
	store, err := mongo.Open(context.Background(), mongo.Options{URI: proxy.URI, Database: "x"})
	if store != nil || !errors.Is(err, mongo.ErrNotPrimary) || !strings.HasSuffix(err.Error(), proxy.Addr+" is in replica set rs0, whose primary is "+dead) {
		t.Errorf("%v", err)
	}
	store, err = mongo.Open(context.Background(), mongo.Options{URI: proxy.URI, Database: "x", ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close(context.Background())
	if i := store.Info(); i.Lagging != proxy.Addr || i.Primary != dead {
		t.Errorf("%+v", i)
	}
	if _, err := store.Contents(context.Background(), record.LanyardKinds); err != nil {
		t.Error(err)
	}
	_ = open
}

// whyNot returns why it is not opened. Where a server did not answer in time, it is given more: the machine may be busy.
func whyNot(o mongo.Options) error {
	for {
		_, err := mongo.Open(context.Background(), o)
		if err == nil || !strings.Contains(err.Error(), "no answer") || o.Timeout >= mongo.DefaultTimeout {
			return err
		}
		o.Timeout *= 2
	}
}

func TestWhyNoServerIsSelected(t *testing.T) {
	t.Parallel()
	member, _, dead := shownAs(t, mongoproxy.Options{Set: "rs0"})
	alone, _, _ := shownAs(t, mongoproxy.Options{})
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	for name, c := range map[string]struct{ uri, want string }{
		"another set":  {inSet(member, "rs1"), member.Addr + ": is member of set rs0, not rs1"},
		"no set":       {inSet(alone, "rs1"), alone.Addr + ": is in no replica set, and the URI asks for rs1"},
		"no TLS":       {alone.URI + "&tls=true", alone.Addr + ": the server does not speak TLS"},
		"nobody":       {"mongodb://" + dead, dead + ": connection refused"},
		"no answer":    {"mongodb://" + silent.Addr().String() + "/?connectTimeoutMS=100", silent.Addr().String() + ": no answer"},
		"no such host": {"mongodb://nobody.invalid:1", "nobody.invalid:1: no such host"},
		"two": {"mongodb://u:hunter2@" + dead + "," + member.Addr + "/?replicaSet=rs1",
			dead + ": connection refused; " + member.Addr + ": is member of set rs0, not rs1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := mongo.Options{URI: c.uri, Database: "x", Timeout: 500 * time.Millisecond}
			var err error
			if name == "no answer" {
				_, err = mongo.Open(context.Background(), o)
			} else {
				err = whyNot(o)
			}
			if !errors.Is(err, mongo.ErrUnreachable) || strings.Contains(err.Error(), "hunter2") {
				t.Fatalf("%v", err)
			}
			if unknown := name == "no such host"; errors.Is(err, mongo.ErrNoHost) != unknown {
				t.Errorf("%v: is ErrNoHost: %t", err, !unknown)
			}
			for _, want := range strings.Split(c.want, "; ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v, want %s", err, want)
				}
			}
		})
	}
}

// collectionAs answers that a collection is of another form.
func collectionAs(name, kind string, options bson.D) mongoproxy.Hook {
	return func(ctx context.Context, c mongoproxy.Command) bson.D {
		if c.Name != "listCollections" {
			return nil
		}
		return cursorOf(c.Database+".$cmd.listCollections", bson.D{{Key: "name", Value: name}, {Key: "type", Value: kind}, {Key: "options", Value: options}})
	}
}

// cursorOf answers with all documents at once.
func cursorOf(namespace string, documents ...bson.D) bson.D {
	return bson.D{
		{Key: "cursor", Value: bson.D{{Key: "id", Value: int64(0)}, {Key: "ns", Value: namespace}, {Key: "firstBatch", Value: documents}}},
		{Key: "ok", Value: 1.0},
	}
}

// shardedBy is a hook for a collection that is sharded.
func shardedBy(name string, key bson.D, more ...bson.E) mongoproxy.Hook {
	plain := collectionAs(name, "collection", bson.D{})
	return func(ctx context.Context, c mongoproxy.Command) bson.D {
		if c.Name == "find" && c.Database == "config" {
			return cursorOf("config.collections", append(bson.D{{Key: "key", Value: key}}, more...))
		}
		return plain(ctx, c)
	}
}

// TestCollectionsThatCannotHoldItems: an item's name is unique by the index on _id alone.
func TestCollectionsThatCannotHoldItems(t *testing.T) {
	t.Parallel()
	sharded := func(fields ...string) mongoproxy.Options {
		var key bson.D
		for _, field := range fields {
			key = append(key, bson.E{Key: field, Value: int32(1)})
		}
		return mongoproxy.Options{Router: true, Hook: shardedBy("remember", key)}
	}
	collated := func(locale string) mongoproxy.Options {
		by := bson.D{{Key: "locale", Value: locale}, {Key: "strength", Value: int32(2)}}
		return mongoproxy.Options{Hook: collectionAs("remember", "collection", bson.D{{Key: "collation", Value: by}})}
	}
	for name, c := range map[string]struct {
		opts mongoproxy.Options
		why  string // empty where it can
	}{
		"by the name":            {sharded("_id"), ""},
		"by the partition":       {sharded("discord_server_id"), ""},
		"by the key":             {sharded("rem_key", "discord_server_id"), ""},
		"by an attribute":        {sharded("rem_value"), "is sharded by {rem_value: 1}, so that two shards"},
		"by the key and another": {sharded("discord_server_id", "region"), "is sharded by {discord_server_id: 1, region: 1}"},
		"collated":               {collated("en"), "compares text by a collation (en, strength 2)"},
		"by bytes":               {collated("simple"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, c.opts)
			_, err := open(proxy.URI).store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.BotTables, DryRun: true})
			if c.why == "" && err != nil || c.why != "" && (!errors.Is(err, mongo.ErrUnwritable) || !strings.Contains(err.Error(), ".remember "+c.why)) {
				t.Errorf("%v, want %q", err, c.why)
			}
		})
	}
}

func TestCollectionsThatCannotBeWrittenTo(t *testing.T) {
	t.Parallel()
	sharded := func(key bson.D, more ...bson.E) mongoproxy.Hook { return shardedBy("kv", key, more...) }
	for name, c := range map[string]struct {
		opts        mongoproxy.Options
		why, remedy string // empty where it can
	}{
		"view":        {mongoproxy.Options{Hook: collectionAs("kv", "view", bson.D{{Key: "viewOn", Value: "pairs"}})}, "is a view on pairs", "db.kv.drop()"},
		"time series": {mongoproxy.Options{Hook: collectionAs("kv", "timeseries", bson.D{{Key: "timeseries", Value: bson.D{}}})}, "is a time series", "drop db.kv"},
		"capped":      {mongoproxy.Options{Hook: collectionAs("kv", "collection", bson.D{{Key: "capped", Value: true}})}, "is capped", `renameCollection("kv")`},
		"plain":       {mongoproxy.Options{Hook: collectionAs("kv", "collection", bson.D{})}, "", ""},
		"sharded by another field": {mongoproxy.Options{Router: true, Hook: sharded(bson.D{{Key: "region", Value: int32(1)}})},
			"is sharded by {region: 1}, so that the server can make no unique index on user_id", "sh.reshardCollection"},
		"sharded by a hash": {mongoproxy.Options{Router: true, Hook: sharded(bson.D{{Key: "user_id", Value: "hashed"}})},
			"is sharded by {user_id: hashed}", "sh.reshardCollection"},
		"not sharded any more": {mongoproxy.Options{Router: true, Hook: sharded(bson.D{{Key: "region", Value: int32(1)}}, bson.E{Key: "dropped", Value: true})}, "", ""},
		"moved":                {mongoproxy.Options{Router: true, Hook: sharded(bson.D{{Key: "_id", Value: int32(1)}}, bson.E{Key: "unsplittable", Value: true})}, "", ""},
		"sharded by the user":  {mongoproxy.Options{Router: true, Hook: sharded(bson.D{{Key: "user_id", Value: int32(1)}})}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, c.opts)
			f := open(proxy.URI)
			_, err := f.store.CheckWritable(context.Background(), []record.Collection{record.KVCollection})
			_, sinkErr := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds, DryRun: true})
			if c.opts.Router { // only who has to make users unique minds
				if err != nil {
					t.Error(err)
				}
				err = sinkErr
			}
			if c.why == "" {
				if err != nil || sinkErr != nil {
					t.Errorf("%v, %v", err, sinkErr)
				}
				return
			}
			var unwritable *mongo.UnwritableError
			if !errors.As(err, &unwritable) || !errors.Is(err, mongo.ErrUnwritable) || !errors.As(sinkErr, new(*mongo.UnwritableError)) {
				t.Fatalf("%v, %v", err, sinkErr)
			}
			if !strings.Contains(err.Error(), f.name+".kv "+c.why) || !strings.Contains(unwritable.Remedy, c.remedy) {
				t.Errorf("%v; %s", err, unwritable.Remedy)
			}
		})
	}
}

// TestASharedIndexIsMadeBeforeTheFirstWrite has a key of which nobody may know.
func TestTheIndexOfAShardedCollectionIsMadeFirst(t *testing.T) {
	t.Parallel()
	plain := collectionAs("kv", "collection", bson.D{})
	proxy, open, _ := shownAs(t, mongoproxy.Options{Router: true, Hook: func(ctx context.Context, c mongoproxy.Command) bson.D {
		if c.Name == "find" && c.Database == "config" {
			return mongoproxy.Error(13, "Unauthorized", "not authorized on config")
		}
		return plain(ctx, c)
	}})
	f := open(proxy.URI)
	f.sink(record.Kinds(0).With(record.KV)) // begins
	if n := len(proxy.Commands("createIndexes")); n != 1 {
		t.Errorf("%d indexes before the first write", n)
	}
}

// TestACollationIsTold, and the documents of such a collection are found by an index that compares bytes.
func TestACollationIsTold(t *testing.T) {
	t.Parallel()
	hook := collectionAs("kv", "collection", bson.D{{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: int32(1)}}}})
	proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: hook})
	f := open(proxy.URI)
	sink := f.sink(record.Kinds(0).With(record.KV))
	if n := sink.Warnings(); len(n) != 1 || n[0].Collection != "kv" || n[0].Note != record.Collated || n[0].Collation != "en, strength 1" {
		t.Errorf("%+v", n)
	}
	r := record.Record{Kind: record.KV, User: alice, Fields: map[string]record.Field{"a": {Value: "b"}}}
	f.write(sink, &keeper{}, r)
	r.Fields["a"] = record.Field{Value: "c"}
	f.write(sink, &keeper{}, r)
	updates := proxy.Commands("update")
	if len(updates) != 1 {
		t.Fatalf("%v", updates)
	}
	filter := updates[0].Get("updates").(bson.A)[0].(bson.D)[0].Value.(bson.D)
	if filter[0].Key != "_id" || filter[1].Key != "user_id" || filter[1].Value != alice.String() {
		t.Errorf("%v", filter)
	}
}

// duplicateOf answers an insert of one document as MongoDB does where a unique index has a value already.
func duplicateOf(collection, name string, pattern bson.D) mongoproxy.Hook {
	return func(ctx context.Context, c mongoproxy.Command) bson.D {
		if c.Name != "insert" || c.Body[0].Value != collection {
			return nil
		}
		failed := bson.D{
			{Key: "index", Value: int32(0)}, {Key: "code", Value: int32(11000)},
			{Key: "errmsg", Value: "E11000 duplicate key error collection: x." + collection + " index: " + name + ` dup key: { kv.f1: "secret" }`},
		}
		if pattern != nil {
			failed = append(failed, bson.E{Key: "keyPattern", Value: pattern}, bson.E{Key: "keyValue", Value: bson.D{{Key: "kv.f1", Value: "secret"}}})
		}
		return bson.D{{Key: "n", Value: int32(0)}, {Key: "writeErrors", Value: bson.A{failed}}, {Key: "ok", Value: 1.0}}
	}
}

func TestAForeignUniqueIndexIsNamed(t *testing.T) {
	t.Parallel()
	r := record.Record{Kind: record.KV, User: alice, Fields: map[string]record.Field{"f1": {Value: "secret"}}}
	for name, pattern := range map[string]bson.D{"by its pattern": {{Key: "kv.f1", Value: int32(1)}}, "by its name": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: duplicateOf("kv", "kv.f1_1", pattern)})
			f := open(proxy.URI)
			o := f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, r)[0]
			if o.Status != record.Rejected || len(o.Rejects) != 1 || o.Rejects[0].Reason != record.RefusedByTarget ||
				!strings.Contains(o.Rejects[0].Detail, "the unique index kv.f1_1 has the value already") {
				t.Errorf("%+v", o)
			}
		})
	}
	// As an index does that takes two values for the same; the document is looked for again and again first.
	t.Run("ours, of nothing that is there", func(t *testing.T) {
		t.Parallel()
		proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: duplicateOf("kv", "user_id_1", bson.D{{Key: "user_id", Value: int32(1)}})})
		f := open(proxy.URI)
		o := f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, r)[0]
		if o.Status != record.Rejected || !strings.Contains(o.Rejects[0].Detail, "the unique index user_id_1 has the value already") {
			t.Errorf("%+v", o)
		}
		if n := len(proxy.Commands("insert")); n < 10 {
			t.Errorf("%d tries alone", n)
		}
	})
}

func TestRejectsNameTheServersError(t *testing.T) {
	t.Parallel()
	proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: func(ctx context.Context, c mongoproxy.Command) bson.D {
		if c.Name != "insert" || c.Body[0].Value != "kv" {
			return nil
		}
		return bson.D{{Key: "n", Value: int32(0)}, {Key: "ok", Value: 1.0}, {Key: "writeErrors", Value: bson.A{
			bson.D{{Key: "index", Value: int32(0)}, {Key: "code", Value: int32(2)}, {Key: "errmsg", Value: "secret"}},
		}}}
	}})
	f := open(proxy.URI)
	o := f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, record.Record{Kind: record.KV, User: alice, Fields: map[string]record.Field{"a": {Value: "b"}}})[0]
	if o.Status != record.Rejected || !strings.HasSuffix(o.Rejects[0].Detail, "refused the document with error 2 BadValue") {
		t.Errorf("%+v", o)
	}
}

// TestErrorsOfAFailover gives a write the answers of a primary that goes, and one of a connection that does not come.
func TestErrorsOfAFailover(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]bson.D{
		"not primary":   mongoproxy.Error(10107, "NotWritablePrimary", "not primary", "RetryableWriteError"),
		"stepped down":  mongoproxy.Error(189, "PrimarySteppedDown", "stepped down"),
		"shutting down": mongoproxy.Error(91, "ShutdownInProgress", "in quiesce mode", "RetryableWriteError"),
		"interrupted":   mongoproxy.Error(11602, "InterruptedDueToReplStateChange", "operation was interrupted"),
		"concern": {{Key: "n", Value: int32(1)}, {Key: "ok", Value: 1.0}, {Key: "writeConcernError", Value: bson.D{
			{Key: "code", Value: int32(64)}, {Key: "codeName", Value: "WriteConcernTimeout"}, {Key: "errmsg", Value: "waiting for replication timed out"},
		}}},
		"concern beside refused documents": {{Key: "n", Value: int32(18)}, {Key: "ok", Value: 1.0}, {Key: "writeErrors", Value: bson.A{
			bson.D{{Key: "index", Value: int32(3)}, {Key: "code", Value: int32(11000)}, {Key: "errmsg", Value: "E11000 index: _id_ dup key: {}"}},
			bson.D{{Key: "index", Value: int32(7)}, {Key: "code", Value: int32(121)}, {Key: "errmsg", Value: "refused"}},
		}}, {Key: "writeConcernError", Value: bson.D{{Key: "code", Value: int32(64)}, {Key: "errmsg", Value: "waiting for replication timed out"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: func(ctx context.Context, c mongoproxy.Command) bson.D {
				if c.Name == "insert" {
					return answer
				}
				return nil
			}})
			f := open(proxy.URI)
			var batch []record.Record
			for n := range 20 {
				batch = append(batch, record.Record{Kind: record.LastSeen, User: alice + record.UserID(n), Time: 1775185650417})
			}
			_, err := f.sink(record.Kinds(0).With(record.LastSeen)).Write(context.Background(), batch, (&keeper{}).keep)
			want := record.ErrUnavailable
			if name == "not primary" {
				want = mongo.ErrNotPrimary // the URI names this server alone
			}
			if !errors.Is(err, want) || errors.Is(err, record.ErrUnavailable) != (want == record.ErrUnavailable) {
				t.Errorf("%v", err)
			}
			if n := len(proxy.Commands("insert")); n > 1 {
				t.Errorf("%d inserts: a document was looked for", n)
			}
		})
	}
}

// TestAnIndexInTheMakingIsWaitedFor: a server lists such an index as if it were ready.
func TestAnIndexInTheMakingIsWaitedFor(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]bson.D{
		"ready":         nil,
		"not allowed":   mongoproxy.Error(13, "Unauthorized", "not authorized to execute command createIndexes"),
		"by other ways": mongoproxy.Error(85, "IndexOptionsConflict", "an equivalent index already exists with the same name but different options"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
				if c.Name == "createIndexes" {
					return answer
				}
				return nil
			}})
			f := open(proxy.URI)
			made := driver.IndexModel{Keys: bson.D{{Key: "user_id", Value: 1}}, Options: options.Index().SetUnique(true).SetName("theirs")}
			if _, err := f.db.Collection("kv").Indexes().CreateOne(context.Background(), made); err != nil {
				t.Fatal(err)
			}
			f.sink(record.Kinds(0).With(record.KV)) // begins
			asked := proxy.Commands("createIndexes")
			if len(asked) != 1 {
				t.Fatalf("%v", asked)
			}
			index := mongoproxy.Command{Body: asked[0].Get("indexes").(bson.A)[0].(bson.D)}
			if index.Get("name") != "theirs" {
				t.Errorf("%v", index)
			}
		})
	}
}

func TestAShardKeyThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	plain := collectionAs("kv", "collection", bson.D{})
	proxy, open, _ := shownAs(t, mongoproxy.Options{Router: true, Hook: func(ctx context.Context, c mongoproxy.Command) bson.D {
		switch {
		case c.Name == "find" && c.Database == "config":
			return mongoproxy.Error(13, "Unauthorized", "not authorized on config")
		case c.Name == "createIndexes":
			return mongoproxy.Error(67, "CannotCreateIndex", "cannot create unique index over { user_id: 1 } with shard key pattern { region: 1 }")
		}
		return plain(ctx, c)
	}})
	f := open(proxy.URI)
	sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.Kinds(0).With(record.KV)})
	if err != nil {
		t.Fatal(err)
	}
	err = sink.Begin(context.Background(), (&keeper{}).keep)
	var unwritable *mongo.UnwritableError
	if !errors.As(err, &unwritable) || !strings.Contains(err.Error(), "is sharded by a key that may not be read here") {
		t.Errorf("%v", err)
	}
}

// TestHostsAreComparedAsTheDriverSpellsThem: a set's configuration may have capital letters.
func TestHostsAreComparedAsTheDriverSpellsThem(t *testing.T) {
	t.Parallel()
	server := ferretdb.Start(t)
	_, port, _ := net.SplitHostPort(storetest.NobodyAt(t))
	proxy := mongoproxy.Start(t, server.URI, mongoproxy.Options{Version: release, Set: "rs0", Others: []string{"LocalHost:" + port}})
	f := newFixtureOf(t, server.URI, inSet(proxy, "rs0"))
	if down := f.store.Info().Down; !slices.Equal(down, []string{"localhost:" + port + " (connection refused)"}) {
		t.Errorf("%q", down)
	}
}

// refusedBy answers the first command of the name, or all, as MongoDB does where a unique index has a value already.
func refusedBy(command, collection string, pattern bson.D, once bool) mongoproxy.Hook {
	var done sync.Once
	return func(_ context.Context, c mongoproxy.Command) (reply bson.D) {
		if c.Name != command || c.Body[0].Value != collection {
			return nil
		}
		answer := func() {
			reply = bson.D{{Key: "n", Value: int32(0)}, {Key: "nModified", Value: int32(0)}, {Key: "ok", Value: 1.0}, {Key: "writeErrors", Value: bson.A{bson.D{
				{Key: "index", Value: int32(0)}, {Key: "code", Value: int32(11000)}, {Key: "keyPattern", Value: pattern},
				{Key: "errmsg", Value: "E11000 duplicate key error collection: x." + collection + ` index: my index dup key: { a: "secret" }`},
			}}}}
		}
		if once {
			done.Do(answer)
		} else {
			answer()
		}
		return reply
	}
}

// TestAForeignIndexIsMetBesideOurs: the server names the first index that has a value, and the user's document may be why.
func TestAForeignIndexIsMetBesideOurs(t *testing.T) {
	t.Parallel()
	compound := bson.D{{Key: "user_id", Value: int32(1)}, {Key: "region", Value: int32(1)}}
	proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: refusedBy("insert", "kv", compound, true)})
	f := open(proxy.URI)
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{}}})
	o := f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, kv(alice, values{"a": "b"}))[0]
	if o.Status != record.Updated {
		t.Errorf("%+v", o)
	}
}

func TestAForeignIndexIsMetByAnUpdate(t *testing.T) {
	t.Parallel()
	proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: refusedBy("update", "kv", bson.D{{Key: "kv.f1", Value: int32(1)}}, false)})
	f := open(proxy.URI)
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{}}})
	o := f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, kv(alice, values{"f1": "secret"}))[0]
	if o.Status != record.Rejected || !strings.HasSuffix(o.Rejects[0].Detail, ": the unique index my index has the value already") {
		t.Errorf("%+v", o)
	}
	if n := len(proxy.Commands("update")); n != 1 {
		t.Errorf("%d tries", n)
	}
}

func TestAStepThatAUniqueIndexRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pattern bson.D
		want    record.StepResult
	}{
		"ours":    {bson.D{{Key: "user_id", Value: int32(1)}}, record.StepDuplicate},
		"foreign": {bson.D{{Key: "note", Value: int32(1)}}, record.StepRefused},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: refusedBy("insert", "monitoring", c.pattern, false)})
			f := open(proxy.URI)
			after := bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}}
			results, err := f.store.Documents().Apply(context.Background(), []record.Step{
				{Collection: record.MonitoringCollection, ID: stringID(t, after), After: encoded(t, after)},
			})
			if err != nil || results[0] != c.want {
				t.Errorf("%v, %v", results, err)
			}
		})
	}
}

// TestAFieldThatStandsTwiceIsNotWritten shows a document that FerretDB does not take.
func TestAFieldThatStandsTwiceIsNotWritten(t *testing.T) {
	t.Parallel()
	odd := bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: "1"}, {Key: "a", Value: "2"}}}}
	proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
		switch {
		case c.Name == "find" && c.Body[0].Value == "kv":
			return cursorOf(c.Database+".kv", odd)
		case c.Name == "insert" && c.Body[0].Value == "kv":
			return refusedBy("insert", "kv", bson.D{{Key: "user_id", Value: int32(1)}}, false)(nil, c)
		}
		return nil
	}})
	f := open(proxy.URI)
	sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.Kinds(0).With(record.KV)})
	if err != nil {
		t.Fatal(err)
	}
	o := f.write(sink, &keeper{}, kv(alice, values{"b": "x"}))[0]
	if o.Status != record.Rejected || !strings.Contains(o.Rejects[0].Detail, `holds the field "a" more than once`) {
		t.Errorf("%+v", o)
	}
	if n := len(proxy.Commands("update")); n > 0 {
		t.Errorf("%d updates", n)
	}
	if o := f.write(sink, &keeper{}, kv(alice, values{"a": "2"}))[0]; o.Status != record.Unchanged {
		t.Errorf("without a change: %+v", o)
	}
}

func TestAnIndexThatComparesOtherwiseIsNone(t *testing.T) {
	t.Parallel()
	list := func(_ context.Context, c mongoproxy.Command) bson.D {
		if c.Name != "listIndexes" {
			return nil
		}
		return cursorOf(c.Database+".kv", bson.D{
			{Key: "v", Value: int32(2)}, {Key: "name", Value: "user_id_1"}, {Key: "key", Value: bson.D{{Key: "user_id", Value: int32(1)}}}, {Key: "unique", Value: true},
			{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: int32(1)}}},
		})
	}
	proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: list})
	f := open(proxy.URI)
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{}}})
	f.sink(record.Kinds(0).With(record.KV))
	made := proxy.Commands("createIndexes")
	if len(made) != 1 || (mongoproxy.Command{Body: made[0].Get("indexes").(bson.A)[0].(bson.D)}).Get("name") != "user_id_1_unique" {
		t.Errorf("%v", made)
	}
}

// TestAMongoDBThatRefusesDollars takes new documents and changes of them as any other.
func TestAMongoDBThatRefusesDollars(t *testing.T) {
	t.Parallel()
	server := ferretdb.Start(t)
	proxy := mongoproxy.Start(t, server.URI, mongoproxy.Options{Version: "4.4.6"})
	f := newFixtureOf(t, server.URI, proxy.URI)
	if !f.store.Limits().NoDollars {
		t.Fatalf("%+v", f.store.Limits())
	}
	sink := f.sink(record.Kinds(0).With(record.KV))
	for i, want := range []record.Status{record.Inserted, record.Updated} {
		if o := f.write(sink, &keeper{}, kv(alice, values{"a": int64(i)}))[0]; o.Status != want {
			t.Errorf("%+v", o)
		}
	}
}
