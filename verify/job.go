package verify

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// ErrEmptied tells that the source had keys of Lanyard's at first, and none when it was read again.
var ErrEmptied = errors.New("the source was emptied while it was compared")

// Job is one comparison.
type Job struct {
	opts   Options
	retry  retry.Policy // of a pass
	report Report

	phase                            atomic.Pointer[string]
	keys, total, documents, expected atomic.Int64
	reading                          readingTimes
}

// New returns a comparison that has not begun.
func New(o Options) *Job {
	if o.Buckets <= 0 {
		o.Buckets = DefaultBuckets
	}
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	if o.Backoff <= 0 {
		o.Backoff = DefaultBackoff
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	again := retry.Policy{Backoff: o.Backoff, For: o.RetryFor, Notify: retry.Notice("a server", o.Notify)}
	return &Job{opts: o, retry: again}
}

// Snapshot returns the progress. It may be called at any time.
func (j *Job) Snapshot() Snapshot {
	s := Snapshot{Keys: j.keys.Load(), Total: j.total.Load(), Documents: j.documents.Load(), Expected: j.expected.Load()}
	if phase := j.phase.Load(); phase != nil {
		s.Phase = *phase
	}
	return s
}

// Run compares. The report is what was found until then, also with an error. An error of a cancelled context is an
// [record.ErrInterrupted].
func (j *Job) Run(ctx context.Context) (*Report, error) {
	j.report = Report{Only: j.opts.Kinds, Exact: j.opts.Compare.Exact, CountsOnly: j.opts.CountsOnly, StartedAt: time.Now()}
	var err error
	if j.opts.CountsOnly {
		err = j.compareCounts(ctx)
	} else {
		err = j.compareContent(ctx)
	}
	if err != nil && ctx.Err() != nil {
		err = record.Interruption(ctx)
	}
	j.report.Complete = err == nil
	j.report.Duration = time.Since(j.report.StartedAt)
	j.report.SourceTime, j.report.TargetTime = time.Duration(j.reading.source.Load()), time.Duration(j.reading.target.Load())
	return &j.report, err
}

// compareContent sums up both sides, and drills down into what differs until nothing does or the rechecks are used up.
func (j *Job) compareContent(ctx context.Context) error {
	var t *summary
	err := j.pass(ctx, "comparing", func() (err error) {
		t, err = j.summarize(ctx)
		j.report.Seen = t.seen
		j.report.take(t.agreeing())
		return err
	})
	if err != nil {
		return err
	}
	j.expected.Store(j.documents.Load())
	settled, open := t.agreeing(), t.differing()
	for round := 0; len(open) > 0; round++ {
		if round > 0 {
			if err := j.pause(ctx, round); err != nil {
				return err
			}
		}
		result, err := j.round(ctx, t, open, round)
		if err != nil {
			return err
		}
		settled.add(result.agreeing)
		all := settled.clone()
		all.add(result.differing)
		j.report.take(all)
		j.report.Differences, j.report.Total = result.found.sorted(), result.found.total
		open = result.open
		if round == j.opts.Recheck {
			break
		}
	}
	return nil
}

// outcome is what a round of drilling down found.
type outcome struct {
	found               differences
	open                []int   // buckets that still differ
	agreeing, differing figures // of the other buckets, and of these
}

// round compares the buckets one by one, in as many passes as the memory takes.
func (j *Job) round(ctx context.Context, t *summary, list []int, round int) (*outcome, error) {
	none := figures{of: j.opts.Kinds}
	o := &outcome{found: differences{limit: j.opts.MaxDifferences}, agreeing: none, differing: none}
	for len(list) > 0 {
		n := t.fitting(list, j.opts.Memory)
		phase := "looking closer"
		if round > 0 {
			phase = fmt.Sprintf("looking again (%d of %d)", round, j.opts.Recheck)
			j.report.Rechecks++
		}
		var c *drillDown
		err := j.pass(ctx, phase, func() (err error) {
			c, err = j.drillDown(ctx, list[:n])
			return err
		})
		if err != nil {
			return nil, err
		}
		if !j.opts.Named && t.seen.Known() > 0 && c.seen.Known() == 0 {
			return nil, ErrEmptied
		}
		o.take(c, list[:n])
		list = list[n:]
	}
	return o, nil
}

func (o *outcome) take(c *drillDown, list []int) {
	for _, b := range list {
		if c.differ[b] {
			o.open = append(o.open, b)
			o.differing.add(*c.wanted[b])
		} else {
			o.agreeing.add(*c.wanted[b])
		}
	}
	o.found.total += c.found.total - int64(len(c.found.first))
	o.found.add(c.found.first...)
}

// fitting returns how many of the buckets fit the memory together, at least one.
func (t *summary) fitting(list []int, memory int64) int {
	var cost int64
	for n, b := range list {
		cost += t.source.buckets[b].cost + costOfBucket
		if n > 0 && cost > memory {
			return n
		}
	}
	return len(list)
}

// pause waits before what differs is read again.
func (j *Job) pause(ctx context.Context, round int) error {
	phase := fmt.Sprintf("waiting to look again (%d of %d)", round, j.opts.Recheck)
	j.phase.Store(&phase)
	return retry.Sleep(ctx, j.opts.RecheckDelay)
}

// pass reads both sides once. It begins again where a server was unavailable in between.
func (j *Job) pass(ctx context.Context, phase string, read func() error) error {
	j.phase.Store(&phase)
	return j.retry.Do(ctx, func() error {
		j.keys.Store(0)
		j.documents.Store(0)
		j.report.Passes++
		return read()
	})
}
