package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
)

// TestTheWayBackGoesOnOnlyWhereWhatItWroteIsThere interrupts a run half way. The next one goes on; where what was written is
// gone meanwhile, as a whole or of one kind, it begins anew. Either ends in the same state.
func TestTheWayBackGoesOnOnlyWhereWhatItWroteIsThere(t *testing.T) {
	t.Parallel()
	eachServer(t, func(t *testing.T, cluster bool) {
		h := newHistory(t, cluster, map[bool]int{false: 60, true: 15}[cluster])
		remove := func(gone func(key string) bool) func() {
			return func() {
				all := h.read()
				for _, key := range slices.AppendSeq(slices.Collect(maps.Keys(all.texts)), maps.Keys(all.hashes)) {
					if gone(key) {
						h.of(key).Del(t.Context(), key)
					}
				}
			}
		}
		for _, c := range []struct {
			meanwhile string
			act       func()
			resumed   bool
		}{
			{"nothing happens", func() {}, true},
			{"somebody flushes all", remove(func(string) bool { return true }), false},
			{"somebody removes all but what lanyardctl keeps for itself", remove(func(key string) bool { return !strings.HasPrefix(key, "lanyardctl:") }), false},
			{"somebody removes what was written first", remove(func(key string) bool { return strings.Contains(key, "api_key:") }), false},
			{"somebody forgets what lanyardctl keeps for itself", remove(func(key string) bool { return strings.HasPrefix(key, "lanyardctl:") }), false},
		} {
			h.put(t, plainRedis{})
			ctx, interrupt := context.WithCancel(t.Context())
			half := h.writes[0] / 2
			h.reset(func(n int, _ redisproxy.Command) func() {
				if n == half {
					interrupt()
				}
				return nil
			}, nil)
			if code, said := migrateHere(ctx, t, h.at[0], h.uri); code != exit.Interrupted {
				t.Fatalf("exit %d: %s", code, said)
			}
			interrupt()
			h.reset(nil, nil)
			c.act()
			code, said := migrateHere(t.Context(), t, h.at[0], h.uri)
			if code != exit.Done || strings.Contains(said, `"resumed": true`) != c.resumed {
				t.Errorf("%s: exit %d, resumed should be %v: %s", c.meanwhile, code, c.resumed, said)
			}
			now, want := h.read(), h.states[1]
			if strings.Contains(c.meanwhile, "forgets") { // what was there is somebody else's
				now, want = now.ofLanyard(), want.ofLanyard()
			}
			if d := cmp.Diff(want.kept(), now.kept(), cmp.AllowUnexported(plainRedis{})); d != "" {
				t.Errorf("%s (-want +got):\n%s", c.meanwhile, shortened(d))
			}
		}
	})
}
