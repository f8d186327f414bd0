package verify

import (
	"hash/fnv"
	"math/bits"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// buckets is how many buckets there are. A bucket is a number below it.
type buckets int

// of returns the bucket of a user's records, or of a document that has a name in place of a user.
func (n buckets) of(user record.UserID, name string) int {
	// Snowflakes of one time differ in their lowest bits alone, which the multiplication spreads to the highest.
	hash := uint64(user) * 0x9E3779B97F4A7C15
	if user == 0 && name != "" {
		h := fnv.New64a()
		h.Write([]byte(name)) // a hash never fails
		hash = h.Sum64()
	}
	bucket, _ := bits.Mul64(hash, uint64(n))
	return int(bucket)
}

// bucket sums up what one side has of some users. Sums are modular, so that a record that comes twice does not cancel
// itself out, and neither order nor splitting matters.
type bucket struct {
	high, low uint64                   // sum of the digests, modulo 2^128
	records   [record.KindCount]uint32 // how many there are
	cost      int64                    // bytes that holding the records takes, about
}

func (b *bucket) add(d record.Digest, kind record.Kind, cost int64) {
	high, low := halves(d)
	var carry uint64
	b.low, carry = bits.Add64(b.low, low, 0)
	b.high, _ = bits.Add64(b.high, high, carry)
	b.records[kind]++
	b.cost += cost
}

// same reports whether the two sides of a bucket hold the same records.
func (b *bucket) same(o *bucket) bool {
	return b.high == o.high && b.low == o.low && b.records == o.records
}

func halves(d record.Digest) (high, low uint64) {
	for i := range 8 {
		high = high<<8 | uint64(d[i])
		low = low<<8 | uint64(d[i+8])
	}
	return high, low
}

// side is what one side holds, summed up. It is safe for concurrent use.
type side struct {
	mu      sync.Mutex
	buckets []bucket
}

func newSide(n buckets) *side { return &side{buckets: make([]bucket, n)} }

// entry is what one record adds to a side.
type entry struct {
	bucket int
	digest record.Digest
	kind   record.Kind
	held   bool // the digest is that of a record; else only cost counts
	cost   int64
}

func (s *side) add(entries []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if e.held {
			s.buckets[e.bucket].add(e.digest, e.kind, e.cost)
		} else {
			s.buckets[e.bucket].cost += e.cost
		}
	}
}
