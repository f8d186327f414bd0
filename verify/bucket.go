package verify

import (
	"math/bits"
	"slices"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// buckets is how many buckets there are. A bucket is a number below it.
type buckets int

// item returns the bucket of what an item is of.
func (n buckets) item(it record.Item) int {
	id := it.Identity()
	return n.of(id.User, id.Name.String())
}

// document returns the bucket of what the app takes a document for.
func (n buckets) document(d record.Document) int {
	if d.Numeric {
		return n.of(0, d.Name.String())
	}
	return n.of(d.User, d.Name.String())
}

// of returns the bucket of a user's records, or of those that have a name in place of a user.
func (n buckets) of(user record.UserID, name string) int { return n.hash(record.HashOf(user, name)) }

// hash returns the bucket of what has the [record.HashOf].
func (n buckets) hash(hash uint64) int {
	bucket, _ := bits.Mul64(hash, uint64(n))
	return int(bucket)
}

// bucket sums up what one side has of some users. Sums are modular, so that a record that comes twice does not cancel
// itself out, and neither order nor splitting matters.
type bucket struct {
	high, low uint64 // sum of the digests, modulo 2^128
	cost      int64  // bytes that holding the records takes, about
}

func (b *bucket) add(d record.Digest, cost int64) {
	high, low := splitDigest(d)
	var carry uint64
	b.low, carry = bits.Add64(b.low, low, 0)
	b.high, _ = bits.Add64(b.high, high, carry)
	b.cost += cost
}

func splitDigest(d record.Digest) (high, low uint64) {
	for i := range 8 {
		high = high<<8 | uint64(d[i])
		low = low<<8 | uint64(d[i+8])
	}
	return high, low
}

// bucketSet is what one bucketSet holds, summed up. It is safe for concurrent use.
type bucketSet struct {
	mu      sync.Mutex
	buckets []bucket
	kinds   record.Kinds
	records []uint32 // how many there are, by bucket and, in their order, kind
}

func newBucketSet(n buckets, kinds record.Kinds) *bucketSet {
	return &bucketSet{buckets: make([]bucket, n), kinds: kinds, records: make([]uint32, int(n)*kinds.Len())}
}

// recordsOf returns how many records a bucket has, by kind in their order.
func (s *bucketSet) recordsOf(bucket int) []uint32 {
	n := s.kinds.Len()
	return s.records[bucket*n:][:n]
}

// same reports whether the two sides of a bucket hold the same records.
func (s *bucketSet) same(o *bucketSet, bucket int) bool {
	ours, theirs := &s.buckets[bucket], &o.buckets[bucket]
	return ours.high == theirs.high && ours.low == theirs.low && slices.Equal(s.recordsOf(bucket), o.recordsOf(bucket))
}

// entry is what one record adds to a side.
type entry struct {
	bucket   int
	digest   record.Digest
	kind     record.Kind
	isRecord bool // the digest is that of a record; else only cost counts
	cost     int64
}

func (s *bucketSet) add(entries []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range entries {
		if e.isRecord {
			s.buckets[e.bucket].add(e.digest, e.cost)
			s.recordsOf(e.bucket)[s.kinds.Index(e.kind)]++
		} else {
			s.buckets[e.bucket].cost += e.cost
		}
	}
}
