package persistence_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

type values = map[string]record.Value

func set(pairs values) persistence.KVChange { return persistence.KVChange{Set: pairs} }

func (w *world) same(t *testing.T, want values) {
	t.Helper()
	for name, s := range map[string]store{"Redis": w.redis, "MongoDB": w.mongo} {
		if diff := cmp.Diff(want, pairsOf(t, s)); diff != "" {
			t.Errorf("%s: -want +got\n%s", name, diff)
		}
	}
}

func TestAChangeReachesEveryStore(t *testing.T) {
	t.Parallel()
	for _, app := range []record.App{record.Fork, record.Upstream} {
		w := newWorld(app)
		result, err := w.ChangeKV(t.Context(), user, set(values{"a": "1", "b": "2"}))
		if err != nil || len(result.Changed) != 2 {
			t.Fatalf("%v, %v", result.Changed, err)
		}
		w.same(t, values{"a": "1", "b": "2"})
		result, err = w.ChangeKV(t.Context(), user, persistence.KVChange{Set: values{"b": "3"}, Unset: []string{"a"}})
		if err != nil {
			t.Fatal(err)
		}
		w.same(t, values{"b": "3"})
		if diff := cmp.Diff(values{"a": "1", "b": "2"}, result.Before) + cmp.Diff(values{"b": "3"}, result.After); diff != "" {
			t.Error(diff)
		}
		if result, err := w.ChangeKV(t.Context(), user, set(values{"b": "3"})); err != nil || len(result.Changed) != 0 {
			t.Errorf("the same again changed %v, %v", result.Changed, err)
		}
	}
}

// A document without pairs makes the fork read Redis. What it reads there must not disappear with the first pair that is
// set.
func TestPairsThatTheAppReadsElsewhereComeAlong(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	w.redis.SetPairs(user, values{"kept": "1", "gone": "2"})
	if _, err := w.ChangeKV(t.Context(), user, persistence.KVChange{Set: values{"new": "3"}, Unset: []string{"gone"}}); err != nil {
		t.Fatal(err)
	}
	w.same(t, values{"kept": "1", "new": "3"})
}

// A field of Redis that cannot be read cannot come along, and would be seen no more.
func TestPairsThatCannotComeAlongAreAnError(t *testing.T) {
	t.Parallel()
	l, redis, mongo := shelves(record.Fork)
	redis.entries[record.KV] = []record.Entry{{
		Place: "lanyard:user_kv:", Apps: forks, Fields: values{"a": "1"}, Unreadable: map[string]string{"b": "the value is not valid UTF-8"},
	}}
	var lost *persistence.UncarriedError
	if _, err := l.ChangeKV(t.Context(), user, set(values{"c": "3"})); !errors.As(err, &lost) || !slices.Equal(lost.Fields, []string{"b"}) {
		t.Errorf("got %v", err)
	}
	if got := pairsOf(t, &mongo.Persistence); len(got) != 0 {
		t.Errorf("MongoDB holds %v", got)
	}
	for _, c := range []persistence.KVChange{set(values{"b": "2"}), {Unset: []string{"b"}}, {Set: values{"c": "3"}, Replace: true}} {
		if _, err := l.ChangeKV(t.Context(), user, c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		mongo.SetPairs(user, nil)
	}
}

// MongoDB holds values that Redis cannot.
func TestValuesThatJSONHasNotStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	date := record.Opaque{Type: 9, Data: []byte("12345678")}
	w.mongo.SetPairs(user, values{"date": date, "a": "1"})
	if _, err := w.ChangeKV(t.Context(), user, set(values{"b": "2"})); err != nil {
		t.Fatal(err)
	}
	if _, err := w.UnifyKV(t.Context(), user, persistence.KVChange{}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(values{"a": "1", "b": "2"}, pairsOf(t, w.redis)) + cmp.Diff(values{"a": "1", "b": "2", "date": date}, pairsOf(t, w.mongo)); diff != "" {
		t.Error(diff)
	}
}

func TestADryRunWritesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	w.mongo.SetPairs(user, values{"a": "1"})
	result, err := w.ChangeKV(t.Context(), user, persistence.KVChange{Set: values{"b": "2"}, Replace: true, DryRun: true, Publish: true})
	if err != nil || len(result.Changed) != 2 || result.Published || result.PublishErr != nil {
		t.Errorf("%+v, %v", result, err)
	}
	if diff := cmp.Diff(values{"b": "2"}, result.After) + cmp.Diff(values{"a": "1"}, pairsOf(t, w.mongo)); diff != "" {
		t.Error(diff)
	}
	if got := pairsOf(t, w.redis); got != nil {
		t.Errorf("Redis holds %v", got)
	}
	*w.kill = killer{at: 2}
	_, err = w.ChangeKV(t.Context(), user, persistence.KVChange{Set: values{"b": "2"}, DryRun: true})
	var partial *persistence.PartialError
	if !errors.Is(err, errKilled) || errors.As(err, &partial) {
		t.Errorf("a store that fails during a dry run: %v", err)
	}
}

func TestTheAppsLimits(t *testing.T) {
	t.Parallel()
	many := make(values)
	for i := range 512 {
		many[fmt.Sprint("f", i)] = "v"
	}
	w := newWorld(record.Fork)
	if _, err := w.ChangeKV(t.Context(), user, set(many)); err != nil {
		t.Fatal(err)
	}
	flag := "\U0001F1E9\U0001F1EA" // one character of two code points, eight bytes
	for _, c := range []struct {
		change  persistence.KVChange
		message string
	}{
		{set(values{"f": "513th"}), "request would exceed key limit (512), please delete keys first"},
		{set(values{strings.Repeat("a", 256): ""}), "key must be 255 characters or less"},
		{set(values{"a-b": ""}), "key must be alphanumeric (a-zA-Z0-9_)"},
		{set(values{"newline\n": ""}), "key must be alphanumeric (a-zA-Z0-9_)"},
		{set(values{"f0": strings.Repeat(flag, 30001)}), "value must be 30000 characters or less"},
		{set(values{"f0": strings.Repeat(flag, 30000), strings.Repeat("a", 255): ""}), "request would exceed key limit (512), please delete keys first"},
	} {
		_, err := w.ChangeKV(t.Context(), user, c.change)
		var limit *persistence.LimitError
		if !errors.As(err, &limit) || limit.Message != c.message {
			t.Errorf("got %v, want %q", err, c.message)
		}
	}
	w.same(t, many)
	change := persistence.KVChange{Set: values{"f0": strings.Repeat(flag, 30000), strings.Repeat("a", 255): ""}, Unset: []string{"f1"}}
	if _, err := w.ChangeKV(t.Context(), user, change); err != nil {
		t.Error(err)
	}
	for i := range 100 {
		w.mongo.SetPair(user, fmt.Sprint("written before there was a limit", i), "v")
	}
	if _, err := w.ChangeKV(t.Context(), user, persistence.KVChange{Unset: []string{"f0"}}); err != nil {
		t.Error(err)
	}
}

// TestAWriteThatIsKilledAnywhere kills a write before and after each of its changes: the same call again makes it whole.
func TestAWriteThatIsKilledAnywhere(t *testing.T) {
	t.Parallel()
	for at := 1; at <= 2; at++ {
		for _, after := range []bool{false, true} {
			w := newWorld(record.Fork)
			w.mongo.SetPairs(user, values{"a": "1"})
			w.redis.SetPairs(user, values{"a": "1"})
			*w.kill = killer{at: at, after: after}
			_, err := w.ChangeKV(t.Context(), user, set(values{"b": "2"}))
			var partial *persistence.PartialError
			if !errors.Is(err, errKilled) || errors.As(err, &partial) != (at == 2 || after) {
				t.Errorf("killed at %d: %v", at, err)
			}
			told := map[[2]bool]string{
				{false, true}: "the new value is in MongoDB memory, and other places of MongoDB and Redis may still hold the old one",
				{true, false}: "the new value is in MongoDB, and Redis may still hold the old one",
				{true, true}:  "the new value is in MongoDB and Redis memory, and other places of Redis may still hold the old one",
			}[[2]bool{at == 2, after}]
			if partial != nil && !strings.HasSuffix(err.Error(), told) {
				t.Errorf("got %v", err)
			}
			*w.kill = killer{}
			if _, err := w.ChangeKV(t.Context(), user, set(values{"b": "2"})); err != nil {
				t.Error(err)
			}
			w.same(t, values{"a": "1", "b": "2"})
		}
	}
}

// TestConcurrentWritesLoseNothing has many writers: of different pairs none is lost, and for the same pair both stores agree.
func TestConcurrentWritesLoseNothing(t *testing.T) {
	t.Parallel()
	w := worldWith(record.Fork, nil)
	var all sync.WaitGroup
	want := make(values)
	for n := range 8 {
		for i := range 20 {
			want[fmt.Sprintf("w%d_%d", n, i)] = "v"
		}
		all.Go(func() {
			for i := range 20 {
				if _, err := w.ChangeKV(t.Context(), user, set(values{fmt.Sprintf("w%d_%d", n, i): "v", "shared": fmt.Sprint(n, i)})); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got := pairsOf(t, w.mongo)
	want["shared"] = got["shared"]
	w.same(t, want)
}

// twoPlaces is a store with a second place for pairs. Between is called after the first one was changed.
type twoPlaces struct {
	store
	other   *mem.Persistence
	between func()
}

func (s *twoPlaces) UpdatePairs(ctx context.Context, app record.App, user record.UserID, decide func(record.Entry) (record.PairChange, error)) ([]string, error) {
	changed, err := s.store.UpdatePairs(ctx, app, user, decide)
	if err != nil {
		return changed, err
	}
	s.between()
	_, err = s.other.UpdatePairs(ctx, app, user, func(e record.Entry) (record.PairChange, error) {
		e.Place, e.Apps = "another layout", 0
		return decide(e)
	})
	return changed, err
}

// Who comes second to the place that decides may be the first at another layout of the same store.
func TestBothLayoutsAgreeAfterTwoWritesOfOnePair(t *testing.T) {
	t.Parallel()
	s := &twoPlaces{store: store{Persistence: new(mem.Persistence)}, other: new(mem.Persistence)}
	s.other.SetPairs(user, values{"a": "0"})
	layer := persistence.New(record.Fork, &persistence.Store{Name: "Redis", Persistence: s}, nil)
	s.between = func() {
		s.between = func() {}
		if _, err := layer.ChangeKV(t.Context(), user, set(values{"a": "second"})); err != nil {
			t.Error(err)
		}
	}
	if _, err := layer.ChangeKV(t.Context(), user, set(values{"a": "first"})); err != nil {
		t.Fatal(err)
	}
	want := values{"a": "second"}
	if diff := cmp.Diff(want, pairsOf(t, s)) + cmp.Diff(want, pairsOf(t, s.other)); diff != "" {
		t.Error(diff)
	}
}

func TestUnifiedPairsAreTheSameEverywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	w.mongo.SetPairs(user, values{"both": "MongoDB", "mongo": "1", "a-b": "not the app's"})
	w.redis.SetPairs(user, values{"both": "Redis", "redis": "2"})
	if _, err := w.UnifyKV(t.Context(), user, persistence.KVChange{}); err != nil {
		t.Fatal(err)
	}
	w.same(t, values{"both": "MongoDB", "mongo": "1", "redis": "2", "a-b": "not the app's"})
}

// announcer remembers what was published.
type announcer struct {
	messages []string
	err      error
}

func (a *announcer) Announce(ctx context.Context, _ record.UserID, message func(context.Context) ([]byte, error)) (int64, error) {
	if a.err != nil {
		return 0, a.err
	}
	b, err := message(ctx)
	a.messages = append(a.messages, string(b))
	return 2, err
}

func TestRunningAppsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Fork)
	told := new(announcer)
	w.Stores[1].Announcer = told
	change := set(values{"a": "<é>", "n": int64(7)})
	change.Publish = true
	result, err := w.ChangeKV(t.Context(), user, change)
	if err != nil || !result.Published || result.Listeners != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	want := []string{`{"diff":{"kv":{"a":"<é>","n":7}},"node_id":-1,"user_id":"94490510688792576"}`}
	if diff := cmp.Diff(want, told.messages); diff != "" {
		t.Error(diff)
	}
	told.err = errors.New("no permission")
	change.Set = maps.Clone(change.Set)
	change.Set["a"] = "2"
	if result, err := w.ChangeKV(t.Context(), user, change); err != nil || result.Published || !errors.Is(result.PublishErr, told.err) {
		t.Errorf("%+v, %v", result, err)
	}
	w.Stores[1].Announcer = nil
	if result, err := w.ChangeKV(t.Context(), user, change); err != nil || !errors.Is(result.PublishErr, persistence.ErrNoChannel) {
		t.Errorf("%+v, %v", result, err)
	}
}

// narrow is a store that holds little.
type narrow struct{ store }

func (narrow) Limits() record.Limits {
	return record.Limits{MaxDocument: 200, Server: "a small server"}
}

func TestWhatAMirrorCannotHoldIsNoMatterOfTryingAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(record.Upstream)
	w.Stores[1].Persistence = narrow{w.mongo}
	_, err := w.ChangeKV(t.Context(), user, set(values{"a": strings.Repeat("x", 300)}))
	var partial *persistence.PartialError
	if !errors.Is(err, persistence.ErrCannotHold) || !errors.As(err, &partial) {
		t.Errorf("got %v", err)
	}
}
