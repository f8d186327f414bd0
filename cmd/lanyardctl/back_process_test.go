package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// fillMongo writes users with a key-value pair and a last-seen time each.
func fillMongo(t *testing.T, source *mongoserver.Database, users int) {
	t.Helper()
	db := source.Connect(t)
	for collection, document := range map[string]func(i int) bson.D{
		"kv":        func(i int) bson.D { return bson.D{{Key: "kv", Value: bson.D{{Key: "n", Value: fmt.Sprint(i)}}}} },
		"last_seen": func(i int) bson.D { return bson.D{{Key: "timestamp", Value: int64(1700000000000 + i)}} },
	} {
		var documents []any
		for i := range users {
			id := fmt.Sprint(1000000000000000000 + i)
			documents = append(documents, append(bson.D{{Key: "_id", Value: id}, {Key: "user_id", Value: id}}, document(i)...))
		}
		if _, err := db.Collection(collection).InsertMany(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
	}
}

// startBack starts a command of the way back with small batches, so that it takes its time.
func startBack(t *testing.T, dir string, source *mongoserver.Database, redisURI, command string, args ...string) *running {
	t.Helper()
	r := &running{t: t, cmd: exec.Command(ferretdb.Build(t), append([]string{
		command, "mongo-to-redis", "--redis", redisURI, "--layout", "both", "--output", "json",
	}, args...)...)}
	r.cmd.Env = append(os.Environ(), source.Env()...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = dir, &r.stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	return r
}

func TestAWayBackThatIsStoppedIsResumed(t *testing.T) {
	t.Parallel()
	const users = 1500
	redis, source, dir := redisserver.Start(t), mongoserver.New(t), t.TempDir()
	fillMongo(t, source, users)
	client := goredis.NewClient(&goredis.Options{Addr: redis.Addr})
	t.Cleanup(func() { client.Close() })

	// stop ends a run with a signal once it has written more than so many keys, so it has got as far as to know the signal.
	stop := func(keys int64, sig syscall.Signal) (int, summary) {
		t.Helper()
		from := client.DBSize(t.Context()).Val()
		run := startBack(t, dir, source, redis.URI, "migrate", "--batch-size", "10", "--workers", "1")
		waitUntil(t, "keys", func() bool {
			n, err := client.DBSize(t.Context()).Result()
			return err == nil && n > from+keys
		})
		redis.Pause()
		run.signal(sig)
		if sig == syscall.SIGKILL {
			defer redis.Resume()
		} else {
			redis.Resume()
		}
		return run.wait()
	}
	if code, _ := stop(100, syscall.SIGKILL); code != -1 {
		t.Fatalf("the run ended by itself with %d: it was not met half way", code)
	}
	if code, report := stop(100, syscall.SIGINT); code != exit.Interrupted || report.OK {
		t.Fatalf("exit %d, %+v", code, report)
	}
	code, report := startBack(t, dir, source, redis.URI, "migrate").wait()
	if code != exit.Done || !report.Resumed {
		t.Errorf("exit %d, %+v", code, report)
	}
	if left, err := client.HLen(t.Context(), "lanyardctl:checkpoints").Result(); err != nil || left != 0 {
		t.Errorf("%d checkpoints are left, %v", left, err)
	}
	verified := startBack(t, dir, source, redis.URI, "verify", "--exact", "--recheck", "0")
	if code, _ := verified.wait(); code != exit.Done {
		t.Errorf("verify: exit %d\n%s", code, &verified.stdout)
	}
	if n, err := client.DBSize(t.Context()).Result(); err != nil || n < 4*users {
		t.Errorf("%d keys, %v", n, err)
	}
}

func TestTheWayBackKnowsClustersAndSentinels(t *testing.T) {
	t.Parallel()
	const users = 100
	source := mongoserver.New(t)
	fillMongo(t, source, users)
	cluster, master := redisserver.StartCluster(t, 3), redisserver.Start(t)
	sentinel := redisserver.StartSentinel(t, "lanyard", master)
	for name, uri := range map[string]string{"a Cluster": cluster.URI, "a Sentinel": "redis://" + sentinel.Addr + "?master_name=lanyard"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := startBack(t, t.TempDir(), source, uri, "migrate")
			if code, report := run.wait(); code != exit.Done || report.Kinds["kv"].Inserted != users {
				t.Fatalf("exit %d, %+v\n%s", code, report, &run.stderr)
			}
			verified := startBack(t, t.TempDir(), source, uri, "verify", "--exact", "--recheck", "0")
			if code, _ := verified.wait(); code != exit.Done {
				t.Errorf("verify: exit %d\n%s", code, &verified.stdout)
			}
			forget := exec.Command(ferretdb.Build(t), "forget", "--redis", uri, "--output", "json")
			said, err := forget.Output()
			if want := fmt.Sprintf(`"digests": %d,`, 2*users); err != nil || !strings.Contains(string(said), want) {
				t.Errorf("%s, %v, want %s", said, err, want)
			}
		})
	}
}
