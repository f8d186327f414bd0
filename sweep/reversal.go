package sweep

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// reversal is a change that is taken back.
type reversal struct {
	change  record.Change
	steps   []record.Step       // those that take it back, in their order
	results []record.StepResult // of each step, as it was prechecked or, where the reversal failed, in the end
	made    int                 // steps that are made
	failed  bool
}

func newReversal(c record.Change) *reversal {
	r := &reversal{change: c}
	for _, s := range slices.Backward(c.Steps) {
		r.steps = append(r.steps, s.Undo())
	}
	return r
}

// fail gives the reversal up. Documents that are as before the sweep stay so.
func (r *reversal) fail(result record.StepResult) {
	r.failed = true
	for i, is := range r.results {
		if is != record.StepNoop {
			r.results[i] = result
		}
	}
}

// cut leaves in r what was made of it, where an error ended it there.
func (r *reversal) cut() {
	if !r.failed {
		r.steps, r.results = r.steps[:r.made], r.results[:r.made]
	}
}

// docKey is what tells documents apart.
type docKey struct {
	collection record.Collection
	id         string
}

func keyOf(s record.Step) docKey { return docKey{s.Collection, s.ID} }

// blocked are the documents of reversals that failed, by the change. Changes of one document follow each other closely.
type blocked map[docKey]int64

// blockedFor is for how many changes a document is remembered, and mostBlocked how many documents.
const (
	blockedFor  = 10 * record.MaxSteps
	mostBlocked = 2 * blockedFor
)

func (s *blocked) add(r *reversal) {
	if *s == nil {
		*s = make(blocked)
	}
	for _, step := range r.steps {
		(*s)[keyOf(step)] = r.change.Seq
	}
	if len(*s) > mostBlocked {
		maps.DeleteFunc(*s, func(_ docKey, seq int64) bool { return seq > r.change.Seq+blockedFor })
	}
}

// has reports whether a later change of one of the reversal's documents was not taken back.
func (s blocked) has(r *reversal) bool {
	return slices.ContainsFunc(r.steps, func(step record.Step) bool {
		_, is := s[keyOf(step)]
		return is
	})
}

// count adds the reversal's documents to the report.
func (u *UndoJob) count(r *reversal) {
	for i, result := range r.results {
		s := r.steps[i]
		reason := LeftMoved
		switch result {
		case record.StepDone:
			u.report.Restored++
			u.restored.Add(1)
			continue
		case record.StepNoop:
			// A document that the change did not change is none that was restored.
			if !bytes.Equal(s.Before, s.After) {
				u.report.Already++
			}
			continue
		case record.StepModified:
			u.report.Moved++
		case record.StepDuplicate:
			u.report.Refused++
			reason = LeftTaken
		default:
			u.report.Refused++
			reason = LeftRefused
		}
		u.report.Kept = insert(u.report.Kept, Leftover{s.Collection, r.change.User, reason}, LeftoverCount, compareLeftovers)
	}
}

// prechecked returns what applying the steps would result in, as far as the documents tell. Where these are too large to be
// held together, it reads half of them at a time.
func prechecked(ctx context.Context, documents record.Documents, steps []record.Step) ([]record.StepResult, error) {
	stands := make(map[docKey][]byte)
	ids := make(map[record.Collection][]string)
	for _, s := range steps {
		ids[s.Collection] = append(ids[s.Collection], s.ID)
	}
	for c, list := range ids {
		docs, err := documents.Whole(ctx, c, list, wholeBytes)
		switch {
		case errors.Is(err, record.ErrTooMuch) && len(steps) == 1:
			return []record.StepResult{record.StepModified}, nil // it is larger than any that the journal holds
		case errors.Is(err, record.ErrTooMuch):
			first, err := prechecked(ctx, documents, steps[:len(steps)/2])
			if err != nil {
				return nil, err
			}
			second, err := prechecked(ctx, documents, steps[len(steps)/2:])
			return append(first, second...), err
		case err != nil:
			return nil, err
		}
		for _, d := range docs {
			stands[docKey{c, d.ID}] = d.Raw
		}
	}
	results := make([]record.StepResult, len(steps))
	for i, s := range steps {
		now := stands[keyOf(s)]
		switch {
		case bytes.Equal(now, s.After):
			results[i] = record.StepNoop
		case !bytes.Equal(now, s.Before):
			results[i] = record.StepModified
		}
	}
	return results, nil
}
