package dynamo

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// Runs keeps in lanyardctl's own table how runs ended. See [record.Runs].
type Runs struct{ own *ownTable }

// Runs returns what the DynamoDB knows of runs.
func (s *Store) Runs() Runs { return Runs{&ownTable{Store: s}} }

const runPrefix = "run/"

// SaveRun implements [record.Runs].
func (r Runs) SaveRun(ctx context.Context, e record.EndedRun) error {
	content, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := r.own.ensure(ctx); err != nil {
		return err
	}
	if err := r.own.list(ctx, runList, e.Command, true); err != nil {
		return err
	}
	_, err = r.own.put(ctx, item{ownID: asText(runPrefix + e.Command), ownContent: asText(string(content))}, nil)
	return err
}

// LastRuns implements [record.Runs].
func (r Runs) LastRuns(ctx context.Context) ([]record.EndedRun, error) {
	rows, err := r.own.listed(ctx, runList, runPrefix)
	if err != nil {
		return nil, err
	}
	var runs []record.EndedRun
	for _, row := range rows {
		var e record.EndedRun
		if err := decodeRow(row, &e); err != nil {
			return nil, err
		}
		runs = append(runs, e)
	}
	slices.SortFunc(runs, func(a, b record.EndedRun) int { return cmp.Compare(a.Command, b.Command) })
	return runs, nil
}
