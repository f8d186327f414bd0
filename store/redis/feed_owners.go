package redis

import (
	"context"
	"slices"
	"strconv"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// APIKeyOwners implements [record.APIKeyOwners].
func (s *Store) APIKeyOwners(ctx context.Context, keys []string) (map[string]record.UserID, error) {
	const atOnce = 1000
	owners := make(map[string]record.UserID)
	for some := range slices.Chunk(keys, atOnce) {
		b := newBatch()
		for _, key := range some {
			b.ask("getrange", layout.APIKey.Key(key), "0", strconv.Itoa(longestUserID)) // one more tells that it is none
		}
		if err := s.manyLookups().send(ctx, lookUp, b); err != nil {
			return nil, err
		}
		for i, key := range some {
			found := layout.Found{Key: layout.APIKey.Key(key), Layout: layout.APIKey, State: layout.Present, Text: b.answers[i].text}
			if owner, ok := found.Owner(); ok {
				owners[key] = owner
			}
		}
		b.free()
	}
	return owners, nil
}
