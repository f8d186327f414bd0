package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// UpdatePairs implements [record.Persistence].
func (p *Persistence) UpdatePairs(
	ctx context.Context, app record.App, user record.UserID, decide func(record.Entry) (record.PairChange, error),
) (changed []string, err error) {
	own, other := layout.ForkKV, layout.UpstreamKV
	if app == record.Upstream {
		own, other = other, own
	}
	for _, l := range []layout.Layout{own, other} {
		key := keyOf(l, user)
		wrote, err := p.store.update(ctx, "change key-value pairs in redis", step{keys: []string{key}, decide: func(ctx context.Context, held lookups) (writes, error) {
			return decidePairs(ctx, held, key, l == own, decide)
		}})
		if err != nil {
			return changed, err
		}
		if wrote {
			changed = append(changed, key)
		}
	}
	return changed, nil
}

// decidePairs asks what becomes of the pairs of one key. A key that is made where there is none is the app's own.
func decidePairs(
	ctx context.Context, held lookups, key string, own bool, decide func(record.Entry) (record.PairChange, error),
) (writes, error) {
	founds, err := held.read(ctx, key)
	if err != nil {
		return nil, err
	}
	entry, exists := founds[0].Entry()
	if !exists && !own {
		return nil, nil
	}
	change, err := decide(entry)
	if err != nil {
		return nil, asOwn(err)
	}
	change = missing(change, entry.Fields, founds[0].Hash)
	if change.Empty() {
		return nil, nil
	}
	pairs, err := encode(founds[0].Layout, change.Set)
	if err != nil {
		return nil, asOwn(err)
	}
	return func(ctx context.Context, pipe goredis.Pipeliner) {
		if len(pairs) > 0 {
			pipe.HSet(ctx, key, pairs...)
		}
		if len(change.Unset) > 0 {
			pipe.HDel(ctx, key, change.Unset...)
		}
	}, nil
}

// missing returns what of the change is not so already.
func missing(c record.PairChange, held map[string]record.Value, texts map[string]string) record.PairChange {
	var left record.PairChange
	for name, v := range c.Set {
		if is, exists := held[name]; exists && record.Equal(is, v) {
			continue
		}
		if left.Set == nil {
			left.Set = make(map[string]record.Value)
		}
		left.Set[name] = v
	}
	for _, name := range c.Unset {
		if _, exists := texts[name]; exists {
			left.Unset = append(left.Unset, name)
		}
	}
	return left
}

// encode returns the fields' names and texts in turn.
func encode(l layout.Layout, fields map[string]record.Value) ([]any, error) {
	var list []any
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		text, err := l.Encode(fields[name])
		if err != nil {
			return nil, fmt.Errorf("the field %q cannot be written to redis: %w", name, err)
		}
		list = append(list, name, text)
	}
	return list, nil
}

// asOwn returns err as one that comes back as it is.
func asOwn(err error) error {
	if err == nil {
		return nil
	}
	return ownError{err}
}
