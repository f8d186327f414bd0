package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// FeedOptions says what a feed tells, and how.
type FeedOptions struct {
	Kinds record.Kinds   // all where zero
	Way   record.FeedWay // the best that the servers allow where empty
}

// Why a feed cannot have the way that was asked for, see [WayError].
var (
	ErrNoTracking      = errors.New("the server does not tell of changes by CLIENT TRACKING")
	ErrNoNotifications = errors.New("the server does not tell of changes by keyspace notifications")
)

// ErrFeedEnded marks the end of a feed that another one can follow: changes may have been missed in between. An error
// without it, such as of a right that was taken away, comes again.
var ErrFeedEnded = errors.New("the feed of changes ended")

// feedEnd is why a feed ended.
type feedEnd struct {
	addr, why string
	cause     error // may be nil
}

func ended(addr, why string) error { return &feedEnd{addr: addr, why: why} }

func (e *feedEnd) Error() string {
	text := "follow redis " + e.addr + ": " + e.why
	if e.cause != nil {
		text += ": " + plain(e.cause)
	}
	return text
}

func (e *feedEnd) Unwrap() []error {
	list := []error{ErrFeedEnded, record.ErrUnavailable}
	if e.cause != nil {
		list = append(list, e.cause)
	}
	return list
}

// Feed returns a feed of changes, over a connection of its own to each server that is read. It needs no right to write.
// [record.Feed.Follow] should be called soon: until then, what is told waits in the servers' memory. Servers tell nothing of
// a key whose time has passed before they have removed it, and of fields of a hash that expire by themselves.
//
// Beside what a source needs, the user has these rights: for tracking +ping +client|tracking; for notifications +ping
// +config|get +psubscribe, and the channels &__keyspace@N__:PREFIX* of the database N and each of [layout.Prefixes]; for polling
// none. With +subscribe and &lanyardctl:quiet a server that tracks heeds client-output-buffer-limit pubsub, and so
// keeps no more than that for a reader that was stopped; by default it keeps anything for others.
func (s *Store) Feed(ctx context.Context, o FeedOptions) (record.Feed, error) {
	if o.Kinds == 0 {
		o.Kinds = record.LanyardKinds
	}
	var f *feed
	err := s.persist(ctx, "follow redis "+s.addr, func(ctx context.Context) (err error) {
		f, err = s.openFeed(ctx, o)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// feed implements [record.Feed].
type feed struct {
	store   *Store
	way     record.FeedWay
	why     string
	servers []*followed
	moved   []share // of the servers, where a look found them changed

	delivering sync.Mutex // held while the listener is called
	to         record.FeedListener
	asked      chan *lookRequest

	closing     sync.Once
	closed, end chan struct{} // end is closed once Follow has ended
}

// Way implements [record.Feed].
func (f *feed) Way() (way record.FeedWay, why string) { return f.way, f.why }

// How often servers are looked at, and how long all looks may fail.
const (
	lookEvery = 2 * time.Second
	mostBlind = 10 * time.Second
)

// Follow implements [record.Feed].
func (f *feed) Follow(ctx context.Context, to record.FeedListener) error {
	defer close(f.end)
	defer f.cut()
	f.to = to
	all, following := errgroup.WithContext(ctx)
	defer context.AfterFunc(following, f.cut)()
	all.Go(func() error {
		select {
		case <-f.closed:
			return ended(f.store.addr, "the feed was closed")
		case <-following.Done():
			return nil
		}
	})
	for _, srv := range f.servers {
		all.Go(func() error { return srv.link.receive(f) })
		all.Go(func() error { return srv.link.keepAlive(following) })
	}
	if f.way != record.Polling {
		all.Go(func() error { return f.watch(following) })
	}
	err := all.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// deliver hands over what was read.
func (f *feed) deliver(changes []record.SourceChange, everything string) {
	f.delivering.Lock()
	defer f.delivering.Unlock()
	if f.to == nil {
		return // the feed is being opened
	}
	if everything != "" {
		f.to.Everything(everything)
	}
	if len(changes) > 0 {
		f.to.Changed(changes)
	}
}

// watch looks at the servers now and then, and when it is asked to.
func (f *feed) watch(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	seen := time.Now()
	for {
		var waiting *lookRequest
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case waiting = <-f.asked:
		}
		err := f.look(ctx)
		if waiting != nil {
			waiting.err = err
			close(waiting.done)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			seen = time.Now()
		case errors.Is(err, ErrFeedEnded):
			return err
		case !temporary(err):
			return &callError{what: "follow redis " + f.store.addr, cause: err}
		case time.Since(seen) > mostBlind:
			return &feedEnd{addr: f.store.addr, why: "the servers cannot be looked at", cause: err}
		}
	}
}

// Barrier implements [record.Feed]. A server that tracks tells of a turn's changes at the end of that turn, after its
// answers. So the answer to a second ping, which is sent after that to the first, comes after all of what was changed before
// the first. A notification is sent before the command that caused it is answered, so that one ping would do. What servers do
// not tell by themselves a look finds out; it makes certain, too, that they still are those whose data count.
func (f *feed) Barrier(ctx context.Context) error {
	if f.way == record.Polling {
		return nil
	}
	var all errgroup.Group
	for _, srv := range f.servers {
		all.Go(func() error {
			for range 2 {
				answered, err := srv.link.ping()
				if err != nil {
					return &feedEnd{addr: srv.node.addr, why: "the connection was lost", cause: err}
				}
				if err := f.await(ctx, answered); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := all.Wait(); err != nil {
		return err
	}
	r := &lookRequest{done: make(chan struct{})}
	select {
	case f.asked <- r:
	case <-f.end: // await tells
	case <-ctx.Done():
	}
	if err := f.await(ctx, r.done); err != nil {
		return err
	}
	return r.err
}

// lookRequest is a look that somebody waits for.
type lookRequest struct {
	done chan struct{} // closed once err is set
	err  error
}

func (f *feed) await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-f.end:
		return ended(f.store.addr, "the feed has ended")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Close implements [record.Feed].
func (f *feed) Close() error {
	f.closing.Do(func() { close(f.closed) })
	f.cut()
	return nil
}

// cut closes the connections.
func (f *feed) cut() {
	for _, srv := range f.servers {
		_ = srv.link.conn.Close() // whoever reads it is told
	}
}

// openFeed opens a feed of the best way that all servers allow.
func (s *Store) openFeed(ctx context.Context, o FeedOptions) (*feed, error) {
	f := &feed{
		store: s, way: record.Polling, asked: make(chan *lookRequest), closed: make(chan struct{}), end: make(chan struct{}),
	}
	if o.Way == record.Polling {
		return f, nil
	}
	nodes, err := s.serve(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range feedWays {
		if o.Way != "" && o.Way != w.way {
			continue
		}
		err := f.join(ctx, nodes, w, o.Kinds)
		if err == nil {
			f.way = w.way
			return f, f.settled(ctx)
		}
		f.cut()
		f.servers = nil
		refused, is := errors.AsType[*WayError](err)
		if !is || o.Way != "" {
			return nil, err
		}
		f.why = joined(f.why, refused)
	}
	if o.Way != "" {
		return nil, fmt.Errorf("%q is no way to see changes", o.Way)
	}
	return f, nil
}

// settled fails where the servers changed while they were joined.
func (f *feed) settled(ctx context.Context) error {
	err := f.look(ctx)
	if err != nil {
		f.cut()
	}
	return err
}

// join has each of the nodes tell of changes.
func (f *feed) join(ctx context.Context, nodes []*node, w feedWay, kinds record.Kinds) error {
	for _, n := range nodes {
		srv, err := f.store.follow(ctx, n, w, kinds)
		if err != nil {
			return err
		}
		f.servers = append(f.servers, srv)
	}
	return nil
}

// follow opens a connection over which the node tells of changes.
func (s *Store) follow(ctx context.Context, n *node, w feedWay, kinds record.Kinds) (*followed, error) {
	o := n.client.Options()
	conn, err := o.Dialer(ctx, o.Network, o.Addr)
	if err != nil {
		return nil, err
	}
	l := newFeedLink(n.addr, conn, kinds, o)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	facts, err := l.open(o, w, s.info.DB)
	if !stop() && err == nil {
		err = net.ErrClosed
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// Whoever gives up a read has no reason to end the feed.
	l.conn = s.connections.release(conn)
	return &followed{node: n, link: l, was: facts.state(s.info.DB)}, nil
}

// broken returns the end of a feed whose connection failed.
func broken(addr string, silence time.Duration, err error) error {
	var netErr net.Error
	switch {
	case errors.Is(err, errProtocol):
		return &feedEnd{addr: addr, why: "it cannot be understood", cause: err}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &netErr) && netErr.Timeout():
		return ended(addr, fmt.Sprintf("it has not answered for %s", silence))
	}
	const closed = "the connection was closed (by CLIENT KILL, client-output-buffer-limit, an end of the server, or in between)"
	return &feedEnd{addr: addr, why: closed, cause: err}
}
