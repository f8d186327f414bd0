package mongo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/address"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// DefaultTimeout is how long Open waits for a server.
const DefaultTimeout = 10 * time.Second

// primaryPoll is how often Open looks for a new primary.
const primaryPoll = 250 * time.Millisecond

// Options says which database to open.
type Options struct {
	URI      string // mongodb:// or mongodb+srv://; it may hold a password
	Database string

	// ServerName is the name in the servers' certificates, where it is not that of their addresses.
	ServerName string

	Timeout  time.Duration // for finding the server and for connecting; DefaultTimeout where zero
	ReadOnly bool          // nothing is going to be written, so that a server which is no primary will do

	// CommandTimeout is how long one command may take, so that a server that hangs is noticed; [retry.DefaultFor] where zero.
	CommandTimeout time.Duration
}

// Info is what a server says of itself.
type Info struct {
	Server   string // what it calls itself: "MongoDB", or another that speaks its protocol
	Version  string // empty where the server does not know
	Topology string // "standalone", "replica set NAME" or "sharded cluster"
	Database string

	// Lagging is the server's address where it is no primary, so that what it holds may be old; Primary is that of the
	// primary that it knows. Both are empty for a primary, and outside replica sets.
	Lagging, Primary string

	// Down are the members of the replica set that cannot do their part, each with the reason.
	Down []string
}

// Store is an open database.
type Store struct {
	client  *mongo.Client
	db      *mongo.Database
	info    Info
	limits  record.Limits
	dialect dialect

	members *members
	direct  bool     // the URI asks for one server, whatever set that is in
	inSet   bool     // the server is a member of a replica set
	router  bool     // the server is a mongos
	hosts   []string // of the replica set
	me      string   // the address of the server
	tls     bool

	// peculiar are the collections that are to be written to with care, by name; see [Store.CheckWritable].
	peculiar map[string]peculiarity

	commandTimeout time.Duration
}

// Open connects to the server and asks what it is. Errors are one of [ErrURI], [ErrUnreachable], [ErrAuth],
// [ErrPermission], [ErrNotPrimary] and [ErrTooOld], or another of the server; none of them shows a password.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	uri, err := redact.Parse(o.URI)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrURI, err)
	}
	// Majority writes and primary reads whatever the URI says: what a run reports as written must survive a failover.
	opts := options.Client().ApplyURI(o.URI).
		SetServerSelectionTimeout(o.Timeout).
		SetConnectTimeout(o.Timeout).
		SetWriteConcern(writeconcern.Majority()).
		SetReadPreference(readpref.Primary()).
		SetAppName("lanyardctl")
	if err := opts.Validate(); err != nil {
		return nil, badURI(uri, err)
	}
	if err := nameServer(opts, o.ServerName); err != nil {
		return nil, err
	}
	s := &Store{
		members: watch(opts), direct: opts.Direct != nil && *opts.Direct,
		commandTimeout: cmp.Or(max(o.CommandTimeout, 0), retry.DefaultFor),
	}
	if s.tls = opts.TLSConfig != nil; len(opts.Hosts) > 0 {
		s.me = opts.Hosts[0]
	}
	if s.direct {
		// There is no other server to try, and the driver would try this one for as long as a command may take.
		opts.SetRetryWrites(false)
	}
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, badURI(uri, err)
	}
	s.client, s.db = client, client.Database(o.Database)
	ctx, cancel := context.WithTimeout(ctx, o.Timeout+heartbeatWait)
	defer cancel()
	err = s.identify(ctx)
	// The primary may have gone a moment ago; then the driver finds the new one.
	for err == nil && s.info.Lagging != "" && !o.ReadOnly && !s.direct && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(primaryPoll):
			err = s.identify(ctx)
		}
	}
	if err == nil && s.info.Lagging != "" && !o.ReadOnly {
		err = fmt.Errorf("%w: %s is in %s, whose primary is %s", ErrNotPrimary, s.info.Lagging, s.info.Topology,
			cmp.Or(s.info.Primary, "not known now"))
	}
	if err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

// identify asks the server what it is and what it can hold.
func (s *Store) identify(ctx context.Context) error {
	admin := s.client.Database("admin")
	var hello struct {
		SetName  string   `bson:"setName"`
		Msg      string   `bson:"msg"`
		Me       string   `bson:"me"`
		Primary  string   `bson:"primary"`
		InNoSet  bool     `bson:"isreplicaset"` // a member that has no configuration, or no place in it
		Writable bool     `bson:"isWritablePrimary"`
		IsMaster bool     `bson:"ismaster"` // in place of isWritablePrimary, before 4.4.2
		Hosts    []string `bson:"hosts"`
		Passives []string `bson:"passives"`
		Arbiters []string `bson:"arbiters"`
	}
	err := admin.RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	if hasCode(err, codeCommandNotFound) { // before 4.4.2
		err = admin.RunCommand(ctx, bson.D{{Key: "isMaster", Value: 1}}).Decode(&hello)
	}
	if err != nil {
		return s.unreachable(err)
	}
	build, err := admin.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Raw()
	if err != nil {
		return s.unreachable(err)
	}
	s.info, s.me = Info{Topology: "standalone", Database: s.db.Name()}, cmp.Or(hello.Me, s.me)
	switch {
	case hello.Msg == "isdbgrid":
		s.info.Topology, s.router = "sharded cluster", true
	case hello.SetName != "":
		s.info.Topology, s.inSet = "replica set "+hello.SetName, true
		if !hello.Writable && !hello.IsMaster {
			s.info.Lagging, s.info.Primary = cmp.Or(hello.Me, "the server"), hello.Primary
		}
		s.hosts = nil
		for _, host := range slices.Concat(hello.Hosts, hello.Passives, hello.Arbiters) {
			s.hosts = append(s.hosts, address.Address(host).String()) // as heartbeats name it
		}
		s.info.Down = s.membersDown(ctx)
	case hello.InNoSet:
		s.info.Topology, s.inSet = "replica set without a place for it", true
		s.info.Lagging = cmp.Or(hello.Me, "the server")
	}
	return s.recognise(build)
}

// Info returns what the server says of itself.
func (s *Store) Info() Info { return s.info }

// Limits returns what the server can hold.
func (s *Store) Limits() record.Limits { return s.limits }

// WriteHints say how a server is best written to. Zero stands for the engine's own choice.
type WriteHints struct {
	Workers   int // batches side by side
	BatchSize int // records in a batch
}

// WriteHints returns how the server is best written to.
func (s *Store) WriteHints() WriteHints { return s.dialect.writeHints() }

// closeTimeout bounds how long connections that are in use are waited for.
const closeTimeout = 2 * time.Second

// Close ends the connections. Where ctx is cancelled it waits for no more than [retry.CloseTime].
func (s *Store) Close(ctx context.Context) error {
	ctx, drained := retry.Drain(ctx, retry.CloseTime)
	defer drained()
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	return s.client.Disconnect(ctx)
}

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
	ctx, cancel := context.WithTimeout(ctx, s.commandTimeout)
	defer cancel()
	return s.dialect.estimate(ctx, s.db.Collection(collection))
}

func (s *Store) collection(kind record.Kind) *mongo.Collection {
	return s.db.Collection(collectionName(kind))
}
