package persistence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// Scrape is what a running Lanyard says of its counters at one moment.
type Scrape struct {
	// Instance tells apart the Lanyards whose counters are flushed into the same stores. It holds no secret.
	Instance string
	Counters map[string]record.Value // int64 or float64, from zero up, by their names in the stores

	// AppInDoubt tells that the layer's app may be another one than that of the instance. Where counters are stored that
	// nobody has flushed, the fork has stored them, and a value from them up is taken for a fork's.
	AppInDoubt bool
}

// Flushed is what became of the counters in one store. It has those that were scraped.
type Flushed struct {
	Store  string
	Before map[string]record.Value // a counter that the store did not hold is left out
	After  map[string]record.Value
}

// FlushCounters adds to the stored counters of every store by how much those of the running Lanyard have increased since
// the last flush, and never lowers one. A process that is killed leaves each store before or after the whole of it, and
// what it did not write is made up for by the next flush, as is what a store missed that was away. Scrape is called after
// the stores were looked at, and again where another process flushed the same instance meanwhile.
//
// A store that fails does not keep the others from being written, once the instance is known to those. It returns what became
// of those that were written. With dryRun nothing is written.
func (l *Layer) FlushCounters(ctx context.Context, scrape func(context.Context) (Scrape, error), dryRun bool) ([]Flushed, error) {
	const most = 5
	var flushed []Flushed
	var err error
	for range most {
		if flushed, err = l.flush(ctx, scrape, dryRun); !errors.Is(err, errOvertaken) {
			return flushed, err
		}
	}
	return flushed, err
}

// errOvertaken tells that another process flushed the same instance after the stores were looked at, so that the scrape
// may be older than that process's.
var errOvertaken = fmt.Errorf("another process flushes the same counters: %w", record.ErrContended)

// ErrCountersUnreadable tells that something stands in place of a counter which is none.
var ErrCountersUnreadable = errors.New("the stored counters cannot be read")

// errUnknown tells that a flush would be the first one of an instance, as far as could be read.
var errUnknown = errors.New("a store that cannot be read may know what was flushed before: the first flush needs all of them")

func (l *Layer) flush(ctx context.Context, scrape func(context.Context) (Scrape, error), dryRun bool) ([]Flushed, error) {
	if len(l.Stores) == 0 {
		return nil, ErrNoStore
	}
	f := flushing{app: l.App, seen: make([]*countersSeen, len(l.Stores))}
	failed := make([]error, len(l.Stores))
	for i, s := range l.Stores {
		f.seen[i], failed[i] = l.seeCounters(ctx, s)
	}
	if !slices.Contains(failed, nil) {
		return nil, errors.Join(failed...)
	}
	var err error
	if f.scrape, err = scrape(ctx); err != nil {
		return nil, errors.Join(append(failed, err)...)
	}
	var flushed []Flushed
	var partial PartialError
	for i, s := range l.Stores {
		var done Flushed
		if failed[i] == nil && dryRun {
			if done, _, failed[i] = f.next(i, f.seen[i]); failed[i] != nil {
				failed[i] = &StoreError{s.Name, failed[i]}
			}
		} else if failed[i] == nil {
			failed[i] = l.do(ctx, s, func() error {
				return s.UpdateCounters(ctx, func(held record.Entry, note []byte) (map[string]record.Value, []byte, error) {
					fresh, err := seenCounters(held, note)
					if err != nil {
						return nil, nil, err
					}
					var newNote countersNote
					if done, newNote, err = f.next(i, fresh); err != nil {
						return nil, nil, err
					}
					return done.changes(), newNote.encode(), nil
				})
			})
		}
		if failed[i] != nil {
			partial.Old = append(partial.Old, s.Name)
			continue
		}
		done.Store = s.Name
		partial.New = append(partial.New, s.Name)
		flushed = append(flushed, done)
	}
	partial.Err = errors.Join(failed...)
	if len(partial.Old) > 0 && len(partial.New) > 0 && !dryRun {
		return flushed, &partial
	}
	return flushed, partial.Err
}

// changes returns the counters that get another value.
func (f Flushed) changes() map[string]record.Value {
	set := make(map[string]record.Value)
	for name, after := range f.After {
		if before, held := f.Before[name]; !held || !record.Equal(before, after) {
			set[name] = after
		}
	}
	return set
}

// countersSeen is what a store holds of the counters.
type countersSeen struct {
	place      string
	stored     map[string]record.Value
	unreadable map[string]string
	note       countersNote
}

func seenCounters(held record.Entry, note []byte) (*countersSeen, error) {
	if held.Fault != "" {
		return nil, fmt.Errorf("%w: %s: %s", ErrCountersUnreadable, held.Place, held.Fault)
	}
	seen := &countersSeen{place: held.Place, stored: held.Fields, unreadable: held.Unreadable}
	var err error
	seen.note, err = parseNote(note)
	return seen, err
}

// seeCounters reads the counters of a store, and its note.
func (l *Layer) seeCounters(ctx context.Context, s Store) (seen *countersSeen, err error) {
	errSeen := errors.New("seen") // so that nothing is written
	err = l.do(ctx, s, func() error {
		err := s.UpdateCounters(ctx, func(held record.Entry, note []byte) (map[string]record.Value, []byte, error) {
			var err error
			if seen, err = seenCounters(held, note); err != nil {
				return nil, nil, err
			}
			return nil, nil, errSeen
		})
		if errors.Is(err, errSeen) {
			return nil
		}
		return err
	})
	return seen, err
}

// flushing is a flush under way: a scrape, and what the stores held before it; nil for one that could not be read.
type flushing struct {
	app    record.App
	scrape Scrape
	seen   []*countersSeen
}

// next returns what becomes of the counters in a store, which holds fresh now, and the note that goes with them.
func (f flushing) next(index int, fresh *countersSeen) (Flushed, countersNote, error) {
	done := Flushed{Before: make(map[string]record.Value), After: make(map[string]record.Value)}
	note := countersNote{}
	maps.Copy(note, fresh.note)
	for _, name := range slices.Sorted(maps.Keys(f.scrape.Counters)) {
		if fault, ok := fresh.unreadable[name]; ok {
			return done, nil, fmt.Errorf("%w: %s: %s: %s", ErrCountersUnreadable, fresh.place, name, fault)
		}
		rule := flushRule{
			app: f.app, inDoubt: f.scrape.AppInDoubt, instance: f.scrape.Instance, scraped: whole(f.scrape.Counters[name]), before: int64(0),
		}
		stored, held := fresh.stored[name]
		if held {
			done.Before[name] = stored
		}
		own := fresh.note[name]
		states := []counterState{own}
		for i, seen := range f.seen {
			if seen == nil {
				continue
			}
			if v, ok := seen.stored[name]; ok {
				rule.before = larger(rule.before, whole(v))
			}
			state := seen.note[name]
			if i != index {
				states = append(states, state)
			} else if rule.overtaken(state, own) {
				return done, nil, errOvertaken
			}
		}
		if slices.Contains(f.seen, nil) && !slices.ContainsFunc(states, rule.knows) {
			return done, nil, errUnknown
		}
		after, state, err := rule.apply(stored, states)
		if err != nil {
			return done, nil, fmt.Errorf("counter %s: %w", name, err)
		}
		done.After[name], note[name] = after, state
	}
	return done, note, nil
}
