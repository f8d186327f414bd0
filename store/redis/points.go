package redis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// Points returns what reads the keys of users one by one, as far as the request asks for them. It scans nothing. So one
// class of keys stays unseen: an api_key:<key> that names a user whose user_api_key:<uid> does not name that key. Such keys
// are left over from keys regenerated long ago, or are all that a user without a current key has.
func (s *Store) Points(o SourceOptions) record.PointReader { return s.source(o) }

// ReadUsers implements [record.PointReader].
func (s *source) ReadUsers(
	ctx context.Context, kinds record.Kinds, users []record.UserID, yield func(record.Page) error,
) error {
	kinds &= s.wanted.Kinds()
	for chunk := range slices.Chunk(distinct(users), s.usersAtOnce(kinds)) {
		if _, err := s.readUsers(ctx, kinds, chunk, "", "", yield); err != nil {
			return err
		}
	}
	if !kinds.Has(record.Metrics) {
		return nil
	}
	r := newReading(s)
	if err := r.page(ctx, []string{layout.Counters.Key("")}, nil); err != nil {
		return err
	}
	return yield(record.Page{Items: r.items, Seen: r.seen})
}

// distinct returns the users in ascending order, each once, without nobody.
func distinct(users []record.UserID) []record.UserID {
	sorted := slices.Compact(slices.Sorted(slices.Values(users)))
	return slices.DeleteFunc(sorted, func(u record.UserID) bool { return u == 0 })
}

// keysOfUser returns how many keys are looked at for a user.
func keysOfUser(kinds record.Kinds) int {
	n := len(layout.OfUsers(kinds))
	if kinds.Has(record.APIKeys) {
		n++ // the key that the current one names
	}
	return n
}

// usersAtOnce returns the keys of how many users make a page.
func (s *source) usersAtOnce(kinds record.Kinds) int {
	return max(s.pageSize/max(keysOfUser(kinds), 1), 1)
}

// readUsers delivers the users' items as a page with the position next. Where their values are large it comes in pieces, of
// which all but the last have the position before.
func (s *source) readUsers(
	ctx context.Context, kinds record.Kinds, users []record.UserID, before, next string, yield func(record.Page) error,
) (probes, error) {
	r := newReading(s)
	r.points = true
	var holders []record.UserID // whose API keys are asked for
	layouts := layout.OfUsers(kinds)
	for _, user := range users {
		id := user.String()
		for _, l := range layouts {
			kind, _ := l.Kind()
			switch family := s.wanted.Family(l); {
			case !s.wanted.Has(kind, user) || !s.wanted.Reads(l):
				continue
			case family == nil:
				r.seen.Keys++ // the key that the current one names
				r.want(l, l.Key(id))
				holders = append(holders, user)
			case family[0] == l:
				j := job{met: r.want(l, l.Key(id)), user: user}
				r.addFamily(&j)
				r.jobs = append(r.jobs, j)
			}
			r.seen.Keys++
		}
	}
	if s.wanted.Dates {
		r.probes.narrow(layout.DateField)
	}
	if err := s.store.manyLookups().probe(ctx, r.list, s.askTTL); err != nil {
		return nil, err
	}
	err := r.decide(ctx, holders, s.candidates, func(decided *reading, _ []*probe, items []record.Item) error {
		r.items = append(r.items, items...)
		for key, p := range decided.probes {
			r.probes[key] = p
			if p.Layout == layout.UserAPIKey && p.State == layout.WrongType {
				if it, ok := layout.Damaged(p.Found); ok {
					r.items = append(r.items, it)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = r.run(ctx, func(items []record.Item) error { return yield(record.Page{Items: items, Next: before}) })
	if err != nil {
		return nil, err
	}
	for _, p := range r.probes {
		switch {
		case p.Foreign():
			r.seen.Foreign++
		case p.State != layout.Absent:
			r.seen.Lanyard++
		}
	}
	return r.probes, yield(record.Page{Items: r.items, Seen: r.seen, Next: next})
}

// pointSource reads the users' own keys in place of a scan.
type pointSource struct {
	*source
	users  []record.UserID // in ascending order
	others []string        // keys of nobody's
}

// Parts returns one part: a user's keys lie on any node.
func (s *pointSource) Parts(context.Context) ([]record.Part, error) {
	return []record.Part{&userPart{s}}, nil
}

// Total returns how many keys are looked at.
func (s *pointSource) Total(context.Context) (int64, error) {
	return int64(len(s.users)*keysOfUser(s.wanted.Kinds()) + len(s.others)), nil
}

// userPart reads the users. Its positions are the last user read.
type userPart struct{ *pointSource }

// Name returns the store's address.
func (p *userPart) Name() string { return p.store.addr }

// Read implements [record.Part]. That nothing went away meanwhile is made certain by Deferred.
func (p *userPart) Read(ctx context.Context, from string, yield func(record.Page) error) error {
	users := p.users
	if from != "" {
		last, ok := record.ParseUserID(from)
		if !ok {
			return fmt.Errorf("read keys of users: %q is no position among them", from)
		}
		n, found := slices.BinarySearch(users, last)
		if found {
			n++
		}
		users = users[n:]
	}
	if err := p.store.whole(ctx); err != nil {
		return err
	}
	kinds := p.wanted.Kinds()
	for chunk := range slices.Chunk(users, p.usersAtOnce(kinds)) {
		next := chunk[len(chunk)-1].String()
		met, err := p.readUsers(ctx, kinds, chunk, from, next, yield)
		if err != nil {
			return err
		}
		from = next
		// Which node of a Cluster holds a key only the Cluster knows; what befalls one shows in INFO alone.
		if p.store.single && (p.askTTL || !p.store.info.Expires) {
			p.store.current()[0].witness(met.sorted())
		}
	}
	for keys := range slices.Chunk(p.others, p.pageSize) {
		r := newReading(p.source)
		if err := r.page(ctx, keys, func(items []record.Item) error { return yield(record.Page{Items: items, Next: from}) }); err != nil {
			return err
		}
		if err := yield(record.Page{Items: r.items, Seen: r.seen, Next: from}); err != nil {
			return err
		}
	}
	return nil
}

func (ps probes) sorted() []*probe {
	return slices.SortedFunc(maps.Values(ps), func(a, b *probe) int { return strings.Compare(a.Key, b.Key) })
}

// HasUsers reports whether there is a key of one of the users, under a prefix that only Lanyard uses.
func (s *Store) HasUsers(ctx context.Context, users []record.UserID) (bool, error) {
	const atOnce = 100 // users; most often the first of them decide
	for chunk := range slices.Chunk(users, atOnce) {
		var keys []string
		for _, user := range chunk {
			for _, l := range layout.OfUsers(record.LanyardKinds) {
				if !l.Generic() {
					keys = append(keys, l.Key(user.String()))
				}
			}
		}
		n := 1 // a key a command: in a Cluster they lie in different slots
		if s.single {
			n = len(keys)
		}
		var exists []*goredis.IntCmd
		err := s.pipeline(ctx, "look up keys in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
			exists = exists[:0]
			for some := range slices.Chunk(keys, n) {
				exists = append(exists, pipe.Exists(ctx, some...))
			}
		})
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(exists, func(e *goredis.IntCmd) bool { return e.Val() > 0 }) {
			return true, nil
		}
	}
	return false, nil
}

// Keyless returns how many of the users whose API keys were looked up have no current one that authenticates. Where an entry
// of another key names one of them, only a scan finds it.
func (s *Store) Keyless() int { return s.keyless.len() }

// userSet is a set of users, for concurrent use.
type userSet struct {
	mu    sync.Mutex
	users map[record.UserID]bool
}

// add adds the user, and reports whether it was not there before.
func (s *userSet) add(u record.UserID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users == nil {
		s.users = make(map[record.UserID]bool)
	}
	was := s.users[u]
	s.users[u] = true
	return !was
}

func (s *userSet) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.users)
}
