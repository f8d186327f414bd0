package sweep

import (
	"fmt"
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// UserDates says what dates count for that users can write themselves.
type UserDates uint8

// The choices.
const (
	CountUserDates      UserDates = iota // like the others
	LastResortUserDates                  // only where a user has no other
	NeverUserDates                       // not at all
)

var userDatesNames = [...]string{"count", "last-resort", "never"}

// String returns the choice as the flag spells it.
func (d UserDates) String() string { return userDatesNames[d] }

// ParseUserDates reads a choice.
func ParseUserDates(s string) (UserDates, error) {
	if i := slices.Index(userDatesNames[:], s); i >= 0 {
		return UserDates(i), nil
	}
	return 0, fmt.Errorf("unknown choice %q (count, last-resort or never)", s)
}

// Written returns the collections in which a sweep changes documents.
func Written(dedupe bool) []record.Collection {
	written := []record.Collection{record.MonitoringCollection}
	if dedupe {
		written = append(written, record.KVCollection, record.LastSeenCollection, record.APIKeysCollection)
	}
	return written
}

// Options says what to sweep, and how.
type Options struct {
	Documents record.Documents
	Journal   record.Journal
	Leases    record.Leases

	// Dates are sources of dates beside the documents, in no order.
	Dates []record.DateSource

	UserDates UserDates

	// Dedupe also makes one document of several of one user where they are no dates, and text of user ids that are
	// numbers.
	Dedupe bool

	// DryRun finds out what would change, and changes nothing, not even the journal.
	DryRun bool

	// Now decides which dates are plausible.
	Now time.Time

	// Version and Described are kept in the journal: the version of lanyardctl, and the options for people, without
	// secrets.
	Version, Described string

	// Memory is about how many bytes the entries that are sorted at a time take, at most MostMemory; DefaultMemory
	// where zero.
	Memory int

	// TempDir is where sorted entries are kept that do not fit; the system's folder where empty.
	TempDir string

	// Chunk is how many users are changed at a time; DefaultChunk where zero.
	Chunk int

	// Backoff is the limit of the first wait before a call is made again because a server was unavailable; 200
	// milliseconds where zero.
	Backoff time.Duration

	// RetryFor is how long a target that is unavailable is tried again; two minutes where zero.
	RetryFor time.Duration

	// Watch is how long another process that has the lease is watched before it counts as dead; that of
	// internal/lease where zero.
	Watch time.Duration

	// Notify is told, in words for people, of what a run decides on its own. Implausible, where it is not nil, is
	// told of every value that is no plausible date. Both are called from one goroutine at a time.
	Notify      func(message string)
	Implausible func(Implausible)
}

// Implausible is a value that never wins.
type Implausible struct {
	Place  string
	User   record.UserID
	Reason record.Reason
	Detail string
}

// MostMemory is the most that [Options.Memory] may be.
const MostMemory = 1 << 30

// Defaults of [Options].
const (
	DefaultMemory = 16 << 20
	DefaultChunk  = 500
)
