package rdb

import (
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// role is what a key does for a reading.
type role uint8

const (
	none   role = iota
	alone       // it makes an item of its own
	member      // it is one of the keys of its group
)

// group is a user and kind, whose keys make items together.
type group struct {
	kind record.Kind
	user record.UserID
}

// sighting is a key with what it is to a reading.
type sighting struct {
	entry
	layout layout.Layout
	seen   record.KeyCounts
	role   role
	group  group

	// claim is an APIKey as it was fetched to know its owner; the walker is behind its value.
	claim   layout.Found
	fetched bool
}

// sight tells what a key is to the reading.
func (s *source) sight(w *walker, v *values, e entry) (sighting, error) {
	l, id := layout.Classify(string(e.key))
	out := sighting{entry: e, layout: l, seen: record.KeyCounts{Keys: 1}}
	kind, known := l.Kind()
	out.group.kind = kind
	switch {
	case l == layout.Analytics:
		out.seen.Analytics = 1
	case !known:
		out.seen.Ignored = 1
	case l == layout.APIKey:
		claim, err := v.fetch(w, e, l)
		if err != nil {
			return sighting{}, err
		}
		out.claim, out.fetched = claim, true
		owner, ok := claim.Owner()
		out.count(!ok)
		if ok && s.wanted.Has(kind, owner) {
			out.role, out.group.user = member, owner
		}
	case l == layout.Counters:
		out.count(false)
		if s.wanted.Has(kind, 0) {
			out.role = alone
		}
	default:
		s.sightUser(&out, id)
	}
	return out, nil
}

// sightUser goes on with a key that should end in a user id.
func (s *source) sightUser(out *sighting, id string) {
	user, valid := record.ParseUserID(id)
	state := stateOf(out.entry, out.layout)
	foreign := out.layout.Generic() && (!valid || state == layout.WrongType)
	out.count(foreign)
	switch {
	case foreign, !s.wanted.Has(out.group.kind, user):
	case !valid, out.layout == layout.UserAPIKey && state == layout.WrongType:
		out.role = alone
	default:
		out.role, out.group.user = member, user
	}
}

func (s *sighting) count(foreign bool) {
	if foreign {
		s.seen.Foreign = 1
	} else {
		s.seen.Lanyard = 1
	}
}
