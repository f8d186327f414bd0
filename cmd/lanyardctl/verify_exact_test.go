package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// verified is what a verification answered.
type verified struct {
	Kinds map[string]struct {
		Source, Target, Missing, Different, Extra, Rejected, Agreeing, Ahead, Mistyped int64
	}
	Differences []struct {
		Kind   string
		UserID *string `json:"user_id"`
		Field  *string
		Type   string
	}
	Total   int64 `json:"differences_total"`
	Reasons map[string]int64
	OK      bool
}

func verifyWorld(t testing.TB, source string, target *mongoserver.Database, wantExit int, args ...string) verified {
	t.Helper()
	var v verified
	runForJSON(t, target, &v, wantExit, append([]string{"verify", "--redis", source, "--recheck", "0"}, args...)...)
	for kind, c := range v.Kinds {
		if c.Source != c.Rejected+c.Missing+c.Different+c.Agreeing || c.Target != c.Extra+c.Different+c.Agreeing {
			t.Errorf("%s: the columns do not add up: %+v", kind, c)
		}
	}
	if v.OK != (wantExit == 0) {
		t.Errorf("ok is %v at exit status %d", v.OK, wantExit)
	}
	return v
}

// lines returns the differences as text, in order.
func (v verified) lines() []string {
	text := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	list := []string{}
	for _, d := range v.Differences {
		list = append(list, fmt.Sprintf("%s %s %s %s", d.Type, d.Kind, text(d.UserID), text(d.Field)))
	}
	slices.Sort(list)
	return list
}

// saved saves the server's data and returns the file as a source.
func saved(t testing.TB, uri string) string {
	t.Helper()
	ctx := context.Background()
	opts, err := goredis.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	if err := client.Save(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	var at [2]string
	for i, parameter := range []string{"dir", "dbfilename"} {
		answer, err := client.ConfigGet(ctx, parameter).Result()
		if err != nil {
			t.Fatal(err)
		}
		at[i] = answer[parameter]
	}
	return "rdb:" + filepath.Join(at[0], at[1])
}

// database is a target that somebody else writes to.
type database struct {
	t  testing.TB
	db *mongo.Database
}

// replace puts another document in place of the one with the _id, or deletes it where the other is nil.
func (d database) replace(collection string, document, other bson.M) {
	d.t.Helper()
	ctx, c := context.Background(), d.db.Collection(collection)
	if document != nil {
		if _, err := c.DeleteOne(ctx, bson.M{"_id": document["_id"]}); err != nil {
			d.t.Fatal(err)
		}
	}
	if other != nil {
		if _, err := c.InsertOne(ctx, other); err != nil {
			d.t.Fatal(err)
		}
	}
}

// any returns the first document that fits, in the order of ids.
func (d database) any(collection string, fits func(bson.M) bool) bson.M {
	d.t.Helper()
	cursor, err := d.db.Collection(collection).Find(context.Background(), bson.M{}, options.Find().SetSort(bson.M{"_id": 1}).SetLimit(100))
	if err != nil {
		d.t.Fatal(err)
	}
	var all []bson.M
	if err := cursor.All(context.Background(), &all); err != nil {
		d.t.Fatal(err)
	}
	i := slices.IndexFunc(all, fits)
	if i < 0 {
		d.t.Fatalf("no document of %s fits", collection)
	}
	return all[i]
}

func With(document bson.M, changes bson.M) bson.M {
	changed := bson.M{}
	for _, m := range []bson.M{document, changes} {
		for name, v := range m {
			changed[name] = v
		}
	}
	return changed
}

// pairsOf returns a document's key-value pairs.
func pairsOf(document bson.M) bson.M {
	pairs := bson.M{}
	for _, e := range document["kv"].(bson.D) {
		pairs[e.Key] = e.Value
	}
	return pairs
}

// meddling is one change that somebody makes to the target, and what has to be found.
type meddling struct {
	name  string
	args  []string // of verify
	make  func(d database) []string
	exit  int // of verify, where nothing is rejected
	mends int // exit status of the next migration
}

const unknownUser = "222222222222222222"

var meddlings = []meddling{
	{name: "a document is deleted", exit: exit.Differences, make: func(d database) []string {
		doc := d.any("monitoring", func(bson.M) bool { return true })
		d.replace("monitoring", doc, nil)
		return []string{"missing monitoring_since " + doc["user_id"].(string) + " -"}
	}},
	{name: "a key-value pair is changed", exit: exit.Differences, mends: exit.Rejects, make: func(d database) []string {
		doc := d.any("kv", func(doc bson.M) bool { _, ok := pairsOf(doc)["number"]; return ok })
		d.replace("kv", doc, With(doc, bson.M{"kv": With(pairsOf(doc), bson.M{"number": "changed"})}))
		return []string{"different kv " + doc["user_id"].(string) + " number"}
	}},
	{name: "a field is removed", exit: exit.Differences, make: func(d database) []string {
		doc := d.any("kv", func(doc bson.M) bool { _, ok := pairsOf(doc)["raw"]; return ok && len(pairsOf(doc)) > 1 })
		pairs := pairsOf(doc)
		delete(pairs, "raw")
		d.replace("kv", doc, With(doc, bson.M{"kv": pairs}))
		return []string{"missing kv " + doc["user_id"].(string) + " raw"}
	}},
	{name: "a last-seen time is set back", exit: exit.Differences, make: func(d database) []string {
		doc := d.any("last_seen", func(bson.M) bool { return true })
		d.replace("last_seen", doc, With(doc, bson.M{"timestamp": doc["timestamp"].(int64) - 1}))
		return []string{"different last_seen " + doc["user_id"].(string) + " timestamp"}
	}},
	{name: "a last-seen time is ahead", make: func(d database) []string {
		doc := d.any("last_seen", func(bson.M) bool { return true })
		d.replace("last_seen", doc, With(doc, bson.M{"timestamp": doc["timestamp"].(int64) + 1}))
		return []string{}
	}},
	{name: "a monitoring date is removed from its document", exit: exit.Differences, make: func(d database) []string {
		doc := d.any("monitoring", func(bson.M) bool { return true })
		d.replace("monitoring", doc, bson.M{"_id": doc["_id"], "user_id": doc["user_id"]})
		return []string{"missing monitoring_since " + doc["user_id"].(string) + " since"}
	}},
	{name: "a counter is set back", exit: exit.Differences, make: func(d database) []string {
		doc := d.any("metrics", func(bson.M) bool { return true })
		d.replace("metrics", doc, With(doc, bson.M{"lanyard_messages_inbound": int32(3)}))
		return []string{"different metrics - lanyard_messages_inbound"}
	}},
	{name: "an API key is exchanged", exit: exit.Differences, mends: exit.Rejects, make: func(d database) []string {
		doc := d.any("api_keys", func(bson.M) bool { return true })
		d.replace("api_keys", doc, With(doc, bson.M{"key": "lnyd_00000000000000000000000000000000"}))
		return []string{"different api_keys " + doc["user_id"].(string) + " key"}
	}},
	{name: "a document of an unknown user is fine", make: func(d database) []string {
		d.replace("last_seen", nil, bson.M{"user_id": unknownUser, "timestamp": int64(1_700_000_000_000)})
		return []string{}
	}},
	{name: "but not exact", args: []string{"--exact", "--only", "last_seen", "--user", unknownUser, "--allow-empty"}, exit: exit.Differences, make: func(database) []string {
		return []string{"extra last_seen " + unknownUser + " -"}
	}},
	{name: "an API key of an unknown user", exit: exit.Differences, make: func(d database) []string {
		d.replace("api_keys", nil, bson.M{"_id": unknownUser, "user_id": unknownUser, "key": "lnyd_11111111111111111111111111111111"})
		return []string{"extra api_keys " + unknownUser + " -"}
	}},
	{name: "which somebody deletes", make: func(d database) []string {
		d.replace("api_keys", bson.M{"_id": unknownUser}, nil)
		return []string{}
	}},
	{name: "types change, but not the meaning", make: func(d database) []string {
		seen := d.any("last_seen", func(bson.M) bool { return true })
		d.replace("last_seen", seen, With(seen, bson.M{"timestamp": bson.DateTime(seen["timestamp"].(int64))}))
		since := d.any("monitoring", func(bson.M) bool { return true })
		d.replace("monitoring", since, With(since, bson.M{"since": float64(since["since"].(int64))}))
		kv := d.any("kv", func(doc bson.M) bool { n, ok := pairsOf(doc)["number"]; return ok && n == int64(7) })
		d.replace("kv", kv, With(kv, bson.M{"kv": With(pairsOf(kv), bson.M{"number": 7.0})}))
		return []string{}
	}},
}

// TestVerifyTellsWhatIsMissing meddles with a migrated database in many ways, one after the other. Each is found, is
// mended by the next migration, and is not found any more. LANYARDCTL_TEST_USERS sets the number of users.
func TestVerifyTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	for _, bad := range []bool{true, false} {
		t.Run(map[bool]string{true: "with every reject", false: "without bad rows"}[bad], func(t *testing.T) {
			t.Parallel()
			redis, target := redisserver.Start(t), mongoserver.New(t)
			w := newWorld(t, redis.URI, usersOfWorld(t), bad, target.Limits)
			exit := func(code int) int {
				if code == 0 && bad {
					return exit.Rejects
				}
				return code
			}
			migrateWorld(t, redis.URI, target, exit(0))
			v := verifyWorld(t, redis.URI, target, exit(0), "--exact")
			if v.Total != 0 {
				t.Fatalf("after a migration: %v", v.lines())
			}
			var rejects, reasons int
			for _, n := range w.rejects {
				rejects += n
			}
			for _, n := range v.Reasons {
				reasons += int(n)
			}
			if rejects != reasons {
				t.Errorf("%d values are rejected, verify says %d: %v", rejects, reasons, v.Reasons)
			}
			file := verifyWorld(t, saved(t, redis.URI), target, exit(0), "--exact")
			if d := cmp.Diff(v, file); d != "" {
				t.Errorf("-live +file:\n%s", d)
			}
			if bad {
				return
			}
			d := database{t, target.Connect(t)}
			for _, m := range meddlings {
				want := m.make(d)
				v := verifyWorld(t, redis.URI, target, m.exit, m.args...)
				if diff := cmp.Diff(want, v.lines()); diff != "" {
					t.Errorf("%s (-made +found):\n%s", m.name, diff)
				}
				migrateWorld(t, redis.URI, target, m.mends)
				if m.mends != 0 {
					migrateWorld(t, redis.URI, target, 0, "--on-conflict", "source")
				}
			}
			if v := verifyWorld(t, redis.URI, target, 0); v.Total != 0 {
				t.Errorf("after the last mending: %v", v.lines())
			}
		})
	}
}

// TestAFileMigratesLikeItsServer migrates a server and the file that it saved, each to a database of its own.
func TestAFileMigratesLikeItsServer(t *testing.T) {
	t.Parallel()
	redis, fromLive, fromFile := redisserver.Start(t), mongoserver.New(t), mongoserver.New(t)
	newWorld(t, redis.URI, usersOfWorld(t), true, fromLive.Limits)
	file := saved(t, redis.URI)
	live, rdb := migrateWorld(t, redis.URI, fromLive, exit.Rejects), migrateWorld(t, file, fromFile, exit.Rejects)
	if d := cmp.Diff(readRejects(t, live.RejectsFile), readRejects(t, rdb.RejectsFile)); d != "" {
		t.Errorf("rejects (-live +file):\n%s", shortened(d))
	}
	live.RejectsFile, rdb.RejectsFile = "", ""
	if d := cmp.Diff(live, rdb); d != "" {
		t.Errorf("reports (-live +file):\n%s", shortened(d))
	}
	a, b := dump(t, fromLive), dump(t, fromFile)
	for _, all := range []map[string]map[string]any{a, b} {
		for collection, documents := range all {
			for id, doc := range documents {
				all[collection][id] = plainDocument(t, collection, id, doc.(map[string]any))
			}
		}
	}
	if d := cmp.Diff(a, b); d != "" {
		t.Errorf("databases (-live +file):\n%s", shortened(d))
	}
	verifyWorld(t, redis.URI, fromFile, exit.Rejects, "--exact")
	verifyWorld(t, file, fromLive, exit.Rejects, "--exact")
}
