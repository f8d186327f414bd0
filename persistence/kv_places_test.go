package persistence_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// places is a store with several places for the pairs of one user, the app's own first.
type places struct {
	mem.Persistence
	list   []record.Entry
	limits record.Limits
	failed error // of reading

	before func() // each change
	fault  string // of the first place, of which only a change hears
	times  int    // how often each change is decided; zero is once
}

func (p *places) Limits() record.Limits { return p.limits }

func (p *places) Entries(context.Context, record.Kind, record.UserID) ([]record.Entry, error) {
	return slices.DeleteFunc(slices.Clone(p.list), func(e record.Entry) bool { return e.Fields == nil && e.Unreadable == nil && e.Fault == "" }), p.failed
}

func (p *places) UpdatePairs(_ context.Context, _ record.App, _ record.UserID, decide func(record.Entry) (record.PairChange, error)) (changed []string, err error) {
	if p.before != nil {
		p.before()
	}
	for i := range p.list {
		e := p.list[i]
		e.Fields = maps.Clone(e.Fields)
		if i == 0 && p.fault != "" {
			e.Fault = p.fault
		}
		var c record.PairChange
		for range max(p.times, 1) {
			if c, err = decide(e); err != nil {
				return changed, err
			}
		}
		if c.Empty() {
			continue
		}
		p.put(i, c)
		changed = append(changed, e.Place)
	}
	return changed, nil
}

// put makes a change as Redis does: first what is set, then what is unset.
func (p *places) put(i int, c record.PairChange) {
	e := &p.list[i]
	e.Fields, e.Unreadable = maps.Clone(e.Fields), maps.Clone(e.Unreadable)
	if e.Fields == nil {
		e.Fields = make(values)
	}
	for name, v := range c.Set {
		e.Fields[name] = v
		delete(e.Unreadable, name)
	}
	for _, name := range c.Unset {
		delete(e.Fields, name)
		delete(e.Unreadable, name)
	}
}

// town is a layer of the fork over a MongoDB, and over a Redis with both layouts.
type town struct {
	*persistence.Layer
	mongo, redis *places
}

func newTown(mongo, own, texts values) *town {
	t := &town{
		mongo: &places{list: []record.Entry{{Place: "kv", Apps: forks, Fields: mongo}}},
		redis: &places{list: []record.Entry{{Place: "own", Apps: forks, Fields: own}, {Place: "texts", Apps: upstreams, TextOnly: true, Fields: texts}}},
	}
	if texts == nil {
		t.redis.list = t.redis.list[:1]
	}
	t.Layer = persistence.New(record.Fork, &persistence.Store{Name: "Redis", Persistence: t.redis}, &persistence.Store{Name: "MongoDB", Persistence: t.mongo})
	return t
}

func TestWhatBecomesOfEachPlace(t *testing.T) {
	t.Parallel()
	bad := map[string]string{"x": "no JSON", "y": "no JSON"}
	for _, c := range []struct {
		name               string
		mongo, own, texts  values
		unreadable         map[string]string // of own
		change             persistence.KVChange
		unify              bool
		wantMongo, wantOwn values
		wantTexts          values
		wantBad            map[string]string
		changed            int
	}{
		{
			name: "the other pairs of a place stay", mongo: values{"a": "1"}, own: values{"b": "2"}, texts: values{"c": "3"},
			change: set(values{"d": "4"}), changed: 3,
			wantMongo: values{"a": "1", "d": "4"}, wantOwn: values{"b": "2", "d": "4"}, wantTexts: values{"c": "3", "d": "4"},
		},
		{
			name: "the app's own place gets all where it has none", mongo: values{"a": "1"},
			change: set(values{"d": "4"}), changed: 2, wantMongo: values{"a": "1", "d": "4"}, wantOwn: values{"a": "1", "d": "4"},
		},
		{
			name: "another one does not", mongo: values{"a": "1"}, own: values{"a": "1"}, texts: values{},
			change: set(values{"d": "4"}), changed: 3, wantMongo: values{"a": "1", "d": "4"}, wantOwn: values{"a": "1", "d": "4"}, wantTexts: values{"d": "4"},
		},
		{
			name: "replaced", mongo: values{"a": "1", "d": "4"}, own: values{"b": "2"}, texts: values{"c": "3"}, unreadable: bad,
			change: persistence.KVChange{Set: values{"d": "4"}, Replace: true}, changed: 3,
			wantMongo: values{"d": "4"}, wantOwn: values{"d": "4"}, wantTexts: values{"d": "4"},
		},
		{
			name: "what is no text goes from where only texts stand", mongo: values{"a": "1"}, own: values{"a": "1"}, texts: values{"a": "1", "b": "2"},
			change: set(values{"a": int64(7)}), changed: 3, wantMongo: values{"a": int64(7)}, wantOwn: values{"a": int64(7)}, wantTexts: values{"b": "2"},
		},
		{
			name: "an unreadable pair is set, and another one stays", mongo: values{"a": "1"}, own: values{"a": "1"}, unreadable: bad,
			change: set(values{"x": "9"}), changed: 2, wantMongo: values{"a": "1", "x": "9"}, wantOwn: values{"a": "1", "x": "9"}, wantBad: map[string]string{"y": "no JSON"},
		},
		{
			name: "an unreadable pair is deleted", mongo: values{"a": "1"}, own: values{"a": "1"}, unreadable: bad,
			change: persistence.KVChange{Unset: []string{"x"}}, changed: 1, wantMongo: values{"a": "1"}, wantOwn: values{"a": "1"}, wantBad: map[string]string{"y": "no JSON"},
		},
		{
			name: "the same again", mongo: values{"a": "1"}, own: values{"a": "1"}, texts: values{"a": "1"},
			change: set(values{"a": "1"}), wantMongo: values{"a": "1"}, wantOwn: values{"a": "1"}, wantTexts: values{"a": "1"},
		},
		{
			name: "a name that the app would refuse stands already", mongo: values{"a-b": "1"}, own: values{"a-b": "1"},
			change: set(values{"a-b": "1", "c": "2"}), changed: 2, wantMongo: values{"a-b": "1", "c": "2"}, wantOwn: values{"a-b": "1", "c": "2"},
		},
		{
			name: "unified, where the app reads nothing", texts: values{"a": "1"}, unify: true, changed: 2,
			wantMongo: values{"a": "1"}, wantOwn: values{"a": "1"}, wantTexts: values{"a": "1"},
		},
		{
			name: "unified", mongo: values{"a": "1"}, own: values{"a-b": "2", "a": "3"}, texts: values{"n": "4", "a-b": "5"}, unify: true, change: persistence.KVChange{Unset: []string{"a"}, Replace: true},
			changed: 3, wantMongo: values{"a": "1", "a-b": "2", "n": "4"}, wantOwn: values{"a": "1", "a-b": "2", "n": "4"}, wantTexts: values{"a": "1", "a-b": "2", "n": "4"},
		},
	} {
		w := newTown(c.mongo, c.own, c.texts)
		w.redis.list[0].Unreadable = maps.Clone(c.unreadable)
		write := w.ChangeKV
		if c.unify {
			write = w.UnifyKV
		}
		result, err := write(t.Context(), user, c.change)
		if err != nil || len(result.Changed) != c.changed {
			t.Errorf("%s: changed %v, %v", c.name, result.Changed, err)
		}
		got := []values{w.mongo.list[0].Fields, w.redis.list[0].Fields, nil}
		if len(w.redis.list) > 1 {
			got[2] = w.redis.list[1].Fields
		}
		if diff := cmp.Diff([]values{c.wantMongo, c.wantOwn, c.wantTexts}, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.name, diff)
		}
		if bad := w.redis.list[0].Unreadable; !maps.Equal(bad, c.wantBad) {
			t.Errorf("%s: %v are unreadable", c.name, bad)
		}
	}
}

func TestNothingIsWrittenWhereALaterPlaceCannotBeRead(t *testing.T) {
	t.Parallel()
	w := newTown(values{"a": "1"}, values{"a": "1"}, nil)
	w.redis.list[0].Fault = "a list"
	var fault *persistence.FaultError
	if _, err := w.ChangeKV(t.Context(), user, set(values{"a": "2"})); !errors.As(err, &fault) || fault.Store != "Redis" || w.mongo.list[0].Fields["a"] != "1" {
		t.Errorf("%v, and MongoDB holds %v", err, w.mongo.list[0].Fields)
	}
	w.redis.list[0].Fault, w.redis.fault = "", "a list meanwhile"
	var partial *persistence.PartialError
	if _, err := w.ChangeKV(t.Context(), user, set(values{"a": "2"})); !errors.As(err, &fault) || !errors.As(err, &partial) || w.redis.list[0].Fields["a"] != "1" {
		t.Errorf("%v, and Redis holds %v", err, w.redis.list[0].Fields)
	}
}

func TestAStoreGetsNothingThatItCannotHold(t *testing.T) {
	t.Parallel()
	noDots, small := record.Limits{Server: "it", NoDots: true}, record.Limits{MaxDocument: 200}
	for _, c := range []struct {
		name    string
		mongo   values
		limits  record.Limits
		change  persistence.KVChange
		refused bool
	}{
		{"a name, beside others", values{"a": "1", "b.c": "2"}, noDots, persistence.KVChange{Set: values{"d.e": "3", "f": "4"}}, true},
		{"a name that stands there", values{"a": "1", "b.c": "2"}, noDots, set(values{"f": "4"}), false},
		{"too much", values{"a": "1"}, small, set(values{"f": strings.Repeat("x", 100)}), true},
		{"too much, of which something goes", values{"a": strings.Repeat("x", 100)}, small, persistence.KVChange{Set: values{"f": "1"}, Unset: []string{"a"}}, false},
		{"less than there is", values{"a": strings.Repeat("x", 100), "b": "1"}, small, persistence.KVChange{Unset: []string{"b"}}, false},
	} {
		w := newTown(c.mongo, nil, nil)
		w.mongo.limits = c.limits
		w.mongo.list[0].Fields = maps.Clone(c.mongo)
		write := w.ChangeKV
		if c.refused { // also by the limits of the app, which are no concern here
			write = w.UnifyKV
			w.redis.list[0].Fields = c.change.Set
		}
		_, err := write(t.Context(), user, c.change)
		var failed *persistence.StoreError
		if named := errors.As(err, &failed) && failed.Store == "MongoDB"; named != c.refused || !named && err != nil {
			t.Errorf("%s: got %v", c.name, err)
		}
		if unchanged := maps.Equal(w.mongo.list[0].Fields, c.mongo); unchanged != c.refused {
			t.Errorf("%s: MongoDB holds %v", c.name, w.mongo.list[0].Fields)
		}
	}
}

// The error of the store that decides is that store's, though another one was being changed.
func TestAStoreThatFailsIsNamedOnce(t *testing.T) {
	t.Parallel()
	w := newTown(values{"a": "1"}, values{"a": "1"}, nil)
	w.redis.before = func() { w.mongo.failed = errors.New("boom") }
	_, err := w.ChangeKV(t.Context(), user, set(values{"a": "2"}))
	want := "MongoDB: boom; the new value is in MongoDB, and Redis may still hold the old one"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestTextsAlone(t *testing.T) {
	t.Parallel()
	texts := &places{list: []record.Entry{{Place: "texts", Apps: upstreams, TextOnly: true, Fields: values{"a": "1"}}}}
	mirror := &places{list: []record.Entry{{Place: "kv", Apps: forks, Fields: values{"n": int64(7)}}}}
	l := persistence.New(record.Upstream, &persistence.Store{Name: "Redis", Persistence: texts}, &persistence.Store{Name: "MongoDB", Persistence: mirror})
	if _, err := l.ChangeKV(t.Context(), user, set(values{"n": int64(7)})); !errors.Is(err, persistence.ErrNotText) {
		t.Errorf("got %v", err)
	}
	if _, err := l.UnifyKV(t.Context(), user, persistence.KVChange{}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(values{"a": "1"}, texts.list[0].Fields); diff != "" {
		t.Error(diff)
	}
}

func TestADryRunNamesAPlaceOnce(t *testing.T) {
	t.Parallel()
	w := newTown(values{"a": "1"}, values{"a": "1"}, nil)
	w.mongo.times, w.redis.times = 2, 2
	result, err := w.ChangeKV(t.Context(), user, persistence.KVChange{Set: values{"a": "2"}, DryRun: true})
	if err != nil || len(result.Changed) != 2 {
		t.Errorf("would change %v, %v", result.Changed, err)
	}
}

// What somebody else sets after the first look is neither taken back, nor left out elsewhere.
func TestOthersMaySetAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := newTown(values{"a": "1"}, values{"b": "2"}, nil)
	w.mongo.before = func() { w.mongo.put(0, record.PairChange{Set: values{"a": "theirs"}}) }
	if _, err := w.UnifyKV(t.Context(), user, persistence.KVChange{}); err != nil {
		t.Fatal(err)
	}
	want := values{"a": "theirs", "b": "2"}
	if diff := cmp.Diff([]values{want, want}, []values{w.mongo.list[0].Fields, w.redis.list[0].Fields}); diff != "" {
		t.Errorf("unified: %s", diff)
	}

	w = newTown(values{"a": "1"}, values{"a": "1"}, nil)
	w.redis.before = func() {
		for _, s := range []*places{w.mongo, w.redis} {
			s.put(0, record.PairChange{Set: values{"theirs": "x"}})
		}
	}
	if _, err := w.ChangeKV(t.Context(), user, persistence.KVChange{Set: values{"c": "3"}, Replace: true}); err != nil {
		t.Fatal(err)
	}
	want = values{"c": "3", "theirs": "x"}
	if diff := cmp.Diff([]values{want, want}, []values{w.mongo.list[0].Fields, w.redis.list[0].Fields}); diff != "" {
		t.Errorf("replaced: %s", diff)
	}
}

func TestWhereTheOwnPlaceHasNothingAnotherOneDoesNotDecide(t *testing.T) {
	t.Parallel()
	w := newTown(nil, nil, values{"a": "1", "b": "2"})
	l := persistence.New(record.Fork, &persistence.Store{Name: "Redis", Persistence: w.redis}, nil)
	if _, err := l.ChangeKV(t.Context(), user, persistence.KVChange{Unset: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values{"b": "2"}, w.redis.list[1].Fields); diff != "" {
		t.Error(diff)
	}
}

func TestAChangeDoesNotRestOnAFallback(t *testing.T) {
	t.Parallel()
	w := newTown(values{"a": "1"}, values{"a": "1"}, nil)
	w.Fallback, w.redis.failed = true, errors.New("down")
	if _, err := w.ChangeKV(t.Context(), user, set(values{"a": "2"})); !errors.Is(err, w.redis.failed) || w.mongo.list[0].Fields["a"] != "1" {
		t.Errorf("%v, and MongoDB holds %v", err, w.mongo.list[0].Fields)
	}
}
