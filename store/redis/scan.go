package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

const (
	// pagesAhead is how many pages of SCAN's answer wait for their turn, beside the one that is delivered and the one that
	// is scanned.
	pagesAhead = 4

	// aheadShare is which part of the budget the values of one page may take that waits: a sixteenth. Larger ones are loaded
	// when it is the page's turn, in groups.
	aheadShare = 16
)

// scanning is a reading of a node's keys, from a position to their end.
type scanning struct {
	node  *node
	at    position
	held  string                // for the positions of the pages
	whole bool                  // from the start, so that the number of keys means something
	wants func(key string) bool // nil for all; the others are neither looked at nor counted
}

// ahead is a page of SCAN's answer under way.
type ahead struct {
	keys    []string
	cursor  uint64 // after it
	scanned int64  // keys up to here, wanted or not
	reading *reading
	held    bool          // API keys
	done    chan struct{} // closed once it was looked at
	err     error         // by which the page failed; it is the last one then
}

// scanNode delivers the pages of a node in order. It reads ahead: while a page is delivered, the next ones are scanned,
// looked up and decoded, each page by a goroutine of its own. All have ended when it returns.
func (s *source) scanNode(ctx context.Context, sc scanning, yield func(record.Page) error) error {
	pages := make(chan *ahead, pagesAhead)
	working, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer stop()
	var begun sync.Once
	first := make(chan struct{}) // closed once the first page was delivered: a look at that alone costs no more
	all.Go(func() { s.scanAhead(working, sc, pages, first, &all) })
	at := sc.at
	var beside []looks
	for page := range pages {
		<-page.done
		switch {
		case page.err != nil:
			return page.err
		case ctx.Err() != nil:
			return s.store.failed(ctx, "scan redis "+sc.node.addr, ctx.Err())
		}
		next := position{
			cursor: page.cursor, end: page.cursor == 0, claims: at.claims || page.held, held: sc.held,
		}
		if next.end && sc.whole {
			sc.node.sampled(page.scanned) // that a scan names fewer keys than there were says the same
		}
		looks, err := s.deliver(ctx, sc.node, page, beside, at, next, yield)
		if err != nil {
			return err
		}
		beside = append(beside[max(0, len(beside)-pagesAhead):], looks)
		page.reading.reuse()
		s.spares.Put(page.reading)
		begun.Do(func() { close(first) })
		at = next
	}
	if !at.end {
		return s.store.failed(ctx, "scan redis "+sc.node.addr, ctx.Err())
	}
	return nil
}

// scanAhead sends the node's pages to pages, in order, those after the first once that was delivered. It ends with the last
// one, one that failed, or ctx.
func (s *source) scanAhead(ctx context.Context, sc scanning, pages chan<- *ahead, first <-chan struct{}, all *sync.WaitGroup) {
	defer close(pages)
	scanned := int64(0)
	for cursor, failed := sc.at.cursor, false; !failed; {
		page := &ahead{reading: s.spareReading(), done: make(chan struct{})}
		page.reading.node = sc.node
		page.keys, page.cursor, page.err = s.scan(ctx, sc.node, cursor, "")
		scanned += int64(len(page.keys))
		page.scanned = scanned
		if sc.wants != nil {
			page.keys = slices.DeleteFunc(page.keys, func(key string) bool { return !sc.wants(key) })
		}
		if failed = page.err != nil; failed {
			close(page.done)
		} else {
			all.Go(func() {
				defer close(page.done)
				page.held, page.err = page.reading.ahead(ctx, page.keys)
			})
		}
		select {
		case pages <- page:
		case <-ctx.Done():
			return
		}
		if cursor = page.cursor; cursor == 0 {
			return
		}
		select {
		case <-first:
		case <-ctx.Done():
			return
		}
	}
}

// spareReading returns a reading, which may be one that read another page.
func (s *source) spareReading() *reading {
	if r, ok := s.spares.Get().(*reading); ok {
		return r
	}
	return newReading(s)
}

// deliver delivers what was read of a page, and reads what is left of it.
func (s *source) deliver(
	ctx context.Context, n *node, page *ahead, beside []looks, before, next position, yield func(record.Page) error,
) (looks, error) {
	r := page.reading
	err := r.run(ctx, func(items []record.Item) error {
		return yield(record.Page{Items: items, Next: before.String()})
	})
	if err != nil {
		return looks{}, err
	}
	if s.askTTL || !s.store.info.Expires { // else nobody knows which keys last
		n.witness(r.named)
	}
	these, err := s.store.countGone(ctx, "scan redis "+n.addr, r.named, beside...)
	if err != nil {
		return looks{}, err
	}
	// The last page goes out only once it is certain that none is missing.
	if next.end {
		kept, err := s.store.look(ctx, n)
		if err != nil {
			return looks{}, err
		}
		s.take(kept)
		if kept != n.share.slots { // what a later run finds at the end would count as read
			next = before
		}
	}
	return these, yield(record.Page{Items: r.items, Seen: r.seen, Next: next.String()})
}

// scan returns a page of keys, those that match where match is not empty, and the next cursor, zero at the end. Each time
// it looks how many keys there are: a scan returns every key that is there at each of its steps.
func (s *source) scan(ctx context.Context, n *node, cursor uint64, match string) (keys []string, next uint64, err error) {
	words := []string{"scan", strconv.FormatUint(cursor, 10), "MATCH", match, "COUNT", strconv.Itoa(s.pageSize)}
	if match == "" {
		words = slices.Delete(words, 2, 4)
	}
	b := batch{apart: true}
	b.ask(words...)
	b.ask("info", "keyspace")
	err = s.store.askNode(ctx, n, "scan redis "+n.addr, func(ctx context.Context) error {
		if s.store.wire != nil {
			return s.store.wire.do(ctx, &b)
		}
		return b.through(ctx, n.client.Pipeline())
	})
	if err != nil {
		return nil, 0, err
	}
	if next, err = strconv.ParseUint(b.answers[0].text, 10, 64); err != nil {
		return nil, 0, fmt.Errorf("scan redis %s: the cursor %q is no number", n.addr, b.answers[0].text)
	}
	if err := s.store.pace.take(ctx, len(b.answers[0].list)); err != nil {
		return nil, 0, s.store.failed(ctx, "scan redis "+n.addr, err)
	}
	return b.answers[0].list, next, s.store.sample(ctx, n, b.answers[1].text)
}

// sample takes in how many keys there are now. It fails where they are few, and for good.
func (s *Store) sample(ctx context.Context, n *node, keyspace string) error {
	if !strings.Contains(keyspace, "# Keyspace") {
		return nil // not every server tells
	}
	held, expires := parseFacts(keyspace).keyspace(s.info.DB)
	if few := n.sampled(held - expires); few && !s.allowShrinking && !n.left.Load() {
		_, err := s.look(ctx, n)
		return err
	}
	return nil
}
