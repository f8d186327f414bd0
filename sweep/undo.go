package sweep

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// UndoJob is a sweep that is taken back.
type UndoJob struct {
	opts   UndoOptions
	retry  record.Retry
	report UndoReport

	done, total, restored atomic.Int64
}

// NewUndo returns a job that has not begun.
func NewUndo(o UndoOptions) *UndoJob {
	if o.Backoff <= 0 {
		o.Backoff = DefaultBackoff
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	return &UndoJob{opts: o, retry: record.Retry{Backoff: o.Backoff, Notify: o.Notify}}
}

// Snapshot returns the progress. It may be called at any time.
func (u *UndoJob) Snapshot() Snapshot {
	return Snapshot{Phase: "taking back", Done: u.done.Load(), Total: u.total.Load(), Unit: "changes", Changes: u.restored.Load()}
}

// Run restores each document that still is as the sweep left it. The report is what was done until then, also with an
// error. Errors are [ErrUnknown], [ErrUndone], [ErrInterrupted], a [*BusyError], [ErrLeaseLost], or of the documents or
// the journal. Where Run was interrupted, or documents were kept, it can be run again.
func (u *UndoJob) Run(ctx context.Context) (*UndoReport, error) {
	u.report = UndoReport{DryRun: u.opts.DryRun, StartedAt: time.Now()}
	err := u.run(ctx)
	u.report.Complete = err == nil
	u.report.Duration = time.Since(u.report.StartedAt)
	return &u.report, err
}

func (u *UndoJob) run(ctx context.Context) error {
	if err := u.find(ctx); err != nil {
		return because(ctx, err)
	}
	if u.opts.DryRun {
		return because(ctx, u.all(ctx))
	}
	held, holding, dead, err := hold(ctx, u.opts.Journal, "undo of sweep "+u.opts.ID)
	if err != nil {
		return because(ctx, err)
	}
	if err = markDead(held, u.opts.Journal, dead); err == nil {
		err = u.take(held)
	}
	return errors.Join(because(held, err), holding.end(ctx))
}

// find looks the sweep up, and those after it.
func (u *UndoJob) find(ctx context.Context) error {
	sweeps, err := u.opts.Journal.Sweeps(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(sweeps, func(s record.Sweep) bool { return s.ID == u.opts.ID })
	if i < 0 {
		return ErrUnknown
	}
	u.report.Sweep, u.report.Later = sweeps[i], nil
	if sweeps[i].State == record.SweepUndone {
		return ErrUndone
	}
	for _, s := range sweeps[:i] {
		if s.State != record.SweepUndone && s.Changes > 0 {
			u.report.Later = append(u.report.Later, s.ID)
		}
	}
	u.total.Store(sweeps[i].Changes)
	return nil
}

// take takes the sweep back, under the lease.
func (u *UndoJob) take(ctx context.Context) error {
	// Another process may have been at it before this one had the lease.
	if err := u.find(ctx); err != nil {
		return err
	}
	s := u.report.Sweep
	s.State = record.SweepUndoing
	save := func() error { return u.retry.Do(ctx, func() error { return u.opts.Journal.SaveSweep(ctx, s) }) }
	if err := save(); err != nil {
		return err
	}
	if err := u.all(ctx); err != nil {
		return err
	}
	s.UndoneAt = time.Now()
	if u.report.Moved+u.report.Refused == 0 {
		s.State = record.SweepUndone
	}
	return save()
}

// all takes back all changes, the last first.
func (u *UndoJob) all(ctx context.Context) error {
	next := int64(math.MaxInt64) // all changes from here on were taken back
	return u.retry.Do(ctx, func() error { return u.from(ctx, &next) })
}

// from takes back the changes before next, which it sets back as it goes on.
func (u *UndoJob) from(ctx context.Context, next *int64) error {
	return u.opts.Journal.Changes(ctx, u.opts.ID, func(page []record.Change) error {
		page = slices.DeleteFunc(page, func(c record.Change) bool { return c.Seq >= *next })
		for len(page) > 0 {
			n := apart(page)
			// An interruption waits until what is begun is done.
			if err := u.changes(context.WithoutCancel(ctx), page[:n]); err != nil {
				return err
			}
			u.done.Add(int64(n))
			*next = page[n-1].Seq
			page = page[n:]
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		return nil
	})
}

// docKey is what tells documents apart.
type docKey struct {
	collection record.Collection
	id         string
}

func keyOf(s record.Step) docKey { return docKey{s.Collection, s.ID} }

// apart returns how many of the changes, from the first, are of different documents, and few enough to be taken back
// side by side.
func apart(changes []record.Change) int {
	busy := make(map[docKey]bool)
	for i, c := range changes {
		for _, s := range c.Steps {
			if busy[keyOf(s)] {
				return i
			}
		}
		for _, s := range c.Steps {
			busy[keyOf(s)] = true
		}
		if len(busy) > record.MaxSteps && i > 0 {
			return i
		}
	}
	return len(changes)
}

// changes takes back changes of different documents: the last steps of all first, then those before them. Where the
// target does not take a document back, the one that has got its content keeps it, and so do all steps before.
func (u *UndoJob) changes(ctx context.Context, changes []record.Change) error {
	refused := make([]record.StepResult, len(changes))
	for back := 1; ; back++ {
		var steps []record.Step
		var of []int
		for i, c := range changes {
			switch {
			case back > len(c.Steps):
			case refused[i] != 0:
				u.count(c, refused[i])
			default:
				steps, of = append(steps, c.Steps[len(c.Steps)-back].Undo()), append(of, i)
			}
		}
		if len(steps) == 0 {
			return nil
		}
		results, err := u.apply(ctx, steps)
		if err != nil {
			return err
		}
		for n, r := range results {
			u.count(changes[of[n]], r)
			if r == record.StepTaken || r == record.StepRefused {
				refused[of[n]] = r
			}
		}
	}
}

func (u *UndoJob) apply(ctx context.Context, steps []record.Step) (results []record.StepResult, err error) {
	err = u.retry.Do(ctx, func() (err error) {
		if u.opts.DryRun {
			results, err = foresee(ctx, u.opts.Documents, steps)
		} else {
			results, err = u.opts.Documents.Apply(ctx, steps)
		}
		return err
	})
	return results, err
}

// foresee returns what applying the steps would result in, as far as the documents tell. Where these are too large to be
// held together, it reads half of them at a time.
func foresee(ctx context.Context, documents record.Documents, steps []record.Step) ([]record.StepResult, error) {
	stands := make(map[docKey][]byte)
	ids := make(map[record.Collection][]string)
	for _, s := range steps {
		ids[s.Collection] = append(ids[s.Collection], s.ID)
	}
	for c, list := range ids {
		docs, err := documents.Whole(ctx, c, list, wholeBytes)
		switch {
		case errors.Is(err, record.ErrTooMuch) && len(steps) == 1:
			return []record.StepResult{record.StepMoved}, nil // it is larger than any that the journal holds
		case errors.Is(err, record.ErrTooMuch):
			first, err := foresee(ctx, documents, steps[:len(steps)/2])
			if err != nil {
				return nil, err
			}
			second, err := foresee(ctx, documents, steps[len(steps)/2:])
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
			results[i] = record.StepAlready
		case !bytes.Equal(now, s.Before):
			results[i] = record.StepMoved
		}
	}
	return results, nil
}

func (u *UndoJob) count(c record.Change, r record.StepResult) {
	reason := LeftMoved
	switch r {
	case record.StepDone:
		u.report.Restored++
		u.restored.Add(1)
		return
	case record.StepAlready:
		u.report.Already++
		return
	case record.StepMoved:
		u.report.Moved++
	case record.StepTaken:
		u.report.Refused++
		reason = LeftTaken
	default:
		u.report.Refused++
		reason = LeftRefused
	}
	u.report.Kept = insert(u.report.Kept, Leftover{c.Collection, c.User, reason}, LeftoverCount, compareLeftovers)
}
