package verify

import (
	"container/heap"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// differences counts all differences and keeps the first of them, whatever the order in which they are found.
type differences struct {
	limit int
	total int64
	first lastOnTop
}

func (d *differences) add(found ...record.Difference) {
	d.total += int64(len(found))
	for _, f := range found {
		switch {
		case len(d.first) < d.limit:
			heap.Push(&d.first, f)
		case d.limit > 0 && f.Compare(d.first[0]) < 0:
			d.first[0] = f
			heap.Fix(&d.first, 0)
		}
	}
}

// sorted returns the first differences in order.
func (d *differences) sorted() []record.Difference {
	list := slices.Clone([]record.Difference(d.first))
	slices.SortFunc(list, record.Difference.Compare)
	return list
}

// lastOnTop is a [heap.Interface] with the last difference at its top.
type lastOnTop []record.Difference

func (h lastOnTop) Len() int           { return len(h) }
func (h lastOnTop) Less(i, j int) bool { return h[i].Compare(h[j]) > 0 }
func (h lastOnTop) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements [heap.Interface].
func (h *lastOnTop) Push(x any) { *h = append(*h, x.(record.Difference)) }

// Pop implements [heap.Interface].
func (h *lastOnTop) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	*h = (*h)[:last]
	return x
}
