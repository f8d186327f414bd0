package verify

import (
	"maps"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// figures are what is known of some buckets.
type figures struct {
	of      record.Kinds            // those of the run, from the start
	kinds   []Counts                // of these kinds, in their order; nil for zeros
	reasons map[record.Reason]int64 // values that are rejected; nil for none
	future  int64                   // of them, dates that lie in the future
}

// counts returns those of a kind.
func (f *figures) counts(kind record.Kind) *Counts {
	if f.kinds == nil {
		f.kinds = make([]Counts, f.of.Len())
	}
	return &f.kinds[f.of.Index(kind)]
}

// add adds o, which is of the same kinds.
func (f *figures) add(o figures) {
	if f.kinds == nil {
		f.kinds = make([]Counts, f.of.Len())
	}
	for i, counts := range o.kinds {
		f.kinds[i].Add(counts)
	}
	for reason, n := range o.reasons {
		f.reject(reason, n)
	}
	f.future += o.future
}

// clone returns a copy that shares nothing with f.
func (f figures) clone() figures {
	f.kinds, f.reasons = slices.Clone(f.kinds), maps.Clone(f.reasons)
	return f
}

func (f *figures) reject(reason record.Reason, n int64) {
	if f.reasons == nil {
		f.reasons = make(map[record.Reason]int64)
	}
	f.reasons[reason] += n
}

// rejects counts what is rejected of an item.
func (f *figures) rejects(it record.Item) {
	if it.Record == nil {
		f.counts(it.Kind).Rejected++
		f.counts(it.Kind).Source++
	}
	for _, reject := range it.Rejects {
		f.reject(reject.Reason, 1)
		if record.InFuture(reject.Reason, reject.Detail) {
			f.future++
		}
	}
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Source += o.Source
	c.Target += o.Target
	c.Missing += o.Missing
	c.Different += o.Different
	c.Extra += o.Extra
	c.Rejected += o.Rejected
	c.Agreeing += o.Agreeing
	c.Ahead += o.Ahead
	c.Kept += o.Kept
	c.Mistyped += o.Mistyped
	c.Numeric += o.Numeric
}
