package sweep

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// UndoJob is a sweep that is taken back.
type UndoJob struct {
	opts    UndoOptions
	retry   retry.Policy
	report  UndoReport
	blocked blocked

	done, total, restored atomic.Int64
}

// NewUndo returns a job that has not begun.
func NewUndo(o UndoOptions) *UndoJob {
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	retry := retry.Policy{Backoff: o.Backoff, For: o.RetryFor, Notify: retry.Notice("the target", o.Notify)}
	o.Journal = steadyJournal{o.Journal, retry}
	return &UndoJob{opts: o, retry: retry}
}

// Snapshot returns the progress. It may be called at any time.
func (u *UndoJob) Snapshot() Snapshot {
	return Snapshot{Phase: "taking back", Done: u.done.Load(), Total: u.total.Load(), Unit: "changes", Changes: u.restored.Load()}
}

// Run restores each document that still is as the sweep left it. The report is what was done until then, also with an
// error. Errors are [ErrUnknown], [ErrUndone], [record.ErrInterrupted], a [*lease.BusyError], [lease.ErrLost], or of the documents or
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
		return interruptedBy(ctx, err)
	}
	if u.opts.DryRun {
		return interruptedBy(ctx, u.all(ctx))
	}
	ending, ended := retry.Drain(ctx, retry.DrainTime+retry.SaveTime)
	defer ended()
	leaseOptions := lease.Options{Retry: u.retry, Watch: u.opts.Watch, Notify: u.opts.Notify}
	working, heldLease, err := lease.Take(ctx, u.opts.Leases, record.SweepLease, "undo of sweep "+u.opts.ID, leaseOptions)
	if err != nil {
		return interruptedBy(ctx, err)
	}
	if err = markDead(working, u.opts.Journal, heldLease.From); err == nil {
		err = u.take(working, heldLease)
	}
	err = interruptedBy(working, err)
	release(ending, heldLease, err, u.opts.Notify)
	return err
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
func (u *UndoJob) take(ctx context.Context, held *lease.Held) error {
	// Another process may have been at it before this one had the lease.
	if err := u.find(ctx); err != nil {
		return err
	}
	s := u.report.Sweep
	ended := s.State == record.SweepDone
	s.State = record.SweepUndoing
	save := func() error { return u.opts.Journal.SaveSweep(ctx, s) }
	if err := save(); err != nil {
		return err
	}
	if err := u.all(ctx); err != nil {
		return err
	}
	if !ended {
		if err := u.stragglers(ctx); err != nil {
			return err
		}
	}
	if held.Lost(ctx) {
		return lease.ErrLost
	}
	s.UndoneAt = time.Now()
	if u.report.Moved+u.report.Refused == 0 {
		s.State = record.SweepUndone
	}
	return save()
}

// all takes back all changes, the last first. Reading them is tried again from where it broke off.
func (u *UndoJob) all(ctx context.Context) error {
	next := int64(math.MaxInt64) // all changes from here on were taken back
	var failed error
	err := u.retry.Do(ctx, func() error {
		return u.opts.Journal.Changes(ctx, u.opts.ID, func(page []record.Change) error {
			page = slices.DeleteFunc(page, func(c record.Change) bool { return c.Seq >= next })
			for len(page) > 0 {
				n := independent(page)
				if failed = u.drained(ctx, page[:n]); failed != nil {
					return errEnough
				}
				u.done.Add(int64(n))
				next = page[n-1].Seq
				page = page[n:]
				if failed = ctx.Err(); failed != nil {
					return errEnough
				}
			}
			return nil
		})
	})
	if errors.Is(err, errEnough) {
		return failed
	}
	return err
}

// drained takes changes back, also where ctx is cancelled meanwhile.
func (u *UndoJob) drained(ctx context.Context, changes []record.Change) error {
	ctx, drained := retry.Drain(ctx, retry.DrainTime)
	defer drained()
	return u.changes(ctx, changes)
}

// errEnough ends the reading of changes.
var errEnough = errors.New("enough")

// stragglers looks at the last changes again, until nothing is left to do: where a sweep was killed, the target may still
// have been at what it had asked for last.
func (u *UndoJob) stragglers(ctx context.Context) error {
	for {
		before := u.report.Restored
		seen := 0
		again := &UndoJob{opts: u.opts, retry: u.retry, blocked: u.blocked}
		err := u.opts.Journal.Changes(ctx, u.opts.ID, func(page []record.Change) error {
			for len(page) > 0 && seen < record.MaxSteps {
				n := independent(page)
				if err := again.drained(ctx, page[:n]); err != nil {
					return err
				}
				seen, page = seen+n, page[n:]
			}
			if seen >= record.MaxSteps {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return err
		}
		u.report.Restored += again.report.Restored
		u.report.Already -= again.report.Restored
		if u.report.Restored == before {
			return nil
		}
	}
}

// independent returns how many of the changes, from the first, are of different documents, and few enough to be taken back
// side by side.
func independent(changes []record.Change) int {
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

// changes takes back changes of different documents. A change of several documents is taken back as a whole or not at all:
// what was merged into a document that somebody changed since, or that cannot go back, does not come back beside it. Nor
// is a change of a document taken back where a later one of it was not.
func (u *UndoJob) changes(ctx context.Context, changes []record.Change) error {
	list := make([]*reversal, len(changes))
	for i, c := range changes {
		list[i] = newReversal(c)
	}
	err := u.precheck(ctx, list)
	if err != nil {
		return err
	}
	for err == nil && !u.opts.DryRun {
		var of []*reversal
		for _, r := range list {
			if r.made < len(r.steps) && !r.failed {
				of = append(of, r)
			}
		}
		if len(of) == 0 {
			break
		}
		err = u.advance(ctx, of)
	}
	for _, r := range list {
		if err != nil {
			r.cut()
		} else if r.failed {
			u.blocked.add(r)
		}
		u.count(r)
	}
	return err
}

// advance makes the next step of each reversal.
func (u *UndoJob) advance(ctx context.Context, of []*reversal) error {
	steps := make([]record.Step, len(of))
	for i, r := range of {
		steps[i] = r.steps[r.made]
	}
	results, err := u.apply(ctx, steps)
	if err != nil {
		return err
	}
	for i, r := range of {
		if err := u.note(ctx, r, results[i]); err != nil {
			return err
		}
	}
	return nil
}

// note notes what became of a reversal's next step. Where it could not be made, those before it are made undone.
func (u *UndoJob) note(ctx context.Context, r *reversal, result record.StepResult) error {
	if result == record.StepDone || result == record.StepNoop {
		if len(r.steps) == 1 {
			r.results[0] = result
		}
		r.made++
		return nil
	}
	if result == record.StepDuplicate {
		// Where another document has the identity, somebody has made it since.
		docs, err := u.opts.Documents.Whole(ctx, r.steps[r.made].Collection, []string{r.steps[r.made].ID}, wholeBytes)
		switch {
		case errors.Is(err, record.ErrTooMuch) || len(docs) > 0:
			result = record.StepModified
		case err != nil:
			return err
		}
	}
	for r.made > 0 {
		r.made--
		if r.results[r.made] == record.StepNoop {
			continue
		}
		if _, err := u.apply(ctx, []record.Step{r.steps[r.made].Undo()}); err != nil {
			return err
		}
	}
	r.fail(result)
	return nil
}

// apply carries out steps. What is found done by a call that follows a failed one was done by that.
func (u *UndoJob) apply(ctx context.Context, steps []record.Step) (results []record.StepResult, err error) {
	calls := 0
	err = u.retry.Do(ctx, func() (err error) {
		calls++
		results, err = u.opts.Documents.Apply(ctx, steps)
		return err
	})
	for i, result := range results {
		if calls > 1 && result == record.StepNoop {
			results[i] = record.StepDone
		}
	}
	return results, err
}

// precheck finds out what the steps will result in, as far as the documents tell. That of a single document is known when
// it is made.
func (u *UndoJob) precheck(ctx context.Context, list []*reversal) error {
	var steps []record.Step
	for _, r := range list {
		r.results = make([]record.StepResult, len(r.steps))
		switch {
		case u.blocked.has(r):
			r.fail(record.StepModified)
		case len(r.steps) > 1 || u.opts.DryRun:
			steps = append(steps, r.steps...)
		}
	}
	var results []record.StepResult
	err := u.retry.Do(ctx, func() (err error) {
		results, err = prechecked(ctx, u.opts.Documents, steps)
		return err
	})
	if err != nil {
		return err
	}
	for _, r := range list {
		if r.failed || len(r.steps) == 1 && !u.opts.DryRun {
			continue
		}
		r.results, results = results[:len(r.steps):len(r.steps)], results[len(r.steps):]
		if slices.Contains(r.results, record.StepModified) {
			r.fail(record.StepModified)
		}
	}
	return nil
}
