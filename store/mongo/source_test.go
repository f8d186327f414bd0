package mongo_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// bothServers returns the server that is named for tests, else a FerretDB, and one in memory that answers as MongoDB does.
func bothServers(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"server": mongoserver.URI(t), "as MongoDB": guardedServer(t)}
}

// onBoth runs the test in a database of each server.
func onBoth(t *testing.T, servers map[string]string, test func(t *testing.T, f *fixture)) {
	t.Helper()
	for name, uri := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newFixture(t, uri))
		})
	}
}

func (f *fixture) source(o mongo.SourceOptions) *mongo.Source {
	f.t.Helper()
	if o.Kinds == 0 {
		o.Kinds = record.LanyardKinds
	}
	o.Now = storetest.Now
	src, err := f.store.Source(context.Background(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	return src
}

// delivery is what a source delivers.
type delivery struct {
	mu    sync.Mutex
	items []record.Item
	seen  record.KeyCounts
	next  []string // the positions of the pages
}

func (d *delivery) take(p record.Page) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.items = append(d.items, p.Items...)
	d.seen.Add(p.Seen)
	d.next = append(d.next, p.Next)
	return nil
}

// deliver reads the source's parts side by side, and what it deferred.
func deliver(t failer, src record.Source) *delivery {
	t.Helper()
	var d delivery
	parts, err := src.Parts(context.Background())
	if err != nil {
		t.Fatalf("%v", err)
	}
	errs := make(chan error)
	for _, p := range parts {
		go func() { errs <- p.Read(context.Background(), "", d.take) }()
	}
	for range parts {
		if err := <-errs; err != nil {
			t.Fatalf("%v", err)
		}
	}
	if err := src.Deferred(context.Background(), d.take); err != nil {
		t.Fatalf("%v", err)
	}
	return &d
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// lines returns the items as text, sorted: a record with its values, and each reject.
func (d *delivery) lines() []string {
	var lines []string
	for _, it := range d.items {
		if r := it.Record; r != nil {
			line := fmt.Sprintf("%s %s", r.Kind, r.Identity())
			switch r.Kind.Shape() {
			case record.TextShape:
				line += fmt.Sprintf(" %s from %s", r.APIKey, r.Origin)
			case record.TimeShape:
				line += fmt.Sprintf(" %d from %s", r.Time, r.Origin)
			case record.FieldsShape:
				for _, name := range r.FieldNames() {
					line += fmt.Sprintf(" %s=%s from %s", name, record.JSON(r.Fields[name].Value), r.Fields[name].Origin)
				}
			}
			for _, note := range it.Notes {
				line += " " + string(note)
			}
			lines = append(lines, line)
		}
		for _, r := range it.Rejects {
			line := fmt.Sprintf("%s %d: %s", r.Kind, r.User, r.Key)
			if r.HasField {
				line += " " + r.Field
			}
			line += fmt.Sprintf(" %s: %s: %s", r.Value.Data, r.Reason, r.Detail)
			if it.APIKey != "" {
				line += ", authenticates"
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

const (
	numericDetail   = "invalid-user-id: the document's user_id is a number, so that the app does not see it; lanyardctl sweep --dedupe makes it text"
	nobodysDetail   = "invalid-user-id: the document's user_id is no user id"
	ambiguousDetail = "ambiguous-api-key: the user has several documents with different keys, each of which authenticates, authenticates"
	sharedDetail    = "conflict: documents of several users hold the key, authenticates"
	differDetail    = "conflict: the user's documents hold different values; lanyardctl sweep --dedupe names them, for you to decide"
)

func TestEveryDocumentIsARecordOrAReject(t *testing.T) {
	t.Parallel()
	id, id2 := alice.String(), bob.String()
	date := time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)
	type documents = map[string][]bson.D
	user := func(id any, more ...any) bson.D {
		d := bson.D{{Key: "user_id", Value: id}}
		for i := 0; i < len(more); i += 2 {
			d = append(d, bson.E{Key: more[i].(string), Value: more[i+1]})
		}
		return d
	}
	servers := bothServers(t)
	for name, c := range map[string]struct {
		documents documents
		want      []string
	}{
		"times": {
			documents{
				"last_seen": {
					user(id, "timestamp", int64(1700000000000)),
					user(id2, "timestamp", date),
					user("1", "timestamp", "1700000000"),
					user("2", "timestamp", 1.7e9),
					user("3", "timestamp", int64(5)),
					user("4", "timestamp", true),
					user("5"),
					user("6", "timestamp", nil),
				},
				"monitoring": {
					user(id, "since", int32(1690000000), "monitoring_since", "2022-10-01"),
					user(id2, "since", int32(1664641326), "monitoring_since", int64(1690000000)),
					user("1", "monitoring_since", int32(1664641326)),
					user("2", "since", int32(7), "monitoring_since", int32(1664641326)),
					user("3", "since", int32(1664641326), "monitoring_since", "soon"),
				},
			},
			[]string{
				"last_seen 1 1700000000000 from {last_seen/1 1700000000} normalised",
				"last_seen 2 1700000000000 from {last_seen/2 1.7e+09} normalised",
				"last_seen 3: last_seen/3 5: implausible-timestamp: before 2015-01-01",
				"last_seen 4: last_seen/4 true: not-a-timestamp: neither a number nor an ISO 8601 time",
				"last_seen 5: last_seen/5 null: not-a-timestamp: the document holds no time",
				"last_seen 6: last_seen/6 null: not-a-timestamp: the document holds no time",
				"last_seen " + id + " 1700000000000 from {last_seen/" + id + " 1700000000000}",
				"last_seen " + id2 + " 1714557600000 from {last_seen/" + id2 + " 2024-05-01T10:00:00Z} normalised",
				"monitoring_since " + id + " 1664582400 from {monitoring/" + id + " 2022-10-01} normalised",
				"monitoring_since " + id2 + " 1664641326 from {monitoring/" + id2 + " 1664641326}",
				"monitoring_since 1 1664641326 from {monitoring/1 1664641326}",
				"monitoring_since 2 1664641326 from {monitoring/2 1664641326}",
				"monitoring_since 2: monitoring/2 7: implausible-timestamp: before 2015-01-01",
				"monitoring_since 3 1664641326 from {monitoring/3 1664641326}",
				"monitoring_since 3: monitoring/3 soon: not-a-timestamp: neither a number nor an ISO 8601 time",
			},
		},
		"pairs": {
			documents{"kv": {
				user(id, "kv", bson.D{{Key: "s", Value: "text"}, {Key: "n", Value: int32(7)}, {Key: "f", Value: 7.5}, {Key: "o", Value: bson.D{{Key: "x", Value: bson.A{nil, true}}}}, {Key: "", Value: ""}}),
				user("1", "kv", "text"),
				user("2", "kv", bson.A{"a"}),
				user("3", "kv", bson.D{}),
				user("4", "kv", nil),
				user("5"),
				user("6", "kv", bson.D{{Key: "id", Value: bson.ObjectID{1}}}),
			}},
			[]string{
				"kv " + id + ` ="" from {kv/` + id + ` } f=7.5 from {kv/` + id + ` 7.5} n=7 from {kv/` + id + ` 7} o={"x":[null,true]} from {kv/` + id +
					` {"x":[null,true]}} s="text" from {kv/` + id + ` text}`,
				"kv 1: kv/1 text: wrong-type: kv is no document of key-value pairs",
				`kv 2: kv/2 ["a"]: wrong-type: kv is no document of key-value pairs`,
				"kv 3", // the last pair was removed
				`kv 6 id={"$type":7,"$base64":"AQAAAAAAAAAAAAAA"} from {kv/6 {"$type":7,"$base64":"AQAAAAAAAAAAAAAA"}}`,
			},
		},
		"API keys": {
			documents{"api_keys": {
				user(id, "key", "lnyd_1", "created_at", date),
				user("1", "key", int32(5)), user("2", "key", ""), user("3"),
				user("5", "key", "shared"), user("6", "key", "shared"),
				user("7", "key", "old"), user("7", "key", "new"),
				user("8", "key", "same"), user("8", "key", "same"),
				user(int64(9), "key", "numeric"),
			}},
			[]string{
				"api_keys " + id + " lnyd_1 from {api_keys/" + id + " lnyd_1}",
				"api_keys 0: api_keys/9 numeric: " + numericDetail,
				"api_keys 1: api_keys/1 5: wrong-type: the key is no text",
				"api_keys 2: api_keys/2 : wrong-type: the key is empty",
				"api_keys 3: api_keys/3 null: wrong-type: the document holds no key",
				"api_keys 5: api_keys/5 shared: " + sharedDetail, "api_keys 6: api_keys/6 shared: " + sharedDetail,
				"api_keys 7: api_keys/7 new: " + ambiguousDetail, "api_keys 7: api_keys/7 old: " + ambiguousDetail,
				"api_keys 8 same from {api_keys/8 same}",
			},
		},
		"documents of nobody's": {
			documents{
				"kv": {
					user(int64(alice), "kv", bson.D{{Key: "a", Value: "x"}, {Key: "b", Value: int32(1)}}),
					user("nobody", "kv", bson.D{{Key: "a", Value: "y"}}),
					user(nil, "kv", bson.D{{Key: "a", Value: "z"}}),
					{{Key: "_id", Value: "here"}, {Key: "kv", Value: bson.D{{Key: "a", Value: "w"}}}},
				},
				"last_seen": {user(1.5, "timestamp", int64(1700000000000)), user("01", "timestamp", "never")},
			},
			[]string{
				"kv 0: kv/" + id + " a x: " + numericDetail, "kv 0: kv/" + id + " b 1: " + numericDetail,
				"kv 0: kv/_id \"here\" a w: invalid-user-id: the document has no user_id",
				"kv 0: kv/nobody a y: " + nobodysDetail, "kv 0: kv/null a z: " + nobodysDetail,
				"last_seen 0: last_seen/01 never: " + nobodysDetail, "last_seen 0: last_seen/1.5 1700000000000: " + numericDetail,
			},
		},
		"several documents of a user": {
			documents{
				"kv": {
					user(id, "kv", bson.D{{Key: "a", Value: "x"}, {Key: "n", Value: int32(7)}, {Key: "first", Value: "1"}}),
					user(id, "kv", bson.D{{Key: "a", Value: "y"}, {Key: "n", Value: 7.0}, {Key: "second", Value: "2"}}),
					user(id2, "kv", bson.D{{Key: "only", Value: "one"}}),
				},
				"last_seen":  {user(id, "timestamp", int64(1700000000000)), user(id, "timestamp", int64(1800000000000)), user(id, "timestamp", int64(1710000000000))},
				"monitoring": {user(id, "since", int32(1690000000)), user(id, "since", int32(1680000000))},
			},
			[]string{
				"kv " + id + " first=\"1\" from {kv/" + id + " 1} n=7 from {kv/" + id + " 7} second=\"2\" from {kv/" + id + " 2}",
				"kv " + id + ": kv/" + id + " a x: " + differDetail, "kv " + id + ": kv/" + id + " a y: " + differDetail,
				"kv " + id2 + " only=\"one\" from {kv/" + id2 + " one}",
				"last_seen " + id + " 1710000000000 from {last_seen/" + id + " 1710000000000}",
				"last_seen " + id + ": last_seen/" + id + " 1800000000000: implausible-timestamp: more than a day in the future",
				"monitoring_since " + id + " 1680000000 from {monitoring/" + id + " 1680000000}",
			},
		},
		"counters": {
			documents{"metrics": {
				{{Key: "type", Value: "global"}, {Key: "a", Value: int32(7)}, {Key: "b", Value: "12"}, {Key: "c", Value: -1}, {Key: "updated_at", Value: date}},
				{{Key: "type", Value: "global"}, {Key: "a", Value: 7.5}, {Key: "b", Value: int64(11)}},
				{{Key: "type", Value: "other"}, {Key: "a", Value: 100}},
			}},
			[]string{
				"metrics  a=7.5 from {metrics/global 7.5} b=12 from {metrics/global 12}",
				"metrics 0: metrics/global c -1: not-a-counter: negative",
			},
		},
		"counters that the app does not find": {
			documents{"metrics": {{{Key: "_id", Value: "global"}, {Key: "a", Value: int32(7)}}}},
			[]string{"metrics  a=7 from {metrics/global 7}"},
		},
		"nothing": {documents{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, servers, func(t *testing.T, f *fixture) {
				count := int64(0)
				for collection, documents := range c.documents {
					for _, doc := range documents {
						f.insert(collection, doc)
						if kind, _ := lookupD(doc, "type").(string); kind != "other" {
							count++
						}
					}
				}
				d := deliver(t, f.source(mongo.SourceOptions{}))
				slices.Sort(c.want)
				if diff := cmp.Diff(c.want, d.lines(), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if d.seen.Keys != count || d.seen.Lanyard > count {
					t.Errorf("%d documents were looked at, %d of them Lanyard's, of %d", d.seen.Keys, d.seen.Lanyard, count)
				}
			})
		})
	}
}

func lookupD(doc bson.D, name string) any {
	for _, e := range doc {
		if e.Key == name {
			return e.Value
		}
	}
	return nil
}

// TestDocumentsThatFerretDBRefuses has values that JSON cannot hold, which are delivered, and names and API keys that are no
// text.
func TestDocumentsThatFerretDBRefuses(t *testing.T) {
	t.Parallel()
	f := newFixture(t, guardedServer(t))
	decimal, err := bson.ParseDecimal128("1.5")
	if err != nil {
		t.Fatal(err)
	}
	f.insert("kv", bson.D{{Key: "user_id", Value: "1"}, {Key: "kv", Value: bson.D{
		{Key: "nan", Value: math.NaN()}, {Key: "decimal", Value: decimal}, {Key: "twice", Value: 1}, {Key: "twice", Value: 1}, {Key: "torn", Value: 1}, {Key: "torn", Value: 2},
	}}})
	f.insert("kv", bson.D{{Key: "user_id", Value: "2"}, {Key: "kv", Value: bson.D{
		{Key: "bad", Value: "\xff"}, {Key: "\xff", Value: 1},
	}}})
	f.insert("api_keys", bson.D{{Key: "user_id", Value: "3"}, {Key: "key", Value: "\xff"}})
	f.insert("last_seen", bson.D{{Key: "user_id", Value: decimal}, {Key: "timestamp", Value: decimal}})
	want := []string{
		"api_keys 3: api_keys/3 \xff: invalid-utf8: the API key is not valid UTF-8",
		`kv 1 decimal={"$type":19,"$base64":"DwAAAAAAAAAAAAAAAAA+MA=="} from {kv/1 {"$type":19,"$base64":"DwAAAAAAAAAAAAAAAAA+MA=="}}` +
			` nan="NaN" from {kv/1 "NaN"} twice=1 from {kv/1 1}`,
		"kv 1: kv/1 torn 1: conflict: the document holds the name twice, with different values",
		"kv 1: kv/1 torn 2: conflict: the document holds the name twice, with different values",
		"kv 2 bad=\"\\ufffd\" from {kv/2 \xff}",
		"kv 2: kv/2 \xff 1: invalid-field-name: the name is not valid UTF-8",
		"last_seen 0: last_seen/1.5 1.5: " + numericDetail,
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, deliver(t, f.source(mongo.SourceOptions{})).lines()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatTheSinkWroteIsReadBack is the law of the way back: the source delivers the records that the sink wrote.
func TestWhatTheSinkWroteIsReadBack(t *testing.T) {
	t.Parallel()
	uri := guardedServer(t)
	rapid.Check(t, func(rt *rapid.T) {
		f := newFixture(t, uri)
		want := make(map[string]record.Digest)
		var batch []record.Record
		for _, r := range rapid.SliceOfN(storetest.Records(), 0, 20).Draw(rt, "records") {
			id := r.Kind.String() + " " + r.Identity().String()
			if _, met := want[id]; met || r.Kind == record.APIKeys && slices.ContainsFunc(batch, func(o record.Record) bool { return o.APIKey == r.APIKey }) {
				continue
			}
			want[id] = r.Digest()
			batch = append(batch, r)
		}
		sink := f.sink(record.LanyardKinds)
		f.write(sink, &keeper{}, batch...)
		if rapid.Bool().Draw(rt, "indexes") {
			if err := sink.Finish(context.Background(), (&keeper{}).keep); err != nil {
				rt.Fatal(err)
			}
		}
		src := f.source(mongo.SourceOptions{})
		if rapid.Bool().Draw(rt, "ranges") {
			src.SetLarge(0)
		}
		got := make(map[string]record.Digest)
		for _, it := range deliver(rt, src).items {
			if it.Record == nil || len(it.Rejects)+len(it.Notes) > 0 {
				rt.Fatalf("%+v", it)
			}
			got[it.Kind.String()+" "+it.Identity().String()] = it.Record.Digest()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			rt.Errorf("(-written +read):\n%s", diff)
		}
	})
}

// TestSourceAndReaderSayTheSameOfADocument is the law that a document which says all that it means is one record on either
// side, and that whatever else a document holds is not lost in silence.
func TestSourceAndReaderSayTheSameOfADocument(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		doc, err := bson.Marshal(genElements().Draw(rt, "document"))
		if err != nil {
			rt.Fatal(err)
		}
		for kind := range record.MonitoringSince + 1 {
			checkDelivered(rt, kind, doc)
		}
	})
}

func FuzzSource(f *testing.F) {
	for _, r := range oneOfEachKind() {
		f.Add([]byte(mongo.NewDocument(r, storetest.Now)))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if bson.Raw(doc).Validate() != nil { // the driver delivers none
			return
		}
		for kind := range record.MonitoringSince + 1 {
			checkDelivered(t, kind, doc)
		}
	})
}

func checkDelivered(t failer, kind record.Kind, doc bson.Raw) {
	t.Helper()
	items := mongo.Deliverer(kind, storetest.Now)(nil, doc)
	stands := mongo.DocumentOf(kind, doc)
	content := stands.Content(storetest.Now)
	ofUser := stands.Identity().User != 0
	for _, it := range items {
		if it.Kind != kind || it.Record == nil && len(it.Rejects) == 0 || it.Record != nil && it.Record.User != stands.User {
			t.Errorf("%s: %v delivers %+v", kind, doc, it)
		}
		if !ofUser && (it.Record != nil || slices.ContainsFunc(it.Rejects, func(r record.Reject) bool { return r.Reason != record.InvalidUserID || r.User != 0 })) {
			t.Errorf("%s: %v, which is nobody's, delivers %+v", kind, doc, it)
		}
	}
	if !ofUser || !content.Complete || content.Record.APIKey == "" && len(content.Record.Fields) == 0 && content.Record.Time == 0 {
		return
	}
	if _, repeated := mongo.RepeatedName(doc); repeated {
		return
	}
	for _, it := range items {
		if slices.ContainsFunc(it.Rejects, func(r record.Reject) bool {
			return r.Reason == record.InvalidUTF8 || r.Reason == record.InvalidFieldName
		}) {
			return // a reader takes it as it is
		}
	}
	if len(items) != 1 || items[0].Record == nil || items[0].Record.Digest() != content.Record.Digest() {
		t.Errorf("%s: %v delivers %+v, and says %+v", kind, doc, items, content.Record)
	}
}

// mixedIDs inserts last_seen documents with _ids of all sorts, and returns the users.
func (f *fixture) mixedIDs(count int) (users []string) {
	f.t.Helper()
	var documents []any
	for i := range count {
		user := record.UserID(1e17 + uint64(i)*(14e17/uint64(count)))
		var id any = user.String()
		switch i % 9 {
		case 1, 2, 3:
			id = bson.ObjectID{byte(i >> 16), byte(i >> 8), byte(i)}
		case 4:
			id = int64(i)
		case 5:
			id = float64(i) + 0.5
		case 6:
			id = bson.D{{Key: "i", Value: user.String()}}
		case 7:
			id = "é" + user.String()
		case 8:
			id = time.UnixMilli(int64(i))
		}
		users = append(users, user.String())
		documents = append(documents, bson.D{{Key: "_id", Value: id}, {Key: "user_id", Value: user.String()}, {Key: "timestamp", Value: int64(1700000000000)}})
	}
	if _, err := f.db.Collection("last_seen").InsertMany(context.Background(), documents, options.InsertMany().SetOrdered(false)); err != nil {
		f.t.Fatal(err)
	}
	slices.Sort(users)
	return users
}

func (d *delivery) users() (users []string) {
	for _, it := range d.items {
		users = append(users, it.User().String())
	}
	slices.Sort(users)
	return users
}

var onlyLastSeen = record.Kinds(0).With(record.LastSeen)

func TestRangesOfIDsMakeUpTheCollection(t *testing.T) {
	t.Parallel()
	test := func(t *testing.T, f *fixture) {
		users := f.mixedIDs(1000)
		src := f.source(mongo.SourceOptions{Kinds: onlyLastSeen})
		whole, err := src.Parts(t.Context())
		if err != nil || len(whole) != 1 || whole[0].Name() != "last_seen" {
			t.Errorf("%v, %v", whole, err)
		}
		src.SetLarge(1000)
		parts, err := src.Parts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range parts {
			var d delivery
			if err := p.Read(t.Context(), "", d.take); err != nil {
				t.Fatal(err)
			}
			if len(d.items) == 0 {
				t.Errorf("%s is empty", p.Name())
			}
			names = append(names, p.Name())
		}
		want := []string{"last_seen up to 11", "last_seen up to 12", "last_seen up to 2", "last_seen up to 4", "last_seen up to 6", "last_seen up to 8",
			"last_seen from 8", "last_seen beyond texts"}
		if !slices.Equal(names, want) {
			t.Errorf("%q", names)
		}
		if d := deliver(t, src); !slices.Equal(d.users(), users) || d.seen != (record.KeyCounts{Keys: 1000, Lanyard: 1000}) {
			t.Errorf("%d items, %+v", len(d.items), d.seen)
		}
	}
	t.Run("as MongoDB", func(t *testing.T) { t.Parallel(); test(t, newFixture(t, guardedServer(t))) })
	t.Run("MongoDB", func(t *testing.T) { t.Parallel(); test(t, onMongoDB(t)) })
}

var errKilled = errors.New("killed")

func TestAPartResumesBehindAnyPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t, guardedServer(t))
	users := f.mixedIDs(3500)
	for _, large := range []int64{0, math.MaxInt64} {
		src := f.source(mongo.SourceOptions{Kinds: onlyLastSeen})
		src.SetLarge(large)
		pages := len(deliver(t, src).next)
		for kill := range pages {
			var d delivery
			left := kill
			positions := make(map[string]string)
			parts, err := src.Parts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range parts {
				err := p.Read(t.Context(), "", func(page record.Page) error {
					if left == 0 {
						return errKilled
					}
					left--
					positions[p.Name()] = page.Next
					return d.take(page)
				})
				if err != nil && err != errKilled {
					t.Fatal(err)
				}
			}
			again := f.source(mongo.SourceOptions{Kinds: onlyLastSeen})
			again.SetLarge(large)
			if again.Identity() != src.Identity() {
				t.Fatalf("%s is another than %s", again.Identity(), src.Identity())
			}
			if parts, err = again.Parts(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, p := range parts {
				if err := p.Read(t.Context(), positions[p.Name()], d.take); err != nil {
					t.Fatal(err)
				}
			}
			if !slices.Equal(d.users(), users) || d.seen.Keys != int64(len(users)) {
				t.Errorf("killed before page %d of %d: %d items, %+v", kill, pages, len(d.items), d.seen)
			}
		}
	}
	parts, err := f.source(mongo.SourceOptions{Kinds: onlyLastSeen}).Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"x", "!", "AgQ"} {
		if err := parts[0].Read(t.Context(), bad, (&delivery{}).take); err == nil || !strings.Contains(err.Error(), "is no position") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// ordersByID reports whether the server has an order in which a reading can be resumed: FerretDB has none.
func ordersByID(f *fixture) bool { return f.store.Info().Server == "MongoDB" }

// readBehindCuts reads a collection whose server ends its connections after the first pages.
func readBehindCuts(t *testing.T, f *fixture) *delivery {
	t.Helper()
	u, err := url.Parse(f.uri)
	if err != nil {
		t.Fatal(err)
	}
	proxy := storetest.NewProxy(t, u.Host)
	o := mongo.Options{URI: "mongodb://" + proxy.Addr + "/?directConnection=true", Database: f.name}
	store, err := mongo.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close(context.Background()) })
	src, err := store.Source(t.Context(), mongo.SourceOptions{Kinds: onlyLastSeen, Now: storetest.Now})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := src.Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cuts := 1
	if ordersByID(f) {
		cuts = 2
		src.SetRetryFor(time.Nanosecond) // since documents came, it has all its time
	}
	var d delivery
	err = parts[0].Read(t.Context(), "", func(p record.Page) error {
		if cuts == 0 {
			return d.take(p)
		}
		cuts--
		proxy.Cut()
		return d.take(p)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &d
}

func TestAPartOutlivesAConnection(t *testing.T) {
	t.Parallel()
	onBoth(t, bothServers(t), func(t *testing.T, f *fixture) {
		users := f.mixedIDs(3000)
		d := readBehindCuts(t, f)
		got := d.users()
		if !ordersByID(f) {
			if len(got) <= len(users) {
				t.Errorf("%d items: it was not begun anew", len(got))
			}
			got = slices.Compact(got)
		}
		if !slices.Equal(got, users) || d.seen.Keys != 3000 {
			t.Errorf("%d users, %+v", len(got), d.seen)
		}
	})
}

func TestAServerThatStaysAwayIsGivenUp(t *testing.T) {
	t.Parallel()
	f := newFixture(t, guardedServer(t))
	f.mixedIDs(3000)
	proxy := storetest.NewProxy(t, strings.TrimPrefix(f.uri, "mongodb://"))
	told := &notices{first: make(chan struct{})}
	src, err := openedBehind(t, f, proxy).Source(t.Context(), mongo.SourceOptions{Kinds: onlyLastSeen, Notify: told.notify})
	if err != nil {
		t.Fatal(err)
	}
	src.SetRetryFor(500 * time.Millisecond)
	parts, err := src.Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = parts[0].Read(t.Context(), "", func(record.Page) error {
		proxy.Refuse(true)
		proxy.Cut()
		return nil
	})
	if !errors.Is(err, record.ErrUnavailable) || !errors.Is(err, record.ErrGivenUp) {
		t.Errorf("%v", err)
	}
	if len(told.texts) == 0 || !strings.HasPrefix(told.texts[0], "the source is unavailable (read last_seen: ") {
		t.Errorf("told %q", told.texts)
	}
	if err := src.Deferred(t.Context(), (&delivery{}).take); !errors.Is(err, record.ErrGivenUp) {
		t.Errorf("%v", err)
	}
}

func TestACollectionThatIsDroppedMeanwhileIsNoSource(t *testing.T) {
	t.Parallel()
	onBoth(t, bothServers(t), func(t *testing.T, f *fixture) {
		f.mixedIDs(10)
		src := f.source(mongo.SourceOptions{})
		if again := f.source(mongo.SourceOptions{}); again.Identity() != src.Identity() {
			t.Errorf("%s, and then %s", src.Identity(), again.Identity())
		}
		f.insert("kv", bson.D{{Key: "user_id", Value: "1"}}) // a new collection is no loss
		deliver(t, src)
		for _, makeAnew := range []bool{false, true} {
			if err := f.db.Collection("last_seen").Drop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if makeAnew {
				f.mixedIDs(10)
			}
			err := src.Deferred(t.Context(), (&delivery{}).take)
			if !errors.Is(err, record.ErrSourceMoved) || !strings.Contains(err.Error(), f.name+".last_seen") {
				t.Errorf("made anew: %t: %v", makeAnew, err)
			}
		}
		if f.source(mongo.SourceOptions{}).Identity() == src.Identity() {
			t.Errorf("%s, as before it was dropped", src.Identity())
		}
	})
}

// TestWhatIsHeldBackIsPartOfTheIdentity has a document removed in between that made its user one to decide at the end: the
// other one may lie behind the position of a run that was interrupted.
func TestWhatIsHeldBackIsPartOfTheIdentity(t *testing.T) {
	t.Parallel()
	f := newFixture(t, guardedServer(t))
	f.insert("kv", bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: "1"}})
	before := f.source(mongo.SourceOptions{}).Identity()
	f.insert("kv", bson.D{{Key: "_id", Value: 2}, {Key: "user_id", Value: "1"}})
	if twice := f.source(mongo.SourceOptions{}).Identity(); twice == before {
		t.Errorf("%s", twice)
	}
}

func TestTooManyUsersWithSeveralDocuments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, guardedServer(t))
	var documents []any
	for i := range 5001 {
		for range 2 {
			documents = append(documents, bson.D{{Key: "user_id", Value: record.UserID(alice + record.UserID(i)).String()}})
		}
	}
	if _, err := f.db.Collection("kv").InsertMany(t.Context(), documents); err != nil {
		t.Fatal(err)
	}
	_, err := f.store.Source(t.Context(), mongo.SourceOptions{Kinds: record.LanyardKinds})
	var duplicates *mongo.DuplicatesError
	if !errors.As(err, &duplicates) || !duplicates.More || !strings.Contains(err.Error(), "more than 5000") || !strings.Contains(err.Error(), "sweep --dedupe") {
		t.Errorf("%v", err)
	}
	if _, err := f.store.Source(t.Context(), mongo.SourceOptions{Kinds: record.LanyardKinds, Users: []record.UserID{alice}}); err != nil {
		t.Errorf("of one user: %v", err)
	}
}

func TestSomeUsersAreReadByPoints(t *testing.T) {
	t.Parallel()
	onBoth(t, bothServers(t), func(t *testing.T, f *fixture) {
		for _, collection := range []string{"kv", "last_seen"} {
			for i := range record.UserID(30) {
				f.insert(collection, bson.D{{Key: "user_id", Value: (alice + i).String()}, {Key: "timestamp", Value: int64(1700000000000)},
					{Key: "kv", Value: bson.D{{Key: "text", Value: strings.Repeat("x", 1<<10)}}}})
			}
		}
		f.insert("last_seen", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "timestamp", Value: int64(1700000000001)}})
		f.insert("api_keys", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "key", Value: "k"}})
		f.insert("api_keys", bson.D{{Key: "user_id", Value: "7"}, {Key: "key", Value: "k"}})
		f.insert("metrics", bson.D{{Key: "type", Value: "global"}, {Key: "a", Value: 1}})
		var users []record.UserID
		for i := range record.UserID(20) {
			users = append(users, alice+20-i, alice+20-i)
		}
		src := f.source(mongo.SourceOptions{Users: append(users, alice)})
		src.SetPointBytes(5 << 10) // so that a few are read at a time
		if n, err := src.Total(t.Context()); err != nil || n != 21*3 {
			t.Errorf("%d, %v", n, err)
		}
		d := deliver(t, src)
		if want := (record.KeyCounts{Keys: 21 * 3, Lanyard: 21*2 + 1 + 1}); d.seen != want || len(d.items) != 21*2+1 {
			t.Errorf("%+v, %d items", d.seen, len(d.items))
		}
		lines := strings.Join(d.lines(), "\n")
		for _, want := range []string{"api_keys " + alice.String() + ": api_keys/" + alice.String() + " k: " + sharedDetail, "last_seen " + alice.String() + " 1700000000001"} {
			if !strings.Contains(lines, want) {
				t.Errorf("no %q", want)
			}
		}
		parts, err := src.Parts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var rest delivery
		if err := parts[0].Read(t.Context(), (alice + 18).String(), rest.take); err != nil || len(rest.items) != 4 {
			t.Errorf("%d items behind a position: %v", len(rest.items), err)
		}

		var points delivery
		all := f.source(mongo.SourceOptions{})
		if err := all.ReadUsers(t.Context(), record.LanyardKinds, []record.UserID{alice, 5, alice, 7}, points.take); err != nil {
			t.Fatal(err)
		}
		if len(points.items) != 5 || slices.ContainsFunc(points.next, func(next string) bool { return next != "" }) {
			t.Errorf("%d items, positions %q", len(points.items), points.next)
		}
		var of delivery
		if err := src.ReadUsers(t.Context(), record.LanyardKinds, []record.UserID{alice, 7}, of.take); err != nil || len(of.items) != 3 {
			t.Errorf("%d items of a source of other users: %v", len(of.items), err)
		}
	})
}

func TestDatesThatAreNotReadAreTold(t *testing.T) {
	t.Parallel()
	onBoth(t, bothServers(t), func(t *testing.T, f *fixture) {
		if told := f.source(mongo.SourceOptions{}).Remarks(); len(told) > 0 {
			t.Errorf("%q", told)
		}
		f.insert("users", bson.D{{Key: "user_id", Value: alice.String()}, {Key: "since", Value: 1664641326}})
		told := f.source(mongo.SourceOptions{}).Remarks()
		if len(told) != 1 || !strings.Contains(told[0], "the collection users holds about 1 documents") || !strings.Contains(told[0], "lanyardctl sweep") {
			t.Errorf("%q", told)
		}
		if told := f.source(mongo.SourceOptions{Kinds: onlyLastSeen}).Remarks(); len(told) > 0 {
			t.Errorf("where nobody asks for dates: %q", told)
		}
	})
}

func TestAPageHoldsFewLargeDocuments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, guardedServer(t))
	for i := range record.UserID(9) {
		f.insert("kv", bson.D{{Key: "user_id", Value: (alice + i).String()}, {Key: "kv", Value: bson.D{{Key: "text", Value: strings.Repeat("x", 1<<20)}}}})
	}
	if d := deliver(t, f.source(mongo.SourceOptions{})); len(d.next) != 3 || len(d.items) != 9 {
		t.Errorf("%d pages, %d items", len(d.next), len(d.items))
	}
}

// TestHowOddCollectionsAreRead has what a server says of a collection, and then the commands that it is sent.
func TestHowOddCollectionsAreRead(t *testing.T) {
	t.Parallel()
	german := bson.D{{Key: "collation", Value: bson.D{{Key: "locale", Value: "de"}, {Key: "strength", Value: int32(2)}}}}
	for name, c := range map[string]struct {
		kind           string
		options        bson.D
		hinted, simple bool // of the find: it names the index, it compares bytes
		parts, indexes int
	}{
		"plain":                     {"collection", bson.D{}, true, false, 8, 1},
		"with a collation":          {"collection", german, true, false, 1, 1},
		"view":                      {"view", bson.D{{Key: "viewOn", Value: "others"}}, false, true, 1, 0},
		"view that has a collation": {"view", german, false, true, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: collectionAs("last_seen", c.kind, c.options)})
			f := newFixtureOf(t, open(proxy.URI).uri, proxy.URI)
			src := f.source(mongo.SourceOptions{Kinds: onlyLastSeen})
			src.SetLarge(0)
			parts, err := src.Parts(t.Context())
			if err != nil || len(parts) != c.parts {
				t.Fatalf("%d parts, %v", len(parts), err)
			}
			deliver(t, src)
			found := proxy.Commands("find")
			for _, find := range found {
				_, simple := find.Get("collation").(bson.D)
				if hinted := find.Get("hint") != nil; hinted != c.hinted || simple != c.simple {
					t.Errorf("%v", find.Body)
				}
			}
			if n := len(proxy.Commands("listIndexes")); len(found) != c.parts || n != c.indexes {
				t.Errorf("%d finds, %d looks at indexes", len(found), n)
			}
		})
	}
}

// TestOnShardsTheLastDocumentComesAgain has an _id that several shards may have.
func TestOnShardsTheLastDocumentComesAgain(t *testing.T) {
	t.Parallel()
	uri := guardedServer(t)
	proxy := mongoproxy.Start(t, uri, mongoproxy.Options{Version: release, Router: true})
	f := newFixtureOf(t, uri, proxy.URI)
	f.mixedIDs(10)
	src := f.source(mongo.SourceOptions{Kinds: onlyLastSeen})
	parts, err := src.Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var d delivery
	for _, from := range []int{0, 1} {
		position := append([]string{""}, d.next...)[from]
		if err := parts[0].Read(t.Context(), position, d.take); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.items) != 11 {
		t.Errorf("%d items", len(d.items))
	}
}
