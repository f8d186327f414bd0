package yardstick

import (
	"context"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// forkPrefixes are the prefixes of Redis keys, the collections that their values go to, and the fields that take them.
var forkPrefixes = []struct{ prefix, collection, field string }{
	{"lanyard:user_kv:", "kv", "kv"},
	{"lanyard_kv:", "kv", "kv"},
	{"user_api_key:", "api_keys", "key"},
	{"lanyard:user_last_seen:", "last_seen", "timestamp"},
	{"lanyard_last_seen:", "last_seen", "timestamp"},
	{"lanyard:user_monitoring_since:", "monitoring", "since"},
	{"user_monitoring_since:", "monitoring", "since"},
	{"monitoring:", "monitoring", "since"},
}

// forksWay migrates as the fork's own migration does: one KEYS, then for each key a round trip to read it, and one for an
// upsert by user_id, of which no index is made.
func forksWay(ctx context.Context, cache *goredis.Client, db *mongo.Database) (count int, err error) {
	keys, err := cache.Keys(ctx, "*").Result()
	if err != nil {
		return 0, fmt.Errorf("list the keys: %w", err)
	}
	for _, key := range keys {
		for _, p := range forkPrefixes {
			user, ok := strings.CutPrefix(key, p.prefix)
			if !ok {
				continue
			}
			var value any
			if isHash(key) {
				value, err = cache.HGetAll(ctx, key).Result()
			} else {
				value, err = cache.Get(ctx, key).Result()
			}
			if err != nil {
				return 0, fmt.Errorf("read a key: %w", err)
			}
			set := bson.D{{Key: p.field, Value: value}, {Key: "updated_at", Value: time.Now()}}
			_, err = db.Collection(p.collection).UpdateOne(ctx, bson.D{{Key: "user_id", Value: user}},
				bson.D{{Key: "$set", Value: set}}, options.UpdateOne().SetUpsert(true))
			if err != nil {
				return 0, fmt.Errorf("upsert into %s: %w", p.collection, err)
			}
			count++
		}
	}
	return count, nil
}
