package record

import (
	"context"
	"errors"
	"time"
)

// ErrUnavailable marks an error after which the same call may succeed: a cut connection, an election, a timeout.
var ErrUnavailable = errors.New("server unavailable")

// ErrGivenUp marks an [ErrUnavailable] of a call that was tried again for as long as it may be: no other layer tries.
var ErrGivenUp = errors.New("given up")

// ErrSourceMoved marks an error of a source whose data went away or were replaced while it was read. What was read says
// nothing of the whole, and a later run begins anew.
var ErrSourceMoved = errors.New("the source's data are not those that they were at the start")

// Item is a record on its way from a source, with what had to be left out of it.
type Item struct {
	Kind Kind

	// Record is nil where nothing of it can be written; then there is at least one reject.
	Record *Record

	// Rejects are values of the record that are not written.
	Rejects []Reject

	// Superseded are values of the source that another value of the source replaces.
	Superseded []Superseded

	// Notes are counted in the report, by their text.
	Notes []Note

	// Dates are, where monitoring dates alone were asked for, what the keys of the item say of one. Then there is nothing
	// else in it.
	Dates []DateValue

	// Document is, where documents of a target were asked for, what the target's keys say of one identity and kind. Then
	// there is nothing else in it.
	Document *Document

	// APIKey is, for an API key without a record, the key where it authenticates in the source though it is rejected.
	APIKey string
}

// Note is a remark that a report counts.
type Note string

// The notes.
const (
	Normalised     Note = "normalised"      // a time that stood in another unit or type
	Repaired       Note = "repaired"        // an API key that authenticates, but was not named as current
	NotJSON        Note = "not_json"        // a fork's value that is not JSON, kept as the text it is
	SupersededNote Note = "superseded"      // a value kept in the superseded file
	Expiring       Note = "expiring"        // a key with a TTL
	BothLayouts    Note = "both_layouts"    // a user with key-value pairs in both layouts
	NumericUserID  Note = "numeric_user_id" // a target's document that the app cannot see
	Collated       Note = "collated"        // a target's collection that compares text by a collation
	AsText         Note = "as_text"         // a number of more digits than the target's decimals have, written as text
	Incomplete     Note = "incomplete"      // an item without an attribute that the bot gives all of its table
	AsJSON         Note = "as_json"         // a value that is no text, written as its JSON text where texts alone are held
)

// Identity returns what the item is of.
func (it Item) Identity() Identity {
	switch {
	case it.Record != nil:
		return it.Record.Identity()
	case len(it.Rejects) > 0:
		return Identity{it.Rejects[0].User, it.Rejects[0].Name}
	}
	return Identity{}
}

// User returns the user of the item, zero where there is none.
func (it Item) User() UserID { return it.Identity().User }

// Omitted tells which fields of the item were rejected; it is nil for none.
func (it Item) Omitted() *Omitted {
	if it.Kind.Shape() != FieldsShape || len(it.Rejects) == 0 {
		return nil
	}
	// Mostly it is one field, which takes no allocation of its own.
	all := new(struct {
		Omitted
		first [1]string
	})
	l := &all.Omitted
	l.Names = all.first[:0]
	for _, r := range it.Rejects {
		if r.HasField {
			l.Names = append(l.Names, r.Field)
		} else {
			l.All = true
		}
	}
	return l
}

// KeyCounts counts the source's keys by what became of them.
type KeyCounts struct {
	Keys      int64 // all keys looked at
	Lanyard   int64 // those that Lanyard wrote, whether they were asked for or not
	Ignored   int64 // nobody's that we know
	Foreign   int64 // under one of Lanyard's generic prefixes, but another application's
	Analytics int64 // of the analytics feature that was removed in 2024
}

// Add adds o to s.
func (s *KeyCounts) Add(o KeyCounts) {
	s.Keys += o.Keys
	s.Lanyard += o.Lanyard
	s.Ignored += o.Ignored
	s.Foreign += o.Foreign
	s.Analytics += o.Analytics
}

// Known returns how many keys are of some Lanyard, those of the removed feature among them: without one, it is hardly
// Lanyard's source.
func (s KeyCounts) Known() int64 { return s.Lanyard + s.Analytics }

// Page is a step of reading a part.
type Page struct {
	Items []Item
	Seen  KeyCounts

	// Next is where reading goes on after this page. It means something to the part alone. A page that is delivered in
	// pieces has the position before it in all but the last; what follows the parts has none.
	Next string
}

// Source delivers one record an identity and kind (an API key each). A key may come twice, as a Redis SCAN may repeat it.
type Source interface {
	// Parts returns what can be read side by side. Each has a name of its own.
	Parts(ctx context.Context) ([]Part, error)

	// Deferred delivers what only the sight of all parts decides. It is called once, after every part was read to its end.
	Deferred(ctx context.Context, yield func(Page) error) error

	// Total returns about how many keys there are, for progress; zero where nobody knows.
	Total(ctx context.Context) (int64, error)

	// Identity names the data for a later run that resumes this one: the positions of its parts
	// hold as long as the identity is the same.
	Identity() string
}

// Part is a piece of a source that one reader reads.
type Part interface {
	// Name tells parts apart, and people where they are: "127.0.0.1:6379". It holds no secret.
	Name() string

	// Read delivers the part's pages in order, from the position of an earlier page's Next, or from the start where from
	// is empty. It returns yield's error as it is.
	Read(ctx context.Context, from string, yield func(Page) error) error
}

// Status is where a report counts a record. Each record is counted once.
type Status uint8

// The columns.
const (
	Unchanged Status = iota
	Inserted
	Updated
	Conflicted
	Rejected
)

// Outcome is what became of one record.
type Outcome struct {
	Status     Status
	Rejects    []Reject // a line each in the rejects file
	Conflicts  int      // fields in conflict
	Superseded int      // values that gave way
}

// ArchiveFunc keeps superseded values for good. A sink calls it before it overwrites them; after a failure it may call it
// again with the same values.
type ArchiveFunc func([]Superseded) error

// Sink merges records into a target.
type Sink interface {
	// Begin makes the target ready for the first batch, such as indexes that must be there before it. It may be called
	// again.
	Begin(ctx context.Context, keep ArchiveFunc) error

	// Write merges the batch and returns one outcome a record, in order. Records of one identity and kind are never in two
	// calls at once. An error means that the fate of the whole batch is unknown; writing it again is safe.
	Write(ctx context.Context, batch []Record, keep ArchiveFunc) ([]Outcome, error)

	// Finish makes the target complete after the last batch, such as its indexes. It may be called again.
	Finish(ctx context.Context, keep ArchiveFunc) error

	// Limits returns what the target can hold.
	Limits() Limits
}

// Checkpoint is how far a run has come, kept in the target so that a later run can resume it.
type Checkpoint struct {
	ID          string            // of the run
	Scope       string            // identity of source, options and version: only a run of the same scope may resume it
	Owner       Owner             // who writes it
	Heartbeat   time.Time         // when the owner last did
	Target      map[string]string // by name: identities of the target's collections that held something by then
	RejectsFile string            // absolute path on the owner's host; empty where there is none yet
	Positions   map[string]string // by part name: Page.Next up to which all is written
	State       []byte            // the run's statistics up to the positions, in the engine's own form
}

// Checkpoints keeps checkpoints in a target.
type Checkpoints interface {
	// Find returns the checkpoints of a scope, in no order.
	Find(ctx context.Context, scope string) ([]Checkpoint, error)

	// Save writes c where no checkpoint of its ID exists, or where the one that does belongs to the given owner (c.Owner
	// then takes over from it), and reports whether it did.
	Save(ctx context.Context, c Checkpoint, from Owner) (bool, error)

	// Remove deletes the checkpoint with the ID.
	Remove(ctx context.Context, id string) error

	// Target returns the identities of the target's collections by name. One that is dropped and made anew has another.
	Target(ctx context.Context) (map[string]string, error)
}
