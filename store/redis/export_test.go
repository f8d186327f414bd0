package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"
)

// AddHook adds a hook to the connections to every server.
func (s *Store) AddHook(h goredis.Hook) error {
	cluster, ok := s.reads.(*goredis.ClusterClient)
	if !ok {
		s.reads.AddHook(h)
		return nil
	}
	return cluster.ForEachMaster(context.Background(), func(_ context.Context, c *goredis.Client) error {
		c.AddHook(h)
		return nil
	})
}
