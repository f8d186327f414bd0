package redis

import (
	"context"
	"strconv"
	"strings"

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
func (i *Info) add(addr string, f facts, db int) {
	if i.Version == "" {
		i.Server, i.Version = f.server()
	}
	keys, expires := f.keyspace(db)
	i.Keys += keys
	i.Expires = i.Expires || expires > 0
	i.Nodes = append(i.Nodes, NodeInfo{Addr: addr, RunID: f["run_id"], Replica: f["role"] == "slave", Keys: keys})
}

// facts are the lines of INFO.
type facts map[string]string

func askFacts(ctx context.Context, c *goredis.Client) (facts, error) {
	text, err := c.Info(ctx).Result()
	if err != nil {
		return nil, err
	}
	return parseFacts(text), nil
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
