package redis

import (
	"context"
	"fmt"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// currentAPIKey returns the entry of the user's current API key, if there is any.
func (p *Persistence) currentAPIKey(ctx context.Context, user record.UserID) ([]record.Entry, error) {
	look := p.store.lookups()
	current, err := look.one(ctx, keyOf(layout.UserAPIKey, user))
	if err != nil {
		return nil, err
	}
	e, exists := current.Entry()
	switch {
	case !exists:
		return nil, nil
	case e.APIKey == "":
		return []record.Entry{e}, nil
	}
	named, err := look.one(ctx, layout.APIKey.Key(e.APIKey))
	if err != nil {
		return nil, err
	}
	switch owner, ok := named.Owner(); {
	case owner == user:
		e.Authenticates = true
	case ok:
		e.Fault = "the key does not authenticate this user, but another"
	default:
		e.Fault = "the key does not authenticate"
	}
	return []record.Entry{e}, nil
}

func (s lookups) one(ctx context.Context, key string) (layout.Found, error) {
	founds, err := s.read(ctx, key)
	if err != nil {
		return layout.Found{}, err
	}
	return founds[0], nil
}

// FindAPIKeys implements [record.Persistence].
func (p *Persistence) FindAPIKeys(ctx context.Context, user record.UserID) ([]record.Entry, error) {
	list, err := p.currentAPIKey(ctx, user)
	if err != nil {
		return nil, err
	}
	keys, err := p.store.keysNaming(ctx, user)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		_, secret := layout.Classify(key)
		if slices.ContainsFunc(list, func(e record.Entry) bool { return e.APIKey == secret && e.Authenticates }) {
			continue
		}
		list = append(list, record.Entry{
			Place: layout.Place(key), Apps: layout.APIKey.Apps(), APIKey: secret, Authenticates: true,
		})
	}
	return list, nil
}

// keysNaming returns the api_key: keys that name the user, in ascending order, by a look at all keys.
func (s *Store) keysNaming(ctx context.Context, user record.UserID) ([]string, error) {
	var found []string
	err := s.wholeScan(ctx, func() error {
		found = nil
		return s.scanAPIKeys(ctx, func(claims []half) error {
			for _, c := range claims {
				if c.user == user {
					found = append(found, c.p.Key)
				}
			}
			return nil
		})
	})
	slices.Sort(found)
	return slices.Compact(found), err
}

// wholeScan makes a scan of all keys, again where the servers or their slots change meanwhile.
func (s *Store) wholeScan(ctx context.Context, scan func() error) error {
	const tries = 3 // in which the servers change
	for try := 1; ; try++ {
		before, err := s.incarnation(ctx)
		if err != nil {
			return err
		}
		if err := scan(); err != nil {
			return err
		}
		after, err := s.incarnation(ctx)
		switch {
		case err != nil:
			return err
		case before == after:
			return nil
		case try == tries:
			return &callError{what: "look for API keys in redis", cause: &movedError{reason: ErrReplaced, detail: "the servers restart, or their slots move"}}
		}
	}
}

// incarnation names the processes and the slots that they serve: a scan means something while it stays the same.
func (s *Store) incarnation(ctx context.Context) (string, error) {
	name := ""
	for _, n := range s.current() {
		err := s.persist(ctx, "check redis "+n.addr, func(ctx context.Context) error {
			f, err := askFacts(ctx, n.client)
			if err != nil {
				return err
			}
			name += f["run_id"] + "\n"
			if s.single {
				return nil
			}
			has, err := askShare(ctx, n.client)
			name += has.String() + "\n"
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return name, nil
}

// pageToMatch is how many keys SCAN is asked to look at a time, of which few match.
const pageToMatch = 5000

// scanAPIKeys hands the api_key: keys that name a user to yield, a page at a time.
func (s *Store) scanAPIKeys(ctx context.Context, yield func([]half) error) error {
	for _, n := range s.current() {
		for cursor := uint64(0); ; {
			var keys []string
			var owners []*goredis.StringCmd
			err := s.persist(ctx, "scan redis "+n.addr, func(ctx context.Context) (err error) {
				var next uint64
				if keys, next, err = n.client.Scan(ctx, cursor, layout.APIKey.Key("*"), pageToMatch).Result(); err != nil {
					return err
				}
				owners = owners[:0]
				if len(keys) > 0 {
					pipe := n.client.Pipeline()
					for _, key := range keys {
						owners = append(owners, pipe.GetRange(ctx, key, 0, longestUserID)) // one more tells that it is none
					}
					if err := exec(ctx, pipe); err != nil {
						return err
					}
				}
				cursor = next
				return nil
			})
			if err != nil {
				return err
			}
			var claims []half
			for i, key := range keys {
				f := layout.Found{Key: key, Layout: layout.APIKey, State: layout.Present, Text: owners[i].Val()}
				if owner, ok := f.Owner(); ok {
					claims = append(claims, half{user: owner, p: &probe{Found: f}})
				}
			}
			if err := yield(claims); err != nil {
				return err
			}
			if cursor == 0 {
				break
			}
		}
	}
	return nil
}

// KeyOwners implements [record.Persistence].
func (p *Persistence) KeyOwners(ctx context.Context, key string) ([]record.KeyOwner, error) {
	f, err := p.store.lookups().one(ctx, layout.APIKey.Key(key))
	if err != nil || f.State == layout.Absent {
		return nil, err
	}
	o := record.KeyOwner{Place: layout.Place(f.Key), Apps: layout.APIKey.Apps()}
	var ok bool
	if o.User, ok = f.Owner(); !ok {
		o.Fault = "what stands there is no user id"
	}
	return []record.KeyOwner{o}, nil
}

// RevokeAPIKeys implements [record.Persistence]. The trace is a current key that does not authenticate.
func (p *Persistence) RevokeAPIKeys(ctx context.Context, user record.UserID, keys []string, keepTrace bool) error {
	const what = "revoke API keys in redis"
	s, current := p.store, keyOf(layout.UserAPIKey, user)
	return s.again(ctx, what, func() error {
		before, err := s.lookups().one(ctx, current)
		if err != nil {
			return err
		}
		var steps []step
		trace := ""
		if keepTrace && before.State == layout.Absent && len(keys) > 0 {
			trace = keys[0]
			steps = append(steps, naming(before, trace))
		}
		for _, key := range keys {
			steps = append(steps, revoking(user, key))
		}
		if before.State == layout.Present && !slices.Contains(keys, before.Text) {
			steps = append(steps, revoking(user, before.Text))
		}
		return s.updateAll(ctx, what, append(steps, leaving(before, trace, keepTrace)))
	})
}

// leaving removes what names the user's current key, unless it is to stay as a trace.
func leaving(before layout.Found, trace string, keepTrace bool) step {
	return step{keys: []string{before.Key}, decide: func(ctx context.Context, held lookups) (writes, error) {
		now, err := held.one(ctx, before.Key)
		switch {
		case err != nil:
			return nil, err
		case !same(now, before) && (trace == "" || now.Text != trace):
			return nil, ownError{errOvertaken} // the user was given another one
		case keepTrace || now.State == layout.Absent:
			return nil, nil
		}
		return del(before.Key), nil
	}}
}

func same(a, b layout.Found) bool { return a.State == b.State && a.Text == b.Text }

// revoking removes an API key that authenticates the user.
func revoking(user record.UserID, key string) step {
	named := layout.APIKey.Key(key)
	return step{keys: []string{named}, decide: func(ctx context.Context, held lookups) (writes, error) {
		f, err := held.one(ctx, named)
		if owner, _ := f.Owner(); err != nil || owner != user {
			return nil, err
		}
		return del(named), nil
	}}
}

// GiveAPIKey implements [record.Persistence]. Where the keys are in several slots the old key is revoked first, then the
// new one is noted as current, and at last it authenticates.
func (p *Persistence) GiveAPIKey(ctx context.Context, app record.App, user record.UserID, key string) (given bool, err error) {
	const what = "give an API key in redis"
	s, current := p.store, keyOf(layout.UserAPIKey, user)
	err = s.again(ctx, what, func() error {
		before, err := s.lookups().one(ctx, current)
		if err != nil {
			return err
		}
		if given = app == record.Upstream || before.State != layout.Absent; !given {
			return nil
		}
		named, err := s.lookups().one(ctx, layout.APIKey.Key(key))
		if err != nil {
			return err
		}
		if err := free(named, user); err != nil {
			return err
		}
		steps := []step{naming(before, key), authenticating(user, key)}
		if before.State == layout.Present && before.Text != key {
			revoke := revoking(user, before.Text)
			steps = slices.Insert(steps, 0, revoke)
			if !s.single { // who gave the old one may have made it authenticate only now
				steps = slices.Insert(steps, 2, revoke)
			}
		}
		if err := s.updateAll(ctx, what, steps); err != nil || s.single {
			return err
		}
		// Somebody else may have given another one between the steps.
		after, err := s.lookups().one(ctx, current)
		if err != nil || after.State == layout.Present && after.Text == key {
			return err
		}
		if err := s.updateAll(ctx, what, []step{revoking(user, key)}); err != nil {
			return err
		}
		return errOvertaken
	})
	return given && err == nil, err
}

// free returns an error where what api_key:<key> holds is somebody else's.
func free(named layout.Found, user record.UserID) error {
	if owner, _ := named.Owner(); named.State == layout.Absent || owner == user {
		return nil
	}
	return fmt.Errorf("the key %s in redis is somebody else's", layout.Place(named.Key))
}

// naming makes the key the user's current one in place of what is there.
func naming(before layout.Found, key string) step {
	return step{keys: []string{before.Key}, decide: func(ctx context.Context, held lookups) (writes, error) {
		now, err := held.one(ctx, before.Key)
		switch {
		case err != nil:
			return nil, err
		case !same(now, before):
			return nil, ownError{errOvertaken}
		case now.State == layout.Present && now.Text == key:
			return nil, nil
		}
		return set(before.Key, key), nil
	}}
}

// authenticating makes the key authenticate the user.
func authenticating(user record.UserID, key string) step {
	named := layout.APIKey.Key(key)
	return step{keys: []string{named}, decide: func(ctx context.Context, held lookups) (writes, error) {
		now, err := held.one(ctx, named)
		if err != nil {
			return nil, err
		}
		if err := free(now, user); err != nil || now.State != layout.Absent {
			return nil, asOwn(err)
		}
		return set(named, user.String()), nil
	}}
}

func set(key, value string) writes {
	return func(ctx context.Context, pipe goredis.Pipeliner) { pipe.Set(ctx, key, value, 0) }
}

func del(key string) writes {
	return func(ctx context.Context, pipe goredis.Pipeliner) { pipe.Del(ctx, key) }
}
