package main

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/churn"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// inRedis returns what the Redis holds of users, by collection and user, read without a line of lanyardctl's.
func (n naive) inRedis(users int) map[string]map[string]any {
	all := map[string]map[string]any{"kv": {}, "last_seen": {}, "monitoring": {}, "api_keys": {}}
	for i := range users {
		id := churn.UserID(i)
		pairs := make(map[string]any)
		for name, text := range n.hash("lanyard_kv:" + id) {
			pairs[name] = text
		}
		for name, text := range n.hash("lanyard:user_kv:" + id) {
			var v any
			if json.Unmarshal([]byte(text), &v) != nil {
				v = text
			}
			pairs[name] = v
		}
		if len(pairs) > 0 {
			all["kv"][id] = pairs
		}
		for collection, prefixes := range map[string][]string{
			"last_seen":  {"lanyard:user_last_seen:", "lanyard_last_seen:"},
			"monitoring": {"lanyard:user_monitoring_since:", "user_monitoring_since:", "monitoring:"},
			"api_keys":   {"user_api_key:"},
		} {
			for _, prefix := range prefixes {
				text, ok := n.text(prefix + id)
				if before := all[collection][id]; ok && (before == nil || collection == "monitoring" && text < before.(string)) {
					all[collection][id] = text // the first one, and the earliest date
				}
			}
		}
	}
	return all
}

// inMongo returns the same of the database.
func (n naive) inMongo() map[string]map[string]any {
	all := make(map[string]map[string]any)
	for collection, field := range map[string]string{"kv": "kv", "last_seen": "timestamp", "monitoring": "since", "api_keys": "key"} {
		all[collection] = make(map[string]any)
		cursor, err := n.db.Collection(collection).Find(context.Background(), bson.D{})
		if err != nil {
			n.t.Fatal(err)
		}
		var documents []bson.M
		if err := cursor.All(context.Background(), &documents); err != nil {
			n.t.Fatal(err)
		}
		for _, doc := range documents {
			id, value := fmt.Sprint(doc["user_id"]), plainJSON(doc[field])
			if all[collection][id] != nil {
				n.t.Errorf("two documents of a user in %s", collection)
			}
			if number, ok := value.(float64); ok {
				value = fmt.Sprintf("%.0f", number)
			}
			all[collection][id] = value
		}
	}
	return all
}

// TestTheSwitch stops a Lanyard's writes and asks when MongoDB may take its place: with the mirror left running, and with
// it ended before.
func TestTheSwitch(t *testing.T) {
	t.Parallel()
	for _, ended := range []bool{false, true} {
		t.Run(fmt.Sprint("sync ended: ", ended), func(t *testing.T) {
			t.Parallel()
			const users = 150
			redis, target := redisserver.Start(t), mongoserver.New(t)
			w := startWriter(t, churnClient(t, redis.URI, false), churn.Options{Seed: 3, Users: users, Rate: 200, Backwards: true})
			s := startSync(t, redis.URI, target)
			s.untilReady()
			s.written(w, 200)
			finish(t, w)
			stopped := time.Now()
			if ended {
				s.stop()
			}
			code, _, all := runCommand(t, target, "sync", "--redis", redis.URI, "--until-caught-up", "--timeout", "2m", "--progress", "none")
			t.Logf("%s after the last write\n%s", time.Since(stopped).Round(time.Millisecond), all)
			if code != exit.Done || !regexp.MustCompile(`(?i)stood still`).MatchString(all) {
				t.Errorf("exit %d", code)
			}
			waitUntil(t, "keys to expire", func() bool { // they have two seconds at most
				return !redisHasExpiring(t, redis, users)
			})
			n := naive{t, redisClient(t, redis.URI), target.Connect(t)}
			want := n.inRedis(users)
			if !ended {
				s.untilAgrees(redis.URI, target) // what has just expired
			} else if code, _, all := runCommand(t, target, "sync", "--redis", redis.URI, "--until-caught-up"); code != exit.Done {
				t.Errorf("once more: exit %d\n%s", code, all)
			}
			if diff := cmp.Diff(want, n.inMongo()); diff != "" {
				t.Errorf("Redis has, and MongoDB has:\n%s", diff)
			}
		})
	}
}

// redisHasExpiring tells whether a key of a user expires.
func redisHasExpiring(t *testing.T, redis *redisserver.Server, users int) bool {
	t.Helper()
	c := redisClient(t, redis.URI)
	for i := range users {
		for _, prefix := range []string{"lanyard_kv:", "lanyard:user_kv:", "lanyard_last_seen:", "monitoring:"} {
			if c.PTTL(t.Context(), prefix+churn.UserID(i)).Val() >= 0 {
				return true
			}
		}
	}
	return false
}

// written waits until the writer has made so many more writes.
func (s *syncing) written(w *churn.Writer, more int64) {
	s.t.Helper()
	from := w.Written()
	waitUntil(s.t, "writes", func() bool {
		s.runs()
		return w.Written() >= from+more
	})
}

// TestNobodyIsToldToSwitchToATargetThatIsAway has a target that answers nothing, and one that refuses.
func TestNobodyIsToldToSwitchToATargetThatIsAway(t *testing.T) {
	t.Parallel()
	redis, target := redisserver.Start(t), ferretdb.Start(t)
	fillRedis(t, redis.URI, 20)
	for name, away := range map[string]func(*storetest.Proxy){
		"silent": func(p *storetest.Proxy) { p.Silence(true) }, "refuses": func(p *storetest.Proxy) { p.Refuse(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			front := storetest.NewProxy(t, hostOf(t, target.URI))
			away(front)
			behind := (&mongoserver.Server{URI: "mongodb://" + front.Addr}).Database(t)
			code, _, all := runCommand(t, behind, "sync", "--redis", redis.URI, "--until-caught-up", "--timeout", "2s")
			if code != exit.Failed {
				t.Errorf("exit %d\n%s", code, all)
			}
		})
	}
}

// TestAnotherMirrorTakesOver kills the one that works while another one waits, and a Lanyard writes.
func TestAnotherMirrorTakesOver(t *testing.T) {
	t.Parallel()
	redis, target := redisserver.Start(t), mongoserver.New(t)
	w := startWriter(t, churnClient(t, redis.URI, false), churn.Options{Seed: 4, Users: 150, Rate: 100, Rejects: true})
	first := startSync(t, redis.URI, target)
	first.untilReady()
	second := startSync(t, redis.URI, target)
	waitUntil(t, "the second to say that it waits", func() bool {
		second.runs()
		return regexp.MustCompile(`(?i)stand|wait`).MatchString(second.said.String())
	})
	first.written(w, 100)
	if second.ready() {
		t.Error("one that waits says that it has caught up")
	}
	first.kill()
	killed := time.Now()
	second.untilReady()
	took := time.Since(killed)
	t.Logf("the second follows %.1f s after the first was killed\n%s", took.Seconds(), &second.said)
	if took > 30*time.Second {
		t.Errorf("that is long")
	}
	second.written(w, 100)
	finish(t, w)
	t.Logf("the target equals the source %s after the last write", second.untilAgrees(redis.URI, target))
	second.stop()
}
