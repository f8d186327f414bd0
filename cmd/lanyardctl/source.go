package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// redisSource is an open Redis, or an RDB file of one.
type redisSource struct {
	facts    string // what it is: "Redis 7.0.15, master, db 0, 1,234 keys"
	db       int
	otherDB  string   // how its URI names database N
	warnings []string // what a person should know of it
	expires  bool     // some keys have a time to live

	// reading returns a new reading of what was asked for. They follow each other.
	reading func() record.Source

	close func() error
}

// redisPlace is where a Redis is, or an RDB file of one.
type redisPlace struct {
	place
	ipv6    bool // allow IPv6 alone
	timeout time.Duration
}

// openSource opens the Redis or the RDB file at the place, to read what the request asks for. Its errors know the exit code
// and the next step. The caller closes it by the returned function.
func (r *targetRun) openSource(ctx context.Context, at redisPlace, request layout.Request) (source *redisSource, closeIt func(), err error) {
	open := openRedis
	if rdbURI(at.URI) {
		open = openRDB
	}
	if source, err = open(ctx, at, request); err != nil {
		return nil, nil, err
	}
	r.log.Debug("opened the source", "uri", at.shown(), "is", source.facts)
	r.warn(source.warnings...)
	return source, func() { r.closed("the source", source.close()) }, nil
}

// request says what to read.
func (o pairOptions) request() layout.Request {
	return layout.Request{Kinds: o.only, Users: o.users, PreferUpstream: o.kvPrefer == preferUpstream, Now: o.now}
}

// explainSource gives an error of the source at the place its exit code and the next step.
func explainSource(err error, at redisPlace) error {
	if rdbURI(at.URI) {
		return explainRDB(err, at.place)
	}
	return explainRedis(err, at)
}

func openRedis(ctx context.Context, at redisPlace, request layout.Request) (*redisSource, error) {
	store, err := redis.Open(ctx, redis.Options{URI: at.URI, Timeout: at.timeout, IPv6: at.ipv6})
	if err != nil {
		return nil, explainRedis(err, at)
	}
	info := store.Info()
	return &redisSource{
		facts: describeRedis(info), db: info.DB, otherDB: "redis://HOST:PORT/N", warnings: redisWarnings(info), expires: info.Expires,
		reading: func() record.Source {
			return store.Source(redis.SourceOptions{Request: request})
		},
		close: store.Close,
	}, nil
}

func explainRedis(err error, at redisPlace) error {
	from := at.From
	switch {
	case errors.Is(err, redis.ErrScheme), errors.Is(err, redis.ErrURI):
		return usageError(fmt.Sprintf("%s: %v", from, err), "known are "+redisSchemes)
	case errors.Is(err, redis.ErrUnreachable):
		return failure(err, fmt.Sprintf("is the server running, and is %s right? (waited at most %s; --timeout waits longer)", from, at.timeout))
	case errors.Is(err, redis.ErrAuth):
		return failure(err, "check the user and the password in "+from+" ("+redisForm+"; without a user redis://:PASSWORD@HOST:PORT)")
	case errors.Is(err, redis.ErrLoading):
		return failure(err, "wait until it has loaded its data, then run the same command again")
	case errors.Is(err, redis.ErrPermission):
		return failure(err, "let the user run the reading commands, SCAN and INFO (ACL: +@read +info +ping ~*)")
	case errors.Is(err, redis.ErrSentinel):
		return failure(err, "write redis://SENTINEL:26379?master_name=NAME")
	case errors.Is(err, record.ErrUnavailable):
		return failure(err, "does the server run, and does it take another client (maxclients)?")
	case errors.Is(err, redis.ErrNotRedis), errors.Is(err, redis.ErrCertificate):
		return failure(err, "check the scheme and the port in "+from+": rediss:// is with TLS, redis:// without")
	}
	return err
}

// describeRedis says what the server is: "Redis 7.0.15, master, db 0, 1,234 keys".
func describeRedis(i redis.Info) string {
	parts := []string{i.Server + " " + i.Version}
	switch {
	case i.Mode == redis.Cluster:
		parts = append(parts, fmt.Sprintf("cluster of %s", plural(int64(len(i.Nodes)), "master")))
	case i.Replica():
		parts = append(parts, "replica")
	default:
		parts = append(parts, "master")
	}
	if i.Mode == redis.Sentinel {
		parts = append(parts, "found by Sentinel")
	}
	parts = append(parts, fmt.Sprintf("db %d", i.DB), plural(i.Keys, "key"))
	return strings.Join(parts, ", ")
}

const expiringWarning = "some keys in the source have a time to live: what is written to MongoDB does not expire"

// redisWarnings says what a person should know of the source.
func redisWarnings(i redis.Info) []string {
	var list []string
	if i.Replica() {
		list = append(list, "the source is a replica, which may lag behind its master")
	}
	return list
}
