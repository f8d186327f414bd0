package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// randomStates puts random states of users into both databases: both layouts, values that are missing on one side, wrong
// types, two documents. It returns the users.
func randomStates(t testing.TB, r *rand.Rand, c *goredis.Client, db *mongo.Database, n int) []string {
	t.Helper()
	documents := make(map[string][]any)
	pipe := c.Pipeline()
	ctx := t.Context()
	one := func(list ...any) any { return list[r.IntN(len(list))] }
	seconds := func() int64 { return 1640995200 + r.Int64N(100_000_000) }
	users := make([]string, n)
	for i := range users {
		id := strconv.Itoa(100000000000000000 + i*1000 + r.IntN(1000))
		users[i] = id
		var owner any = id
		if r.IntN(12) == 0 {
			owner = int64(100000000000000000 + i*1000) // the app cannot see it
		}
		put := func(collection string, fields bson.M) {
			doc := bson.M{"user_id": owner}
			maps.Copy(doc, fields)
			documents[collection] = append(documents[collection], doc)
		}
		pairs := func() bson.M {
			kv := bson.M{}
			for range r.IntN(4) {
				kv["f"+strconv.Itoa(r.IntN(5))] = one("mongo", "", int32(7), int64(1)<<40, 1.5, true, nil, bson.A{"a", int32(1)}, bson.M{"b": "c"}, "7", `"quoted"`, "<é>")
			}
			if r.IntN(6) == 0 {
				kv["monitoring_since"] = one(seconds(), strconv.FormatInt(seconds(), 10), "never")
			}
			return kv
		}
		for range one(0, 1, 1, 1, 2).(int) {
			put("kv", bson.M{"kv": one(pairs(), pairs(), pairs(), bson.M{}, "no document")})
		}
		for range one(0, 1, 1, 2).(int) {
			ms := seconds()*1000 + r.Int64N(1000)
			put("last_seen", bson.M{"timestamp": one(ms, ms, int32(5), float64(ms), bson.NewDateTimeFromTime(time.UnixMilli(ms)), strconv.FormatInt(ms, 10), "yesterday")})
		}
		date := func() any {
			s := seconds()
			return one(s, int32(s), s*1000, float64(s), bson.NewDateTimeFromTime(time.Unix(s, 0)), time.Unix(s, 0).UTC().Format(time.RFC3339), "soon", nil)
		}
		for range one(0, 0, 1, 1, 2).(int) {
			put("monitoring", one(bson.M{"since": date()}, bson.M{"since": date(), "monitoring_since": date()}, bson.M{"monitoring_since": date()}).(bson.M))
		}
		for range one(0, 0, 1).(int) {
			put("users", one(bson.M{"since": date()}, bson.M{"monitoring_since": date()}).(bson.M))
		}
		hash := func(key string, values ...any) {
			if r.IntN(15) == 0 {
				pipe.LPush(ctx, key, "a list")
				return
			}
			for range r.IntN(4) {
				pipe.HSet(ctx, key, "f"+strconv.Itoa(r.IntN(5)), one(values...))
			}
			if r.IntN(6) == 0 {
				pipe.HSet(ctx, key, "monitoring_since", strconv.FormatInt(seconds(), 10))
			}
		}
		if r.IntN(2) == 0 {
			hash("lanyard:user_kv:"+id, `"fork"`, `"7"`, "7", "1.5", "null", `["a",1]`, `{"b":"c"}`, "no json", `"\u00e9"`)
		}
		if r.IntN(2) == 0 {
			hash("lanyard_kv:"+id, "upstream", "7", `"7"`)
		}
		text := func(key string, values ...any) {
			switch r.IntN(12) {
			case 0:
				pipe.LPush(ctx, key, "a list")
			case 1, 2, 3, 4, 5:
				pipe.Set(ctx, key, one(values...), 0)
			}
		}
		text("lanyard:user_last_seen:"+id, seconds()*1000, seconds()*1000, "2023-01-02T03:04:05Z", "never")
		text("lanyard_last_seen:"+id, seconds()*1000, "never")
		for _, prefix := range []string{"lanyard:user_monitoring_since:", "user_monitoring_since:", "monitoring:"} {
			text(prefix+id, seconds(), seconds(), "never")
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		t.Fatal(err)
	}
	for collection, list := range documents {
		if _, err := db.Collection(collection).InsertMany(ctx, list); err != nil {
			t.Fatal(err)
		}
	}
	return users
}

// naive reads what domain knowledge says that the app shows, value by value, without a line of lanyardctl's.
type naive struct {
	t     testing.TB
	redis *goredis.Client
	db    *mongo.Database
}

// shown is what is shown of one value, and where it stands. At is empty where there is none.
type shown struct {
	value any
	at    string
}

func (n naive) document(collection, id string) bson.M {
	var doc bson.M
	err := n.db.Collection(collection).FindOne(context.Background(), bson.M{"user_id": id}).Decode(&doc)
	if err != nil && !errors.Is(err, mongo.ErrNoDocuments) {
		n.t.Fatal(err)
	}
	return doc
}

func (n naive) hash(key string) map[string]string {
	found, err := n.redis.HGetAll(context.Background(), key).Result()
	if err != nil && !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		n.t.Fatal(err)
	}
	return found
}

func (n naive) text(key string) (string, bool) {
	text, err := n.redis.Get(context.Background(), key).Result()
	switch {
	case err == nil:
		return text, true
	case errors.Is(err, goredis.Nil), strings.HasPrefix(err.Error(), "WRONGTYPE"):
		return "", false
	}
	n.t.Fatal(err)
	return "", false
}

// instant reads a time by its meaning, in milliseconds: numbers below 1e11 are seconds. The unit of a whole number is the
// field's own.
func instant(v any, seconds bool) (int64, bool) {
	switch v := v.(type) {
	case int32:
		return instant(int64(v), seconds)
	case int64:
		if seconds && v < 1e11 {
			return v * 1000, true
		}
		return v, true
	case float64:
		if v < 1e11 {
			return int64(v * 1000), true
		}
		return int64(v), true
	case bson.DateTime:
		return v.Time().UnixMilli(), true
	case string:
		if i, err := strconv.ParseInt(v, 10, 64); err == nil {
			return instant(i, seconds)
		}
		at, err := time.Parse(time.RFC3339, v)
		return at.UnixMilli(), err == nil
	}
	return 0, false
}

func plainJSON(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		panic(err)
	}
	return plain
}

// fork returns what the fork shows of a user: the pairs, last_seen in milliseconds, monitoring_since in seconds.
func (n naive) fork(id string) (kv, lastSeen, since shown) {
	kv.value = map[string]any{}
	stored := n.document("kv", id)["kv"]
	pairs, _ := stored.(bson.D)
	fields := bson.M{}
	for _, e := range pairs {
		fields[e.Key] = e.Value
	}
	if len(fields) > 0 {
		all := map[string]any{}
		for name, v := range fields {
			if d, ok := v.(bson.D); ok {
				m := map[string]any{}
				for _, e := range d {
					m[e.Key] = e.Value
				}
				v = m
			}
			all[name] = v
		}
		kv = shown{plainJSON(all), "MongoDB kv"}
	} else if hash := n.hash("lanyard:user_kv:" + id); len(hash) > 0 {
		all := map[string]any{}
		for name, text := range hash {
			var v any
			if json.Unmarshal([]byte(text), &v) != nil {
				v = text
			}
			all[name] = v
		}
		kv = shown{all, "Redis lanyard:user_kv:" + id}
	}

	if ms, ok := instant(n.document("last_seen", id)["timestamp"], false); ok {
		lastSeen = shown{ms, "MongoDB last_seen.timestamp"}
	} else if text, ok := n.text("lanyard:user_last_seen:" + id); ok {
		if ms, ok := instant(text, false); ok {
			lastSeen = shown{ms, "Redis lanyard:user_last_seen:" + id}
		}
	}

	places := []shown{}
	for _, collection := range []string{"monitoring", "users"} {
		doc := n.document(collection, id)
		for _, field := range []string{"since", "monitoring_since"} {
			places = append(places, shown{doc[field], "MongoDB " + collection + "." + field})
		}
	}
	places = append(places, shown{fields["monitoring_since"], "MongoDB kv.kv.monitoring_since"})
	for _, prefix := range []string{"lanyard:user_monitoring_since:", "user_monitoring_since:", "monitoring:"} {
		if text, ok := n.text(prefix + id); ok {
			places = append(places, shown{text, "Redis " + prefix + id})
		}
	}
	places = append(places, shown{kv.value.(map[string]any)["monitoring_since"], kv.at + " monitoring_since"})
	for _, p := range places {
		if f, ok := p.value.(float64); ok && f == float64(int64(f)) && strings.HasPrefix(p.at, "Redis") {
			p.value = int64(f) // a number in JSON
		}
		if ms, ok := instant(p.value, true); ok {
			return kv, lastSeen, shown{ms / 1000, p.at}
		}
	}
	return kv, lastSeen, since
}

// upstream returns what upstream shows of a user.
func (n naive) upstream(id string) (kv, lastSeen, since shown) {
	kv.value = map[string]any{}
	if hash := n.hash("lanyard_kv:" + id); len(hash) > 0 {
		kv = shown{plainJSON(hash), "Redis lanyard_kv:" + id}
	}
	if text, ok := n.text("lanyard_last_seen:" + id); ok {
		if ms, ok := instant(text, false); ok {
			lastSeen = shown{ms, "Redis lanyard_last_seen:" + id}
		}
	}
	return kv, lastSeen, since
}

// line returns the API's JSON of the values.
func (n naive) line(id string, kv, lastSeen, since shown) map[string]any {
	data := map[string]any{
		"discord_user": map[string]any{"id": id}, "kv": kv.value,
		"last_seen": nil, "last_seen_readable": nil, "monitoring_since": nil, "monitoring_since_readable": nil,
	}
	const readable = "January 02, 2006 03:04:05 PM"
	if ms, ok := lastSeen.value.(int64); ok {
		at := time.UnixMilli(ms).UTC()
		data["last_seen"] = map[string]any{"unix": float64(ms), "raw": at.Format("2006-01-02T15:04:05.000Z")}
		data["last_seen_readable"] = at.Format(readable)
	}
	if s, ok := since.value.(int64); ok {
		at := time.Unix(s, 0).UTC()
		data["monitoring_since"] = map[string]any{"unix": float64(s), "raw": at.Format("2006-01-02T15:04:05Z")}
		data["monitoring_since_readable"] = at.Format(readable)
	}
	return map[string]any{"success": true, "data": data}
}

// TestGetIsWhatTheAppShows compares get with a naive reading of the same databases, on many users.
func TestGetIsWhatTheAppShows(t *testing.T) {
	t.Parallel()
	server, target := redisserver.Start(t), mongoserver.New(t)
	c, db := redisClient(t, server.URI), target.Connect(t)
	r := rand.New(rand.NewPCG(13, uint64(numberFrom(t, "LANYARDCTL_TEST_SEED", 1))))
	users := randomStates(t, r, c, db, numberFrom(t, "LANYARDCTL_TEST_GET_USERS", 60))
	n := naive{t, c, db}
	for app, read := range map[string]func(string) (kv, lastSeen, since shown){"fork": n.fork, "upstream": n.upstream} {
		t.Run(app, func(t *testing.T) {
			cmd := exec.Command(ferretdb.Build(t), "get", "-", "--explain", "--output", "json", "--quiet", "--app", app, "--redis", server.URI)
			cmd.Env = append(os.Environ(), target.Env()...)
			cmd.Stdin = strings.NewReader(strings.Join(users, "\n") + "\n")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Run(); err == nil || cmd.ProcessState.ExitCode() == 2 {
				t.Fatalf("%v\n%s", err, &stderr) // some users are unknown, and some values cannot be read
			}
			lines := strings.Split(strings.TrimSpace(stdout.String()), "\n")
			if len(lines) != len(users) {
				t.Fatalf("%d lines for %d users\n%s", len(lines), len(users), &stderr)
			}
			known := 0
			for i, id := range users {
				var got map[string]any
				if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
					t.Fatal(err)
				}
				kv, lastSeen, since := read(id)
				explained := explainedOf(t, got)
				delete(got, "explain")
				if kv.at == "" && lastSeen.at == "" && since.at == "" {
					if got["success"] != false {
						t.Errorf("%s: nothing is stored that the app shows: %v", id, got)
					}
					continue
				}
				known++
				if diff := cmp.Diff(n.line(id, kv, lastSeen, since), got); diff != "" {
					t.Errorf("%s: -naive +got\n%s", id, diff)
				}
				want := map[string]string{"kv": kv.at, "last_seen": lastSeen.at, "monitoring_since": since.at}
				if diff := cmp.Diff(want, explained); diff != "" {
					t.Errorf("%s: places: -naive +got\n%s", id, diff)
				}
			}
			if known < len(users)/3 {
				t.Errorf("only %d of %d users are known", known, len(users))
			}
		})
	}
}

// explainedOf returns by value where a line says that it stands: "MongoDB kv".
func explainedOf(t testing.TB, line map[string]any) map[string]string {
	t.Helper()
	places := map[string]string{"kv": "", "last_seen": "", "monitoring_since": ""}
	explained, _ := line["explain"].(map[string]any)
	for name, list := range explained {
		for _, entry := range list.([]any) {
			e := entry.(map[string]any)
			if e["status"] == "answers" {
				if places[name] != "" {
					t.Errorf("two places answer for %s", name)
				}
				places[name] = e["store"].(string) + " " + e["place"].(string)
			}
		}
	}
	return places
}
