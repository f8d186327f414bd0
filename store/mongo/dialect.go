package mongo

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// dialect is what a store does differently on different servers. It is chosen once, by [Store.recognise].
type dialect interface {
	writeHints() WriteHints

	// bytewise returns the collation that compares text byte by byte; nil for a server that knows no collations.
	bytewise() *options.Collation

	// failure returns a server's error in the form in which MongoDB tells it. The command held so many updates.
	failure(err error, updates int) error

	// nextReply returns how a cursor asks for its next reply, after one of the last form, where the largest document so
	// far has so many bytes. The first reply comes after the zero value.
	nextReply(last reply, largest int) reply

	// shorten tells that a reply did not come in time, or broke the connection. It reports whether a cursor asks for less
	// from now on.
	shorten(failed reply) bool

	// estimate returns about how many documents a collection holds.
	estimate(ctx context.Context, c *mongo.Collection) (int64, error)

	// count counts the documents of a collection that a filter on one field finds.
	count(ctx context.Context, s *Store, collection, field string, filter bson.D) (int64, error)

	// look looks at the documents of a collection for what is wrong with them, and counts them where that is asked for. After
	// an error the look has what was found by then.
	look(ctx context.Context, s *Store, l *look) error

	// withIDs streams the documents of a collection with the _ids, and perhaps others.
	withIDs(ctx context.Context, s *Store, collection string, ids bson.A) iter.Seq2[bson.Raw, error]

	// bearing streams the documents that bear on the records of a lookup, and perhaps others.
	bearing(ctx context.Context, m *matcher) iter.Seq2[bson.Raw, error]

	// findsFirst reports whether it is cheaper to look records up before they are inserted than to have the inserts meet
	// documents, where so many of the records stand in the target.
	findsFirst(standing, records int) bool

	// having streams the documents of a collection that have one of the texts in a field, and perhaps others.
	having(ctx context.Context, s *Store, collection, field string, texts []string, projection bson.D) iter.Seq2[bson.Raw, error]

	// ordersByID reports whether documents can be read in ranges of their _ids, in the order of these.
	ordersByID() bool

	// descending streams the documents of a collection whose _ids are texts from least to below, from the last to the first.
	descending(ctx context.Context, s *Store, collection, least, below string, projection bson.D) iter.Seq2[bson.Raw, error]

	// maxUpdates returns how many updates of a collection a command may hold.
	maxUpdates(ctx context.Context, c *mongo.Collection) (int, error)

	// lockUpdates waits until a command with updates may be sent, and keeps others waiting until unlock is called.
	lockUpdates() (unlock func())

	// exclusive waits until nobody else changes what the name stands for, and keeps others waiting until unlock is called. It
	// does nothing where a guarded statement is one step.
	exclusive(ctx context.Context, s *Store, name string) (unlock func(), err error)

	// guard adds the conditions that a document still is what was read to the filter that finds it by its _id.
	guard(identity, conditions bson.D) bson.D

	// update returns the statement that sets and unsets fields of a document.
	update(s *Store, filter bson.D, doc bson.Raw, set, unset bson.D) mongo.WriteModel

	// replace returns the statement that puts one document in the place of another.
	replace(s *Store, filter bson.D, before, after bson.Raw) mongo.WriteModel
}

// recognise chooses the dialect of a server, by what it answers to buildInfo.
func (s *Store) recognise(build bson.Raw) error {
	s.limits = record.Limits{MaxDocument: record.DefaultMaxDocument, Named: true}
	if version, ok := ferretDBVersion(build); ok {
		s.dialect = &ferretDB{sortedBytes: sortedBytes}
		s.info.Server, s.info.Version = "FerretDB", version
		s.limits.NoDots, s.limits.NoDollars, s.limits.NoNestedArray, s.limits.NoDecimals = true, true, true, true
	} else {
		s.dialect = mongoDB{}
		s.info.Server = "MongoDB"
		s.info.Version, _ = lookup(build, "version").StringValueOK()
		major, minor := release(s.info.Version)
		if major < oldestMajor || major == oldestMajor && minor < oldestMinor {
			return fmt.Errorf("%w: MongoDB %s; %d.%d is the oldest that is supported", ErrTooOld, s.info.Version, oldestMajor, oldestMinor)
		}
		s.limits.NoDollars = major < 5
	}
	s.limits.Server = strings.TrimSpace(s.info.Server + " " + s.info.Version)
	return nil
}

// The oldest release of MongoDB that is supported.
const oldestMajor, oldestMinor = 4, 4

// release returns the first two numbers of a version.
func release(version string) (major, minor int) {
	first, rest, _ := strings.Cut(version, ".")
	second, _, _ := strings.Cut(rest, ".")
	// What is no number is zero, and too old.
	major, _ = strconv.Atoi(first)
	minor, _ = strconv.Atoi(second)
	return major, minor
}

// reply is how a cursor asks for documents.
type reply struct {
	length  int32         // how many it may hold; a server may send fewer where they are large
	timeout time.Duration // that of any command where zero
}

// mongoDB is the dialect of MongoDB.
type mongoDB struct{}

const (
	replyLength = 1000
	maxUpdates  = 1000
)

func (mongoDB) writeHints() WriteHints { return WriteHints{} }

func (mongoDB) bytewise() *options.Collation { return &options.Collation{Locale: simple} }

func (mongoDB) failure(err error, _ int) error { return err }

func (mongoDB) nextReply(reply, int) reply { return reply{length: replyLength} }

func (mongoDB) shorten(reply) bool { return false }

func (mongoDB) estimate(ctx context.Context, c *mongo.Collection) (int64, error) {
	return c.EstimatedDocumentCount(ctx)
}

func (mongoDB) count(ctx context.Context, s *Store, collection, _ string, filter bson.D) (int64, error) {
	return s.db.Collection(collection).CountDocuments(ctx, filter, options.Count().SetCollation(s.dialect.bytewise()))
}

// look has the server find what is wrong, side by side.
func (mongoDB) look(ctx context.Context, s *Store, l *look) error {
	g, ctx := errgroup.WithContext(ctx)
	name := l.collection.String()
	g.Go(func() error {
		for doc, err := range s.stream(ctx, name, query{filter: l.suspicious(), projection: l.projection()}) {
			if err != nil {
				return err
			}
			l.suspect(doc)
		}
		return nil
	})
	for _, field := range l.unique {
		g.Go(func() error {
			if field != "user_id" {
				return l.findShared(ctx, s, field)
			}
			return s.repeatedValues(ctx, name, field, func(user bson.RawValue) { l.repeated(field, user) })
		})
	}
	if l.exact {
		g.Go(func() (err error) {
			l.documents, err = s.dialect.count(ctx, s, name, "_id", bson.D{})
			return err
		})
	}
	return g.Wait()
}

func (mongoDB) withIDs(ctx context.Context, s *Store, collection string, ids bson.A) iter.Seq2[bson.Raw, error] {
	return s.stream(ctx, collection, query{filter: bson.D{{Key: "_id", Value: bson.D{{Key: "$in", Value: ids}}}}})
}

func (mongoDB) bearing(ctx context.Context, m *matcher) iter.Seq2[bson.Raw, error] {
	return m.w.documents(ctx, m.w.kind, m.filter(), nil)
}

// lookupsPerDuplicate is how many records can be looked up in the time that an insert takes to meet a document, as measured
// on MongoDB 4.4.
const lookupsPerDuplicate = 10

func (mongoDB) findsFirst(standing, records int) bool { return standing*lookupsPerDuplicate >= records }

// textsAtOnce is how many texts a filter names: about 22 KB of user ids.
const textsAtOnce = 1000

func (mongoDB) having(ctx context.Context, s *Store, collection, field string, texts []string, projection bson.D) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		for some := range slices.Chunk(texts, textsAtOnce) {
			q := query{filter: havingOne(field, some), projection: projection}
			for doc, err := range s.stream(ctx, collection, q) {
				if !yield(doc, err) {
					return
				}
			}
		}
	}
}

func (mongoDB) ordersByID() bool { return true }

func (mongoDB) descending(ctx context.Context, s *Store, collection, least, below string, projection bson.D) iter.Seq2[bson.Raw, error] {
	return s.stream(ctx, collection, query{filter: idsBetween(least, below), projection: projection, sort: bson.D{{Key: "_id", Value: -1}}})
}

// idsBetween finds the documents whose _ids are texts from least to below.
func idsBetween(least, below string) bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: least}, {Key: "$lt", Value: below}}}}
}

func (mongoDB) maxUpdates(context.Context, *mongo.Collection) (int, error) { return maxUpdates, nil }

func (mongoDB) lockUpdates() (unlock func()) { return func() {} }

func (mongoDB) exclusive(context.Context, *Store, string) (unlock func(), err error) {
	return func() {}, nil
}

func (mongoDB) guard(identity, conditions bson.D) bson.D { return append(identity, conditions...) }

func (mongoDB) update(s *Store, filter bson.D, _ bson.Raw, set, unset bson.D) mongo.WriteModel {
	var update bson.D
	if len(set) > 0 {
		update = append(update, bson.E{Key: "$set", Value: set})
	}
	if len(unset) > 0 {
		update = append(update, bson.E{Key: "$unset", Value: unset})
	}
	return s.updateModel(filter, update)
}

func (mongoDB) replace(s *Store, filter bson.D, _, after bson.Raw) mongo.WriteModel {
	return s.replaceModel(filter, after)
}
