package migrate

import (
	"testing"
	"time"
)

// TestPaceClimbs has targets of several sorts written to, and looks for how many workers the pace comes to.
func TestPaceClimbs(t *testing.T) {
	const most = 16
	for name, c := range map[string]struct {
		pace   pace
		rate   func(workers int) float64 // records a second
		idle   bool                      // no batch waits
		lo, hi int
	}{
		"a target that scales":                 {climbing(4, most), func(w int) float64 { return float64(w) }, false, most, most},
		"a target that ten workers fill":       {climbing(4, most), func(w int) float64 { return float64(min(w, 10)) }, false, 8, 13},
		"a target that one worker fills":       {climbing(4, most), func(int) float64 { return 1 }, false, 1, 2},
		"a target that many workers slow down": {climbing(4, most), func(w int) float64 { return 1 / float64(max(w, 2)) }, false, 1, 3},
		"a source that is slower":              {climbing(4, most), func(w int) float64 { return float64(w) }, true, 4, 4},
		"a pinned number":                      {pinned(3), func(w int) float64 { return float64(w) }, false, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			p, sum, counted := c.pace, 0, 0
			for n := range 4000 {
				took := time.Duration(float64(p.workers) / c.rate(p.workers) * float64(time.Second))
				p.add(1000, took, !c.idle)
				if p.workers < 1 || p.workers > most {
					t.Fatalf("%d workers", p.workers)
				}
				if n >= 3000 {
					sum, counted = sum+p.workers, counted+1
				}
			}
			if mean := (sum + counted/2) / counted; mean < c.lo || mean > c.hi {
				t.Errorf("%d workers in the mean, want %d to %d", mean, c.lo, c.hi)
			}
		})
	}
}

// TestPaceGoesDownWhenLatencyRises checks that it does not rest until then.
func TestPaceGoesDownWhenLatencyRises(t *testing.T) {
	p := climbing(4, 5)
	for range 100 { // up, in vain, and back
		p.add(1000, time.Duration(p.workers)*time.Second, true)
	}
	if p.workers != 4 || p.rest == 0 {
		t.Fatalf("%d workers, resting for %d windows", p.workers, p.rest)
	}
	for range 3 * p.workers {
		p.add(1000, time.Minute, true)
	}
	if p.workers != 3 {
		t.Errorf("%d workers after the latency rose", p.workers)
	}
}
