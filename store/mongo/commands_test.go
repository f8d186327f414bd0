package mongo_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
)

var update = flag.Bool("update", false, "write the golden file anew")

// commandsFile holds what is sent to MongoDB, a command a line.
const commandsFile = "testdata/commands.golden"

// TestWhatIsSentToMongoDB has each sort of command sent once, and compares their texts with those of commandsFile. The
// server is shown as a MongoDB, and takes every update for carried out, and every delete that FerretDB refuses.
func TestWhatIsSentToMongoDB(t *testing.T) {
	t.Parallel()
	server := ferretdb.Start(t)
	proxy := mongoproxy.Start(t, server.URI, mongoproxy.Options{Version: release, Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
		if updates, ok := c.Get("updates").(bson.A); ok && c.Name == "update" {
			answer := bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: len(updates)}, {Key: "nModified", Value: len(updates)}}
			if (mongoproxy.Command{Body: updates[0].(bson.D)}).Get("upsert") == true {
				answer = append(answer, bson.E{Key: "upserted", Value: bson.A{bson.D{{Key: "index", Value: 0}, {Key: "_id", Value: "new"}}}})
			}
			return answer
		}
		if deletes, ok := c.Get("deletes").(bson.A); ok && guardedByAll(deletes) {
			return bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: len(deletes)}}
		}
		return nil
	}})
	f := newFixtureOf(t, server.URI, proxy.URI)
	const carol, dave = alice + 10, alice + 11
	for _, doc := range []struct {
		collection string
		fields     bson.D
	}{
		{"api_keys", bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: alice.String()}, {Key: "key", Value: "old"}}},
		{"api_keys", bson.D{{Key: "_id", Value: 2}, {Key: "user_id", Value: bob.String()}, {Key: "key", Value: "new"}}},
		{"kv", bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "a", Value: 1}, {Key: "b", Value: "x"}}},
			{Key: "lanyardctl", Value: bson.D{{Key: "digest", Value: "another"}}}}},
		{"last_seen", bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: alice.String()}, {Key: "timestamp", Value: int64(1664641326000)}}},
		{"monitoring", bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: alice.String()}, {Key: "since", Value: 1775185650.0}}},
		{"users", bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: int64(alice)}, {Key: "monitoring_since", Value: 1664641326}}},
		{"metrics", bson.D{{Key: "_id", Value: 1}, {Key: "type", Value: "global"}, {Key: "c", Value: 1}, {Key: "d", Value: "5"}}},
	} {
		f.insert(doc.collection, doc.fields)
	}
	var lines []string
	passed := 0
	section := func(name string) {
		t.Helper()
		lines = append(lines, "# "+name)
		commands := proxy.Commands("")
		for _, c := range commands[passed:] {
			if line := commandText(t, c, f.name); line != "" {
				lines = append(lines, line)
			}
		}
		passed = len(commands)
	}
	// sideBySide is a section of commands in no order.
	sideBySide := func(name string) {
		t.Helper()
		begin := len(lines) + 1
		section(name)
		slices.Sort(lines[begin:])
	}
	ctx := context.Background()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	section("open")

	sink, err := f.store.Sink(ctx, mongo.SinkOptions{Kinds: record.LanyardKinds, Policy: record.PreferSource, Now: func() time.Time { return storetest.Now }})
	must(err)
	keep := (&keeper{}).keep
	must(sink.Begin(ctx, keep))
	section("a sink for collections that hold documents")
	counters := map[string]record.Field{"c": {Value: int64(7)}, "d": {Value: 9.5}, "e": {Value: int64(1)}}
	for _, batch := range [][]record.Record{
		{{Kind: record.APIKeys, User: carol, APIKey: "lnyd_1"}, {Kind: record.APIKeys, User: alice, APIKey: "new"}},
		{kv(carol, values{"a": "b"}), kv(alice, values{"a": "b", "n": int64(1)})},
		{{Kind: record.LastSeen, User: carol, Time: 1775185650417}, {Kind: record.LastSeen, User: alice, Time: 1775185650417}},
		{{Kind: record.MonitoringSince, User: carol, Time: 1664641326}, {Kind: record.MonitoringSince, User: alice, Time: 1664641326}},
		{{Kind: record.Metrics, Fields: counters}},
	} {
		f.write(sink, &keeper{}, batch...)
		section("write " + batch[0].Kind.String())
	}
	must(sink.Finish(ctx, keep))
	section("finish")

	mirror, err := f.store.Sink(ctx, mongo.SinkOptions{Kinds: record.LanyardKinds, Mirror: true, Now: func() time.Time { return storetest.Now }})
	must(err)
	section("a sink for a mirror")
	for _, batch := range [][]record.Record{
		{{Kind: record.APIKeys, User: alice, APIKey: "old"}},
		{kv(alice, values{"a": int64(1), "b": "x"})},
		{{Kind: record.LastSeen, User: dave, Time: 1775185650417}, {Kind: record.LastSeen, User: alice, Time: 1664641326000}},
		{{Kind: record.LastSeen, User: dave, Time: 1775185650416}},
		{{Kind: record.MonitoringSince, User: dave, Time: 1664641326}, {Kind: record.MonitoringSince, User: alice, Time: 1775185650}},
	} {
		f.write(mirror, &keeper{}, batch...)
		section("mirror " + batch[0].Kind.String())
	}
	_, err = f.store.APIKeyOwners(ctx, []string{"old", "unknown"})
	must(err)
	section("the users of API keys")

	for _, h := range []*mongo.Reader{f.store.Reader(mongo.ReaderOptions{}), f.store.Reader(mongo.ReaderOptions{Users: []record.UserID{alice}})} {
		for _, kind := range record.LanyardKinds.List() {
			must(h.Read(ctx, kind, func([]record.Document) error { return nil }))
			_, err := h.Count(ctx, kind)
			must(err)
		}
		section("read back and count")
	}

	for _, o := range []mongo.SourceOptions{{Kinds: record.LanyardKinds}, {Kinds: record.LanyardKinds, Users: []record.UserID{alice}}} {
		src := f.source(o)
		sideBySide("a source")
		parts, err := src.Parts(ctx)
		must(err)
		for _, p := range parts {
			must(p.Read(ctx, "", (&delivery{}).take))
		}
		must(src.Deferred(ctx, (&delivery{}).take))
		section("read a source")
	}
	src := f.source(mongo.SourceOptions{Kinds: onlyLastSeen})
	section("a source of one kind")
	src.SetLarge(0)
	parts, err := src.Parts(ctx)
	must(err)
	for i, position := range []string{"", "", "AgMAAAA3NwA"} { // the text "77"
		must(parts[3*i].Read(ctx, position, (&delivery{}).take))
	}
	section("read ranges, the last behind a position")

	d := f.store.Documents()
	for _, c := range record.UserCollections {
		must(d.Outline(ctx, c, func([]record.Document) error { return nil }))
	}
	section("outlines")
	const c = record.UsersCollection
	before := encoded(t, bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: int64(alice)}, {Key: "monitoring_since", Value: 1664641326}})
	id := stringID(t, bson.D{{Key: "_id", Value: 1}})
	_, err = d.Whole(ctx, c, []string{id, stringID(t, bson.D{{Key: "_id", Value: "x"}})}, record.DefaultMaxDocument)
	must(err)
	_, err = d.Apply(ctx, []record.Step{
		{Collection: c, ID: id, Before: before, After: encoded(t, bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: alice.String()}, {Key: "monitoring_since", Value: 1664641326}})},
		{Collection: c, ID: stringID(t, bson.D{{Key: "_id", Value: "7"}}), After: encoded(t, bson.D{{Key: "_id", Value: "7"}, {Key: "user_id", Value: "7"}})},
	})
	must(err)
	section("steps")

	of := f.store.PersistenceAt(storetest.Now)
	for _, kind := range record.LanyardKinds.List() {
		_, err := of.Entries(ctx, kind, alice)
		must(err)
	}
	_, err = of.KeyOwners(ctx, "new")
	must(err)
	section("entries")
	for _, user := range []record.UserID{alice, dave} {
		_, err := of.UpdatePairs(ctx, record.Fork, user, func(record.Entry) (record.PairChange, error) {
			return record.PairChange{Set: values{"b": "y"}, Unset: []string{"a"}}, nil
		})
		must(err)
	}
	section("change pairs")
	f.insert("api_keys", bson.D{{Key: "_id", Value: 3}, {Key: "user_id", Value: int64(alice)}, {Key: "key", Value: "numeric"}})
	for _, user := range []record.UserID{alice, dave} {
		_, err := of.GiveAPIKey(ctx, record.Fork, user, "given")
		must(err)
	}
	must(of.RevokeAPIKeys(ctx, alice, nil, false))
	section("give and revoke an API key")
	count := func(record.Entry, []byte) (map[string]record.Value, []byte, error) {
		return values{"c": int64(8), "r": 1.5}, []byte("note"), nil
	}
	for _, change := range []bson.D{{{Key: "$set", Value: bson.D{{Key: "d", Value: 5}}}}, {{Key: "$set", Value: bson.D{{Key: "type", Value: "other"}}}}} {
		_, err := f.db.Collection("metrics").UpdateOne(ctx, bson.D{{Key: "_id", Value: 1}}, change)
		must(err)
		must(of.UpdateCounters(ctx, count))
	}
	section("change counters")

	text, tags := record.Field{Value: "x"}, record.Field{Value: record.Set{Type: record.TextSetType, Members: record.Array{"a"}}}
	stands := storetest.Item(record.BotData, values{"key": "stands", "value": "x"})
	f.insert("botdata", bson.D{{Key: "_id", Value: "stands"}, {Key: "key", Value: "stands"}, {Key: "value", Value: "theirs"}, {Key: "old", Value: 1}})
	tables := record.Kinds(0).With(record.BotData)
	sink, err = f.store.Sink(ctx, mongo.SinkOptions{Kinds: tables, Policy: record.PreferSource, Now: func() time.Time { return storetest.Now }})
	must(err)
	must(sink.Begin(ctx, keep))
	section("a sink for a table")
	f.write(sink, &keeper{}, record.Record{Kind: record.BotData, Name: record.NameOf("new"), Fields: map[string]record.Field{"key": text, "tags": tags}}, stands)
	must(sink.Finish(ctx, keep))
	section("write items")
	h := f.store.Reader(mongo.ReaderOptions{})
	must(h.ReadDigests(ctx, record.BotData, storetest.Now, func([]record.DocumentDigest) error { return nil }))
	_, err = h.Count(ctx, record.BotData)
	must(err)
	section("read items back and count")
	src = f.source(mongo.SourceOptions{Kinds: tables})
	parts, err = src.Parts(ctx)
	must(err)
	must(parts[0].Read(ctx, "", (&delivery{}).take))
	section("a source of a table")
	_, err = f.store.Items().Item(ctx, record.BotData, values{"key": "stands"})
	must(err)
	must(f.store.Items().Partition(ctx, record.Remember, int64(7), func([]record.Record) error { return nil }))
	section("find items")

	j := f.store.Journal()
	owner := record.Owner{Host: "h", PID: 1, Run: "r"}
	change := record.Change{Sweep: "s", Seq: 1, User: dave, Collection: c, Action: record.ActionCreated, To: 5, Steps: []record.Step{{Collection: c, ID: id, After: before}}}
	must(j.Append(ctx, []record.Change{change}))
	must(j.Amend(ctx, []record.Change{change, {Sweep: "s", Seq: 2}}))
	must(j.Changes(ctx, "s", func([]record.Change) error { return nil }))
	must(j.List(ctx, "s", func([]record.Change) error { return nil }))
	must(j.SaveSweep(ctx, record.Sweep{ID: "s", State: record.SweepRunning, Owner: owner, StartedAt: storetest.Now}))
	_, err = j.Sweeps(ctx)
	must(err)
	section("journal")

	p := f.store.Checkpoints()
	_, err = p.Save(ctx, record.Checkpoint{ID: "c", Scope: "s", Owner: owner, Heartbeat: storetest.Now}, owner)
	must(err)
	_, err = p.Find(ctx, "s")
	must(err)
	_, err = p.Target(ctx)
	must(err)
	must(p.Remove(ctx, "c"))
	section("checkpoints")

	got := strings.Join(lines, "\n") + "\n"
	if *update {
		must(os.WriteFile(commandsFile, []byte(got), 0o666))
	}
	want, err := os.ReadFile(commandsFile)
	must(err)
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("%s differs (go test -update writes it anew; -want +got):\n%s", commandsFile, d)
	}
}

// guardedByAll reports whether the deletes are guarded by all that their documents held, which FerretDB refuses.
func guardedByAll(deletes bson.A) bool {
	q, _ := mongoproxy.Command{Body: deletes[0].(bson.D)}.Get("q").(bson.D)
	return mongoproxy.Command{Body: q}.Get("$expr") != nil
}

// commandText returns a command as text, without what differs from run to run. It returns nothing for the driver's own
// commands.
func commandText(t *testing.T, c mongoproxy.Command, database string) string {
	t.Helper()
	if slices.Contains([]string{"hello", "isMaster", "ping", "endSessions", "killCursors"}, c.Name) {
		return ""
	}
	body := slices.DeleteFunc(slices.Clone(c.Body), func(e bson.E) bool {
		return slices.Contains([]string{"lsid", "txnNumber", "$db", "$clusterTime"}, e.Key)
	})
	for i, e := range body {
		switch e.Key {
		case "maxTimeMS": // what is left of the time that a command may take
			body[i].Value = "…"
		case "getMore":
			body[i].Value = "a cursor"
		}
	}
	sortLists(body)
	text, err := bson.MarshalExtJSON(body, false, false)
	if err != nil {
		t.Fatal(err)
	}
	line := anyChange.ReplaceAllString(fmt.Sprintf("%s %s", c.Database, text), `"change":"…"`)
	return strings.ReplaceAll(line, database, "db")
}

var anyChange = regexp.MustCompile(`"change":\{"\$oid":"[0-9a-f]+"\}`)

// sortLists sorts the lists after $in, which are in no order.
func sortLists(v any) {
	switch v := v.(type) {
	case bson.D:
		for _, e := range v {
			if list, ok := e.Value.(bson.A); ok && e.Key == "$in" {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			}
			sortLists(e.Value)
		}
	case bson.A:
		for _, e := range v {
			sortLists(e)
		}
	}
}
