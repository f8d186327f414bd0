package redis

import (
	"context"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/layout"
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

// ForkWithAPIKeys are layouts that no app has, in which each kind has one place.
const ForkWithAPIKeys = 1<<layout.ForkKV | 1<<layout.ForkLastSeen | 1<<layout.ForkMonitoringSince | 1<<layout.OlderMonitoringSince |
	1<<layout.OldestMonitoringSince | 1<<layout.UserAPIKey | 1<<layout.APIKey | 1<<layout.Counters

// Writing has the sink write these layouts.
func (k *Sink) Writing(layouts layout.Layouts) *Sink {
	k.layouts = layouts
	return k
}

// Reading has the reader read these layouts.
func (h *Reader) Reading(layouts layout.Layouts) *Reader {
	h.layouts = layouts
	return h
}
