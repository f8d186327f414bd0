package mongo

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// AsMongoDB makes the store treat FerretDB as it treats MongoDB, but for what FerretDB cannot do or does not survive: so
// the guards and lookups that are for MongoDB run against a server, too.
func (s *Store) AsMongoDB() {
	s.quirks = quirks{replace: true, fewUpdates: true, vagueErrors: true, noExpressions: true, noCollation: s.quirks.noCollation}
	s.limits.NoDots, s.limits.NoDollars, s.limits.NoNestedArray = true, true, true
}

// LikeMongoDB returns another store on the same database, which is treated as MongoDB.
func (s *Store) LikeMongoDB() *Store {
	return &Store{client: s.client, db: s.db, info: s.info, limits: s.limits, members: s.members, quirks: quirks{noCollation: s.quirks.noCollation}, commandTimeout: s.commandTimeout}
}

// NewDocument is newDocument, for tests.
var NewDocument = newDocument

// Scrub is scrub, for tests.
func Scrub(err error) error { return (&Store{members: watch(options.Client())}).scrub(err) }

// SetMaxDocument makes the largest document smaller.
func (s *Store) SetMaxDocument(n int) { s.limits.MaxDocument = n }

// Value is value, for tests.
var Value = value

// HeldIn returns what doc holds for r.
func HeldIn(doc []byte, r record.Record) record.Held { return found{own: doc}.held(r) }

// StandingIn is standing, for tests.
func StandingIn(kind record.Kind, doc []byte) record.Standing { return standing(kind, doc) }

// DocumentIn returns what is known of a document of a collection.
func DocumentIn(c record.Collection, doc []byte) record.Document {
	d := document(c, doc)
	d.Held = content(c, d.User, doc)
	return d
}

// AsReadByMongoDB returns the filter that finds a step's document on MongoDB.
func AsReadByMongoDB(step record.Step) bson.D { return (&applying{Store: &Store{}}).asRead(step) }

// Bounds of what is held to be sorted.
const (
	SortedLength = sortedLength
	SortedBytes  = sortedBytes
)

// LastIDs returns the _ids of those of the documents that are held to be sorted, and whether others were dropped.
func LastIDs(documents [][]byte, maxCount, maxBytes int) (ids []string, dropped bool) {
	l := lastChanges{maxCount: maxCount, maxBytes: maxBytes}
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
	s := &Store{client: client, db: client.Database(database), members: watch(options.Client()), commandTimeout: record.RetryFor}
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
		Sink: &Sink{Store: &Store{limits: record.Limits{NoDollars: true}}, opts: SinkOptions{Now: func() time.Time { return time.UnixMilli(0) }}}, kind: r.Kind,
		batch: []record.Record{r}, outcomes: make([]record.Outcome, 1), policy: record.PreferSource,
	}
	return w.statement(w.newChange(0, &found{own: doc}))
}

// RepeatedName is repeatedName, for tests.
func RepeatedName(doc bson.Raw) string {
	name, _ := repeatedName(doc)
	return name
}
