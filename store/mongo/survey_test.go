package mongo_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// surveyed are the ways in which a database is surveyed.
func surveyed(t *testing.T, test func(t *testing.T, f *fixture)) {
	t.Parallel()
	uri := mongoserver.URI(t)
	asMongo := asMongoDB(t)
	t.Run("as it is", func(t *testing.T) { test(t, newFixture(t, uri)) })
	t.Run("as MongoDB", func(t *testing.T) { test(t, asMongo(t)) })
}

func (f *fixture) survey(within time.Duration) record.Survey {
	f.t.Helper()
	found, err := f.store.Survey(context.Background(), record.SurveyOptions{Within: within, Now: storetest.Now})
	if err != nil {
		f.t.Fatal(err)
	}
	return found
}

// another returns another database, which is reached in the same way.
func (f *fixture) another(t *testing.T) *fixture {
	one := newFixtureOf(t, f.uri, f.storeURI)
	if f.storeURI != f.uri {
		one.store.AsMongoDB()
	}
	return one
}

// index makes an index as somebody else would.
func (f *fixture) index(collection string, opts *options.IndexOptionsBuilder, fields ...string) {
	f.t.Helper()
	var keys bson.D
	for _, field := range fields {
		keys = append(keys, bson.E{Key: field, Value: 1})
	}
	if _, err := f.db.Collection(collection).Indexes().CreateOne(context.Background(), driver.IndexModel{Keys: keys, Options: opts}); err != nil {
		f.t.Fatal(err)
	}
}

// uniqueIndexes makes those that lanyardctl makes, but for the collections that are named.
func (f *fixture) uniqueIndexes(but ...string) {
	f.t.Helper()
	for _, c := range []string{"kv", "last_seen", "monitoring", "api_keys"} {
		if !strings.Contains(strings.Join(but, " "), c) {
			f.index(c, options.Index().SetUnique(true), "user_id")
		}
	}
	if !strings.Contains(strings.Join(but, " "), "api_keys") {
		f.index("api_keys", options.Index().SetUnique(true), "key")
	}
}

const (
	aliceID = "94490510688792576"
	bobID   = "94490510688792577"
	carolID = "94490510688792578"
)

// good fills the database with what nothing is wrong with.
func (f *fixture) good() {
	for i, user := range []string{aliceID, bobID} {
		f.insert("kv", bson.D{{Key: "user_id", Value: user}, {Key: "kv", Value: bson.D{{Key: "a", Value: "b"}}}})
		f.insert("last_seen", bson.D{{Key: "user_id", Value: user}, {Key: "timestamp", Value: int64(1700000000000)}})
		f.insert("monitoring", bson.D{{Key: "user_id", Value: user}, {Key: "since", Value: int32(1700000000)}})
		f.insert("api_keys", bson.D{{Key: "user_id", Value: user}, {Key: "key", Value: fmt.Sprintf("lnyd_%032d", i)}})
	}
	f.insert("metrics", bson.D{{Key: "type", Value: "global"}, {Key: "lanyard_2xx_responses", Value: 12.5}, {Key: "updated_at", Value: storetest.Now}})
}

func TestASurveyFindsNothingWrongWhereNothingIs(t *testing.T) {
	surveyed(t, func(t *testing.T, f *fixture) {
		if s := f.survey(time.Minute); len(s.Faults) > 0 || len(s.Unchecked) > 0 {
			t.Errorf("of an empty database: %+v", s)
		}
		f.good()
		f.uniqueIndexes()
		for name, within := range map[string]time.Duration{"estimated": time.Minute, "exact": 0} {
			s := f.survey(within)
			if len(s.Faults) > 0 || len(s.Unchecked) > 0 {
				t.Errorf("%s: %+v", name, s)
			}
			want := []record.PlaceCount{
				{Place: "monitoring", Kind: record.MonitoringSince, Count: 2, Estimated: within > 0},
				{Place: "kv", Kind: record.KV, Count: 2, Estimated: within > 0},
				{Place: "last_seen", Kind: record.LastSeen, Count: 2, Estimated: within > 0},
				{Place: "api_keys", Kind: record.APIKeys, Count: 2, Estimated: within > 0},
				{Place: "metrics", Kind: record.Metrics, Count: 1},
			}
			if d := cmp.Diff(want, s.Counts); d != "" {
				t.Errorf("%s: the counts (-want +got):\n%s", name, d)
			}
		}
		s := f.survey(0)
		if len(s.Servers) != 1 || s.Servers[0].Name != f.store.Info().Server || s.Servers[0].Addr == "" || s.Servers[0].Ping <= 0 {
			t.Errorf("%+v", s.Servers)
		}
	})
}

func TestASurveyNamesEachFault(t *testing.T) {
	old := bson.D{{Key: "_id", Value: "RUN"}, {Key: "heartbeat", Value: storetest.Now.Add(-time.Minute)}}
	living := bson.D{{Key: "_id", Value: "RUN"}, {Key: "heartbeat", Value: storetest.Now.Add(-time.Second)}}
	date := func(user any, field string, v any) bson.D {
		return bson.D{{Key: "user_id", Value: user}, {Key: field, Value: v}}
	}
	at := time.UnixMilli(1700000000000)
	const key = "lnyd_ffffffffffffffffffffffffffffffff"
	global := func(id any, fields ...bson.E) bson.D {
		return append(bson.D{{Key: "_id", Value: id}, {Key: "type", Value: "global"}}, fields...)
	}
	type plant struct {
		collection string
		documents  []bson.D
	}
	cases := map[string]struct {
		without string // the collection without unique indexes
		index   string // a field with an index that is not unique
		plant   plant
		want    []record.Fault
	}{
		"a missing index":       {without: "kv", want: []record.Fault{{Code: record.MissingIndex, Place: "kv", Field: "user_id"}}},
		"two missing indexes":   {without: "api_keys", want: []record.Fault{{Code: record.MissingIndex, Place: "api_keys", Field: "user_id"}, {Code: record.MissingIndex, Place: "api_keys", Field: "key"}}},
		"an index in the way":   {without: "kv", index: "user_id", want: []record.Fault{{Code: record.UnfitIndex, Place: "kv", Field: "user_id", Detail: "user_id_1"}}},
		"a user with documents": {without: "kv", plant: plant{"kv", []bson.D{date(aliceID, "kv", bson.D{})}}, want: []record.Fault{{Code: record.MissingIndex, Place: "kv", Field: "user_id"}, {Code: record.DuplicateUsers, Place: "kv", Field: "user_id", Count: 1, Users: []string{aliceID}}}},
		"three of one user": {without: "last_seen", plant: plant{"last_seen", []bson.D{date(bobID, "timestamp", int64(1)), date(bobID, "timestamp", int64(2))}},
			want: []record.Fault{{Code: record.MissingIndex, Place: "last_seen", Field: "user_id"}, {Code: record.DuplicateUsers, Place: "last_seen", Field: "user_id", Count: 1, Users: []string{bobID}}}},
		"nobody's documents": {without: "kv", plant: plant{"kv", []bson.D{{{Key: "kv", Value: bson.D{}}}, date(nil, "kv", bson.D{}), date("x", "kv", bson.D{}), date("x", "kv", bson.D{})}},
			want: []record.Fault{{Code: record.MissingIndex, Place: "kv", Field: "user_id"}, {Code: record.NobodysDocuments, Place: "kv", Field: "user_id", Count: 2, Users: []string{`"x"`, "null"}}}},
		"an API key of two users": {without: "api_keys", plant: plant{"api_keys", []bson.D{date(carolID, "key", key), date("94490510688792579", "key", key)}},
			want: []record.Fault{{Code: record.MissingIndex, Place: "api_keys", Field: "user_id"}, {Code: record.MissingIndex, Place: "api_keys", Field: "key"},
				{Code: record.SharedAPIKey, Place: "api_keys", Field: "key", Count: 1, Users: []string{"94490510688792579"}}}},
		"numeric ids": {plant: plant{"kv", []bson.D{date(int64(94490510688792579), "kv", bson.D{}), date(7.0, "kv", bson.D{})}},
			want: []record.Fault{{Code: record.NumericUsers, Place: "kv", Field: "user_id", Count: 2, Users: []string{"7", "94490510688792579"}}}},
		"times that are none": {plant: plant{"last_seen", []bson.D{date(carolID, "timestamp", "1700000000000"), date("1", "timestamp", 1.7e12), date("2", "timestamp", at), date("3", "timestamp", nil), date("4", "other", "x")}},
			want: []record.Fault{{Code: record.UnreadableTime, Place: "last_seen", Field: "timestamp", Count: 3, Users: []string{"1", "2", carolID}}}},
		"milliseconds in place of seconds": {plant: plant{"monitoring", []bson.D{date(carolID, "since", int64(1700000000000)), date("1", "monitoring_since", "2022-01-01")}},
			want: []record.Fault{{Code: record.UnreadableTime, Place: "monitoring", Field: "since", Count: 2, Users: []string{"1", carolID}}}},
		"a fork's field that the app does not reach": {plant: plant{"monitoring", []bson.D{{{Key: "user_id", Value: carolID}, {Key: "since", Value: int64(1)}, {Key: "monitoring_since", Value: "x"}}}}},
		"users that the app reads":                   {plant: plant{"users", []bson.D{date(carolID, "since", at)}}, want: []record.Fault{{Code: record.UnreadableTime, Place: "users", Field: "since", Count: 1, Users: []string{carolID}}}},
		"a number that the app does not read":        {plant: plant{"users", []bson.D{date(int64(94490510688792576), "since", int64(1))}}},
		"users that the app does not read":           {plant: plant{"users", []bson.D{date(aliceID, "since", at)}}},
		"pairs that are none": {plant: plant{"kv", []bson.D{date(carolID, "kv", "x"), date("1", "kv", bson.A{bson.D{}}), date("2", "kv", nil)}},
			want: []record.Fault{{Code: record.UnreadablePairs, Place: "kv", Field: "kv", Count: 2, Users: []string{"1", carolID}}}},
		"several counters": {plant: plant{"metrics", []bson.D{global("new", bson.E{Key: "updated_at", Value: storetest.Now.Add(time.Hour)}), global("old")}},
			want: []record.Fault{{Code: record.SeveralCounters, Place: "metrics", Count: 3, Detail: `"new"`}}},
		"counters that are none": {plant: plant{"metrics", []bson.D{global("new", bson.E{Key: "updated_at", Value: storetest.Now.Add(time.Hour)}, bson.E{Key: "a", Value: "12"}, bson.E{Key: "b", Value: int32(-1)})}},
			want: []record.Fault{{Code: record.SeveralCounters, Place: "metrics", Count: 2, Detail: `"new"`}, {Code: record.UnreadableCount, Place: "metrics", Field: "a", Count: 2, Detail: `{"a":"","b":""}`}}},
		"a run that ended": {plant: plant{mongo.CheckpointCollection, []bson.D{old}}, want: []record.Fault{{Code: record.InterruptedRun, Place: mongo.CheckpointCollection, Count: 1, Detail: "RUN"}}},
		"a run that lives": {plant: plant{mongo.CheckpointCollection, []bson.D{living}}},
	}
	surveyed(t, func(t *testing.T, f *fixture) {
		for name, c := range cases {
			t.Run(name, func(t *testing.T) {
				one := f.another(t)
				one.good()
				one.uniqueIndexes(c.without)
				if c.index != "" {
					one.index(c.without, options.Index(), c.index)
				}
				for _, doc := range c.plant.documents {
					one.insert(c.plant.collection, doc)
				}
				for _, within := range []time.Duration{time.Minute, 0} {
					s := one.survey(within)
					if d := cmp.Diff(c.want, s.Faults, cmpopts.EquateEmpty()); d != "" {
						t.Errorf("within %s, the faults (-want +got):\n%s", within, d)
					}
					if strings.Contains(fmt.Sprintf("%+v", s), "ffffff") {
						t.Errorf("it shows an API key: %+v", s)
					}
				}
			})
		}
	})
}

func TestASurveyEndsInTime(t *testing.T) {
	surveyed(t, func(t *testing.T, f *fixture) {
		f.good()
		s := f.survey(time.Nanosecond)
		if len(s.Unchecked) != 4 || !strings.Contains(s.Unchecked[0], "API keys in several documents") {
			t.Errorf("%q", s.Unchecked)
		}
		for _, c := range s.Counts {
			if c.Count == 0 {
				t.Errorf("%+v", c)
			}
		}
	})
}

// TestASurveyShowsTheMembersOfASet has the proxy answer as MongoDB does.
func TestASurveyShowsTheMembersOfASet(t *testing.T) {
	t.Parallel()
	behind := storetest.Now.Add(-7 * time.Second)
	member := func(name, state string, health float64, at time.Time, self bool) bson.D {
		return bson.D{{Key: "name", Value: name}, {Key: "stateStr", Value: state}, {Key: "health", Value: health}, {Key: "optimeDate", Value: at}, {Key: "self", Value: self}}
	}
	var refuses bool
	proxy, open, dead := shownAs(t, mongoproxy.Options{Set: "rs0", Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
		switch c.Name {
		case "serverStatus":
			return bson.D{{Key: "storageEngine", Value: bson.D{{Key: "name", Value: "wiredTiger"}, {Key: "persistent", Value: true}}}, {Key: "ok", Value: 1.0}}
		case "replSetGetStatus":
			if refuses {
				return bson.D{{Key: "ok", Value: 0.0}, {Key: "code", Value: int32(13)}, {Key: "codeName", Value: "Unauthorized"}, {Key: "errmsg", Value: "not authorized"}}
			}
			return bson.D{{Key: "members", Value: bson.A{
				member("a:1", "PRIMARY", 1, storetest.Now, true), member("b:1", "SECONDARY", 1, behind, false),
				member("c:1", "ARBITER", 1, time.Time{}, false), member("d:1", "(not reachable/healthy)", 0, time.Time{}, false),
			}}, {Key: "ok", Value: 1.0}}
		}
		return nil
	}})
	f := open(proxy.URI)
	s := f.survey(0)
	want := []record.Server{
		{Name: "MongoDB", Version: release, Addr: "a:1", Role: "primary", Part: "replica set rs0", Lag: 7 * time.Second, HasLag: true, Keeps: "journal"},
		{Name: "MongoDB", Addr: "b:1", Role: "secondary", Part: "replica set rs0", Lag: 7 * time.Second, HasLag: true},
		{Name: "MongoDB", Addr: "c:1", Role: "arbiter", Part: "replica set rs0"},
	}
	if d := cmp.Diff(want, s.Servers, cmpopts.IgnoreFields(record.Server{}, "Ping")); d != "" {
		t.Errorf("the servers (-want +got):\n%s", d)
	}
	if len(s.Faults) != 1 || s.Faults[0].Code != record.MemberDown || !strings.Contains(s.Faults[0].Detail, "d:1") {
		t.Errorf("%+v", s.Faults)
	}
	refuses = true
	s = open(proxy.URI).survey(0)
	if len(s.Servers) != 1 || s.Servers[0].Role != "primary" || s.Servers[0].HasLag || len(s.Unchecked) != 1 {
		t.Errorf("%+v", s)
	}
	if len(s.Faults) != 0 && s.Faults[0].Code != record.MemberDown {
		t.Errorf("%+v, %s", s.Faults, dead)
	}
}
