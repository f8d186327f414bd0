package sweep

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// Job is one sweep.
type Job struct {
	opts   Options
	retry  retry.Policy
	report Report
	places places

	expected map[record.Collection]int64
	defects  []defect
	keyless  bool // several documents of API keys have no key
	queues   [collectionCount]queue

	sweep record.Sweep
	seq   int64

	phaseName   atomic.Pointer[string]
	unit        atomic.Pointer[string]
	done, total atomic.Int64
	changesMade atomic.Int64
}

// New returns a sweep that has not begun.
func New(o Options) *Job {
	if o.Memory <= 0 {
		o.Memory = DefaultMemory
	}
	o.Memory = min(o.Memory, MostMemory)
	if o.Chunk <= 0 {
		o.Chunk = DefaultChunk
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	if o.Now.IsZero() {
		o.Now = time.Now()
	}
	j := &Job{opts: o, retry: retry.Policy{Backoff: o.Backoff, For: o.RetryFor, Notify: retry.Notice("the target", o.Notify)}}
	if o.Journal != nil {
		j.opts.Journal = steadyJournal{o.Journal, j.retry}
	}
	for i := range j.queues {
		j.queues[i].size = min(firstPiece, o.Chunk)
	}
	return j
}

// The units of a [Snapshot].
const (
	unitDocuments = "documents"
	unitEntries   = "entries"
)

func (j *Job) phase(name string, total int64, unit string) {
	j.phaseName.Store(&name)
	j.unit.Store(&unit)
	j.total.Store(total)
	j.done.Store(0)
}

// Snapshot returns the progress. It may be called at any time.
func (j *Job) Snapshot() Snapshot {
	s := Snapshot{Unit: unitDocuments, Done: j.done.Load(), Total: j.total.Load(), Changes: j.changesMade.Load()}
	if phase, unit := j.phaseName.Load(), j.unit.Load(); phase != nil && unit != nil {
		s.Phase, s.Unit = *phase, *unit
	}
	return s
}

// bounds returns which of a user's dates are plausible.
func (j *Job) bounds(user record.UserID) record.Bounds {
	return record.TimeBounds(record.MonitoringSince, user, j.opts.Now)
}

// Run sweeps. The report is what was found and done until then, also with an error. Nothing is changed before every
// source was read. Errors are [record.ErrInterrupted] where ctx was cancelled, a [*lease.BusyError], [lease.ErrLost], or of a source,
// the documents or the journal.
func (j *Job) Run(ctx context.Context) (*Report, error) {
	j.report = Report{
		DryRun: j.opts.DryRun, Dedupe: j.opts.Dedupe, Before: map[int]int64{}, After: map[int]int64{}, StartedAt: time.Now(),
	}
	for _, c := range record.UserCollections {
		j.report.Collections = append(j.report.Collections, CollectionFigures{Collection: c})
	}
	err := j.run(ctx)
	j.report.Complete = err == nil
	j.report.Duration = time.Since(j.report.StartedAt)
	return &j.report, err
}

func (j *Job) run(ctx context.Context) (err error) {
	if j.places, err = newPlaces(j.opts.Dates); err != nil {
		return err
	}
	for _, p := range j.places.list {
		j.report.Places = append(j.report.Places, PlaceFigures{Place: p})
	}
	if j.opts.DryRun {
		return interruptedBy(ctx, j.all(ctx))
	}
	j.sweep = record.Sweep{
		ID: newID(j.report.StartedAt), State: record.SweepRunning,
		Version: j.opts.Version, Options: j.opts.Described, StartedAt: j.report.StartedAt,
	}
	ending, ended := retry.Drain(ctx, retry.DrainTime+retry.SaveTime)
	defer ended()
	leaseOptions := lease.Options{Retry: j.retry, Watch: j.opts.Watch, Notify: j.opts.Notify}
	working, heldLease, err := lease.Take(ctx, j.opts.Leases, record.SweepLease, "sweep "+j.sweep.ID, leaseOptions)
	if err != nil {
		return interruptedBy(ctx, err)
	}
	j.sweep.Owner = heldLease.Lease.Owner
	err = markDead(working, j.opts.Journal, heldLease.From)
	if err == nil {
		err = j.all(working)
	}
	if err = interruptedBy(working, err); err == nil && heldLease.Lost(ctx) {
		err = lease.ErrLost
	}
	err = errors.Join(err, j.end(ending, err))
	release(ending, heldLease, err, j.opts.Notify)
	return err
}

// newID returns the ID of a sweep that begins now. IDs of later sweeps sort after those of earlier ones.
func newID(now time.Time) string {
	var b [2]byte
	// It never fails, as its documentation says.
	_, _ = rand.Read(b[:])
	return strings.Replace(now.UTC().Format("20060102-150405.000-"), ".", "-", 1) + hex.EncodeToString(b[:])
}

// all reads, sorts and changes.
func (j *Job) all(ctx context.Context) (err error) {
	if j.expected, err = j.opts.Documents.Contents(ctx); err != nil {
		return err
	}
	s := newSorter(j.opts.TempDir, j.opts.Memory)
	defer func() { err = errors.Join(err, s.close()) }()
	g := &collector{job: j, sorter: s, known: make(map[defect]uint16)}
	if err := g.run(ctx); err != nil {
		return err
	}
	j.defects = g.defects
	j.phase(j.working(), s.count, unitEntries)
	return j.byUser(ctx, s)
}

func (j *Job) working() string {
	if j.opts.DryRun {
		return "comparing"
	}
	return "fixing"
}

// journalled writes changes to the journal before they are made.
func (j *Job) journalled(ctx context.Context, changes []*change) error {
	entries := make([]record.Change, len(changes))
	for i, c := range changes {
		j.seq++
		c.entry.Sweep, c.entry.Seq = j.sweep.ID, j.seq
		entries[i] = c.entry
	}
	j.report.ID, j.sweep.Changes = j.sweep.ID, j.seq
	if err := j.opts.Journal.SaveSweep(ctx, j.sweep); err != nil {
		return err
	}
	if err := j.opts.Journal.Append(ctx, entries); err != nil {
		return err
	}
	j.changed(len(changes))
	return nil
}

// end writes how the sweep ended, where it changed anything.
func (j *Job) end(ctx context.Context, cause error) error {
	if j.report.ID == "" || errors.Is(cause, lease.ErrLost) {
		return nil
	}
	ctx, cancel := bounded(ctx, cause)
	defer cancel()
	j.sweep.State, j.sweep.EndedAt, j.sweep.Changes = record.SweepDone, time.Now(), j.report.Changes
	if cause != nil {
		j.sweep.State = record.SweepInterrupted
	}
	return j.opts.Journal.SaveSweep(ctx, j.sweep)
}
