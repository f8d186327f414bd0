package mirror

import (
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

// compared begins to count anew: the target has so many documents that stand for what the source holds, and so many of the
// mirror's own of which the source holds nothing any more. What somebody else wrote counts nowhere: a source that lost all it
// had did so beside any number of it.
func (l *losses) compared(known, gone [record.KindCount]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind := range l.held {
		l.most[kind] = known[kind] + gone[kind]
		l.now[kind] = l.most[kind]
		l.held[kind] = !l.allowed && tooMany(gone[kind], l.most[kind])
	}
}
