package redis

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/layout"

	"github.com/lanyardctl/lanyardctl/internal/retry"
)

// Who serves the keys changes while they are read: servers restart, replicas take over, slots move. What was read of a
// server holds for the slots that it has had all the time; the others are read again from those who have them then, see
// [source.readAgain].

var (
	// errLeft says that a node is not there any more, or not as what it was.
	errLeft = errors.New("the server was replaced by another")

	// errUnsettled says that the servers do not agree yet who has which slots.
	errUnsettled = errors.New("the servers of the Cluster do not agree on who has which slots")

	// errNoMaster says that the server that the Sentinels named is no master, yet or any more.
	errNoMaster = errors.New("the server is no master")
)

// current returns the nodes that serve all keys, as far as is known, by address.
func (s *Store) current() []*node {
	s.serving.Lock()
	defer s.serving.Unlock()
	return s.nodes
}

// elects reports whether others choose a new master where one fails.
func (s *Store) elects() bool { return s.info.Mode != Standalone }

// askNode calls read, which asks n alone, until it succeeds, as [Store.persist] does. Its error wraps errLeft where that would be
// in vain: after a call that failed it looks whether n is still what it was.
func (s *Store) askNode(ctx context.Context, n *node, what string, read func(context.Context) error) error {
	failed := false
	return s.persist(ctx, what, func(ctx context.Context) error {
		if failed {
			if err := s.remains(ctx, n); err != nil {
				return err
			}
		}
		err := read(ctx)
		if errors.Is(err, goredis.ErrClosed) && !s.single { // go-redis closes those that a Cluster does not have any more
			return errLeft
		}
		failed = err != nil
		return err
	})
}

// remains fails with errLeft where n is not what it was, and with another error where nobody knows.
func (s *Store) remains(ctx context.Context, n *node) error {
	f, err := askFacts(ctx, n.client)
	switch {
	case err == nil && f["run_id"] != n.first.runID:
		return errLeft
	case err == nil || s.single:
		return err
	}
	for _, other := range s.current() {
		if other == n || ctx.Err() != nil {
			continue
		}
		text, otherErr := other.client.ClusterNodes(ctx).Result()
		if otherErr != nil {
			continue
		}
		is, otherErr := shareOf(parseNodes(text), func(l clusterNode) bool { return l.id == n.share.id && !l.has("fail") })
		if otherErr != nil || is.owner != n.share.owner || is.slots.count() == 0 {
			return errLeft
		}
	}
	return err
}

// replace puts those in n's place who serve its keys now, which may be n itself with other slots.
func (s *Store) replace(ctx context.Context, n *node) error {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	if n.left.Load() {
		return nil
	}
	var now []*node
	err := s.persist(ctx, "look for who serves the keys of redis "+n.addr, func(ctx context.Context) (err error) {
		now, err = s.serve(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return s.succeed(ctx, now)
}

// serve returns new nodes for those who serve the keys now. It fails where they do not serve all, or not yet.
func (s *Store) serve(ctx context.Context) ([]*node, error) {
	if s.single {
		was := s.current()[0]
		addr := was.addr
		if s.failover != nil && !was.first.replica {
			var err error
			if addr, err = masterAddr(ctx, s.failover); err != nil {
				return nil, err
			}
		}
		n, err := s.observe(ctx, was.client, addr)
		if err == nil && n.first.replica && !was.first.replica && s.elects() {
			err = errNoMaster
		}
		return []*node{n}, err
	}
	offsets, err := s.offsets(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var nodes []*node
	err = s.cluster().ForEachMaster(ctx, func(ctx context.Context, c *goredis.Client) error {
		n, err := s.observe(ctx, c, c.Options().Addr)
		mu.Lock()
		defer mu.Unlock()
		nodes = append(nodes, n)
		return err
	})
	if err != nil {
		return nil, err
	}
	var served slotSet
	for _, n := range nodes {
		if both := served.and(n.share.slots); n.share.slots.count() == 0 || both.count() > 0 || n.first.offset < offsets[n.share.owner] {
			return nil, errUnsettled
		}
		served = served.or(n.share.slots)
	}
	if served != allSlots {
		return nil, errUnsettled
	}
	slices.SortFunc(nodes, func(a, b *node) int { return strings.Compare(a.addr, b.addr) })
	return nodes, nil
}

func (s *Store) observe(ctx context.Context, c *goredis.Client, addr string) (*node, error) {
	f, err := askFacts(ctx, c)
	if err != nil {
		return nil, err
	}
	now, has := f.state(s.info.DB), undivided
	if now.loading {
		return nil, ErrLoading
	}
	if !s.single {
		has, err = s.askShare(ctx, c)
	}
	return newNode(c, addr, has, now), err
}

// succeed makes those the nodes of the store that serve the keys now. It fails where they do not hold what the nodes before
// them held. Those that are what they were stay.
func (s *Store) succeed(ctx context.Context, now []*node) error {
	was := s.current()
	for i, n := range now {
		at := slices.IndexFunc(was, func(w *node) bool { return w.first.runID == n.first.runID })
		if at < 0 {
			s.moves.restarted(n, slices.ContainsFunc(was, func(w *node) bool { return w.addr == n.addr }))
			if slices.ContainsFunc(was, func(w *node) bool { return w.share.id == n.share.id }) {
				n.first.flushAll, n.first.flushDB, n.first.swapDB, n.first.evicted = 0, 0, 0, 0 // it began to count then
			}
			continue
		}
		if w := was[at]; w.share == n.share {
			now[i] = w
			continue
		}
		s.moves.resharded()
		// The same process tells what befell its data, but not by their number: that of its slots is another.
		w, is := was[at], n.first
		n.first = w.first
		n.first.keys, n.first.lasting = is.keys, is.lasting
		n.last = is
		if err := s.judge("check redis "+n.addr, n.first, is, evidence{fewest: is.lasting, gone: s.gone.Load()}); err != nil {
			return err
		}
	}
	for _, g := range successions(was, now) {
		if err := s.judgeSuccession(g); err != nil {
			return err
		}
	}
	for _, w := range was {
		if slices.Contains(now, w) {
			continue
		}
		w.left.Store(true)
		w.mu.Lock()
		for _, key := range w.witnesses.list {
			slot := layout.Slot(key.key)
			for _, n := range now {
				if n.share.slots.has(slot) && !slices.Contains(was, n) {
					n.witnesses.add(key.key, math.MaxInt)
				}
			}
		}
		w.mu.Unlock()
	}
	s.serving.Lock()
	s.nodes = now
	s.serving.Unlock()
	if s.wire != nil {
		s.wire.renew()
	}
	for _, n := range now {
		if slices.Contains(was, n) {
			continue
		}
		if err := s.callWitnesses(ctx, n); err != nil {
			return err
		}
		n.mu.Lock()
		err := s.judge("check redis "+n.addr, n.first, n.last, n.evidence(s.gone.Load()))
		n.mu.Unlock()
		if err != nil {
			return err
		}
	}
	return nil
}

// succession are nodes, and those who have all their slots after them, and no others.
type succession struct {
	slots    slotSet
	was, now []*node
}

// successions returns the smallest ones.
func successions(was, now []*node) []succession {
	var list []succession
	add := func(one succession) {
		rest := list[:0]
		for _, g := range list {
			if both := g.slots.and(one.slots); both.count() == 0 {
				rest = append(rest, g)
				continue
			}
			one.slots = one.slots.or(g.slots)
			one.was, one.now = append(one.was, g.was...), append(one.now, g.now...)
		}
		list = append(rest, one)
	}
	for _, n := range was {
		add(succession{n.share.slots, []*node{n}, nil})
	}
	for _, n := range now {
		add(succession{n.share.slots, nil, []*node{n}})
	}
	return list
}

// judgeSuccession fails where those who came hold far fewer keys than those who were there.
func (s *Store) judgeSuccession(g succession) error {
	var before, after state
	for _, n := range g.was {
		before.keys, before.lasting = before.keys+n.first.keys, before.lasting+n.first.lasting
	}
	for _, n := range g.now {
		after.keys, after.lasting = after.keys+n.first.keys, after.lasting+n.first.lasting
	}
	if err := s.judge("check redis "+g.now[0].addr, before, after, evidence{fewest: after.lasting}); err != nil {
		return err
	}
	if len(g.was) == 1 && len(g.now) == 1 { // what it is held to stays the same, however often it is replaced
		g.now[0].first.keys, g.now[0].first.lasting = before.keys, before.lasting
	}
	return nil
}

// settle waits until slots that move, or servers that are away, may be another way.
func (s *Store) settle(ctx context.Context, begun time.Time, moving slotSet) error {
	if time.Since(begun) > s.retryFor {
		return &callError{what: "read redis " + s.addr, cause: &movedError{ErrResharded, fmt.Sprintf("slot %d is still being migrated", moving.first())}}
	}
	if err := retry.Sleep(ctx, min(max(time.Since(begun)/4, 20*time.Millisecond), time.Second)); err != nil {
		return s.failed(ctx, "read redis "+s.addr, err)
	}
	return s.whole(ctx)
}

// moves is what happened to those who serve the keys, for people.
type moves struct {
	mu    sync.Mutex
	texts []string
	slots bool
	again int64 // keys that were read for that, after all parts
}

func (m *moves) restarted(n *node, same bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text := "Redis " + n.addr + " took over from another server during the run: what that one had not sent it is not in what was read"
	if same {
		text = "Redis " + n.addr + " restarted during the run: what it had not saved is not in what was read"
	}
	if !slices.Contains(m.texts, text) {
		m.texts = append(m.texts, text)
	}
}

func (m *moves) resharded() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slots = true
}

func (m *moves) read(keys int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.again += keys
}

func (m *moves) remarks() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := slices.Clone(m.texts)
	if m.slots {
		list = append(list, "slots of the Cluster moved during the run")
	}
	if m.again > 0 {
		list = append(list, fmt.Sprintf("%d keys were read again for that: those that had been read before count twice in the totals", m.again))
	}
	return list
}
