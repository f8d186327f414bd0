package layout

import (
	"strconv"
	"sync"
)

// What lanyardctl keeps in a Redis for itself. No Lanyard reads these keys.
const (
	Digests     = "lanyardctl:digests"     // hash: a key of Lanyard's → digest of what was written there; in a Cluster see [DigestsOf]
	Checkpoints = "lanyardctl:checkpoints" // hash: id of a run → how far it has come
	Leases      = "lanyardctl:leases"      // hash: name → who has it
	Runs        = "lanyardctl:runs"        // hash: command → how it ended last
	Witnesses   = "lanyardctl:witnesses"   // hash: kind → a key that was written, and a random text
)

// Marked reports whether keys of the layout have a digest of what lanyardctl wrote there.
func (l Layout) Marked() bool { return l == ForkKV || l == UpstreamKV || l == UserAPIKey }

// IsOlder reports whether the apps only read keys of the layout, where there is none of a newer one.
func (l Layout) IsOlder() bool { return l == OlderMonitoringSince || l == OldestMonitoringSince }

// DigestsOf returns the key of the hash with the key's digest in a Cluster: it lies in the same slot as the key, so that both
// change together.
func DigestsOf(key string) string { return Digests + ":{" + tags()[Slot(key)] + "}" }

// tags has for each slot a text that lies in it.
var tags = sync.OnceValue(func() *[SlotCount]string {
	var list [SlotCount]string
	for n, left := 0, SlotCount; left > 0; n++ {
		text := strconv.Itoa(n)
		if at := &list[Slot(text)]; *at == "" {
			*at = text
			left--
		}
	}
	return &list
})

// DigestKeys returns the keys of all hashes that [DigestsOf] may name.
func DigestKeys() []string {
	keys := make([]string, 0, SlotCount)
	for _, tag := range tags() {
		keys = append(keys, Digests+":{"+tag+"}")
	}
	return keys
}
