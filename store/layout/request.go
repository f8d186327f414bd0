package layout

import (
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Request says what a reader of keys is asked for.
type Request struct {
	Kinds record.Kinds // none means all

	// Users are the only ones to read; none means all. With users the counters, which are nobody's, are left out, and so
	// are keys with an invalid user id.
	Users []record.UserID

	// Selection is all that is read, as far as Kinds has it, where it is not nil. Then Users does not matter.
	Selection *Selection

	// PreferUpstream lets upstream's key-value pair win where both layouts have the field; else the fork's wins.
	PreferUpstream bool

	// Dates asks for what the keys say of monitoring dates, and for nothing else, whatever Kinds is: items have
	// [record.Item.Dates] alone. Of a hash the field [DateField] is all that a reader needs to fetch, and nothing tells
	// whether a key has a TTL.
	Dates bool

	// Layouts are those whose keys are read; none means all. The keys of others are nobody's.
	Layouts Layouts

	// Documents asks for what the keys say as documents of a target, and for nothing else: items have [record.Item.Document]
	// alone, but for those of API keys, which are as ever.
	Documents *DocumentOptions

	// Now decides which times are plausible, and in a file which keys have expired. Zero means the time of the call.
	Now time.Time
}

// Wanted is a request that a reader works with.
type Wanted struct {
	Now    time.Time
	Dates  bool
	kinds  record.Kinds
	users  map[record.UserID]record.Kinds // nil for all
	prefer Layout

	layouts   Layouts
	families  [][]Layout // by layout; nil where all are read
	documents *DocumentOptions
}

// NewWanted returns the request with its defaults filled in.
func NewWanted(r Request) Wanted {
	w := Wanted{Now: r.Now, Dates: r.Dates, kinds: r.Kinds, prefer: ForkKV, layouts: r.Layouts, documents: r.Documents}
	if w.layouts != 0 {
		for l := range Layout(len(prefixes)) {
			others := func(l Layout) bool { return !w.Reads(l) }
			w.families = append(w.families, slices.DeleteFunc(slices.Clone(l.Family()), others))
		}
	}
	if w.Now.IsZero() {
		w.Now = time.Now()
	}
	switch {
	case w.Dates:
		w.kinds = datedKinds
	case w.kinds == 0:
		w.kinds = record.LanyardKinds
	}
	if r.PreferUpstream {
		w.prefer = UpstreamKV
	}
	switch {
	case r.Selection != nil:
		w.users = r.Selection.Records
	case len(r.Users) > 0:
		w.users = make(map[record.UserID]record.Kinds, len(r.Users))
		for _, u := range r.Users {
			w.users[u] = record.LanyardKinds
		}
	}
	return w
}

// Kinds returns the kinds that were asked for, without the counters where users were.
func (w Wanted) Kinds() record.Kinds {
	if !w.users[0].Has(record.Metrics) && w.users != nil {
		return w.kinds &^ record.Kinds(0).With(record.Metrics)
	}
	return w.kinds
}

// Named returns the users who were asked for, and the keys of nobody's. It reports false where all were.
func (r Request) Named() (users []record.UserID, keys []string, ok bool) {
	if r.Selection != nil {
		return r.Selection.Users(), r.Selection.Keys(), true
	}
	return r.Users, nil, len(r.Users) > 0
}

// Has reports whether what the user has of the kind was asked for; zero is nobody.
func (w Wanted) Has(kind record.Kind, user record.UserID) bool {
	return w.kinds.Has(kind) && (w.users == nil || w.users[user].Has(kind))
}

// Reads reports whether keys of the layout are read at all.
func (w Wanted) Reads(l Layout) bool { return w.layouts == 0 || w.layouts.Has(l) }

// Family returns those of [Layout.Family] that are read. The caller must not change them.
func (w Wanted) Family(l Layout) []Layout {
	if w.families == nil {
		return l.Family()
	}
	return w.families[l]
}

// Item makes the item of a user's keys of one kind, which has a family of layouts. Keys that are not among founds are
// absent. It reports false where none exists.
func (w Wanted) Item(kind record.Kind, user record.UserID, founds []Found) (record.Item, bool) {
	if w.Dates {
		return dateValues(kind, founds)
	}
	if w.documents != nil {
		return w.document(kind, user, founds)
	}
	of := func(l Layout) Found { return Among(founds, l, user) }
	switch kind {
	case record.KV:
		return KV(user, of(ForkKV), of(UpstreamKV), w.prefer)
	case record.LastSeen:
		return LastSeen(user, of(ForkLastSeen), of(UpstreamLastSeen), w.Now)
	case record.MonitoringSince:
		return MonitoringSince(user, of(ForkMonitoringSince), of(OlderMonitoringSince), of(OldestMonitoringSince), w.Now)
	}
	panic("layout: keys of " + kind.String() + " are read one by one")
}

// AsDocuments reports whether documents were asked for, whose keys may have a mark.
func (w Wanted) AsDocuments() bool { return w.documents != nil }

// document makes the item of a target's document.
func (w Wanted) document(kind record.Kind, user record.UserID, founds []Found) (record.Item, bool) {
	d, exists := Document(kind, user, founds, w.layouts, *w.documents)
	return record.Item{Kind: kind, Document: &d}, exists
}

// Counters makes the item of the counters. It reports false where there are none.
func (w Wanted) Counters(f Found) (record.Item, bool) {
	if w.documents != nil {
		return w.document(record.Metrics, 0, []Found{f})
	}
	return Metrics(f)
}

// Damaged makes the item of a key that no user's item can take up, as [Damaged] does. It reports false where there is
// nothing of the kind.
func (w Wanted) Damaged(f Found) (record.Item, bool) {
	kind, ok := f.Layout.Kind()
	if w.Dates && ok {
		return dateValues(kind, []Found{f})
	}
	if w.documents != nil && ok {
		_, id := Classify(f.Key)
		d := record.Document{Kind: kind, Collection: record.CollectionOf(kind), Name: record.NameOf(id), ID: f.Key}
		held, fault := f.Held()
		if d.Held = held; fault != "" {
			d.Held = record.Held{Malformed: record.Opaque{}}
		}
		d.Held.Found = true
		return record.Item{Kind: kind, Document: &d}, f.Exists() && !f.Foreign()
	}
	return Damaged(f)
}

// Among returns the user's key of a layout, which is absent where it is not among founds.
func Among(founds []Found, l Layout, user record.UserID) Found {
	for _, f := range founds {
		if f.Layout == l {
			return f
		}
	}
	return Found{Key: l.Key(user.String()), Layout: l}
}
