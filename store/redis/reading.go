package redis

import (
	"context"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// reading turns one page of SCAN's answer into items.
type reading struct {
	source   *source
	probes   probes
	jobs     []job
	keyPairs keyPairs
	generic  []*probe // under generic prefixes; what they are shows once they were looked at
	seen     record.KeyCounts
	items    []record.Item

	// points tells that only a user's own keys are looked at, so that of the API keys that name the user it is for the
	// user's own to say which: what another user's names is met by chance.
	points bool
}

// job is an item to be made of the keys of one user and kind, or of one damaged key.
type job struct {
	met    *probe   // the key that SCAN returned
	family []*probe // in the order of layout.Layout.Family
	user   record.UserID
}

// damaged reports whether no user's record can take up the key.
func (j job) damaged() bool { return j.family == nil && j.met.Layout.HasUser() }

func newReading(s *source) *reading { return &reading{source: s, probes: make(probes)} }

// page makes the items of the keys. It hands groups of them to flush as its budget fills and leaves the last in r.items.
func (r *reading) page(ctx context.Context, keys []string, flush func([]record.Item) error) error {
	if _, err := r.look(ctx, keys); err != nil {
		return err
	}
	return r.run(ctx, flush)
}

// ahead looks at the keys and, where the values that are left to load are small, makes the items. It reports whether API keys
// were held.
func (r *reading) ahead(ctx context.Context, keys []string) (held bool, err error) {
	held, err = r.look(ctx, keys)
	if err != nil || r.unread() > int64(r.source.budget)/aheadShare {
		return held, err
	}
	return held, r.run(ctx, nil)
}

// look looks at the keys and what belongs to them, and decides the API keys. It reports whether any were held.
func (r *reading) look(ctx context.Context, keys []string) (held bool, err error) {
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		r.sort(key)
	}
	if r.source.wanted.Dates {
		r.probes.narrow(layout.DateField)
	}
	store := r.source.store
	if err := store.manyLookups().probe(ctx, r.probes.list(), r.source.askTTL); err != nil {
		return false, err
	}
	r.countGeneric()
	return r.pair(ctx, true)
}

// unread returns how many bytes the jobs have to load, about.
func (r *reading) unread() (bytes int64) {
	for _, j := range r.jobs {
		if j.delivers() {
			bytes += j.bytes()
		}
	}
	return bytes
}

// claimsOnly holds the API keys among the keys that nothing decides, and makes no items.
func (r *reading) claimsOnly(ctx context.Context, keys []string) (held bool, err error) {
	for _, key := range keys {
		if l, _ := layout.Classify(key); l == layout.APIKey || l == layout.UserAPIKey {
			r.sort(key)
		}
	}
	if err := r.source.store.manyLookups().probe(ctx, r.probes.list(), false); err != nil {
		return false, err
	}
	return r.pair(ctx, false)
}

func (ps probes) list() []*probe {
	list := make([]*probe, 0, len(ps))
	for _, p := range ps {
		list = append(list, p)
	}
	return list
}

// sort decides by a key's name what has to be looked at.
func (r *reading) sort(key string) {
	r.seen.Keys++
	l, id := layout.Classify(key)
	kind, known := l.Kind()
	switch {
	case l == layout.Analytics:
		r.seen.Analytics++
		return
	case !known:
		r.seen.Ignored++
		return
	case l == layout.APIKey:
		p := r.probes.want(l, key)
		r.generic = append(r.generic, p)
		r.keyPairs.named = append(r.keyPairs.named, p)
		return
	case l == layout.Counters:
		r.seen.Lanyard++
		if r.source.wanted.Has(kind, 0) {
			r.jobs = append(r.jobs, job{met: r.probes.want(l, key)})
		}
		return
	}
	user, valid := record.ParseUserID(id)
	switch {
	case l.Generic() && !valid:
		r.seen.Foreign++
		return
	case l.Generic():
		r.generic = append(r.generic, r.probes.want(l, key))
	default:
		r.seen.Lanyard++
	}
	switch {
	case !valid:
		if r.source.wanted.Has(kind, 0) {
			r.jobs = append(r.jobs, job{met: r.probes.want(l, key)})
		}
	case !r.source.wanted.Has(kind, user):
	case l == layout.UserAPIKey:
		r.keyPairs.current = append(r.keyPairs.current, half{user: user, p: r.probes.want(l, key)})
	default:
		r.add(l, key, id, user)
	}
}

// add adds the job of the user's keys of a family, for the key of the layout. The id is the user's.
func (r *reading) add(l layout.Layout, key, id string, user record.UserID) {
	j := job{met: r.probes.want(l, key), user: user}
	for _, sibling := range l.Family() {
		j.family = append(j.family, r.probes.want(sibling, sibling.Key(id)))
	}
	r.jobs = append(r.jobs, j)
}

// countGeneric counts the keys under generic prefixes by what their values turned out to be.
func (r *reading) countGeneric() {
	for _, p := range r.generic {
		switch {
		case p.State == layout.Absent: // removed meanwhile: nobody knows whose it was
			r.seen.Ignored++
		case p.Foreign():
			r.seen.Foreign++
		default:
			r.seen.Lanyard++
		}
	}
}

// run loads and decodes what the jobs need, in groups that fit the budget, and has no jobs then.
func (r *reading) run(ctx context.Context, flush func([]record.Item) error) error {
	var (
		group []job
		need  []*probe
		size  int64
	)
	work := func() error {
		if err := r.source.store.manyLookups().load(ctx, need, r.source.budget); err != nil {
			return err
		}
		for _, j := range group {
			if it, ok := r.decode(j); ok {
				r.items = append(r.items, it)
			}
		}
		group, need, size = group[:0], need[:0], 0
		return nil
	}
	for _, j := range r.jobs {
		if !j.delivers() {
			continue
		}
		bytes := j.bytes()
		if size > 0 && size+bytes > int64(r.source.budget) {
			if err := work(); err != nil {
				return err
			}
			if err := flush(r.items); err != nil {
				return err
			}
			r.items = nil
		}
		group, need, size = append(group, j), append(need, j.probes()...), size+bytes
	}
	r.jobs = nil
	return work()
}

// bytes returns how many bytes the job loads, about.
func (j job) bytes() (bytes int64) {
	for _, p := range j.probes() {
		bytes += p.size
	}
	return bytes
}

// delivers reports whether the met key is the first of its family that exists. Where it was removed since SCAN returned
// it, a later one may have counted on it, so the job delivers what is left.
func (j job) delivers() bool {
	for _, p := range j.family {
		if p.Exists() {
			return p == j.met || j.met.State == layout.Absent
		}
	}
	return j.family == nil
}

func (j job) probes() []*probe {
	if j.family == nil {
		return []*probe{j.met}
	}
	return j.family
}

func (r *reading) decode(j job) (record.Item, bool) {
	switch {
	case j.damaged():
		return r.source.wanted.Damaged(j.met.Found)
	case j.family == nil:
		return layout.Metrics(j.met.Found)
	}
	kind, _ := j.met.Layout.Kind()
	founds := make([]layout.Found, len(j.family))
	for i, p := range j.family {
		founds[i] = p.Found
	}
	return r.source.wanted.Item(kind, j.user, founds)
}
