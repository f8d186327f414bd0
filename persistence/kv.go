package persistence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/record"
)

// KVChange says what becomes of a user's pairs.
type KVChange struct {
	Set     map[string]record.Value
	Unset   []string
	Replace bool // pairs that Set has not go

	DryRun  bool
	Publish bool // tell running apps
}

// KVResult is what became of a user's pairs.
type KVResult struct {
	User          record.UserID
	Before, After map[string]record.Value // as the app reads them
	Changed       []Origin                // the places that changed, or would; with Store and Place alone

	Published  bool
	Listeners  int64 // of what was published
	PublishErr error // why nothing was published though it was asked for; [ErrNoChannel], or an error of the store
}

// ErrNoChannel tells that no store can tell running apps of a change.
var ErrNoChannel = errors.New("no Redis is configured, through which running Lanyards learn of a change: they show it once the user's presence starts anew")

// FaultError says that something cannot be written where something stands that the app cannot read.
type FaultError struct {
	Store string
	record.Entry
}

func (e *FaultError) Error() string { return fmt.Sprintf("%s: %s: %s", e.Store, e.Place, e.Fault) }

// ErrNotText tells that a value is no text, of which upstream's layout keeps nothing else.
var ErrNotText = errors.New("upstream Lanyard keeps texts alone, and this value is none")

// ErrCannotHold tells that a store cannot hold what a place would hold after a change.
var ErrCannotHold = errors.New("it cannot hold")

// PartialError says that a write reached some stores and not others. The same call again mends it, but for
// [ErrCannotHold].
type PartialError struct {
	New, Old []string // what holds the new value, and what holds the old one, or may: stores, or places of one
	Err      error
}

func (e *PartialError) Error() string {
	if len(e.Old) == 0 {
		return fmt.Sprintf("%v; the new value is in %s, and running Lanyards were not told", e.Err, strings.Join(e.New, " and "))
	}
	return fmt.Sprintf("%v; the new value is in %s, and %s may still hold the old one", e.Err, strings.Join(e.New, " and "), strings.Join(e.Old, " and "))
}

func (e *PartialError) Unwrap() error { return e.Err }

// ChangeKV changes the user's pairs in every store, and tells running apps.
//
// The first store decides: its pairs are changed as c says, and the other places are made to hold of the changed pairs what it
// holds then. So two calls at once for one pair leave the same value everywhere, and none is lost of two for different pairs.
func (l *Layer) ChangeKV(ctx context.Context, user record.UserID, c KVChange) (KVResult, error) {
	w := &kvWrite{Layer: l, user: user, KVChange: c, named: make(map[string]bool)}
	for name := range c.Set {
		w.named[name] = true
	}
	for _, name := range c.Unset {
		w.named[name] = true
	}
	return w.run(ctx)
}

// UnifyKV makes the pairs of the user the same in every place of every store: those that the app reads, and those that only
// other places have. Where places differ in a pair, the one that the app reads wins. Set, Unset and Replace of c do not matter.
// A place that keeps texts alone gets no other values, and Redis none that JSON has not.
func (l *Layer) UnifyKV(ctx context.Context, user record.UserID, c KVChange) (KVResult, error) {
	all, err := l.KV(ctx, user, Question{Everything: true})
	if err != nil {
		return KVResult{}, err
	}
	c.Set, c.Unset, c.Replace = maps.Clone(all.Fields), nil, false
	if c.Set == nil {
		c.Set = make(map[string]record.Value)
	}
	for _, o := range all.All {
		for name, v := range o.Fields {
			if _, known := c.Set[name]; !known {
				c.Set[name] = v
			}
		}
	}
	w := &kvWrite{Layer: l, user: user, KVChange: c, named: make(map[string]bool), unify: true}
	for name := range c.Set {
		w.named[name] = true
	}
	return w.run(ctx)
}

// kvWrite is a change of a user's pairs under way.
type kvWrite struct {
	*Layer
	user record.UserID
	KVChange
	named map[string]bool // the pairs that are set or unset
	unify bool            // the pairs of the first place stay, and those that it lacks come from Set

	carried map[string]record.Value // what the app reads from a later place, as the first one holds no pairs
	from    Origin                  // that place
	settled map[string]record.Value // what the first place holds after the change
	result  KVResult
}

func (w *kvWrite) run(ctx context.Context) (KVResult, error) {
	w.result.User = w.user
	before, err := w.read(ctx)
	if err != nil {
		return w.result, err
	}
	w.result.Before = before.Fields
	for _, o := range before.All {
		if o.Fault != "" {
			return w.result, &FaultError{o.Store, o.Entry}
		}
	}
	if before.Found {
		w.carried, w.from = before.Fields, before.From
	}
	for i, s := range w.Stores {
		if err := w.store(ctx, i, s); err != nil {
			return w.result, w.partial(i, err)
		}
	}
	if w.DryRun {
		w.result.After = w.settled
		return w.result, nil
	}
	after, err := w.read(ctx)
	if err != nil {
		return w.result, w.partial(len(w.Stores), err)
	}
	w.result.After = after.Fields
	if w.Publish {
		w.announce(ctx)
	}
	return w.result, nil
}

// read returns what the stores hold. What is going to be written must not rest on a store that is left out.
func (w *kvWrite) read(ctx context.Context) (Answer, error) {
	l := *w.Layer
	l.Fallback = false
	return l.KV(ctx, w.user, Question{Everything: true})
}

// store changes the places of one store. A place that follows is written only if it still holds what was read of it before
// the one that decides was asked: whoever changes that one afterwards comes to this one after this write, or makes it fail.
func (w *kvWrite) store(ctx context.Context, i int, s Store) error {
	own := "" // the place that the app writes, which comes first
	decide := func(e record.Entry) (change record.PairChange, err error) {
		if e.Fault != "" {
			return change, &FaultError{s.Name, e}
		}
		if own == "" {
			own = e.Place
		}
		switch {
		case i == 0 && own == e.Place:
			change, err = w.decide(e)
		case !w.DryRun:
			if w.settled, err = w.first(ctx); err == nil {
				change = w.follow(e, own == e.Place)
			}
		default:
			change = w.follow(e, own == e.Place)
		}
		if err == nil {
			err = w.fits(s, e, change)
		}
		if err == nil && w.DryRun && !change.Empty() {
			w.changed(s, e.Place)
			change = record.PairChange{}
		}
		return change, err
	}
	var passed error
	err := w.do(ctx, s, func() error {
		places, err := s.UpdatePairs(ctx, w.App, w.user, func(e record.Entry) (record.PairChange, error) {
			change, err := decide(e)
			passed = err
			return change, err
		})
		for _, place := range places {
			w.changed(s, place)
		}
		return err
	})
	if passed != nil {
		return passed
	}
	return err
}

// partial says what holds the new value where the write to the store with the index failed.
func (w *kvWrite) partial(index int, err error) error {
	e := &PartialError{Err: err}
	for i, s := range w.Stores {
		switch places := w.changedIn(s); {
		case i < index:
			e.New = append(e.New, s.Name)
		case i == index && len(places) > 0 && !w.DryRun:
			e.New = append(e.New, s.Name+" "+strings.Join(places, " and "))
			e.Old = append(e.Old, "other places of "+s.Name)
		default:
			e.Old = append(e.Old, s.Name)
		}
	}
	if len(e.New) == 0 || w.DryRun {
		return err
	}
	return e
}

// changedIn returns the places of the store that changed.
func (w *kvWrite) changedIn(s Store) []string {
	var places []string
	for _, o := range w.result.Changed {
		if o.Store == s.Name {
			places = append(places, o.Place)
		}
	}
	return places
}

func (w *kvWrite) changed(s Store, place string) {
	at := Origin{s.Name, record.Entry{Place: place}}
	if !slices.ContainsFunc(w.result.Changed, func(o Origin) bool { return o.Store == at.Store && o.Place == at.Place }) {
		w.result.Changed = append(w.result.Changed, at)
	}
}

// decide says what becomes of the place that decides. Where it holds no pairs, those that the app reads in its stead come
// along: else they would be seen no more.
func (w *kvWrite) decide(e record.Entry) (record.PairChange, error) {
	wanted := make(map[string]record.Value, len(e.Fields)+len(w.Set))
	stands := e.Fields
	if len(stands) == 0 {
		stands = w.carried
		if err := w.checkCarried(e); err != nil {
			return record.PairChange{}, err
		}
	}
	if !w.Replace {
		maps.Copy(wanted, stands)
	}
	for name, v := range w.Set {
		if _, known := wanted[name]; known && w.unify {
			continue
		}
		if _, text := v.(string); !text && e.TextOnly {
			if w.unify {
				continue
			}
			return record.PairChange{}, fmt.Errorf("field %q: %w", name, ErrNotText)
		}
		wanted[name] = v
	}
	for _, name := range w.Unset {
		delete(wanted, name)
	}
	w.settled = wanted
	if w.unify {
		return w.change(e, wanted), nil
	}
	return w.change(e, wanted), checkLimits(difference(stands, wanted).Set, len(wanted))
}

// UncarriedError tells that the app would see pairs no more. It reads them in a later store, as the first one holds none of
// the user, and they cannot be written to that one.
type UncarriedError struct {
	Origin
	Fields []string
	Fault  string // of the first of them
}

func (e *UncarriedError) Error() string {
	more := ""
	if n := len(e.Fields) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return fmt.Sprintf("%s: %s: field %q%s: %s, and the app would see it no more after this write", e.Store, e.Place, e.Fields[0], more, e.Fault)
}

// checkCarried fails where pairs cannot come along to a place that holds none, and are not themselves changed.
func (w *kvWrite) checkCarried(e record.Entry) error {
	if w.Replace || w.from.Place == e.Place {
		return nil
	}
	lost := &UncarriedError{Origin: w.from}
	for _, name := range slices.Sorted(maps.Keys(w.from.Unreadable)) {
		if _, known := w.carried[name]; !known && !w.named[name] {
			lost.Fields = append(lost.Fields, name)
		}
	}
	if len(lost.Fields) == 0 {
		return nil
	}
	lost.Fault = w.from.Unreadable[lost.Fields[0]]
	return lost
}

// follow says what becomes of a place that holds what the first one does of the changed pairs. One without pairs gets all.
// Values that JSON has not, such as a date of MongoDB's, stay where they are: Redis cannot hold them.
func (w *kvWrite) follow(e record.Entry, own bool) record.PairChange {
	wanted := maps.Clone(e.Fields)
	if wanted == nil {
		wanted = make(map[string]record.Value)
	}
	all := w.Replace || own && len(e.Fields) == 0
	if w.Replace {
		clear(wanted)
	}
	for name, v := range w.settled {
		if _, portable := record.ExactJSON(v); portable && (all || w.named[name]) {
			wanted[name] = v
		}
	}
	for name := range w.named {
		if _, stays := w.settled[name]; !stays {
			delete(wanted, name)
		}
	}
	if e.TextOnly {
		maps.DeleteFunc(wanted, func(_ string, v record.Value) bool {
			_, text := v.(string)
			return !text
		})
	}
	return w.change(e, wanted)
}

// change returns what makes the place hold the wanted pairs.
func (w *kvWrite) change(e record.Entry, wanted map[string]record.Value) record.PairChange {
	c := difference(e.Fields, wanted)
	for _, name := range slices.Sorted(maps.Keys(e.Unreadable)) {
		if _, stays := wanted[name]; !stays && (w.Replace || w.named[name]) {
			c.Unset = append(c.Unset, name)
		}
	}
	return c
}

// difference returns the change that makes the pairs those that are wanted.
func difference(stands, wanted map[string]record.Value) record.PairChange {
	var c record.PairChange
	for name, v := range wanted {
		if old, exists := stands[name]; exists && record.Equal(old, v) {
			continue
		}
		if c.Set == nil {
			c.Set = make(map[string]record.Value)
		}
		c.Set[name] = v
	}
	for _, name := range slices.Sorted(maps.Keys(stands)) {
		if _, stays := wanted[name]; !stays {
			c.Unset = append(c.Unset, name)
		}
	}
	return c
}

// fits fails where the store cannot hold what the place would hold.
func (w *kvWrite) fits(s Store, e record.Entry, c record.PairChange) error {
	if len(c.Set) == 0 {
		return nil
	}
	r := record.Record{Kind: record.KV, User: w.user, Fields: make(map[string]record.Field)}
	for _, pairs := range []map[string]record.Value{e.Fields, c.Set} {
		for name, v := range pairs {
			r.Fields[name] = record.Field{Value: v}
		}
	}
	for _, name := range c.Unset {
		delete(r.Fields, name)
	}
	it := s.Limits().Apply(record.Item{Kind: record.KV, Record: &r})
	for _, reject := range it.Rejects {
		if _, set := c.Set[reject.Field]; set {
			return &StoreError{s.Name, fmt.Errorf("%w the field %q: %s", ErrCannotHold, reject.Field, reject.Detail)}
		}
	}
	return nil
}

// first returns the pairs of the place that decides.
func (w *kvWrite) first(ctx context.Context) (map[string]record.Value, error) {
	s := w.Stores[0]
	var entries []record.Entry
	err := w.do(ctx, s, func() (err error) {
		entries, err = s.Entries(ctx, record.KV, w.user)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Apps.Has(w.App) {
			return e.Fields, nil
		}
	}
	return nil, nil
}

// noNode is a node_id that is no node's, so that every node heeds the message.
const noNode = -1

// announce tells running apps of all pairs, as they read them.
func (w *kvWrite) announce(ctx context.Context) {
	i := slices.IndexFunc(w.Stores, func(s Store) bool { return s.Announcer != nil })
	if i < 0 {
		w.result.PublishErr = ErrNoChannel
		return
	}
	s := w.Stores[i]
	var listeners int64
	err := w.do(ctx, s, func() (err error) {
		listeners, err = s.Announcer.Announce(ctx, w.user, func(ctx context.Context) ([]byte, error) {
			now, err := w.read(ctx)
			if err != nil {
				return nil, err
			}
			return message(w.user, now.Fields), nil
		})
		return err
	})
	w.result.Published, w.result.Listeners, w.result.PublishErr = err == nil, listeners, err
}

// message returns what nodes of the app tell each other of a user's pairs: all of them.
func message(user record.UserID, pairs map[string]record.Value) []byte {
	all := make(record.Object, len(pairs))
	maps.Copy(all, pairs)
	return record.JSON(record.Object{
		"node_id": int64(noNode), "user_id": user.String(), "diff": record.Object{"kv": all},
	})
}
