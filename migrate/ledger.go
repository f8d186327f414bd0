package migrate

import (
	"context"
	"fmt"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// maxOpenPages and maxOpenBytes bound the pages of a part that are not settled, and the rejected values in them. A reader
// that meets a bound hands out its unfinished batches and waits.
const (
	maxOpenPages = 256
	maxOpenBytes = 64 << 20
)

// page is a page on its way: read, but not every record of it has its outcome.
type page struct {
	of      *partLedger
	next    string
	pending int  // records without outcome
	read    bool // all its records were dealt
	stats   Statistics
	rejects []record.Reject
	lost    []record.Superseded // of the source
	bytes   int                 // of rejects and lost
}

// partLedger is a part's account: its pages in order, and what is settled.
type partLedger struct {
	name     string
	open     []*page
	bytes    int // of the open pages
	position string
	settled  Statistics // up to position
	beyond   Statistics // settled, but behind position: of a page that was delivered in pieces
}

// ledger keeps the account of a run. Its methods may be called from any goroutine.
type ledger struct {
	rejects    *lines
	superseded *lines // nil in a dry run

	mu      sync.Mutex
	changed sync.Cond // a page was settled
	parts   []*partLedger
	base    Statistics // of the run that is gone on with
	rest    partLedger // what was decided after all parts, where there is no position
	cut     Statistics // of pages that a failure left open
	live    Snapshot
}

func newLedger(rejects, superseded *lines) *ledger {
	l := &ledger{rejects: rejects, superseded: superseded}
	l.changed.L = &l.mu
	return l
}

// part opens the account of a part at its position.
func (l *ledger) part(name, position string) *partLedger {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &partLedger{name: name, position: position}
	l.parts = append(l.parts, p)
	return p
}

// open enters a page, whose items were already judged: those without a record are counted at once. It reports whether
// the part now has so many pages open that its reader has to wait.
func (l *ledger) open(of *partLedger, in record.Page) (*page, bool) {
	pg := &page{of: of, next: in.Next}
	pg.stats.Seen = in.Seen
	for _, it := range in.Items {
		pg.enter(it)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live.Keys += in.Seen.Keys
	l.live.Records += int64(len(in.Items) - pg.pending)
	l.live.Rejects += int64(len(pg.rejects))
	of.open = append(of.open, pg)
	of.bytes += pg.bytes
	return pg, of.full()
}

func (p *partLedger) full() bool { return len(p.open) >= maxOpenPages || p.bytes >= maxOpenBytes }

// enter counts what is known of an item before its record is written.
func (pg *page) enter(it record.Item) {
	counts := &pg.stats.Kinds[it.Kind]
	for _, note := range it.Notes {
		counts.note(note, 1)
	}
	for _, r := range it.Rejects {
		pg.stats.reason(r.Reason, 1)
		if record.InFuture(r.Reason, r.Detail) {
			pg.stats.Future++
		}
	}
	for _, r := range it.Rejects {
		pg.bytes += len(r.Value.Data)
	}
	for _, s := range it.Superseded {
		pg.bytes += len(s.Value.Data)
	}
	pg.rejects = append(pg.rejects, it.Rejects...)
	if n := int64(len(it.Superseded)); n > 0 {
		pg.stats.Superseded += n
		pg.lost = append(pg.lost, it.Superseded...)
	}
	if it.Record == nil {
		counts.count(record.Rejected)
		return
	}
	pg.pending++
}

// dealt tells that all records of the page are in batches.
func (l *ledger) dealt(pg *page) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	pg.read = true
	return l.settle(pg.of)
}

// outcomes enters the outcomes of a batch.
func (l *ledger) outcomes(b *batch, outcomes []record.Outcome) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live.Records += int64(len(outcomes))
	for i, o := range outcomes {
		pg := b.from[i].page
		counts := &pg.stats.Kinds[b.records[i].Kind]
		counts.count(o.Column)
		if o.Column != record.Rejected {
			counts.Fields.Rejected += b.from[i].fieldRejects
		}
		counts.Fields.Conflicts += int64(o.Conflicts)
		if o.Superseded > 0 {
			counts.note(record.SupersededNote, int64(o.Superseded))
			pg.stats.Superseded += int64(o.Superseded)
		}
		for _, r := range o.Rejects {
			pg.stats.reason(r.Reason, 1)
		}
		pg.rejects = append(pg.rejects, o.Rejects...)
		l.live.Rejects += int64(len(o.Rejects))
		pg.pending--
	}
	for _, from := range b.from {
		if err := l.settle(from.page.of); err != nil {
			return err
		}
	}
	return nil
}

// settle moves a part's position behind its finished pages, in order.
func (l *ledger) settle(p *partLedger) error {
	n := 0
	for ; n < len(p.open) && p.open[n].read && p.open[n].pending == 0; n++ {
		pg := p.open[n]
		for _, r := range pg.rejects {
			if err := l.rejects.add(r); err != nil {
				return err
			}
		}
		if err := l.keepLocked(pg.lost); err != nil {
			return err
		}
		p.bytes -= pg.bytes
		p.beyond.Add(pg.stats)
		if pg.next != p.position {
			p.position = pg.next
			p.settled.Add(p.beyond)
			p.beyond = Statistics{}
		}
	}
	if n > 0 {
		p.open = append(p.open[:0], p.open[n:]...)
		clear(p.open[len(p.open):cap(p.open)])
		l.changed.Broadcast()
	}
	return nil
}

// keep writes superseded values of the target for good, before they are overwritten.
func (l *ledger) keep(values []record.Superseded) error {
	l.mu.Lock()
	err := l.keepLocked(values)
	l.mu.Unlock()
	if err != nil || l.superseded == nil {
		return err
	}
	return l.superseded.flush()
}

func (l *ledger) keepLocked(values []record.Superseded) error {
	if l.superseded == nil {
		return nil
	}
	for _, s := range values {
		if err := l.superseded.add(s); err != nil {
			return err
		}
	}
	return nil
}

// waitForRoom waits until the part has room for another page.
func (l *ledger) waitForRoom(ctx context.Context, p *partLedger) error {
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.changed.Broadcast()
	})
	defer stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	for p.full() && ctx.Err() == nil {
		l.changed.Wait()
	}
	return context.Cause(ctx)
}

// settled returns the figures and positions up to which all is written. What was decided after all parts is left out.
func (l *ledger) settled() (Statistics, map[string]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stats := l.base.clone()
	positions := make(map[string]string, len(l.parts))
	for _, p := range l.parts {
		stats.Add(p.settled)
		positions[p.name] = p.position
	}
	return stats, positions
}

// total returns the figures of all that was acknowledged.
func (l *ledger) total() Statistics {
	stats, _ := l.settled()
	l.mu.Lock()
	defer l.mu.Unlock()
	stats.Add(l.cut)
	for _, p := range append([]*partLedger{&l.rest}, l.parts...) {
		stats.Add(p.beyond)
	}
	return stats
}

// complete fails where a page of an ended run is not settled: a sink that lost a record in silence.
func (l *ledger) complete() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range append([]*partLedger{&l.rest}, l.parts...) {
		if len(p.open) > 0 {
			return fmt.Errorf("%d pages of %s have records without an outcome", len(p.open), p.name)
		}
	}
	return nil
}

// closeOpen takes what was acknowledged of pages that a failure left open into the figures, and writes out their
// rejects. Positions stay: the next run reads these pages again, and its lines repeat theirs.
func (l *ledger) closeOpen() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range append([]*partLedger{&l.rest}, l.parts...) {
		for _, pg := range p.open {
			l.cut.Add(pg.stats)
			for _, r := range pg.rejects {
				if err := l.rejects.add(r); err != nil {
					return err
				}
			}
			if err := l.keepLocked(pg.lost); err != nil {
				return err
			}
		}
		p.open = nil
	}
	return nil
}

func (l *ledger) phase(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.live.Phase = name
}

func (l *ledger) snapshot() Snapshot {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.live
}

func (l *ledger) flush() error {
	if err := l.rejects.flush(); err != nil || l.superseded == nil {
		return err
	}
	return l.superseded.flush()
}
