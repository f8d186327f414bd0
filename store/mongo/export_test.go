package mongo

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// asMongoDB treats FerretDB as MongoDB, but for what FerretDB cannot do or does not survive. The interface's methods stand
// here where they are MongoDB's.
type asMongoDB struct {
	ferretDB
	server dialect // what the server says that it is
}

func (d *asMongoDB) writeHints() WriteHints { return d.mongoDB.writeHints() }

func (d *asMongoDB) bytewise() *options.Collation { return d.server.bytewise() }

func (d *asMongoDB) nextReply(last reply, largest int) reply {
	return d.mongoDB.nextReply(last, largest)
}

func (d *asMongoDB) shorten(failed reply) bool { return d.mongoDB.shorten(failed) }

func (d *asMongoDB) estimate(ctx context.Context, c *mongo.Collection) (int64, error) {
	return d.mongoDB.estimate(ctx, c)
}

func (d *asMongoDB) count(ctx context.Context, s *Store, collection, field string, filter bson.D) (int64, error) {
	return d.mongoDB.count(ctx, s, collection, field, filter)
}

func (d *asMongoDB) look(ctx context.Context, s *Store, l *look) error {
	return d.mongoDB.look(ctx, s, l)
}

func (d *asMongoDB) withIDs(ctx context.Context, s *Store, collection string, ids bson.A) iter.Seq2[bson.Raw, error] {
	return d.mongoDB.withIDs(ctx, s, collection, ids)
}

func (d *asMongoDB) bearing(ctx context.Context, m *matcher) iter.Seq2[bson.Raw, error] {
	return d.mongoDB.bearing(ctx, m)
}

func (d *asMongoDB) findsFirst(standing, records int) bool {
	return d.mongoDB.findsFirst(standing, records)
}

func (d *asMongoDB) descending(ctx context.Context, s *Store, collection, least, below string, projection bson.D) iter.Seq2[bson.Raw, error] {
	return d.mongoDB.descending(ctx, s, collection, least, below, projection)
}

// guard leaves out what FerretDB cannot compare.
func (d *asMongoDB) guard(identity, conditions bson.D) bson.D {
	return d.mongoDB.guard(identity, slices.DeleteFunc(conditions, func(e bson.E) bool { return e.Key == "$expr" }))
}

// AsMongoDB makes the store treat FerretDB as it treats MongoDB, but for what FerretDB cannot do or does not survive: so
// the guards and lookups that are for MongoDB run against a server, too.
func (s *Store) AsMongoDB() {
	s.dialect = &asMongoDB{server: s.dialect}
	s.limits.NoDots, s.limits.NoDollars, s.limits.NoNestedArray, s.limits.NoDecimals = true, true, true, true
}

// likeMongoDB treats a server as MongoDB, but for what it says of collations.
type likeMongoDB struct {
	mongoDB
	server dialect
}

func (d likeMongoDB) bytewise() *options.Collation { return d.server.bytewise() }

// LikeMongoDB returns another store on the same database, which is treated as MongoDB.
func (s *Store) LikeMongoDB() *Store {
	like := *s
	like.dialect = likeMongoDB{server: s.dialect}
	return &like
}

// PersistenceAt returns a persistence that takes it for that time.
func (s *Store) PersistenceAt(now time.Time) *Persistence {
	return &Persistence{s, func() time.Time { return now }}
}

// NewDocument returns r as a new document of its collection.
func NewDocument(r record.Record, now time.Time) bson.Raw {
	return appendNewDocument(make([]byte, 0, r.DocumentSize()), r, now, false)
}

// NewMirrored returns r as a new document of its collection in a mirror.
func NewMirrored(r record.Record, now time.Time) bson.Raw {
	return appendNewDocument(make([]byte, 0, r.DocumentSize()), r, now, true)
}

// SetHeartbeatWait is how long all stores wait for the first heartbeats of a set's members.
func SetHeartbeatWait(d time.Duration) { heartbeatWait = d }

// Scrub is scrub, for tests.
func Scrub(err error) error { return (&Store{members: watch(options.Client())}).scrub(err) }

// SetMaxDocument makes the largest document smaller.
func (s *Store) SetMaxDocument(n int) { s.limits.MaxDocument = n }

// SetSortedBytes makes what is held to be sorted on FerretDB less.
func (s *Store) SetSortedBytes(n int) {
	if d, ok := s.dialect.(*ferretDB); ok {
		d.sortedBytes = n
	}
}

// Value is value, for tests.
var Value = value

// HeldIn returns what doc holds for r.
func HeldIn(doc []byte, r record.Record) record.Held { return found{own: doc}.existing(r).Held }

// DocumentOf is documentOf, for tests.
func DocumentOf(kind record.Kind, doc []byte) record.Document { return documentOf(kind, doc) }

// PlainDigest returns the digest of a document straight from its encoding, or false where that cannot be.
func PlainDigest(kind record.Kind, doc []byte, now time.Time) (record.DocumentDigest, bool) {
	return (&digester{kind: kind, now: now}).plain(doc)
}

// Digester returns a function that digests one document after another.
func Digester(kind record.Kind, now time.Time) func(doc bson.Raw) record.DocumentDigest {
	return (&digester{kind: kind, now: now}).digest
}

// DocumentIn returns what is known of a document of a collection.
func DocumentIn(c record.Collection, doc []byte) record.Document {
	d := document(c, doc)
	d.Held = content(c, d.User, doc)
	return d
}

// AsReadByMongoDB returns the filter that finds a step's document on MongoDB.
func AsReadByMongoDB(step record.Step) bson.D {
	return (&applying{Store: &Store{dialect: mongoDB{}}}).asRead(step)
}

// ManyRefused is manyRefused, for tests.
const ManyRefused = manyRefused

// LastIDs returns the _ids of those of the documents that are held to be sorted, and whether others were dropped.
func LastIDs(documents [][]byte, maxCount, maxBytes int) (ids []string, dropped bool) {
	l := lastDocuments{maxCount: maxCount, maxBytes: maxBytes}
	for _, doc := range documents {
		l.add(doc)
	}
	for _, doc := range l.descending() {
		ids = append(ids, doc.id)
	}
	return ids, l.dropped
}

// OpenWith returns a store on a client of the test's own, which it may watch.
func OpenWith(ctx context.Context, client *mongo.Client, database string) (*Store, error) {
	s := &Store{client: client, db: client.Database(database), members: watch(options.Client()), commandTimeout: retry.DefaultFor}
	return s, s.identify(ctx)
}

// UpdatesAmong is for tests of collections that are too large for tests.
var UpdatesAmong = updatesAmong

// String returns the class as the documentation names it.
func (c class) String() string {
	return [...]string{
		"the run ends", "tried again", "the document is rejected", "merged, or rejected where the index is not ours",
		"the run ends: user or password", "the run ends: missing right", "the run ends: drop the index", "the run ends: no plain collection",
	}[c]
}

// LeadsTo returns what an error leads to, in words.
func LeadsTo(err error) string { return classify(err).String() }

// CodeLeadsTo returns what a server's error leads to, in words, and its name.
func CodeLeadsTo(number int32) (leads, name string) {
	return codes[number].class.String(), codes[number].name
}

// Codes returns the server errors that the store knows.
func Codes() []int32 { return slices.Sorted(maps.Keys(codes)) }

// Wrap is wrap, for tests.
func Wrap(err error) error { return (&Store{members: watch(options.Client())}).wrap("do it", err) }

// StatementFor returns the statement by which r is merged into doc on MongoDB, where the source wins.
func StatementFor(r record.Record, doc bson.Raw) mongo.WriteModel {
	w := writing{
		Sink: &Sink{Store: &Store{dialect: mongoDB{}, limits: record.Limits{NoDollars: true}}}, kind: r.Kind, now: time.UnixMilli(0),
		batch: []record.Record{r}, outcomes: make([]record.Outcome, 1), policy: record.PreferSource,
	}
	return w.statement(w.decideOne(0, &found{own: doc}))
}

// RepeatedName is repeatedName, for tests.
var RepeatedName = repeatedName

// RepeatsNameAtAnyDepth is repeatsNameAtAnyDepth, for tests.
var RepeatsNameAtAnyDepth = repeatsNameAtAnyDepth

// FerretDBsFailure returns FerretDB's error as MongoDB tells it.
func FerretDBsFailure(err error, updates int) error { return (&ferretDB{}).failure(err, updates) }

// Restored returns the record that lanyardctl's document of the kind was made of.
func Restored(kind record.Kind, doc []byte, now time.Time) (record.Record, error) {
	return (&Sink{opts: SinkOptions{Now: func() time.Time { return now }}}).fromDocument(schemaOf(kind).about().kind, doc)
}

// SetPointBytes bounds the documents of several users that are held at a time.
func (s *Source) SetPointBytes(n int) { s.pointBytes = n }

// SetRetryFor is how long the source tries again without a document that is new.
func (s *Source) SetRetryFor(d time.Duration) { s.retry.For = d }

// SetLarge makes a collection of so many documents one that is read in ranges.
func (s *Source) SetLarge(documents int64) { s.large = documents }

// Deliverer returns a function that appends a source's items of one document after another.
func Deliverer(kind record.Kind, now time.Time) func(items []record.Item, doc bson.Raw) []record.Item {
	src, c := &Source{now: now}, &sourceCollection{kind: kind}
	return func(items []record.Item, doc bson.Raw) []record.Item {
		items, _ = src.appendItems(items, c, doc)
		return items
	}
}
