package mirror

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// ask has both sides compared soon, since something may have been missed.
func (j *Job) ask(why string) {
	j.losses.missed()
	j.set(func() { j.asked = why })
	select {
	case j.asking <- struct{}{}:
	default:
	}
}

// The source is left alone between two comparisons for as long as the last one took, within these bounds, however often
// something may have been missed.
const (
	leastPause = time.Second
	mostPause  = 30 * time.Second
)

// holdingPause is the time between two comparisons while something is held back: the data may come back.
const holdingPause = 30 * time.Second

// catchUpPause is the time between two comparisons until both sides are equal.
const catchUpPause = 500 * time.Millisecond

// compareAgain copies everything once, and then compares both sides when something may have been missed, and every so often.
func (j *Job) compareAgain(ctx context.Context) error {
	if _, err := j.opened(ctx, false); err != nil {
		return nil
	}
	var troubled trouble
	var before comparison
	for !j.copiedAll() {
		err := j.opts.Copy(ctx)
		if err == nil {
			j.set(func() {
				j.copied = true
				close(j.newSession) // who waits for the copy looks again
				j.newSession = make(chan struct{})
			})
			break
		}
		if errors.Is(err, record.ErrSourceMoved) {
			err = unavailable{err}
		}
		if err := j.endure(ctx, "copy", &troubled, err); err != nil {
			return j.unlessEnded(ctx, err)
		}
	}
	for {
		s, err := j.opened(ctx, true)
		if err == nil {
			err = j.waitForLate(ctx)
		}
		if err != nil {
			return nil
		}
		if err := barrier(ctx, s); err != nil { // its session ends
			if retry.Sleep(ctx, pollEvery) != nil {
				return nil
			}
			continue
		}
		found, err := j.compare(ctx)
		if err != nil {
			if errors.Is(err, record.ErrSourceMoved) || j.current() != s {
				err = unavailable{err}
			}
			if err := j.endure(ctx, "compare", &troubled, err); err != nil {
				return j.unlessEnded(ctx, err)
			}
			continue
		}
		j.recovered("comparing", &troubled)
		if j.opts.UntilCaughtUp {
			if found.settled(before) && j.unbroken(s) {
				found.tell(&j.report)
				return errCaughtUp
			}
			before = found
			if retry.Sleep(ctx, catchUpPause) != nil {
				return nil
			}
			continue
		}
		if err := j.pause(ctx, s); err != nil {
			return nil
		}
	}
}

// barrierWithin bounds how long a server may take to answer that it has told everything. One that goes on telling, and does not
// answer, is no server that can be relied on.
const barrierWithin = 30 * time.Second

// barrier waits until all that had changed was told, or ends the session.
func barrier(ctx context.Context, s *Session) error {
	bounded, cancel := context.WithTimeout(ctx, barrierWithin)
	defer cancel()
	err := s.Feed.Barrier(bounded)
	if err != nil && bounded.Err() != nil && ctx.Err() == nil {
		return errors.Join(err, s.Feed.Close())
	}
	return err
}

// waitForLate waits until nothing is done any more that was asked for before a failure.
func (j *Job) waitForLate(ctx context.Context) error {
	j.mu.Lock()
	from := j.notBefore
	j.mu.Unlock()
	return retry.Sleep(ctx, time.Until(from))
}

// unbroken reports whether the session is still the one it was, and nothing may have been missed since the last comparison
// began.
func (j *Job) unbroken(s *Session) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.session == s && j.asked == ""
}

func (j *Job) unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pause waits until both sides have to be compared again.
func (j *Job) pause(ctx context.Context, s *Session) error {
	every := j.opts.ReconcileEvery
	if way, _ := s.Feed.Way(); way == record.Polling {
		every = j.opts.PollEvery
	}
	if j.problems.count(HeldBack) > 0 {
		every = min(every, holdingPause)
	}
	every = every*9/10 + rand.N(every/5+1) // so that many processes do not meet
	j.mu.Lock()
	took := j.took
	j.mu.Unlock()
	if err := retry.Sleep(ctx, min(max(took, leastPause), mostPause, every)); err != nil {
		return err
	}
	timer := time.NewTimer(every)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	case <-j.asking:
	}
	return nil
}

// comparison is what a comparison found, and what became of it.
type comparison struct {
	differences map[mark]record.Difference // one for each mark
	fates       map[mark]Fate
	nobodys     []record.Difference // documents that let somebody in and are no user's, which nobody mends
}

// compare compares both sides, marks what differs, and waits until that was worked on.
func (j *Job) compare(ctx context.Context) (comparison, error) {
	c := comparison{differences: make(map[mark]record.Difference)}
	begun := time.Now()
	j.set(func() { j.asked, j.comparing = "", true })
	err := j.compareNow(ctx, &c)
	j.set(func() {
		j.comparing = false
		switch {
		case err != nil && j.asked == "":
			j.asked = "a comparison failed"
		case err == nil:
			j.reconciled++
			j.lastTime = time.Now()
			j.took = j.lastTime.Sub(begun)
		}
	})
	return c, err
}

func (j *Job) compareNow(ctx context.Context, c *comparison) error {
	gaps := j.losses.missedUntil()
	compared, err := j.opts.Compare(ctx, func(d record.Difference) {
		switch {
		case d.User != 0 || !d.Kind.Identified():
			c.differences[mark{kind: d.Kind, user: d.User}] = d
		case d.Kind.Admits():
			c.nobodys = append(c.nobodys, d)
		}
	})
	if err != nil {
		return err
	}
	found := counted{known: compared.Documents}
	if err := j.count(ctx, c.differences, &found); err != nil {
		return err
	}
	j.losses.compared(found, gaps)
	j.set(func() { j.claims = compared.Claims })
	var lost record.Kinds
	var much []string
	for kind := range found.gone {
		if text := found.text(kind); text != "" && !j.opts.AllowShrinking {
			lost, much = lost.With(record.Kind(kind)), append(much, text)
		}
	}
	switch {
	case lost == j.lost:
	case lost == 0:
		j.opts.Notify("the source has its data again, or most of them: the target follows it")
	default:
		j.opts.Notify("the source has " + strings.Join(much, ", ") + ": they stay as they are, until the source has its data again; " +
			"--allow-shrinking lets them follow")
	}
	j.lost = lost
	list := slices.Collect(maps.Keys(c.differences))
	j.stats.watch(list)
	j.marks.put(true, list...)
	j.marks.put(true, j.problems.marks()...) // some may be none any more
	if err := j.marks.passed(ctx, time.Now()); err != nil {
		return err
	}
	j.set(func() { j.rejects = compared.Rejects })
	c.fates = j.stats.seen()
	j.stats.watch(nil)
	return nil
}

// count counts the mirror's own documents of which the source holds nothing, or has another date.
func (j *Job) count(ctx context.Context, differences map[mark]record.Difference, found *counted) error {
	var users [record.KindCount][]record.UserID
	for k, d := range differences {
		if k.user != 0 && (d.Type == record.Extra && !d.HasField || d.Type == record.Different && d.Kind == record.MonitoringSince) {
			users[k.kind] = append(users[k.kind], k.user)
		}
	}
	for kind, users := range users {
		for some := range slices.Chunk(users, mostAtOnce) {
			err := j.opts.Target.ReadUsers(ctx, record.Kind(kind), some, func(documents []record.Document) error {
				for _, d := range documents {
					switch {
					case !d.Held.Unmodified:
					case differences[mark{kind: d.Kind, user: d.User}].Type == record.Extra:
						found.gone[kind]++
					default:
						found.worse[kind]++
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// settled reports whether nothing was changed for the comparison, so that it tells how both sides stand. What has come or
// gone since both sides were read tells that only where the comparison before found it, too.
func (c comparison) settled(before comparison) bool {
	for k, f := range c.fates {
		if f == Inserted || f == Updated || f == Deleted || f == fateCount || c.stuck(k) && !before.stuck(k) {
			return false
		}
	}
	return true
}

// stuck reports whether the difference is one by which the target lacks something, and nothing was done about it.
func (c comparison) stuck(k mark) bool {
	d, found := c.differences[k]
	switch f := c.fates[k]; d.Type {
	case record.Missing:
		return found && (f == Absent || f == Unchanged || f == Kept || f == Rejected)
	case record.Different:
		return f == Rejected
	}
	return false
}

// stays reports whether the difference is left for somebody to decide. A document of somebody else's that the source knows
// nothing of is none, unless it lets somebody in.
func (c comparison) stays(k mark) bool {
	f := c.fates[k]
	return f == Conflicted || f == HeldBack || f == Kept && k.kind.Admits() || c.stuck(k)
}

// mostDifferences is how many differences a report names.
const mostDifferences = 100

// tell enters what stays different into the report of a run that ends.
func (c comparison) tell(r *Report) {
	r.Differences = c.nobodys
	for k := range c.fates {
		if c.stays(k) {
			r.Differences = append(r.Differences, c.differences[k])
		}
	}
	r.Total = int64(len(r.Differences))
	r.Agreed = r.Total == 0
	slices.SortFunc(r.Differences, record.Difference.Compare)
	r.Differences = r.Differences[:min(len(r.Differences), mostDifferences)]
}
