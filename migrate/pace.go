package migrate

import "time"

// pace finds out by how many workers a target is best written to. It climbs: more workers stay where they write more
// records a second, fewer where they write about as many; else it goes back, and tries the other way after a while. Only
// what it measures while batches wait says anything of the target.
type pace struct {
	workers   int // that write at a time
	min, max  int
	before    int     // workers before the change that is being tried
	rate      float64 // records a second, then
	trying    bool
	direction int // of the next try: 1 for more, -1 for fewer
	rest      int // windows until then

	// What was measured since the last decision.
	batches, waited, records int
	took                     time.Duration
}

// The climb, in windows of some batches a worker.
const (
	gain    = 1.05 // what more workers have to bring
	loss    = 0.95 // what fewer may cost
	slower  = 0.8  // of the rate, which makes it try fewer at once
	resting = 8    // windows after a try that was in vain
)

// pinned is the pace of a number that a person or the target chose.
func pinned(workers int) pace { return pace{workers: workers, min: workers, max: workers} }

// climbing is the pace of a number that is still to be found.
func climbing(from, most int) pace { return pace{workers: from, min: 1, max: most, direction: 1} }

// add enters how long a batch took, and whether another one waited at its end.
func (p *pace) add(records int, took time.Duration, waited bool) {
	p.batches++
	if p.min == p.max || p.batches <= p.workers { // begun before the last change
		return
	}
	p.records += records
	p.took += took
	if waited {
		p.waited++
	}
	if p.batches < 3*p.workers {
		return
	}
	if rate := float64(p.workers) * float64(p.records) / max(p.took, 1).Seconds(); 2*p.waited >= p.batches-p.workers {
		p.decide(rate)
	}
	p.batches, p.waited, p.records, p.took = 0, 0, 0, 0
}

func (p *pace) decide(rate float64) {
	was := p.rate
	p.rate = rate
	switch {
	case p.trying && (p.workers > p.before && rate < gain*was || p.workers < p.before && rate < loss*was):
		p.workers, p.rate = p.before, was
		p.settle()
	case p.trying:
		p.try()
	case rate < slower*was:
		p.direction = -1
		p.try()
	case p.rest > 0:
		p.rest--
	default:
		p.try()
	}
}

// try changes the number by a quarter, where there is another one in that direction.
func (p *pace) try() {
	p.before = p.workers
	p.workers = min(max(p.workers+p.direction*max(p.workers/4, 1), p.min), p.max)
	if p.trying = p.workers != p.before; !p.trying {
		p.settle()
	}
}

func (p *pace) settle() {
	p.trying, p.direction, p.rest = false, -p.direction, resting
}
