package churn

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// UserID returns the id of the nth user.
func UserID(n int) string { return strconv.FormatUint(94490510688792576+uint64(n)<<23, 10) }

// user returns one of the users: in half of the cases one of the first hundredth.
func (w *Writer) user() int {
	users := w.opts.Users
	if w.random.IntN(2) == 0 {
		users = max(1, users/100)
	}
	return w.random.IntN(users)
}

// chances are how often of 1,000 each thing is done.
var chances = []struct {
	of  int
	act func(*Writer, context.Context, goredis.Pipeliner, int)
}{
	{220, (*Writer).setUpstream},
	{60, (*Writer).removeUpstream},
	{190, (*Writer).setFork},
	{50, (*Writer).removeFork},
	{200, (*Writer).seen},
	{60, (*Writer).monitored},
	{80, (*Writer).rotate},
	{20, (*Writer).revoke},
	{25, (*Writer).expire},
	{15, (*Writer).count},
	{60, (*Writer).foreign},
	{10, (*Writer).elsewhere},
	{10, (*Writer).reject},
}

// act does one thing to a user, and reports whether the user's API key was touched.
func (w *Writer) act(ctx context.Context, pipe goredis.Pipeliner, user int) bool {
	w.made++
	before := w.keys[user]
	at := w.random.IntN(1000)
	for _, c := range chances {
		if at -= c.of; at < 0 {
			c.act(w, ctx, pipe, user)
			break
		}
	}
	return w.keys[user] != before
}

// field returns the name of a field of which users have some.
func (w *Writer) field() string {
	return []string{"location", "mood", "github", "spotify", "timezone", "Pronouns", "x", "y", "status_2", "monitoring_since", ""}[w.random.IntN(11)]
}

// text returns a value as people write them.
func (w *Writer) text() string {
	switch n := w.random.IntN(100); {
	case n < 3:
		return ""
	case n < 10:
		return strconv.Itoa(w.random.IntN(1_000_000))
	case n < 15:
		return `{"a": [1, true, null], "b": "` + strconv.Itoa(n) + `"}`
	case n < 20:
		return "Zürich 😀 имя\n" + strconv.Itoa(w.random.IntN(1000))
	case n < 22:
		return strings.Repeat("a longer text, as some are ", 80) + strconv.Itoa(w.random.IntN(1000))
	}
	return fmt.Sprintf("value %x", w.random.Uint32())
}

func (w *Writer) setUpstream(ctx context.Context, pipe goredis.Pipeliner, user int) {
	pipe.HSet(ctx, "lanyard_kv:"+UserID(user), w.field(), w.text())
}

func (w *Writer) removeUpstream(ctx context.Context, pipe goredis.Pipeliner, user int) {
	w.remove(ctx, pipe, "lanyard_kv:"+UserID(user))
}

func (w *Writer) setFork(ctx context.Context, pipe goredis.Pipeliner, user int) {
	value := strconv.Quote("fork " + strconv.Itoa(w.random.IntN(1_000_000)))
	switch w.random.IntN(12) {
	case 0:
		value = strconv.Itoa(w.random.IntN(1_000_000))
	case 1:
		value = "true"
	case 2:
		value = `["a", 1, {"b": null}]`
	case 3:
		value = strconv.Itoa(w.random.IntN(1000)) + ".5"
	case 4:
		value = "not JSON"
	}
	pipe.HSet(ctx, "lanyard:user_kv:"+UserID(w.ofFork(user)), w.field(), value)
}

func (w *Writer) removeFork(ctx context.Context, pipe goredis.Pipeliner, user int) {
	w.remove(ctx, pipe, "lanyard:user_kv:"+UserID(w.ofFork(user)))
}

// ofFork returns a user who comes by a fork: one in three of them, and seldom another.
func (w *Writer) ofFork(user int) int {
	if fork := user - user%3; w.random.IntN(10) > 0 {
		return fork
	}
	return user
}

// remove removes a field, or all of them.
func (w *Writer) remove(ctx context.Context, pipe goredis.Pipeliner, key string) {
	if w.random.IntN(5) == 0 {
		pipe.Del(ctx, key)
		return
	}
	pipe.HDel(ctx, key, w.field())
}

// seen is what happens when a user goes offline.
func (w *Writer) seen(ctx context.Context, pipe goredis.Pipeliner, user int) {
	at := 1_720_000_000_000 + w.made
	if w.opts.Backwards && w.random.IntN(3) == 0 {
		at -= w.random.Int64N(1_000_000_000)
	}
	pipe.Set(ctx, seenKey(user), at, 0)
}

func seenKey(user int) string {
	return []string{"lanyard_last_seen:", "lanyard:user_last_seen:"}[user%2] + UserID(user)
}

// monitored is what happens when a user is seen for the first time, or again after the Redis has lost the date.
func (w *Writer) monitored(ctx context.Context, pipe goredis.Pipeliner, user int) {
	since := 1_660_000_000 + w.made/1000
	switch n := w.random.IntN(20); {
	case w.opts.Backwards && n < 5:
		pipe.Set(ctx, "lanyard:user_monitoring_since:"+UserID(user), since-w.random.Int64N(1_000_000), 0)
	case w.opts.Backwards && n < 7:
		pipe.Del(ctx, "lanyard:user_monitoring_since:"+UserID(user))
	case user%10 == 0: // an older fork, which has always written the same
		pipe.Set(ctx, "user_monitoring_since:"+UserID(user), 1_650_000_000+user, 0)
	case user%10 == 1:
		pipe.Set(ctx, "monitoring:"+UserID(user), 1_640_000_000+user, 0)
	default:
		pipe.SetNX(ctx, "lanyard:user_monitoring_since:"+UserID(user), since, 0)
	}
}

// rotate is what upstream does for `.apikey`.
func (w *Writer) rotate(ctx context.Context, pipe goredis.Pipeliner, user int) {
	w.learn(ctx, user)
	id, key := UserID(user), fmt.Sprintf("%016x%016x", w.random.Uint64(), w.random.Uint64())
	if w.random.IntN(3) > 0 {
		key = "lnyd_" + key
	}
	if old := w.keys[user]; old != "" {
		pipe.Del(ctx, "api_key:"+old)
	}
	if w.cluster {
		pipe.Set(ctx, "api_key:"+key, id, 0)
		pipe.Set(ctx, "user_api_key:"+id, key, 0)
	} else {
		pipe.MSet(ctx, "api_key:"+key, id, "user_api_key:"+id, key)
	}
	w.keys[user] = key
}

func (w *Writer) revoke(ctx context.Context, pipe goredis.Pipeliner, user int) {
	w.learn(ctx, user)
	if w.keys[user] == "" {
		return
	}
	pipe.Del(ctx, "api_key:"+w.keys[user])
	pipe.Del(ctx, "user_api_key:"+UserID(user))
	w.keys[user] = ""
}

// learn reads a user's API key where a failure has left it open. Upstream does that each time.
func (w *Writer) learn(ctx context.Context, user int) {
	if !w.unsure[user] {
		return
	}
	key, err := w.opts.Client.Get(ctx, "user_api_key:"+UserID(user)).Result()
	switch {
	case err == nil:
		w.keys[user] = key
	case err == goredis.Nil:
		w.keys[user] = ""
	default:
		return // for the next time
	}
	w.unsure[user] = false
}

func (w *Writer) expire(ctx context.Context, pipe goredis.Pipeliner, user int) {
	key := []string{"lanyard_kv:", "lanyard:user_kv:", "lanyard_last_seen:", "monitoring:"}[w.random.IntN(4)]
	pipe.PExpire(ctx, key+UserID(user), time.Duration(w.random.IntN(2000))*time.Millisecond)
}

// count is what the fork does every minute.
func (w *Writer) count(ctx context.Context, pipe goredis.Pipeliner, _ int) {
	for i := range w.counters {
		w.counters[i] += w.random.Int64N(100)
	}
	w.putCounters(ctx, pipe)
}

func (w *Writer) putCounters(ctx context.Context, pipe goredis.Pipeliner) {
	var pairs []any
	for i, name := range []string{
		"messages_outbound", "messages_inbound", "presence_updates", "2xx_responses", "4xx_responses", "5xx_responses", "discord_messages_sent",
	} {
		value := strconv.FormatInt(w.counters[i], 10)
		if i%3 == 0 {
			value += ".0"
		}
		pairs = append(pairs, "lanyard_"+name, value)
	}
	pipe.HSet(ctx, "lanyard:metrics_v1", pairs...)
}

// foreign writes what is another application's.
func (w *Writer) foreign(ctx context.Context, pipe goredis.Pipeliner, user int) {
	n := strconv.Itoa(w.random.IntN(w.opts.Users))
	switch w.random.IntN(6) {
	case 0:
		pipe.Set(ctx, "presence:"+n, "online", time.Minute)
	case 1:
		pipe.HSet(ctx, "session:"+n, "user", UserID(user), "at", w.made)
	case 2:
		pipe.Set(ctx, "api_key:app-"+n, "somebody", 0)
	case 3:
		pipe.Set(ctx, "monitoring:host-"+n, "up", 0)
	case 4:
		pipe.Del(ctx, "session:"+n)
	case 5:
		pipe.Del(ctx, "api_key:app-"+n)
	}
}

// elsewhere writes to another db what has the name of a key here. It costs a round trip.
func (w *Writer) elsewhere(ctx context.Context, _ goredis.Pipeliner, user int) {
	if w.opts.Other != nil {
		_ = w.opts.Other.HSet(ctx, "lanyard_kv:"+UserID(user), "location", "another db").Err() // nobody needs it
	}
}

// reject writes what cannot be migrated, where something else is likely to take its place.
func (w *Writer) reject(ctx context.Context, pipe goredis.Pipeliner, user int) {
	if !w.opts.Rejects {
		return
	}
	id := UserID(user)
	switch w.random.IntN(5) {
	case 0:
		pipe.HSet(ctx, "lanyard_kv:"+id, w.field(), "\xff\xfe no text")
	case 1:
		pipe.HSet(ctx, "lanyard:user_kv:"+UserID(w.ofFork(user)), w.field(), "1e999")
	case 2:
		pipe.Set(ctx, seenKey(user), "never", 0)
	case 3:
		pipe.Set(ctx, "lanyard:user_monitoring_since:"+id, "nil", time.Second) // nothing else would replace it
	case 4:
		pipe.Set(ctx, "user_api_key:"+id, "lnyd_00000000000000000000000000000000", 0)
	}
}
