package sweep

import (
	"cmp"
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// yearOf returns the year of a date in UTC.
func yearOf(date int64) int { return time.Unix(date, 0).UTC().Year() }

// changed counts changes that are journalled, or, with a number below zero, withdrawn.
func (j *Job) changed(n int) {
	j.report.Changes += int64(n)
	j.changesMade.Store(j.report.Changes)
}

// nobodys counts what is no user's.
func (j *Job) nobodys(e entry) {
	from, to := j.places.in(e.group)
	for i := from; i < to; i++ {
		j.report.Places[i].Documents++
		j.report.Places[i].Nobodys++
	}
	if e.group < firstPlace {
		j.report.Collections[e.group].Documents++
		j.report.Collections[e.group].Nobodys++
	}
}

// implausible counts what never wins.
func (j *Job) implausible(user record.UserID, f foundDate) {
	figures, fault := &j.report.Places[f.place], j.defects[f.defect-1]
	if figures.Implausible == nil {
		figures.Implausible = make(map[record.Reason]int64)
	}
	figures.Implausible[fault.reason]++
	if record.InFuture(fault.reason, fault.detail) {
		figures.Future++
	}
	if j.opts.Implausible != nil {
		j.opts.Implausible(Implausible{figures.Place.Name, user, fault.reason, fault.detail})
	}
}

// count counts a change that was made, or that there is none to make.
func (j *Job) count(c *change) {
	t, r := c.task, c.plan
	if t.collection != record.MonitoringCollection {
		j.countDuplicates(t, r)
		return
	}
	j.dated(t, t.winner.date)
	switch r.action {
	case record.ActionCreated:
		j.report.Created++
	case record.ActionMerged:
		j.report.Merged++
	case record.ActionChanged:
		j.report.Changed++
	default:
		j.report.Unchanged++
		return
	}
	if t.before == 0 || t.winner.date < t.before {
		j.recovered(Recovery{User: t.user, From: t.before, To: t.winner.date, Place: j.places.list[t.winner.place].Name})
	}
}

// dated counts a user who has a date, and the date that monitoring says in the end.
func (j *Job) dated(t task, after int64) {
	j.report.Users++
	figures := &j.report.Places[t.winner.place]
	figures.Won++
	if figures.Place.UserWritable {
		j.report.ByUsers++
	}
	if t.before != 0 {
		j.report.Before[yearOf(t.before)]++
	}
	if after != 0 {
		j.report.After[yearOf(after)]++
	}
}

func (j *Job) countDuplicates(t task, r plan) {
	figures := &j.report.Collections[t.collection]
	figures.Removed += int64(r.emptied)
	switch {
	case r.nothing():
	case r.action == record.ActionMerged:
		figures.Merged++
	case r.action == record.ActionChanged:
		figures.Renamed++
	}
}

// leave counts a change that cannot be made.
func (j *Job) leave(t task, reason LeftReason) {
	if t.collection == record.MonitoringCollection {
		j.report.Left++
		j.dated(t, t.before)
	} else {
		j.report.Collections[t.collection].Left++
	}
	j.report.LeftoversTotal++
	j.report.Leftovers = insert(j.report.Leftovers, Leftover{t.collection, t.user, reason}, LeftoverCount, compareLeftovers)
}

func compareLeftovers(a, b Leftover) int {
	return cmp.Or(cmp.Compare(a.Collection, b.Collection), cmp.Compare(a.User, b.User))
}

// recovered keeps a recovery where it is among the largest.
func (j *Job) recovered(r Recovery) {
	j.report.Largest = insert(j.report.Largest, r, LargestCount, func(a, b Recovery) int {
		size := func(r Recovery) int64 {
			if r.From == 0 {
				return -r.To // below all that had a date, the earliest first
			}
			return r.From - r.To
		}
		return cmp.Or(cmp.Compare(size(b), size(a)), cmp.Compare(a.User, b.User))
	})
}

// insert puts v into the ordered list, which keeps the first most.
func insert[T any](list []T, v T, most int, compare func(a, b T) int) []T {
	i, _ := slices.BinarySearchFunc(list, v, compare)
	if i == most {
		return list
	}
	list = slices.Insert(list, i, v)
	return list[:min(len(list), most)]
}
