package redis

import (
	"maps"
	"slices"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// undecided are the API keys that nothing decided when they were met, by user. Parts share them, since the halves of one
// user may lie on different masters.
type undecided struct {
	mu   sync.Mutex
	keys map[record.UserID][]string
}

// add remembers that the user's keys are to be decided at the end; key is one that names the user, or empty.
func (c *undecided) add(user record.UserID, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil {
		c.keys = make(map[record.UserID][]string)
	}
	keys := c.keys[user]
	if key != "" && !slices.Contains(keys, key) {
		keys = append(keys, key)
	}
	c.keys[user] = keys
}

// list returns the users with held keys, in ascending order, and the keys of each, which are whole Redis keys.
func (c *undecided) list() ([]record.UserID, map[record.UserID][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.keys)), maps.Clone(c.keys)
}
