package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

const (
	alice = record.UserID(94490510688792576)
	bob   = record.UserID(156114103033790464)
)

func kv(user record.UserID, fields map[string]record.Value) record.Record {
	r := record.Record{Kind: record.KV, User: user, Fields: make(map[string]record.Field)}
	for name, v := range fields {
		r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Key: "lanyard_kv:" + user.String(), Raw: rawOf(v)}}
	}
	return r
}

// rawOf returns a value as it stands in Redis. Texts of megabytes are of letters alone: to look at each takes the race
// detector seconds.
func rawOf(v record.Value) string {
	if text, ok := v.(string); ok && len(text) >= 1<<20 {
		return `"` + text + `"`
	}
	return string(record.JSON(v))
}

type values = map[string]record.Value

// keeper collects superseded values.
type keeper struct {
	mu   sync.Mutex
	kept []record.Superseded
}

func (k *keeper) keep(values []record.Superseded) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept = append(k.kept, values...)
	return nil
}

func (f *fixture) sink(kinds record.Kinds) *mongo.Sink {
	f.t.Helper()
	sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: kinds, Now: func() time.Time { return storetest.Now }})
	if err == nil {
		err = sink.Begin(context.Background(), func([]record.Superseded) error { return nil })
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return sink
}

func (f *fixture) write(sink record.Sink, k *keeper, batch ...record.Record) []record.Outcome {
	f.t.Helper()
	outcomes, err := sink.Write(context.Background(), batch, k.keep)
	if err != nil {
		f.t.Fatal(err)
	}
	return outcomes
}

func TestDocumentsAreWhatTheAppReads(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	sink := f.sink(record.LanyardKinds)
	f.write(sink, &keeper{},
		record.Record{Kind: record.APIKeys, User: alice, APIKey: "lnyd_0123456789abcdef0123456789abcdef"},
		kv(alice, values{"name": "Phineas", "age": int64(7), "pi": 3.5, "on": true, "none": nil, "list": record.Array{int64(1)}, "map": record.Object{"a": "b"}}),
		record.Record{Kind: record.LastSeen, User: alice, Time: 1775185650417},
		record.Record{Kind: record.MonitoringSince, User: alice, Time: 1664641326},
		record.Record{Kind: record.Metrics, Fields: map[string]record.Field{"lanyard_messages_inbound": {Value: int64(12)}, "lanyard_2xx_responses": {Value: 1e6}}},
	)
	if err := sink.Finish(context.Background(), (&keeper{}).keep); err != nil {
		t.Fatal(err)
	}
	id := alice.String()
	now := bson.NewDateTimeFromTime(storetest.Now)
	for name, want := range map[string]bson.M{
		"api_keys":   {"_id": id, "user_id": id, "key": "lnyd_0123456789abcdef0123456789abcdef", "created_at": now},
		"kv":         {"_id": id, "user_id": id, "kv": bson.M{"name": "Phineas", "age": int64(7), "pi": 3.5, "on": true, "none": nil, "list": bson.A{int64(1)}, "map": bson.M{"a": "b"}}},
		"last_seen":  {"_id": id, "user_id": id, "timestamp": int64(1775185650417), "updated_at": now},
		"monitoring": {"_id": id, "user_id": id, "since": int64(1664641326)},
		"metrics":    {"_id": "global", "type": "global", "lanyard_messages_inbound": int64(12), "lanyard_2xx_responses": 1e6, "updated_at": now},
	} {
		documents := f.documents(name)
		if len(documents) != 1 {
			t.Errorf("%s holds %d documents", name, len(documents))
			continue
		}
		mark, marked := documents[0]["lanyardctl"]
		delete(documents[0], "lanyardctl")
		if marked != (name == "kv" || name == "api_keys") || marked && len(mark.(bson.D)[0].Value.(string)) != 32 {
			t.Errorf("%s: the mark is %v", name, mark)
		}
		if got, want := canonical(documents[0]), canonical(want); got != want {
			t.Errorf("%s holds %s\nwant %s", name, got, want)
		}
	}
	for name, fields := range map[string][]string{"api_keys": {"user_id", "key"}, "kv": {"user_id"}, "last_seen": {"user_id"}, "monitoring": {"user_id"}} {
		specs, err := f.db.Collection(name).Indexes().ListSpecifications(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		unique := make(map[string]bool)
		for _, s := range specs {
			unique[s.Name] = s.Unique != nil && *s.Unique
		}
		for _, field := range fields {
			if !unique[field+"_1"] {
				t.Errorf("%s has no unique index %s_1: %v", name, field, unique)
			}
		}
	}
}

// canonical returns a document as text, with its fields in order.
func canonical(v any) string {
	b, err := bson.Marshal(bson.M{"v": v})
	if err != nil {
		panic(err)
	}
	var d bson.D
	if err := bson.Unmarshal(b, &d); err != nil {
		panic(err)
	}
	text := func(v any) string { return fmt.Sprintf("%T %v", v, v) }
	var render func(v any) string
	render = func(v any) string {
		switch v := v.(type) {
		case bson.D:
			fields := make(map[string]string)
			for _, e := range v {
				fields[e.Key] = render(e.Value)
			}
			return fmt.Sprint(fields)
		case bson.A:
			var list []string
			for _, e := range v {
				list = append(list, render(e))
			}
			return fmt.Sprint(list)
		}
		return text(v)
	}
	return render(d)
}

func TestDocumentsOfTheAppAreMerged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	id := alice.String()
	f.insert("last_seen", bson.D{{Key: "user_id", Value: id}, {Key: "timestamp", Value: int64(1780000000000)}, {Key: "extra", Value: "stays"}})
	f.insert("monitoring", bson.D{{Key: "user_id", Value: id}, {Key: "since", Value: "2022-10-01T16:22:06Z"}, {Key: "extra", Value: bson.A{1}}})
	f.insert("monitoring", bson.D{{Key: "user_id", Value: bob.String()}, {Key: "monitoring_since", Value: int32(1650000000)}})
	f.insert("kv", bson.D{{Key: "user_id", Value: id}, {Key: "kv", Value: bson.D{{Key: "a", Value: int32(7)}, {Key: "when", Value: bson.NewDateTimeFromTime(storetest.Now)}}}, {Key: "extra", Value: 1}})
	sink := f.sink(record.LanyardKinds)
	outcomes := f.write(sink, &keeper{},
		record.Record{Kind: record.LastSeen, User: alice, Time: 1775185650417},
		record.Record{Kind: record.MonitoringSince, User: alice, Time: 1690000000},
		record.Record{Kind: record.MonitoringSince, User: bob, Time: 1690000000},
		kv(alice, values{"a": 7.0, "b": "new"}),
	)
	for i, want := range []record.Status{record.Unchanged, record.Updated, record.Updated, record.Updated} {
		if outcomes[i].Status != want {
			t.Errorf("record %d is counted in column %d, want %d", i, outcomes[i].Status, want)
		}
	}
	for name, want := range map[string]string{
		"last_seen":  "timestamp:int64 1780000000000",
		"monitoring": "since:int64 1664641326",
		"kv":         "b:string new",
	} {
		documents := f.documents(name)
		for _, d := range documents {
			if d["user_id"] != id {
				continue
			}
			if got := canonical(d); !strings.Contains(got, want) || d["extra"] == nil {
				t.Errorf("%s: %s, want %s and the extra field", name, got, want)
			}
			if _, ok := d["_id"].(bson.ObjectID); !ok {
				t.Errorf("%s: _id is %v", name, d["_id"])
			}
		}
	}
	kvDocument := canonical(f.documents("kv"))
	if !strings.Contains(kvDocument, "a:int32 7") || !strings.Contains(kvDocument, "bson.DateTime") {
		t.Errorf("fields that stay changed their type: %s", kvDocument)
	}
	for _, d := range f.documents("monitoring") {
		if d["user_id"] == bob.String() && (d["since"] != int64(1650000000) || d["monitoring_since"] != int32(1650000000)) {
			t.Errorf("monitoring of bob: %v", d)
		}
	}
}

func TestUsersWithTwoDocumentsAreNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	for range 2 {
		f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}})
		f.insert("api_keys", bson.D{{Key: "user_id", Value: bob.String()}, {Key: "key", Value: "lnyd_0123456789abcdef0123456789abcdef"}})
	}
	f.insert("kv", bson.D{{Key: "user_id", Value: bob.String()}})
	for kind, want := range map[record.Kind]string{record.KV: alice.String(), record.APIKeys: bob.String()} {
		_, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.Kinds(0).With(kind)})
		var duplicates *mongo.DuplicatesError
		if !errors.As(err, &duplicates) || len(duplicates.Values) != 1 || duplicates.Values[0] != want {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestNumericUserIDsAreNoticed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.insert("last_seen", bson.D{{Key: "user_id", Value: int64(alice)}, {Key: "timestamp", Value: int64(1)}})
	sink := f.sink(record.LanyardKinds)
	notices := sink.Warnings()
	if len(notices) != 1 || notices[0].Count != 1 || notices[0].Users[0] != alice.String() || notices[0].Collection != "last_seen" {
		t.Errorf("%+v", notices)
	}
	f.write(sink, &keeper{}, record.Record{Kind: record.LastSeen, User: alice, Time: 1775185650417})
	if documents := f.documents("last_seen"); len(documents) != 2 {
		t.Errorf("%v", documents)
	}
}

func TestAnotherDocumentUnderTheUsersID(t *testing.T) {
	t.Parallel()
	t.Run("inserted first", func(t *testing.T) {
		anotherDocumentUnderTheUsersID(t, newFixture(t, mongoserver.URI(t)))
	})
	t.Run("looked up first", func(t *testing.T) {
		f := newFixture(t, ferretdb.Start(t).URI)
		f.store.AsMongoDB()
		anotherDocumentUnderTheUsersID(t, f)
	})
}

func anotherDocumentUnderTheUsersID(t *testing.T, f *fixture) {
	f.insert("last_seen", bson.D{{Key: "_id", Value: alice.String()}, {Key: "user_id", Value: int64(alice)}})
	sink := f.sink(record.LanyardKinds)
	for i, want := range []record.Status{record.Inserted, record.Unchanged} {
		o := f.write(sink, &keeper{}, record.Record{Kind: record.LastSeen, User: alice, Time: 1775185650417})
		if o[0].Status != want {
			t.Errorf("write %d is counted in column %d", i, o[0].Status)
		}
	}
}

// TestAppWritesDuringTheLoad lets the app insert its own documents into collections whose indexes are made at the end.
func TestAppWritesDuringTheLoad(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	sink := f.sink(record.LanyardKinds)
	k := &keeper{}
	f.write(sink, k, kv(alice, values{"a": "redis", "b": "redis"}), record.Record{Kind: record.LastSeen, User: alice, Time: 1775185650417})
	id := alice.String()
	f.insert("kv", bson.D{{Key: "user_id", Value: id}, {Key: "kv", Value: bson.D{{Key: "a", Value: "app"}}}})
	f.insert("last_seen", bson.D{{Key: "user_id", Value: id}, {Key: "timestamp", Value: int64(1700000000000)}})
	if err := sink.Finish(context.Background(), k.keep); err != nil {
		t.Fatal(err)
	}
	documents := f.documents("kv")
	if len(documents) != 1 || !strings.Contains(canonical(documents[0]["kv"]), "map[a:string app b:string redis]") {
		t.Errorf("kv: %v", documents)
	}
	if documents := f.documents("last_seen"); len(documents) != 1 || documents[0]["timestamp"] != int64(1775185650417) {
		t.Errorf("last_seen: %v", documents)
	}
	lost := false
	for _, s := range k.kept {
		lost = lost || s.Field == "a" && s.Value.Data == "redis" || s.Field == "a" && s.Value.Data == `"redis"`
	}
	if !lost {
		t.Errorf("the value that lost was not kept: %+v", k.kept)
	}
}

// TestDocumentThatTheServerRefuses finds the one document for which FerretDB drops the connection.
func TestDocumentThatTheServerRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ferretdb.Start(t).URI)
	var batch []record.Record
	for i := range 20 {
		batch = append(batch, kv(alice+record.UserID(i), values{"n": float64(i)}))
	}
	batch[13] = kv(alice+13, values{"n": math.NaN(), "other": "x"})
	outcomes := f.write(f.sink(record.LanyardKinds), &keeper{}, batch...)
	for i, o := range outcomes {
		want := record.Inserted
		if i == 13 {
			want = record.Rejected
		}
		if o.Status != want {
			t.Errorf("record %d is counted in column %d, want %d", i, o.Status, want)
		}
	}
	if rejects := outcomes[13].Rejects; len(rejects) != 2 || rejects[0].Reason != record.RefusedByTarget || rejects[0].Field != "n" {
		t.Errorf("rejects %+v", rejects)
	}
	if n := len(f.documents("kv")); n != 19 {
		t.Errorf("%d documents", n)
	}
}

func TestMergedDocumentOverTheLimit(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.store.SetMaxDocument(1000)
	f.put(record.KV, alice, mem.Document{Fields: values{"a": strings.Repeat("a", 600)}})
	outcomes := f.write(f.sink(record.LanyardKinds), &keeper{}, kv(alice, values{"b": strings.Repeat("b", 600)}))
	if o := outcomes[0]; o.Status != record.Rejected || o.Rejects[0].Reason != record.DocumentTooLarge || o.Rejects[0].Field != "b" {
		t.Errorf("%+v", o)
	}
}

// TestGuardsHoldAgainstOthers changes documents between the moment in which they are read and the one in which they are
// written: superseded values are kept just then. What the app wrote must not be lost.
func TestGuardsHoldAgainstOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.store.AsMongoDB()
	key := func(n int) string { return fmt.Sprintf("lnyd_%032x", n) }
	f.put(record.LastSeen, alice, mem.Document{Times: map[string]any{"timestamp": int64(1700000000000)}})
	f.put(record.MonitoringSince, alice, mem.Document{Times: map[string]any{"since": int64(1700000000)}})
	f.put(record.Metrics, 0, mem.Document{Fields: values{"lanyard_messages_inbound": int64(1)}})
	f.put(record.KV, alice, mem.Document{Fields: values{"a": "x"}})
	f.put(record.APIKeys, alice, mem.Document{APIKey: key(1), CreatedAt: storetest.Now})
	sink, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds, Policy: record.PreferSource})
	if err == nil {
		err = sink.Begin(context.Background(), func([]record.Superseded) error { return nil })
	}
	if err != nil {
		t.Fatal(err)
	}
	changed := make(map[record.Kind]bool)
	outcomes, err := sink.Write(context.Background(), []record.Record{
		{Kind: record.APIKeys, User: alice, APIKey: key(2)},
		kv(alice, values{"a": "y"}),
		{Kind: record.LastSeen, User: alice, Time: 1710000000000},
		{Kind: record.MonitoringSince, User: alice, Time: 1690000000},
		{Kind: record.Metrics, Fields: map[string]record.Field{"lanyard_messages_inbound": {Value: int64(5)}}},
	}, func(lost []record.Superseded) error {
		kind := lost[0].Kind
		if changed[kind] {
			return nil
		}
		changed[kind] = true
		switch kind {
		case record.LastSeen:
			f.put(kind, alice, mem.Document{Times: map[string]any{"timestamp": int64(1720000000000)}})
		case record.MonitoringSince:
			f.put(kind, alice, mem.Document{Times: map[string]any{"since": int64(1700000000), "monitoring_since": int64(1650000000)}})
		case record.Metrics:
			f.put(kind, 0, mem.Document{Fields: values{"lanyard_messages_inbound": int64(9)}})
		case record.KV:
			f.put(kind, alice, mem.Document{Fields: values{"a": "x", "app": "new"}})
		case record.APIKeys:
			f.put(kind, alice, mem.Document{APIKey: key(2), CreatedAt: storetest.Now})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(changed) != len(record.LanyardKinds.List()) {
		t.Fatalf("changed %v only", changed)
	}
	for i, want := range []record.Status{record.Unchanged, record.Updated, record.Unchanged, record.Updated, record.Unchanged} {
		if outcomes[i].Status != want {
			t.Errorf("record %d is counted in column %d, want %d", i, outcomes[i].Status, want)
		}
	}
	if got := f.all(record.LastSeen)[alice].Times["timestamp"]; got != int64(1720000000000) {
		t.Errorf("timestamp %v", got)
	}
	if got := f.all(record.MonitoringSince)[alice].Times["since"]; got != int64(1650000000) {
		t.Errorf("since %v", got)
	}
	if got := f.all(record.Metrics)[0].Fields["lanyard_messages_inbound"]; got != int64(9) {
		t.Errorf("counter %v", got)
	}
	if got := f.all(record.KV)[alice].Fields; got["a"] != "y" || got["app"] != "new" {
		t.Errorf("fields %v", got)
	}
}

func TestCutConnection(t *testing.T) {
	t.Parallel()
	f, store, proxy := behindProxy(t)
	sink, err := store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds})
	if err != nil {
		t.Fatal(err)
	}
	r := kv(alice, values{"a": "1"})
	proxy.Refuse(true)
	proxy.Cut()
	if _, err := sink.Write(context.Background(), []record.Record{r}, (&keeper{}).keep); !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("while the server is away: %v", err)
	}
	proxy.Refuse(false)
	deadline := time.Now().Add(20 * time.Second)
	for {
		outcomes, err := sink.Write(context.Background(), []record.Record{r}, (&keeper{}).keep)
		if err == nil {
			if c := outcomes[0].Status; c != record.Inserted && c != record.Unchanged {
				t.Errorf("counted in column %d", c)
			}
			break
		}
		if !errors.Is(err, record.ErrUnavailable) || time.Now().After(deadline) {
			t.Fatalf("when the server is back: %v", err)
		}
	}
	if n := len(f.documents("kv")); n != 1 {
		t.Errorf("%d documents", n)
	}
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		uri  string
		want error
	}{
		"no server":      {"mongodb://user:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=60000", mongo.ErrUnreachable},
		"no URI":         {"mongodb://", mongo.ErrURI},
		"no option":      {"mongodb://user:hunter2@127.0.0.1:1/?tls=hunter2", mongo.ErrURI},
		"no escapes":     {"mongodb://user:p@ss:hunter2/x?x1@127.0.0.1:1/", mongo.ErrURI},
		"no such option": {"mongodb://user:hunter2@127.0.0.1:1/?tls=perhaps", mongo.ErrURI},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			_, err := mongo.Open(context.Background(), mongo.Options{URI: c.uri, Database: "x", Timeout: 300 * time.Millisecond})
			if !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v", err, c.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the password is in the error")
			}
			if took := time.Since(started); took > 20*time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

func TestErrorsHideWhatServersQuote(t *testing.T) {
	err := mongo.Scrub(errors.New(`E11000 duplicate key error collection: lanyard.api_keys index: key_1 dup key: { key: "lnyd_0123456789abcdef0123456789abcdef" } at mongodb://user:hunter2@host/x`))
	for _, secret := range []string{"0123456789abcdef", "hunter2"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%s", err)
		}
	}
}

func TestDocumentSizeIsTheSizeOfTheDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := storetest.Records().Filter(func(r record.Record) bool { return r.Kind == record.KV }).Draw(t, "record")
		list := make(record.Array, rapid.IntRange(0, 1200).Draw(t, "length"))
		r.Fields["list"] = record.Field{Value: list}
		if got, want := r.DocumentSize(), len(mongo.NewDocument(r, storetest.Now)); got != want {
			t.Errorf("size %d, the document has %d bytes", got, want)
		}
	})
}

func TestValuesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := storetest.Records().Draw(t, "record")
		doc := mongo.NewDocument(r, storetest.Now)
		held := mongo.HeldIn(doc, r)
		d := record.Merge(r, record.Existing{Held: held}, record.TimeBounds(r.Kind, r.User, storetest.Now), record.FailOnConflict)
		if d.Write || d.Status != record.Unchanged {
			t.Errorf("a new document is not what was meant: %+v", d)
		}
		if (r.Kind == record.KV || r.Kind == record.APIKeys) && !held.Unmodified {
			t.Error("a new document is not known as lanyardctl's own")
		}
	})
}

func FuzzValue(f *testing.F) {
	doc, err := bson.Marshal(bson.D{{Key: "v", Value: bson.D{{Key: "a", Value: bson.A{1, "x", nil, 2.5, true, bson.NewObjectID()}}}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Fuzz(func(t *testing.T, b []byte) {
		doc := bson.Raw(b)
		if doc.Validate() != nil {
			return // the driver hands out valid documents only
		}
		elements, err := doc.Elements()
		if err != nil {
			return
		}
		for _, e := range elements {
			v := mongo.Value(e.Value())
			if !record.Equal(v, v) {
				t.Errorf("%s is not itself", record.JSON(v))
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	fields := make(values)
	for i := range 20 {
		fields[fmt.Sprintf("field_%d", i)] = "some text of ordinary length"
	}
	r := kv(alice, fields)
	b.SetBytes(int64(r.DocumentSize()))
	b.ReportAllocs()
	for b.Loop() {
		mongo.NewDocument(r, storetest.Now)
	}
}

func BenchmarkDecode(b *testing.B) {
	fields := make(values)
	for i := range 20 {
		fields[fmt.Sprintf("field_%d", i)] = "some text of ordinary length"
	}
	r := kv(alice, fields)
	doc := mongo.NewDocument(r, storetest.Now)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		mongo.HeldIn(doc, r)
	}
}

func TestIndexThatIsNotUniqueIsNamed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}})
	if _, err := f.db.Collection("kv").Indexes().CreateOne(context.Background(), driver.IndexModel{Keys: bson.D{{Key: "user_id", Value: 1}}}); err != nil {
		t.Fatal(err)
	}
	_, err := f.store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds})
	if !errors.Is(err, mongo.ErrIndex) || !strings.Contains(err.Error(), "user_id_1 of kv") {
		t.Error(err)
	}
}

func TestAnotherIndexMayHaveOurName(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	other := driver.IndexModel{Keys: bson.D{{Key: "something", Value: 1}}, Options: options.Index().SetName("user_id_1")}
	if _, err := f.db.Collection("kv").Indexes().CreateOne(context.Background(), other); err != nil {
		t.Fatal(err)
	}
	sink := f.sink(record.Kinds(0).With(record.KV))
	f.write(sink, &keeper{}, kv(alice, values{"a": "b"}))
	if err := sink.Finish(context.Background(), (&keeper{}).keep); err != nil {
		t.Fatal(err)
	}
	if !f.hasUniqueIndex("kv", "user_id") {
		t.Error("no unique index")
	}
}

// TestConflictFoundInASecondRound changes one of two documents that are updated by one command.
func TestConflictFoundInASecondRound(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.store.AsMongoDB()
	sink := f.sink(record.LanyardKinds)
	f.write(sink, &keeper{}, kv(alice, values{"a": "1"}), kv(bob, values{"a": "1"}))
	changed := false
	outcomes, err := sink.Write(context.Background(), []record.Record{kv(alice, values{"a": "2"}), kv(bob, values{"a": "2"})}, func([]record.Superseded) error {
		if !changed {
			changed = true
			f.put(record.KV, alice, mem.Document{Fields: values{"a": "app"}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if outcomes[0].Status != record.Conflicted || len(outcomes[0].Rejects) != 1 || outcomes[1].Status != record.Updated {
		t.Errorf("%+v", outcomes)
	}
	if got := f.all(record.KV); got[alice].Fields["a"] != "app" || got[bob].Fields["a"] != "2" {
		t.Errorf("%v", got)
	}
}

func TestKeyInADocumentWithANumericUserID(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	const key = "lnyd_0123456789abcdef0123456789abcdef"
	f.insert("api_keys", bson.D{{Key: "user_id", Value: int64(alice)}, {Key: "key", Value: key}})
	outcomes := f.write(f.sink(record.LanyardKinds), &keeper{}, record.Record{Kind: record.APIKeys, User: alice, APIKey: key, Origin: record.Origin{Key: "api_key:" + key, Raw: alice.String()}})
	if o := outcomes[0]; o.Status != record.Conflicted || !strings.Contains(o.Rejects[0].Detail, "number") {
		t.Errorf("%+v", o)
	}
}

func TestKeyInADocumentOfNobody(t *testing.T) {
	t.Parallel()
	const key = "lnyd_0123456789abcdef0123456789abcdef"
	uri := mongoserver.URI(t)
	for name, doc := range map[string]bson.D{
		"no user_id":       {{Key: "key", Value: key}},
		"an empty user_id": {{Key: "user_id", Value: ""}, {Key: "key", Value: key}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, uri)
			f.insert("api_keys", doc)
			outcomes := f.write(f.sink(record.LanyardKinds), &keeper{}, record.Record{Kind: record.APIKeys, User: alice, APIKey: key, Origin: record.Origin{Key: "api_key:" + key, Raw: alice.String()}})
			if o := outcomes[0]; o.Status != record.Conflicted || !strings.Contains(o.Rejects[0].Detail, "nobody") {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestPairsOfAKilledRun starts again after a run that was killed before its indexes were made, while the app wrote.
func TestPairsOfAKilledRun(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	killed := f.sink(record.LanyardKinds)
	for i := range 30 {
		user := alice + record.UserID(i)
		f.write(killed, &keeper{}, kv(user, values{"a": "redis", "b": "redis"}))
		f.insert("kv", bson.D{{Key: "user_id", Value: user.String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: "app"}}}})
	}
	f.write(killed, &keeper{}, record.Record{Kind: record.Metrics, Fields: map[string]record.Field{"lanyard_2xx_responses": {Value: int64(9)}}})
	f.insert("metrics", bson.D{{Key: "type", Value: "global"}, {Key: "lanyard_2xx_responses", Value: int64(5)}})
	f.sink(record.LanyardKinds)
	all := f.all(record.KV) // fails where a user has two
	for user, d := range all {
		if d.Fields["a"] != "app" || d.Fields["b"] != "redis" {
			t.Errorf("%s: %v", user, d.Fields)
		}
	}
	if len(all) != 30 {
		t.Errorf("%d users", len(all))
	}
	if metrics := f.documents("metrics"); len(metrics) != 1 || metrics[0]["lanyard_2xx_responses"] != int64(9) {
		t.Errorf("metrics: %v", metrics)
	}
}

func TestPairThatDoesNotFitIntoOneDocument(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.store.SetMaxDocument(1000)
	sink := f.sink(record.LanyardKinds)
	f.write(sink, &keeper{}, kv(alice, values{"a": strings.Repeat("a", 600)}))
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "b", Value: strings.Repeat("b", 600)}}}})
	if err := sink.Finish(context.Background(), (&keeper{}).keep); err == nil || !strings.Contains(err.Error(), alice.String()) {
		t.Errorf("%v", err)
	}
	if n := len(f.documents("kv")); n != 2 {
		t.Errorf("%d documents are left of two", n)
	}
}

// TestServerThatRefusesEverything fails the run rather than rejecting all there is.
func TestServerThatRefusesEverything(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ferretdb.Start(t).URI)
	var batch []record.Record
	for i := range mongo.ManyRefused {
		batch = append(batch, kv(alice+record.UserID(i), values{"n": math.NaN()}))
	}
	if _, err := f.sink(record.LanyardKinds).Write(context.Background(), batch, (&keeper{}).keep); err == nil || !strings.Contains(err.Error(), "every document") {
		t.Error(err)
	}
}

// TestAppChangesOursWhileItIsMerged lets the app update the one of two documents that is to be deleted.
func TestAppChangesOursWhileItIsMerged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	sink := f.sink(record.LanyardKinds)
	f.write(sink, &keeper{}, kv(alice, values{"a": "redis"}))
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: "app"}}}})
	changed := false
	err := sink.Finish(context.Background(), func([]record.Superseded) error {
		if changed {
			return nil
		}
		changed = true
		_, err := f.db.Collection("kv").UpdateOne(context.Background(), bson.D{{Key: "_id", Value: alice.String()}},
			bson.D{{Key: "$set", Value: bson.D{{Key: "kv.fresh", Value: "app"}}}})
		return err
	})
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	if got := f.all(record.KV)[alice].Fields; got["fresh"] != "app" || got["a"] != "app" {
		t.Errorf("%v", got)
	}
}

// TestADocumentUnderAnotherIDIsFoundAmongMany looks one user up, for whom FerretDB is asked by _id first, where the user's
// document has another.
func TestADocumentUnderAnotherIDIsFoundAmongMany(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.insert("last_seen", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "timestamp", Value: int64(1775185650417)}})
	var others []record.Record
	for i := range record.UserID(600) {
		others = append(others, record.Record{Kind: record.LastSeen, User: bob + i, Time: 1775185650417})
	}
	sink := f.sink(record.LanyardKinds)
	f.write(sink, &keeper{}, others...)
	later := record.Record{Kind: record.LastSeen, User: alice, Time: 1775185650418}
	if got := f.write(sink, &keeper{}, later); got[0].Status != record.Updated {
		t.Errorf("column %d, want that it is updated", got[0].Status)
	}
	for _, doc := range f.documents("last_seen") {
		if doc["user_id"] == alice.String() && doc["timestamp"] != later.Time {
			t.Errorf("%v", doc)
		}
	}
	if n := len(f.documents("last_seen")); n != 601 {
		t.Errorf("%d documents", n)
	}
}

// TestFewOfManyRecordsAreLookedUp counts commands, as TestFewOfManyDocumentsAreLookedUp does.
func TestFewOfManyRecordsAreLookedUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ferretdb.Start(t).URI)
	var batch []record.Record
	for i := range record.UserID(1000) {
		batch = append(batch, record.Record{Kind: record.LastSeen, User: alice + i, Time: 1775185650417})
	}
	f.write(f.sink(record.LanyardKinds), &keeper{}, batch...)
	h, w := f.watched()
	sink, err := h.Store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds, Now: func() time.Time { return storetest.Now }})
	if err != nil {
		t.Fatal(err)
	}
	again := func(n int) (finds, more int) {
		t.Helper()
		finds, more = w.count("find"), w.count("getMore")
		for _, o := range f.write(sink, &keeper{}, batch[:n]...) {
			if o.Status != record.Unchanged {
				t.Errorf("column %d", o.Status)
			}
		}
		return w.count("find") - finds, w.count("getMore") - more
	}
	if finds, more := again(5); finds != 5 || more != 0 {
		t.Errorf("5 records take %d finds and %d replies more", finds, more)
	}
	if finds, more := again(50); finds != 1 || more == 0 {
		t.Errorf("50 records take %d finds and %d replies more", finds, more)
	}
}

// TestRecordsAreLookedUpFirstWhereTheyStand counts commands of the path for MongoDB: what a batch has met decides how the
// next one is written.
func TestRecordsAreLookedUpFirstWhereTheyStand(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ferretdb.Start(t).URI)
	h, w := f.watched()
	h.Store.AsMongoDB()
	batch := func(first record.UserID) (records []record.Record) {
		for i := range record.UserID(100) {
			records = append(records, record.Record{Kind: record.LastSeen, User: alice + first + i, Time: 1775185650417})
		}
		return records
	}
	var sink *mongo.Sink
	open := func(dry bool) {
		var err error
		if sink, err = h.Store.Sink(context.Background(), mongo.SinkOptions{Kinds: record.LanyardKinds, DryRun: dry, Now: func() time.Time { return storetest.Now }}); err != nil {
			t.Fatal(err)
		}
	}
	write := func(batch []record.Record, status record.Status, inserts, finds int) {
		t.Helper()
		wereInserts, wereFinds := w.count("insert"), w.count("find")
		for _, o := range f.write(sink, &keeper{}, batch...) {
			if o.Status != status {
				t.Fatalf("column %d, want %d", o.Status, status)
			}
		}
		if i, n := w.count("insert")-wereInserts, w.count("find")-wereFinds; i != inserts || n != finds {
			t.Errorf("%d inserts and %d finds, want %d and %d", i, n, inserts, finds)
		}
	}
	open(true) // on no documents
	write(batch(0), record.Inserted, 0, 0)
	open(false)
	write(batch(0), record.Inserted, 1, 0)
	write(batch(0), record.Unchanged, 1, 1)
	write(batch(0), record.Unchanged, 0, 1)
	write(batch(100)[:1], record.Inserted, 1, 1) // which tells nothing
	write(batch(200), record.Inserted, 1, 1)
	write(batch(300), record.Inserted, 1, 0)
	open(true) // on documents
	write(batch(300), record.Unchanged, 0, 1)
	open(false)
	write(batch(300), record.Unchanged, 0, 1)
}

func TestACommandHoldsFewerUpdatesInLargeCollections(t *testing.T) {
	t.Parallel()
	for documents, want := range map[int64]int{0: 40, 1000: 40, 150_000: 40, 300_000: 20, 1_000_000: 6, 6_000_000: 1, 100_000_000: 1} {
		if got := mongo.UpdatesAmong(documents); got != want {
			t.Errorf("%d updates among %d documents, want %d", got, documents, want)
		}
	}
}
