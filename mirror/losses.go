package mirror

import (
	"fmt"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// fewDocuments may always go.
const fewDocuments = 16

// tooMany reports whether so many of a kind's documents are more than a source in use removes: it rather lost them.
func tooMany(gone, of int64) bool { return gone > fewDocuments && gone*2 > of }

// losses count how many documents that stand for what the source holds went since both sides were compared last.
type losses struct {
	allowed bool // any number of them

	mu   sync.Mutex
	most [record.KindCount]int64 // documents at a time since then
	now  [record.KindCount]int64
	held [record.KindCount]bool // what is gone is held back until the next comparison

	gaps   int64 // how often something may have been missed
	unsure bool  // so it is since the last comparison began
}

// missed tells that something may have been missed, such as that the source lost what it held.
func (l *losses) missed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gaps++
	l.unsure = true
}

// missedUntil returns what compared takes.
func (l *losses) missedUntil() (gaps int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gaps
}

// inDoubt reports whether what the source holds of a kind may be what somebody made anew after it was lost.
func (l *losses) inDoubt(kind record.Kind) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.allowed && (l.unsure || l.held[kind])
}

// allow reports whether so many documents of a kind may go.
func (l *losses) allow(kind record.Kind, n int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.allowed {
		return true
	}
	l.held[kind] = l.held[kind] || tooMany(l.most[kind]-l.now[kind]+n, l.most[kind])
	return !l.held[kind]
}

// count counts documents that came, or with a number below zero those that went.
func (l *losses) count(kind record.Kind, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.now[kind] += n
	l.most[kind] = max(l.most[kind], l.now[kind])
}

// compared begins to count anew, after a comparison that began when there had been so many gaps.
func (l *losses) compared(c counted, gaps int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.unsure = l.gaps != gaps
	for kind := range l.held {
		l.most[kind] = c.all(kind)
		l.now[kind] = l.most[kind]
		l.held[kind] = !l.allowed && c.lost(kind)
	}
}

// counted is what a comparison counted. What somebody else wrote counts nowhere: a source that lost all it had did so beside
// any number of it.
type counted struct {
	known [record.KindCount]int64 // documents that stand for what the source holds
	gone  [record.KindCount]int64 // documents of the mirror's own of which the source holds nothing any more
	worse [record.KindCount]int64 // and those for which it has another date, which no Lanyard changes
}

func (c counted) all(kind int) int64 { return c.known[kind] + c.gone[kind] }

func (c counted) lost(kind int) bool { return tooMany(c.gone[kind]+c.worse[kind], c.all(kind)) }

// text says what was lost of a kind, for people; nothing where that is not too much.
func (c counted) text(kind int) string {
	switch {
	case !c.lost(kind):
		return ""
	case c.worse[kind] == 0:
		return fmt.Sprintf("nothing any more for %d of %d documents of %s", c.gone[kind], c.all(kind), record.Kind(kind))
	}
	return fmt.Sprintf("nothing any more, or other dates, for %d of %d documents of %s", c.gone[kind]+c.worse[kind], c.all(kind), record.Kind(kind))
}
