package mirror

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// Job is one run of a mirror. Make it with [New], and run it once.
type Job struct {
	opts     Options
	marks    *marks
	losses   losses
	files    files
	problems *problems
	stats    statistics
	report   Report
	lost     record.Kinds // of which the last comparison had too much to delete; only comparisons use it

	mu         sync.Mutex
	standby    bool
	held       *lease.Held
	session    *Session
	why        string // no better way
	way        record.FeedWay
	sessions   int64
	copied     bool
	asked      string // why both sides have to be compared; empty where they do not
	comparing  bool
	notBefore  time.Time // nothing is compared
	reconciled int64
	took       time.Duration              // the last comparison
	lastTime   time.Time                  // of the last comparison that came to its end
	rejects    int64                      // values of the source that it found to be none
	claims     map[record.UserID][]string // that it found; see [Compared]
	told       State
	asking     chan struct{} // holds one element once both sides have to be compared
	newSession chan struct{} // is closed when there is another session, or none any more
}

// New returns a mirror of the options. It reads and writes nothing.
func New(o Options) *Job {
	o = o.withDefaults()
	j := &Job{
		opts: o, losses: losses{allowed: o.AllowShrinking}, asking: make(chan struct{}, 1), newSession: make(chan struct{}),
		standby: !o.Beside, copied: o.Beside,
	}
	j.marks = newMarks(o.Kinds, j.ask)
	j.marks.deaf = o.Beside // the other process follows them
	j.report.StartedAt = time.Now()
	j.files = newFiles(o.RejectsFile, rejectsfile.Run{ID: lease.Self().Run, Time: j.report.StartedAt})
	j.problems = newProblems(j.files.rejects)
	return j
}

// errCaughtUp ends a run that was to end then.
var errCaughtUp = errors.New("caught up")

// Run mirrors until ctx ends, which is no error, or until it is caught up where that was asked for. The report is what was
// done, also with an error. It may be called once.
func (j *Job) Run(ctx context.Context) (*Report, error) {
	err := j.run(ctx)
	if closeErr := errors.Join(j.problems.flush(), j.files.rejects.Close(), j.files.superseded.Close()); err == nil {
		err = closeErr
	}
	r := &j.report
	r.Snapshot, r.Why, r.Duration = j.Snapshot(), j.why, time.Since(r.StartedAt)
	r.RejectsFile, r.EarlierRejects = j.files.rejects.Used()
	r.SupersededFile, r.EarlierSuperseded = j.files.superseded.Used()
	if r.Quiet = r.LastChange; r.Quiet.IsZero() {
		r.Quiet = r.StartedAt
	}
	return r, err
}

func (j *Job) run(ctx context.Context) error {
	if j.opts.Beside {
		return j.mirror(ctx)
	}
	for {
		leading, held, err := j.lead(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		j.losses.missed()
		j.set(func() { j.standby, j.copied, j.asked, j.held = false, false, "the run began", held })
		err = j.mirror(leading)
		lost := errors.Is(context.Cause(leading), lease.ErrLost) || errors.Is(err, lease.ErrLost)
		releasing, released := retry.Drain(ctx, retry.SaveTime)
		if releaseErr := held.Release(releasing); err == nil && !lost && ctx.Err() == nil {
			err = releaseErr
		}
		released()
		if !lost || ctx.Err() != nil {
			return err
		}
		j.opts.Notify("another process took the lease over, since this one did not report for too long: waiting until that one ends")
		j.set(func() { j.standby, j.session, j.way = true, nil, "" })
	}
}

// SyncLease is the name of the lease of whoever mirrors into a target.
const SyncLease = "sync"

// standbyEvery is how often a standby looks whether the lease is free.
const standbyEvery = time.Second

// lead waits until this process has the lease.
func (j *Job) lead(ctx context.Context) (context.Context, *lease.Held, error) {
	told := ""
	tell := func(text string) {
		if text != told {
			told = text
			j.opts.Notify(text)
		}
	}
	var troubled trouble
	for {
		leading, held, err := lease.Take(ctx, j.opts.Leases, SyncLease, j.opts.Doing+": "+string(Connecting), lease.Options{
			Retry: retry.Policy{For: time.Second}, Notify: func(string) {}, Doing: j.doing,
		})
		busy, taken := errors.AsType[*lease.BusyError](err)
		switch {
		case err == nil:
			return leading, held, nil
		case taken:
			o := busy.Lease.Owner
			tell(fmt.Sprintf("another sync has the lease (host %s, process %d): standing by, to take over when that one ends", o.Host, o.PID))
			err = retry.Sleep(ctx, standbyEvery)
		default:
			err = j.endure(ctx, "take the lease", &troubled, err)
		}
		if err != nil {
			return nil, nil, err
		}
	}
}

// doing says for whoever looks at the lease how the mirror stands.
func (j *Job) doing() string {
	s := j.Snapshot()
	text := fmt.Sprintf("%s: %s", j.opts.Doing, s.State)
	if s.Way != "" {
		text += fmt.Sprintf(" (%s), %d waiting, lag %s", s.Way, s.Waiting, s.Lag.Round(time.Millisecond))
	}
	return text
}

// mirror keeps the target equal to the source until ctx ends.
func (j *Job) mirror(ctx context.Context) error {
	sink, err := j.openSink(ctx)
	if err != nil {
		return err
	}
	group, working := errgroup.WithContext(ctx)
	group.Go(func() error { return j.follow(working) })
	group.Go(func() error { return j.compareAgain(working) })
	group.Go(func() error { return j.work(working, sink) })
	err = group.Wait()
	if s := j.current(); s != nil {
		err = errors.Join(err, s.close())
	}
	switch {
	case errors.Is(err, errCaughtUp):
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}

// openSink waits for a target that is away: a standby may take over in just that moment.
func (j *Job) openSink(ctx context.Context) (Sink, error) {
	var troubled trouble
	for {
		sink, err := j.opts.Sink(ctx)
		if err == nil || !errors.Is(err, record.ErrUnavailable) {
			return sink, err
		}
		if err := j.endure(ctx, "open the target", &troubled, err); err != nil {
			return nil, err
		}
	}
}

func (s *Session) close() error { return errors.Join(s.Feed.Close(), s.Close()) }

// follow opens one session after the other, and has their feeds make marks.
func (j *Job) follow(ctx context.Context) error {
	var troubled trouble
	for first := true; ; first = false {
		s, err := j.opts.Open(ctx)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				err = s.close()
			}
			return err
		case err != nil && first && !errors.Is(err, record.ErrUnavailable):
			return err
		case err != nil:
			if err := j.endure(ctx, "open the source", &troubled, unavailable{err}); err != nil {
				return err
			}
			continue
		}
		j.recovered("the source", &troubled)
		j.use(s)
		err = s.Feed.Follow(ctx, j.marks)
		if ctx.Err() != nil {
			return nil // whoever ends the run closes the session
		}
		j.use(nil)
		why := "the feed ended"
		if err != nil {
			why = err.Error()
		}
		j.opts.Notify("changes may have been missed (" + why + "): opening the source anew, and comparing")
		if closeErr := s.close(); closeErr != nil && err == nil {
			j.opts.Notify(closeErr.Error())
		}
		j.ask(why)
	}
}

// unavailable is an error of what may be there again at any time.
type unavailable struct{ error }

func (e unavailable) Unwrap() []error { return []error{e.error, record.ErrUnavailable} }

// use makes s the session.
func (j *Job) use(s *Session) {
	way, why := record.FeedWay(""), ""
	if s != nil {
		way, why = s.Feed.Way()
	}
	another := false
	j.set(func() {
		j.session, j.way = s, way
		if s != nil {
			j.sessions++
			another = why != j.why && why != ""
			j.why = why
		}
		close(j.newSession)
		j.newSession = make(chan struct{})
	})
	if another {
		j.opts.Notify("no better way to see changes: " + why)
	}
}

func (j *Job) current() *Session {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.session
}

// opened waits until there is a session, and a copy.
func (j *Job) opened(ctx context.Context, copied bool) (*Session, error) {
	for {
		j.mu.Lock()
		s, other, ready := j.session, j.newSession, j.copied || !copied
		j.mu.Unlock()
		if s != nil && ready {
			return s, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-other:
		}
	}
}

// work makes the target equal in what is marked, until ctx ends. Then what is marked still has some time.
func (j *Job) work(ctx context.Context, sink Sink) error {
	draining, drained := retry.Drain(ctx, retry.DrainTime)
	defer drained()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), lease.ErrLost) {
			drained() // another process writes by now
		}
	})()
	var troubled trouble
	var last time.Time
	failed := false
	for {
		s, err := j.opened(ctx, true)
		if err == nil {
			err = j.nextBatch(ctx, last.Add(j.opts.FlushEvery))
		}
		if err != nil {
			return j.drain(draining, sink)
		}
		last = time.Now()
		err = j.workOn(draining, s, sink)
		if ctx.Err() != nil || errors.Is(err, errOver) {
			continue
		}
		if errors.Is(err, lease.ErrLost) {
			return err
		}
		if err != nil {
			if j.current() != s { // the session is over, and with it its connections
				err = unavailable{err}
			}
			if err := j.endure(ctx, "mirror", &troubled, err); err != nil {
				return err
			}
			failed = true
			continue
		}
		j.recovered("mirroring", &troubled)
		if failed {
			failed = false
			j.set(func() { j.notBefore = time.Now().Add(lateFor) })
			j.ask("what was asked for before a failure may be done after it")
		}
	}
}

// lateFor is how long a server may still be at work on what it was asked for over a connection that failed: it may insert a
// document after that was found to be absent.
const lateFor = 5 * time.Second

// nextBatch waits until something is marked and the time has come, or so much is that it is time.
func (j *Job) nextBatch(ctx context.Context, from time.Time) error {
	timer := time.NewTimer(time.Until(from))
	defer timer.Stop()
	due := timer.C
	for {
		if n, _ := j.marks.waiting(); n >= mostAtOnce || n > 0 && due == nil {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due:
			due = nil
		case <-j.marks.added:
		}
	}
}

// errOver tells that a batch has to be read again. Its session ended: by now the source may be another server, which has
// forgotten what was read, and a comparison that begins may not see what was written.
var errOver = errors.New("the session is over")

func (j *Job) workOn(ctx context.Context, s *Session, sink Sink) error {
	b := j.marks.take(mostAtOnce)
	if j.opts.Beside { // one that writes nothing knows nothing of what others have written
		var err error
		if sink, err = j.opts.Sink(ctx); err != nil {
			j.marks.done(true)
			return err
		}
	}
	fates, err := j.apply(ctx, s, sink, b)
	if err == nil {
		err = j.problems.flush()
	}
	if err == nil && j.current() != s {
		err = errOver
	}
	if err == nil {
		j.stats.applied(b, fates, time.Now())
	}
	j.marks.done(err != nil)
	j.tellState()
	return err
}

// drain works on what is marked until nothing is, or time is over.
func (j *Job) drain(ctx context.Context, sink Sink) error {
	s := j.current()
	for j.copiedAll() && s != nil && ctx.Err() == nil {
		if n, _ := j.marks.waiting(); n == 0 {
			return nil
		}
		if err := j.workOn(ctx, s, sink); err != nil {
			return nil // the next run compares both sides
		}
	}
	return nil
}

func (j *Job) copiedAll() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.copied
}

// trouble is something that fails again and again.
type trouble struct {
	since, last time.Time
	wait        time.Duration
	told        []string
}

// mostTold is how many errors are told of one trouble, each once: which one comes depends on what was under way.
const mostTold = 10

// Waits after a failure are random, up to a limit that doubles.
const (
	firstWait = 100 * time.Millisecond
	mostWait  = 2 * time.Second
)

// apart is the time after which a failure is another one than that before.
const apart = 30 * time.Second

// endure waits after a failure, or returns its error where it is not worth while.
func (j *Job) endure(ctx context.Context, what string, t *trouble, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	now := time.Now()
	if now.Sub(t.last) > apart {
		t.since, t.wait = now, firstWait
	}
	t.last = now
	if !errors.Is(err, record.ErrUnavailable) && now.Sub(t.since) > j.opts.RetryFor {
		return err
	}
	if text := err.Error(); len(t.told) < mostTold && !slices.Contains(t.told, text) {
		t.told = append(t.told, text)
		j.opts.Notify(fmt.Sprintf("%s: %s; trying again", what, text))
	}
	j.tellState()
	wait := t.wait/2 + rand.N(t.wait/2+1)
	t.wait = min(2*t.wait, mostWait)
	return retry.Sleep(ctx, wait)
}

func (j *Job) recovered(what string, t *trouble) {
	if len(t.told) > 0 {
		j.opts.Notify(fmt.Sprintf("%s works again, after %s", what, time.Since(t.since).Round(time.Second)))
	}
	*t = trouble{}
}

// set changes the state, and tells of it.
func (j *Job) set(change func()) {
	j.mu.Lock()
	change()
	j.mu.Unlock()
	j.tellState()
}

// tellState tells of another state.
func (j *Job) tellState() {
	now := j.Snapshot().State
	j.mu.Lock()
	told := j.told
	j.told = now
	j.mu.Unlock()
	if told != now {
		j.opts.Changed(now)
	}
}

// tooLate is how long a mark may wait in a mirror that is caught up.
const tooLate = 5 * time.Second

// Snapshot returns how the mirror stands. It may be called at any time, from any goroutine.
func (j *Job) Snapshot() Snapshot {
	n, oldest := j.marks.waiting()
	s := Snapshot{Waiting: int64(n)}
	if !oldest.IsZero() {
		s.Lag = time.Since(oldest)
	}
	s.Changes, s.LastChange = j.marks.seen()
	s.Conflicts, s.HeldBack = j.problems.count(Conflicted), j.problems.count(HeldBack)
	j.stats.mu.Lock()
	s.Kinds, s.Latency = j.stats.kinds, j.stats.latency
	j.stats.mu.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	s.Way, s.Sessions, s.Reconciled, s.LastReconciled, s.Rejects = j.way, j.sessions, j.reconciled, j.lastTime, j.rejects
	switch {
	case j.standby:
		s.State = Standby
	case j.session == nil:
		s.State = Connecting
	case !j.copied:
		s.State = Copying
	case j.asked != "" || j.comparing:
		s.State = Comparing
	case s.HeldBack > 0:
		s.State = HoldingBack
	case s.Lag > tooLate:
		s.State = CatchingUp
	default:
		s.State = Following
	}
	return s
}
