package redis

import (
	"context"
	"fmt"
	"math"
	"sync"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// node is a server that is scanned, with what was seen of its data since it was opened: by that it is told whether they
// went away or were replaced while they were read.
type node struct {
	client *goredis.Client
	addr   string
	first  state

	mu        sync.Mutex
	last      state
	fewest    int64 // lasting keys, at any page
	witnesses witnesses
}

func newNode(client *goredis.Client, addr string, first state) *node {
	return &node{client: client, addr: addr, first: first, last: first, fewest: math.MaxInt64}
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
	var list []string
	for _, n := range s.nodes {
		list = append(list, n.remarks(s.gone.Load())...)
	}
	return list
}

// unchanged fails where what was read of n is not all that it held at the start, or cannot be: the process is another one,
// slots moved, the data were replaced or went away. Its error wraps [record.ErrSourceMoved] then.
func (s *Store) unchanged(ctx context.Context, n *node) error {
	what := "check redis " + n.addr
	// What INFO tells says more, so it is asked last.
	if err := s.callWitnesses(ctx, n); err != nil {
		return err
	}
	err := s.persist(ctx, what, func(ctx context.Context) error {
		f, err := askFacts(ctx, n.client)
		if err != nil {
			return err
		}
		now := f.state(s.info.DB)
		switch {
		case now.runID != n.first.runID:
			return &movedError{ErrRestarted, ""}
		case now.loading:
			return ErrLoading
		}
		n.sampled(now.lasting)
		n.mu.Lock()
		n.last = now
		n.mu.Unlock()
		if s.single {
			return nil
		}
		slots, err := askSlots(ctx, n.client)
		switch {
		case err != nil:
			return err
		case slots.moving:
			return &movedError{ErrResharded, "one is being migrated"}
		case slots.layout != s.slots:
			return &movedError{ErrResharded, ""}
		}
		return nil
	})
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e := n.evidence(s.gone.Load())
	if why := n.first.replaced(n.last, e); why != "" {
		return &callError{what: what, cause: &movedError{ErrReplaced, why}}
	}
	if why := n.first.lost(n.last, e); why != "" && !s.allowShrinking {
		return &callError{what: what, cause: &movedError{ErrShrank, why}}
	}
	return nil
}

// allUnchanged is [Store.unchanged] for all nodes.
func (s *Store) allUnchanged(ctx context.Context) error {
	for _, n := range s.nodes {
		if err := s.unchanged(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// looks are how many keys of some pages a scan named and how many of those were not there when they were looked at.
type looks struct{ named, gone int64 }

// countGone counts those of the keys, which a scan named, that were not there when they were looked at. It fails where
// they are more than a server in use loses in between: they may be back at the next look at all keys. Beside are the pages
// that were looked at about the same time: what was away for a moment is missing here and there in all of them.
func (s *Store) countGone(ctx context.Context, what string, keys []string, probes probes, beside ...looks) (looks, error) {
	var these looks
	for _, key := range keys {
		if p := probes[key]; p != nil && p.seen {
			these.named++
			if p.State == layout.Absent {
				these.gone++
			}
		}
	}
	s.gone.Add(these.gone)
	all, most := these, these.named
	for _, l := range beside {
		all.named, all.gone, most = all.named+l.named, all.gone+l.gone, max(most, l.named)
	}
	if all.gone <= fewKeys || all.gone*100 < most*refusePercent || s.allowShrinking {
		return these, nil
	}
	if err := s.allUnchanged(ctx); err != nil {
		return these, err // it tells more
	}
	why := fmt.Sprintf("of %d keys that it named, %d were not there when they were looked at", all.named, all.gone)
	return these, &callError{what: what, cause: &movedError{ErrShrank, why}}
}

// movedError says that the source is not what it was when the run began.
type movedError struct {
	reason error // ErrRestarted, ErrResharded, ErrReplaced or ErrShrank
	detail string
}

func (e *movedError) Error() string {
	if e.detail == "" {
		return e.reason.Error()
	}
	return fmt.Sprintf("%v: %s", e.reason, e.detail)
}

func (e *movedError) Unwrap() []error { return []error{e.reason, record.ErrSourceMoved} }
