package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// plainRedis is what a Redis holds, as its own commands show it.
type plainRedis struct {
	texts  map[string]string
	hashes map[string]map[string]string
}

func readRedis(t testing.TB, clients ...*goredis.Client) plainRedis {
	t.Helper()
	ctx := context.Background()
	all := plainRedis{make(map[string]string), make(map[string]map[string]string)}
	for _, client := range clients {
		keys, err := client.Keys(ctx, "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for some := range slices.Chunk(keys, 500) {
			pipe := client.Pipeline()
			var gets []*goredis.StringCmd
			var hashes []*goredis.MapStringStringCmd
			var lives []*goredis.DurationCmd
			for _, key := range some {
				gets, hashes, lives = append(gets, pipe.Get(ctx, key)), append(hashes, pipe.HGetAll(ctx, key)), append(lives, pipe.TTL(ctx, key))
			}
			_, _ = pipe.Exec(ctx) // one of two does not fit the type
			for i, key := range some {
				if text, err := gets[i].Result(); err == nil {
					all.texts[key] = text
				} else if fields, err := hashes[i].Result(); err == nil && len(fields) > 0 {
					all.hashes[key] = fields
				}
				if lives[i].Val() >= 0 {
					t.Errorf("%s expires", key)
				}
			}
		}
	}
	return all
}

// ofLanyard returns it without what lanyardctl keeps there for itself.
func (p plainRedis) ofLanyard() plainRedis {
	own := func(key string) bool { return strings.HasPrefix(key, "lanyardctl:") }
	q := plainRedis{maps.Clone(p.texts), maps.Clone(p.hashes)}
	maps.DeleteFunc(q.texts, func(key, _ string) bool { return own(key) })
	maps.DeleteFunc(q.hashes, func(key string, _ map[string]string) bool { return own(key) })
	return q
}

// told is what a Redis tells of everybody: "kv USER FIELD", "api_keys USER", … → a value in one spelling.
type told map[string]string

// spelled returns a value that is JSON in one spelling, and any other text as the text that it is.
func spelled(raw string) string {
	d := json.NewDecoder(strings.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return spell(raw)
	}
	_, err := d.Token()
	lost := "\ufffd" // what a lone half of a pair becomes, which is no text
	if text := spell(v); errors.Is(err, io.EOF) && strings.Count(text, lost) == strings.Count(raw, lost) {
		return text
	}
	return spell(raw)
}

func spell(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case json.Number:
		n, ok := new(big.Rat).SetString(v.String())
		if !ok {
			return v.String()
		}
		return n.RatString()
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, spell(e))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case map[string]any:
		var parts []string
		for _, name := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, strconv.Quote(name)+":"+spell(v[name]))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
	return fmt.Sprint(v)
}

var snowflake = regexp.MustCompile(`^[1-9][0-9]{16,18}$`)

// users calls each for every key with the prefix and a user's ID after it.
func users[V any](keys map[string]V, prefix string, each func(user string, v V)) {
	for key, v := range keys {
		if id, ok := strings.CutPrefix(key, prefix); ok && snowflake.MatchString(id) {
			each(id, v)
		}
	}
}

// milliseconds returns a date as it may stand anywhere in Unix milliseconds, 0 for none.
func milliseconds(text string) int64 {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UnixMilli()
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return 0
	case n < 1e11:
		n *= 1000
	}
	if n < 1420070400000 { // before there were users
		return 0
	}
	return n
}

// tells returns what the Redis tells of everybody: what the fork stores goes before what upstream does.
func (p plainRedis) tells() told {
	all := make(told)
	users(p.hashes, "lanyard_kv:", func(user string, fields map[string]string) {
		for name, raw := range fields {
			all[fmt.Sprintf("kv %s %q", user, name)] = spell(raw)
		}
	})
	users(p.hashes, "lanyard:user_kv:", func(user string, fields map[string]string) {
		for name, raw := range fields {
			all[fmt.Sprintf("kv %s %q", user, name)] = spelled(raw)
		}
	})
	for _, prefix := range []string{"lanyard_last_seen:", "lanyard:user_last_seen:"} {
		users(p.texts, prefix, func(user, text string) { all["last_seen "+user] = fmt.Sprint(milliseconds(text)) })
	}
	for _, prefix := range []string{"monitoring:", "user_monitoring_since:", "lanyard:user_monitoring_since:"} {
		users(p.texts, prefix, func(user, text string) {
			since, what := milliseconds(text)/1000, "monitoring_since "+user
			if was, err := strconv.ParseInt(all[what], 10, 64); err != nil || since != 0 && since < was {
				all[what] = fmt.Sprint(since)
			}
		})
	}
	for name, raw := range p.hashes["lanyard:metrics_v1"] {
		all[fmt.Sprintf("metrics %q", name)] = spelled(raw)
	}
	holders := make(map[string][]string)
	for key, user := range p.texts {
		if key, ok := strings.CutPrefix(key, "api_key:"); ok && snowflake.MatchString(user) {
			holders[user] = append(holders[user], key)
		}
	}
	for user, keys := range holders {
		current := p.texts["user_api_key:"+user]
		if slices.Contains(keys, current) {
			all["api_keys "+user] = current
		} else if len(keys) == 1 {
			all["api_keys "+user] = keys[0]
		}
	}
	return all
}

// twoKeys returns the users whom more than one API key authenticates, or another one than their current one.
func (p plainRedis) twoKeys() (users []string) {
	for key, user := range p.texts {
		if key, ok := strings.CutPrefix(key, "api_key:"); ok && p.texts["user_api_key:"+user] != key {
			users = append(users, user)
		}
	}
	return users
}

// rejectsNamed returns what the rejects files of folders name, as [told] does; of a whole key without the field.
func rejectsNamed(t testing.TB, paths ...string) map[string]bool {
	t.Helper()
	named := make(map[string]bool)
	for _, path := range paths {
		if path == "" {
			continue
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(file)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var line struct {
				Kind, Field string
				User        string `json:"user_id"`
				FieldBase64 []byte `json:"field_base64"`
			}
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line.FieldBase64 != nil {
				line.Field = string(line.FieldBase64)
			}
			what := strings.TrimSpace(line.Kind + " " + line.User)
			named[what] = true
			named[fmt.Sprintf("%s %q", what, line.Field)] = true
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	return named
}

// differing returns what two tell differently.
func (a told) differing(b told) []string {
	var list []string
	for what, value := range a {
		if other, ok := b[what]; !ok || other != value {
			list = append(list, what)
		}
	}
	for what := range b {
		if _, ok := a[what]; !ok {
			list = append(list, what)
		}
	}
	slices.Sort(list)
	return list
}

// layoutCase is a layout into which a Redis is filled, and what is known of that.
type layoutCase struct {
	layout string
	asJSON bool
}

func (c layoutCase) flags() []string {
	flags := []string{"--layout", c.layout}
	if c.asJSON {
		flags = append(flags, "--as-json")
	}
	return flags
}

func (c layoutCase) String() string { return strings.Join(c.flags(), " ") }

var layoutCases = []layoutCase{{"fork", false}, {"upstream", false}, {"upstream", true}, {"both", false}, {"both", true}}

// holds returns the keys that a Redis of the layout has to hold of what is told, each with its value in one spelling.
func (c layoutCase) holds(all told, isText func(string) bool) told {
	want := make(told)
	fork, upstream := c.layout != "upstream", c.layout != "fork"
	for what, value := range all {
		kind, rest, _ := strings.Cut(what, " ")
		switch {
		case kind == "kv":
			if fork {
				want["lanyard:user_kv:"+rest] = value
			}
			if upstream && isText(value) {
				want["lanyard_kv:"+rest] = value
			} else if upstream && c.asJSON {
				want["lanyard_kv:"+rest] = "JSON " + value
			}
		case kind == "last_seen":
			if fork {
				want["lanyard:user_last_seen:"+rest] = value
			}
			if upstream {
				want["lanyard_last_seen:"+rest] = value
			}
		case kind == "monitoring_since" && fork:
			want["lanyard:user_monitoring_since:"+rest] = value
		case kind == "metrics" && fork:
			want["lanyard:metrics_v1 "+rest] = value
		case kind == "api_keys" && upstream:
			want["user_api_key:"+rest], want["api_key:"+value] = value, rest
		}
	}
	return want
}

// spelledKeys returns all that stands in the Redis, key by key and field by field.
func (p plainRedis) spelledKeys() told {
	all := make(told)
	for key, text := range p.texts {
		all[key] = text
	}
	for key, fields := range p.hashes {
		for name, raw := range fields {
			value := spelled(raw)
			if strings.HasPrefix(key, "lanyard_kv:") {
				value = spell(raw)
			}
			all[fmt.Sprintf("%s %q", key, name)] = value
		}
	}
	return all
}

func isText(value string) bool { return strings.HasPrefix(value, `"`) }

// redisDatabase returns a client of a database of the server, and its URI.
func redisDatabase(t testing.TB, s *redisserver.Server, n int) (*goredis.Client, string) {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{Addr: s.Addr, DB: n})
	t.Cleanup(func() { _ = client.Close() })
	return client, fmt.Sprintf("%s/%d", s.URI, n)
}

// backed is what a run of migrate or verify on the way back answered.
type backed struct {
	migrated
	Total       int `json:"differences_total"`
	Differences []struct {
		Kind, Field, Name, Type string
		User                    string `json:"user_id"`
	}
}

func runBack(t testing.TB, target *mongoserver.Database, wantExit int, command, redis string, args ...string) backed {
	t.Helper()
	var b backed
	folder := runForJSON(t, target, &b, wantExit, append(append(strings.Fields(command), "--redis", redis), args...)...)
	if b.RejectsFile != "" {
		b.RejectsFile = filepath.Join(folder, filepath.Base(b.RejectsFile))
	}
	return b
}

// TestTheWayBackIsExact moves a Redis to MongoDB and back to empty ones, in every layout. What the first one tells is told by
// the others, but for what the reports name. LANYARDCTL_TEST_USERS sets the number of users.
func TestTheWayBackIsExact(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *mongoserver.Database{
		"the server that is tested": func(t *testing.T) *mongoserver.Database { return mongoserver.New(t) },
		"one that refuses no name": func(t *testing.T) *mongoserver.Database {
			return &mongoserver.Database{Name: "lanyard", Server: &mongoserver.Server{URI: serveCounting(t), Limits: record.Limits{MaxDocument: 16 << 20}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, target := redisserver.Start(t, "--save", "3600 1"), start(t)
			first, firstURI := redisDatabase(t, server, 0)
			count, cases := usersOfWorld(t), layoutCases
			if os.Getenv("LANYARDCTL_TEST_USERS") == "" {
				count /= 4
				if target.Limits.NoDots { // FerretDB is slow
					cases = []layoutCase{{"fork", false}, {"both", true}}
				}
			}
			newWorld(t, firstURI, count, true, target.Limits)
			before := readRedis(t, first)
			there := migrateWorld(t, firstURI, target, exit.Rejects)
			for n, c := range cases {
				t.Run(c.String(), func(t *testing.T) {
					client, uri := redisDatabase(t, server, n+1)
					code := exit.Done
					if c.layout != "fork" && !c.asJSON {
						code = exit.Rejects
					}
					back := runBack(t, target, code, "migrate mongo-to-redis", uri, c.flags()...)
					after := readRedis(t, client)
					lost := rejectsNamed(t, there.RejectsFile)
					c.compare(t, before, after.ofLanyard(), lost, rejectsNamed(t, back.RejectsFile))

					runBack(t, target, code, "verify mongo-to-redis", uri, c.flags()...)
					runBack(t, target, code, "verify mongo-to-redis", uri, append(c.flags(), "--exact")...)
					c.verifyThere(t, target, uri, before.tells(), after, lost)

					again := runBack(t, target, code, "migrate mongo-to-redis", uri, c.flags()...)
					for kind, n := range again.Kinds {
						if n.Inserted+n.Updated+n.Conflicts != 0 || n.Read != back.Kinds[kind].Read {
							t.Errorf("the second run: %s %+v, the first: %+v", kind, n, back.Kinds[kind])
						}
					}
					marks := after.hashes["lanyardctl:digests"]
					if d := cmp.Diff(after.ofLanyard(), readRedis(t, client).ofLanyard(), cmp.AllowUnexported(plainRedis{})); d != "" || len(marks) == 0 {
						t.Errorf("%d marks; the second run changed keys (-before +after):\n%s", len(marks), shortened(d))
					}
					runForJSON(t, target, new(json.RawMessage), exit.Done, "forget", "--redis", uri)
					if d := cmp.Diff(after.ofLanyard(), readRedis(t, client), cmp.AllowUnexported(plainRedis{})); d != "" {
						t.Errorf("what is there once all is forgotten (-want +got):\n%s", shortened(d))
					}
				})
			}
		})
	}
}

// compare compares what a Redis told with what stands in one that was filled again. Lost is what was rejected on the way
// there, and left what was on the way back.
func (c layoutCase) compare(t *testing.T, before, after plainRedis, lost, left map[string]bool) {
	t.Helper()
	was := before.tells()
	want := c.holds(was, isText)
	got := after.spelledKeys()
	if c.asJSON && c.layout != "fork" {
		for key, value := range want {
			if inside, ok := strings.CutPrefix(value, "JSON "); ok {
				want[key] = inside
				if text, err := strconv.Unquote(got[key]); err == nil {
					got[key] = spelled(text)
				}
			}
		}
	}
	for _, key := range want.differing(got) {
		what := key
		for prefix, kind := range map[string]string{
			"lanyard_kv:": "kv ", "lanyard:user_kv:": "kv ", "lanyard_last_seen:": "last_seen ", "lanyard:user_last_seen:": "last_seen ",
			"lanyard:user_monitoring_since:": "monitoring_since ", "lanyard:metrics_v1 ": "metrics ", "user_api_key:": "api_keys ",
		} {
			if id, ok := strings.CutPrefix(key, prefix); ok {
				what = kind + id
			}
		}
		if !lost[what] && !left[what] {
			t.Errorf("%s: %s before, %s after, and no report names it", key, want[key], got[key])
		}
	}
	// What was rejected on the way back is what the layout cannot hold.
	for what, value := range was {
		kind, _, _ := strings.Cut(what, " ")
		if named, no := left[what], kind == "kv" && c.layout != "fork" && !c.asJSON && !isText(value) && !lost[what]; named != no {
			t.Errorf("%s, %s: rejected on the way back is %v, want %v", what, value, named, no)
		}
	}
	if users := after.twoKeys(); len(users) > 0 {
		t.Errorf("keys that authenticate beside the current one: %v", users)
	}
	// A date that stood where the app reads it, as the app writes it, is the same to the letter.
	same := 0
	for key, text := range before.texts {
		id := key[strings.LastIndexByte(key, ':')+1:]
		_, older := before.texts["monitoring:"+id]
		if now, ok := after.texts[key]; ok && strings.HasPrefix(key, "lanyard") && !older && (len(text) == 13) == strings.Contains(key, "_last_seen:") {
			same++
			if _, both := before.texts["lanyard:user_last_seen:"+id]; now != text && !(both && strings.HasPrefix(key, "lanyard_")) {
				t.Errorf("%s: %s before, %s after", key, text, now)
			}
		}
	}
	if same == 0 {
		t.Error("no date was compared to the letter")
	}
}

// verifyThere compares a Redis that was filled again with the MongoDB that it was filled from, as a source. What upstream's
// layout could not hold, or holds as JSON text, would replace what lanyardctl wrote to MongoDB before.
func (c layoutCase) verifyThere(t *testing.T, target *mongoserver.Database, uri string, was told, filled plainRedis, lost map[string]bool) {
	t.Helper()
	flags := []string{"--recheck", "0", "--max-differences", "1000000"}
	switch c.layout {
	case "fork":
		flags = append(flags, "--only", "kv,last_seen,monitoring_since,metrics")
		fallthrough
	case "both":
		runBack(t, target, exit.Done, "verify redis-to-mongo", uri, flags...)
		return
	}
	got, want, kind := make(map[string]bool), make(map[string]bool), "extra"
	if c.asJSON {
		kind = "different"
	}
	for _, d := range runBack(t, target, exit.Differences, "verify redis-to-mongo", uri, flags...).Differences {
		if d.Type != kind {
			t.Errorf("%+v", d)
		}
		got[fmt.Sprintf("%s %s %q", d.Kind, d.User, d.Field)] = true
	}
	for what, value := range was {
		kind, rest, _ := strings.Cut(what, " ")
		user, _, _ := strings.Cut(rest, " ")
		if _, there := filled.hashes["lanyard_kv:"+user]; kind == "kv" && there && !isText(value) && !lost[what] {
			want[what] = true
		}
	}
	if d := cmp.Diff(want, got); d != "" || len(want) == 0 {
		t.Errorf("values that are no text (-want +got):\n%s", shortened(d))
	}
}
