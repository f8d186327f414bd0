package mongo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/lanyardctl/lanyardctl/record"
)

// DefaultTimeout is how long Open waits for a server.
const DefaultTimeout = 10 * time.Second

// Options says which database to open.
type Options struct {
	URI      string // mongodb:// or mongodb+srv://; it may hold a password
	Database string
	Timeout  time.Duration // for finding the server and for connecting; DefaultTimeout where zero
}

// Info is what a server says of itself.
type Info struct {
	Server   string // "MongoDB" or "FerretDB"
	Version  string // empty where the server does not know, as an embedded FerretDB
	Topology string // "standalone", "replica set NAME" or "sharded cluster"
	Database string
}

// Store is an open database.
type Store struct {
	client *mongo.Client
	db     *mongo.Database
	info   Info
	limits record.Limits
	quirks quirks

	// updating is held around a command with updates where a server bears only a few at once.
	updating sync.Mutex

	// shortReplies tells that documents were too large for one reply.
	shortReplies atomic.Bool
}

// quirks is the care that a server needs which is not MongoDB.
type quirks struct {
	loneID       bool // every filter but a lone _id scans the collection
	replace      bool // $set leaves a document as it is where the new one differs in names alone; replacing it, in types of numbers alone
	fewUpdates   bool // hangs for good when about a hundred updates are under way
	wholeReplies bool // sends as many documents in a reply as it was asked for, also where they are too large for one
	countLoads   bool // holds all the documents that it counts in memory
	sortLoads    bool // holds all the documents that it sorts in memory, also where an index has their order
	vagueErrors  bool // does not tell which of several updates failed

	noExpressions bool // cannot compare whole documents in a filter
}

// Open connects to the server and asks what it is. Errors are one of [ErrURI], [ErrUnreachable], [ErrAuth],
// [ErrPermission] and [ErrTooOld], or another of the server; none of them shows a password.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	// Majority writes and primary reads whatever the URI says: what a run reports as written must survive a failover.
	opts := options.Client().ApplyURI(o.URI).
		SetServerSelectionTimeout(o.Timeout).
		SetConnectTimeout(o.Timeout).
		SetWriteConcern(writeconcern.Majority()).
		SetReadPreference(readpref.Primary()).
		SetAppName("lanyardctl")
	if err := opts.Validate(); err != nil {
		return nil, badURI(err)
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, badURI(err)
	}
	s := &Store{client: client, db: client.Database(o.Database)}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout+time.Second)
	defer cancel()
	if err := s.identify(ctx); err != nil {
		return nil, errors.Join(err, client.Disconnect(context.WithoutCancel(ctx)))
	}
	s.info.Database = o.Database
	return s, nil
}

// oldest is the oldest release of MongoDB that is supported.
const oldestMajor, oldestMinor = 4, 4

// identify asks the server what it is and what it can hold.
func (s *Store) identify(ctx context.Context) error {
	admin := s.client.Database("admin")
	var hello struct {
		SetName string `bson:"setName"`
		Msg     string `bson:"msg"`
	}
	err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	var cmd mongo.CommandError
	if errors.As(err, &cmd) && cmd.Code == codeCommandNotFound { // before 4.4.2
		err = admin.RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello)
	}
	if err != nil {
		return unreachable(err)
	}
	var build struct {
		Version  string `bson:"version"`
		FerretDB struct {
			Version string `bson:"version"`
		} `bson:"ferretdb"`
		FerretDBVersion string `bson:"ferretdbVersion"`
	}
	if err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&build); err != nil {
		return unreachable(err)
	}
	s.info = Info{Server: "MongoDB", Version: build.Version, Topology: "standalone"}
	switch {
	case hello.Msg == "isdbgrid":
		s.info.Topology = "sharded cluster"
	case hello.SetName != "":
		s.info.Topology = "replica set " + hello.SetName
	}
	s.limits = record.Limits{MaxDocument: record.DefaultMaxDocument}
	if version := build.FerretDB.Version + build.FerretDBVersion; version != "" {
		s.info.Server, s.info.Version = "FerretDB", strings.TrimPrefix(strings.TrimPrefix(version, "v"), "unknown")
		s.limits.NoDots, s.limits.NoDollars, s.limits.NoNestedArray = true, true, true
		s.quirks = quirks{
			loneID: true, replace: true, fewUpdates: true, wholeReplies: true, countLoads: true, sortLoads: true,
			vagueErrors: true, noExpressions: true,
		}
	} else {
		major, minor := release(build.Version)
		if major < oldestMajor || major == oldestMajor && minor < oldestMinor {
			return fmt.Errorf("%w: MongoDB %s; %d.%d is the oldest that is supported", ErrTooOld, build.Version, oldestMajor, oldestMinor)
		}
		s.limits.NoDollars = major < 5
	}
	s.limits.Server = strings.TrimSpace(s.info.Server + " " + s.info.Version)
	return nil
}

// release returns the first two numbers of a version.
func release(version string) (major, minor int) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	// What is no number is zero, and too old.
	major, _ = strconv.Atoi(first)
	minor, _ = strconv.Atoi(second)
	return major, minor
}

// Info returns what the server says of itself.
func (s *Store) Info() Info { return s.info }

// Limits returns what the server can hold.
func (s *Store) Limits() record.Limits { return s.limits }

// Pace is how a server likes to be written to. Zero stands for the engine's own choice.
type Pace struct {
	Workers   int // batches side by side
	BatchSize int // records in a batch
}

// Pace returns how the server likes to be written to: FerretDB on SQLite writes one batch at a time, and scans the
// collection for each batch that meets documents which are there already.
func (s *Store) Pace() Pace {
	if s.quirks.loneID {
		return Pace{Workers: 1, BatchSize: 5000}
	}
	return Pace{}
}

// Close ends the connections.
func (s *Store) Close(ctx context.Context) error { return s.client.Disconnect(ctx) }

// Contents returns about how many documents each of Lanyard's collections holds.
func (s *Store) Contents(ctx context.Context, kinds record.Kinds) (map[record.Kind]int64, error) {
	contents := make(map[record.Kind]int64)
	for _, kind := range kinds.List() {
		n, err := s.estimate(ctx, collectionName(kind))
		if err != nil {
			return nil, s.wrap("count the documents of "+collectionName(kind), err)
		}
		contents[kind] = n
	}
	return contents, nil
}

// estimate returns about how many documents the collection holds.
func (s *Store) estimate(ctx context.Context, collection string) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	if !s.quirks.countLoads {
		return s.db.Collection(collection).EstimatedDocumentCount(ctx)
	}
	var stats struct {
		Count int64 `bson:"count"`
	}
	err := s.db.RunCommand(ctx, bson.D{{Key: "collStats", Value: collection}}).Decode(&stats)
	return stats.Count, err
}

// collectionName returns the name of a kind's collection.
func collectionName(kind record.Kind) string { return record.CollectionOf(kind).String() }

func (s *Store) collection(kind record.Kind) *mongo.Collection {
	return s.db.Collection(collectionName(kind))
}

// globalType marks the one document of the counters.
const globalType = "global"
