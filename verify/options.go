package verify

import (
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Options says what to compare, and how.
type Options struct {
	// Source returns a new reading of the source. It is read once for each pass.
	Source func() record.Source

	// Named tells that the source looks at nothing but what named users have: that they have nothing any more is no sign
	// that it was emptied.
	Named bool

	Target record.TargetReader
	Kinds  record.Kinds

	Compare record.CompareOptions

	// CountsOnly compares numbers of records and documents, and no content.
	CountsOnly bool

	// Recheck is how often what differs is read again, after a pause of RecheckDelay each.
	Recheck      int
	RecheckDelay time.Duration

	// MaxDifferences bounds the list of differences; all are counted.
	MaxDifferences int

	// Each is called with every difference that is found, in no order, from one goroutine at a time; a pass that begins again
	// tells some again. It may be nil.
	Each func(record.Difference)

	// Buckets is how many sums each side is divided into, of 24 bytes each and 4 for each of the Kinds; DefaultBuckets where
	// zero.
	Buckets int

	// Memory is about how many bytes the records that are compared one by one may take; DefaultMemory where zero.
	Memory int64

	// Backoff is the limit of the first wait before a pass begins again because a server was unavailable;
	// DefaultBackoff where zero.
	Backoff time.Duration

	// RetryFor is how long a pass that fails so begins again; two minutes where zero.
	RetryFor time.Duration

	// Notify is told, in words for people, of what a run decides on its own. It is called from one goroutine at a time.
	Notify func(message string)
}

// Defaults of [Options].
const (
	DefaultBuckets = 1 << 16
	DefaultMemory  = 64 << 20
	DefaultBackoff = 2 * time.Second
)
