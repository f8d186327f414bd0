package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	goredis "github.com/redis/go-redis/v9"
)

// orReplica returns s where masters may be read, or where it reads a replica already; else a store on a replica of its
// master, to which as gives the options.
func (o Options) orReplica(ctx context.Context, s *Store, as func(addr string) *goredis.Options, secure bool) (*Store, error) {
	if !o.Replica || s.info.Replica() {
		return s, nil
	}
	master := s.nodes[0]
	f, err := askFacts(ctx, master.client)
	if err = errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	addr, ok := f.replica()
	if !ok {
		return nil, failure(master.addr, ErrNoReplica, "")
	}
	replica, _, err := openSingle(ctx, goredis.NewClient(as(addr)), addr, s.info.DB, s.info.Mode)
	if err != nil {
		return nil, diagnose(addr, secure, err)
	}
	return replica, nil
}

// replica returns the address of the replica that lags least, of those that a master knows by lines such as
// slave0:ip=10.0.0.2,port=6379,state=online,offset=1234,lag=0.
func (f facts) replica() (addr string, ok bool) {
	most := int64(-1)
	for i := range int(f.number("connected_slaves")) {
		of := make(map[string]string)
		for part := range strings.SplitSeq(f["slave"+strconv.Itoa(i)], ",") {
			name, value, _ := strings.Cut(part, "=")
			of[name] = value
		}
		offset, err := strconv.ParseInt(of["offset"], 10, 64)
		if of["state"] == "online" && err == nil && offset > most {
			addr, most = net.JoinHostPort(of["ip"], of["port"]), offset
		}
	}
	return addr, addr != ""
}

// asSingle returns the options of one server that Sentinels know.
func asSingle(o *goredis.FailoverOptions, addr string) *goredis.Options {
	return &goredis.Options{
		Addr: addr, DB: o.DB, Username: o.Username, Password: o.Password, Protocol: o.Protocol, TLSConfig: o.TLSConfig, Dialer: o.Dialer,
		DialTimeout: o.DialTimeout, ReadTimeout: o.ReadTimeout, WriteTimeout: o.WriteTimeout, PoolSize: o.PoolSize,
		MaxRetries: o.MaxRetries, DialerRetries: o.DialerRetries, ContextTimeoutEnabled: o.ContextTimeoutEnabled, DisableIdentity: o.DisableIdentity,
	}
}

// replicasOf returns a client of the Cluster that asks one replica of each master, always the same, for all slots of that
// master. Go-redis' own choice of replicas asks COMMAND, for which a user needs a right, and another one each time.
func replicasOf(masters *goredis.ClusterClient, o goredis.ClusterOptions) *goredis.ClusterClient {
	o.OnConnect = func(ctx context.Context, c *goredis.Conn) error { return c.ReadOnly(ctx).Err() }
	o.ClusterSlots = func(ctx context.Context) ([]goredis.ClusterSlot, error) {
		pipe := masters.Pipeline() // a command alone has go-redis ask COMMAND as well
		answer := pipe.ClusterSlots(ctx)
		_, err := pipe.Exec(ctx)
		slots := answer.Val()
		if err != nil {
			return nil, err
		}
		for i := range slots {
			nodes := slots[i].Nodes
			if len(nodes) < 2 {
				return nil, failure(nodes[0].Addr, ErrNoReplica, fmt.Sprintf("of slots %d to %d", slots[i].Start, slots[i].End))
			}
			slots[i].Nodes = []goredis.ClusterNode{slices.MinFunc(nodes[1:], func(a, b goredis.ClusterNode) int { return cmp.Compare(a.ID, b.ID) })}
		}
		return slots, nil
	}
	return goredis.NewClusterClient(&o)
}

// askShare returns the share of the server that c is connected to. What moves, a master alone knows.
func (s *Store) askShare(ctx context.Context, c *goredis.Client) (share, error) {
	has, err := askShare(ctx, c)
	if err != nil || s.masters == nil {
		return has, err
	}
	var mu sync.Mutex
	found := false
	err = s.masters.ForEachMaster(ctx, func(ctx context.Context, c *goredis.Client) error {
		own, err := askShare(ctx, c)
		if err != nil || own.id != has.owner {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		found, has.epoch, has.slots, has.moving = own.owner == own.id, own.epoch, own.slots, own.moving
		return nil
	})
	if err == nil && !found {
		err = errUnsettled
	}
	return has, err
}

// offsets returns how far the history of writes is of each master whose replica is read. A replica that is behind may not have
// the keys of a slot yet that has come to its master.
func (s *Store) offsets(ctx context.Context) (map[string]int64, error) {
	of := make(map[string]int64)
	if s.masters == nil {
		return of, nil
	}
	var mu sync.Mutex
	return of, s.masters.ForEachMaster(ctx, func(ctx context.Context, c *goredis.Client) error {
		own, err := askShare(ctx, c)
		if err != nil {
			return err
		}
		f, err := askFacts(ctx, c)
		mu.Lock()
		defer mu.Unlock()
		of[own.id] = f.number("master_repl_offset")
		return err
	})
}
