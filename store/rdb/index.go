package rdb

import (
	"context"
	"math/bits"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// index tells how many keys each group has.
type index struct {
	at    int64 // Unix milliseconds: which keys have expired
	users map[record.UserID]keys
}

// keys are the keys of one user.
type keys struct {
	claims  uint32 // API keys that name the user
	layouts uint16 // a bit for each other layout of which there is a key
}

// add counts a key. It reports false for a key that the user cannot have twice, but does.
func (x *index) add(g group, l layout.Layout) bool {
	k := x.users[g.user]
	if l == layout.APIKey {
		k.claims++
	} else if bit := uint16(1) << l; k.layouts&bit == 0 {
		k.layouts |= bit
	} else {
		return false
	}
	x.users[g.user] = k
	return true
}

// count returns how many keys the group has.
func (x *index) count(g group, l layout.Layout) int {
	k := x.users[g.user]
	if g.kind == record.APIKeys {
		return int(k.claims) + int(k.layouts>>layout.UserAPIKey&1)
	}
	var family uint16
	for _, l := range l.Family() {
		family |= 1 << l
	}
	return bits.OnesCount16(k.layouts & family)
}

// indexAt returns the index of the keys that have not expired at a time. It goes over the file and decodes all that is
// asked for, unless it did so for the same time before.
func (s *source) indexAt(ctx context.Context, at int64) (*index, error) {
	if s.index != nil && s.index.at == at {
		return s.index, s.file.unchanged()
	}
	x := &index{at: at, users: make(map[record.UserID]keys)}
	v := newValues(ctx, s.file)
	w := s.file.walk(ctx)
	for {
		e, more, err := w.next()
		if err != nil {
			return nil, s.file.stopped(err)
		}
		if !more {
			break
		}
		if err := s.indexEntry(x, w, v, e); err != nil {
			return nil, s.file.stopped(err)
		}
	}
	if err := s.file.unchanged(); err != nil {
		return nil, err
	}
	s.index = x
	return x, nil
}

func (s *source) indexEntry(x *index, w *walker, v *values, e entry) error {
	if !s.present(e, x.at) {
		return w.value(e.typ)
	}
	seen, err := s.sight(w, v, e)
	if err != nil {
		return err
	}
	if seen.role == member && !x.add(seen.group, seen.layout) {
		return w.fault(broken, "a key stands twice")
	}
	switch {
	case seen.fetched:
	case seen.role == none:
		err = w.value(e.typ)
	default:
		// What can fail must fail before anything is delivered.
		_, err = v.fetch(w, e, seen.layout)
	}
	return err
}

// present reports whether the key is one of the database that has not expired.
func (s *source) present(e entry, at int64) bool {
	return e.db == uint64(s.file.info.DB) && (e.expires == never || e.expires >= at)
}
