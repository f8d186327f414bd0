package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
)

// Survey implements [record.Surveyor]. In a Cluster its masters are surveyed.
func (p *Persistence) Survey(ctx context.Context, o record.SurveyOptions) (record.Survey, error) {
	var all record.Survey
	var nodes []*nodeSurvey
	strays := new(userSet)
	for _, n := range p.store.current() {
		f, err := p.store.surveyServer(ctx, n, &all)
		if err != nil {
			return record.Survey{}, err
		}
		nodes = append(nodes, newNodeSurvey(p.store, n, f, strays))
	}
	if err := surveyKeys(ctx, nodes, o.Within); err != nil {
		return record.Survey{}, err
	}
	sum(nodes, &all)
	return all, nil
}

// surveyServer adds the server and its faults to what is surveyed.
func (s *Store) surveyServer(ctx context.Context, n *node, to *record.Survey) (facts, error) {
	var f facts
	server := record.Server{Addr: n.addr, Role: "master", Part: string(s.info.Mode), TLS: n.client.Options().TLSConfig != nil}
	notKept := false
	err := s.persist(ctx, "survey redis "+n.addr, func(ctx context.Context) (err error) {
		if f, err = askFacts(ctx, n.client); err != nil {
			return err
		}
		asked := time.Now()
		// Also a refusal is an answer, as of a server that cannot save its data.
		if err := n.client.Ping(ctx).Err(); err != nil && !errors.As(err, new(goredis.Error)) {
			return err
		}
		server.Ping = time.Since(asked)
		if server.Keeps, err = keeps(ctx, n.client, f); err != nil {
			return err
		}
		notKept = unsaved(ctx, n.client, f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	server.Name, server.Version = f.server()
	server.Lag, server.HasLag = f.lag()
	now := f.state(s.info.DB)
	add := func(code record.FaultCode, detail string) {
		to.Faults = append(to.Faults, record.Fault{Code: code, Place: n.addr, Detail: detail})
	}
	if now.replica {
		server.Role = "replica"
		add(record.ReadOnly, now.master)
	}
	if now.linkDown > 0 {
		add(record.ReplicaAlone, fmt.Sprintf("without %s for %s", now.master, now.linkDown))
	}
	if notKept {
		add(record.NotKept, "")
	}
	if failed := f.failedSaves(); failed != "" {
		add(record.SaveFails, failed)
	}
	if f.evicts() {
		add(record.Evicts, now.policy)
	}
	if server.Keeps == "" {
		to.Unchecked = append(to.Unchecked, "how Redis "+n.addr+" keeps its data: the user may not run CONFIG GET")
	}
	to.Servers = append(to.Servers, server)
	return f, nil
}

// evicts reports whether the server removes keys when its memory is full.
func (f facts) evicts() bool {
	return f.number("maxmemory") > 0 && f["maxmemory_policy"] != "noeviction"
}

// failedSaves says which of the last attempts to write the data to the disk failed.
func (f facts) failedSaves() string {
	var list []string
	for _, save := range []struct{ fact, what string }{
		{"rdb_last_bgsave_status", "snapshot"}, {"aof_last_write_status", "write to the append-only file"},
		{"aof_last_bgrewrite_status", "rewrite of the append-only file"},
	} {
		if f[save.fact] == "err" {
			list = append(list, "the last "+save.what)
		}
	}
	return strings.Join(list, ", ")
}

// lag returns how long ago a replica heard of its master, or of a master the replica that is furthest behind said how far
// it has come. It reports false where there is none.
func (f facts) lag() (lag time.Duration, ok bool) {
	if f["role"] == "slave" {
		if down := f.number("master_link_down_since_seconds"); down > 0 {
			return time.Duration(down) * time.Second, true
		}
		seconds := f.number("master_last_io_seconds_ago")
		return time.Duration(max(seconds, 0)) * time.Second, f["master_link_status"] == "up"
	}
	for i := range f.number("connected_slaves") {
		for part := range strings.SplitSeq(f[fmt.Sprint("slave", i)], ",") {
			if seconds, found := strings.CutPrefix(part, "lag="); found {
				if d, err := time.ParseDuration(seconds + "s"); err == nil {
					lag, ok = max(lag, d), true
				}
			}
		}
	}
	return lag, ok
}

// keeps says how the server's data outlive its end. It is empty where the user may not ask, and INFO does not tell.
func keeps(ctx context.Context, c *goredis.Client, f facts) (string, error) {
	pipe := c.Pipeline()
	save := pipe.ConfigGet(ctx, "save")
	appends := pipe.ConfigGet(ctx, "appendonly")
	fsync := pipe.ConfigGet(ctx, "appendfsync")
	_, err := pipe.Exec(ctx)
	switch {
	case isRefused(err) && f["aof_enabled"] == "1":
		return "append-only file", nil
	case isRefused(err):
		return "", nil
	case err != nil:
		return "", err
	}
	var list []string
	if appends.Val()["appendonly"] == "yes" {
		list = append(list, "append-only file, fsync "+fsync.Val()["appendfsync"])
	}
	if points := save.Val()["save"]; points != "" {
		list = append(list, "snapshots (save "+points+")")
	}
	if list == nil {
		return "in memory alone", nil
	}
	return strings.Join(list, ", and "), nil
}
