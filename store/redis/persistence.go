package redis

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// Persistence is the store as Lanyard's own persistence layer uses it. It implements [record.Persistence],
// [record.Announcer] and [record.Surveyor].
type Persistence struct {
	store *Store
}

// Persistence returns the store as Lanyard's own persistence layer uses it.
func (s *Store) Persistence() *Persistence { return &Persistence{s} }

// Limits implements [record.Persistence]: Redis takes everything.
func (p *Persistence) Limits() record.Limits { return record.Limits{} }

// Entries implements [record.Persistence].
func (p *Persistence) Entries(ctx context.Context, kind record.Kind, user record.UserID) ([]record.Entry, error) {
	if kind == record.APIKeys {
		return p.currentAPIKey(ctx, user)
	}
	var keys []string
	for _, l := range layout.OfKind(kind) {
		keys = append(keys, keyOf(l, user))
	}
	founds, err := p.store.lookups().read(ctx, keys...)
	if err != nil {
		return nil, err
	}
	var list []record.Entry
	for _, f := range founds {
		if e, ok := f.Entry(); ok {
			list = append(list, e)
		}
	}
	return list, nil
}

// keyOf returns the user's key of a layout, or that of a layout that is nobody's.
func keyOf(l layout.Layout, user record.UserID) string {
	if !l.HasUser() {
		return l.Key("")
	}
	return l.Key(user.String())
}
