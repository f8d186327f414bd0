package redis

import (
	"cmp"
	"context"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// Runs keeps in Redis how runs ended. See [record.Runs].
type Runs struct{ store *Store }

// Runs returns what the Redis knows of runs.
func (s *Store) Runs() Runs { return Runs{s} }

// SaveRun implements [record.Runs].
func (r Runs) SaveRun(ctx context.Context, e record.EndedRun) error {
	anyones := func(record.Owner, bool) bool { return true }
	_, err := r.store.changeEntry(ctx, "save how the run ended in redis", layout.Runs, e.Command, anyones, e)
	return err
}

// LastRuns implements [record.Runs].
func (r Runs) LastRuns(ctx context.Context) ([]record.EndedRun, error) {
	var runs []record.EndedRun
	err := r.store.entries(ctx, "read how the last runs ended in redis", layout.Runs, func(command, text string) error {
		var e record.EndedRun
		if err := decodeEntry(layout.Runs, command, text, &e); err != nil {
			return err
		}
		runs = append(runs, e)
		return nil
	})
	slices.SortFunc(runs, func(a, b record.EndedRun) int { return cmp.Compare(a.Command, b.Command) })
	return runs, err
}
