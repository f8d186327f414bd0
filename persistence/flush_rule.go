package persistence

import (
	"errors"
	"math"

	"github.com/lanyardctl/lanyardctl/record"
)

// flushRule decides what becomes of one counter in one store.
//
// A total is what stood there when the first flush came (the base), and for each instance how much it has counted since
// then. An instance has counted what its scraped value has increased by; where the value is lower than before, the
// instance has started again at zero and has counted all of it. This is also how Prometheus reads a counter.
//
// Each store has a note of its own, written in one step with the counters. A repeated flush finds there what it has
// scraped already, and adds nothing. The notes of several stores are merged, instance by instance: the one that says the
// most is right, as none counts anything that was not scraped. So a store that missed flushes catches up, also where the
// instance was started again meanwhile.
//
// The fork writes its counters to the stores as well, every 60 seconds. Nothing is counted twice by that: it begins with
// what is stored, so that what it writes and what it is scraped for are one and the same total. What counts is the scraped
// value alone, and what the fork wrote meanwhile is only kept from being lowered.
//
// What the rule cannot know:
//   - A counter that goes down and up again without having been at zero counts as one that was started again. One that
//     was started again, and is beyond its last scraped value at the next scrape, counts as one that went on.
//   - What an instance counts between its last scrape and its end is lost, unless it is the fork, which may have stored it.
//   - The fork starts at zero where it could not read the stores. If it is started again after that and can read them, its
//     value goes up by what it read, which looks like an increase.
//   - Of several nodes of the fork each begins with all that is stored, and each overwrites what the others store: what is
//     stored is no sum of theirs without lanyardctl, either. A node that is new here adds only what it has beyond the total;
//     one that is started again looks as above. Several instances of upstream are exact.
type flushRule struct {
	app      record.App
	inDoubt  bool // as in [Scrape]
	instance string
	scraped  record.Value

	// before is the largest stored value that was seen before the scrape. What the fork is scraped for has it, if the
	// fork began with it.
	before record.Value
}

// counterState is what a note says of one counter.
type counterState struct {
	Base      number             `json:"base"`
	Instances map[string]counted `json:"instances"`

	// Above is by how much the stored value was larger than the total, since the fork wrote it: to be counted only where
	// the fork turns out not to have it.
	Above number `json:"above,omitzero"`
}

// counted is what an instance has counted, and its value at the last flush.
type counted struct {
	Count number `json:"count"`
	Seen  number `json:"seen"`
}

// known reports whether there was a flush.
func (s counterState) known() bool { return len(s.Instances) > 0 }

// total returns the base and all that was counted.
func (s counterState) total() (record.Value, error) {
	sum := s.Base.value()
	var err error
	for _, c := range s.Instances {
		if sum, err = add(sum, c.Count.value()); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// knows reports whether the instance was flushed before.
func (r flushRule) knows(s counterState) bool {
	_, known := s.Instances[r.instance]
	return known
}

// overtaken reports whether the store's note of the instance changed after the scrape, or just before.
func (r flushRule) overtaken(seen, now counterState) bool {
	then, before := seen.Instances[r.instance]
	c, exists := now.Instances[r.instance]
	switch {
	case !exists:
		return before // somebody took the note away
	case record.Equal(c.Seen.value(), r.scraped):
		return false // as where this flush wrote it, and is repeated since the store did not answer
	}
	return !before || !record.Equal(c.Seen.value(), then.Seen.value())
}

// apply returns what is to be stored where the store holds stored, nil for nothing, and the new state. States are those of
// all stores, the store's own first.
func (r flushRule) apply(stored record.Value, states []counterState) (record.Value, counterState, error) {
	next, err := r.merge(states)
	if err != nil {
		return nil, next, err
	}
	if !r.knows(next) {
		if err := r.begin(&next); err != nil {
			return nil, next, err
		}
	}
	total, err := next.total()
	if err != nil || stored == nil || record.CompareNumbers(stored, total) <= 0 {
		return total, next, err
	}
	stored = whole(stored)
	above := subtract(stored, total)
	if r.app == record.Fork {
		next.Above = number{above}
		return stored, next, nil
	}
	next.Base.v, err = add(next.Base.value(), above) // upstream stores nothing: somebody else has raised it
	return stored, next, err
}

// merge returns the state that the states make together, with the scraped value counted where the instance is known.
func (r flushRule) merge(states []counterState) (counterState, error) {
	merged := counterState{Instances: make(map[string]counted)}
	for _, s := range states {
		base, err := r.base(s)
		if err != nil {
			return merged, err
		}
		merged.Base.v = larger(merged.Base.value(), base)
		for name, c := range s.Instances {
			if name == r.instance {
				if c.Count.v, err = add(c.Count.value(), r.increase(c)); err != nil {
					return merged, err
				}
				c.Seen.v = r.scraped
			}
			if other, known := merged.Instances[name]; !known || c.compare(other) > 0 {
				merged.Instances[name] = c
			}
		}
	}
	return merged, nil
}

// base returns the base of s, and with it what stood above the total where the fork does not have it.
func (r flushRule) base(s counterState) (record.Value, error) {
	if s.Above.v == nil {
		return s.Base.value(), nil
	}
	left, err := s.total()
	if err == nil {
		left, err = add(left, s.Above.value())
	}
	if err != nil || r.app == record.Fork && record.CompareNumbers(r.scraped, left) >= 0 {
		return s.Base.value(), err
	}
	return add(s.Base.value(), s.Above.value())
}

// increase returns what the instance has counted since the last flush.
func (r flushRule) increase(c counted) record.Value {
	if record.CompareNumbers(r.scraped, c.Seen.value()) < 0 {
		return r.scraped
	}
	return subtract(r.scraped, c.Seen.value())
}

// compare tells which of two states of an instance is the later one. Of two that have counted the same, the instance was
// started again before the one with the lower value.
func (c counted) compare(o counted) int {
	if n := record.CompareNumbers(c.Count.value(), o.Count.value()); n != 0 {
		return n
	}
	return -record.CompareNumbers(c.Seen.value(), o.Seen.value())
}

// begin counts an instance that was not flushed before.
func (r flushRule) begin(s *counterState) error {
	first := !s.known()
	total, err := s.total()
	if err != nil {
		return err
	}
	if first {
		s.Base.v, total = r.before, r.before
	}
	count := r.scraped
	if r.app == record.Fork || r.inDoubt && first {
		switch {
		case record.CompareNumbers(count, total) >= 0:
			count = subtract(count, total) // the fork began with what was stored
		case !first:
			count = int64(0) // it began with what was stored then, before the other instances were flushed
		}
	}
	s.Instances[r.instance] = counted{Count: number{count}, Seen: number{r.scraped}}
	return nil
}

// errTooLarge tells that a counter cannot be stored.
var errTooLarge = errors.New("the sum is larger than a number can be")

// add returns the sum of two numbers from zero up: exact where both are integers.
func add(a, b record.Value) (record.Value, error) {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			if x > math.MaxInt64-y {
				return nil, errTooLarge
			}
			return x + y, nil
		}
	}
	sum := float(a) + float(b)
	if math.IsInf(sum, 0) {
		return nil, errTooLarge
	}
	return whole(sum), nil
}

// subtract returns a - b, where b is from zero up and not larger than a.
func subtract(a, b record.Value) record.Value {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			return x - y
		}
	}
	return whole(max(float(a)-float(b), 0))
}

func larger(a, b record.Value) record.Value {
	if record.CompareNumbers(a, b) < 0 {
		return b
	}
	return a
}

func float(v record.Value) float64 {
	if n, ok := v.(int64); ok {
		return float64(n)
	}
	return v.(float64)
}

// whole returns a whole number that a float64 holds exactly as an int64, and any other as it is.
func whole(v record.Value) record.Value {
	const exact = 1 << 53
	if f, ok := v.(float64); ok && f == math.Trunc(f) && math.Abs(f) <= exact {
		return int64(f)
	}
	return v
}
