package redis

import (
	"context"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// task is what becomes of the keys of one record.
type task interface {
	// keys returns the keys that decide, as far as they are known from what was seen. It is asked again until they all are.
	keys(seen view) []string

	// fresh appends commands that write what none of the keys holds yet. It reports false where that takes a decision.
	fresh(out *commands) bool

	// decide decides by what was seen.
	decide(seen view) decision
}

// decision is what is to be done to the keys of one record.
type decision struct {
	superseded []record.Superseded // kept before anything is done
	changes    []change
	settle     func() // enters what became of it, once that is done

	// given is the API key that the changes give. Where they are not made at once, somebody may give the user another one
	// between them.
	given *pair
}

// change is what is done to one key. Changes come in an order in which a process that is killed between them leaves nothing
// that lets somebody in twice.
type change struct {
	key   string
	apply func(out *commands)
}

// view is what was seen of keys. A key that was not looked at is absent.
type view map[string]layout.Found

func (v view) of(key string) layout.Found {
	if f, ok := v[key]; ok {
		return f
	}
	l, _ := layout.Classify(key)
	return layout.Found{Key: key, Layout: l}
}

// apart returns how many of the tasks have no key in common, as far as they are known from what was seen, at least one.
func apart(tasks []task, seen view) int {
	taken := make(map[string]bool, 2*len(tasks))
	for n, t := range tasks {
		keys := t.keys(seen)
		if slices.ContainsFunc(keys, func(key string) bool { return taken[key] }) {
			return n
		}
		for _, key := range keys {
			taken[key] = true
		}
	}
	return len(tasks)
}

// unseen returns the keys that decide and were not looked at yet.
func unseen(tasks []task, seen view) []string {
	var keys []string
	for _, one := range tasks {
		for _, key := range one.keys(seen) {
			if _, ok := seen[key]; !ok && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// see looks at the keys, and at their marks. With bounded it fails with errTooMany where they hold more than may be held.
func (s *Store) see(ctx context.Context, by lookups, seen view, keys []string, bounded bool) error {
	list := probesOf(keys)
	if err := by.probe(ctx, list, s.info.Expires); err != nil {
		return err
	}
	var size int64
	for _, p := range list {
		size += p.size
	}
	if bounded && size > DefaultBudget {
		return errTooMany
	}
	if err := by.load(ctx, list, DefaultBudget); err != nil {
		return err
	}
	if err := by.marks(ctx, list); err != nil {
		return err
	}
	for _, p := range list {
		seen[p.Key] = p.Found
	}
	return nil
}

// sameContent reports whether a key holds what it did.
func sameContent(a, b layout.Found) bool {
	if a.State != b.State || a.Text != b.Text || a.Mark != b.Mark || len(a.Hash) != len(b.Hash) {
		return false
	}
	for name, raw := range a.Hash {
		if other, ok := b.Hash[name]; !ok || other != raw {
			return false
		}
	}
	return true
}
