package rdb

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// reading is the second pass over a file.
type reading struct {
	*source
	ctx     context.Context
	w       *walker
	v       *values
	index   *index
	pending map[group][]sibling
	out     pager
}

// sibling is a key that waits for the last of its group.
type sibling struct {
	start  int64 // offset in the file
	layout layout.Layout
}

// run delivers what the keys from an offset on complete. Those before it are only followed.
func (r *reading) run(from int64) error {
	for {
		e, more, err := r.w.next()
		if err != nil {
			return r.file.stopped(err)
		}
		if !more {
			break
		}
		if err := r.entry(e, e.start >= from); err != nil {
			return err
		}
	}
	// The last page goes out only once it is certain that none before it was wrong.
	if err := r.file.unchanged(); err != nil {
		return err
	}
	return r.out.flush()
}

func (r *reading) entry(e entry, deliver bool) error {
	if !r.present(e, r.index.at) {
		return r.pass(e)
	}
	s, err := r.sight(r.w, r.v, e)
	if err != nil {
		return r.file.stopped(err)
	}
	if deliver {
		r.out.page.Seen.Add(s.seen)
	}
	var items []record.Item
	var size int64
	switch {
	case s.role == alone && deliver:
		items, size, err = r.alone(s)
	case s.role == member && r.isLast(s):
		items, size, err = r.complete(s, deliver)
	case !s.fetched:
		err = r.pass(e)
	}
	if err != nil {
		return err
	}
	if !deliver {
		return nil
	}
	return r.out.add(items, size, position{offset: r.w.at, at: r.index.at})
}

// pass walks over a value that nobody asked for.
func (r *reading) pass(e entry) error {
	if err := r.w.value(e.typ); err != nil {
		return r.file.stopped(err)
	}
	return nil
}

// alone makes the item of a key that has no siblings. Its size is about that of the values.
func (r *reading) alone(s sighting) ([]record.Item, int64, error) {
	found, err := r.v.fetch(r.w, s.entry, s.layout)
	if err != nil {
		return nil, 0, r.file.stopped(err)
	}
	it, ok := r.wanted.Damaged(found)
	if s.group.kind == record.Metrics {
		it, ok = layout.Metrics(found)
	}
	if !ok {
		return nil, 0, nil
	}
	return []record.Item{it}, r.w.size, nil
}

// isLast reports whether all other keys of the group were met, and else notes the key.
func (r *reading) isLast(s sighting) bool {
	others := r.pending[s.group]
	if len(others)+1 == r.index.count(s.group, s.layout) {
		return true
	}
	r.pending[s.group] = append(others, sibling{start: s.start, layout: s.layout})
	return false
}

// complete makes the items of a group, of which s is the last key, and forgets it.
func (r *reading) complete(s sighting, deliver bool) (items []record.Item, size int64, err error) {
	others := r.pending[s.group]
	delete(r.pending, s.group)
	if !deliver {
		if s.fetched {
			return nil, 0, nil
		}
		return nil, 0, r.pass(s.entry)
	}
	last := s.claim
	if !s.fetched {
		if last, err = r.v.fetch(r.w, s.entry, s.layout); err != nil {
			return nil, 0, r.file.stopped(err)
		}
		size = r.w.size
	}
	founds := []layout.Found{last}
	for _, other := range others {
		found, err := r.v.load(r.ctx, other.start, other.layout)
		if err != nil {
			return nil, 0, r.file.stopped(err)
		}
		founds = append(founds, found)
		size += r.v.section.size
	}
	return r.items(s.group, founds), size, nil
}

// items decodes the keys of a group.
func (r *reading) items(g group, founds []layout.Found) []record.Item {
	if g.kind == record.APIKeys {
		return pair(g.user, founds)
	}
	if it, ok := r.wanted.Item(g.kind, g.user, founds); ok {
		return []record.Item{it}
	}
	return nil
}

func pair(user record.UserID, founds []layout.Found) []record.Item {
	var claims []layout.Found
	for _, found := range founds {
		if found.Layout == layout.APIKey {
			claims = append(claims, found)
		}
	}
	return layout.Pair(user, claims, layout.Among(founds, layout.UserAPIKey, user))
}
