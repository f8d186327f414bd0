package mem

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// Runs is a [record.Runs] in memory.
type Runs struct {
	mu   sync.Mutex
	last map[string]record.EndedRun
}

// SaveRun implements [record.Runs].
func (r *Runs) SaveRun(ctx context.Context, e record.EndedRun) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = make(map[string]record.EndedRun)
	}
	r.last[e.Command] = e
	return ctx.Err()
}

// LastRuns implements [record.Runs].
func (r *Runs) LastRuns(ctx context.Context) ([]record.EndedRun, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	runs := slices.SortedFunc(maps.Values(r.last), func(a, b record.EndedRun) int { return cmp.Compare(a.Command, b.Command) })
	return runs, ctx.Err()
}
