package redis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// node is a server that is scanned: a process with its share of the slots, and with what was seen of its data since it was
// met. By that it is told whether they went away or were replaced while they were read. Where another process or other
// slots take its place, [Store.succeed] makes a new node of them.
type node struct {
	client *goredis.Client
	addr   string
	share  share
	first  state

	left atomic.Bool // another node is in its place

	mu        sync.Mutex
	last      state
	fewest    int64 // lasting keys, at any page
	witnesses witnesses
}

func newNode(client *goredis.Client, addr string, has share, first state) *node {
	return &node{client: client, addr: addr, share: has, first: first, last: first, fewest: math.MaxInt64}
}

// sampled takes in how many lasting keys the node holds, and reports whether that is few.
func (n *node) sampled(lasting int64) (few bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fewest = min(n.fewest, lasting)
	return n.first.fewLeft(evidence{fewest: n.fewest})
}

func (n *node) evidence(gone int64) evidence {
	of, missing := n.witnesses.worst()
	return evidence{fewest: n.fewest, gone: gone, witnesses: of, missing: missing}
}

// remarks returns what a person should know of what happened to the node's data.
func (n *node) remarks(gone int64) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	for _, text := range n.first.remarks(n.last, n.evidence(gone)) {
		list = append(list, "Redis "+n.addr+" "+text)
	}
	return list
}

// Remarks returns what a person should know of what happened to the data since the store was opened, though they could be
// read to their end.
func (s *Store) Remarks() []string {
	list := s.moves.remarks()
	for _, n := range s.current() {
		list = append(list, n.remarks(s.gone.Load())...)
	}
	return list
}

// look fails where what n held at the start went away or was replaced; its error wraps [record.ErrSourceMoved] then. It
// returns the slots that n has had, and that were not moving, all the time since it was met: a scan of n in that time has
// named all that they held. Where n is not what it was, others take its place, if they hold what it held.
func (s *Store) look(ctx context.Context, n *node) (kept slotSet, err error) {
	// What INFO tells says more, so it is asked last.
	if err := s.callWitnesses(ctx, n); err != nil {
		return kept, err
	}
	what := "check redis " + n.addr
	now, is := state{}, undivided
	err = s.askNode(ctx, n, what, func(ctx context.Context) error {
		f, err := askFacts(ctx, n.client)
		if err != nil {
			return err
		}
		if now = f.state(s.info.DB); now.loading {
			return ErrLoading
		}
		if !s.single {
			is, err = s.askShare(ctx, n.client)
		}
		return err
	})
	switch {
	case errors.Is(err, errLeft):
		return kept, s.replace(ctx, n)
	case err != nil:
		return kept, err
	case now.runID != n.first.runID, is.owner != n.share.owner, is.epoch != n.share.epoch, now.replica && !n.first.replica && s.elects():
		return kept, s.replace(ctx, n)
	}
	kept = n.share.slots.and(is.slots).without(n.share.moving).without(is.moving)
	if is != n.share || n.left.Load() {
		return kept, s.replace(ctx, n)
	}
	n.sampled(now.lasting)
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = now
	return kept, s.judge(what, n.first, now, n.evidence(s.gone.Load()))
}

// judge fails where the data of a server are not those of an earlier state, or too few of them are left.
func (s *Store) judge(what string, was, now state, e evidence) error {
	if why := was.replaced(now, e); why != "" {
		return &callError{what: what, cause: &movedError{ErrReplaced, why}}
	}
	if why := was.lost(now, e); why != "" && !s.allowShrinking {
		return &callError{what: what, cause: &movedError{ErrShrank, why}}
	}
	return nil
}

// whole fails where anything that the nodes held at the start went away or was replaced.
func (s *Store) whole(ctx context.Context) error {
	for _, n := range s.current() {
		if _, err := s.look(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// looks are how many keys of some pages a scan named and how many of those were not there when they were looked at.
type looks struct{ named, gone int64 }

// many reports whether so many of a page's keys were gone that they were away, and not only removed as a busy Lanyard does.
func (l looks) many() bool { return l.gone*100 >= l.named*manyPercent }

// countGone counts those of the keys, which a scan named, that were not there when they were looked at. It fails where
// they are more than a server in use loses in between: they may be back at the next look at all keys. Beside are the pages
// that were looked at about the same time: what was away for a moment is missing here and there in all of them.
func (s *Store) countGone(ctx context.Context, what string, keys []*probe, beside ...looks) (looks, error) {
	var these looks
	for _, p := range keys {
		if p.seen {
			these.named++
			if p.State == layout.Absent {
				these.gone++
			}
		}
	}
	s.gone.Add(these.gone)
	all, most, many := these, these.named, these.many()
	for _, l := range beside {
		all.named, all.gone, most, many = all.named+l.named, all.gone+l.gone, max(most, l.named), many || l.many()
	}
	if all.gone <= fewKeys || all.gone*100 < most*refusePercent || !many || s.allowShrinking {
		return these, nil
	}
	if err := s.whole(ctx); err != nil {
		return these, err // it tells more
	}
	why := fmt.Sprintf("of %d keys that it named, %d were not there when they were looked at", all.named, all.gone)
	return these, &callError{what: what, cause: &movedError{ErrShrank, why}}
}

// movedError says that the source is not what it was when the run began.
type movedError struct {
	reason error // ErrResharded, ErrReplaced or ErrShrank
	detail string
}

func (e *movedError) Error() string {
	if e.detail == "" {
		return e.reason.Error()
	}
	return fmt.Sprintf("%v: %s", e.reason, e.detail)
}

func (e *movedError) Unwrap() []error { return []error{e.reason, record.ErrSourceMoved} }
