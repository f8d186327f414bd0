package redis

import (
	"context"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Mode is how a Redis is run.
type Mode string

// The modes.
const (
	Standalone Mode = "standalone"
	Sentinel   Mode = "sentinel"
	Cluster    Mode = "cluster"
)

// Info is what a server says of itself.
type Info struct {
	Server  string // "Redis", or what the server calls itself instead
	Version string // of the first node: "7.0.15"
	Mode    Mode
	DB      int
	Keys    int64 // in the database, of all nodes
	Expires bool  // some key has a TTL
	Nodes   []NodeInfo
}

// NodeInfo is one server that is read.
type NodeInfo struct {
	Addr    string // "host:port", or the path of a socket
	RunID   string // changes with each start of the process
	Replica bool   // it may lag behind its master
	Keys    int64  // in the database

	Master   string        // of a replica: "host:port" of its master
	LinkDown time.Duration // how long a replica has been without its master; zero where it has one
	Evicts   string        // maxmemory-policy, where the server removes keys when its memory is full; else empty
	Evicted  int64         // keys that it has removed for that
	Unsaved  bool          // a master that writes its data to no disk, as far as it lets that be known
	Skew     time.Duration // by which its clock is ahead of this machine's; zero where it is not known
}

// Replica reports whether any node is a replica.
func (i Info) Replica() bool {
	for _, n := range i.Nodes {
		if n.Replica {
			return true
		}
	}
	return false
}

// add takes in what a node said.
func (i *Info) add(n NodeInfo, f facts, expires bool) {
	if i.Version == "" {
		i.Server, i.Version = f.server()
	}
	i.Keys += n.Keys
	i.Expires = i.Expires || expires
	i.Nodes = append(i.Nodes, n)
}

// unsaved reports whether a master writes its data to no disk. Only CONFIG tells for sure, which not every user may ask;
// otherwise a server tells by having saved nothing for longer than any usual setting lets it.
func unsaved(ctx context.Context, c *goredis.Client, f facts) bool {
	if f["role"] == "slave" || f["aof_enabled"] != "0" {
		return false
	}
	if config, err := c.ConfigGet(ctx, "save").Result(); err == nil {
		points, ok := config["save"]
		return ok && points == ""
	}
	const usual = 24 * 60 * 60
	started := f.number("server_time_usec")/1e6 - f.number("uptime_in_seconds")
	return f.number("uptime_in_seconds") > usual && f.number("rdb_changes_since_last_save") > 0 && f.number("rdb_last_save_time") <= started+1
}

// skew returns by how much the server's clock is ahead of this machine's. Since Redis 6.2 INFO tells the time.
func skew(ctx context.Context, c *goredis.Client, f facts, asked time.Time) time.Duration {
	if usec := f.number("server_time_usec"); usec > 0 {
		return time.UnixMicro(usec).Sub(asked)
	}
	now, err := c.Time(ctx).Result()
	if err != nil {
		return 0 // not every user may ask
	}
	return time.Until(now)
}

// facts are the lines of INFO.
type facts map[string]string

func askFacts(ctx context.Context, c *goredis.Client) (facts, error) {
	text, err := c.Info(ctx, "all").Result()
	if err != nil {
		return nil, err
	}
	f := parseFacts(text)
	if f["redis_version"] == "" { // not every server knows "all"
		if text, err = c.Info(ctx).Result(); err != nil {
			return nil, err
		}
		f = parseFacts(text)
	}
	return f, nil
}

func parseFacts(text string) facts {
	f := make(facts)
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			f[name] = value
		}
	}
	return f
}

// usable returns an error for a server that answers but cannot be read.
func (f facts) usable(addr string) error {
	switch {
	case f["redis_version"] == "":
		return failure(addr, ErrNotRedis, "INFO names no version")
	case f["redis_mode"] == "sentinel":
		return failure(addr, ErrSentinel, "")
	case f["loading"] == "1" || f["async_loading"] == "1":
		detail := ""
		if eta := f["loading_eta_seconds"]; eta != "" {
			detail = "about " + eta + " s to go"
		}
		return failure(addr, ErrLoading, detail)
	}
	return nil
}

func (f facts) server() (name, version string) {
	if name := f["server_name"]; name != "" && name != "redis" {
		if version := f[name+"_version"]; version != "" {
			return strings.ToUpper(name[:1]) + name[1:], version
		}
	}
	return "Redis", f["redis_version"]
}

// number returns the value of a line, zero where it is none.
func (f facts) number(name string) int64 {
	n, _ := strconv.ParseInt(f[name], 10, 64)
	return n
}

// calls returns how often a command ran, from a line such as cmdstat_flushall:calls=2,usec=…
func (f facts) calls(command string) int64 {
	text, _, _ := strings.Cut(strings.TrimPrefix(f["cmdstat_"+command], "calls="), ",")
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// keyspace reads a line such as db0:keys=12,expires=1,avg_ttl=0.
func (f facts) keyspace(db int) (keys, expires int64) {
	for part := range strings.SplitSeq(f["db"+strconv.Itoa(db)], ",") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			continue
		}
		switch name {
		case "keys":
			keys = n
		case "expires":
			expires = n
		}
	}
	return keys, expires
}
