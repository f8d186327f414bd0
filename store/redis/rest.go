package redis

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// take counts slots as read.
func (s *source) take(slots slotSet) {
	s.reading.Lock()
	defer s.reading.Unlock()
	s.read = s.read.or(slots)
}

// unread returns the slots of which a key may be missing in what was delivered.
func (s *source) unread() slotSet {
	s.reading.Lock()
	defer s.reading.Unlock()
	return allSlots.without(s.read)
}

// readAgain reads the slots that moved, or whose server was replaced by another, while the parts were read: each from those
// who have it now, until they have kept it for as long as that took. A key that was there all the time is delivered then,
// and others may be twice.
func (s *source) readAgain(ctx context.Context, yield func(record.Page) error) error {
	begun, left := time.Now(), s.unread()
	for left.count() > 0 {
		for _, n := range s.store.current() {
			if err := s.readSlots(ctx, n, left.and(n.share.slots).without(n.share.moving), yield); err != nil {
				return err
			}
		}
		was := left
		if left = s.unread(); left != was {
			begun = time.Now()
			continue
		}
		if err := s.store.settle(ctx, begun, left); err != nil {
			return err
		}
	}
	return nil
}

// readSlots reads those of a node's slots, as far as it keeps them.
func (s *source) readSlots(ctx context.Context, n *node, slots slotSet, yield func(record.Page) error) error {
	if slots.count() == 0 {
		return nil
	}
	if _, err := s.store.look(ctx, n); err != nil || n.left.Load() {
		return err
	}
	sc := scanning{node: n, wants: func(key string) bool { return slots.has(layout.Slot(key)) }}
	err := s.scanNode(ctx, sc, func(p record.Page) error {
		s.store.moves.read(p.Seen.Keys)
		p.Next = ""
		return yield(p)
	})
	if errors.Is(err, errLeft) {
		return s.store.replace(ctx, n)
	}
	return err
}

// Deferred reads what the parts could not, and then decides the API keys that were held, by what Redis holds of their users
// now. Each page of those goes out only once it is certain that no server has lost or replaced its data since the start, and
// so does the end.
func (s *source) Deferred(ctx context.Context, yield func(record.Page) error) error {
	if err := s.readAgain(ctx, yield); err != nil {
		return err
	}
	users, held := s.undecided.list()
	sure := func(r *reading, met []*probe, items []record.Item) error {
		if _, err := s.store.countGone(ctx, lookUp, met); err != nil {
			return err
		}
		if err := s.store.whole(ctx); err != nil || len(items) == 0 {
			return err
		}
		return yield(record.Page{Items: items})
	}
	for chunk := range slices.Chunk(users, s.pageSize) {
		if err := newReading(s).decide(ctx, chunk, held, sure); err != nil {
			return err
		}
	}
	return s.store.whole(ctx)
}

// decide hands the items of the users' API keys to deliver, of all users together, or of one at a time, each in a reading
// of its own, where their current keys exceed the budget. Candidates are keys that may name the user, beside the current one;
// those of the users are handed on as met.
func (r *reading) decide(
	ctx context.Context, users []record.UserID, candidates map[record.UserID][]string,
	deliver func(r *reading, met []*probe, items []record.Item) error,
) error {
	s := r.source
	current := make([]*probe, len(users))
	for i, u := range users {
		current[i] = r.want(layout.UserAPIKey, layout.UserAPIKey.Key(u.String()))
	}
	if err := r.probeNew(ctx, current); err != nil {
		return err
	}
	var size int64
	for _, p := range current {
		size += p.size
	}
	if size > int64(s.budget) && len(users) > 1 {
		for i := range users {
			if err := newReading(s).decide(ctx, users[i:i+1], candidates, deliver); err != nil {
				return err
			}
		}
		return nil
	}
	// A current key of more than firstBytes is no key of any Lanyard, but it decides like one.
	if err := s.store.manyLookups().load(ctx, current, s.budget); err != nil {
		return err
	}
	var halves []*probe
	var met []*probe
	named := make(map[record.UserID][]string, len(users))
	for i, u := range users {
		keys := candidates[u]
		held := len(keys)
		if current[i].State == layout.Present {
			keys = append(slices.Clip(keys), layout.APIKey.Key(current[i].Text))
		}
		for n, key := range keys {
			half := r.want(layout.APIKey, key)
			if halves = append(halves, half); n < held {
				met = append(met, half)
			}
		}
		named[u] = keys
	}
	if err := r.probeNew(ctx, halves); err != nil {
		return err
	}
	byUser := make(map[record.UserID][]layout.Found)
	for _, p := range r.probes {
		if p.Layout != layout.APIKey {
			continue
		}
		if owner, ok := p.Owner(); ok && (!r.points || slices.Contains(named[owner], p.Key)) {
			byUser[owner] = append(byUser[owner], p.Found)
		}
	}
	var items []record.Item
	for i, u := range users {
		items = append(items, layout.Pair(u, byUser[u], current[i].Found)...)
		if r.points && !authenticates(current[i], byUser[u]) {
			s.store.keyless.add(u)
		}
	}
	return deliver(r, met, items)
}

// authenticates reports whether the user's current key is among the keys that name the user.
func authenticates(current *probe, named []layout.Found) bool {
	return current.State == layout.Present && slices.ContainsFunc(named, func(f layout.Found) bool {
		return f.Key == layout.APIKey.Key(current.Text)
	})
}
