package location

import (
	"context"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// TargetOptions say where a target is, and how to use it.
type TargetOptions struct {
	Location
	MongoSettings
	RedisSettings
	DynamoSettings
	Kinds    record.Kinds // of a DynamoDB: its tables
	ReadOnly bool         // nothing is written to it

	// Writes are the kinds of which [Registry.OpenMongoStore] makes sure that single documents can be written.
	Writes record.Kinds

	Missing MissingFolder

	Timeout, RetryFor time.Duration

	// Dedupe is what to type where a user of a MongoDB has several documents.
	Dedupe string

	Notify func(message string) // of Redis
}

// MongoSettings are which database of a MongoDB is meant, and how the server is known.
type MongoSettings struct {
	Database   string
	ServerName string // in the server's certificate; empty for that of its address
}

// ShownDatabase returns the name of the database, fit to be shown.
func (s MongoSettings) ShownDatabase() string { return ui.ShownWord(s.Database) }

// MissingFolder says what becomes of an embedded database whose folder does not exist.
type MissingFolder uint8

// The ways.
const (
	MakeFolder   MissingFolder = iota // it is made
	EmptyFolder                       // an empty one elsewhere stands in for it
	RefuseFolder                      // that is an error
)

// PairTarget is an open target of a source.
type PairTarget interface {
	Described
	Mergeable
	Comparable

	// Close ends the connections. Where ctx is cancelled it does not wait for a server that hangs.
	Close(ctx context.Context) error
}

// Target is an open target: all that the commands do with one. Each command asks for as much of it as it needs.
type Target interface {
	PairTarget
	Readable
	Sweepable
	Persistent
}

// Described is a target of which people are told.
type Described interface {
	Facts() TargetFacts

	// Contents returns about how many documents there are, by kind; nil where nobody knows without a look at each.
	Contents(ctx context.Context, kinds record.Kinds) (map[record.Kind]int64, error)
}

// TargetFacts are what people are told of an open target.
type TargetFacts struct {
	Is       string   // "MongoDB 7.0.14, replica set rs0"
	Warnings []string // what a person should know of it
}

// Mergeable is a target that records are merged into.
type Mergeable interface {
	// Sink looks at the target, and returns warnings of what it holds.
	Sink(ctx context.Context, o MergeOptions) (sink record.Sink, warnings []string, err error)

	Checkpoints() record.Checkpoints
	Runs() record.Runs

	// WriteHints returns how the target likes to be written to; zero for no liking.
	WriteHints() (workers, batchSize int)
}

// MergeOptions say how records are merged.
type MergeOptions struct {
	Kinds  record.Kinds
	Policy record.Policy
	Mirror bool // the target mirrors its source; see [record.Mirror]
	DryRun bool
	Notify func(message string)
}

// Comparable is a target that is read back.
type Comparable interface {
	// Reader returns what the target holds of the users; of all where none is named.
	Reader(users []record.UserID) record.TargetReader
}

// Readable is a target of which single users are read back.
type Readable interface {
	record.TargetPointReader
	record.APIKeyOwners
}

// Sweepable is a target whose documents are read and changed one by one.
type Sweepable interface {
	// CheckWritable fails where one of the collections cannot be written to, and returns warnings of them.
	CheckWritable(ctx context.Context, collections []record.Collection) (warnings []string, err error)

	Documents() record.Documents
	Journal() record.Journal
	Leases() record.Leases
}

// Persistent is a target that a running Lanyard reads and writes.
type Persistent interface {
	Persistence() record.Persistence
	record.Surveyor
}
