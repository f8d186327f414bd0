package redis

import (
	"maps"
	"slices"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// claims are the API keys that nothing decided when they were met, by user. Parts share them, since the halves of one
// user may lie on different masters.
type claims struct {
	mu   sync.Mutex
	held map[record.UserID][]string
}

// hold remembers that the user's keys are to be decided at the end; key is one that names the user, or empty.
func (c *claims) hold(user record.UserID, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = make(map[record.UserID][]string)
	}
	keys := c.held[user]
	if key != "" && !slices.Contains(keys, key) {
		keys = append(keys, key)
	}
	c.held[user] = keys
}

// list returns the users with held keys, in ascending order, and the keys of each, which are whole Redis keys.
func (c *claims) list() ([]record.UserID, map[record.UserID][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.held)), maps.Clone(c.held)
}
