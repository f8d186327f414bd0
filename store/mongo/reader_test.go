package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// readBack returns what is delivered of a kind, by user and name.
func readBack(t testing.TB, h record.TargetReader, kind record.Kind) []record.Document {
	t.Helper()
	var all []record.Document
	err := h.Read(context.Background(), kind, func(page []record.Document) error {
		all = append(all, page...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b record.Document) int {
		return strings.Compare(a.User.String()+" "+a.Name.String(), b.User.String()+" "+b.Name.String())
	})
	return all
}

func TestReadingBackOddDocuments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	id, id2 := alice.String(), bob.String()
	oid := bson.NewObjectID()
	for collection, documents := range map[string][]bson.D{
		"last_seen": {
			{{Key: "user_id", Value: id}, {Key: "timestamp", Value: bson.NewDateTimeFromTime(storetest.Now)}, {Key: "since", Value: 1}},
			{{Key: "user_id", Value: id2}, {Key: "timestamp", Value: "1700000000000"}},
			{{Key: "user_id", Value: int64(alice)}, {Key: "timestamp", Value: int64(5)}},
			{{Key: "user_id", Value: 1.5}, {Key: "timestamp", Value: 1.7e12}},
			{{Key: "user_id", Value: int32(7)}},
			{{Key: "user_id", Value: "0" + id}, {Key: "timestamp", Value: nil}},
			{{Key: "user_id", Value: nil}, {Key: "timestamp", Value: true}},
			{{Key: "timestamp", Value: int32(8)}},
		},
		"monitoring": {
			{{Key: "user_id", Value: id}, {Key: "since", Value: int32(1690000000)}, {Key: "monitoring_since", Value: "2022-10-01"}, {Key: "timestamp", Value: 1}},
			{{Key: "user_id", Value: id2}, {Key: "monitoring_since", Value: 1.65e9}},
		},
		"kv": {
			{{Key: "user_id", Value: id}, {Key: "kv", Value: bson.D{{Key: "when", Value: bson.NewDateTimeFromTime(storetest.Now)}, {Key: "n", Value: int32(7)}}}},
			{{Key: "user_id", Value: id}, {Key: "kv", Value: bson.D{}}},
			{{Key: "user_id", Value: id2}, {Key: "kv", Value: "text"}},
			{{Key: "user_id", Value: "nobody"}, {Key: "kv", Value: bson.A{"list"}}},
			{{Key: "user_id", Value: ""}},
		},
		"api_keys": {
			{{Key: "user_id", Value: id}, {Key: "key", Value: int64(5)}},
			{{Key: "user_id", Value: oid}, {Key: "key", Value: "k"}, {Key: "lanyardctl", Value: "not a mark"}},
		},
		"metrics": {
			{{Key: "_id", Value: "other"}, {Key: "type", Value: "other"}, {Key: "lanyard_2xx_responses", Value: 1}},
			{{Key: "_id", Value: "global"}, {Key: "lanyard_2xx_responses", Value: "12"}, {Key: "updated_at", Value: 5}, {Key: "lanyardctl", Value: 5}},
		},
	} {
		for _, doc := range documents {
			f.insert(collection, doc)
		}
	}
	now := storetest.Now
	date := record.Opaque{Type: byte(bson.TypeDateTime), Data: little(now.UnixMilli())}
	type times = map[string]any
	for kind, want := range map[record.Kind][]record.Document{
		record.LastSeen: {
			{Held: record.Held{Times: times{"timestamp": int64(8)}}},
			{Name: record.NameOf("0" + id), Held: record.Held{Times: times{"timestamp": nil}}},
			{Name: record.NameOf("1.5"), Numeric: true, Held: record.Held{Times: times{"timestamp": 1.7e12}}},
			{Name: record.NameOf("null"), Held: record.Held{Times: times{"timestamp": true}}},
			{User: bob, Held: record.Held{Times: times{"timestamp": "1700000000000"}}},
			{User: 7, Name: record.NameOf("7"), Numeric: true, Held: record.Held{}},
			{User: alice, Held: record.Held{Times: times{"timestamp": now}}},
			{User: alice, Name: record.NameOf(id), Numeric: true, Held: record.Held{Times: times{"timestamp": int64(5)}}},
		},
		record.MonitoringSince: {
			{User: bob, Held: record.Held{Times: times{"monitoring_since": 1.65e9}}},
			{User: alice, Held: record.Held{Times: times{"since": int64(1690000000), "monitoring_since": "2022-10-01"}}},
		},
		record.KV: {
			{Held: record.Held{}},
			{Name: record.NameOf("nobody"), Held: record.Held{Malformed: record.Array{"list"}}},
			{User: bob, Held: record.Held{Malformed: "text"}},
			{User: alice, Held: record.Held{Fields: values{"when": date, "n": int64(7)}}},
			{User: alice, Held: record.Held{}},
		},
		record.APIKeys: {
			{Name: record.NameOf(string(record.JSON(record.Opaque{Type: byte(bson.TypeObjectID), Data: oid[:]}))), Held: record.Held{APIKey: "k"}},
			{User: alice, Held: record.Held{Malformed: int64(5)}},
		},
		record.Metrics: {{Held: record.Held{Untyped: true, Fields: values{"lanyard_2xx_responses": "12"}}}},
	} {
		for i := range want {
			want[i].Kind, want[i].Collection, want[i].Held.Found = kind, record.CollectionOf(kind), true
		}
		got := readBack(t, f.store.Reader(mongo.ReaderOptions{}), kind)
		if kind == record.KV { // of one user's two documents, either may come first
			slices.SortStableFunc(got, func(a, b record.Document) int { return len(b.Held.Fields) - len(a.Held.Fields) })
			slices.SortStableFunc(want, func(a, b record.Document) int { return len(b.Held.Fields) - len(a.Held.Fields) })
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("%s (-want +got):\n%s", kind, d)
		}
	}
	storetest.CheckDigests(t, f.store.Reader(mongo.ReaderOptions{}))
	// The app sees those whose user_id is text.
	for kind, want := range map[record.Kind]int64{record.LastSeen: 3, record.MonitoringSince: 2, record.KV: 5, record.APIKeys: 1, record.Metrics: 0} {
		checkCount(t, f.store.Reader(mongo.ReaderOptions{}), kind, want)
	}
	f.insert("metrics", bson.D{{Key: "type", Value: "global"}, {Key: "lanyard_2xx_responses", Value: 1}})
	checkCount(t, f.store.Reader(mongo.ReaderOptions{}), record.Metrics, 1)
	checkCount(t, f.store.Reader(mongo.ReaderOptions{Users: []record.UserID{alice, bob}}), record.KV, 3)
}

// checkCount counts a kind's documents in both ways.
func checkCount(t *testing.T, h *mongo.Reader, kind record.Kind, want int64) {
	t.Helper()
	mongoDB := *h
	mongoDB.Store = h.Store.LikeMongoDB()
	for name, h := range map[string]*mongo.Reader{"the server's": h, "MongoDB's": &mongoDB} {
		if n, err := h.Count(context.Background(), kind); err != nil || n != want {
			t.Errorf("%d documents of %s are counted in %s way, want %d: %v", n, kind, name, want, err)
		}
	}
}

// little returns the bytes of n from the lowest on, as BSON has them.
func little(n int64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
	return b
}

// TestReadingBackDocumentsThatFerretDBRefuses reads types that only MongoDB can hold.
func TestReadingBackDocumentsThatFerretDBRefuses(t *testing.T) {
	t.Parallel()
	decimal, err := bson.ParseDecimal128("94490510688792576")
	if err != nil {
		t.Fatal(err)
	}
	stand := func(kind record.Kind, doc bson.D) record.Document {
		b, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		return mongo.DocumentOf(kind, b)
	}
	if s := stand(record.KV, bson.D{{Key: "user_id", Value: decimal}}); s.User != alice || s.Name.String() != alice.String() {
		t.Errorf("a decimal user id is user %d, named %q", s.User, s.Name)
	}
	if s := stand(record.LastSeen, bson.D{{Key: "user_id", Value: "5"}, {Key: "timestamp", Value: decimal}}); s.User != 5 || s.Held.Times["timestamp"] != alice.String() {
		t.Errorf("a decimal time is %+v", s)
	}
	if s := stand(record.Metrics, bson.D{{Key: "c", Value: decimal}, {Key: "d", Value: math.NaN()}}); s.Held.Fields["c"] != alice.String() || len(s.Held.Fields) != 2 {
		t.Errorf("a decimal counter is %+v", s)
	}
	if s := stand(record.KV, bson.D{{Key: "kv", Value: bson.D{{Key: "d", Value: decimal}}}}); s.Held.Fields["d"].(record.Opaque).Type != byte(bson.TypeDecimal128) {
		t.Errorf("a decimal value is %+v", s)
	}
}

func TestOnlyNumbersAreNumericUsers(t *testing.T) {
	decimal, err := bson.ParseDecimal128("94490510688792576")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		id      any
		user    record.UserID
		name    string
		numeric bool
	}{
		{int32(7), 7, "7", true}, {int64(alice), alice, alice.String(), true}, {1.5, 0, "1.5", true}, {decimal, alice, alice.String(), true},
		{"NaN", 0, "NaN", false}, {"1e5", 0, "1e5", false}, {"-7", 0, "-7", false}, {nil, 0, "null", false}, {true, 0, "true", false},
		{bson.A{7}, 0, "[7]", false},
	} {
		b, err := bson.Marshal(bson.D{{Key: "user_id", Value: c.id}})
		if err != nil {
			t.Fatal(err)
		}
		if s := mongo.DocumentOf(record.KV, b); s.User != c.user || s.Identity() != (record.Identity{}) || s.Name.String() != c.name || s.Numeric != c.numeric {
			t.Errorf("user_id %v: user %d, named %q, numeric: %t", c.id, s.User, s.Name, s.Numeric)
		}
	}
	b, err := bson.Marshal(bson.D{{Key: "a", Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if s := mongo.DocumentOf(record.KV, b); s.User != 0 || s.Name != (record.Name{}) || s.Numeric {
		t.Errorf("without a user_id: %+v", s)
	}
}

func TestReaderOfSomeUsers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	var batch []record.Record
	for i := range record.UserID(30) {
		batch = append(batch, kv(alice+i, values{"a": "1"}), record.Record{Kind: record.LastSeen, User: alice + i, Time: 1775185650417})
	}
	batch = append(batch, record.Record{Kind: record.Metrics, Fields: map[string]record.Field{"lanyard_2xx_responses": {Value: int64(1)}}})
	f.write(f.sink(record.LanyardKinds), &keeper{}, batch...)
	f.insert("kv", bson.D{{Key: "user_id", Value: int64(alice)}})
	h := f.store.Reader(mongo.ReaderOptions{Users: []record.UserID{alice + 3, alice, alice + 3, bob}})
	storetest.CheckDigests(t, h)
	for kind, want := range map[record.Kind][]record.UserID{record.KV: {alice, alice + 3}, record.LastSeen: {alice, alice + 3}, record.APIKeys: nil, record.Metrics: nil} {
		var got []record.UserID
		for _, s := range readBack(t, h, kind) {
			got = append(got, s.User)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s of users %v, want %v", kind, got, want)
		}
		if n, err := h.Count(context.Background(), kind); err != nil || n != int64(len(want)) {
			t.Errorf("%d documents of %s are counted, want %d: %v", n, kind, len(want), err)
		}
	}
}

func TestEachDocumentThatMayBeTheCountersStands(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	f.insert("metrics", bson.D{{Key: "_id", Value: "global"}, {Key: "c", Value: int64(1)}})
	counters := func() (found []record.Value) {
		for _, s := range readBack(t, f.store.Reader(mongo.ReaderOptions{}), record.Metrics) {
			found = append(found, s.Held.Fields["c"])
		}
		return found
	}
	if got := counters(); !slices.Equal(got, []record.Value{int64(1)}) {
		t.Errorf("%v, where only the _id tells", got)
	}
	f.insert("metrics", bson.D{{Key: "type", Value: "global"}, {Key: "c", Value: int64(2)}})
	if got := counters(); !slices.Equal(got, []record.Value{int64(2)}) {
		t.Errorf("%v, where the type tells", got)
	}
	f.insert("metrics", bson.D{{Key: "type", Value: "global"}, {Key: "c", Value: int64(2)}})
	if got := counters(); !slices.Equal(got, []record.Value{int64(2), int64(2)}) {
		t.Errorf("%v, where the type tells it of two", got)
	}
}

func TestPagesAreBounded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	var batch []record.Record
	for i := range record.UserID(2500) {
		batch = append(batch, record.Record{Kind: record.LastSeen, User: alice + i, Time: 1775185650417})
	}
	sink := f.sink(record.LanyardKinds)
	f.write(sink, &keeper{}, batch...)
	// Four of these are over what FerretDB can send at once, and one is over what a page may hold.
	for i := range record.UserID(4) {
		f.write(sink, &keeper{}, kv(alice+i, values{"a": strings.Repeat("x", 13<<20)}))
	}
	for kind, want := range map[record.Kind][]int{record.LastSeen: {1000, 1000, 500}, record.KV: {1, 1, 1, 1}} {
		var pages []int
		seen := make(map[record.UserID]bool)
		err := f.store.Reader(mongo.ReaderOptions{}).Read(context.Background(), kind, func(page []record.Document) error {
			pages = append(pages, len(page))
			for _, s := range page {
				seen[s.User] = true
			}
			return nil
		})
		if err != nil || !slices.Equal(pages, want) {
			t.Errorf("pages of %v documents of %s, want %v: %v", pages, kind, want, err)
		}
		if sum := want[0]*len(want) - want[0] + want[len(want)-1]; len(seen) != sum {
			t.Errorf("%d users of %s, want %d", len(seen), kind, sum)
		}
	}
}

// watched counts a client's commands by name, where they succeeded.
type watched struct {
	mu    sync.Mutex
	names map[string]int
}

func (w *watched) succeeded(_ context.Context, e *event.CommandSucceededEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.names[e.CommandName]++
}

func (w *watched) count(name string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.names[name]
}

// watched returns a reader through a client that counts its commands.
func (f *fixture) watched() (*mongo.Reader, *watched) {
	f.t.Helper()
	w := &watched{names: make(map[string]int)}
	client, err := driver.Connect(options.Client().ApplyURI(f.uri).SetMonitor(&event.CommandMonitor{Succeeded: w.succeeded}))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = client.Disconnect(context.Background()) })
	store, err := mongo.OpenWith(context.Background(), client, f.name)
	if err != nil {
		f.t.Fatal(err)
	}
	return store.Reader(mongo.ReaderOptions{}), w
}

// TestCountHoldsNoCollection counts without the command for which FerretDB loads all that it counts.
func TestCountHoldsNoCollection(t *testing.T) {
	t.Parallel()
	f := newFixture(t, ferretdb.Start(t).URI)
	var batch []record.Record
	for i := range record.UserID(1234) {
		batch = append(batch, kv(alice+i, values{"a": "1"}))
	}
	f.write(f.sink(record.LanyardKinds), &keeper{}, batch...)
	h, w := f.watched()
	checkCount(t, h, record.KV, int64(len(batch)))
	if n := w.count("aggregate"); n != 1 { // MongoDB's way
		t.Errorf("%d aggregations", n)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.Count(ctx, record.KV); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestCursorThatIsNotDrainedIsClosed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	var batch []record.Record
	for i := range record.UserID(2500) {
		batch = append(batch, record.Record{Kind: record.LastSeen, User: alice + i, Time: 1775185650417})
	}
	f.write(f.sink(record.LanyardKinds), &keeper{}, batch...)
	h, w := f.watched()
	readBack(t, h, record.LastSeen)
	if n := w.count("killCursors"); n != 0 {
		t.Errorf("%d cursors were closed that were drained", n)
	}
	enough := errors.New("enough")
	if err := h.Read(context.Background(), record.LastSeen, func([]record.Document) error { return enough }); err != enough {
		t.Error(err)
	}
	if n := w.count("killCursors"); n != 1 {
		t.Errorf("%d cursors were closed after the reader's error", n)
	}
	closed := 0
	for tries := 0; tries < 5 && closed == 0; tries++ { // it has half a second, which a busy machine may take
		before := w.count("killCursors")
		ctx, cancel := context.WithCancel(context.Background())
		err := h.Read(ctx, record.LastSeen, func([]record.Document) error {
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) || errors.Is(err, record.ErrUnavailable) {
			t.Error(err)
		}
		closed = w.count("killCursors") - before
	}
	if closed != 1 {
		t.Errorf("%d cursors were closed after the context was cancelled", closed)
	}
}

func TestServerThatGoesAwayWhileItIsRead(t *testing.T) {
	t.Parallel()
	f, store, proxy := behindProxy(t)
	var batch []record.Record
	for i := range record.UserID(1500) {
		batch = append(batch, record.Record{Kind: record.LastSeen, User: alice + i, Time: 1775185650417})
	}
	f.write(f.sink(record.LanyardKinds), &keeper{}, batch...)
	h := store.Reader(mongo.ReaderOptions{})
	pages := 0
	err := h.Read(context.Background(), record.LastSeen, func([]record.Document) error {
		pages++
		proxy.Refuse(true)
		proxy.Cut()
		return nil
	})
	if !errors.Is(err, record.ErrUnavailable) || pages != 1 || !strings.Contains(fmt.Sprint(err), "read last_seen") {
		t.Errorf("after %d pages: %v", pages, err)
	}
	if _, err := h.Count(context.Background(), record.LastSeen); !errors.Is(err, record.ErrUnavailable) {
		t.Error(err)
	}
}

func TestNumericUsersAreNoticedWithoutASink(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	for i := range 12 {
		f.insert("kv", bson.D{{Key: "user_id", Value: int64(i)}})
	}
	f.insert("kv", bson.D{{Key: "user_id", Value: alice.String()}})
	f.insert("last_seen", bson.D{{Key: "user_id", Value: 5.0}})
	f.insert("metrics", bson.D{{Key: "user_id", Value: int64(5)}}) // nobody's, whatever it says
	notices, err := f.store.NumericUsers(context.Background(), record.LanyardKinds)
	if err != nil || len(notices) != 2 {
		t.Fatalf("%+v, %v", notices, err)
	}
	if n := notices[0]; n.Collection != "kv" || n.Count != 12 || len(n.Users) != 10 || n.Note != record.NumericUserID {
		t.Errorf("%+v", n)
	}
	if n := notices[1]; n.Collection != "last_seen" || n.Count != 1 || n.Users[0] != "5" {
		t.Errorf("%+v", n)
	}
	only, err := f.store.NumericUsers(context.Background(), record.Kinds(0).With(record.LastSeen).With(record.Metrics))
	if err != nil || len(only) != 1 {
		t.Errorf("%+v, %v", only, err)
	}
	names, err := f.db.ListCollectionNames(context.Background(), bson.D{})
	if err != nil || len(names) != 3 {
		t.Errorf("collections %v, %v", names, err)
	}
	for _, name := range names {
		if specs, err := f.db.Collection(name).Indexes().ListSpecifications(context.Background()); err != nil || len(specs) > 1 {
			t.Errorf("%d indexes on %s, %v", len(specs), name, err)
		}
	}
}

// BenchmarkReader compares reading with a bare cursor over the same collection.
func BenchmarkReader(b *testing.B) {
	f := newFixture(b, mongoserver.URI(b))
	const users = 5000
	var batch []record.Record
	for i := range record.UserID(users) {
		fields := make(values)
		for n := range 5 {
			fields[fmt.Sprintf("field_%d", n)] = "some text of ordinary length"
		}
		batch = append(batch, kv(alice+i, fields), record.Record{Kind: record.LastSeen, User: alice + i, Time: 1775185650417})
	}
	f.write(f.sink(record.LanyardKinds), &keeper{}, batch...)
	rate := func(b *testing.B, n int) {
		b.Helper()
		if n != users*b.N {
			b.Fatalf("%d documents in %d rounds", n, b.N)
		}
		b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "documents/s")
	}
	for _, kind := range []record.Kind{record.KV, record.LastSeen} {
		b.Run(kind.String()+"/reader", func(b *testing.B) {
			n := 0
			for b.Loop() {
				err := f.store.Reader(mongo.ReaderOptions{}).Read(context.Background(), kind, func(page []record.Document) error {
					n += len(page)
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			rate(b, n)
		})
		b.Run(kind.String()+"/bare cursor", func(b *testing.B) {
			n := 0
			for b.Loop() {
				cursor, err := f.db.Collection(collection(kind)).Find(context.Background(), bson.D{}, options.Find().SetBatchSize(1000))
				if err != nil {
					b.Fatal(err)
				}
				for cursor.Next(context.Background()) {
					n++
				}
				if err := cursor.Err(); err != nil {
					b.Fatal(err)
				}
			}
			rate(b, n)
		})
	}
}
