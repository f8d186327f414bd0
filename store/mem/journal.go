package mem

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// Journal is a [record.Journal] in memory, and has leases beside it, as a database does.
type Journal struct {
	Leases

	mu      sync.Mutex
	sweeps  map[string]record.Sweep
	changes map[string]map[int64]record.Change
}

// NewJournal returns a journal without sweeps.
func NewJournal() *Journal {
	return &Journal{sweeps: make(map[string]record.Sweep), changes: make(map[string]map[int64]record.Change)}
}

// Sweeps implements [record.Journal].
func (j *Journal) Sweeps(ctx context.Context) ([]record.Sweep, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []record.Sweep
	for _, s := range j.sweeps {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b record.Sweep) int {
		return cmp.Or(b.StartedAt.Compare(a.StartedAt), strings.Compare(b.ID, a.ID))
	})
	return list, ctx.Err()
}

// SaveSweep implements [record.Journal].
func (j *Journal) SaveSweep(ctx context.Context, s record.Sweep) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sweeps[s.ID] = s
	return ctx.Err()
}

// Append implements [record.Journal].
func (j *Journal) Append(ctx context.Context, changes []record.Change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range changes {
		if j.changes[c.Sweep] == nil {
			j.changes[c.Sweep] = make(map[int64]record.Change)
		}
		j.changes[c.Sweep][c.Seq] = c
	}
	return ctx.Err()
}

// Amend implements [record.Journal].
func (j *Journal) Amend(ctx context.Context, changes []record.Change) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range changes {
		if len(c.Steps) == 0 {
			delete(j.changes[c.Sweep], c.Seq)
		} else {
			j.changes[c.Sweep][c.Seq] = c
		}
	}
	return ctx.Err()
}

// Changes implements [record.Journal].
func (j *Journal) Changes(ctx context.Context, sweep string, yield func([]record.Change) error) error {
	j.mu.Lock()
	var list []record.Change
	for _, c := range j.changes[sweep] {
		list = append(list, c)
	}
	j.mu.Unlock()
	slices.SortFunc(list, func(a, b record.Change) int { return cmp.Compare(b.Seq, a.Seq) })
	return inPages(ctx, list, yield)
}

// List implements [record.Journal].
func (j *Journal) List(ctx context.Context, sweep string, yield func([]record.Change) error) error {
	return j.Changes(ctx, sweep, func(page []record.Change) error {
		for i := range page {
			page[i].Steps = nil
		}
		return yield(page)
	})
}
