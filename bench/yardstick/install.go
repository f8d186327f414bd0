package yardstick

import (
	"context"
	"fmt"
	"strconv"

	goredis "github.com/redis/go-redis/v9"
)

// Size is what an install of some users holds.
type Size struct {
	Users     int `json:"users"`
	Keys      int `json:"keys"`      // in Redis
	Documents int `json:"documents"` // that become of them in MongoDB
}

// Fill fills the Redis with an ordinary install: 3.69 keys and 2.71 documents a user, most in the fork's layout, many in
// upstream's, and some in both. The same number of users always gives the same keys.
func Fill(ctx context.Context, client *goredis.Client, users int) (Size, error) {
	const batch = 1000
	size := Size{Users: users}
	for first := 0; first < users; first += batch {
		pipe := client.Pipeline()
		for n := first; n < min(first+batch, users); n++ {
			size.Documents += addUser(ctx, pipe, n)
		}
		size.Keys += pipe.Len()
		if _, err := pipe.Exec(ctx); err != nil {
			return size, fmt.Errorf("fill redis: %w", err)
		}
	}
	if err := client.HSet(ctx, "lanyard:metrics_v1", "lanyard_messages_outbound", "12", "lanyard_messages_inbound", "12.0").Err(); err != nil {
		return size, fmt.Errorf("fill redis: %w", err)
	}
	size.Keys++
	size.Documents++
	return size, nil
}

// addUser adds the keys of a user, and returns the number of documents that become of them.
func addUser(ctx context.Context, pipe goredis.Pipeliner, n int) (documents int) {
	// Each kind is dealt by other bits of a number that looks random.
	random := mix(uint64(n))
	percent := func(kind int) int { return int(random >> (16 * kind) & 0xffff * 100 >> 16) }
	id := strconv.FormatUint(94490510688792576+mix(uint64(n))%900000000000000000, 10)

	fork, upstream := "lanyard:user_kv:"+id, "lanyard_kv:"+id
	switch p := percent(0); {
	case p < 28:
		pipe.HSet(ctx, fork, "location", strconv.Quote("Berlin "+id[:3]), "mood", `"ok"`, "spotify", `"some longer text about what is heard"`)
	case p < 55:
		pipe.HSet(ctx, upstream, "location", "Berlin "+id[:3], "mood", "ok", "github", "https://github.com/"+id, "x", "7")
	case p < 60:
		pipe.HSet(ctx, fork, "location", strconv.Quote("Berlin "+id[:3]))
		pipe.HSet(ctx, upstream, "location", "Paris", "x", "7")
	}
	seen := 1720000000000 + int64(n)
	switch p := percent(1); {
	case p < 45:
		pipe.Set(ctx, "lanyard:user_last_seen:"+id, seen, 0)
	case p < 67:
		pipe.Set(ctx, "lanyard_last_seen:"+id, seen, 0)
	case p < 70:
		pipe.Set(ctx, "lanyard:user_last_seen:"+id, seen, 0)
		pipe.Set(ctx, "lanyard_last_seen:"+id, seen-1000, 0)
	}
	since := 1660000000 + n%1000000
	switch p := percent(2); {
	case p < 45:
		pipe.Set(ctx, "lanyard:user_monitoring_since:"+id, since, 0)
	case p < 47:
		pipe.Set(ctx, "user_monitoring_since:"+id, since, 0)
	case p < 51:
		pipe.Set(ctx, "monitoring:"+id, since, 0)
	}
	hasKey := percent(3) < 90
	if hasKey {
		key := fmt.Sprintf("lnyd_%016x%016x", random, mix(random))
		pipe.Set(ctx, "api_key:"+key, id, 0)
		pipe.Set(ctx, "user_api_key:"+id, key, 0)
	}
	for _, has := range []bool{percent(0) < 60, percent(1) < 70, percent(2) < 51, hasKey} {
		if has {
			documents++
		}
	}
	return documents
}

// mix is splitmix64: different numbers give different ones that look random.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
