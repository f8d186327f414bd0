package sweep

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// task is one user's documents in a collection that should change.
type task struct {
	collection record.Collection
	user       record.UserID
	ids        []string
	otherID    bool // another document has the identity that a new one would have
	taken      bool // the target has once refused a step as taken

	// For monitoring: the date that won, and the one that the app saw before.
	winner candidate
	before int64
}

// queue collects tasks of one collection, and works on as many at a time as memory allows.
type queue struct {
	tasks []task
	ids   int
	size  int // tasks at a time
}

const (
	// firstPiece is how many users' documents are read at first, when nobody knows how large they are.
	firstPiece = 16

	// pieceBytes is how many bytes of documents are read for changes at a time, and wholeBytes of those of one user. A
	// change of documents that are larger together would not fit into a document of the journal.
	pieceBytes = 4 << 20
	wholeBytes = record.DefaultMaxDocument
)

// rounds bounds how often a change is decided anew because somebody changed the documents in between.
const rounds = 5

// enqueue adds a task, and works on the queue where it is full.
func (j *Job) enqueue(ctx context.Context, t task) error {
	q := &j.queues[t.collection]
	ids := max(len(t.ids), 1) // a new document has an identity, too
	if len(q.tasks) > 0 && q.ids+ids > record.MaxSteps {
		if err := j.flush(ctx, q); err != nil {
			return err
		}
	}
	q.tasks, q.ids = append(q.tasks, t), q.ids+ids
	if len(q.tasks) < max(q.size, 1) {
		return nil
	}
	return j.flush(ctx, q)
}

// flush works on the tasks of a queue. An interruption waits until they are done.
func (j *Job) flush(ctx context.Context, q *queue) error {
	if err := ctx.Err(); err != nil || len(q.tasks) == 0 {
		return err
	}
	draining, drained := retry.Drain(ctx, retry.DrainTime)
	defer drained()
	largest, err := j.work(draining, q.tasks)
	q.tasks, q.ids = q.tasks[:0], 0
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	q.size = min(2*q.size, j.opts.Chunk, max(1, pieceBytes/2/max(largest, 1)))
	return nil
}

// change is a task on its way.
type change struct {
	task   task
	plan   plan
	entry  record.Change
	made   int  // steps that are done
	failed bool // the next step could not be made, for the reason result
	result record.StepResult
}

// work makes the changes of tasks of one collection, and returns the bytes of the largest user's documents. Where the
// documents are too large to be held together, it makes half of them at a time.
func (j *Job) work(ctx context.Context, tasks []task) (largest int, err error) {
	for round := 0; len(tasks) > 0; round++ {
		if round == rounds {
			for _, t := range tasks {
				j.leave(t, LeftMoved)
			}
			return largest, nil
		}
		documents, err := j.whole(ctx, tasks)
		switch {
		case errors.Is(err, record.ErrTooMuch) && len(tasks) == 1:
			j.leave(tasks[0], LeftSize)
			return wholeBytes, nil
		case errors.Is(err, record.ErrTooMuch):
			first, err := j.work(ctx, tasks[:len(tasks)/2])
			if err != nil {
				return first, err
			}
			second, err := j.work(ctx, tasks[len(tasks)/2:])
			return max(largest, first, second), err
		case err != nil:
			return largest, err
		}
		var changes []*change
		for _, t := range tasks {
			docs := documents[t.user]
			largest = max(largest, sizeOf(docs))
			if c := j.decide(t, docs); c != nil {
				changes = append(changes, c)
			}
		}
		if j.opts.DryRun {
			j.changed(len(changes))
			for _, c := range changes {
				j.count(c)
			}
			return largest, nil
		}
		if tasks, err = j.make(ctx, changes); err != nil {
			return largest, err
		}
	}
	return largest, nil
}

func sizeOf(docs []record.Document) int {
	n := 0
	for _, doc := range docs {
		n += len(doc.Raw)
	}
	return n
}

// whole reads the tasks' documents, by user.
func (j *Job) whole(ctx context.Context, tasks []task) (map[record.UserID][]record.Document, error) {
	var ids []string
	created := make(map[string]*task) // by the identity that the new document would have
	for i, t := range tasks {
		ids = append(ids, t.ids...)
		if len(t.ids) == 0 {
			id := j.opts.Documents.Joined(record.Join{Collection: t.collection, User: t.user}).ID
			created[id] = &tasks[i]
			ids = append(ids, id)
		}
	}
	most := pieceBytes
	if len(tasks) == 1 {
		most = wholeBytes
	}
	var documents []record.Document
	err := j.retry.Do(ctx, func() (err error) {
		documents, err = j.opts.Documents.Whole(ctx, tasks[0].collection, ids, most)
		return err
	})
	byUser := make(map[record.UserID][]record.Document, len(tasks))
	for _, doc := range documents {
		if t := created[doc.ID]; t != nil && doc.User != t.user {
			t.otherID = true
		}
		byUser[doc.User] = append(byUser[doc.User], doc)
	}
	return byUser, err
}

// decide returns the change for a task, or nil where there is none, which it counts.
func (j *Job) decide(t task, docs []record.Document) *change {
	var r plan
	if repeated := slices.ContainsFunc(docs, func(d record.Document) bool { return d.Repeated }); repeated {
		r.left = LeftTwice
	} else if t.collection == record.MonitoringCollection {
		j.reconsider(&t, docs)
		r = decideDate(t.user, docs, t.winner.date, j.bounds(t.user), t.otherID)
	} else {
		r = decideDuplicates(t.collection, t.user, docs, j.keyless, j.opts.Now)
	}
	c := &change{task: t, plan: r}
	switch {
	case r.left != "":
		j.leave(t, r.left)
		return nil
	case r.nothing():
		j.count(c)
		return nil
	}
	c.entry = record.Change{User: t.user, Collection: t.collection, Action: r.action, Steps: r.steps(j.opts.Documents)}
	if t.collection == record.MonitoringCollection {
		c.entry.Place, c.entry.From, c.entry.To = j.places.list[t.winner.place].Name, t.before, t.winner.date
	}
	if j.tooLarge(c.entry.Steps) {
		j.leave(t, LeftSize)
		return nil
	}
	return c
}

// reconsider takes up an earlier date that came into the documents since they were outlined.
func (j *Job) reconsider(t *task, docs []record.Document) {
	bounds := j.bounds(t.user)
	for _, doc := range docs {
		for i, p := range record.PlacesIn(doc.Collection) {
			m, reason, _ := record.Timestamp(record.MonitoringSince, doc.Held.Times[p.Field], bounds)
			if reason != "" || m.Time >= t.winner.date {
				continue
			}
			t.winner = candidate{m.Time, uint16(j.places.first[doc.Collection] + i)}
		}
	}
}

// What a change and each of its steps take in the journal beside the documents' bytes and identities, at most.
const (
	changeOverhead = 1 << 10
	stepOverhead   = 128
)

// tooLarge reports whether a document would be larger than the target holds, or the change larger than its journal does.
func (j *Job) tooLarge(steps []record.Step) bool {
	limit := j.opts.Documents.Limits().MaxDocument
	if limit <= 0 {
		return false
	}
	total := changeOverhead
	for _, s := range steps {
		total += len(s.Before) + len(s.After) + len(s.ID) + stepOverhead
	}
	return total > limit
}

// make journals the changes and makes them. It returns the tasks that have to be decided anew.
func (j *Job) make(ctx context.Context, changes []*change) ([]task, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	if err := j.journalled(ctx, changes); err != nil {
		return nil, err
	}
	if err := j.apply(ctx, changes); err != nil {
		if !errors.Is(err, record.ErrUnavailable) { // which could not say
			j.changed(-j.unmade(ctx, changes))
		}
		return nil, err
	}
	var again []task
	var amended []record.Change
	for _, c := range changes {
		if !c.failed {
			j.count(c)
			continue
		}
		if err := j.back(ctx, c); err != nil {
			return nil, err
		}
		if c.made == 0 {
			j.changed(-1)
		}
		c.entry.Steps = c.entry.Steps[:c.made]
		amended = append(amended, c.entry)
		switch {
		case c.result == record.StepDuplicate && !c.task.taken:
			c.task.taken = true // somebody may have made a document of the identity a moment ago
			again = append(again, c.task)
		case c.result == record.StepDuplicate:
			j.leave(c.task, LeftTaken)
		case c.result == record.StepRefused:
			j.leave(c.task, LeftRefused)
		default:
			again = append(again, c.task)
		}
	}
	if len(amended) == 0 {
		return nil, nil
	}
	return again, j.opts.Journal.Amend(ctx, amended)
}

// unmade returns how many of the changes certainly were not begun when applying them failed: their
// documents are as they were.
func (j *Job) unmade(ctx context.Context, changes []*change) int {
	var ids []string
	for _, c := range changes {
		for _, step := range c.entry.Steps {
			ids = append(ids, step.ID)
		}
	}
	documents, err := j.opts.Documents.Whole(ctx, changes[0].task.collection, ids, pieceBytes+wholeBytes)
	if err != nil {
		return 0 // nobody knows
	}
	stands := make(map[string][]byte, len(documents)) // nothing where there is no document
	for _, doc := range documents {
		stands[doc.ID] = doc.Raw
	}
	n := 0
	for _, c := range changes {
		begun := slices.ContainsFunc(c.entry.Steps, func(s record.Step) bool { return !bytes.Equal(s.Before, stands[s.ID]) })
		if !begun {
			n++
		}
	}
	return n
}

// back takes back the steps of a change that could not be made as a whole, so that what is decided anew is a change of its
// own. What somebody has changed meanwhile stays as it is, and in the journal.
func (j *Job) back(ctx context.Context, c *change) error {
	for c.made > 0 {
		results, err := j.applied(ctx, []record.Step{c.entry.Steps[c.made-1].Undo()})
		if err != nil {
			return err
		}
		if results[0] != record.StepDone && results[0] != record.StepNoop {
			return nil
		}
		c.made--
	}
	return nil
}

// apply makes the first steps of all changes, then their second ones, and so on.
func (j *Job) apply(ctx context.Context, changes []*change) error {
	for {
		var steps []record.Step
		var of []*change
		for _, c := range changes {
			if !c.failed && c.made < len(c.entry.Steps) && len(steps) < record.MaxSteps {
				steps, of = append(steps, c.entry.Steps[c.made]), append(of, c)
			}
		}
		if len(steps) == 0 {
			return nil
		}
		results, err := j.applied(ctx, steps)
		if err != nil {
			return err
		}
		for i, c := range of {
			switch results[i] {
			case record.StepDone, record.StepNoop:
				c.made++
			default:
				c.failed, c.result = true, results[i]
			}
		}
	}
}

// applied carries out steps, again where the target was unavailable.
func (j *Job) applied(ctx context.Context, steps []record.Step) (results []record.StepResult, err error) {
	err = j.retry.Do(ctx, func() (err error) {
		results, err = j.opts.Documents.Apply(ctx, steps)
		return err
	})
	return results, err
}
