package persistence

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
)

// counterStore holds counters and their note, and fails when it is told to.
type counterStore struct {
	record.Persistence
	fields map[string]record.Value
	note   []byte
	fault  string
	odd    map[string]string // fields that cannot be read

	unread  bool   // it cannot be read
	refuses bool   // it can be read, and not be written
	silent  bool   // it is written, and does not answer
	racing  func() // what somebody else does before it is written
}

var errAway = errors.New("away")

func (s *counterStore) UpdateCounters(_ context.Context, decide func(record.Entry, []byte) (map[string]record.Value, []byte, error)) error {
	if s.unread {
		return errAway
	}
	held := record.Entry{Place: "metrics", Fields: maps.Clone(s.fields), Fault: s.fault, Unreadable: s.odd}
	set, note, err := decide(held, slices.Clone(s.note))
	if err != nil {
		return fmt.Errorf("update the counters: %w", err)
	}
	if s.racing != nil {
		race := s.racing
		s.racing = nil
		race()
		return s.UpdateCounters(context.Background(), decide)
	}
	if s.refuses {
		return errAway
	}
	if s.fields == nil {
		s.fields = make(map[string]record.Value)
	}
	maps.Copy(s.fields, set)
	s.note = note
	if s.silent {
		return errAway
	}
	return nil
}

const counter = "lanyard_messages_outbound"

func (s *counterStore) value() record.Value { return s.fields[counter] }

func layerOf(app record.App, stores ...*counterStore) *Layer {
	l := &Layer{App: app}
	for i, s := range stores {
		l.Stores = append(l.Stores, Store{Name: fmt.Sprintf("store %d", i+1), Persistence: s})
	}
	return l
}

func scraped(instance string, v record.Value) func(context.Context) (Scrape, error) {
	return func(context.Context) (Scrape, error) {
		return Scrape{Instance: instance, Counters: map[string]record.Value{counter: v}}, nil
	}
}

func stored(v record.Value) *counterStore {
	return &counterStore{fields: map[string]record.Value{counter: v}}
}

func TestFlushesOfOneStore(t *testing.T) {
	i := func(list ...int64) (values []record.Value) {
		for _, n := range list {
			values = append(values, n)
		}
		return values
	}
	for name, test := range map[string]struct {
		app     record.App
		held    record.Value // nil for nothing
		scrapes []record.Value
		want    record.Value
	}{
		"nothing is stored":                           {record.Fork, nil, i(5), int64(5)},
		"the fork has what is stored":                 {record.Fork, int64(100), i(105), int64(105)},
		"the fork could not read what is stored":      {record.Fork, int64(100), i(5), int64(105)},
		"upstream begins at zero":                     {record.Upstream, int64(100), i(5), int64(105)},
		"upstream has counted more than is stored":    {record.Upstream, int64(100), i(500), int64(600)},
		"the same value twice":                        {record.Upstream, int64(100), i(5, 5), int64(105)},
		"the counter goes on":                         {record.Upstream, int64(100), i(5, 9), int64(109)},
		"the counter starts again":                    {record.Upstream, int64(100), i(5, 3, 4), int64(109)},
		"the fork begins with what is stored":         {record.Fork, int64(100), i(105, 107), int64(107)},
		"fractions":                                   {record.Upstream, 0.5, []record.Value{0.25, 1.0}, 1.5},
		"a stored float of an integer's meaning":      {record.Fork, 12.0, []record.Value{13.0}, int64(13)},
		"integers that a float64 does not hold":       {record.Upstream, int64(1<<53 + 1), i(2), int64(1<<53 + 3)},
		"a value that is as large as what was stored": {record.Fork, int64(7), i(7), int64(7)},
	} {
		t.Run(name, func(t *testing.T) {
			s := &counterStore{}
			if test.held != nil {
				s = stored(test.held)
			}
			l := layerOf(test.app, s)
			for _, v := range test.scrapes {
				if _, err := l.FlushCounters(t.Context(), scraped("a", v), false); err != nil {
					t.Fatal(err)
				}
			}
			if !record.Equal(s.value(), test.want) {
				t.Errorf("%v, want %v", s.value(), test.want)
			}
		})
	}
}

func TestAnAppInDoubtIsNotCountedTwice(t *testing.T) {
	for first, want := range map[int64]int64{105: 105, 5: 105} {
		s := stored(int64(100))
		for _, instance := range []string{"a", "b"} {
			_, err := layerOf(record.Upstream, s).FlushCounters(t.Context(), func(context.Context) (Scrape, error) {
				return Scrape{Instance: instance, Counters: map[string]record.Value{counter: first}, AppInDoubt: true}, nil
			}, false)
			if err != nil || s.value() != want {
				t.Errorf("%d of %s: %v, want %d (%v)", first, instance, s.value(), want, err)
			}
			want += first // that of another one is of upstream, as nodes of the fork are not flushed side by side
		}
	}
}

func TestAFlushTellsWhatBecameOfEachStore(t *testing.T) {
	one, two := stored(int64(10)), &counterStore{fields: map[string]record.Value{"other": int64(1)}}
	flushed, err := layerOf(record.Upstream, one, two).FlushCounters(t.Context(), scraped("a", int64(5)), false)
	if err != nil || len(flushed) != 2 {
		t.Fatal(flushed, err)
	}
	if f := flushed[0]; f.Store != "store 1" || f.Before[counter] != int64(10) || f.After[counter] != int64(15) {
		t.Errorf("%+v", f)
	}
	if f := flushed[1]; f.Store != "store 2" || len(f.Before) != 0 || f.After[counter] != int64(15) || two.fields["other"] != int64(1) {
		t.Errorf("%+v", f)
	}
}

func TestADryFlushWritesNothing(t *testing.T) {
	s := stored(int64(10))
	flushed, err := layerOf(record.Upstream, s).FlushCounters(t.Context(), scraped("a", int64(5)), true)
	if err != nil || flushed[0].After[counter] != int64(15) || s.value() != int64(10) || s.note != nil {
		t.Error(flushed, err, s.fields, s.note)
	}
}

func TestAStoreThatFailsIsNamedAndCatchesUp(t *testing.T) {
	one, two := stored(int64(10)), stored(int64(10))
	l := layerOf(record.Upstream, one, two)
	flush := func(v int64) error {
		_, err := l.FlushCounters(t.Context(), scraped("a", v), false)
		return err
	}
	if err := flush(5); err != nil {
		t.Fatal(err)
	}
	one.refuses = true
	partial, ok := errors.AsType[*PartialError](flush(8))
	if !ok || !slices.Equal(partial.New, []string{"store 2"}) || !slices.Equal(partial.Old, []string{"store 1"}) || !errors.Is(partial, errAway) {
		t.Fatalf("%+v", partial)
	}
	two.unread = true
	if err := flush(9); !errors.Is(err, errAway) || errors.As(err, new(*PartialError)) {
		t.Fatal(err)
	}
	one.refuses, two.unread = false, false
	if err := flush(2); err != nil { // it was started again, and store 1 has missed what came before
		t.Fatal(err)
	}
	if one.value() != int64(20) || two.value() != int64(20) {
		t.Error(one.value(), two.value())
	}
}

func TestTheFirstFlushNeedsAllStores(t *testing.T) {
	one, two := stored(int64(10)), stored(int64(10))
	l := layerOf(record.Upstream, one, two)
	two.unread = true
	if _, err := l.FlushCounters(t.Context(), scraped("a", int64(5)), false); !errors.Is(err, errUnknown) || one.note != nil {
		t.Error(err, string(one.note))
	}
}

// TestAStoreThatWasFilledFromAnother has counters that were migrated, without their note.
func TestAStoreThatWasFilledFromAnother(t *testing.T) {
	one, two := stored(int64(100)), &counterStore{}
	if _, err := layerOf(record.Upstream, one).FlushCounters(t.Context(), scraped("a", int64(5)), false); err != nil {
		t.Fatal(err)
	}
	two.fields = maps.Clone(one.fields)
	if _, err := layerOf(record.Upstream, two, one).FlushCounters(t.Context(), scraped("a", int64(6)), false); err != nil {
		t.Fatal(err)
	}
	if one.value() != int64(106) || two.value() != int64(106) {
		t.Error(one.value(), two.value())
	}
}

func TestWhatSomebodyElseRaisedIsNotLowered(t *testing.T) {
	for _, app := range []record.App{record.Fork, record.Upstream} {
		s := stored(int64(100))
		l := layerOf(app, s)
		for i, test := range []struct{ raised, scraped, want int64 }{{0, 105, 0}, {5000, 106, 5000}, {0, 107, 5001}} {
			if test.raised > 0 {
				s.fields[counter] = test.raised
			}
			if _, err := l.FlushCounters(t.Context(), scraped("a", test.scraped), false); err != nil {
				t.Fatal(err)
			}
			if test.want > 0 && s.value() != test.want {
				t.Errorf("%v, step %d: %v, want %d", app, i, s.value(), test.want)
			}
		}
	}
}

func TestAnotherProcessThatFlushesTheSameInstance(t *testing.T) {
	s := stored(int64(100))
	l := layerOf(record.Upstream, s)
	flush := func(scrape func(context.Context) (Scrape, error)) {
		t.Helper()
		if _, err := l.FlushCounters(t.Context(), scrape, false); err != nil {
			t.Fatal(err)
		}
	}
	flush(scraped("a", int64(5)))
	now, first := int64(8), true
	flush(func(ctx context.Context) (Scrape, error) {
		v := now
		if first { // the other process has a later value, and is the first to write it
			first, now = false, 9
			flush(scraped("a", now))
		}
		return scraped("a", v)(ctx)
	})
	if s.value() != int64(109) {
		t.Error(s.value())
	}
}

func TestWhatCannotBeFlushed(t *testing.T) {
	flush := func(s *counterStore, v record.Value) error {
		_, err := layerOf(record.Upstream, s).FlushCounters(t.Context(), scraped("a", v), false)
		return err
	}
	if err := flush(stored(int64(math.MaxInt64-1)), int64(2)); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
	if err := flush(stored(math.MaxFloat64), math.MaxFloat64); !errors.Is(err, errTooLarge) {
		t.Error(err)
	}
	if err := flush(&counterStore{fault: "a counter is no number"}, int64(1)); err == nil {
		t.Error("a fault")
	}
	if _, err := layerOf(record.Upstream, &counterStore{fault: "two"}).FlushCounters(t.Context(), scraped("a", int64(1)), true); !errors.Is(err, ErrCountersUnreadable) || !strings.Contains(err.Error(), "store 1") {
		t.Error(err)
	}
	if err := flush(&counterStore{odd: map[string]string{counter: "no number"}}, int64(1)); err == nil {
		t.Error("a counter that cannot be read")
	}
	if err := flush(&counterStore{odd: map[string]string{"other": "no number"}}, int64(1)); err != nil {
		t.Error(err)
	}
	for _, note := range []string{"", "{", `{"version":2}`, `{"version":1,"counters":{"c":{"base":-1}}}`, `{"version":1,"counters":{"c":{"base":"1"}}}`} {
		if err := flush(&counterStore{note: []byte(note)}, int64(1)); err == nil {
			t.Error(note)
		}
	}
	if _, err := layerOf(record.Fork).FlushCounters(t.Context(), scraped("a", int64(1)), false); !errors.Is(err, ErrNoStore) {
		t.Error(err)
	}
	away := errors.New("no answer")
	if _, err := layerOf(record.Fork, stored(int64(1))).FlushCounters(t.Context(), func(context.Context) (Scrape, error) { return Scrape{}, away }, false); !errors.Is(err, away) {
		t.Error(err)
	}
}

func TestANoteIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Map(rapid.Int64Min(0), func(n int64) number { return number{n} }),
			rapid.Map(rapid.Float64Range(0, math.MaxFloat64), func(f float64) number { return number{whole(f + 0)} }))
		note := rapid.MapOf(rapid.String(), rapid.Custom(func(t *rapid.T) counterState {
			return counterState{Base: value.Draw(t, "base"), Above: value.Draw(t, "above"), Instances: rapid.MapOf(rapid.String(),
				rapid.Custom(func(t *rapid.T) counted { return counted{value.Draw(t, "count"), value.Draw(t, "seen")} })).Draw(t, "instances")}
		})).Draw(t, "note")
		text := countersNote(note).encode()
		read, err := parseNote(text)
		if err != nil || string(read.encode()) != string(text) {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

// upstreamModel is what upstream's instances have counted, as a flush that never fails would have stored it.
type upstreamModel struct {
	base  int64
	count map[string]int64
	seen  map[string]int64
}

func (m *upstreamModel) flush(instance string, v int64) {
	if v < m.seen[instance] {
		m.count[instance] += v
	} else {
		m.count[instance] += v - m.seen[instance]
	}
	m.seen[instance] = v
}

func (m *upstreamModel) total() int64 {
	sum := m.base
	for _, n := range m.count {
		sum += n
	}
	return sum
}

// TestNothingIsLostOrCountedTwice flushes two instances of upstream, which are started again, by processes that are killed
// between two stores, or before a store has answered, with stores that are away.
func TestNothingIsLostOrCountedTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(0, 50).Draw(t, "base")
		model := upstreamModel{base, make(map[string]int64), make(map[string]int64)}
		stores := []*counterStore{stored(base), stored(rapid.Int64Range(0, base).Draw(t, "behind")), {}}
		l := layerOf(record.Upstream, stores...)
		value := map[string]int64{}
		flush := func(instance string) {
			low := make([]int64, len(stores))
			for i, s := range stores {
				low[i], _ = s.value().(int64)
			}
			_, err := l.FlushCounters(context.Background(), scraped(instance, value[instance]), false)
			for i, s := range stores {
				if v, _ := s.value().(int64); v < low[i] {
					t.Fatalf("store %d went from %d to %d", i, low[i], v)
				}
			}
			if first := stores[0]; !first.unread && !first.refuses && !errors.Is(err, errUnknown) {
				model.flush(instance, value[instance]) // the first store has it
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			instance := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "instance")
			value[instance] += rapid.Int64Range(0, 20).Draw(t, "increase")
			if rapid.IntRange(0, 4).Draw(t, "restart") == 0 {
				value[instance] = rapid.Int64Range(0, 5).Draw(t, "since")
			}
			// The first store is written first: a process that is killed has written it, or nothing at all.
			killed := rapid.IntRange(0, len(stores)+2).Draw(t, "killed before")
			for i, s := range stores {
				s.refuses = i >= killed && killed < len(stores)
				s.silent = rapid.IntRange(0, 5).Draw(t, "silent") == 0
				s.unread = i > 0 && rapid.IntRange(0, 5).Draw(t, "away") == 0
			}
			flush(instance)
		}
		for _, s := range stores {
			s.refuses, s.unread, s.silent = false, false, false
		}
		flush("a")
		for i, s := range stores {
			if v := s.value(); v != model.total() {
				t.Fatalf("store %d has %v, want %d\n%s", i, v, model.total(), s.note)
			}
		}
	})
}

// TestTheForkIsStoredAsItIs flushes a fork that stores its counters itself, at any moment, and begins with what is stored.
func TestTheForkIsStoredAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(0, 50).Draw(t, "base")
		stores := []*counterStore{stored(base), stored(base)}
		l := layerOf(record.Fork, stores...)
		has := base
		count := func() { has += rapid.Int64Range(0, 20).Draw(t, "increase") }
		store := func() {
			for _, s := range stores {
				s.fields[counter] = has
			}
		}
		flush := func() {
			_, err := l.FlushCounters(context.Background(), scraped("fork", has), false)
			if err != nil && !errors.Is(err, errAway) {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			count()
			switch rapid.IntRange(0, 4).Draw(t, "what") {
			case 0:
				store()
			case 1:
				has = stores[0].value().(int64)
			case 2:
				stores[1].refuses = true
				flush()
				stores[1].refuses = false
			case 3:
				stores[rapid.IntRange(0, 1).Draw(t, "race")].racing = func() { count(); store() }
				flush()
			default:
				flush()
			}
		}
		flush()
		for i, s := range stores {
			if s.value() != has {
				t.Fatalf("store %d has %v, want %d\n%s", i, s.value(), has, s.note)
			}
		}
	})
}

func TestADryRunOfWhichAStoreFailsWroteToNone(t *testing.T) {
	t.Parallel()
	a, b := new(counterStore), new(counterStore)
	l := layerOf(record.Upstream, a, b)
	if _, err := l.FlushCounters(t.Context(), scraped("a", int64(5)), false); err != nil {
		t.Fatal(err)
	}
	b.unread = true
	if _, err := l.FlushCounters(t.Context(), scraped("a", int64(6)), true); !errors.Is(err, errAway) || errors.As(err, new(*PartialError)) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsKnownOfACounterStaysWhereItIsNotScraped(t *testing.T) {
	t.Parallel()
	s := new(counterStore)
	l := layerOf(record.Upstream, s)
	other := func(context.Context) (Scrape, error) {
		return Scrape{Instance: "a", Counters: map[string]record.Value{"lanyard_messages_inbound": int64(1)}}, nil
	}
	for _, scrape := range []func(context.Context) (Scrape, error){scraped("a", int64(5)), other, scraped("a", int64(7))} {
		if _, err := l.FlushCounters(t.Context(), scrape, false); err != nil {
			t.Fatal(err)
		}
	}
	if s.value() != int64(7) {
		t.Errorf("%v is stored of 7", s.value())
	}
}

func TestNothingIsScrapedWhereNoStoreCanBeRead(t *testing.T) {
	t.Parallel()
	_, err := layerOf(record.Upstream, &counterStore{unread: true}).FlushCounters(t.Context(), func(context.Context) (Scrape, error) {
		t.Error("scraped")
		return Scrape{}, nil
	}, false)
	if !errors.Is(err, errAway) {
		t.Errorf("got %v", err)
	}
}

func TestWhenAScrapeMayBeOlderThanAnother(t *testing.T) {
	t.Parallel()
	none := counterState{}
	at := func(v int64) counterState {
		return counterState{Instances: map[string]counted{"a": {Seen: number{v}}}}
	}
	for _, c := range []struct {
		name      string
		seen, now counterState
		want      bool
	}{
		{"nobody has flushed", none, none, false},
		{"nobody has since", at(3), at(3), false},
		{"somebody has since", at(3), at(4), true},
		{"somebody has for the first time", none, at(4), true},
		{"this flush has, and is repeated", at(3), at(5), false},
		{"this flush has for the first time, and is repeated", none, at(5), false},
		{"the note was taken away", at(3), none, true},
	} {
		rule := flushRule{instance: "a", scraped: int64(5)}
		if got := rule.overtaken(c.seen, c.now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
