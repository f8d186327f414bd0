package mirror

import (
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// fewDocuments may always go.
const fewDocuments = 16

// tooMany reports whether so many of a kind's documents are more than a source in use removes: it rather lost them.
func tooMany(gone, of int64) bool { return gone > fewDocuments && gone*2 > of }

// losses count how many documents went since both sides were compared last.
type losses struct {
	allowed bool // any number of them

	mu   sync.Mutex
	of   [record.KindCount]int64 // documents by then
	gone [record.KindCount]int64 // since then, less those that came
	held [record.KindCount]bool  // what is gone is held back until the next comparison
}

// allow reports whether so many documents of a kind may go.
func (l *losses) allow(kind record.Kind, n int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.allowed {
		return true
	}
	l.held[kind] = l.held[kind] || tooMany(l.gone[kind]+n, l.of[kind])
	return !l.held[kind]
}

// count counts documents that went, or with a number below zero those that came.
func (l *losses) count(kind record.Kind, n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone[kind] += n
}

// compared begins to count anew: the target holds so many documents. Gone are those of the mirror's own of which the source
// holds nothing any more.
func (l *losses) compared(of, gone [record.KindCount]int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of, l.gone = of, [record.KindCount]int64{}
	for kind := range l.held {
		l.held[kind] = !l.allowed && tooMany(gone[kind], of[kind])
	}
}
