package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestNoAcknowledgedWriteIsLost lets two processes at a time write different fields of the same users, kills them again and
// again, and restarts each server once. What a process acknowledged must be in both stores.
func TestNoAcknowledgedWriteIsLost(t *testing.T) {
	t.Parallel()
	fields := numberFrom(t, "LANYARDCTL_TEST_KV_FIELDS", 200)
	users := max(fields/200, 5)
	redis := redisserver.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	c := redisClient(t, redis.URI)
	// It has a folder that outlives it, and another address after a restart.
	server := ferretdb.Start(t)
	var uri atomic.Value
	uri.Store(server.URI)
	env := func() []string {
		return append(os.Environ(), "REDIS_URI="+redis.URI, "MONGODB_URI="+uri.Load().(string), "MONGODB_DATABASE=lanyard")
	}
	bin := ferretdb.Build(t)
	for i := range users { // what lanyardctl has migrated before
		c.HSet(t.Context(), "lanyard:user_kv:"+movedUser(i), "before", `"1"`)
	}
	migrate := exec.Command(bin, "migrate", "redis-to-mongo", "--quiet")
	migrate.Env, migrate.Dir = env(), t.TempDir()
	if out, err := migrate.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	var mu sync.Mutex
	killed, attempts := 0, 0
	took := 200 * time.Millisecond // the last process that was left alone
	// run runs a command until it is acknowledged, and kills it now and then.
	run := func(stdin string, args ...string) {
		for try := 0; ; try++ {
			ctx, cancel := context.WithCancel(t.Context())
			cmd := exec.CommandContext(ctx, bin, append(args, "--quiet", "--timeout", "5s", "--retry-for", "5s")...)
			cmd.Env, cmd.Stdin = env(), strings.NewReader(stdin)
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			mu.Lock()
			attempts++
			doomed := rand.IntN(3) == 0
			if doomed {
				time.AfterFunc(rand.N(took), cancel)
			}
			mu.Unlock()
			begun := time.Now()
			err := cmd.Run()
			cancel()
			mu.Lock()
			switch {
			case err == nil && !doomed:
				took = time.Since(begun)
			case err != nil && cmd.ProcessState.ExitCode() < 0:
				killed++
			}
			mu.Unlock()
			if err == nil {
				return
			}
			if try == 100 {
				t.Errorf("it never worked: %v\n%s", err, &out)
				return
			}
		}
	}
	const atOnce = 10
	done := atomic.Int64{}
	var writing sync.WaitGroup
	for writer := range 2 {
		writing.Go(func() {
			for i := 0; i < fields/2; i += atOnce {
				user := movedUser(i / atOnce % users)
				pairs := make(map[string]string)
				var args []string
				for k := range atOnce {
					name := fmt.Sprintf("w%d_%d", writer, i+k)
					pairs[name] = fmt.Sprint(i + k)
					args = append(args, name+"="+fmt.Sprint(i+k))
				}
				if (i/atOnce)%2 == 0 {
					run("", append([]string{"kv", "set", user}, args...)...)
				} else {
					object, _ := json.Marshal(pairs)
					run(string(object), "kv", "import", user, "-")
				}
				done.Add(atOnce)
			}
		})
	}
	half := func(share int64) {
		for done.Load() < int64(fields)*share/4 {
			time.Sleep(5 * time.Millisecond)
		}
	}
	half(1)
	redis.Restart()
	half(2)
	server.Stop(t)
	again := ferretdb.StartIn(t, server.Dir)
	uri.Store(again.URI)
	writing.Wait()
	t.Logf("%d fields of %d users, %d processes, %d of them killed", fields, users, attempts, killed)

	client, err := mongo.Connect(options.Client().ApplyURI(again.URI))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(t.Context())
	missing := 0
	for i := range users {
		var doc struct{ KV map[string]string }
		if err := client.Database("lanyard").Collection("kv").FindOne(t.Context(), bson.M{"user_id": movedUser(i)}).Decode(&doc); err != nil {
			t.Fatal(err)
		}
		hash, err := c.HGetAll(t.Context(), "lanyard:user_kv:"+movedUser(i)).Result()
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"before": "1"}
		for f := 0; f < fields/2; f++ {
			if f/atOnce%users == i {
				want[fmt.Sprintf("w0_%d", f)], want[fmt.Sprintf("w1_%d", f)] = fmt.Sprint(f), fmt.Sprint(f)
			}
		}
		for name, v := range want {
			if doc.KV[name] != v || hash[name] != `"`+v+`"` {
				missing++
			}
		}
		if len(doc.KV) != len(want) || len(hash) != len(want) {
			t.Errorf("user %d has %d pairs in MongoDB and %d in Redis, want %d", i, len(doc.KV), len(hash), len(want))
		}
	}
	if missing > 0 {
		t.Errorf("%d acknowledged pairs are missing", missing)
	}
	verify := exec.Command(bin, "verify", "--exact", "--quiet", "--recheck", "0")
	verify.Env = env()
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// Redis goes on alone, and lanyardctl's documents follow without a conflict.
	for i := range users {
		c.HSet(t.Context(), "lanyard:user_kv:"+movedUser(i), "w0_0", `"changed"`)
	}
	target := &mongoserver.Database{Server: &mongoserver.Server{URI: again.URI}, Name: "lanyard"}
	report := migrateWorld(t, redis.URI, target, 0)
	if n := report.Kinds["kv"]; n.Conflicts != 0 || n.Updated != n.Read {
		t.Errorf("a migrate afterwards: %+v", n)
	}
}
