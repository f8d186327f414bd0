package sweep

import (
	"github.com/lanyardctl/lanyardctl/record"
)

// mostDocuments is how many documents a user may have in a collection for a change of them.
const mostDocuments = record.MaxSteps

// userState is all that is known of one user.
type userState struct {
	user record.UserID

	// best and users are the earliest candidates, of the places that users cannot write and of those that they can.
	best, users candidate

	// before is the date of the documents of monitoring that the app sees, zero for none.
	before int64

	// dated tells that some place of dates knows the user.
	dated bool

	documents [collectionCount][]reference
	many      [collectionCount]bool // there are more documents than fit
}

// collectionCount is the length of [record.UserCollections], whose constants are the integers below it.
const collectionCount = int(record.APIKeysCollection) + 1

// candidate is a plausible date and where it stands. The zero candidate is none.
type candidate struct {
	date  int64
	place uint16
}

// earlier returns the earlier of two candidates; of the same dates, that of the first place.
func earlier(a, b candidate) candidate {
	switch {
	case b.date == 0, a.date != 0 && (a.date < b.date || a.date == b.date && a.place <= b.place):
		return a
	}
	return b
}

// reference is a document of a user's.
type reference struct {
	id        string
	flags     byte
	canonical int64
}

// winner returns the date that the user's should be. It reports false where there is none.
func (p *userState) winner(policy UserDates) (candidate, bool) {
	switch {
	case policy == NeverUserDates, policy == LastResortUserDates && p.best.date != 0:
		return p.best, p.best.date != 0
	// A date that users cannot write counts first, also where both are the same.
	case p.best.date != 0 && p.best.date <= p.users.date:
		return p.best, true
	}
	c := earlier(p.best, p.users)
	return c, c.date != 0
}

// canonical reports whether the documents say the date in the one form that the app reads.
func (p *userState) canonical(date int64) bool {
	docs := p.documents[record.MonitoringCollection]
	return len(docs) == 1 && docs[0].flags&numeric == 0 && docs[0].canonical == date
}

// take adds what an entry tells, and counts it.
func (p *userState) take(j *Job, e entry) {
	from, to := j.places.in(e.group)
	for i := from; i < to; i++ {
		j.report.Places[i].Documents++
		p.dated = true
	}
	for _, f := range e.dates {
		figures := &j.report.Places[f.place]
		if f.defect != 0 {
			j.implausible(p.user, f)
			continue
		}
		figures.Candidates++
		c := candidate{f.date, f.place}
		if figures.Place.UserWritable {
			p.users = earlier(p.users, c)
		} else {
			p.best = earlier(p.best, c)
		}
	}
	if e.group >= firstPlace {
		return
	}
	p.takeDocument(j, e)
	if record.Collection(e.group) == record.MonitoringCollection && e.flags&numeric == 0 && len(e.dates) > 0 && e.dates[0].defect == 0 {
		// The app reads the first field that is there; of several documents nobody knows which, so the earliest counts.
		p.before = earlier(candidate{date: p.before}, candidate{date: e.dates[0].date}).date
	}
}

func (p *userState) takeDocument(j *Job, e entry) {
	figures := &j.report.Collections[e.group]
	figures.Documents++
	if e.flags&keyless != 0 {
		figures.Keyless++
	}
	if e.flags&numeric != 0 {
		figures.Numeric++
	}
	if docs := &p.documents[e.group]; len(*docs) < mostDocuments {
		*docs = append(*docs, reference{e.id, e.flags, e.canonical})
	} else {
		p.many[e.group] = true
	}
}

// reset makes p that of another user, keeping its memory.
func (p *userState) reset(user record.UserID) {
	documents := p.documents
	for i := range documents {
		documents[i] = documents[i][:0]
	}
	*p = userState{user: user, documents: documents}
}
