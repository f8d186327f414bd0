package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
)

// writtenTo is a user whom a Lanyard writes to while a run fills its Redis.
const (
	writtenTo = "94490510688792577"
	liveKey   = "lnyd_00000000000000000000000011111111"
)

// writeAsLanyard regenerates the user's API key and writes a field of theirs, in both layouts, and when they were seen.
func (h *history) writeAsLanyard() {
	ctx := context.Background()
	do := func(key string, args ...any) {
		if err := h.of(key).Do(ctx, args...).Err(); err != nil {
			h.t.Error(err)
		}
	}
	current := "user_api_key:" + writtenTo
	old := "api_key:" + h.of(current).Get(ctx, current).Val()
	do(old, "DEL", old)
	if len(h.direct) == 1 {
		do(current, "MSET", current, liveKey, "api_key:"+liveKey, writtenTo)
	} else {
		do(current, "SET", current, liveKey)
		do("api_key:"+liveKey, "SET", "api_key:"+liveKey, writtenTo)
	}
	do("lanyard:user_kv:"+writtenTo, "HSET", "lanyard:user_kv:"+writtenTo, "changes", `"live"`)
	do("lanyard_kv:"+writtenTo, "HSET", "lanyard_kv:"+writtenTo, "changes", "live")
	for _, prefix := range []string{"lanyard:user_last_seen:", "lanyard_last_seen:"} {
		do(prefix+writtenTo, "SET", prefix+writtenTo, "1700000009999")
	}
}

// TestWhatALanyardWritesMeanwhileStays has a Lanyard write to the target just before each command by which a run changes
// something arrives there, after the run has looked. What it wrote is there in the end, and the next run names it.
func TestWhatALanyardWritesMeanwhileStays(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, cluster bool) {
		h, step := newHistory(t, cluster, 3), 1
		if os.Getenv(killsVariable) == "" {
			step = map[bool]int{false: 2, true: 9}[cluster]
		}
		for m := range 2 { // an empty Redis, and one that is filled already
			for nth := 1; nth <= h.writes[m]; nth += step {
				when := fmt.Sprintf("moment %d, before write %d", m, nth)
				h.put(t, h.states[m])
				var met atomic.Bool
				h.reset(func(n int, c redisproxy.Command) func() {
					if n == nth {
						met.Store(true)
						return h.writeAsLanyard
					}
					return nil
				}, nil)
				check := func(when string) {
					t.Helper()
					now := h.read()
					for key, want := range map[string]string{
						"user_api_key:" + writtenTo: liveKey, "api_key:" + liveKey: writtenTo,
						"lanyard:user_last_seen:" + writtenTo: "1700000009999", "lanyard_last_seen:" + writtenTo: "1700000009999",
					} {
						if now.texts[key] != want {
							t.Errorf("%s: %s is %q, want %q", when, key, now.texts[key], want)
						}
					}
					for key, want := range map[string]string{"lanyard:user_kv:" + writtenTo: `"live"`, "lanyard_kv:" + writtenTo: "live"} {
						if fields := now.hashes[key]; fields["changes"] != want || fields["same"] == "" {
							t.Errorf("%s: %s is %q", when, key, fields)
						}
					}
					if users := append(now.authenticatedTwice(), now.twoKeys()...); len(users) > 0 {
						t.Errorf("%s: other keys than the current one authenticate %v", when, users)
					}
				}
				code, said := migrateHere(t.Context(), t, h.at[m], h.uri)
				if code != exit.Done && code != exit.Rejects {
					t.Fatalf("%s: exit %d: %s", when, code, said)
				}
				if !met.Load() && nth > 1 { // this run took fewer writes than the one that counted them
					continue
				}
				check(when)
				h.reset(nil, nil)
				rejects := filepath.Join(t.TempDir(), "rejects")
				code, said = migrateHere(t.Context(), t, h.at[m], h.uri, "--rejects", rejects)
				if named := rejectsNamed(t, rejects); code != exit.Rejects || !named["api_keys "+writtenTo] || !named[fmt.Sprintf("kv %s %q", writtenTo, "changes")] || len(named) != 4 {
					t.Errorf("%s: the next run: exit %d, it names %v: %s", when, code, named, said)
				}
				check(when + ", the next run")
			}
		}
	})
}
