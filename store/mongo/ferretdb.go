package mongo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// ferretDB is the dialect of FerretDB v1 on SQLite. What it does not say is as on MongoDB.
type ferretDB struct {
	mongoDB

	// updating is held around a command with updates.
	updating sync.Mutex

	// sortedBytes bounds what is held to be sorted.
	sortedBytes int

	// shortReplies tells that documents were too large for one reply.
	shortReplies atomic.Bool
}

// ferretDBVersion returns the version in an answer to buildInfo, which may be empty, as an embedded server does not know
// it. It reports false for another server.
func ferretDBVersion(build bson.Raw) (version string, ok bool) {
	version, _ = lookup(build, "ferretdb", "version").StringValueOK()
	if version == "" {
		version, _ = lookup(build, "ferretdbVersion").StringValueOK() // of v1
	}
	return strings.TrimPrefix(strings.TrimPrefix(version, "v"), "unknown"), version != ""
}

// writeHints: SQLite writes one batch at a time, and the collection is scanned for each batch that meets documents which
// are there already.
func (*ferretDB) writeHints() WriteHints { return WriteHints{Workers: 1, BatchSize: 5000} }

// bytewise: text is always compared by its bytes.
func (*ferretDB) bytewise() *options.Collation { return nil }

// failure: some errors are told by their text alone, and of several updates the first is blamed, whichever it was.
func (*ferretDB) failure(err error, updates int) error {
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "database is locked"): // the race for SQLite's file was lost
		return fmt.Errorf("%w: the database is locked", record.ErrUnavailable)
	case updates == 1 && strings.Contains(err.Error(), "UNIQUE constraint failed"):
		return mongo.BulkWriteException{WriteErrors: []mongo.BulkWriteError{{WriteError: mongo.WriteError{Code: codeDuplicateKey}}}}
	case updates > 1:
		if failed, _ := writeErrors(err); len(failed) > 0 {
			return mongo.CommandError{Code: codeInternalError, Message: "one of several updates failed"}
		}
	}
	return err
}

// A reply holds as many documents as were asked for, also where they are too large for one: over 48 MB none is sent, and the
// server fails or hangs. So few are asked for until it is known how large they are, and for good once that was too many.
const (
	firstWholeReply = 2   // documents, each of which may be as large as documents can be
	wholeReply      = 100 // documents
	wholeReplyBytes = 32 << 20

	// wholeReplyTimeout bounds a reply of more than the first few, which takes milliseconds where it can be sent at all.
	wholeReplyTimeout = 20 * time.Second
)

func (f *ferretDB) nextReply(last reply, largest int) reply {
	next := min(2*int(last.length), wholeReply, wholeReplyBytes/max(largest, 1))
	if next <= firstWholeReply || f.shortReplies.Load() {
		return reply{length: firstWholeReply}
	}
	return reply{length: int32(next), timeout: wholeReplyTimeout}
}

// shorten: large documents may come after any number of small ones.
func (f *ferretDB) shorten(failed reply) bool {
	if failed.length <= firstWholeReply {
		return false
	}
	f.shortReplies.Store(true)
	return true
}

// estimate: the server loads all that it counts, but for its statistics.
func (*ferretDB) estimate(ctx context.Context, c *mongo.Collection) (int64, error) {
	var stats struct {
		Count int64 `bson:"count"`
	}
	err := c.Database().RunCommand(ctx, bson.D{{Key: "collStats", Value: c.Name()}}).Decode(&stats)
	return stats.Count, err
}

// count takes about as long as reading the collection.
func (*ferretDB) count(ctx context.Context, s *Store, collection, field string, filter bson.D) (n int64, err error) {
	projection := bson.D{{Key: field, Value: 1}}
	if field != "_id" {
		projection = append(projection, bson.E{Key: "_id", Value: 0})
	}
	for _, err := range s.stream(ctx, collection, query{filter: filter, projection: projection}) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// look reads the collection once, as whatever is asked of it makes the server read all of it.
func (*ferretDB) look(ctx context.Context, s *Store, l *look) error {
	seen := make(map[string]*seenValues)
	for doc, err := range s.stream(ctx, l.collection.String(), query{projection: l.projection()}) {
		if err != nil {
			return err
		}
		l.documents++
		l.suspect(doc)
		l.tally(doc, seen)
	}
	return nil
}

// scanWorth is how many lookups by _id take the time in which the whole collection is read (45 to 60, measured in
// collections of 10,000 to 300,000): no index is followed, but nothing else is decoded. Every other filter scans.
const scanWorth = 40

// withIDs reads few documents one by one. For many it reads the whole collection: each document would be compared with
// each _id.
func (*ferretDB) withIDs(ctx context.Context, s *Store, collection string, ids bson.A) iter.Seq2[bson.Raw, error] {
	scans := func(id any) bool {
		t := id.(bson.RawValue).Type
		return t != bson.TypeString && t != bson.TypeObjectID
	}
	if len(ids) > scanWorth || slices.ContainsFunc(ids, scans) {
		return s.stream(ctx, collection, query{})
	}
	return func(yield func(bson.Raw, error) bool) {
		for _, id := range ids {
			doc, err := s.documentByID(ctx, collection, id)
			if (doc != nil || err != nil) && !yield(doc, err) || err != nil {
				return
			}
		}
	}
}

// bearing reads the documents of few records by the _id that lanyardctl gives, and the whole collection where they are
// many or that leaves a question.
func (f *ferretDB) bearing(ctx context.Context, m *matcher) iter.Seq2[bson.Raw, error] {
	everything := m.w.documents(ctx, m.w.kind, nil, nil)
	if len(m.byID) > scanWorth {
		return everything
	}
	return func(yield func(bson.Raw, error) bool) {
		for id, i := range m.byID {
			doc, err := m.w.documentByID(ctx, collectionName(m.w.kind), id)
			if err == nil && !m.settles(i, doc) {
				everything(yield)
				return
			}
			if doc == nil && err == nil {
				continue // an item of a table, which has no other _id
			}
			if !yield(doc, err) || err != nil {
				return
			}
		}
	}
}

// findsFirst: a lookup may read the whole collection, and an insert that meets a document does not.
func (*ferretDB) findsFirst(int, int) bool { return false }

// having reads the whole collection where the texts are many: each document would be compared with each of them.
func (f *ferretDB) having(ctx context.Context, s *Store, collection, field string, texts []string, projection bson.D) iter.Seq2[bson.Raw, error] {
	if len(texts) > scanWorth {
		return s.stream(ctx, collection, query{projection: projection})
	}
	return f.mongoDB.having(ctx, s, collection, field, texts, projection)
}

// ordersByID: the server knows no bounds of an index.
func (*ferretDB) ordersByID() bool { return false }

// descending sorts the documents here, some thousands at a time, since the server loads all that it sorts, also where an
// index has their order. It reads the collection again and again: each time, as many of the last documents that were not
// delivered as may be held in memory.
func (f *ferretDB) descending(ctx context.Context, s *Store, collection, least, below string, projection bson.D) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		for more := true; more; {
			last := lastDocuments{maxCount: sortedLength, maxBytes: f.sortedBytes}
			for doc, err := range s.stream(ctx, collection, query{filter: idsBetween(least, below), projection: projection}) {
				if err != nil {
					yield(nil, err)
					return
				}
				last.add(doc)
			}
			for _, doc := range last.descending() {
				if !yield(doc.raw, nil) {
					return
				}
				below = doc.id
			}
			more = last.dropped
		}
	}
}

// Bounds of what is held to be sorted.
const (
	sortedLength = 10_000
	sortedBytes  = 16 << 20 // of BSON, or one document
)

// lastDocuments collects the documents with the largest _id, as many as it may hold.
type lastDocuments struct {
	maxCount, maxBytes int

	documents []sortedDocument // not sorted
	bytes     int
	floor     string // no document below it is there any more
	dropped   bool
}

type sortedDocument struct {
	id  string
	raw bson.Raw
}

func (l *lastDocuments) add(doc bson.Raw) {
	id := lookup(doc, "_id").StringValue()
	if id < l.floor {
		return
	}
	l.documents = append(l.documents, sortedDocument{id, slices.Clone(doc)})
	l.bytes += len(doc)
	// Twice as many as in the end, so that they are sorted seldom.
	if len(l.documents) >= 2*l.maxCount || l.bytes >= 2*l.maxBytes {
		l.cut()
	}
}

// cut sorts the documents and drops the smallest that are too many.
func (l *lastDocuments) cut() {
	slices.SortFunc(l.documents, func(a, b sortedDocument) int { return strings.Compare(b.id, a.id) })
	l.documents = slices.CompactFunc(l.documents, func(a, b sortedDocument) bool { return a.id == b.id })
	l.bytes = 0
	for n, doc := range l.documents {
		if n > 0 && (n >= l.maxCount || l.bytes+len(doc.raw) > l.maxBytes) {
			clear(l.documents[n:])
			l.documents, l.floor, l.dropped = l.documents[:n], l.documents[n-1].id, true
			return
		}
		l.bytes += len(doc.raw)
	}
}

func (l *lastDocuments) descending() []sortedDocument {
	l.cut()
	return l.documents
}

// The server hangs for good when about a hundred updates are under way on one database. So one command of few is sent at
// a time.
const (
	fewUpdates = 40

	// updateScans is how many documents a command's updates may go through, which takes some twenty seconds: each update
	// goes through the whole collection.
	updateScans = 6_000_000
)

func (f *ferretDB) maxUpdates(ctx context.Context, c *mongo.Collection) (int, error) {
	total, err := f.estimate(ctx, c)
	return updatesAmong(total), err
}

// updatesAmong returns how many updates a command may hold where each goes through so many documents.
func updatesAmong(documents int64) int {
	return int(min(max(updateScans/max(documents, 1), 1), fewUpdates))
}

func (f *ferretDB) lockUpdates() (unlock func()) {
	f.updating.Lock()
	return f.updating.Unlock
}

// Where a process changes what others change, too, it inserts a document under a name, which alone is one step on this
// server: an update first looks for its documents, and then writes them, whatever they are by then. One that is killed
// leaves the document behind.
const (
	lockCollection = LeasesCollection
	lockStale      = time.Minute // many times of what is done meanwhile
	lockWait       = 20 * time.Millisecond
)

type lockDocument struct {
	ID   string        `bson:"_id"`
	Run  bson.ObjectID `bson:"run"`
	At   time.Time     `bson:"at"`
	Host string        `bson:"host"`
	PID  int           `bson:"pid"`
}

// left reports whether nobody is going to remove the lock.
func (l lockDocument) left(host string) bool {
	if time.Since(l.At).Abs() > lockStale {
		return true
	}
	if l.Host != host {
		return false
	}
	process, err := os.FindProcess(l.PID)
	return err == nil && errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

func (*ferretDB) exclusive(ctx context.Context, s *Store, name string) (unlock func(), err error) {
	host, _ := os.Hostname() // without a name, time alone tells
	lock := lockDocument{ID: "change " + name, Run: bson.NewObjectID(), Host: host, PID: os.Getpid()}
	remove := func(ctx context.Context, l lockDocument) error {
		_, err := s.deleteOne(ctx, lockCollection, bson.D{{Key: "_id", Value: l.ID}, {Key: "run", Value: l.Run}})
		return err
	}
	for {
		lock.At = time.Now()
		err := s.command(ctx, func(ctx context.Context) error {
			_, err := s.db.Collection(lockCollection).InsertOne(ctx, lock)
			return err
		})
		if err == nil {
			return func() {
				ctx, drained := retry.Drain(ctx, retry.CloseTime)
				defer drained()
				_ = remove(ctx, lock) // it goes stale
			}, nil
		}
		if !mongo.IsDuplicateKeyError(err) {
			return nil, err
		}
		doc, err := s.documentByID(ctx, lockCollection, lock.ID)
		if err != nil {
			return nil, err
		}
		var theirs lockDocument
		if doc != nil {
			if err := bson.Unmarshal(doc, &theirs); err != nil {
				return nil, damaged(lockCollection, doc, err)
			}
			if theirs.left(host) {
				if err := remove(ctx, theirs); err != nil {
					return nil, err
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(1 + rand.N(lockWait)):
		}
	}
}

// guard leaves the conditions out: each would make the server scan the collection, and it cannot compare whole documents.
// Somebody else's write between reading and writing the same document is lost.
func (*ferretDB) guard(identity, _ bson.D) bson.D { return identity }

// update replaces the whole document to change key-value pairs, and nested values of items: $set has no effect where nothing but
// nested names change.
func (f *ferretDB) update(s *Store, filter bson.D, doc bson.Raw, set, unset bson.D) mongo.WriteModel {
	if !slices.ContainsFunc(set, func(e bson.E) bool {
		v, _ := e.Value.(bson.RawValue)
		return e.Key == "kv" || v.Type == bson.TypeEmbeddedDocument || v.Type == bson.TypeArray
	}) {
		return f.mongoDB.update(s, filter, doc, set, unset)
	}
	changed := make(map[string]bool)
	for _, e := range slices.Concat(set, unset) {
		changed[e.Key] = true
	}
	var replaced bson.D
	for _, e := range elementsOf(doc) {
		if !changed[e.Key()] {
			replaced = append(replaced, bson.E{Key: e.Key(), Value: e.Value()})
		}
	}
	return s.replaceModel(filter, append(replaced, set...))
}

// replace sets the fields that change where all that changes is the type of numbers: a replacement then has no effect.
func (f *ferretDB) replace(s *Store, filter bson.D, before, after bson.Raw) mongo.WriteModel {
	if set := retyped(before, after); set != nil {
		return f.mongoDB.update(s, filter, before, set, nil)
	}
	return f.mongoDB.replace(s, filter, before, after)
}

// retyped returns the fields that change where that is the type of numbers, and nil where more changes.
func retyped(before, after bson.Raw) (set bson.D) {
	was, becomes := elementsOf(before), elementsOf(after)
	if len(was) != len(becomes) {
		return nil
	}
	for n, e := range was {
		to := becomes[n]
		if bytes.Equal(e, to) {
			continue
		}
		if e.Key() != to.Key() || !e.Value().IsNumber() || !to.Value().IsNumber() {
			return nil
		}
		set = append(set, bson.E{Key: to.Key(), Value: to.Value()})
	}
	return set
}
