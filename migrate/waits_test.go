package migrate

import (
	"testing"
	"time"
)

func TestWaitsAreThoseOfTheRunAndNotOfItsReaders(t *testing.T) {
	var w waiting
	if w.total() != (Waits{}) {
		t.Errorf("a run that has not begun waited: %+v", w.total())
	}
	// Two readers read side by side for ten seconds.
	w.reading.Store(int64(10 * time.Second))
	w.readers.Store(int64(20 * time.Second))
	w.forSource.Store(int64(12 * time.Second))
	w.forTarget.Store(int64(4 * time.Second))
	w.target.Store(int64(3 * time.Second)) // before and after
	if got, want := w.total(), (Waits{Source: 6 * time.Second, Target: 5 * time.Second}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
