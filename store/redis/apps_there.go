package redis

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// AppsThere returns the apps in whose layouts there are keys. API keys, which the fork leaves behind, tell of upstream only
// where nothing else tells of anybody.
func (s *Store) AppsThere(ctx context.Context) (record.Apps, error) {
	var apps, keyHolders record.Apps
	for _, n := range s.current() {
		for cursor := uint64(0); ; {
			var keys []string
			err := s.persist(ctx, "scan redis "+n.addr, func(ctx context.Context) (err error) {
				var next uint64
				if keys, next, err = n.client.Scan(ctx, cursor, "*lanyard*", pageToMatch).Result(); err == nil {
					cursor = next
				}
				return err
			})
			if err != nil {
				return 0, err
			}
			for _, key := range keys {
				if l, _ := layout.Classify(key); !l.Generic() {
					apps |= l.Apps()
				}
			}
			if cursor == 0 || apps == record.AllApps {
				break
			}
		}
	}
	if apps != 0 {
		return apps, nil
	}
	err := s.scanAPIKeys(ctx, func(claims []half) error {
		if len(claims) > 0 {
			keyHolders = layout.APIKey.Apps()
		}
		return nil
	})
	return keyHolders, err
}
