package sweep

import (
	"bytes"
	"context"
	"math"
	"slices"

	"github.com/lanyardctl/lanyardctl/record"
)

// byUser goes through the sorted entries user by user.
func (j *Job) byUser(ctx context.Context, s *sorter) error {
	var p userState
	var e entry
	var last []byte
	lastOf := entry{group: math.MaxUint16} // no entry's
	err := s.sorted(func(b []byte) error {
		e.decode(b)
		j.done.Add(1)
		// A document that came twice is one, also where it was changed in between. What else says the same of a user
		// at a place came twice as well.
		if e.id != "" && e.same(lastOf) || bytes.Equal(b, last) {
			return nil
		}
		if e.user != p.user {
			if err := j.finish(ctx, &p); err != nil {
				return err
			}
			p.reset(e.user)
		}
		if p.user == 0 {
			j.nobodys(e)
		} else {
			p.take(j, e)
		}
		last = append(last[:0], b...)
		lastOf.user, lastOf.group, lastOf.id = e.user, e.group, e.id
		return nil
	})
	if err != nil {
		return err
	}
	if err := j.finish(ctx, &p); err != nil {
		return err
	}
	for i := range j.queues {
		if err := j.flush(ctx, &j.queues[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// finish decides what is to be done for a user of whom all is known.
func (j *Job) finish(ctx context.Context, p *userState) error {
	if p.user == 0 {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.dated {
		if err := j.finishDate(ctx, p); err != nil {
			return err
		}
	}
	for _, c := range record.UserCollections {
		if err := j.finishDuplicates(ctx, p, c); err != nil {
			return err
		}
	}
	return nil
}

func (j *Job) finishDate(ctx context.Context, p *userState) error {
	w, ok := p.winner(j.opts.UserDates)
	if !ok {
		j.report.Users++
		j.report.Undated++
		if p.before != 0 {
			j.report.Before[yearOf(p.before)]++
		}
		return nil
	}
	t := task{collection: record.MonitoringCollection, user: p.user, winner: w, before: p.before}
	switch {
	case p.canonical(w.date):
		j.count(&change{task: t})
		return nil
	case p.many[record.MonitoringCollection]:
		j.leave(t, LeftMany)
		return nil
	}
	t.ids = p.ids(record.MonitoringCollection)
	return j.enqueue(ctx, t)
}

// examples is how many users are named who have several documents, or a number.
const examples = 5

func (j *Job) finishDuplicates(ctx context.Context, p *userState, c record.Collection) error {
	figures := &j.report.Collections[c]
	docs := p.documents[c]
	var number, empty bool
	for _, d := range docs {
		number = number || d.flags&numeric != 0
		empty = empty || d.flags&keyless != 0 && j.keyless
	}
	if len(docs) > 1 {
		figures.Duplicates++
	}
	if (len(docs) > 1 || number) && len(figures.Examples) < examples {
		figures.Examples = append(figures.Examples, p.user.String())
	}
	if c == record.MonitoringCollection || !slices.Contains(Written(j.opts.Dedupe), c) || len(docs) < 2 && !number && !empty {
		return nil
	}
	t := task{collection: c, user: p.user, ids: p.ids(c)}
	if p.many[c] {
		j.leave(t, LeftMany)
		return nil
	}
	return j.enqueue(ctx, t)
}

// ids returns the IDs of the user's documents in a collection.
func (p *userState) ids(c record.Collection) []string {
	var ids []string
	for _, d := range p.documents[c] {
		ids = append(ids, d.id)
	}
	return ids
}
