package redis

import (
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// pair is what decides an API key of a user: the user's current key, the key in question, and whatever else authenticates the
// user.
type pair struct {
	user    record.UserID
	key     string
	current string   // user_api_key:<user>
	named   string   // api_key:<key>
	strays  []string // API keys that a look at all keys found
}

func (k *Sink) pairOf(user record.UserID, key string) pair {
	return pair{
		user: user, key: key, current: keyOf(layout.UserAPIKey, user), named: layout.APIKey.Key(key), strays: k.strays[user],
	}
}

// keys returns the keys that decide, as far as they are known from what was seen.
func (p pair) keys(seen view) []string {
	keys := []string{p.current, p.named}
	for _, stray := range p.strays {
		keys = append(keys, layout.APIKey.Key(stray))
	}
	if now := seen.of(p.current); now.State == layout.Present {
		keys = append(keys, layout.APIKey.Key(now.Text))
	}
	if owner, ok := seen.of(p.named).Owner(); ok && owner != p.user {
		keys = append(keys, keyOf(layout.UserAPIKey, owner))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// others returns the API keys, but for the one in question, that authenticate the user, the current one first.
func (p pair) others(seen view) []string {
	var list []string
	add := func(key string) {
		owner, ok := seen.of(layout.APIKey.Key(key)).Owner()
		if ok && owner == p.user && key != p.key && !slices.Contains(list, key) {
			list = append(list, key)
		}
	}
	if now := seen.of(p.current); now.State == layout.Present {
		add(now.Text)
	}
	for _, stray := range p.strays {
		add(stray)
	}
	return list
}

// held returns what the target holds of the user's API keys. Where another key than the one in question authenticates the
// user, it is that one, so that nobody ever has two. The fault is as in [layout.Found.Held].
func (p pair) held(seen view) (existing record.Existing, fault string) {
	now, named := seen.of(p.current), seen.of(p.named)
	owner, owned := named.Owner()
	switch {
	case now.State == layout.WrongType, now.State == layout.TooLarge:
		_, fault = now.Held()
		return existing, fault
	case named.State != layout.Absent && !owned:
		return existing, "in the target " + layout.Place(p.named) + " is another application's"
	}
	if owned && owner != p.user {
		existing.KeyOwner = owner.String()
	}
	others := p.others(seen)
	content := record.Record{Kind: record.APIKeys, User: p.user}
	switch {
	case len(others) > 0:
		content.APIKey = others[0]
	case owned && owner == p.user && now.Text == p.key:
		content.APIKey = p.key
	}
	existing.Found, existing.APIKey = content.APIKey != "" || owned && owner == p.user, content.APIKey
	// Only a key without any beside it is what lanyardctl left.
	existing.Unmodified = len(others) <= 1 && now.Text == content.APIKey && record.Unmodified(content, now.Mark)
	if content.APIKey == "" && now.State == layout.Present && now.Text != p.key {
		existing.Malformed = now.Text // it does not authenticate
	}
	return existing, ""
}

// document returns the document of the key, or of another one that the user has in its place.
func (p pair) document(seen view) (d record.Document, exists bool) {
	key := p.key
	if owner, _ := seen.of(p.named).Owner(); owner != p.user {
		others := p.others(seen)
		if len(others) == 0 {
			return d, false
		}
		key = others[0]
	}
	d = apiKeyDocument(p.user, key)
	now, content := seen.of(p.current), record.Record{Kind: record.APIKeys, User: p.user, APIKey: key}
	d.Held.Unmodified = now.Text == key && record.Unmodified(content, now.Mark)
	return d, true
}

func apiKeyDocument(user record.UserID, key string) record.Document {
	return record.Document{
		Kind: record.APIKeys, Collection: record.APIKeysCollection, User: user, ID: layout.APIKey.Key(key),
		Held: record.Held{Found: true, APIKey: key},
	}
}

// decidePair decides what becomes of the user's API keys. The old keys are revoked first, then the new one becomes the current
// one, and at last it authenticates: a process that is killed in between leaves nobody with two.
func (m *merging) decidePair(seen view) decision {
	k, r := m.sink, m.r
	p := k.pairOf(r.User, r.APIKey)
	existing, fault := p.held(seen)
	if fault != "" {
		return decision{settle: func() {
			*m.outcome = record.Outcome{Status: record.Rejected, Rejects: r.Rejects(record.RefusedByTarget, fault)}
		}}
	}
	d := record.Merge(*r, existing, record.TimeBounds(r.Kind, r.User, k.opts.Now()), k.opts.Policy)
	all := decision{superseded: d.Superseded, given: &p}
	if d.Write {
		all.changes = p.changes(d, seen, &all.superseded)
	}
	outcome := d.Outcome()
	outcome.Superseded = len(all.superseded)
	all.settle = func() { *m.outcome = outcome }
	return all
}

// changes returns the changes in their order, and adds what gives way beside what the decision knows.
func (p pair) changes(d record.Decision, seen view, superseded *[]record.Superseded) []change {
	var list []change
	for i, other := range p.others(seen) {
		key := layout.APIKey.Key(other)
		list = append(list, change{key, func(out *commands) { out.del(key) }})
		if i > 0 {
			beside := apiKeyDocument(p.user, other)
			*superseded = append(*superseded, beside.Superseded()...)
		}
	}
	if d.RevokeOther {
		owner, _ := seen.of(p.named).Owner()
		theirs := keyOf(layout.UserAPIKey, owner)
		if f := seen.of(theirs); f.Text == p.key {
			list = append(list, change{theirs, func(out *commands) {
				out.del(theirs)
				if f.Mark != "" {
					out.unmark(theirs)
				}
			}})
		}
	}
	return append(list,
		change{p.current, func(out *commands) {
			out.set(p.current, p.key)
			out.mark(p.current, d.Mark)
		}},
		change{p.named, func(out *commands) { out.set(p.named, p.user.String()) }},
	)
}
