package redis_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

func TestPersistenceConforms(t *testing.T) {
	inEach(t, func(t *testing.T, w world) {
		s := open(t, redis.Options{URI: uriOf(w.client), Points: true, RetryFor: 3 * time.Second})
		for _, app := range []record.App{record.Fork, record.Upstream} {
			t.Run(app.String(), func(t *testing.T) {
				storetest.Persistence(t, func(t testing.TB) storetest.PersistenceTarget {
					flush(t, w.client)
					return target(t, w.client, s, app)
				})
			})
		}
	})
}

func flush(t testing.TB, c goredis.UniversalClient) {
	t.Helper()
	empty := func(ctx context.Context, c *goredis.Client) error { return c.FlushAll(ctx).Err() }
	var err error
	switch c := c.(type) {
	case *goredis.ClusterClient:
		err = c.ForEachMaster(context.Background(), empty)
	case *goredis.Client:
		err = empty(context.Background(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// target returns the store, with what the app does by itself.
func target(t testing.TB, c goredis.UniversalClient, s *redis.Store, app record.App) storetest.PersistenceTarget {
	ctx := context.Background()
	pairs, unread, times := layout.ForkKV, record.Kinds(0), map[record.Kind]layout.Layout{
		record.LastSeen: layout.ForkLastSeen, record.MonitoringSince: layout.ForkMonitoringSince,
	}
	if app == record.Upstream {
		pairs, times[record.LastSeen] = layout.UpstreamKV, layout.UpstreamLastSeen
		unread = unread.With(record.MonitoringSince).With(record.Metrics)
	}
	encode := func(l layout.Layout, v record.Value) string {
		text, err := l.Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	fields := func(l layout.Layout, key string) map[string]record.Value {
		e, _ := layout.Found{Key: key, Layout: l, State: layout.Present, Hash: c.HGetAll(ctx, key).Val()}.Entry()
		return e.Fields
	}
	counters := layout.Counters.Key("")
	return storetest.PersistenceTarget{
		Persistence: s.Persistence(), App: app, TextOnly: app == record.Upstream, KeysElsewhere: app == record.Fork, Unread: unread,
		SetPair: func(user record.UserID, name string, v record.Value) {
			fill(t, c, cmd("HSET", pairs.Key(user.String()), name, encode(pairs, v)))
		},
		Pairs: func(user record.UserID) map[string]record.Value { return fields(pairs, pairs.Key(user.String())) },
		SetTime: func(kind record.Kind, user record.UserID, at int64) {
			fill(t, c, cmd("SET", times[kind].Key(user.String()), at))
		},
		SetAPIKey: func(user record.UserID, key string) {
			fill(t, c, cmd("SET", layout.UserAPIKey.Key(user.String()), key), cmd("SET", layout.APIKey.Key(key), user.String()))
		},
		UserOf: func(key string) record.UserID {
			user, _ := record.ParseUserID(c.Get(ctx, layout.APIKey.Key(key)).Val())
			return user
		},
		SetCounters: func(set map[string]record.Value) {
			for name, v := range set {
				fill(t, c, cmd("HSET", counters, name, fmt.Sprint(encode(layout.Counters, v))))
			}
		},
		Counters: func() map[string]record.Value { return fields(layout.Counters, counters) },
	}
}
