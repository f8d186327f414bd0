package migrate

import (
	"context"
	"fmt"
	"sync"

	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/record"
)

// maxOpenPages and maxOpenBytes bound the pages of a part that are not committed, and the rejected values in them. A reader
// that meets a bound hands out its unfinished batches and waits.
const (
	maxOpenPages = 256
	maxOpenBytes = 64 << 20
)

// page is a page on its way: read, but not every record of it has its outcome.
type page struct {
	of      *partTracker
	next    string
	pending int  // records without outcome
	read    bool // all its records were batched
	stats   Statistics
	rejects []record.Reject
	lost    []record.Superseded // of the source
	bytes   int                 // of rejects and lost
}

// partTracker tracks one part: its pages in order, and what is committed.
type partTracker struct {
	name      string
	open      []*page
	bytes     int // of the open pages
	position  string
	committed Statistics // up to position
	beyond    Statistics // committed, but behind position: of a page that was delivered in pieces
}

// tracker tracks what of a run is done. Its methods may be called from any goroutine.
type tracker struct {
	rejects    *rejectsfile.Writer
	superseded *rejectsfile.Writer // nil in a dry run

	mu      sync.Mutex
	changed sync.Cond // a page was committed
	parts   []*partTracker
	base    Statistics  // of the run that is resumed
	rest    partTracker // what was decided after all parts, where there is no position
	cut     Statistics  // of pages that a failure left open
	live    Snapshot
}

func newTracker(rejects, superseded *rejectsfile.Writer) *tracker {
	t := &tracker{rejects: rejects, superseded: superseded}
	t.changed.L = &t.mu
	return t
}

// part begins to track a part at its position.
func (t *tracker) part(name, position string) *partTracker {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := &partTracker{name: name, position: position}
	t.parts = append(t.parts, p)
	return p
}

// open enters a page, whose items were already judged: those without a record are counted at once. It reports whether
// the part now has so many pages open that its reader has to wait.
func (t *tracker) open(of *partTracker, in record.Page) (*page, bool) {
	pg := &page{of: of, next: in.Next}
	pg.stats.Seen = in.Seen
	for i := range in.Items {
		pg.enter(&in.Items[i])
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live.Keys += in.Seen.Keys
	t.live.Records += int64(len(in.Items) - pg.pending)
	t.live.Rejects += int64(len(pg.rejects))
	of.open = append(of.open, pg)
	of.bytes += pg.bytes
	return pg, of.full()
}

func (p *partTracker) full() bool { return len(p.open) >= maxOpenPages || p.bytes >= maxOpenBytes }

// enter counts what is known of an item before its record is written.
func (pg *page) enter(it *record.Item) {
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

// batched tells that all records of the page are in batches.
func (t *tracker) batched(pg *page) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	pg.read = true
	return t.commit(pg.of)
}

// outcomes enters the outcomes of a batch.
func (t *tracker) outcomes(b *batch, outcomes []record.Outcome) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live.Records += int64(len(outcomes))
	for i, o := range outcomes {
		pg := b.from[i].page
		counts := &pg.stats.Kinds[b.records[i].Kind]
		counts.count(o.Status)
		if o.Status != record.Rejected {
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
		t.live.Rejects += int64(len(o.Rejects))
		pg.pending--
	}
	return t.commit(b.from[0].page.of)
}

// commit moves a part's position behind its finished pages, in order.
func (t *tracker) commit(p *partTracker) error {
	n := 0
	for ; n < len(p.open) && p.open[n].read && p.open[n].pending == 0; n++ {
		pg := p.open[n]
		for _, r := range pg.rejects {
			if err := t.rejects.Add(r); err != nil {
				return err
			}
		}
		if err := t.keepLocked(pg.lost); err != nil {
			return err
		}
		p.bytes -= pg.bytes
		p.beyond.Add(pg.stats)
		if pg.next != p.position {
			p.position = pg.next
			p.committed.Add(p.beyond)
			p.beyond = Statistics{}
		}
	}
	if n > 0 {
		p.open = append(p.open[:0], p.open[n:]...)
		clear(p.open[len(p.open):cap(p.open)])
		t.changed.Broadcast()
	}
	return nil
}

// keep writes superseded values of the target for good, before they are overwritten.
func (t *tracker) keep(values []record.Superseded) error {
	t.mu.Lock()
	err := t.keepLocked(values)
	t.mu.Unlock()
	if err != nil || t.superseded == nil {
		return err
	}
	return t.superseded.Flush()
}

func (t *tracker) keepLocked(values []record.Superseded) error {
	if t.superseded == nil {
		return nil
	}
	for _, s := range values {
		if err := t.superseded.AddSuperseded(s); err != nil {
			return err
		}
	}
	return nil
}

// waitForRoom waits until the part has room for another page.
func (t *tracker) waitForRoom(ctx context.Context, p *partTracker) error {
	stop := context.AfterFunc(ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.changed.Broadcast()
	})
	defer stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	for p.full() && ctx.Err() == nil {
		t.changed.Wait()
	}
	return context.Cause(ctx)
}

// committed returns the figures and positions up to which all is written. What was decided after all parts is left out.
func (t *tracker) committed() (Statistics, map[string]string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	stats := t.base.clone()
	positions := make(map[string]string, len(t.parts))
	for _, p := range t.parts {
		stats.Add(p.committed)
		positions[p.name] = p.position
	}
	return stats, positions
}

// total returns the figures of all that was acknowledged.
func (t *tracker) total() Statistics {
	stats, _ := t.committed()
	t.mu.Lock()
	defer t.mu.Unlock()
	stats.Add(t.cut)
	for _, p := range append([]*partTracker{&t.rest}, t.parts...) {
		stats.Add(p.beyond)
	}
	return stats
}

// complete fails where a page of an ended run is not committed: a sink that lost a record in silence.
func (t *tracker) complete() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range append([]*partTracker{&t.rest}, t.parts...) {
		if len(p.open) > 0 {
			return fmt.Errorf("%d pages of %s have records without an outcome", len(p.open), p.name)
		}
	}
	return nil
}

// closeOpen takes what was acknowledged of pages that a failure left open into the figures, and writes out their
// rejects. Positions stay: the next run reads these pages again, and its lines repeat theirs.
func (t *tracker) closeOpen() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range append([]*partTracker{&t.rest}, t.parts...) {
		for _, pg := range p.open {
			t.cut.Add(pg.stats)
			for _, r := range pg.rejects {
				if err := t.rejects.Add(r); err != nil {
					return err
				}
			}
			if err := t.keepLocked(pg.lost); err != nil {
				return err
			}
		}
		p.open = nil
	}
	return nil
}

func (t *tracker) phase(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live.Phase = name
}

func (t *tracker) snapshot() Snapshot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live
}

func (t *tracker) flush() error {
	if err := t.rejects.Flush(); err != nil || t.superseded == nil {
		return err
	}
	return t.superseded.Flush()
}
