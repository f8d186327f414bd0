package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// PersistenceTarget is a store as a persistence layer uses it, with what a test needs besides. The functions work
// behind lanyardctl's back, as the app does, and on the places that App reads first and writes.
type PersistenceTarget struct {
	Persistence record.Persistence
	App         record.App

	// TextOnly tells that pairs are texts alone.
	TextOnly bool

	// KeysElsewhere tells that App keeps no API keys in the store. SetAPIKey gives one all the same, as another app does,
	// and what revoking leaves as a trace is found.
	KeysElsewhere bool

	// Unread are the kinds of which App reads nothing in the store.
	Unread record.Kinds

	// SetPair sets one pair of a user, in the midst of others.
	SetPair func(user record.UserID, name string, v record.Value)

	// SetNoPairs makes a place of the user's without pairs; nil where the store has no such thing.
	SetNoPairs func(record.UserID)

	// Pairs returns the user's pairs, without any where there is no place.
	Pairs func(record.UserID) map[string]record.Value

	// SetTime sets a time of the user's.
	SetTime func(kind record.Kind, user record.UserID, t int64)

	// SetAPIKey gives an API key to a user who has none.
	SetAPIKey func(user record.UserID, key string)

	// UserOf returns the user for whom the app takes whoever sends the key: zero for nobody.
	UserOf func(key string) record.UserID

	// SetCounters sets counters, beside others.
	SetCounters func(map[string]record.Value)

	// Counters returns the fields that the app takes for counters.
	Counters func() map[string]record.Value
}

// OpenPersistence opens a store that holds nothing.
type OpenPersistence func(testing.TB) PersistenceTarget

// MemPersistence opens the store that defines what a persistence layer asks of one.
func MemPersistence(testing.TB) PersistenceTarget {
	p := new(mem.Persistence)
	entry := func(kind record.Kind, user record.UserID) (e record.Entry) {
		entries, _ := p.Entries(context.Background(), kind, user) // it fails for its context alone
		if len(entries) > 0 {
			e = entries[0]
		}
		return e
	}
	return PersistenceTarget{
		Persistence: p,
		SetPair:     p.SetPair,
		SetNoPairs:  func(user record.UserID) { p.SetPairs(user, values{}) },
		Pairs:       func(user record.UserID) map[string]record.Value { return entry(record.KV, user).Fields },
		SetTime:     p.SetTime,
		SetAPIKey:   p.SetAPIKey,
		UserOf: func(key string) (user record.UserID) {
			owners, _ := p.KeyOwners(context.Background(), key)
			for _, owner := range owners {
				user = owner.User
			}
			return user
		},
		SetCounters: p.SetCounters,
		Counters:    func() map[string]record.Value { return entry(record.Metrics, 0).Fields },
	}
}

// Persistence runs the suite for [record.Persistence].
func Persistence(t *testing.T, open OpenPersistence) {
	for name, test := range map[string]func(*testing.T, PersistenceTarget){
		"nothing is in no place":                              noEntries,
		"each user's times are found":                         timesFound,
		"pairs are found, also where there are none of them":  pairsFound,
		"pairs are created, changed and removed":              pairsChange,
		"values of all types are kept":                        pairsOfAllTypes,
		"a decision that changes nothing writes nothing":      noChange,
		"the decision's error is returned, and nothing done":  decisionFails,
		"a change is decided anew where somebody writes":      decidedAnew,
		"a pair that goes meanwhile is no pair":               decidedAnewWithout,
		"many write different pairs of a user, and none goes": manyWriters,
		"somebody who keeps writing is given way to":          contended,
		"API keys are found, and whose they are":              keysFound,
		"an API key is given, again, and replaced":            keysGiven,
		"API keys are revoked":                                keysRevoked,
		"counters are set together with a note":               countersSet,
		"counters are decided anew where somebody writes":     countersAnew,
		"many count, and nothing is lost":                     manyCount,
		"a call that is cancelled says so":                    cancelled,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// entries returns what the store holds, checked for what holds of all entries.
func (target PersistenceTarget) entries(t testing.TB, kind record.Kind, user record.UserID) []record.Entry {
	t.Helper()
	entries, err := target.Persistence.Entries(context.Background(), kind, user)
	if err != nil {
		t.Fatalf("entries of %s: %v", kind, err)
	}
	for _, e := range entries {
		trace := kind == record.APIKeys && !e.Authenticates // of a key that was revoked
		if e.Place == "" || e.Fault != "" && !trace {
			t.Errorf("an entry of %s in %q, faulty: %q", kind, e.Place, e.Fault)
		}
	}
	return entries
}

// read returns what the app reads first, or another app where it does not read the kind; it reports false where there is
// nothing.
func (target PersistenceTarget) read(t testing.TB, kind record.Kind, user record.UserID) (record.Entry, bool) {
	t.Helper()
	for _, e := range target.entries(t, kind, user) {
		if e.Apps.Has(target.App) || target.Unread.Has(kind) {
			return e, true
		}
	}
	return record.Entry{}, false
}

// update makes a change in every place, and checks what the app finds.
func (target PersistenceTarget) update(t testing.TB, user record.UserID, c record.PairChange, want values) (changed []string) {
	t.Helper()
	changed, err := target.Persistence.UpdatePairs(context.Background(), target.App, user, always(c))
	if err != nil {
		t.Fatalf("change %+v: %v", c, err)
	}
	target.hasPairs(t, user, want)
	return changed
}

func always(c record.PairChange) func(record.Entry) (record.PairChange, error) {
	return func(record.Entry) (record.PairChange, error) { return c, nil }
}

// hasPairs checks the user's pairs by what the app finds, and by what the store says.
func (target PersistenceTarget) hasPairs(t testing.TB, user record.UserID, want values) {
	t.Helper()
	e, _ := target.read(t, record.KV, user)
	for who, got := range map[string]values{"the app": target.Pairs(user), "the store": e.Fields} {
		if !maps.EqualFunc(got, want, record.Equal) {
			t.Errorf("%s finds (-want +got):\n%s", who, cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()))
		}
	}
}

func noEntries(t *testing.T, target PersistenceTarget) {
	for _, kind := range record.LanyardKinds.List() {
		if entries := target.entries(t, kind, alice); len(entries) > 0 {
			t.Errorf("%s: %+v", kind, entries)
		}
	}
	entries, err := target.Persistence.FindAPIKeys(context.Background(), alice)
	if err != nil || len(entries) > 0 {
		t.Errorf("API keys: %+v, %v", entries, err)
	}
	owners, err := target.Persistence.KeyOwners(context.Background(), keyA)
	if err != nil || len(owners) > 0 {
		t.Errorf("owners of a key: %+v, %v", owners, err)
	}
	if changed := target.update(t, alice, record.PairChange{Unset: []string{"a"}}, nil); len(changed) > 0 {
		t.Errorf("removing what is not there changed %q", changed)
	}
	if err := target.Persistence.RevokeAPIKeys(context.Background(), alice, nil, false); err != nil {
		t.Errorf("revoke nothing: %v", err)
	}
	for _, kind := range record.LanyardKinds.List() {
		if entries := target.entries(t, kind, alice); len(entries) > 0 {
			t.Errorf("%s after changes that change nothing: %+v", kind, entries)
		}
	}
}

func timesFound(t *testing.T, target PersistenceTarget) {
	for kind, times := range map[record.Kind][]int64{
		record.LastSeen: {1775185650417, 1700000000000}, record.MonitoringSince: {1664641326, 1700000000},
	} {
		target.SetTime(kind, alice, times[0])
		target.SetTime(kind, bob, times[1])
		for i, user := range []record.UserID{alice, bob} {
			if e, found := target.read(t, kind, user); !found || e.Time != times[i] || e.Empty(kind) {
				t.Errorf("%s of user %s: %t, %+v", kind, user, found, e)
			}
		}
	}
	if e, found := target.read(t, record.KV, alice); found {
		t.Errorf("pairs: %+v", e)
	}
}

func pairsFound(t *testing.T, target PersistenceTarget) {
	target.SetPair(alice, "a", "1")
	target.SetPair(alice, "_B9", "7 \"x\" ключ\n")
	e, found := target.read(t, record.KV, alice)
	if !found || e.Empty(record.KV) || e.TextOnly != target.TextOnly {
		t.Errorf("%t, %+v", found, e)
	}
	target.hasPairs(t, alice, values{"a": "1", "_B9": "7 \"x\" ключ\n"})
	target.hasPairs(t, bob, nil)
	if target.SetNoPairs == nil {
		return
	}
	target.SetNoPairs(bob)
	if e, found := target.read(t, record.KV, bob); !found || !e.Empty(record.KV) || e.Fault != "" {
		t.Errorf("of a place without pairs: %t, %+v", found, e)
	}
	if changed := target.update(t, bob, record.PairChange{Set: values{"a": "2"}}, values{"a": "2"}); len(changed) != 1 {
		t.Errorf("%q changed", changed)
	}
}

func pairsChange(t *testing.T, target PersistenceTarget) {
	target.SetPair(bob, "bobs", "stays")
	var seen []record.Entry
	changed, err := target.Persistence.UpdatePairs(context.Background(), target.App, alice, func(e record.Entry) (record.PairChange, error) {
		seen = append(seen, e)
		return record.PairChange{Set: values{"a": "1", "b": "2", "c": ""}}, nil
	})
	if err != nil || len(changed) != 1 || len(seen) != 1 {
		t.Fatalf("%q changed, %d entries, %v", changed, len(seen), err)
	}
	if e := seen[0]; e.Place != changed[0] || !e.Empty(record.KV) || !e.Apps.Has(target.App) || e.TextOnly != target.TextOnly || e.Fault != "" {
		t.Errorf("the place that holds nothing yet: %+v; %q changed", e, changed)
	}
	target.hasPairs(t, alice, values{"a": "1", "b": "2", "c": ""})
	if e, _ := target.read(t, record.KV, alice); e.Place != changed[0] {
		t.Errorf("%q changed, the app reads %q", changed, e.Place)
	}
	c := record.PairChange{Set: values{"b": "3", "d": "4"}, Unset: []string{"a", "none"}}
	if changed := target.update(t, alice, c, values{"b": "3", "c": "", "d": "4"}); len(changed) != 1 {
		t.Errorf("%q changed", changed)
	}
	// As after an error of which nobody knows what became of the change.
	if changed := target.update(t, alice, c, values{"b": "3", "c": "", "d": "4"}); len(changed) != 0 {
		t.Errorf("the same again changed %q", changed)
	}
	if changed := target.update(t, alice, record.PairChange{Unset: []string{"b", "c", "d"}}, nil); len(changed) != 1 {
		t.Errorf("removing all changed %q", changed)
	}
	target.update(t, alice, record.PairChange{Set: values{"e": "5"}}, values{"e": "5"})
	target.hasPairs(t, bob, values{"bobs": "stays"})
}

func pairsOfAllTypes(t *testing.T, target PersistenceTarget) {
	all := values{
		"text": "7", "null": "null", "json": `{"a":1}`, "quoted": `"x"`, "empty": "", "line": "a\n\t\u0001", "wide": "日本 👩‍👩‍👧",
	}
	if !target.TextOnly {
		maps.Copy(all, values{
			"none": nil, "yes": true, "no": false, "int": int64(7), "big": int64(1)<<62 + 1, "least": int64(math.MinInt64), "real": 1.5,
			"huge": 1e300, "list": record.Array{int64(1), "x", nil, record.Object{"a": false}}, "nothing": record.Array{},
			"object": record.Object{"a": record.Object{"b": record.Array{1.5}}}, "no_fields": record.Object{},
		})
	}
	target.update(t, alice, record.PairChange{Set: all}, all)
	if changed := target.update(t, alice, record.PairChange{Set: all}, all); len(changed) > 0 {
		t.Errorf("the same values changed %q", changed)
	}
	next := maps.Clone(all)
	for _, name := range slices.Sorted(maps.Keys(all)) { // each once to text, which no value is
		next[name] = "text of " + name
		target.update(t, alice, record.PairChange{Set: values{name: next[name]}}, next)
	}
}

func noChange(t *testing.T, target PersistenceTarget) {
	for range 2 {
		entries := target.entries(t, record.KV, alice)
		changed, err := target.Persistence.UpdatePairs(context.Background(), target.App, alice, always(record.PairChange{}))
		if err != nil || len(changed) > 0 {
			t.Errorf("%q changed, %v", changed, err)
		}
		if d := cmp.Diff(entries, target.entries(t, record.KV, alice)); d != "" {
			t.Errorf("(-before +after):\n%s", d)
		}
		target.SetPair(alice, "a", "1")
	}
}

func decisionFails(t *testing.T, target PersistenceTarget) {
	target.SetPair(alice, "a", "1")
	sorry := errors.New("sorry")
	for _, user := range []record.UserID{alice, bob} {
		asked := 0
		changed, err := target.Persistence.UpdatePairs(context.Background(), target.App, user, func(record.Entry) (record.PairChange, error) {
			asked++
			return record.PairChange{Set: values{"a": "2"}}, sorry
		})
		if err != sorry || asked != 1 || len(changed) > 0 {
			t.Errorf("%v after %d questions, %q changed", err, asked, changed)
		}
	}
	target.hasPairs(t, alice, values{"a": "1"})
	target.hasPairs(t, bob, nil)
	err := target.Persistence.UpdateCounters(context.Background(), func(record.Entry, []byte) (map[string]record.Value, []byte, error) {
		return values{"c": int64(1)}, []byte("note"), sorry
	})
	if err != sorry {
		t.Errorf("of counters: %v", err)
	}
	if got := target.Counters(); len(got) > 0 {
		t.Errorf("counters: %v", got)
	}
}

// decidedAnew has somebody else write while it is decided: to a user who has pairs, and to one who has none.
func decidedAnew(t *testing.T, target PersistenceTarget) {
	target.SetPair(alice, "n", "1")
	target.SetPair(alice, "other", "old")
	for _, user := range []record.UserID{alice, bob} {
		want := values{"n": "x", "meanwhile": "1", "other": "new"}
		asked := 0
		changed, err := target.Persistence.UpdatePairs(context.Background(), target.App, user, func(e record.Entry) (record.PairChange, error) {
			if asked++; asked == 1 {
				target.SetPair(user, "meanwhile", "1")
				target.SetPair(user, "n", "2")
				target.SetPair(user, "other", "new")
			} else if e.Fields["n"] != "2" || e.Fields["meanwhile"] != "1" {
				t.Errorf("question %d is about %v", asked, e.Fields)
			}
			return record.PairChange{Set: values{"n": "x"}}, nil
		})
		if err != nil || asked != 2 || len(changed) != 1 {
			t.Errorf("%d questions, %q changed, %v", asked, changed, err)
		}
		target.hasPairs(t, user, want)
	}
}

func decidedAnewWithout(t *testing.T, target PersistenceTarget) {
	target.update(t, alice, record.PairChange{Set: values{"a": "1", "b": "1"}}, values{"a": "1", "b": "1"})
	asked := 0
	changed, err := target.Persistence.UpdatePairs(context.Background(), target.App, alice, func(e record.Entry) (record.PairChange, error) {
		if asked++; asked == 1 {
			target.update(t, alice, record.PairChange{Unset: []string{"a", "b"}}, nil)
		} else if !e.Empty(record.KV) {
			t.Errorf("question %d is about %v", asked, e.Fields)
		}
		return record.PairChange{Set: values{"a": "2"}}, nil
	})
	if err != nil || asked != 2 || len(changed) != 1 {
		t.Errorf("%d questions, %q changed, %v", asked, changed, err)
	}
	target.hasPairs(t, alice, values{"a": "2"})
}

const (
	writers       = 6
	pairsOfWriter = 4
)

// manyWriters has some write to pairs of their own. One who meets the others too often may try again.
func manyWriters(t *testing.T, target PersistenceTarget) {
	want := make(values)
	var wait sync.WaitGroup
	for w := range writers {
		names := make([]string, pairsOfWriter)
		for n := range names {
			names[n] = fmt.Sprintf("w%d_%d", w, n)
			want[names[n]] = "x"
		}
		wait.Go(func() {
			for _, name := range names {
				err := record.ErrContended
				for errors.Is(err, record.ErrContended) {
					_, err = target.Persistence.UpdatePairs(t.Context(), target.App, alice, always(record.PairChange{Set: values{name: "x"}}))
				}
				if err != nil {
					t.Errorf("set %s: %v", name, err)
				}
			}
		})
	}
	wait.Wait()
	target.hasPairs(t, alice, want)
}

func contended(t *testing.T, target PersistenceTarget) {
	n := 0
	_, err := target.Persistence.UpdatePairs(context.Background(), target.App, alice, func(record.Entry) (record.PairChange, error) {
		n++
		target.SetPair(alice, "busy", fmt.Sprint(n))
		return record.PairChange{Set: values{"a": "1"}}, nil
	})
	if !errors.Is(err, record.ErrContended) || n < 2 {
		t.Errorf("%v after %d questions", err, n)
	}
	target.hasPairs(t, alice, values{"busy": fmt.Sprint(n)})
	n = 0
	err = target.Persistence.UpdateCounters(context.Background(), func(record.Entry, []byte) (map[string]record.Value, []byte, error) {
		n++
		target.SetCounters(values{"busy": int64(n)})
		return values{"a": int64(1)}, nil, nil
	})
	if !errors.Is(err, record.ErrContended) || n < 2 {
		t.Errorf("of counters: %v after %d questions", err, n)
	}
	if got := target.Counters(); !maps.EqualFunc(got, values{"busy": int64(n)}, record.Equal) {
		t.Errorf("counters: %v", got)
	}
}

func cancelled(t *testing.T, target PersistenceTarget) {
	target.SetPair(alice, "a", "1")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, entries := target.Persistence.Entries(ctx, record.KV, alice)
	_, pairs := target.Persistence.UpdatePairs(ctx, target.App, alice, always(record.PairChange{Set: values{"a": "2"}}))
	_, found := target.Persistence.FindAPIKeys(ctx, alice)
	_, owners := target.Persistence.KeyOwners(ctx, keyA)
	_, given := target.Persistence.GiveAPIKey(ctx, target.App, bob, keyB)
	counters := target.Persistence.UpdateCounters(ctx, func(record.Entry, []byte) (map[string]record.Value, []byte, error) {
		return values{"a": int64(1)}, nil, nil
	})
	for name, err := range map[string]error{
		"entries": entries, "pairs": pairs, "API keys": found, "owners": owners, "a key given": given, "counters": counters,
		"keys revoked": target.Persistence.RevokeAPIKeys(ctx, alice, nil, false),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	target.hasPairs(t, alice, values{"a": "1"})
}
