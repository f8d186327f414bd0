package redis

import (
	"fmt"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestTheNewestPairOfAUserIsRemembered(t *testing.T) {
	m := newPaired()
	m.remember(1, "old")
	m.remember(1, "new")
	for _, c := range []struct {
		user record.UserID
		key  string
		want bool
	}{{1, "old", false}, {2, "new", false}, {1, "new", true}, {1, "new", false}} {
		if got := m.take(c.user, c.key); got != c.want {
			t.Errorf("user %d, key %s: %t, want %t", c.user, c.key, got, c.want)
		}
	}
	m = nil
	if m.remember(1, "key"); m.take(1, "key") {
		t.Error("none remembers a pair")
	}
}

// TestPairsBeyondTheRoomAreForgotten also gives each user a second pair, which the first is never taken for.
func TestPairsBeyondTheRoomAreForgotten(t *testing.T) {
	m := newPaired()
	const users = pairsKept * 2
	for _, name := range []string{"old", "new"} {
		for user := range record.UserID(users) {
			m.remember(user, fmt.Sprint(name, user))
		}
	}
	kept := 0
	for user := range record.UserID(users) {
		if m.take(user, fmt.Sprint("old", user)) {
			t.Fatalf("user %d: an older pair", user)
		}
		if m.take(user, fmt.Sprint("new", user)) {
			kept++
		}
	}
	if kept < pairsKept/2 || kept > pairsKept {
		t.Errorf("%d pairs are remembered, of %d with room for %d", kept, users, pairsKept)
	}
}
