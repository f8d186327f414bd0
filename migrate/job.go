package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// Job is one run. Make it with [New], and run it once.
type Job struct {
	opts         Options
	tracker      *tracker
	retry        retry.Policy
	sink         record.Sink // tries again
	self         record.Owner
	checkpointer *checkpointer // nil without checkpoints
	waiting      waiting
	known        *known // what the target holds as the copying begins
	report       Report
}

// New returns a job for the options, which must name a source and a sink. It reads and writes nothing.
func New(o Options) *Job {
	o = o.withDefaults()
	retry := retry.Policy{Backoff: o.Backoff, For: o.RetryFor, Notify: retry.Notice("the target", o.Notify)}
	return &Job{opts: o, retry: retry, sink: retrying{o.Sink, retry}, self: lease.Self()}
}

// Snapshot returns the run's progress. It may be called at any time, from any goroutine, after Prepare.
func (j *Job) Snapshot() Snapshot { return j.tracker.snapshot() }

// Prepare decides whether the run resumes an earlier one, and tells so. It must be called once, before
// Run.
func (j *Job) Prepare(ctx context.Context) (resumed bool, err error) {
	j.report = Report{Only: j.opts.Only, DryRun: j.opts.DryRun, StartedAt: time.Now()}
	path := j.opts.RejectsFile
	checkpoint, err := j.takeCheckpoint(ctx)
	if err != nil {
		return false, err
	}
	switch {
	case checkpoint.RejectsFile == "" || checkpoint.RejectsFile == j.opts.RejectsFile:
	// Somebody else may have written the checkpoint, and with it the name of any file.
	case !j.opts.RejectsGiven && checkpoint.Owner.Host == j.self.Host && rejectsfile.Holds(checkpoint.RejectsFile, checkpoint.ID):
		path = checkpoint.RejectsFile
	default:
		j.opts.Notify(fmt.Sprintf("the rejects of the run's first part are in %s on host %s", checkpoint.RejectsFile, checkpoint.Owner.Host))
	}
	run := rejectsfile.Run{ID: j.self.Run, Time: j.report.StartedAt, To: j.opts.To}
	if checkpoint.ID != "" {
		run.ID = checkpoint.ID // the lines of a run that is resumed belong together
	}
	rejects, superseded := rejectsfile.NewWriter(path, run), rejectsfile.NewWriter(rejectsfile.SupersededPath(path), run)
	if j.opts.DryRun {
		superseded = nil
	}
	j.tracker = newTracker(rejects, superseded)
	if j.tracker.live.Total, err = j.opts.Source.Total(ctx); err != nil {
		return false, err
	}
	if j.checkpointer == nil {
		return false, nil
	}
	j.report.Resumed = j.checkpointer.resumed
	if j.checkpointer.resumed {
		j.report.ResumedFrom = checkpoint.Heartbeat
	}
	if j.checkpointer.resumed {
		if err := json.Unmarshal(checkpoint.State, &j.tracker.base); err != nil {
			return false, fmt.Errorf("read the checkpoint of the interrupted run (--restart starts over): %w", err)
		}
		j.tracker.live.Keys = j.tracker.base.Seen.Keys
		j.tracker.live.Rejects = j.tracker.base.Rejects()
		if path == checkpoint.RejectsFile {
			rejects.Resume(j.tracker.base.Rejects() > 0)
			superseded.Resume(j.tracker.base.Superseded > 0)
		}
	}
	j.checkpointer.tracker = j.tracker
	return j.checkpointer.resumed, nil
}

// Run copies. The report is what was done, also with an error; its figures cover all that was acknowledged.
func (j *Job) Run(ctx context.Context) (*Report, error) {
	err := j.run(ctx)
	if err != nil {
		// Without room for these lines the report still is what there is to tell.
		_ = j.tracker.closeOpen()
	}
	if closeErr := j.tracker.rejects.Close(); err == nil {
		err = closeErr
	}
	if j.tracker.superseded != nil {
		if closeErr := j.tracker.superseded.Close(); err == nil {
			err = closeErr
		}
		j.report.SupersededFile, j.report.EarlierSuperseded = j.tracker.superseded.Used()
	}
	j.report.Statistics, j.report.Waits = j.tracker.total(), j.waiting.total()
	j.report.RejectsFile, j.report.EarlierRejects = j.tracker.rejects.Used()
	j.report.Duration = time.Since(j.report.StartedAt)
	return &j.report, err
}

func (j *Job) run(ctx context.Context) error {
	// Writes go on for a while after an interruption, until what was read is written; a failure cuts them short.
	draining, drained := retry.Drain(ctx, j.opts.DrainTime)
	defer drained()
	saving, saved := retry.Drain(ctx, j.opts.DrainTime+retry.SaveTime)
	defer saved()
	group, writing := errgroup.WithContext(draining)
	// Whoever waits under reading learns of an interruption by reading's own end, which knows the cause.
	reading, stopReading := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopReading(nil)
	defer context.AfterFunc(ctx, func() { stopReading(record.Interruption(ctx)) })()
	defer context.AfterFunc(writing, func() { stopReading(context.Cause(writing)) })()

	stopSaving := j.checkpointer.start(writing, group)
	group.Go(func() error {
		defer stopSaving()
		j.tracker.phase("making the target ready")
		ready := during(&j.waiting.target)
		err := j.sink.Begin(reading, j.tracker.keep)
		if err == nil {
			err = j.learn(reading)
		}
		ready()
		if err != nil {
			return interruption(reading, err)
		}
		j.tracker.phase("copying")
		if err := j.copy(reading, writing); err != nil {
			return err
		}
		j.tracker.phase("finishing the target")
		defer during(&j.waiting.target)()
		return interruption(reading, j.sink.Finish(reading, j.tracker.keep))
	})
	err := group.Wait()
	if err != nil && draining.Err() != nil { // the target did not answer in time, and would not now
		return record.Interruption(draining)
	}
	if _, away := errors.AsType[awayError](err); away {
		return err // nothing can be saved there, either
	}
	if err != nil {
		saveCtx, cancel := context.WithTimeout(saving, 5*time.Second)
		defer cancel()
		if errors.Is(err, record.ErrSourceMoved) {
			// Its positions mean nothing any more.
			if endErr := j.checkpointer.end(saveCtx); endErr != nil {
				err = errors.Join(err, endErr)
			}
			return err
		}
		// What was acknowledged is worth keeping.
		if saveErr := j.checkpointer.save(saveCtx); saveErr != nil && !errors.Is(err, saveErr) {
			err = errors.Join(err, fmt.Errorf("save the run's progress: %w", saveErr))
		}
		return err
	}
	if err := j.tracker.flush(); err != nil {
		return err
	}
	if err = j.checkpointer.end(draining); err != nil && draining.Err() != nil {
		err = record.Interruption(draining)
	}
	return err
}

// copy reads all parts and what is decided after them, and writes all that they deliver. It returns once every batch
// that was handed out has its outcomes.
func (j *Job) copy(reading, writing context.Context) error {
	writers := newWriters(j.opts.pace())
	group, ctx := errgroup.WithContext(writing)
	defer writers.wake(ctx)()
	for range writers.pace.max {
		group.Go(func() error { return writers.run(ctx, j.write) })
	}
	// A worker's failure ends the reading.
	reading, stop := context.WithCancelCause(reading)
	defer stop(nil)
	defer context.AfterFunc(ctx, func() { stop(context.Cause(ctx)) })()

	read := during(&j.waiting.reading)
	readErr := j.read(reading, ctx, writers)
	read()
	writers.close()
	defer during(&j.waiting.target)()
	if err := group.Wait(); err != nil {
		return err
	}
	if readErr != nil {
		return readErr
	}
	return j.tracker.complete()
}

func (j *Job) write(ctx context.Context, b *batch) error {
	outcomes, err := j.sink.Write(ctx, b.records, j.tracker.keep)
	if err != nil {
		return err
	}
	if len(outcomes) != len(b.records) {
		return fmt.Errorf("the target answered %d outcomes for %d records", len(outcomes), len(b.records))
	}
	return j.tracker.outcomes(b, outcomes)
}

// read reads the parts side by side, then the rest. After an interruption what was read is still handed out, through
// writing.
func (j *Job) read(reading, writing context.Context, writers *writers) error {
	parts, err := j.opts.Source.Parts(reading)
	if err != nil {
		return interruption(reading, err)
	}
	group, ctx := errgroup.WithContext(reading)
	for _, part := range parts {
		tracked := j.tracker.part(part.Name(), j.checkpointer.position(part.Name()))
		group.Go(func() error {
			return j.readPages(ctx, writing, tracked, writers, func(yield func(record.Page) error) error {
				return part.Read(ctx, tracked.position, yield)
			})
		})
	}
	if err := group.Wait(); err != nil {
		return interruption(reading, err)
	}
	j.tracker.phase("deciding what was held back")
	return interruption(reading, j.readPages(reading, writing, &j.tracker.rest, writers, func(yield func(record.Page) error) error {
		return j.opts.Source.Deferred(reading, yield)
	}))
}

// interruption returns the reason for which ctx was cancelled in place of the error that its cancellation made.
func interruption(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func (j *Job) readPages(ctx, writing context.Context, tracked *partTracker, writers *writers, read func(func(record.Page) error) error) error {
	limits := j.opts.Sink.Limits()
	batches := newBatcher(writers, j.opts, &j.waiting.forTarget)
	clock := j.waiting.newReader()
	err := read(func(in record.Page) error {
		clock.waited()
		defer clock.worked()
		for i := range in.Items {
			in.Items[i] = limits.Apply(in.Items[i])
		}
		same := j.known.unchanged(in.Items)
		pg, full := j.tracker.open(tracked, in)
		j.tracker.unchanged(pg, in.Items, same)
		for i := range in.Items {
			it := &in.Items[i]
			if it.Record == nil || same != nil && same[i] {
				continue
			}
			if err := batches.add(writing, it.Record, origin{page: pg, fieldRejects: int64(len(it.Rejects))}); err != nil {
				return err
			}
		}
		if err := j.tracker.batched(pg); err != nil {
			return err
		}
		if err := batches.endPage(writing); err != nil {
			return err
		}
		if full {
			if err := batches.flush(writing); err != nil {
				return err
			}
			defer during(&j.waiting.forTarget)()
			return j.tracker.waitForRoom(ctx, tracked)
		}
		return ctx.Err()
	})
	clock.waited() // for the end
	// What was read is written also where reading failed: the next run then has less to do.
	if flushErr := batches.flush(writing); err == nil {
		err = flushErr
	}
	clock.worked()
	return err
}

// takeCheckpoint finds the checkpoint that this run resumes, or makes a new one.
func (j *Job) takeCheckpoint(ctx context.Context) (record.Checkpoint, error) {
	if j.opts.Checkpoints == nil {
		return record.Checkpoint{}, nil
	}
	name := scope(j.opts.Source.Identity(), j.opts.Scope)
	var found []record.Checkpoint
	var target map[string]string
	err := j.retry.Do(ctx, func() (err error) {
		if found, err = j.opts.Checkpoints.Find(ctx, name); err == nil {
			target, err = j.opts.Checkpoints.Target(ctx)
		}
		return err
	})
	if err != nil {
		return record.Checkpoint{}, err
	}
	now := time.Now()
	begin := chooseStart(found, target, j.opts.Restart, now, func(c record.Checkpoint) bool { return lease.Alive(c.Owner, c.Heartbeat, j.self, now) })
	if begin.why != "" {
		j.opts.Notify(begin.why)
	}
	for _, id := range begin.obsolete {
		if err := j.retry.Do(ctx, func() error { return j.opts.Checkpoints.Remove(ctx, id) }); err != nil {
			return record.Checkpoint{}, err
		}
	}
	c := record.Checkpoint{ID: j.self.Run, Scope: name, RejectsFile: ""}
	from := j.self
	if begin.resume != nil {
		c, from = *begin.resume, begin.resume.Owner
	}
	before := c
	c.Owner, c.Heartbeat, c.Positions = j.self, now, maps.Clone(c.Positions)
	won, err := j.save(ctx, c, from)
	if err != nil {
		return record.Checkpoint{}, err
	}
	if !won {
		// Another run took the checkpoint in the same moment; this one runs beside it.
		before, c = record.Checkpoint{}, record.Checkpoint{ID: j.self.Run, Scope: name, Owner: j.self, Heartbeat: now}
		if _, err := j.save(ctx, c, j.self); err != nil {
			return record.Checkpoint{}, err
		}
	}
	j.checkpointer = &checkpointer{store: j.opts.Checkpoints, retry: j.retry, every: j.opts.SaveEvery, last: c, resumed: won && begin.resume != nil}
	return before, nil
}

// save writes the checkpoint in place of the one that from owns, and reports whether it did.
func (j *Job) save(ctx context.Context, c record.Checkpoint, from record.Owner) (won bool, err error) {
	return lease.TakeOver(ctx, j.retry, from, c.Owner, func(from record.Owner) (bool, error) { return j.opts.Checkpoints.Save(ctx, c, from) })
}
