package verify

import (
	"maps"

	"github.com/lanyardctl/lanyardctl/record"
)

// figures are what is known of some buckets.
type figures struct {
	kinds   [record.KindCount]Counts
	reasons map[record.Reason]int64 // values that are rejected; nil for none
	future  int64                   // of them, dates that lie in the future
}

func (f *figures) add(o figures) {
	for kind := range f.kinds {
		f.kinds[kind].Add(o.kinds[kind])
	}
	for reason, n := range o.reasons {
		f.reject(reason, n)
	}
	f.future += o.future
}

// clone returns a copy that shares nothing with f.
func (f figures) clone() figures {
	f.reasons = maps.Clone(f.reasons)
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
		f.kinds[it.Kind].Rejected++
		f.kinds[it.Kind].Source++
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
