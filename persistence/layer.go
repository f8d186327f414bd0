package persistence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// Store is one of the stores of a [Layer].
type Store struct {
	Name string // for people: "MongoDB", "Redis"
	record.Persistence

	// Announcer tells running apps of changes; nil where the store cannot.
	Announcer record.Announcer

	AppKeys bool // the app looks API keys up here
}

// Layer is the persistence layer of an app.
type Layer struct {
	App    record.App
	Stores []Store // in the order in which the app reads them, mirrors last

	// Fallback makes the next store answer where one fails, as in the app. Notify is told.
	Fallback bool
	Notify   func(message string)

	// Retry is how calls are made again where a store is unavailable.
	Retry retry.Policy
}

// New returns the layer of an app over the stores that are configured; nil stands for one that is not. The fork reads
// MongoDB, then Redis, and looks API keys up in MongoDB alone; for upstream, which reads Redis, MongoDB is a mirror.
func New(app record.App, redis, mongo *Store) *Layer {
	l := &Layer{App: app, Notify: func(string) {}}
	add := func(s *Store, keys bool) {
		if s != nil {
			s.AppKeys = keys
			l.Stores = append(l.Stores, *s)
		}
	}
	if app == record.Upstream {
		add(redis, true)
		add(mongo, false)
	} else {
		add(mongo, true)
		add(redis, false)
	}
	return l
}

// ErrNoStore tells that no store is configured, so that there is nothing to read and nowhere to write.
var ErrNoStore = errors.New("neither Redis nor MongoDB is configured: Lanyard then keeps everything in memory (lite mode), where no other process sees it")

// StoreError says which store failed.
type StoreError struct {
	Store string // its name
	Err   error
}

func (e *StoreError) Error() string { return fmt.Sprintf("%s: %v", e.Store, e.Err) }

func (e *StoreError) Unwrap() error { return e.Err }

// Is reports whether target is a failure of the same store, whatever it is.
func (e *StoreError) Is(target error) bool {
	other, ok := target.(*StoreError)
	return ok && other.Err == nil && other.Store == e.Store
}

// Origin is where an entry stands.
type Origin struct {
	Store string
	record.Entry
}

// Question says how a question is to be answered.
type Question struct {
	// Everything reads all stores, also after one has answered.
	Everything bool
}

// Answer is what the app answers to a question, and from where.
type Answer struct {
	Kind record.Kind

	// Found tells that there is an answer. Fields or Time hold it, by the kind's shape.
	Found  bool
	Fields map[string]record.Value
	Time   int64 // in the unit of the kind

	// From is where the answer stands, and Index where it is among All. Both are zero where there is none.
	From  Origin
	Index int

	// All is what was read of all places, in the order in which the app reads them; those that it does not read come
	// where their store does. Without [Question.Everything] it ends with the store of the answer.
	All []Origin
}

// Faults returns what the app cannot read among All.
func (a Answer) Faults() []Origin {
	var list []Origin
	for _, o := range a.All {
		if o.Fault != "" {
			list = append(list, o)
		}
		for _, name := range slices.Sorted(maps.Keys(o.Unreadable)) {
			list = append(list, Origin{o.Store, record.Entry{Place: o.Place, Apps: o.Apps, Fault: fmt.Sprintf("field %q: %s", name, o.Unreadable[name])}})
		}
	}
	return list
}

// do calls a store, again while it is unavailable. The error names the store.
func (l *Layer) do(ctx context.Context, s Store, call func() error) error {
	if err := l.Retry.Do(ctx, call); err != nil {
		return &StoreError{s.Name, err}
	}
	return nil
}

// ask reads what the stores hold, and takes for the answer the first entry that the app reads and of which take says that it
// is one.
func (l *Layer) ask(ctx context.Context, kind record.Kind, user record.UserID, q Question, take func(*Answer, *Origin) bool) (Answer, error) {
	a := Answer{Kind: kind}
	if len(l.Stores) == 0 {
		return a, ErrNoStore
	}
	for _, s := range l.Stores {
		entries, err := l.entries(ctx, s, kind, user)
		if err != nil {
			return a, err
		}
		for _, e := range entries {
			o := Origin{s.Name, e}
			if !a.Found && e.Apps.Has(l.App) && take(&a, &o) {
				a.Found, a.From, a.Index = true, o, len(a.All)
			}
			a.All = append(a.All, o)
		}
		if a.Found && !q.Everything {
			break
		}
	}
	return a, nil
}

// entries reads what a store holds. With Fallback, a store that fails holds nothing.
func (l *Layer) entries(ctx context.Context, s Store, kind record.Kind, user record.UserID) (entries []record.Entry, err error) {
	err = l.do(ctx, s, func() error {
		entries, err = s.Entries(ctx, kind, user)
		return err
	})
	if err != nil && l.leaveOut(ctx, s, kind, err) {
		return nil, nil
	}
	return entries, err
}

// leaveOut reports whether a store that failed is taken for one that holds nothing, and tells so. Of API keys that would
// say that there is none: the app asks no other store for them.
func (l *Layer) leaveOut(ctx context.Context, s Store, kind record.Kind, err error) bool {
	if !l.Fallback || ctx.Err() != nil || kind == record.APIKeys && s.AppKeys {
		return false
	}
	does := "as the app does, the next store is asked in its place, which may hold older values"
	if kind == record.APIKeys {
		does = "what it holds is left out; the app does not look API keys up there"
	}
	l.Notify(fmt.Sprintf("%v: %s", err, does))
	return true
}
