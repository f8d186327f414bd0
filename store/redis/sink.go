package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// SinkOptions say how records are merged.
type SinkOptions struct {
	// Apps are those in whose layouts records are written. A record goes to each of them that keeps its kind.
	Apps record.Apps

	// AsJSON writes the JSON text of values that are no texts where a layout holds texts alone. Else they are rejected.
	AsJSON bool

	Kinds  record.Kinds // that are going to be written; none means all
	Policy record.Policy
	DryRun bool             // Write answers outcomes and changes nothing
	Now    func() time.Time // time.Now where nil
}

// Sink merges records into the keys of Lanyard's. It implements [record.Sink] and [record.Deleter].
type Sink struct {
	store   *Store
	opts    SinkOptions
	layouts layout.Layouts

	// strays are API keys that authenticate a user who has another current one, or none: a look at all keys alone finds them.
	strays map[record.UserID][]string

	begun    []*node      // the servers before the first write
	skipping atomic.Int64 // how often keys are not tried to be made at once

	// populated tells that some of the last keys were there already: a look at many of them spares transactions then.
	populated atomic.Bool

	witnessing sync.Mutex
	witnessed  record.Kinds // of which was looked for a remembered key
}

// Sink returns what merges records, of those kinds that one of the apps keeps in Redis.
func (s *Store) Sink(o SinkOptions) *Sink {
	if o.Kinds == 0 {
		o.Kinds = record.AllKinds
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sink{store: s, opts: o, layouts: layout.LayoutsOf(o.Apps)}
}

// Limits implements [record.Sink].
func (k *Sink) Limits() record.Limits { return k.layouts.Limits(k.opts.AsJSON) }

// Begin implements [record.Sink]. Where API keys are going to be written it looks at all keys, for those that authenticate
// somebody beside the current one.
func (k *Sink) Begin(ctx context.Context, _ record.ArchiveFunc) error {
	k.begun = k.store.current()
	// A transaction whose digests cannot be written would write the rest.
	if _, err := k.store.lookups().entry(ctx, "look for digests in redis", layout.Digests, "", new(any)); err != nil {
		return err
	}
	if !(k.opts.Kinds & k.layouts.Kinds()).Has(record.APIKeys) {
		return ctx.Err()
	}
	strays, err := k.store.strayAPIKeys(ctx)
	k.strays = strays
	return err
}

// Finish implements [record.Sink]. It fails where what was written went away meanwhile, such as by FLUSHALL, or because the
// server's memory was full, and where some of it may have, since a server was restarted or another took over; its error wraps
// [record.ErrSourceMoved] then.
func (k *Sink) Finish(ctx context.Context, _ record.ArchiveFunc) error {
	k.witnessing.Lock()
	k.witnessed = 0
	k.witnessing.Unlock()
	if k.opts.DryRun {
		return ctx.Err()
	}
	if err := k.store.whole(ctx); err != nil {
		return err
	}
	now := k.store.current()
	for _, was := range k.begun {
		if !slices.ContainsFunc(now, func(n *node) bool { return n.first.runID == was.first.runID }) {
			return &callError{what: "check redis " + was.addr, cause: &movedError{ErrRestarted, "what it had taken last may be lost"}}
		}
	}
	return nil
}

// mergeWhat is what a write is for, in words for people.
const mergeWhat = "write to redis"

// Write implements [record.Sink].
func (k *Sink) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	outcomes := make([]record.Outcome, len(batch))
	tasks := make([]task, len(batch))
	for i := range batch {
		if !k.layouts.Kinds().Has(batch[i].Kind) {
			return nil, fmt.Errorf("%s: no layout that is written has a place for %s", mergeWhat, batch[i].Kind)
		}
		tasks[i] = &merging{sink: k, r: &batch[i], outcome: &outcomes[i]}
	}
	missing, err := k.lookForWitnesses(ctx, batch)
	if err != nil {
		return nil, err
	}
	if err := k.carryOut(ctx, mergeWhat, tasks, keep); err != nil {
		return nil, err
	}
	return outcomes, k.rememberWitnesses(ctx, missing, batch, outcomes)
}

// Delete implements [record.Deleter].
func (k *Sink) Delete(ctx context.Context, documents []record.Document, keep record.ArchiveFunc) ([]record.Deletion, error) {
	if err := record.CheckDeletable(documents); err != nil {
		return nil, err
	}
	deletions := make([]record.Deletion, len(documents))
	tasks := make([]task, len(documents))
	for i := range documents {
		tasks[i] = &deleting{sink: k, was: documents[i], deletion: &deletions[i]}
	}
	const what = "delete from redis"
	if !k.store.single {
		if err := k.keepAll(ctx, tasks, keep); err != nil {
			return nil, err
		}
		keep = func([]record.Superseded) error { return nil }
	}
	return deletions, k.carryOut(ctx, what, tasks, keep)
}

// keepAll keeps what the tasks would make give way, before any of them is carried out.
func (k *Sink) keepAll(ctx context.Context, tasks []task, keep record.ArchiveFunc) error {
	var superseded []record.Superseded
	for _, t := range tasks {
		d, err := k.seeAndDecide(ctx, t, make(view))
		if err != nil {
			return err
		}
		superseded = append(superseded, d.superseded...)
	}
	if len(superseded) == 0 || k.opts.DryRun {
		return ctx.Err()
	}
	return keep(superseded)
}

// task is what becomes of the keys of one record.
type task interface {
	// keys returns the keys that decide, as far as they are known from what was seen. It is asked again until they all are.
	keys(seen view) []string

	// fresh appends commands that write what none of the keys holds yet. It reports false where that takes a decision.
	fresh(out *commands) bool

	// decide decides by what was seen.
	decide(seen view) decision
}

// decision is what is to be done to the keys of one record.
type decision struct {
	superseded []record.Superseded // kept before anything is done
	changes    []change
	settle     func() // enters what became of it, once that is done

	// given is the API key that the changes give. Where they are not made at once, somebody may give the user another one
	// between them.
	given *pair
}

// change is what is done to one key. Changes come in an order in which a process that is killed between them leaves nothing
// that lets somebody in twice.
type change struct {
	key   string
	apply func(out *commands)
}

// view is what was seen of keys. A key that was not looked at is absent.
type view map[string]layout.Found

func (v view) of(key string) layout.Found {
	if f, ok := v[key]; ok {
		return f
	}
	l, _ := layout.Classify(key)
	return layout.Found{Key: key, Layout: l}
}

const (
	// seenAtOnce is of how many records the keys are looked at by one round trip, or made by one command.
	seenAtOnce = 256

	// togetherAtMost is how many records are written by one transaction. What a server needs to watch keys grows with the
	// square of their number.
	togetherAtMost = 32

	// skippedAttempts is how often nobody tries to make keys at once after some of them were there already.
	skippedAttempts = 16
)

// errTooMany tells that what a transaction is decided by is larger than what may be held, or changes while it is read.
var errTooMany = errors.New("too many records at once")

// carryOut carries out the tasks: as few transactions as possible where one server has all keys, else key by key.
func (k *Sink) carryOut(ctx context.Context, what string, tasks []task, keep record.ArchiveFunc) error {
	if len(tasks) == 0 {
		return ctx.Err()
	}
	defer context.AfterFunc(ctx, k.store.connections.cut)()
	if k.store.single {
		for len(tasks) > 0 {
			n := apart(tasks[:min(len(tasks), seenAtOnce)], nil)
			if err := k.onOneServer(ctx, what, tasks[:n], keep); err != nil {
				return err
			}
			tasks = tasks[n:]
		}
		return nil
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(max(cap(k.store.changing), 1))
	var keeping sync.Mutex
	one := func(values []record.Superseded) error {
		keeping.Lock()
		defer keeping.Unlock()
		return keep(values)
	}
	for len(tasks) > 0 {
		n := apart(tasks, nil)
		for _, t := range tasks[:n] {
			group.Go(func() error { return k.alone(working, what, t, one) })
		}
		if tasks = tasks[n:]; len(tasks) > 0 { // the next has a key of one that is under way
			if err := group.Wait(); err != nil {
				return err
			}
			group, working = errgroup.WithContext(ctx)
			group.SetLimit(max(cap(k.store.changing), 1))
		}
	}
	return group.Wait()
}

// apart returns how many of the tasks have no key in common, as far as they are known from what was seen, at least one.
func apart(tasks []task, seen view) int {
	taken := make(map[string]bool, 2*len(tasks))
	for n, t := range tasks {
		keys := t.keys(seen)
		if slices.ContainsFunc(keys, func(key string) bool { return taken[key] }) {
			return n
		}
		for _, key := range keys {
			taken[key] = true
		}
	}
	return len(tasks)
}

// onOneServer carries out tasks that have no key in common, where one server has all keys.
func (k *Sink) onOneServer(ctx context.Context, what string, tasks []task, keep record.ArchiveFunc) error {
	if made, err := k.make(ctx, what, tasks); made || err != nil {
		return err
	}
	if k.populated.Load() || k.opts.DryRun {
		var err error
		if tasks, err = k.settleUnchanged(ctx, tasks); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(tasks, togetherAtMost) {
		if err := k.together(ctx, what, some, keep); err != nil {
			return err
		}
	}
	return nil
}

// make makes the keys of all tasks by one command, which makes none where any of them exists. It reports false where nothing
// was made. Marks are written before, unless a key exists, which may have one; they count once their keys hold what they say.
func (k *Sink) make(ctx context.Context, what string, tasks []task) (made bool, err error) {
	if k.opts.DryRun || k.skipping.Add(-1) >= 0 {
		return false, nil
	}
	k.skipping.Store(0)
	out := newCommands(k.store)
	defer out.free()
	if !k.allFresh(tasks, out) || !out.onlyTexts() {
		return false, nil
	}
	var absent []string
	for _, one := range tasks {
		for _, key := range one.keys(nil) {
			if l, _ := layout.Classify(key); l.IsOlder() || l.Marked() {
				absent = append(absent, key)
			}
		}
	}
	err = k.store.transact(ctx, what, func(t *transaction) error {
		made = false
		if len(absent) > 0 {
			if n, err := t.countExisting(ctx, absent); err != nil || n > 0 {
				return err
			}
		}
		b := out.making()
		if err := t.link.do(ctx, b); err != nil {
			return err
		}
		made = b.answers[len(b.answers)-1].n > 0
		return nil
	})
	if err == nil && !made {
		k.skipping.Store(skippedAttempts)
		k.populated.Store(true)
	}
	return made, err
}

// settleUnchanged looks at the keys of all tasks and settles those of which nothing is to be written; in a dry run it settles
// all. It returns the others.
func (k *Sink) settleUnchanged(ctx context.Context, tasks []task) (left []task, err error) {
	var keys []string
	for _, one := range tasks {
		keys = append(keys, one.keys(nil)...)
	}
	by := k.store.manyLookups()
	seen := make(view, len(keys))
	existing, err := by.countExisting(ctx, keys)
	for ; err == nil && existing > 0 && len(keys) > 0; keys = unseen(tasks, seen) {
		err = k.store.see(ctx, by, seen, keys, len(tasks) > 1)
	}
	switch {
	case err == errTooMany && k.opts.DryRun:
		for half := range slices.Chunk(tasks, (len(tasks)+1)/2) {
			if _, err := k.settleUnchanged(ctx, half); err != nil {
				return nil, err
			}
		}
		return nil, nil
	case err == errTooMany:
		return tasks, nil
	case err == nil && existing == 0 && !k.opts.DryRun:
		k.populated.Store(false)
		return tasks, nil
	case err != nil:
		return nil, err
	}
	for _, one := range tasks {
		d := one.decide(seen)
		if k.opts.DryRun || len(d.changes)+len(d.superseded) == 0 {
			d.settle()
		} else {
			left = append(left, one)
		}
	}
	return left, nil
}

// together carries out the tasks in one transaction, or in several where that is too much at once.
func (k *Sink) together(ctx context.Context, what string, tasks []task, keep record.ArchiveFunc) error {
	err := k.store.transact(ctx, what, func(t *transaction) error {
		err := k.attempt(ctx, t, tasks, keep)
		if len(tasks) > 1 && (err == errOvertaken || err == errTooMany) {
			return ownError{errTooMany}
		}
		return err
	})
	if !errors.Is(err, errTooMany) {
		return err
	}
	half := len(tasks) / 2
	if err := k.together(ctx, what, tasks[:half], keep); err != nil {
		return err
	}
	return k.together(ctx, what, tasks[half:], keep)
}

// attempt carries out the tasks if nobody changes their keys meanwhile.
func (k *Sink) attempt(ctx context.Context, t *transaction, tasks []task, keep record.ArchiveFunc) error {
	var keys []string
	for _, one := range tasks {
		keys = append(keys, one.keys(nil)...)
	}
	existing, err := t.watch(ctx, true, keys)
	if err != nil {
		return err
	}
	k.populated.CompareAndSwap(false, existing > 0)
	out := newCommands(k.store)
	defer out.free()
	if existing == 0 && k.allFresh(tasks, out) {
		return k.commit(ctx, t, out, nil)
	}
	out.reset()
	seen, err := k.look(ctx, t, tasks, keys)
	switch {
	case err != nil:
		return err
	case apart(tasks, seen) < len(tasks): // an API key passes from one user to another: each is decided by what the other left
		return errTooMany
	}
	decisions := make([]decision, len(tasks))
	var superseded []record.Superseded
	for i, one := range tasks {
		decisions[i] = one.decide(seen)
		superseded = append(superseded, decisions[i].superseded...)
		for _, c := range decisions[i].changes {
			c.apply(out)
		}
	}
	if len(superseded) > 0 {
		if err := keep(superseded); err != nil {
			return ownError{err}
		}
	}
	return k.commit(ctx, t, out, decisions)
}

// allFresh appends the commands of tasks whose keys hold nothing. It reports false where one takes a decision.
func (k *Sink) allFresh(tasks []task, out *commands) bool {
	for _, one := range tasks {
		if !one.fresh(out) {
			return false
		}
	}
	return true
}

// commit carries out the commands, and enters what became of the decisions. Also without commands it makes certain that nobody
// changed what was seen.
func (k *Sink) commit(ctx context.Context, t *transaction, out *commands, decisions []decision) error {
	if out.err != nil {
		return ownError{out.err}
	}
	if err := t.commit(ctx, out.transaction()); err != nil {
		return err
	}
	for _, d := range decisions {
		d.settle()
	}
	return nil
}

// look looks at the keys, which are watched, and at those that they name, which it watches, too.
func (k *Sink) look(ctx context.Context, t *transaction, tasks []task, keys []string) (view, error) {
	seen := make(view, len(keys))
	for len(keys) > 0 {
		if err := k.store.see(ctx, t.lookups, seen, keys, len(tasks) > 1); err != nil {
			return nil, err
		}
		if keys = unseen(tasks, seen); len(keys) == 0 {
			break
		}
		if _, err := t.watch(ctx, false, keys); err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// unseen returns the keys that decide and were not looked at yet.
func unseen(tasks []task, seen view) []string {
	var keys []string
	for _, one := range tasks {
		for _, key := range one.keys(seen) {
			if _, ok := seen[key]; !ok && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
	}
	return keys
}

// see looks at the keys, and at their marks. With bounded it fails with errTooMany where they hold more than may be held.
func (s *Store) see(ctx context.Context, by lookups, seen view, keys []string, bounded bool) error {
	list := make([]*probe, len(keys))
	for i, key := range keys {
		l, _ := layout.Classify(key)
		list[i] = &probe{Found: layout.Found{Key: key, Layout: l}}
	}
	if err := by.probe(ctx, list, s.info.Expires); err != nil {
		return err
	}
	var size int64
	for _, p := range list {
		size += p.size
	}
	if bounded && size > DefaultBudget {
		return errTooMany
	}
	if err := by.load(ctx, list, DefaultBudget); err != nil {
		return err
	}
	if err := by.marks(ctx, list); err != nil {
		return err
	}
	for _, p := range list {
		seen[p.Key] = p.Found
	}
	return nil
}

// alone carries out a task whose keys lie on several servers: change by change, each if its key still holds what was seen.
func (k *Sink) alone(ctx context.Context, what string, t task, keep record.ArchiveFunc) error {
	return k.store.again(ctx, what, func() error {
		seen := make(view)
		d, err := k.seeAndDecide(ctx, t, seen)
		if err != nil {
			return err
		}
		if k.opts.DryRun {
			d.settle()
			return nil
		}
		if len(d.superseded) > 0 {
			if err := keep(d.superseded); err != nil {
				return err
			}
		}
		for _, c := range d.changes {
			if err := k.changeOne(ctx, what, c, seen); err != nil {
				return err
			}
		}
		if d.given != nil && len(d.changes) > 0 {
			if err := k.store.stillGiven(ctx, what, *d.given); err != nil {
				return err
			}
		}
		d.settle()
		return nil
	})
}

// seeAndDecide looks at the task's keys, which may lie on several servers, and decides by them.
func (k *Sink) seeAndDecide(ctx context.Context, t task, seen view) (decision, error) {
	for keys := t.keys(nil); len(keys) > 0; keys = unseen([]task{t}, seen) {
		if err := k.store.see(ctx, k.store.lookups(), seen, keys, false); err != nil {
			return decision{}, err
		}
	}
	return t.decide(seen), nil
}

// stillGiven revokes the key again where the user was given another one meanwhile.
func (s *Store) stillGiven(ctx context.Context, what string, p pair) error {
	now, err := s.lookups().one(ctx, p.current)
	if err != nil || now.Text == p.key {
		return err
	}
	if err := s.updateAll(ctx, what, []step{revoking(p.user, p.key)}); err != nil {
		return err
	}
	return errOvertaken
}

// changeOne makes a change if its key still holds what was seen. What an earlier attempt did is seen by the next.
func (k *Sink) changeOne(ctx context.Context, what string, c change, seen view) error {
	out := newCommands(k.store)
	defer out.free()
	c.apply(out)
	changed := false
	_, err := k.store.update(ctx, what, step{keys: []string{c.key}, decide: func(ctx context.Context, held lookups) (writes, error) {
		now := make(view)
		if err := k.store.see(ctx, held, now, []string{c.key}, false); err != nil {
			return nil, err
		}
		if changed = !sameContent(now.of(c.key), seen.of(c.key)); changed {
			return nil, ownError{errOvertaken}
		}
		return out.queue, nil
	}})
	if err == nil || !errors.Is(err, errOvertaken) {
		return err
	}
	return errOvertaken
}

// sameContent reports whether a key holds what it did.
func sameContent(a, b layout.Found) bool {
	if a.State != b.State || a.Text != b.Text || a.Mark != b.Mark || len(a.Hash) != len(b.Hash) {
		return false
	}
	for name, raw := range a.Hash {
		if other, ok := b.Hash[name]; !ok || other != raw {
			return false
		}
	}
	return true
}

// strayAPIKeys returns the API keys that authenticate a user who has another current one, or none, by a look at all keys.
func (s *Store) strayAPIKeys(ctx context.Context) (map[record.UserID][]string, error) {
	strays := make(map[record.UserID][]string)
	err := s.wholeScan(ctx, func() error {
		clear(strays)
		return s.scanAPIKeys(ctx, func(claims []half) error {
			current := make([]string, len(claims))
			for i, c := range claims {
				current[i] = keyOf(layout.UserAPIKey, c.user)
			}
			if len(current) == 0 {
				return nil
			}
			founds, err := s.manyLookups().read(ctx, current...)
			if err != nil {
				return err
			}
			for i, c := range claims {
				if c.p.Key != layout.APIKey.Key(founds[i].Text) {
					strays[c.user] = append(strays[c.user], strings.TrimPrefix(c.p.Key, layout.APIKey.Key("")))
				}
			}
			return nil
		})
	})
	return strays, err
}
