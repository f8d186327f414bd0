package persistence_test

import (
	"context"
	"errors"
	"testing"

	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

const user record.UserID = 94490510688792576

// errKilled is what a store answers once the process counts as killed.
var errKilled = errors.New("killed")

// killer counts the changing calls to all stores, and ends them at one of them.
type killer struct {
	at    int  // the call, from 1; zero for none
	after bool // the call is carried out, though nobody hears of it
	calls int
	dead  bool
	check func() // after each call that is carried out

	before func(call int) // before each
}

// do carries a call out, unless the process counts as killed.
func (k *killer) do(call func() error) error {
	if k == nil {
		return call()
	}
	if k.dead {
		return errKilled
	}
	k.calls++
	if k.before != nil {
		k.before(k.calls)
	}
	k.dead = k.calls == k.at
	if k.dead && !k.after {
		return errKilled
	}
	err := call()
	if k.check != nil {
		k.check()
	}
	if k.dead {
		return errKilled
	}
	return err
}

// store is a store in memory whose changes a killer counts.
type store struct {
	*mem.Persistence
	kill *killer
}

func (s store) UpdatePairs(ctx context.Context, app record.App, user record.UserID, decide func(record.Entry) (record.PairChange, error)) (changed []string, err error) {
	err = s.kill.do(func() error {
		changed, err = s.Persistence.UpdatePairs(ctx, app, user, decide)
		return err
	})
	return changed, err
}

func (s store) RevokeAPIKeys(ctx context.Context, user record.UserID, keys []string, keepTrace bool) error {
	return s.kill.do(func() error { return s.Persistence.RevokeAPIKeys(ctx, user, keys, keepTrace) })
}

func (s store) GiveAPIKey(ctx context.Context, app record.App, user record.UserID, key string) (given bool, err error) {
	err = s.kill.do(func() error {
		given, err = s.Persistence.GiveAPIKey(ctx, app, user, key)
		return err
	})
	return given, err
}

// world is a layer over two stores in memory.
type world struct {
	*persistence.Layer
	kill         *killer
	redis, mongo store
}

func newWorld(app record.App) *world { return worldWith(app, new(killer)) }

// worldWith returns a world for several goroutines where there is no killer.
func worldWith(app record.App, k *killer) *world {
	w := &world{kill: k}
	w.redis, w.mongo = store{new(mem.Persistence), k}, store{new(mem.Persistence), k}
	w.Layer = persistence.New(app, &persistence.Store{Name: "Redis", Persistence: w.redis}, &persistence.Store{Name: "MongoDB", Persistence: w.mongo})
	return w
}

// keys returns the distinct API keys that authenticate the user in any store.
func (w *world) keys(t *testing.T) map[string]bool {
	t.Helper()
	keys := make(map[string]bool)
	for _, s := range []store{w.redis, w.mongo} {
		entries, err := s.FindAPIKeys(context.Background(), user)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Authenticates {
				keys[e.APIKey] = true
			}
		}
	}
	return keys
}

func pairsOf(t *testing.T, s record.Persistence) map[string]record.Value {
	t.Helper()
	entries, err := s.Entries(t.Context(), record.KV, user)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		return nil
	}
	return entries[0].Fields
}
