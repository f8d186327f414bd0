// Package mem is a store in memory. It is the executable definition of what a store does: every other store behaves as
// this one, which store/storetest checks.
package mem

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Document is what the store holds for one identity and kind, in the forms that [record.Held] has.
type Document struct {
	APIKey    string
	CreatedAt time.Time
	Times     map[string]any
	Fields    map[string]record.Value
	Junk      record.Value
	Hidden    bool
	Mark      string // digest of what lanyardctl wrote; empty where somebody else wrote
}

func (d Document) clone() Document {
	d.Times = maps.Clone(d.Times)
	d.Fields = maps.Clone(d.Fields)
	return d
}

// Options are what a target in memory can be told.
type Options struct {
	Limits record.Limits
	Policy record.Policy
	Mirror bool             // records are merged by [record.Mirror]
	DryRun bool             // Write answers outcomes and changes nothing
	Now    func() time.Time // time.Now where nil
}

// Store is a target in memory: a [record.Sink] and a [record.Checkpoints].
type Store struct {
	opts Options

	mu          sync.Mutex
	documents   [record.KindCount]map[record.Identity]Document
	strays      []record.Document
	checkpoints map[string]record.Checkpoint
	generation  int
}

// New returns an empty store.
func New(o Options) *Store {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Store{opts: o, checkpoints: make(map[string]record.Checkpoint)}
	s.Drop()
	return s
}

// DryRun makes later writes answer outcomes alone, or change something again.
func (s *Store) DryRun(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.DryRun = on
}

// Drop empties the store, but for its checkpoints.
func (s *Store) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	s.strays = nil
	for k := range s.documents {
		s.documents[k] = make(map[record.Identity]Document)
	}
}

// Put replaces a document of a user behind lanyardctl's back, as the app would.
func (s *Store) Put(kind record.Kind, user record.UserID, d Document) {
	s.PutAt(kind, record.Identity{User: user}, d)
}

// PutAt replaces a document behind lanyardctl's back.
func (s *Store) PutAt(kind record.Kind, id record.Identity, d Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.documents[kind][id] = d.clone()
}

// Get returns a document of a user.
func (s *Store) Get(kind record.Kind, user record.UserID) (Document, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.documents[kind][record.Identity{User: user}]
	return d.clone(), ok
}

// Count returns the number of documents of a kind.
func (s *Store) Count(kind record.Kind) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.documents[kind])
}

// All returns a copy of all documents of a kind that no name identifies.
func (s *Store) All(kind record.Kind) map[record.UserID]Document {
	all := make(map[record.UserID]Document)
	for id, d := range s.Everything(kind) {
		if id.Name == (record.Name{}) {
			all[id.User] = d
		}
	}
	return all
}

// Everything returns a copy of all documents of a kind.
func (s *Store) Everything(kind record.Kind) map[record.Identity]Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[record.Identity]Document, len(s.documents[kind]))
	for id, d := range s.documents[kind] {
		all[id] = d.clone()
	}
	return all
}

// Limits implements [record.Sink].
func (s *Store) Limits() record.Limits { return s.opts.Limits }

// Begin implements [record.Sink].
func (s *Store) Begin(ctx context.Context, _ record.ArchiveFunc) error { return ctx.Err() }

// Finish implements [record.Sink].
func (s *Store) Finish(ctx context.Context, _ record.ArchiveFunc) error { return ctx.Err() }

// Write implements [record.Sink].
func (s *Store) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	outcomes := make([]record.Outcome, len(batch))
	for i, r := range batch {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o, err := s.write(r, keep)
		if err != nil {
			return nil, err
		}
		outcomes[i] = o
	}
	return outcomes, nil
}

func (s *Store) write(r record.Record, keep record.ArchiveFunc) (record.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	existing := s.existing(r)
	now := s.opts.Now()
	merge := record.Merge
	if s.opts.Mirror {
		merge = record.Mirror
	}
	d := merge(r, existing, record.TimeBounds(r.Kind, r.User, now), s.opts.Policy)
	next := s.documents[r.Kind][r.Identity()].clone()
	next.apply(r, d, now)
	if rejects := s.opts.Limits.CheckSize(r, next.size(r)); d.Write && rejects != nil {
		if d.Adopts { // there is no room for the mark, which is all that is missing
			return record.Outcome{}, nil
		}
		return record.Outcome{Status: record.Rejected, Rejects: rejects}, nil
	}
	if s.opts.DryRun {
		return d.Outcome(), nil
	}
	if len(d.Superseded) > 0 {
		if err := keep(d.Superseded); err != nil {
			return record.Outcome{}, err
		}
	}
	if d.RevokeOther {
		delete(s.documents[r.Kind], record.ParseIdentity(existing.KeyOwner))
	}
	if d.Write {
		s.documents[r.Kind][r.Identity()] = next
	}
	return d.Outcome(), nil
}

// existing returns what the store has for r.
func (s *Store) existing(r record.Record) record.Existing {
	doc, found := s.documents[r.Kind][r.Identity()]
	existing := record.Existing{Held: doc.held(r.Kind, r.Identity())}
	existing.Found = found
	if r.Kind.Shape() == record.TextShape {
		for id, other := range s.documents[r.Kind] {
			if id != r.Identity() && other.APIKey == r.APIKey {
				existing.KeyOwner = id.String()
			}
		}
	}
	return existing
}

// held returns what the document holds.
func (d Document) held(kind record.Kind, id record.Identity) record.Held {
	unmodified := record.Unmodified(d.record(kind, id), d.Mark)
	if kind.Shape() == record.TimeShape {
		unmodified = record.UnmodifiedTime(kind, id.User, d.Times, d.Mark)
	}
	return record.Held{
		Found: true, Unmodified: unmodified,
		APIKey: d.APIKey, Times: d.Times, Fields: d.Fields, Malformed: d.Junk, Untyped: d.Hidden,
	}
}

// record returns the document's content as a record.
func (d Document) record(kind record.Kind, id record.Identity) record.Record {
	r := record.Record{Kind: kind, User: id.User, Name: id.Name, APIKey: d.APIKey}
	if d.Fields != nil {
		r.Fields = make(map[string]record.Field, len(d.Fields))
		for name, v := range d.Fields {
			r.Fields[name] = record.Field{Value: v}
		}
	}
	return r
}

// size returns the bytes of BSON that the document would take.
func (d Document) size(r record.Record) int { return d.record(r.Kind, r.Identity()).DocumentSize() }

// apply carries out a decision on r.
func (d *Document) apply(r record.Record, decision record.Decision, now time.Time) {
	d.Mark = decision.Mark
	if decision.Adopts {
		return
	}
	switch r.Kind.Shape() {
	case record.TextShape:
		if decision.Write {
			if d.APIKey != decision.APIKey {
				d.CreatedAt = now
			}
			d.APIKey, d.Junk = decision.APIKey, nil
		}
	case record.TimeShape:
		if d.Times == nil {
			d.Times = make(map[string]any)
		}
		if decision.Write {
			d.Times[record.TimeField(r.Kind)] = decision.Time
		}
	case record.FieldsShape:
		if d.Fields == nil {
			d.Fields = make(map[string]record.Value)
		}
		maps.Copy(d.Fields, decision.Set)
		for _, name := range decision.Unset {
			delete(d.Fields, name)
		}
		d.Junk, d.Hidden = nil, false
	}
}
