package yardstick

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// readyKey are the words of the command that writes a key.
type readyKey []any

// collect empties the Redis and returns the keys of Lanyard's that it held.
func collect(ctx context.Context, client *goredis.Client) ([]readyKey, error) {
	const page = 1000
	var ready []readyKey
	for cursor := uint64(0); ; {
		keys, next, err := client.Scan(ctx, cursor, "", page).Result()
		if err != nil {
			return nil, fmt.Errorf("scan redis: %w", err)
		}
		keys = slices.DeleteFunc(keys, func(key string) bool { return strings.HasPrefix(key, "lanyardctl:") })
		held, err := client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
			for _, key := range keys {
				if isHash(key) {
					pipe.HGetAll(ctx, key)
				} else {
					pipe.Get(ctx, key)
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read redis: %w", err)
		}
		for i, key := range keys {
			switch held := held[i].(type) {
			case *goredis.MapStringStringCmd:
				words := readyKey{"hset", key}
				for name, value := range held.Val() {
					words = append(words, name, value)
				}
				ready = append(ready, words)
			case *goredis.StringCmd:
				ready = append(ready, readyKey{"set", key, held.Val()})
			}
		}
		if cursor = next; cursor == 0 {
			return ready, client.FlushAll(ctx).Err()
		}
	}
}

// refill writes the keys: in pipelines, over four connections.
func refill(ctx context.Context, client *goredis.Client, ready []readyKey) (int, error) {
	const batch, connections = 1000, 4
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(connections)
	var count atomic.Int64
	for first := 0; first < len(ready); first += batch {
		group.Go(func() error {
			some := ready[first:min(first+batch, len(ready))]
			_, err := client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
				for _, words := range some {
					pipe.Do(ctx, words...)
				}
				return nil
			})
			count.Add(int64(len(some)))
			return err
		})
	}
	err := group.Wait()
	return int(count.Load()), err
}

// ServerCPU returns the CPU time that a Redis has taken, in seconds.
func ServerCPU(ctx context.Context, client *goredis.Client) (float64, error) {
	text, err := client.Info(ctx, "cpu").Result()
	if err != nil {
		return 0, fmt.Errorf("ask for the CPU time of redis: %w", err)
	}
	total := 0.0
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return 0, fmt.Errorf("the CPU time of redis: %w", err)
			}
			total += seconds
		}
	}
	return total, nil
}
