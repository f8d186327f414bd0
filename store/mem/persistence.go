package mem

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// MemoryPlace is the name of the only place that a [Persistence] has for each kind. Every app reads it.
const MemoryPlace = "memory"

// Persistence is a [record.Persistence] in memory: what Lanyard itself has where no store is configured, and the
// executable definition of what one does. The zero value holds nothing. It is safe for concurrent use.
type Persistence struct {
	mu       sync.Mutex
	pairs    map[record.UserID]map[string]record.Value
	times    [record.KindCount]map[record.UserID]int64
	apiKeys  map[record.UserID]string
	counters map[string]record.Value
	note     []byte
}

// SetPairs replaces the user's pairs behind lanyardctl's back, as the app would. Nil removes them.
func (p *Persistence) SetPairs(user record.UserID, pairs map[string]record.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.putPairs(user, pairs)
}

// SetPair sets one of the user's pairs behind lanyardctl's back.
func (p *Persistence) SetPair(user record.UserID, name string, v record.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pairs := maps.Clone(p.pairs[user])
	if pairs == nil {
		pairs = make(map[string]record.Value)
	}
	pairs[name] = v
	p.putPairs(user, pairs)
}

// SetTime sets a time of the user's behind lanyardctl's back.
func (p *Persistence) SetTime(kind record.Kind, user record.UserID, t int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.times[kind] == nil {
		p.times[kind] = make(map[record.UserID]int64)
	}
	p.times[kind][user] = t
}

// SetAPIKey gives the user an API key behind lanyardctl's back.
func (p *Persistence) SetAPIKey(user record.UserID, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.putAPIKey(user, key)
}

// SetCounters sets counters behind lanyardctl's back. Others stay.
func (p *Persistence) SetCounters(counters map[string]record.Value) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addCounters(counters)
}

// putPairs takes the pairs: nobody changes them any more.
func (p *Persistence) putPairs(user record.UserID, pairs map[string]record.Value) {
	if pairs == nil {
		delete(p.pairs, user)
		return
	}
	if p.pairs == nil {
		p.pairs = make(map[record.UserID]map[string]record.Value)
	}
	p.pairs[user] = pairs
}

func (p *Persistence) putAPIKey(user record.UserID, key string) {
	if p.apiKeys == nil {
		p.apiKeys = make(map[record.UserID]string)
	}
	p.apiKeys[user] = key
}

func (p *Persistence) addCounters(counters map[string]record.Value) {
	all := maps.Clone(p.counters)
	if all == nil {
		all = make(map[string]record.Value)
	}
	maps.Copy(all, counters)
	p.counters = all
}

// Limits implements [record.Persistence].
func (p *Persistence) Limits() record.Limits { return record.Limits{} }

// Entries implements [record.Persistence].
func (p *Persistence) Entries(ctx context.Context, kind record.Kind, user record.UserID) ([]record.Entry, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := place()
	found := false
	switch kind {
	case record.KV:
		e.Fields, found = p.pairs[user]
	case record.Metrics:
		e.Fields, found = p.counters, p.counters != nil
	case record.APIKeys:
		e.APIKey, found = p.apiKeys[user]
		e.Authenticates = found
	default:
		var t int64
		t, found = p.times[kind][user]
		e.Time = t
	}
	if !found {
		return nil, ctx.Err()
	}
	e.Fields = maps.Clone(e.Fields)
	return []record.Entry{e}, ctx.Err()
}

func place() record.Entry { return record.Entry{Place: MemoryPlace, Apps: record.AllApps} }

// rounds bounds how often a change is decided anew.
const rounds = 100

// UpdatePairs implements [record.Persistence].
func (p *Persistence) UpdatePairs(
	ctx context.Context, _ record.App, user record.UserID, decide func(record.Entry) (record.PairChange, error),
) (changed []string, err error) {
	for range rounds {
		before := p.pairsOf(user)
		e := place()
		e.Fields = maps.Clone(before)
		c, err := decide(e)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		after := changedPairs(before, c)
		if equalFields(before, after) {
			return nil, nil
		}
		if p.swapPairs(user, before, after) {
			return []string{MemoryPlace}, nil
		}
	}
	return nil, fmt.Errorf("change the pairs of user %s: %w", user, record.ErrContended)
}

func (p *Persistence) pairsOf(user record.UserID) map[string]record.Value {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pairs[user]
}

// swapPairs replaces the user's pairs where they still are what they were, and reports whether that is so.
func (p *Persistence) swapPairs(user record.UserID, before, after map[string]record.Value) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !equalFields(p.pairs[user], before) {
		return false
	}
	p.putPairs(user, after)
	return true
}

// changedPairs returns what the pairs become. They stay nil where nothing is set.
func changedPairs(before map[string]record.Value, c record.PairChange) map[string]record.Value {
	after := maps.Clone(before)
	for _, name := range c.Unset {
		delete(after, name)
	}
	if after == nil && len(c.Set) > 0 {
		after = make(map[string]record.Value, len(c.Set))
	}
	maps.Copy(after, c.Set)
	return after
}

// equalFields reports whether two places hold the same, nil being one that is not there.
func equalFields(a, b map[string]record.Value) bool {
	return (a == nil) == (b == nil) && maps.EqualFunc(a, b, record.Equal)
}

// FindAPIKeys implements [record.Persistence].
func (p *Persistence) FindAPIKeys(ctx context.Context, user record.UserID) ([]record.Entry, error) {
	return p.Entries(ctx, record.APIKeys, user)
}

// KeyOwners implements [record.Persistence].
func (p *Persistence) KeyOwners(ctx context.Context, key string) ([]record.KeyOwner, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var owners []record.KeyOwner
	for _, user := range slices.Sorted(maps.Keys(p.apiKeys)) {
		if p.apiKeys[user] == key {
			owners = append(owners, record.KeyOwner{Place: MemoryPlace, Apps: record.AllApps, User: user})
		}
	}
	return owners, ctx.Err()
}

// RevokeAPIKeys implements [record.Persistence]. There is no trace that could stay, nor any need of one.
func (p *Persistence) RevokeAPIKeys(ctx context.Context, user record.UserID, _ []string, _ bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.apiKeys, user)
	return ctx.Err()
}

// GiveAPIKey implements [record.Persistence].
func (p *Persistence) GiveAPIKey(ctx context.Context, _ record.App, user record.UserID, key string) (given bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, theirs := range p.apiKeys {
		if theirs == key && other != user {
			return false, fmt.Errorf("give an API key to user %s: it is that of another user", user)
		}
	}
	p.putAPIKey(user, key)
	return true, ctx.Err()
}

// UpdateCounters implements [record.Persistence].
func (p *Persistence) UpdateCounters(
	ctx context.Context, decide func(held record.Entry, note []byte) (set map[string]record.Value, newNote []byte, err error),
) error {
	for range rounds {
		before, note := p.countersNow()
		e := place()
		e.Fields = maps.Clone(before)
		set, newNote, err := decide(e, slices.Clone(note))
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if p.swapCounters(before, note, set, newNote) {
			return nil
		}
	}
	return fmt.Errorf("change the counters: %w", record.ErrContended)
}

func (p *Persistence) countersNow() (counters map[string]record.Value, note []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counters, p.note
}

// swapCounters sets the counters and the note where both still are what they were, and reports whether that is so.
func (p *Persistence) swapCounters(before map[string]record.Value, note []byte, set map[string]record.Value, newNote []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !equalFields(p.counters, before) || !bytes.Equal(p.note, note) {
		return false
	}
	p.addCounters(set)
	p.note = slices.Clone(newNote)
	return true
}
