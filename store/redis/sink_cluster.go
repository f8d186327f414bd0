package redis

import (
	"context"
	"errors"

	"github.com/lanyardctl/lanyardctl/record"
)

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
