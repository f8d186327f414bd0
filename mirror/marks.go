package mirror

import (
	"context"
	"sync"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// mark says that what the source holds of a user and kind, or of nobody's, may be another than in the target. For an API
// key whose user nobody knows yet it has the key.
type mark struct {
	kind   record.Kind
	user   record.UserID
	apiKey string // a secret
}

// made is when a mark was made first, and by what.
type made struct {
	at       time.Time
	compared bool // a comparison found the difference, so that what was lost is not known to be meant
}

// batch are marks that are worked on.
type batch map[mark]made

// marks are those that wait, each once, in the order in which they were made. It is a [record.FeedListener], which never
// waits: however often something changes, it is one mark.
type marks struct {
	kinds      record.Kinds
	deaf       bool // changes are counted, and make no marks
	everything func(why string)

	mu      sync.Mutex
	since   map[mark]made
	order   []mark
	working batch // taken, and not done yet
	changes int64 // that came, also those that made no mark
	latest  time.Time
	added   chan struct{} // holds one element where something may wait
}

func newMarks(kinds record.Kinds, everything func(why string)) *marks {
	return &marks{kinds: kinds, everything: everything, since: make(map[mark]made), added: make(chan struct{}, 1)}
}

// Changed implements [record.FeedListener].
func (m *marks) Changed(changes []record.SourceChange) {
	m.mu.Lock()
	now := time.Now()
	m.changes, m.latest = m.changes+int64(len(changes)), now
	if !m.deaf {
		for _, c := range changes {
			m.add(mark{c.Kind, c.User, c.APIKey}, made{at: now})
		}
	}
	m.mu.Unlock()
	m.wake()
}

// Everything implements [record.FeedListener].
func (m *marks) Everything(why string) {
	m.mu.Lock()
	m.changes, m.latest = m.changes+1, time.Now()
	m.mu.Unlock()
	m.everything(why)
}

// add makes a mark. The caller has locked m, and wakes who waits.
func (m *marks) add(k mark, by made) {
	if !m.kinds.Has(k.kind) {
		return
	}
	was, waits := m.since[k]
	if !waits {
		m.order = append(m.order, k)
		was = by
	}
	was.compared = was.compared || by.compared
	m.since[k] = was
}

// put makes marks of what a comparison found, or of what has to be looked at again.
func (m *marks) put(compared bool, list ...mark) {
	m.mu.Lock()
	by := made{time.Now(), compared}
	for _, k := range list {
		m.add(k, by)
	}
	m.mu.Unlock()
	m.wake()
}

func (m *marks) wake() {
	select {
	case m.added <- struct{}{}:
	default:
	}
}

// take returns the oldest marks, at most so many. They are worked on until done is called.
func (m *marks) take(most int) batch {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := min(most, len(m.order))
	b := make(batch, n)
	for _, k := range m.order[:n] {
		b[k] = m.since[k]
		delete(m.since, k)
	}
	if m.order = m.order[n:]; len(m.order) == 0 {
		m.order = nil // so that its memory does not stay
	}
	m.working = b
	return b
}

// done tells that what take returned was worked on. What failed waits again, as long as it did.
func (m *marks) done(failed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if failed {
		var again []mark
		for k, by := range m.working {
			if now, waits := m.since[k]; !waits {
				again = append(again, k)
			} else {
				by.compared = by.compared || now.compared
			}
			m.since[k] = by
		}
		m.order = append(again, m.order...)
	}
	m.working = nil
	if len(m.order) > 0 {
		m.wake()
	}
}

// waiting returns how many marks wait or are worked on, and since when the oldest does.
func (m *marks) waiting() (n int, oldest time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, by := range m.working {
		if oldest.IsZero() || by.at.Before(oldest) {
			oldest = by.at
		}
	}
	// Those that failed stand first, in no order among each other.
	for _, k := range m.order[:min(len(m.order), mostAtOnce)] {
		if by := m.since[k]; oldest.IsZero() || by.at.Before(oldest) {
			oldest = by.at
		}
	}
	return len(m.order) + len(m.working), oldest
}

// seen returns how many changes came, and when the last one did.
func (m *marks) seen() (changes int64, latest time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changes, m.latest
}

// passed waits until all marks are done that were made up to a moment.
func (m *marks) passed(ctx context.Context, moment time.Time) error {
	for {
		n, oldest := m.waiting()
		if n == 0 || oldest.After(moment) {
			return nil
		}
		if err := retry.Sleep(ctx, pollEvery); err != nil {
			return err
		}
	}
}

// pollEvery is how often it is looked whether what is waited for has come.
const pollEvery = 10 * time.Millisecond
