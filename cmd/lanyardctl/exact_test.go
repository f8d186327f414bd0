package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// world is a Redis in mixed layouts, and what has to come of it: known from how it was made, not from decoding it.
type world struct {
	redis   goredis.Pipeliner
	random  *rand.Rand
	want    map[string]map[string]any // collection → user (or "global") → fields
	rejects map[string]int            // "key field reason value" → lines
	bad     bool                      // with rows that are rejected
	limits  record.Limits             // of the target
}

const exactUser = "exact users" // of LANYARDCTL_TEST_USERS

func usersOfWorld(t testing.TB) int {
	text := os.Getenv("LANYARDCTL_TEST_USERS")
	if text == "" {
		return 600
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("LANYARDCTL_TEST_USERS, the number of %s: %v", exactUser, err)
	}
	return n
}

func (w *world) expect(collection, id string, fields map[string]any) {
	if w.want[collection] == nil {
		w.want[collection] = make(map[string]any)
	}
	w.want[collection][id] = fields
}

func (w *world) reject(key, field, reason, value string) {
	w.rejects[fmt.Sprintf("%q %q %s %q", key, field, reason, value)]++
}

func (w *world) key() string {
	key := fmt.Sprintf("%016x%016x", w.random.Uint64(), w.random.Uint64())
	if w.random.IntN(2) == 0 {
		return "lnyd_" + key
	}
	return key
}

func (w *world) set(key string, value any) { w.redis.Set(context.Background(), key, value, 0) }

// user makes one user, with everything that chance gives them.
func (w *world) user(n int) {
	id := strconv.FormatUint(94490510688792576+uint64(n)<<23+uint64(w.random.IntN(1<<22)), 10)
	w.userKV(id)
	w.userAPIKeys(id)
	w.userTimes(id)
}

func (w *world) userKV(id string) {
	ctx := context.Background()
	upstream, fork := "lanyard_kv:"+id, "lanyard:user_kv:"+id
	want := make(map[string]any)
	if w.random.IntN(3) > 0 {
		fields := map[string]string{"raw": "7", "quotes": `"7"`, "empty": "", "": "empty name", "line\nbreak": "a\nb\x00c", "имя": "значение 😀", "json": `{"a":1}`}
		for name, v := range fields {
			if w.random.IntN(2) == 0 {
				w.redis.HSet(ctx, upstream, name, v)
				want[name] = v
			}
		}
		if w.bad && w.random.IntN(4) == 0 {
			w.redis.HSet(ctx, upstream, "bytes", "\xff\x00\xfe", "nul\x00", "x")
			w.reject(upstream, "bytes", "invalid-utf8", "\xff\x00\xfe")
			w.reject(upstream, "nul\x00", "invalid-field-name", "x")
			w.limited(upstream, want)
		}
	}
	if w.random.IntN(3) > 0 {
		for name, v := range map[string]struct {
			raw  string
			want any
		}{
			"raw":     {`"7"`, "7"},
			"number":  {"7", int64(7)},
			"double":  {"7.5", 7.5},
			"whole":   {"1.0e3", 1000.0},
			"largest": {"9223372036854775807", int64(9223372036854775807)},
			"escaped": {`"\u00e9\ud83d\ude00\n"`, "é😀\n"},
			"list":    {`[1, "x", null, true, {"b": []}]`, bson.A{int64(1), "x", nil, true, bson.M{"b": bson.A{}}}},
			"text":    {"not JSON", "not JSON"},
			"lone":    {`"\ud800"`, `"\ud800"`},
		} {
			if w.random.IntN(2) == 0 {
				w.redis.HSet(ctx, fork, name, v.raw)
				want[name] = v.want // the fork's wins
			}
		}
		if w.bad && w.random.IntN(4) == 0 {
			deep := strings.Repeat("[", 101) + strings.Repeat("]", 101)
			w.redis.HSet(ctx, fork, "big", "9223372036854775808", "huge", "1e999", "deep", deep)
			w.reject(fork, "big", "number-out-of-range", "9223372036854775808")
			w.reject(fork, "huge", "number-out-of-range", "1e999")
			w.reject(fork, "deep", "too-deep", deep)
			w.limited(fork, want)
		}
	}
	if len(want) > 0 {
		w.expect("kv", id, map[string]any{"kv": want})
	}
}

// limitedPairs are key-value pairs that some servers hold and others refuse. Those of the fork's layout are JSON.
var limitedPairs = []struct {
	fork      bool
	name, raw string
	want      any
	reason    string
	refused   func(record.Limits) bool
}{
	{false, "dotted.name", "x", "x", "invalid-field-name", func(l record.Limits) bool { return l.NoDots }},
	{false, "$dollar", "x", "x", "invalid-field-name", func(l record.Limits) bool { return l.NoDollars }},
	{false, "$dollar.dotted", "x", "x", "invalid-field-name", func(l record.Limits) bool { return l.NoDots || l.NoDollars }},
	{true, "arrays", "[[1]]", bson.A{bson.A{int64(1)}}, "refused-by-target", func(l record.Limits) bool { return l.NoNestedArray }},
	{true, "inside dotted", `{"a.b":1}`, bson.M{"a.b": int64(1)}, "invalid-field-name", func(l record.Limits) bool { return l.NoDots }},
	{true, "inside dollar", `{"a":[{"$b":1}]}`, bson.M{"a": bson.A{bson.M{"$b": int64(1)}}}, "invalid-field-name", func(l record.Limits) bool { return l.NoDollars }},
}

// limited gives a user those of the limited pairs that are of the key's layout. What the target holds is wanted there, and
// the others are rejects.
func (w *world) limited(key string, want map[string]any) {
	for _, p := range limitedPairs {
		if p.fork != strings.HasPrefix(key, "lanyard:") {
			continue
		}
		w.redis.HSet(context.Background(), key, p.name, p.raw)
		if p.refused(w.limits) {
			w.reject(key, p.name, p.reason, p.raw)
		} else {
			want[p.name] = p.want
		}
	}
}

// TestWhatIsExpectedFollowsTheLimits lists, for each server that is known, which of the limited pairs it holds; FerretDB is
// the only one of them that the tests can start.
func TestWhatIsExpectedFollowsTheLimits(t *testing.T) {
	for _, server := range []struct {
		refuses string
		limits  record.Limits
		held    []string
	}{
		{"names-arrays", record.Limits{Server: "FerretDB", MaxDocument: 1, Named: true, NoDots: true, NoDollars: true, NoNestedArray: true, NoDecimals: true}, nil},
		{"dollars", record.Limits{Server: "MongoDB 4.4.6", MaxDocument: 1, Named: true, NoDollars: true}, []string{"arrays", "dotted.name", "inside dotted"}},
		{"nothing", record.Limits{Server: "MongoDB 5.0.7", MaxDocument: 1, Named: true}, []string{"$dollar", "$dollar.dotted", "arrays", "dotted.name", "inside dollar", "inside dotted"}},
	} {
		client := goredis.NewClient(&goredis.Options{})
		defer client.Close()
		w := &world{redis: client.Pipeline(), rejects: make(map[string]int), limits: server.limits}
		held := make(map[string]any)
		w.limited("lanyard_kv:1", held)
		w.limited("lanyard:user_kv:1", held)
		if got := slices.Sorted(maps.Keys(held)); !slices.Equal(got, server.held) || len(got)+len(w.rejects) != len(limitedPairs) {
			t.Errorf("%s holds %q, want %q; rejects %v", server.limits.Server, got, server.held, w.rejects)
		}
		if got := refuses(server.limits); got != server.refuses {
			t.Errorf("%s refuses %s, want %s", server.limits.Server, got, server.refuses)
		}
	}
}

func (w *world) userAPIKeys(id string) {
	own := "user_api_key:" + id
	good := func(key string) {
		w.expect("api_keys", id, map[string]any{"key": key})
	}
	choice := w.random.IntN(8)
	if !w.bad && choice > 1 {
		choice = 0
	}
	a, b := w.key(), w.key()
	switch choice {
	case 0, 1: // a pair
		w.set(own, a)
		w.set("api_key:"+a, id)
		good(a)
	case 2: // an older key still authenticates
		w.set(own, a)
		w.set("api_key:"+a, id)
		w.set("api_key:"+b, id)
		good(a)
		w.reject("api_key:"+b, "", "stale-api-key", id)
	case 3: // the named key is dead, another one authenticates
		w.set(own, a)
		w.set("api_key:"+b, id)
		good(b)
		w.reject(own, "", "unpaired-api-key", a)
	case 4: // no key is named
		w.set("api_key:"+a, id)
		good(a)
	case 5: // several, none of them named
		w.set("api_key:"+a, id)
		w.set("api_key:"+b, id)
		w.reject("api_key:"+a, "", "ambiguous-api-key", id)
		w.reject("api_key:"+b, "", "ambiguous-api-key", id)
	case 6: // named, but dead
		w.set(own, a)
		w.reject(own, "", "unpaired-api-key", a)
	}
}

func (w *world) userTimes(id string) {
	seconds := 1664641326 + w.random.Int64N(1e7)
	switch w.random.IntN(5) {
	case 0:
		w.set("lanyard_last_seen:"+id, seconds*1000)
		w.expect("last_seen", id, map[string]any{"timestamp": seconds * 1000})
	case 1:
		w.set("lanyard:user_last_seen:"+id, seconds)
		w.expect("last_seen", id, map[string]any{"timestamp": seconds * 1000})
	case 2:
		w.set("lanyard:user_last_seen:"+id, seconds*1000+5)
		w.set("lanyard_last_seen:"+id, seconds*1000)
		w.expect("last_seen", id, map[string]any{"timestamp": seconds*1000 + 5})
	case 3:
		if w.bad {
			w.set("lanyard_last_seen:"+id, "1230768000000")
			w.reject("lanyard_last_seen:"+id, "", "implausible-timestamp", "1230768000000")
		}
	}
	switch w.random.IntN(5) {
	case 0:
		w.set("lanyard:user_monitoring_since:"+id, seconds)
		w.expect("monitoring", id, map[string]any{"since": seconds})
	case 1:
		w.set("lanyard:user_monitoring_since:"+id, seconds+100)
		w.set("user_monitoring_since:"+id, time.Unix(seconds, 0).UTC().Format(time.RFC3339))
		w.set("monitoring:"+id, (seconds+50)*1000)
		w.expect("monitoring", id, map[string]any{"since": seconds})
	case 2:
		w.set("monitoring:"+id, seconds)
		w.expect("monitoring", id, map[string]any{"since": seconds})
		if w.bad {
			w.set("lanyard:user_monitoring_since:"+id, "soon")
			w.reject("lanyard:user_monitoring_since:"+id, "", "not-a-timestamp", "soon")
		}
	}
}

// rest makes what belongs to no user.
func (w *world) rest() {
	ctx := context.Background()
	w.redis.HSet(ctx, "lanyard:metrics_v1", "lanyard_messages_inbound", "12", "lanyard_2xx_responses", "1.0e6", "lanyard_presence_updates", "1.5")
	w.expect("metrics", "global", map[string]any{"type": "global", "lanyard_messages_inbound": int64(12), "lanyard_2xx_responses": 1e6, "lanyard_presence_updates": 1.5})
	w.set("api_key:session", "another application's")
	w.set("monitoring:cpu", "93")
	w.redis.LPush(ctx, "monitoring:94490510688792576", "a list")
	w.set("something:else", "x")
	w.redis.HSet(ctx, "lanyard_analytics:94490510688792576:spotify:track:6rqhFgbbKwnb9MLmUQDhG6", "plays", "3")
	if !w.bad {
		return
	}
	w.redis.HSet(ctx, "lanyard:metrics_v1", "lanyard_4xx_responses", "-1", "lanyard_5xx_responses", "0x10", "type", "9")
	w.reject("lanyard:metrics_v1", "lanyard_4xx_responses", "not-a-counter", "-1")
	w.reject("lanyard:metrics_v1", "lanyard_5xx_responses", "not-a-counter", "0x10")
	w.reject("lanyard:metrics_v1", "type", "not-a-counter", "9")
	for _, name := range []string{"dotted.counter", "$counter", ""} { // on every server
		w.redis.HSet(ctx, "lanyard:metrics_v1", name, "9")
		w.reject("lanyard:metrics_v1", name, "invalid-field-name", "9")
	}
	w.redis.HSet(ctx, "lanyard_kv:00094490510688792576", "a", "b")
	w.reject("lanyard_kv:00094490510688792576", "a", "invalid-user-id", "b")
	w.set("user_api_key:somebody", "not a key of anybody's")
	w.reject("user_api_key:somebody", "", "invalid-user-id", "not a key of anybody's")
	w.set("lanyard_kv:94490510688792576", "text")
	w.redis.HSet(ctx, "lanyard_last_seen:94490510688792576", "a", "b")
	w.reject("lanyard_kv:94490510688792576", "", "wrong-type", "")
	w.reject("lanyard_last_seen:94490510688792576", "", "wrong-type", "")
	large := strings.Repeat("x", 6<<20)
	w.redis.HSet(ctx, "lanyard_kv:94490510688792577", "a", large, "b", large, "c", large)
	for _, name := range []string{"a", "b", "c"} {
		w.reject("lanyard_kv:94490510688792577", name, "document-too-large", large)
	}
}

// newWorld fills a Redis whose data go to a target of these limits.
func newWorld(t testing.TB, uri string, users int, bad bool, limits record.Limits) *world {
	t.Helper()
	opts, err := goredis.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	w := &world{
		redis: client.Pipeline(), random: rand.New(rand.NewPCG(1, uint64(users))), bad: bad, limits: limits,
		want: make(map[string]map[string]any), rejects: make(map[string]int),
	}
	for n := range users {
		w.user(n)
		if n%1000 == 999 {
			w.flush(t)
		}
	}
	w.rest()
	w.flush(t)
	return w
}

func (w *world) flush(t testing.TB) {
	if _, err := w.redis.Exec(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// migrated is what a run answered.
type migrated struct {
	Kinds map[string]struct {
		Read, Inserted, Updated, Unchanged, Conflicts, Rejected int64
	}
	Resumed     bool
	OK          bool
	RejectsFile string           `json:"rejects_file"`
	Ignored     int64            `json:"ignored_keys"`
	Foreign     int64            `json:"foreign_keys"`
	Analytics   int64            `json:"analytics_keys"`
	Reasons     map[string]int64 `json:"reasons"`
}

// runForJSON runs a command of the built binary on a target, reads its report into the value, and returns its working
// folder.
func runForJSON(t testing.TB, target *mongoserver.Database, into any, wantExit int, args ...string) (folder string) {
	t.Helper()
	cmd := exec.Command(ferretdb.Build(t), append(args, "--output", "json", "--verbose")...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), target.Env()...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if got := cmd.ProcessState.ExitCode(); got != wantExit {
		t.Fatalf("exit status %d, want %d\n%s\n%s", got, wantExit, &stdout, &stderr)
	}
	if secret := shownSecret(stdout.String() + stderr.String()); secret != "" {
		t.Errorf("the output shows %s", secret)
	}
	if err := json.Unmarshal(stdout.Bytes(), into); err != nil {
		t.Fatalf("%v: %s", err, &stdout)
	}
	return cmd.Dir
}

func migrateWorld(t testing.TB, redis string, target *mongoserver.Database, wantExit int, args ...string) migrated {
	t.Helper()
	var m migrated
	folder := runForJSON(t, target, &m, wantExit, append([]string{"migrate", "redis-to-mongo", "--redis", redis}, args...)...)
	for kind, c := range m.Kinds {
		if sum := c.Inserted + c.Updated + c.Unchanged + c.Conflicts + c.Rejected; sum != c.Read {
			t.Errorf("%s: %d read, the columns add up to %d", kind, c.Read, sum)
		}
	}
	if m.OK != (wantExit == 0) {
		t.Errorf("ok is %v at exit status %d", m.OK, wantExit)
	}
	if m.RejectsFile != "" && !filepath.IsAbs(m.RejectsFile) {
		m.RejectsFile = filepath.Join(folder, m.RejectsFile)
	}
	return m
}

// dump returns all documents of the database but the checkpoints, by collection and user.
func dump(t testing.TB, target *mongoserver.Database) map[string]map[string]any {
	t.Helper()
	ctx := context.Background()
	db := target.Connect(t)
	all := make(map[string]map[string]any)
	for _, name := range []string{"api_keys", "kv", "last_seen", "monitoring", "metrics"} {
		cursor, err := db.Collection(name).Find(ctx, bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for cursor.Next(ctx) {
			var doc bson.M
			if err := cursor.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			id := doc["_id"].(string)
			if all[name] == nil {
				all[name] = make(map[string]any)
			}
			all[name][id] = map[string]any(doc)
		}
		if err := cursor.Err(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// plainDocument returns a document without what every document has, and with maps for documents.
func plainDocument(t testing.TB, collection, id string, doc map[string]any) map[string]any {
	t.Helper()
	out := make(map[string]any)
	for name, v := range doc {
		switch name {
		case "_id", "lanyardctl":
		case "user_id":
			if v != id {
				t.Errorf("%s: user_id of %s is %v", collection, id, v)
			}
		case "created_at", "updated_at":
			if at := v.(bson.DateTime).Time(); time.Since(at) > time.Hour || time.Until(at) > time.Hour {
				t.Errorf("%s: %s of %s is %s", collection, name, id, at)
			}
		default:
			out[name] = plainValue(v)
		}
	}
	return out
}

func plainValue(v any) any {
	switch v := v.(type) {
	case bson.D:
		m := make(map[string]any)
		for _, e := range v {
			m[e.Key] = plainValue(e.Value)
		}
		return m
	case bson.M:
		m := make(map[string]any)
		for name, e := range v {
			m[name] = plainValue(e)
		}
		return m
	case map[string]any:
		return plainValue(bson.M(v))
	case bson.A:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = plainValue(e)
		}
		return list
	}
	return v
}

func readRejects(t testing.TB, path string) map[string]int {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := make(map[string]int)
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 64<<20)
	for scanner.Scan() {
		var line struct {
			Key, Field, Reason string
			Value              []byte `json:"value_base64"`
			KeyBase64          string `json:"key_base64"`
			FieldBase64        string `json:"field_base64"`
		}
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatal(err)
		}
		for _, encoded := range []struct {
			text *string
			base string
		}{{&line.Key, line.KeyBase64}, {&line.Field, line.FieldBase64}} {
			if encoded.base != "" {
				raw, err := base64.StdEncoding.DecodeString(encoded.base)
				if err != nil {
					t.Fatal(err)
				}
				*encoded.text = string(raw)
			}
		}
		lines[fmt.Sprintf("%q %q %s %q", line.Key, line.Field, line.Reason, line.Value)]++
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestMigrationIsExact compares every document and every reject with what the data were made to give, twice.
// LANYARDCTL_TEST_USERS sets the number of users.
func TestMigrationIsExact(t *testing.T) {
	t.Parallel()
	for _, bad := range []bool{true, false} {
		t.Run(map[bool]string{true: "with every reject", false: "without bad rows"}[bad], func(t *testing.T) {
			t.Parallel()
			redis, target := redisserver.Start(t), mongoserver.New(t)
			w := newWorld(t, redis.URI, usersOfWorld(t), bad, target.Limits)
			wantExit := 0
			if bad {
				wantExit = exit.Rejects
			}
			first := migrateWorld(t, redis.URI, target, wantExit)
			after := dump(t, target)
			got := make(map[string]map[string]any)
			for collection, documents := range after {
				got[collection] = make(map[string]any)
				for id, doc := range documents {
					got[collection][id] = plainDocument(t, collection, id, doc.(map[string]any))
				}
			}
			for collection, documents := range w.want {
				for id := range documents {
					documents[id] = plainValue(documents[id])
				}
				if d := cmp.Diff(documents, got[collection]); d != "" {
					t.Errorf("%s (-want +got):\n%s", collection, shortened(d))
				}
			}
			if first.Analytics != 1 || first.Foreign != 3 || first.Ignored != 1 {
				t.Errorf("%d keys of analytics, %d foreign, %d ignored, want 1, 3, 1", first.Analytics, first.Foreign, first.Ignored)
			}
			if bad {
				if d := cmp.Diff(w.rejects, readRejects(t, first.RejectsFile)); d != "" {
					t.Errorf("rejects (-want +got):\n%s", shortened(d))
				}
			} else if first.RejectsFile != "" {
				t.Errorf("rejects in %s", first.RejectsFile)
			}

			second := migrateWorld(t, redis.URI, target, wantExit)
			for kind, c := range second.Kinds {
				if c.Inserted != 0 || c.Updated != 0 || c.Read != first.Kinds[kind].Read {
					t.Errorf("the second run: %s %+v", kind, c)
				}
			}
			if d := cmp.Diff(after, dump(t, target)); d != "" {
				t.Errorf("the second run changed documents (-before +after):\n%s", shortened(d))
			}
			if bad {
				if d := cmp.Diff(w.rejects, readRejects(t, second.RejectsFile)); d != "" {
					t.Errorf("rejects of the second run (-want +got):\n%s", shortened(d))
				}
			}
		})
	}
}

func shortened(s string) string {
	lines := strings.Split(s, "\n")
	if len(lines) > 60 {
		lines = append(slices.Clone(lines[:60]), fmt.Sprintf("… %d more lines", len(lines)-60))
	}
	for i, line := range lines {
		if len(line) > 300 {
			lines[i] = line[:300] + "…"
		}
	}
	return strings.Join(lines, "\n")
}
