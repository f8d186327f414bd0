package redis

import (
	"context"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// Rest decides the API keys that were held, by what Redis holds of their users now. Each page goes out only once it is
// certain that no server has lost or replaced its data since the start, and so does the end.
func (s *source) Rest(ctx context.Context, yield func(record.Page) error) error {
	users, held := s.claims.list()
	for chunk := range slices.Chunk(users, s.pageSize) {
		if err := s.decide(ctx, chunk, held, yield); err != nil {
			return err
		}
	}
	return s.store.allUnchanged(ctx)
}

// decide delivers the items of the users as one page, or one user at a time where their keys exceed the budget.
func (s *source) decide(
	ctx context.Context, users []record.UserID, held map[record.UserID][]string, yield func(record.Page) error,
) error {
	r := newReading(s)
	current := make([]*probe, len(users))
	for i, u := range users {
		current[i] = r.probes.want(layout.UserAPIKey, layout.UserAPIKey.Key(u.String()))
	}
	if err := r.lookMore(ctx, current); err != nil {
		return err
	}
	var size int64
	for _, p := range current {
		size += p.size
	}
	if size > int64(s.budget) && len(users) > 1 {
		for i := range users {
			if err := s.decide(ctx, users[i:i+1], held, yield); err != nil {
				return err
			}
		}
		return nil
	}
	// A current key of more than firstBytes is no key of any Lanyard, but it decides like one.
	if err := s.store.load(ctx, current, s.budget); err != nil {
		return err
	}
	var claims []*probe
	var met []string
	for i, u := range users {
		for _, key := range held[u] {
			claims = append(claims, r.probes.want(layout.APIKey, key))
		}
		met = append(met, held[u]...)
		if current[i].State == layout.Present {
			claims = append(claims, r.probes.want(layout.APIKey, layout.APIKey.Key(current[i].Text)))
		}
	}
	if err := r.lookMore(ctx, claims); err != nil {
		return err
	}
	if err := s.store.countGone(ctx, "look up keys in redis", met, r.probes); err != nil {
		return err
	}
	byUser := make(map[record.UserID][]layout.Found)
	for _, p := range r.probes {
		if p.Layout != layout.APIKey {
			continue
		}
		if owner, ok := p.Owner(); ok {
			byUser[owner] = append(byUser[owner], p.Found)
		}
	}
	var items []record.Item
	for i, u := range users {
		items = append(items, layout.Pair(u, byUser[u], current[i].Found)...)
	}
	if err := s.store.allUnchanged(ctx); err != nil || len(items) == 0 {
		return err
	}
	return yield(record.Page{Items: items})
}
