package mongo

import (
	"context"
	"strings"
	"time"
)

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
	noCollation   bool // knows no collation: it always compares bytes
}

// ferretDB are the quirks of FerretDB v1 on SQLite.
var ferretDB = quirks{
	loneID: true, replace: true, fewUpdates: true, wholeReplies: true, countLoads: true, sortLoads: true,
	vagueErrors: true, noExpressions: true, noCollation: true,
}

// isBusy reports whether a FerretDB on SQLite lost the race for its file, which it tells by the text alone.
func isBusy(err error) bool { return err != nil && strings.Contains(err.Error(), "database is locked") }

// Pace returns how the server likes to be written to: FerretDB on SQLite writes one batch at a time, and scans the
// collection for each batch that meets documents which are there already.
func (s *Store) Pace() Pace {
	if s.quirks.loneID {
		return Pace{Workers: 1, BatchSize: 5000}
	}
	return Pace{}
}

// scanWorth is how many lookups by _id take the time in which the whole collection is read, measured on FerretDB (45 to
// 60, in collections of 10,000 to 300,000): it follows no index there, but decodes nothing else.
const scanWorth = 40

const (
	// fewUpdates is how many may be under way where more of them hang the server.
	fewUpdates = 40

	// updateScans is how many documents a command's updates may go through, which takes FerretDB some twenty seconds:
	// each update goes through the whole collection.
	updateScans = 6_000_000
)

// updatesAtOnce is how many updates of a collection a command may hold.
func (s *Store) updatesAtOnce(ctx context.Context, collection string) (int, error) {
	if !s.quirks.fewUpdates {
		return mostUpdates, nil
	}
	total, err := s.estimate(ctx, collection)
	if err != nil {
		return 0, err
	}
	return updatesAmong(total), nil
}

// updatesAmong returns how many updates a command may hold where each goes through so many documents.
func updatesAmong(documents int64) int {
	return int(min(max(updateScans/max(documents, 1), 1), fewUpdates))
}

// lockUpdates waits until an update may be sent, and keeps others waiting until unlock is called.
func (s *Store) lockUpdates() (unlock func()) {
	if !s.quirks.fewUpdates {
		return func() {}
	}
	s.updating.Lock()
	return s.updating.Unlock
}

// What a reply may hold of a server that sends as many documents as it was asked for: over 48 MB it sends none, and hangs.
const (
	firstWholeReply = 2   // documents, each of which may be as large as documents can be
	wholeReply      = 100 // documents
	wholeReplyBytes = 32 << 20

	// wholeReplyTimeout bounds a reply of more than the first few, which takes milliseconds where it can be sent at all.
	wholeReplyTimeout = 20 * time.Second
)

// nextWholeReply returns how many documents a reply may hold after one of length documents, where the largest so far has
// that many bytes, and how long it may take.
func (s *Store) nextWholeReply(length, largest int) (int, time.Duration) {
	next := min(2*length, wholeReply, wholeReplyBytes/largest)
	if next <= firstWholeReply || s.shortReplies.Load() {
		return firstWholeReply, s.commandTimeout
	}
	return next, wholeReplyTimeout
}
