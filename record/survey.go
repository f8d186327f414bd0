package record

import (
	"context"
	"time"
)

// Surveyor tells in what state a store is.
type Surveyor interface {
	Survey(ctx context.Context, o SurveyOptions) (Survey, error)
}

// SurveyOptions say how a store is surveyed.
type SurveyOptions struct {
	// Within is how long the looks that grow with the data may take together. What they did not reach is estimated, or
	// told in Unchecked. Zero is as long as it takes: everything is counted.
	Within time.Duration

	Now time.Time // decides what is in the future; time.Now() where zero
}

// Survey is in what state a store is.
type Survey struct {
	Servers []Server
	Counts  []PlaceCount
	Faults  []Fault

	// Unchecked says, for people, what could not be looked at, and why.
	Unchecked []string
}

// Server is one server of a store.
type Server struct {
	Name    string // what it calls itself: "Redis", "Valkey", "MongoDB", "FerretDB"
	Version string // empty where it does not know
	Addr    string // "host:port", or the path of a socket; without secrets
	Role    string // "master", "replica", "primary", "secondary", "mongos"
	Part    string // of what it is a part: "standalone", "cluster", "sentinel", "replica set rs0"

	Ping time.Duration // how long it took to answer a ping
	TLS  bool

	// Lag is by how much it is, or the replica of its that is furthest behind, where there is a replica that tells.
	Lag    time.Duration
	HasLag bool

	// Keeps says, for people, how its data outlive its end: "append-only file, fsync everysec", "snapshots (save 3600 1)",
	// "in memory alone". It is empty where that is not known.
	Keeps string
}

// PlaceCount is how many users, or entries, a place holds.
type PlaceCount struct {
	Place     string // a collection, or a layout's prefix: "kv", "lanyard:user_kv:"
	Kind      Kind
	Count     int64
	Estimated bool
}

// FaultCode says what is wrong, for scripts. Codes do not change.
type FaultCode string

// The faults.
const (
	// Of documents. Place is the collection, Field the field.
	MissingIndex     FaultCode = "missing-index"      // no unique index on Field
	UnfitIndex       FaultCode = "unfit-index"        // Detail is the name of an index that stands in the way of a unique one
	DuplicateUsers   FaultCode = "duplicate-users"    // users with several documents
	NobodysDocuments FaultCode = "nobodys-documents"  // what is no user's id and stands in several documents; Users has it as JSON
	SharedAPIKey     FaultCode = "shared-api-key"     // API keys that stand in several documents
	NumericUsers     FaultCode = "numeric-user-id"    // documents that the app cannot see
	UnreadableTime   FaultCode = "unreadable-time"    // times of a type or in a unit on which the app crashes
	UnreadablePairs  FaultCode = "unreadable-pairs"   // what stands in place of the pairs is no document
	UnreadableCount  FaultCode = "unreadable-counter" // counters at which the app stops when it starts; Field is one of them, and Detail has them as $unset takes them
	UntypedCounters  FaultCode = "untyped-counters"   // the document of the counters lacks its type
	SeveralCounters  FaultCode = "several-counters"   // documents of the counters; Detail is the _id of the one written last, as a MongoDB shell takes it
	InterruptedRun   FaultCode = "interrupted-run"    // a migration that did not come to its end; Detail is its ID
	InterruptedSweep FaultCode = "interrupted-sweep"  // Detail is its ID
	MemberDown       FaultCode = "member-down"        // Detail says which member of the replica set, and why
	NotPrimary       FaultCode = "not-primary"        // Detail is the address of the primary, if it is known

	// Of Redis. Place is the layout's prefix, or the server's address.
	HalfAPIKey    FaultCode = "half-api-key"  // users whose current API key does not authenticate
	StrayAPIKey   FaultCode = "stray-api-key" // users with an API key that authenticates, and is not their current one
	LayoutsDiffer FaultCode = "both-layouts"  // users whose two key-value layouts differ
	WrongTypes    FaultCode = "wrong-type"    // keys of another Redis type than Lanyard's
	Expires       FaultCode = "expiring"      // keys with a time to live, which no Lanyard sets
	NotKept       FaultCode = "not-kept"      // the server writes nothing to a disk
	SaveFails     FaultCode = "save-fails"    // the last attempt to write to the disk failed
	Evicts        FaultCode = "evicts"        // Detail is the maxmemory-policy
	ReadOnly      FaultCode = "read-only"     // a replica, to which nothing can be written; Detail is its master
	ReplicaAlone  FaultCode = "link-down"     // a replica without its master
)

// Fault is something that needs attention.
type Fault struct {
	Code      FaultCode
	Place     string
	Field     string
	Count     int64 // of users, documents or keys; zero where it does not matter
	Estimated bool
	Users     []string // some of whose they are, at most [MostNamed]; no secrets
	Detail    string   // without secrets
}

// MostNamed is how many users a fault names.
const MostNamed = 10
