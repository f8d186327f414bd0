package redis

import (
	"context"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/layout"
)

// Forgotten is how much of what lanyardctl kept for itself was removed.
type Forgotten struct{ Digests, Checkpoints, Leases, Runs int64 }

// Forget removes what lanyardctl keeps in the Redis for itself. Then it takes all that stands there for somebody else's. A dry
// run only counts.
func (s *Store) Forget(ctx context.Context, dryRun bool) (Forgotten, error) {
	var all Forgotten
	keys := []string{layout.Digests, layout.Checkpoints, layout.Leases, layout.Runs, layout.Witnesses}
	counts := []*int64{&all.Digests, &all.Checkpoints, &all.Leases, &all.Runs, new(int64)}
	if !s.single {
		for _, key := range layout.DigestKeys() {
			keys, counts = append(keys, key), append(counts, &all.Digests)
		}
	}
	const atOnce = 1000
	for len(keys) > 0 {
		n := min(len(keys), atOnce)
		var sizes []*goredis.IntCmd
		err := s.pipeline(ctx, "forget what lanyardctl keeps in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
			sizes = sizes[:0]
			for _, key := range keys[:n] {
				sizes = append(sizes, pipe.HLen(ctx, key))
			}
		})
		if err != nil {
			return all, err
		}
		for i, size := range sizes {
			if isWrongType(size.Err()) {
				return all, fmt.Errorf("%s in redis is no hash, so that lanyardctl did not make it: look at it, and delete it yourself", keys[i])
			}
			*counts[i] += size.Val()
		}
		if !dryRun {
			err = s.pipeline(ctx, "forget what lanyardctl keeps in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
				for i, key := range keys[:n] {
					if sizes[i].Val() > 0 {
						pipe.Unlink(ctx, key)
					}
				}
			})
			if err != nil {
				return all, err
			}
		}
		keys, counts = keys[n:], counts[n:]
	}
	return all, nil
}
