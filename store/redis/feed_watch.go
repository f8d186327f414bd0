package redis

import (
	"context"
	"errors"
	"slices"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
)

// followed is a server that tells of changes.
type followed struct {
	node *node
	link *feedLink
	was  state // when it was last looked at
}

// look tells of what servers do not tell by themselves. It fails with [ErrFeedEnded] where they are not those any more whose
// data count.
func (f *feed) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, mostBlind)
	defer cancel()
	for _, srv := range f.servers {
		err := f.store.afresh(ctx, func() error { return f.lookAt(ctx, srv) })
		if errors.Is(err, goredis.ErrClosed) && !f.store.single {
			return ended(srv.node.addr, "the Cluster does not have it any more")
		}
		if err != nil {
			return err
		}
	}
	switch was := f.servers[0].node; {
	case f.store.failover != nil && !was.first.replica:
		addr, err := masterAddr(ctx, f.store.failover)
		if err == nil && addr != was.addr { // without Sentinels, the master stays
			return ended(was.addr, "the Sentinels name another master, "+addr)
		}
	case !f.store.single:
		return f.lookAtSlots(ctx)
	}
	return nil
}

// lookAt looks at one server.
func (f *feed) lookAt(ctx context.Context, srv *followed) error {
	n := srv.node
	facts, err := askFacts(ctx, n.client)
	if err != nil {
		return err
	}
	was, now := srv.was, facts.state(f.store.info.DB)
	switch why := was.succeeded(now); {
	case now.runID != was.runID:
		return ended(n.addr, "another process answers there")
	case why != "":
		return ended(n.addr, why)
	case now.replica != was.replica:
		return ended(n.addr, "it was made a master")
	}
	if f.way == record.Notifications {
		config, err := n.client.ConfigGet(ctx, "notify-keyspace-events").Result()
		if err == nil {
			err = notEnough(config["notify-keyspace-events"])
		}
		if errors.Is(err, ErrNoNotifications) {
			return &feedEnd{addr: n.addr, why: "keyspace notifications were switched off", cause: err}
		}
		if err != nil {
			return err
		}
	}
	srv.was = now
	// A server that tracks tells of the others.
	text := ""
	switch notified := f.way == record.Notifications; {
	case ran(was.swapDB, now.swapDB) > 0:
		text = "SWAPDB"
	case notified && ran(was.flushAll, now.flushAll) > 0:
		text = "FLUSHALL"
	case notified && ran(was.flushDB, now.flushDB) > 0:
		text = "FLUSHDB"
	}
	if text != "" {
		f.deliver(nil, "Redis "+n.addr+" ran "+text)
	}
	return nil
}

// lookAtSlots fails where another server of the Cluster has taken slots, or where slots moved between those that are followed
// and no more of them move. While they move nothing is missed: each server tells of the keys that leave it or come to it.
func (f *feed) lookAtSlots(ctx context.Context) error {
	var now []share
	moved, moving := false, false
	for _, srv := range f.servers {
		text, err := srv.node.client.ClusterNodes(ctx).Result()
		if err != nil {
			return err
		}
		nodes := parseNodes(text)
		for _, n := range nodes {
			if by := f.robbed(n); by != nil {
				return ended(by.node.addr, "another server of the Cluster has taken slots of it")
			}
		}
		is, err := shareOf(nodes, func(n clusterNode) bool { return n.has("myself") })
		was := srv.node.share
		if err != nil || is.owner != was.owner {
			return ended(srv.node.addr, "it has another place in the Cluster")
		}
		moved = moved || is.slots != was.slots || is.epoch != was.epoch
		moving = moving || is.moving.count() > 0
		now = append(now, is)
	}
	if !moved {
		f.moved = nil
		return nil
	}
	if !moving && slices.Equal(now, f.moved) {
		return ended(f.store.addr, "slots of the Cluster moved")
	}
	f.moved = now
	return nil
}

// robbed returns whose slots a server that is not followed has taken. What others remember of it may be out of date: who has a
// higher epoch is right.
func (f *feed) robbed(n clusterNode) *followed {
	if slices.ContainsFunc(f.servers, func(srv *followed) bool { return srv.node.share.owner == n.id }) {
		return nil
	}
	for _, srv := range f.servers {
		if both := srv.node.share.slots.and(n.slots); both.count() > 0 && n.epoch > srv.node.share.epoch {
			return srv
		}
	}
	return nil
}
