package yardstick

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// isHash tells the type of a key of Lanyard's by its name.
func isHash(key string) bool {
	return strings.HasPrefix(key, "lanyard:user_kv:") || strings.HasPrefix(key, "lanyard_kv:") || key == "lanyard:metrics_v1"
}

// scan reads all keys and values once: one SCAN loop, with the values of four pages under way, each in a pipeline.
func scan(ctx context.Context, client *goredis.Client) (int, error) {
	const page, ahead = 1000, 4
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(ahead)
	var count atomic.Int64
	for cursor := uint64(0); ; {
		keys, next, err := client.Scan(ctx, cursor, "", page).Result()
		if err != nil {
			_ = group.Wait() // the error of the SCAN is told
			return 0, fmt.Errorf("scan redis: %w", err)
		}
		group.Go(func() error {
			_, err := client.Pipelined(ctx, func(pipe goredis.Pipeliner) error {
				for _, key := range keys {
					if isHash(key) {
						pipe.HGetAll(ctx, key)
					} else {
						pipe.Get(ctx, key)
					}
				}
				return nil
			})
			count.Add(int64(len(keys)))
			return err
		})
		if cursor = next; cursor == 0 {
			err := group.Wait()
			return int(count.Load()), err
		}
	}
}
