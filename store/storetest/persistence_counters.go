package storetest

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"sync"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

// hasCounters checks the counters by what the app finds, and by what the store says.
func (target PersistenceTarget) hasCounters(t testing.TB, want values) {
	t.Helper()
	e, _ := target.read(t, record.Metrics, 0)
	for who, got := range map[string]values{"the app": target.Counters(), "the store": e.Fields} {
		if !maps.EqualFunc(got, want, record.Equal) {
			t.Errorf("%s finds the counters %v, want %v", who, got, want)
		}
	}
}

func countersSet(t *testing.T, target PersistenceTarget) {
	ctx := context.Background()
	notes := []string{"", "first \x00\xff", "", "first \x00\xff"} // before each change
	want := make(values)
	for i, set := range []values{{"a": int64(1), "b": 2.5}, {"a": int64(1) << 53}, nil, {"c": int64(0)}} {
		asked := 0
		err := target.Persistence.UpdateCounters(ctx, func(held record.Entry, note []byte) (map[string]record.Value, []byte, error) {
			asked++
			if !maps.EqualFunc(held.Fields, want, record.Equal) || string(note) != notes[i] || held.Fault != "" {
				t.Errorf("change %d is about %+v, note %q, want %v and %q", i, held, note, want, notes[i])
			}
			return set, []byte(notes[(i+1)%len(notes)]), nil
		})
		if err != nil || asked != 1 {
			t.Errorf("change %d: %d questions, %v", i, asked, err)
		}
		maps.Copy(want, set)
		target.hasCounters(t, want)
	}
	target.SetCounters(values{"d": int64(5)})
	want["d"] = int64(5)
	target.hasCounters(t, want)
}

func countersAnew(t *testing.T, target PersistenceTarget) {
	for round := range int64(2) { // first there are none
		asked := 0
		err := target.Persistence.UpdateCounters(context.Background(), func(held record.Entry, _ []byte) (map[string]record.Value, []byte, error) {
			if asked++; asked == 1 {
				target.SetCounters(values{"a": 10 * (round + 1)})
			}
			n, _ := held.Fields["a"].(int64)
			return values{"a": n + 1}, nil, nil
		})
		if err != nil || asked != 2 {
			t.Errorf("%d questions, %v", asked, err)
		}
		target.hasCounters(t, values{"a": 10*(round+1) + 1})
	}
}

// manyCount has some count, each with a note of how often all did.
func manyCount(t *testing.T, target PersistenceTarget) {
	var wait sync.WaitGroup
	for range writers {
		wait.Go(func() {
			for range pairsOfWriter {
				err := record.ErrContended
				for errors.Is(err, record.ErrContended) {
					err = target.Persistence.UpdateCounters(t.Context(), func(held record.Entry, note []byte) (map[string]record.Value, []byte, error) {
						n, _ := held.Fields["n"].(int64)
						if string(note) != "" && string(note) != strconv.FormatInt(n, 10) {
							t.Errorf("the note %q beside %d", note, n)
						}
						return values{"n": n + 1}, strconv.AppendInt(nil, n+1, 10), nil
					})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	target.hasCounters(t, values{"n": int64(writers * pairsOfWriter)})
}
