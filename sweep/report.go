package sweep

import (
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Report is what a sweep found and did, or would do.
type Report struct {
	ID       string // empty for a dry run, and where nothing had to be changed
	DryRun   bool
	Dedupe   bool
	Complete bool

	// Users is the sum of the columns below it: each user of whom a place was read is in one of them.
	Users int64
	Columns

	Places      []PlaceFigures
	Collections []CollectionFigures // of [record.UserCollections], in that order

	// ByUsers is how many users got a date that users can write themselves.
	ByUsers int64

	// Before and After are users by the UTC year of their date in the documents of monitoring that the app sees. A user
	// without one is in neither.
	Before, After map[int]int64

	// Largest are the users whose date went back the furthest, the largest first; those who had none come last, the
	// earliest date first. At most [LargestCount].
	Largest []Recovery

	// Leftovers are changes that would be right and cannot be made, at most [LeftoverCount]. LeftoversTotal counts all.
	Leftovers      []Leftover
	LeftoversTotal int64

	// Changes is how many changes were journalled, or would be: at least one a user created, changed or merged, and with
	// Dedupe those of the other collections.
	Changes int64

	StartedAt time.Time
	Duration  time.Duration
}

// LargestCount and LeftoverCount bound the lists of a [Report].
const (
	LargestCount  = 5
	LeftoverCount = 100
)

// Columns are what becomes of users' dates. Each user is in one of them.
type Columns struct {
	Created   int64 // got a document
	Changed   int64 // had one document, which changes
	Merged    int64 // had several documents, which become one
	Unchanged int64 // had one document, which is right
	Undated   int64 // have no plausible date anywhere, and are left untouched
	Left      int64 // should change, and cannot: see Leftovers
}

// PlaceFigures are what was found at a place.
type PlaceFigures struct {
	Place       record.DatePlace
	Documents   int64 // or keys, or members, that were looked at
	Nobodys     int64 // of them, those that are no user's
	Candidates  int64 // plausible dates
	Implausible map[record.Reason]int64
	Future      int64 // of the implausible ones, those that lie in the future
	Won         int64 // users whose date it is; where places have the same, the first counts
}

// CollectionFigures are what was found in a collection, and done there besides dates.
type CollectionFigures struct {
	Collection record.Collection
	Documents  int64
	Nobodys    int64    // documents that are no user's
	Numeric    int64    // documents whose user id is a number
	Duplicates int64    // users with several documents
	Keyless    int64    // documents of API keys without a key
	Examples   []string // a few users of Numeric or Duplicates, as text

	// With Dedupe, for the collections without dates: users whose documents become one, documents whose number becomes
	// text, documents that say nothing and go, users that are left.
	Merged, Renamed, Removed, Left int64
}

// Recovery is a date that went back.
type Recovery struct {
	User     record.UserID
	From, To int64 // Unix seconds; From is zero where there was none
	Place    string
}

// Leftover is a change that cannot be made.
type Leftover struct {
	Collection record.Collection
	User       record.UserID
	Reason     LeftReason
}

// LeftReason says why a change cannot be made.
type LeftReason string

// The reasons.
const (
	LeftAPIKeys   LeftReason = "two-api-keys"      // the user's documents have different API keys
	LeftKV        LeftReason = "kv-differs"        // the user's documents have different values of a pair
	LeftMalformed LeftReason = "not-understood"    // a document holds something else than its collection is for
	LeftTwice     LeftReason = "repeated-field"    // a document holds two fields of one name
	LeftSize      LeftReason = "too-large"         // the change, or what comes of it, is larger than a document may be
	LeftMany      LeftReason = "too-many"          // more documents of one user than fit a change
	LeftMoved     LeftReason = "changed-meanwhile" // somebody kept changing the documents
	LeftTaken     LeftReason = "taken"             // a unique index has the value in another document
	LeftRefused   LeftReason = "refused"           // the target refuses it
)

// Snapshot is the progress of a sweep.
type Snapshot struct {
	Phase   string
	Done    int64  // entries read, or users looked at
	Total   int64  // about; zero where nobody knows
	Unit    string // of both
	Changes int64
}
