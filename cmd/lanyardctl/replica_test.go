package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// The servers of this file are FerretDB behind a proxy that answers as MongoDB does by its documentation: what the
// commands make of a member that is down, of a secondary and of odd collections.

// TestCtrlCEndsTheWaitForAnIndex waits for the index as long as a member is down, which a replica set does for ever that
// is not told otherwise.
func TestCtrlCEndsTheWaitForAnIndex(t *testing.T) {
	t.Parallel()
	dead := storetest.NobodyAt(t)
	var ready atomic.Bool
	proxy := mongoproxy.Start(t, ferretdb.Start(t).URI, mongoproxy.Options{
		Version: "5.0.7", Set: "rs0", Others: []string{dead},
		Hook: func(ctx context.Context, c mongoproxy.Command) bson.D {
			if c.Name == "createIndexes" && c.Body[0].Value == "kv" && !ready.Load() {
				<-ctx.Done()
			}
			return nil
		},
	})
	target := &mongoserver.Database{Server: &mongoserver.Server{URI: "mongodb://" + proxy.Addr + "/?replicaSet=rs0"}, Name: "lanyard"}
	redis, dir := redisserver.Start(t), t.TempDir()
	fillRedis(t, redis.URI, 40)

	cmd := exec.Command(ferretdb.Build(t), "migrate", "redis-to-mongo", "--redis", redis.URI, "--output", "json")
	cmd.Env, cmd.Dir = append(os.Environ(), target.Env()...), dir
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	down := dead + " (connection refused)"
	warned := false
	rest := interrupted(t, cmd, func(line string) bool {
		warned = warned || strings.Contains(line, "the target's replica set has 1 member down: "+down)
		return strings.Contains(line, "waiting for the index on kv.user_id; the set has a member down: "+down)
	})
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted || !warned {
		t.Errorf("exit %d; the preflight tells of the member: %t\n%s", code, warned, &stdout)
	}
	if !strings.Contains(rest, "stopping: what is under way gets up to 4 s to end (Ctrl-C again stops at once)\n") {
		t.Errorf("after the signal: %s", rest)
	}
	ready.Store(true)
	code, report := startMigration(t, dir, redis.URI, target).wait()
	if code != exit.Rejects || !report.Resumed || report.Kinds["kv"].Inserted != 40 {
		t.Errorf("exit %d, %+v", code, report)
	}
}

func TestWhatNoCommandWritesTo(t *testing.T) {
	t.Parallel()
	redis := redisserver.Start(t)
	fillRedis(t, redis.URI, 3)
	dead := storetest.NobodyAt(t)
	of := func(name, kind string, options bson.D) mongoproxy.Hook {
		return func(_ context.Context, c mongoproxy.Command) bson.D {
			if c.Name != "listCollections" {
				return nil
			}
			info := bson.D{{Key: "name", Value: name}, {Key: "type", Value: kind}, {Key: "options", Value: options}}
			return bson.D{{Key: "cursor", Value: bson.D{
				{Key: "id", Value: int64(0)}, {Key: "ns", Value: c.Database + ".$cmd.listCollections"}, {Key: "firstBatch", Value: bson.A{info}},
			}}, {Key: "ok", Value: 1.0}}
		}
	}
	migrate := []string{"migrate", "redis-to-mongo", "--redis", redis.URI}
	verify := []string{"verify", "--redis", redis.URI, "--recheck", "0"}
	for name, c := range map[string]struct {
		opts  mongoproxy.Options
		args  []string
		exit  int
		tells []string
	}{
		"a secondary": {mongoproxy.Options{Set: "rs0", Others: []string{dead}, Secondary: true}, migrate, exit.Failed, []string{
			"is not the primary", "whose primary is " + dead, "hint: name the primary in MONGODB_URI",
		}},
		"a secondary, by a dry run": {mongoproxy.Options{Set: "rs0", Others: []string{dead}, Secondary: true}, append(migrate, "--dry-run"), exit.Rejects, []string{
			"is not the primary of its replica set: what it holds may be old; the primary is " + dead,
		}},
		"a secondary, by verify": {mongoproxy.Options{Set: "rs0", Others: []string{dead}, Secondary: true}, verify, exit.Differences, []string{
			"what it holds may be old",
		}},
		"a secondary, by sweep": {mongoproxy.Options{Set: "rs0", Others: []string{dead}, Secondary: true}, []string{"sweep"}, exit.Failed, []string{"is not the primary"}},
		"a primary that goes, named by itself": {mongoproxy.Options{Set: "rs0", Others: []string{dead}, Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
			if c.Name == "insert" && c.Body[0].Value == "kv" {
				return mongoproxy.Error(10107, "NotWritablePrimary", "not primary", "RetryableWriteError")
			}
			return nil
		}}, migrate, exit.Failed, []string{"the server is not the primary of its replica set: (NotWritablePrimary)", "hint: name the primary in MONGODB_URI"}},
		"a capped collection": {mongoproxy.Options{Hook: of("last_seen", "collection", bson.D{{Key: "capped", Value: true}})}, migrate, exit.Failed, []string{
			"lanyard.last_seen is capped", `hint: make a plain collection of it: db.last_seen.aggregate([{$out: "last_seen_plain"}])`, "then run the same command again",
		}},
		"a capped collection, by a dry run": {mongoproxy.Options{Hook: of("last_seen", "collection", bson.D{{Key: "capped", Value: true}})}, append(migrate, "--dry-run"), exit.Failed, []string{
			"lanyard.last_seen is capped",
		}},
		"a view, by sweep": {mongoproxy.Options{Hook: of("monitoring", "view", bson.D{{Key: "viewOn", Value: "users"}})}, []string{"sweep"}, exit.Failed, []string{
			"lanyard.monitoring is a view on users", "hint: drop it (db.monitoring.drop()",
		}},
		"a view, by verify": {mongoproxy.Options{Hook: of("kv", "view", bson.D{{Key: "viewOn", Value: "others"}})}, verify, exit.Differences, nil},
		"a time series":     {mongoproxy.Options{Hook: of("metrics", "timeseries", bson.D{})}, migrate, exit.Failed, []string{"lanyard.metrics is a time series", "hint: "}},
		"a collation": {mongoproxy.Options{Hook: of("kv", "collection", bson.D{{Key: "collation", Value: bson.D{{Key: "locale", Value: "en"}, {Key: "strength", Value: 1}}}})}, migrate, exit.Rejects, []string{
			"kv in the target compares text by a collation (en, strength 1)",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.opts.Version = "5.0.7"
			proxy := mongoproxy.Start(t, ferretdb.Start(t).URI, c.opts)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // less than a command may take
			defer cancel()
			cmd := exec.CommandContext(ctx, ferretdb.Build(t), c.args...)
			cmd.Env, cmd.Dir = append(os.Environ(), "MONGODB_URI="+proxy.URI, "MONGODB_DATABASE=lanyard"), t.TempDir()
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			_ = cmd.Run() // the exit code tells
			if code := cmd.ProcessState.ExitCode(); code != c.exit {
				t.Errorf("exit %d, want %d\n%s", code, c.exit, &stderr)
			}
			for _, text := range c.tells {
				if !strings.Contains(strings.Join(strings.Fields(stderr.String()), " "), strings.Join(strings.Fields(text), " ")) {
					t.Errorf("does not tell %q:\n%s", text, &stderr)
				}
			}
			if c.opts.Set != "" && !c.opts.Secondary {
				return // it was writing when it was stopped
			}
			for _, command := range []string{"insert", "update", "delete", "createIndexes"} {
				if n := len(proxy.Commands(command)); n > 0 && c.exit != exit.Rejects {
					t.Errorf("%d times %s", n, command)
				}
			}
		})
	}
}
