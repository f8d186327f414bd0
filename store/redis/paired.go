package redis

import (
	"hash/maphash"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// pairsKept is how many pairs are remembered at once, at eight bytes each.
const pairsKept = 1 << 17

// paired remembers pairs of API keys of which both halves were seen, when one of them was met, so that the other one needs
// no look at the first. It holds the newest pair of a user, and forgets some where there are too many. A nil paired
// remembers none.
type paired struct {
	seed  maphash.Seed
	mu    sync.Mutex
	slots [pairsKept]uint64 // 32 bits of the user's hash above 32 of the key's; zero is free
}

func newPaired() *paired { return &paired{seed: maphash.MakeSeed()} }

func (m *paired) remember(user record.UserID, key string) {
	if m == nil {
		return
	}
	first, second, pair := m.find(user, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	if ofUser := pair >> 32; *second>>32 == ofUser || *second == 0 && *first>>32 != ofUser && *first != 0 {
		first = second
	}
	*first = pair
}

// take reports whether the user and the key were seen to name each other, and no newer pair of the user. It forgets them.
func (m *paired) take(user record.UserID, key string) bool {
	if m == nil {
		return false
	}
	first, second, pair := m.find(user, key)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, slot := range [...]*uint64{first, second} {
		if *slot == pair {
			*slot = 0
			return true
		}
	}
	return false
}

// find returns the two places of a user's pair, and what stands there for the one with the key.
func (m *paired) find(user record.UserID, key string) (first, second *uint64, pair uint64) {
	hash := maphash.Comparable(m.seed, user)
	place := hash % pairsKept
	return &m.slots[place], &m.slots[place^1], hash&^(1<<32-1) | maphash.String(m.seed, key)>>32 | 1
}
