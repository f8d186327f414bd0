package redis

import (
	"context"
	"errors"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

const (
	// seenAtOnce is of how many records the keys are looked at by one round trip, or created by one command.
	seenAtOnce = 256

	// togetherAtMost is how many records are written by one transaction. What a server needs to watch keys grows with the
	// square of their number.
	togetherAtMost = 32

	// skippedAttempts is how many batches are not tried to be created at once after some keys of one were there already.
	skippedAttempts = 16
)

// errTooMany tells that what a transaction is decided by is larger than what may be held, changes while it is read, or is
// written by the transaction itself.
var errTooMany = errors.New("too many records at once")

// onOneServer carries out tasks that have no key in common, where one server has all keys.
func (k *Sink) onOneServer(ctx context.Context, what string, tasks []task, keep record.ArchiveFunc) error {
	if created, err := k.createAll(ctx, what, tasks); created || err != nil {
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

// createAll creates the keys of all tasks by one command, which creates none where any of them exists. It reports false where
// nothing was created. Marks are written before, unless a key exists, which may have one, or be an API key of somebody else's or
// one to revoke; they count once their keys hold what they say.
func (k *Sink) createAll(ctx context.Context, what string, tasks []task) (created bool, err error) {
	if k.opts.DryRun || k.skipping.Add(-1) >= 0 {
		return false, nil
	}
	k.skipping.Store(0)
	out := newCommands(k.store)
	defer out.free()
	// A batch is of one kind: the first tells of the others, which are not encoded in vain.
	if !k.allFresh(tasks[:1], out) || !out.onlyTexts() || !k.allFresh(tasks[1:], out) || !out.onlyTexts() {
		return false, nil
	}
	var absent []string
	for _, one := range tasks {
		for _, key := range one.keys(nil) {
			if l, _ := layout.Classify(key); l.IsOlder() || l.Marked() || l == layout.APIKey {
				absent = append(absent, key)
			}
		}
	}
	err = k.store.transact(ctx, what, func(t *transaction) error {
		created = false
		if len(absent) > 0 {
			if n, err := t.countExisting(ctx, absent); err != nil || n > 0 {
				return err
			}
		}
		b := out.creating()
		if err := t.link.do(ctx, b); err != nil {
			return err
		}
		created = b.answers[len(b.answers)-1].n > 0
		return nil
	})
	if err == nil && !created {
		k.skipping.Store(skippedAttempts)
		k.populated.Store(true)
	}
	return created, err
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
