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
	node     *node // that was scanned; nil for none
	probes   probes
	list     []*probe // the same, in the order in which they were added
	named    []*probe // of them, those of keys that SCAN returned
	free     []*probe // for new ones
	jobs     []job
	keyPairs keyPairs
	generic  []*probe // under generic prefixes; what they are shows once they were looked at
	seen     record.KeyCounts
	items    []record.Item
	founds   []layout.Found // of the job that is decoded
	group    []job          // that is decoded together
	need     []*probe       // what the group loads

	// points tells that only a user's own keys are looked at, so that of the API keys that name the user it is for the
	// user's own to say which: what another user's names is met by chance.
	points bool
}

// job is an item to be made of the keys of one user and kind, or of one damaged key.
type job struct {
	met    *probe   // the key that SCAN returned
	family []*probe // in the order of layout.Layout.Family; nil where none but met exists
	user   record.UserID
}

// damaged reports whether no user's record can take up the key.
func (j job) damaged() bool { return j.user == 0 && j.met.Layout.HasUser() }

func newReading(s *source) *reading { return &reading{source: s, probes: make(probes)} }

// reuse forgets the page, but keeps the memory for another.
func (r *reading) reuse() {
	for _, p := range r.list {
		*p = probe{}
	}
	clear(r.probes)
	clear(r.founds)
	clear(r.group)
	*r = reading{
		source: r.source, probes: r.probes, free: append(r.free, r.list...), list: r.list[:0], named: r.named[:0],
		jobs: r.jobs[:0], generic: r.generic[:0], founds: r.founds[:0], group: r.group[:0], need: r.need[:0],
		keyPairs: keyPairs{named: r.keyPairs.named[:0], current: r.keyPairs.current[:0]},
	}
}

// want returns the probe of a key and adds it where it is new.
func (r *reading) want(l layout.Layout, key string) *probe {
	if p, ok := r.probes[key]; ok {
		return p
	}
	return r.add(l, key)
}

// meet adds the probe of a key that SCAN returned. The reading has none of it yet.
func (r *reading) meet(l layout.Layout, key string) *probe {
	p := r.add(l, key)
	r.named = append(r.named, p)
	return p
}

// probesAtOnce are allocated together.
const probesAtOnce = 128

func (r *reading) add(l layout.Layout, key string) *probe {
	if len(r.free) == 0 {
		more := make([]probe, probesAtOnce)
		for i := range more {
			r.free = append(r.free, &more[i])
		}
	}
	p := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	p.Found = layout.Found{Key: key, Layout: l}
	r.probes[key] = p
	r.list = append(r.list, p)
	return p
}

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
	groups := r.siblings()
	if err := r.lookFirst(ctx, groups); err != nil {
		return false, err
	}
	r.countGeneric()
	return r.pair(ctx, true)
}

// lookups are those of the page, which find out each time how many keys there are, where one server has all: what is away
// for a moment is else missed, however much it is.
func (r *reading) lookups() lookups {
	l := r.source.store.manyLookups()
	if r.node == nil || !l.single {
		return l
	}
	ask := l.ask
	l.ask = func(ctx context.Context, what string, b *batch) error {
		b.ask("info", "keyspace")
		if err := ask(ctx, what, b); err != nil {
			return err
		}
		last := len(b.answers) - 1
		keyspace := b.answers[last].text
		b.answers = b.answers[:last]
		return l.sample(ctx, r.node, keyspace)
	}
	return l
}

// lookFirst looks at the keys, and whether those of the groups of siblings exist. At those of a group of which any does it
// looks, too.
func (r *reading) lookFirst(ctx context.Context, groups [][]job) error {
	if r.source.wanted.Dates {
		r.probes.narrow(layout.DateField)
	}
	var exist []bool
	ask := func(b *batch) {
		for _, group := range groups {
			r.askSiblings(b, group)
		}
	}
	take := func(answers []answer) {
		for i := range groups {
			exist = append(exist, answers[i].n > 0)
		}
	}
	if err := r.lookups().probeWith(ctx, r.list, r.source.askTTL, ask, take); err != nil {
		return err
	}
	looked := len(r.list)
	for i, group := range groups {
		r.source.groups.Add(1)
		if exist[i] {
			r.source.grown.Add(1)
			for j := range group {
				r.addFamily(&group[j])
			}
		}
	}
	if r.source.wanted.Dates {
		r.probes.narrow(layout.DateField)
	}
	return r.probeNew(ctx, r.list[looked:])
}

const (
	// siblingsAtOnce is of how many jobs one command tells whether any of their siblings exists. Nearly always none does.
	siblingsAtOnce = 16

	// fewGroups are too few to tell whether siblings are rare.
	fewGroups = 64
)

// siblings returns the jobs of whose other keys it is to be found out whether any exists, in groups. Where one command cannot
// tell that of many keys, or is likely to tell that one does, it adds the keys to those that are looked at one by one.
func (r *reading) siblings() (groups [][]job) {
	s := r.source
	rare := s.groups.Load() < fewGroups || s.grown.Load()*2 < s.groups.Load()
	together := s.store.single && rare
	// Those that come in groups stand first.
	n := 0
	for i := range r.jobs {
		j := &r.jobs[i]
		switch {
		case j.user == 0 || len(s.wanted.Family(j.met.Layout)) == 1:
		case !together || r.meets(*j):
			r.addFamily(j)
		default:
			r.jobs[i], r.jobs[n] = r.jobs[n], r.jobs[i]
			n++
		}
	}
	return slices.Collect(slices.Chunk(r.jobs[:n], siblingsAtOnce))
}

// meets reports whether one of the job's siblings is looked at anyway.
func (r *reading) meets(j job) bool {
	_, id := layout.Classify(j.met.Key)
	var memory [64]byte
	for _, l := range r.source.wanted.Family(j.met.Layout) {
		if l == j.met.Layout {
			continue
		}
		key := append(append(memory[:0], l.Key("")...), id...)
		if r.probes[string(key)] != nil {
			return true
		}
	}
	return false
}

// askSiblings asks how many of the jobs' siblings exist.
func (r *reading) askSiblings(b *batch, jobs []job) {
	n := 0
	for _, j := range jobs {
		n += len(r.source.wanted.Family(j.met.Layout)) - 1
	}
	b.begin(1 + n)
	b.word("exists", "")
	for _, j := range jobs {
		_, id := layout.Classify(j.met.Key)
		for _, l := range r.source.wanted.Family(j.met.Layout) {
			if l != j.met.Layout {
				b.word(l.Key(""), id)
			}
		}
	}
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
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		if l, _ := layout.Classify(key); l == layout.APIKey || l == layout.UserAPIKey {
			r.sort(key)
		}
	}
	if err := r.lookups().probe(ctx, r.list, false); err != nil {
		return false, err
	}
	return r.pair(ctx, false)
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
	case !known || !r.source.wanted.Reads(l):
		r.seen.Ignored++
		return
	case l == layout.APIKey:
		p := r.meet(l, key)
		r.generic = append(r.generic, p)
		r.keyPairs.named = append(r.keyPairs.named, p)
		return
	case l == layout.Counters:
		r.seen.Lanyard++
		if r.source.wanted.Has(kind, 0) {
			r.jobs = append(r.jobs, job{met: r.meet(l, key)})
		}
		return
	}
	user, valid := record.ParseUserID(id)
	switch {
	case l.Generic() && !valid:
		r.seen.Foreign++
		return
	case !l.Generic():
		r.seen.Lanyard++
	}
	wanted := r.source.wanted.Has(kind, user)
	if !wanted && !l.Generic() {
		return
	}
	p := r.meet(l, key)
	if l.Generic() {
		r.generic = append(r.generic, p)
	}
	switch {
	case !wanted:
	case l == layout.UserAPIKey && valid:
		r.keyPairs.current = append(r.keyPairs.current, half{user: user, p: p})
	default:
		r.jobs = append(r.jobs, job{met: p, user: user})
	}
}

// addFamily adds all keys of the job's family.
func (r *reading) addFamily(j *job) {
	_, id := layout.Classify(j.met.Key)
	family := r.source.wanted.Family(j.met.Layout)
	j.family = make([]*probe, 0, len(family))
	for _, l := range family {
		if l == j.met.Layout {
			j.family = append(j.family, j.met)
		} else {
			j.family = append(j.family, r.want(l, l.Key(id)))
		}
	}
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
	group, need, size := r.group[:0], r.need[:0], int64(0)
	work := func() error {
		if err := r.lookups().load(ctx, need, r.source.budget); err != nil {
			return err
		}
		if r.source.wanted.AsDocuments() {
			if err := r.lookups().marks(ctx, need); err != nil {
				return err
			}
		}
		r.items = slices.Grow(r.items, len(group))
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
		group, size = append(group, j), size+bytes
		if need = append(need, j.family...); j.family == nil {
			need = append(need, j.met)
		}
	}
	r.jobs = r.jobs[:0]
	err := work()
	r.group, r.need = group, need
	return err
}

// bytes returns how many bytes the job loads, about.
func (j job) bytes() (bytes int64) {
	if j.family == nil {
		return j.met.size
	}
	for _, p := range j.family {
		bytes += p.size
	}
	return bytes
}

// delivers reports whether the met key is the first of its family that exists. Where it was removed since SCAN returned
// it, a later one may have counted on it, so the job delivers what is left.
func (j job) delivers() bool {
	if j.family == nil {
		return j.user == 0 || j.met.Exists()
	}
	for _, p := range j.family {
		if p.Exists() {
			return p == j.met || j.met.State == layout.Absent
		}
	}
	return false
}

func (r *reading) decode(j job) (record.Item, bool) {
	switch {
	case j.damaged():
		return r.source.wanted.Damaged(j.met.Found)
	case j.user == 0:
		return r.source.wanted.Counters(j.met.Found)
	}
	kind, _ := j.met.Layout.Kind()
	r.founds = r.founds[:0]
	for _, p := range j.family {
		r.founds = append(r.founds, p.Found)
	}
	if j.family == nil {
		r.founds = append(r.founds, j.met.Found)
	}
	return r.source.wanted.Item(kind, j.user, r.founds)
}
