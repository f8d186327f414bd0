package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// Announce implements [record.Announcer]. A message whose answer was lost is published again. In a Cluster, where a
// transaction has one slot, the fork's pairs alone are watched where there are any, else upstream's.
func (p *Persistence) Announce(
	ctx context.Context, user record.UserID, message func(context.Context) ([]byte, error),
) (listeners int64, err error) {
	keys := []string{keyOf(layout.ForkKV, user), keyOf(layout.UpstreamKV, user)}
	if !p.store.single {
		n, err := p.store.lookups().countExisting(ctx, keys[:1])
		if err != nil {
			return 0, err
		}
		keys = keys[1-n : 2-n]
	}
	var published *goredis.IntCmd
	_, err = p.store.update(ctx, "publish on "+layout.Channel+" of redis", step{keys: keys, decide: func(ctx context.Context, _ lookups) (writes, error) {
		text, err := message(ctx)
		if err != nil {
			return nil, asOwn(err)
		}
		return func(ctx context.Context, pipe goredis.Pipeliner) {
			published = pipe.Publish(ctx, layout.Channel, text)
		}, nil
	}})
	if err != nil {
		return 0, err
	}
	return published.Val(), nil
}
