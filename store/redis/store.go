package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// go-redis writes log lines to stderr by default, where they would tear a progress bar. Its logger is global to the
// process, so it is set once, before any client exists.
func init() { logging.Disable() }

// Store is an opened Redis. It is safe for concurrent use.
type Store struct {
	reads  goredis.UniversalClient // sends each command to the node that holds its key
	info   Info
	single bool  // one node holds all keys
	wire   *wire // to that node; nil in a Cluster

	masters   *goredis.ClusterClient   // of a Cluster whose replicas are read; else nil
	failover  *goredis.FailoverOptions // where Sentinels name the master
	serving   sync.Mutex               // guards nodes
	nodes     []*node                  // what is scanned, by address; the slice is never changed
	replacing sync.Mutex               // held while others are put in a node's place
	moves     moves

	addr           string // for people
	connections    *connections
	retryFor       time.Duration
	allowShrinking bool
	pace           *pace
	notify         func(message string)

	noMemory atomic.Bool  // the server refuses MEMORY USAGE
	gone     atomic.Int64 // keys that a scan named and that were not there when they were looked at
	keyless  userSet      // whose API keys were looked up, and who have no current one that authenticates
	told     atomic.Int64 // when notify was told of a silent server, in Unix nanoseconds

	// changing has room for as many transactions as leave a connection for each: what decides a change may read, too.
	changing chan struct{}

	transactions wires // of sinks, where one server holds all keys

	searching sync.Mutex // held while the nodes' witnesses are looked for
	searched  bool
}

// Open connects to a Redis, learns what it is, and remembers some of its keys. Its error is an [*Error], that of a read, or
// the context's.
func Open(ctx context.Context, o Options) (*Store, error) {
	t, err := o.parse()
	if err != nil {
		return nil, err
	}
	opening, cancel := context.WithTimeout(ctx, o.timeout())
	defer cancel()
	defer context.AfterFunc(ctx, t.connections.cut)()
	s, err := open(opening, o, t)
	switch {
	case err == nil:
		s.addr, s.connections, s.allowShrinking, s.pace = t.addr, t.connections, o.AllowShrinking, newPace(o.MaxRate)
		s.retryFor, s.notify = cmp.Or(max(o.RetryFor, 0), retry.DefaultFor), o.Notify
		s.changing = make(chan struct{}, poolSize(s.reads)/2)
		if s.notify == nil {
			s.notify = func(string) {}
		}
		if !o.Points {
			if err := s.findAllWitnesses(ctx); err != nil {
				return nil, errors.Join(err, s.Close())
			}
		}
		return s, nil
	case ctx.Err() != nil:
		return nil, fmt.Errorf("open redis %s: %w", t.addr, context.Cause(ctx))
	}
	return nil, diagnose(t.addr, t.tls() != nil, err)
}

// poolSize returns how many connections to one server the client may have.
func poolSize(client goredis.UniversalClient) int {
	switch client := client.(type) {
	case *goredis.Client:
		return client.Options().PoolSize
	case *goredis.ClusterClient:
		return client.Options().PoolSize
	}
	return fewestConnections
}

func open(ctx context.Context, o Options, t target) (*Store, error) {
	switch {
	case t.cluster != nil:
		return openCluster(ctx, o, t)
	case t.failover != nil:
		addr, err := masterAddr(ctx, t.failover)
		if err != nil {
			return nil, err
		}
		s, _, err := openSingle(ctx, goredis.NewFailoverClient(t.failover), addr, t.failover.DB, Sentinel)
		if err != nil {
			return nil, diagnose(addr, t.tls() != nil, err)
		}
		s.failover = t.failover
		return o.orReplica(ctx, s, func(addr string) *goredis.Options { return asSingle(t.failover, addr) }, t.tls() != nil)
	}
	s, clustered, err := openSingle(ctx, goredis.NewClient(t.single), t.addr, t.single.DB, Standalone)
	switch {
	case err != nil:
		return nil, err
	case !clustered:
		return o.orReplica(ctx, s, func(addr string) *goredis.Options {
			replica := *t.single
			replica.Network, replica.Addr = "tcp", addr
			return &replica
		}, t.tls() != nil)
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	if t.single.DB != 0 {
		return nil, failure(t.addr, ErrURI, "a Cluster has database 0 alone")
	}
	return openCluster(ctx, o, o.asCluster(t))
}

// openSingle opens a store on one server; clustered tells that the server is part of a Cluster.
func openSingle(
	ctx context.Context, client *goredis.Client, addr string, db int, mode Mode,
) (s *Store, clustered bool, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, client.Close())
		}
	}()
	s = &Store{reads: client, info: Info{Mode: mode, DB: db}, single: true, wire: &wire{client: client}}
	facts, err := s.meet(ctx, client, addr, undivided)
	if err != nil {
		return nil, false, err
	}
	return s, facts["cluster_enabled"] == "1" && mode == Standalone, nil
}

// masterAddr asks the Sentinels, one after the other, for the master's address. Each has its share of the time.
func masterAddr(ctx context.Context, o *goredis.FailoverOptions) (string, error) {
	var last error
	share := o.DialTimeout / time.Duration(len(o.SentinelAddrs)+1)
	for _, addr := range o.SentinelAddrs {
		addr, err := masterAddrFrom(ctx, o, addr, share)
		if err == nil {
			return addr, nil
		}
		last = err
	}
	return "", last
}

func masterAddrFrom(
	ctx context.Context, o *goredis.FailoverOptions, addr string, timeout time.Duration,
) (master string, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	sentinel := goredis.NewSentinelClient(&goredis.Options{
		Addr: addr, Username: o.SentinelUsername, Password: o.SentinelPassword, Dialer: o.Dialer,
		Protocol: o.Protocol, DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout,
		MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, DisableIdentity: true,
	})
	defer func() { err = errors.Join(err, sentinel.Close()) }()
	found, err := sentinel.GetMasterAddrByName(ctx, o.MasterName).Result()
	switch {
	case errors.Is(err, goredis.Nil):
		return "", failure(addr, ErrURI, "the Sentinel knows no master of the name that master_name= gives")
	case errors.Is(reasonOf(err), ErrCommand):
		return "", failure(addr, ErrNoSentinel, "")
	case reasonOf(err) != nil:
		return "", &Error{Addr: addr, Reason: reasonOf(err), Detail: plain(err), Sentinel: true}
	case err != nil:
		return "", err
	case len(found) != 2:
		return "", failure(addr, ErrNotRedis, "its answer names no master")
	}
	return net.JoinHostPort(found[0], found[1]), nil
}

// meet learns what the server is that client is connected to, and adds it with its share to the nodes.
func (s *Store) meet(ctx context.Context, client *goredis.Client, addr string, has share) (facts, error) {
	asked := time.Now()
	f, err := askFacts(ctx, client)
	if err != nil {
		return nil, err
	}
	if err := f.usable(addr); err != nil {
		return nil, err
	}
	if len(s.nodes) == 0 {
		// Asked once, so that a server that refuses it does not log that for each key.
		s.noMemory.Store(isRefused(client.MemoryUsage(ctx, layout.Counters.Key("")).Err()))
	}
	now := f.state(s.info.DB)
	n := NodeInfo{
		Addr: addr, RunID: now.runID, Replica: now.replica, Keys: now.keys, LinkDown: now.linkDown,
		Unsaved: unsaved(ctx, client, f), Skew: skew(ctx, client, f, asked),
	}
	if n.Replica {
		n.Master = now.master
	}
	if f.evicts() {
		n.Evicts, n.Evicted = now.policy, now.evicted
	}
	node := newNode(client, addr, has, now)
	s.nodes = append(s.nodes, node)
	s.info.add(n, f, now.lasting < now.keys)
	return f, nil
}

func openCluster(ctx context.Context, o Options, t target) (s *Store, err error) {
	client := goredis.NewClusterClient(t.cluster)
	opened := &Store{reads: client, info: Info{Mode: Cluster}}
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.Close())
		}
	}()
	s = opened
	if o.Replica {
		s.masters, s.reads = client, replicasOf(client, *t.cluster)
		client = s.cluster()
	}
	var mu sync.Mutex
	err = client.ForEachMaster(ctx, func(ctx context.Context, master *goredis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		addr := master.Options().Addr
		has, err := s.askShare(ctx, master)
		if err == nil {
			_, err = s.meet(ctx, master, addr, has)
		}
		if err != nil {
			return diagnose(addr, t.tls() != nil, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(s.nodes, func(a, b *node) int { return strings.Compare(a.addr, b.addr) })
	slices.SortFunc(s.info.Nodes, func(a, b NodeInfo) int { return strings.Compare(a.Addr, b.Addr) })
	if len(s.nodes) == 0 {
		return nil, failure(t.addr, nil, "the Cluster has no master with slots")
	}
	var served slotSet
	for _, n := range s.nodes {
		served = served.or(n.share.slots)
	}
	if n := served.count(); n < slotCount {
		return nil, failure(t.addr, ErrSlots, fmt.Sprintf("only %d of the Cluster's %d slots are served", n, slotCount))
	}
	return s, nil
}

// cluster returns the client of a store that is a Cluster.
func (s *Store) cluster() *goredis.ClusterClient { return s.reads.(*goredis.ClusterClient) }

// Info returns what was learnt when the store was opened.
func (s *Store) Info() Info { return s.info }

// Close closes all connections.
func (s *Store) Close() error {
	if s.wire != nil {
		s.wire.close()
	}
	s.transactions.close()
	if s.masters != nil {
		return errors.Join(s.reads.Close(), s.masters.Close())
	}
	return s.reads.Close()
}
