package layout

import (
	"maps"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// Selection is the records that rejected values are of, so that they can be read again.
type Selection struct {
	// Records are the kinds of each user. With nobody (zero) come the kinds whose keys with an invalid user id are
	// selected, and the counters.
	Records map[record.UserID]record.Kinds

	// APIKeys are the API keys that named a user when the values were rejected: which of them goes on is decided by all.
	APIKeys map[record.UserID][]string

	keys map[string]bool // of nobody's
}

// NewSelection returns an empty selection.
func NewSelection() *Selection {
	return &Selection{Records: make(map[record.UserID]record.Kinds), APIKeys: make(map[record.UserID][]string), keys: make(map[string]bool)}
}

// Add looks at a reject of a run, each of which has to be given, and selects its record where wanted says so. They come
// in any order, and may repeat.
func (s *Selection) Add(r record.Reject, wanted bool) {
	l, id := Classify(r.Key)
	if l == APIKey && !slices.Contains(s.APIKeys[r.User], id) {
		s.APIKeys[r.User] = append(s.APIKeys[r.User], id)
	}
	if !wanted {
		return
	}
	s.Records[r.User] = s.Records[r.User].With(r.Kind)
	if r.User == 0 && l != Other {
		s.keys[r.Key] = true
	}
}

// Keys returns the keys of nobody's that are selected, in ascending order. A reader that looks at every key may take
// others of the same kind for selected.
func (s *Selection) Keys() []string { return slices.Sorted(maps.Keys(s.keys)) }

// Users returns the users of whom something is selected, in ascending order.
func (s *Selection) Users() []record.UserID {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Records)), func(u record.UserID) bool { return u == 0 })
}

// Size returns how many records are selected: of a user and kind, the counters, and a key of nobody's each.
func (s *Selection) Size() int {
	n := len(s.keys)
	for user, kinds := range s.Records {
		if user != 0 {
			n += len(kinds.List())
		}
	}
	return n
}
