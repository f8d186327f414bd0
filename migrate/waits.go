package migrate

import (
	"sync/atomic"
	"time"
)

// Waits are how much of a run's time went to waiting for its two ends. The rest is the run's own work, as far as that is
// not done while it waits.
type Waits struct {
	Source time.Duration // until it delivered the next page
	Target time.Duration // until it was ready, had room for the next batch, and had taken the last one
}

// waiting sums up what a run waits for. All are nanoseconds.
type waiting struct {
	target  atomic.Int64 // in which the run as a whole waited for it
	reading atomic.Int64 // from the start of the first reader to the end of the last

	// Those of all readers together, which read side by side.
	readers, forSource, forTarget atomic.Int64
}

// during returns a function that adds the time since the call to sum.
func during(sum *atomic.Int64) (ended func()) {
	began := time.Now()
	return func() { sum.Add(int64(time.Since(began))) }
}

// total returns the waits of the run.
func (w *waiting) total() Waits {
	share := 0.0
	if all := w.readers.Load(); all > 0 {
		share = float64(w.reading.Load()) / float64(all)
	}
	of := func(readers *atomic.Int64) time.Duration { return time.Duration(float64(readers.Load()) * share) }
	return Waits{Source: of(&w.forSource), Target: of(&w.forTarget) + time.Duration(w.target.Load())}
}

// reader is the clock of one reader.
type reader struct {
	*waiting
	since time.Time
}

// newReader returns the clock of a reader that waits for the source from now on.
func (w *waiting) newReader() *reader { return &reader{w, time.Now()} }

// waited tells that the reader has waited for the source since the last call of worked. It ends with the next one.
func (r *reader) waited() { r.lap(&r.forSource) }

// worked tells that the reader is done with what the source delivered.
func (r *reader) worked() { r.lap(nil) }

func (r *reader) lap(sum *atomic.Int64) {
	now := time.Now()
	passed := int64(now.Sub(r.since))
	r.since = now
	r.readers.Add(passed)
	if sum != nil {
		sum.Add(passed)
	}
}
