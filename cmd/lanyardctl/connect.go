package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/embedded"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// openRedis connects to the Redis at p. Its errors know the exit code and the next step.
func openRedis(ctx context.Context, p place, ipv6 bool, timeout time.Duration) (*redis.Store, error) {
	store, err := redis.Open(ctx, redis.Options{URI: p.URI, Timeout: timeout, IPv6: ipv6})
	if err != nil {
		return nil, explainRedis(err, p, timeout)
	}
	return store, nil
}

func explainRedis(err error, p place, timeout time.Duration) error {
	switch {
	case errors.Is(err, redis.ErrScheme), errors.Is(err, redis.ErrURI):
		return usageError(fmt.Sprintf("%s: %v", p.From, err), "known are "+redisSchemes)
	case errors.Is(err, redis.ErrUnreachable):
		return failure(err, fmt.Sprintf("is the server running, and is %s right? (waited at most %s; --timeout waits longer)", p.From, timeout))
	case errors.Is(err, redis.ErrAuth):
		return failure(err, "check the user and the password in "+p.From+" (redis://USER:PASSWORD@HOST:PORT; without a user redis://:PASSWORD@HOST:PORT)")
	case errors.Is(err, redis.ErrLoading):
		return failure(err, "wait until it has loaded its data, then run the same command again")
	case errors.Is(err, redis.ErrPermission):
		return failure(err, "let the user run the reading commands, SCAN and INFO (ACL: +@read +info +ping ~*)")
	case errors.Is(err, redis.ErrSentinel):
		return failure(err, "write redis://SENTINEL:26379?master_name=NAME")
	case errors.Is(err, record.ErrUnavailable):
		return failure(err, "does the server run, and does it take another client (maxclients)?")
	case errors.Is(err, redis.ErrNotRedis), errors.Is(err, redis.ErrCertificate):
		return failure(err, "check the scheme and the port in "+p.From+": rediss:// is with TLS, redis:// without")
	}
	return err
}

// explainRun gives the error that ended a run its next step.
func explainRun(err error, o migrateOptions) error {
	for _, explained := range []error{explainRedis(err, o.source, o.flags.timeout), explainMongo(err, o.target, o.flags.timeout)} {
		if exit, ok := errors.AsType[*exitError](explained); ok && !errors.Is(err, record.ErrUnavailable) {
			return exit
		}
	}
	return failure(err, "the report says what was done until then; the same command takes up the work again")
}

// describeRedis says what the server is: "Redis 7.0.15, master, db 0, about 1,234 keys".
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

// redisWarnings says what a person should know of the source.
func redisWarnings(i redis.Info) []string {
	var list []string
	if i.Replica() {
		list = append(list, "the source is a replica, which may lag behind its master")
	}
	if i.Expires {
		list = append(list, "some keys in the source have a time to live: what is written to MongoDB does not expire")
	}
	return list
}

// mongoTarget is an open MongoDB and, for an embedded one, its server.
type mongoTarget struct {
	*mongo.Store
	server  *embedded.Server // nil where the server is not ours
	scratch string           // folder to remove; empty where there is none
}

// openMongo connects to the MongoDB at p, which it starts where it is an embedded one. A dry run does not make a folder
// that is missing. Its errors know the exit code and the next step.
func openMongo(ctx context.Context, p place, database string, timeout time.Duration, dryRun bool) (*mongoTarget, error) {
	t := &mongoTarget{}
	uri := p.URI
	if dir := embeddedDir(uri); dir != "" {
		if _, err := os.Stat(dir); dryRun && errors.Is(err, fs.ErrNotExist) {
			if t.scratch, err = os.MkdirTemp("", "lanyardctl-dry-run-*"); err != nil {
				return nil, fmt.Errorf("make a folder for the dry run: %w", err)
			}
			dir = t.scratch
		}
		server, err := embedded.Start(ctx, embedded.Options{Dir: dir})
		if err != nil {
			return nil, errors.Join(explainEmbedded(err), t.removeScratch())
		}
		t.server, uri = server, server.URI()
	}
	store, err := mongo.Open(ctx, mongo.Options{URI: uri, Database: database, Timeout: timeout})
	if err != nil {
		if closeErr := t.closeServer(); closeErr != nil {
			err = errors.Join(err, closeErr)
		}
		return nil, explainMongo(err, p, timeout)
	}
	t.Store = store
	return t, nil
}

func explainMongo(err error, p place, timeout time.Duration) error {
	var duplicates *mongo.DuplicatesError
	switch {
	case errors.Is(err, mongo.ErrURI):
		return usageError(fmt.Sprintf("%s: %v", p.From, err), "such as mongodb://USER:PASSWORD@HOST:27017/?authSource=admin")
	case errors.Is(err, mongo.ErrUnreachable):
		return failure(err, fmt.Sprintf("is the server running, and is %s right? (waited at most %s; --timeout waits longer)", p.From, timeout))
	case errors.Is(err, mongo.ErrAuth):
		return failure(err, "check the user, the password and authSource in "+p.From)
	case errors.Is(err, mongo.ErrPermission):
		return failure(err, "name a user in "+p.From+" and give it the role readWrite on the database")
	case errors.Is(err, mongo.ErrIndex):
		return failure(err, "drop it (db.COLLECTION.dropIndex(\"NAME\")), and run the same command again, which makes the unique one")
	case errors.Is(err, mongo.ErrTooOld):
		return failure(err, "upgrade the server, or name another with --mongo")
	case errors.As(err, &duplicates):
		return failure(err, "Lanyard reads any one of them: keep the right one of each, delete the others, and run the same command again")
	}
	return err
}

// Close ends the connections and the server.
func (t *mongoTarget) Close(ctx context.Context) error {
	err := t.Store.Close(ctx)
	return errors.Join(err, t.closeServer())
}

func (t *mongoTarget) closeServer() error {
	var err error
	if t.server != nil {
		err = t.server.Close()
	}
	return errors.Join(err, t.removeScratch())
}

func (t *mongoTarget) removeScratch() error {
	if t.scratch == "" {
		return nil
	}
	return os.RemoveAll(t.scratch)
}

// describeMongo says what the server is: "MongoDB 7.0.14, replica set rs0". An embedded FerretDB does not know its
// version.
func describeMongo(i mongo.Info) string {
	name := i.Server
	if i.Version != "" {
		name += " " + i.Version
	}
	return name + ", " + i.Topology
}

// mongoWarnings says what a person should know of what the target holds.
func mongoWarnings(notices []mongo.Notice) []string {
	var list []string
	for _, n := range notices {
		if n.Note != record.NumericUserID {
			list = append(list, fmt.Sprintf("%s: %s of %s", n.Note, thousands(n.Count), n.Kind))
			continue
		}
		users := strings.Join(n.Users, ", ")
		if int64(len(n.Users)) < n.Count {
			users += ", …"
		}
		list = append(list, fmt.Sprintf("%s of %s in the target with a number as user_id, which Lanyard cannot see: %s",
			plural(n.Count, "document"), n.Kind, users))
	}
	return list
}
