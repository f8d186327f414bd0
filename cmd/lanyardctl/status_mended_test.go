package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// shownStatus is what the report for scripts says of faults.
type shownStatus struct {
	OK     bool `json:"ok"`
	Faults []struct {
		Store string           `json:"store"`
		Code  record.FaultCode `json:"code"`
		Place string           `json:"place"`
		Mend  []struct {
			Why      string   `json:"why"`
			Commands []string `json:"commands"`
		} `json:"mend"`
	} `json:"faults"`
}

// TestWhatStatusSaysMendsEachFault plants faults in both stores, does what status says from the top, and asks it again.
func TestWhatStatusSaysMendsEachFault(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-cli"); err != nil {
		t.Skip("there is no redis-cli")
	}
	w := newFaultyWorld(t)
	w.plantInRedis()
	w.plantInMongo()
	before := w.status(exit.Differences)
	want := []record.FaultCode{
		record.NotKept, record.Evicts, record.Expires, record.InterruptedSweep, record.NumericUsers, record.DuplicateUsers,
		record.SharedAPIKey, record.NobodysDocuments, record.SeveralCounters, record.UnreadableCount, record.UnfitIndex, record.MissingIndex,
		record.UnreadableTime, record.UnreadablePairs, record.WrongTypes, record.HalfAPIKey, record.StrayAPIKey, record.LayoutsDiffer,
		record.InterruptedRun,
	}
	var got []record.FaultCode
	for _, f := range before.Faults {
		if !slices.Contains(got, f.Code) {
			got = append(got, f.Code)
		}
		commands := 0
		for _, step := range f.Mend {
			commands += len(step.Commands)
		}
		if commands == 0 {
			t.Errorf("nothing mends %s", f.Code)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("status names\n%q, planted are\n%q", got, want)
	}
	for _, f := range before.Faults {
		for _, step := range f.Mend {
			for _, command := range step.Commands {
				w.do(f.Code, command)
			}
		}
	}
	if after := w.status(exit.Done); !after.OK || len(after.Faults) > 0 {
		t.Errorf("what is left: %+v", after.Faults)
	}
}

// faultyWorld is a Redis and a database with faults.
type faultyWorld struct {
	t     *testing.T
	bin   string
	env   []string
	redis *redisserver.Server
	db    *mongo.Database
	named bool // it is a MongoDB
}

func newFaultyWorld(t *testing.T) *faultyWorld {
	redis := redisserver.Start(t, "--save", "", "--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru")
	target := mongoserver.New(t)
	w := &faultyWorld{t: t, bin: ferretdb.Build(t), redis: redis, db: target.Connect(t)}
	w.named = !strings.HasPrefix(target.Facts, "FerretDB")
	w.env = append(os.Environ(), append(target.Env(), "REDIS_URI="+redis.URI, "PATH="+filepath.Dir(w.bin)+string(os.PathListSeparator)+os.Getenv("PATH"))...)
	return w
}

const (
	mendedAPIKey = "lnyd_00000000000000000000000000000a11"
	sharedAPIKey = "lnyd_00000000000000000000000000000a12"
)

// mendedUser returns the id of a user of the test.
func mendedUser(n int) string { return (record.UserID(94490510688792576) + record.UserID(n)).String() }

func (w *faultyWorld) plantInRedis() {
	w.t.Helper()
	ctx := w.t.Context()
	client := goredis.NewClient(&goredis.Options{Addr: w.redis.Addr})
	defer client.Close()
	_, err := client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		p.HSet(ctx, "lanyard_kv:"+mendedUser(1), "city", "Utrecht", "age", "7")
		p.HSet(ctx, "lanyard:user_kv:"+mendedUser(1), "city", `"Atlantis"`)
		p.HSet(ctx, "lanyard:user_kv:"+mendedUser(2), "a", `"b"`)
		p.Expire(ctx, "lanyard:user_kv:"+mendedUser(2), time.Hour)
		p.Set(ctx, "lanyard_kv:"+mendedUser(3), "no hash", 0)
		p.Set(ctx, "user_api_key:"+mendedUser(4), mendedAPIKey, 0)
		p.Set(ctx, "api_key:"+strings.ToUpper(mendedAPIKey), mendedUser(5), 0)
		p.Set(ctx, "lanyard:user_last_seen:"+mendedUser(6), "1775185650417", 0)
		p.HSet(ctx, "lanyard:user_kv:"+mendedUser(7), "a", `"b"`)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *faultyWorld) plantInMongo() {
	w.t.Helper()
	ctx := w.t.Context()
	user := func(n int, field string, v any) bson.D {
		return bson.D{{Key: "user_id", Value: mendedUser(n)}, {Key: field, Value: v}}
	}
	dead := time.Now().Add(-time.Hour)
	for collection, documents := range map[string][]any{
		"kv": {
			user(2, "kv", bson.D{{Key: "a", Value: "b"}}), user(2, "kv", bson.D{{Key: "c", Value: "d"}}),
			bson.D{{Key: "user_id", Value: "x"}}, bson.D{{Key: "user_id", Value: "x"}},
			user(7, "kv", "no pairs"), user(8, "kv", bson.A{bson.D{}}),
		},
		"last_seen": {
			bson.D{{Key: "user_id", Value: int64(94490510688792580)}, {Key: "timestamp", Value: int64(1775185650417)}},
			user(6, "timestamp", "1775185650417"),
		},
		"monitoring": {user(1, "since", int64(1664641326000)), user(2, "since", "never")},
		"api_keys":   {user(1, "key", sharedAPIKey), user(2, "key", sharedAPIKey)},
		"metrics": {
			bson.D{{Key: "type", Value: "global"}, {Key: "lanyard_2xx_responses", Value: "many"}, {Key: "updated_at", Value: time.Now()}},
			bson.D{{Key: "type", Value: "global"}, {Key: "lanyard_2xx_responses", Value: int32(7)}},
		},
		"lanyardctl_progress": {bson.D{{Key: "_id", Value: "KILLED"}, {Key: "scope", Value: "another"}, {Key: "heartbeat", Value: dead}}},
		"lanyardctl_sweeps": {bson.D{{Key: "_id", Value: "20260101-000000-aaaa"}, {Key: "state", Value: "interrupted"}, {Key: "host", Value: "h"},
			{Key: "pid", Value: int64(1)}, {Key: "run", Value: "r"}, {Key: "started_at", Value: dead}, {Key: "changes", Value: int64(0)}}},
	} {
		if _, err := w.db.Collection(collection).InsertMany(ctx, documents); err != nil {
			w.t.Fatal(err)
		}
	}
	index := mongo.IndexModel{Keys: bson.D{{Key: "user_id", Value: 1}}}
	if _, err := w.db.Collection("last_seen").Indexes().CreateOne(ctx, index); err != nil {
		w.t.Fatal(err)
	}
}

// status runs the command, which has to end with the code.
func (w *faultyWorld) status(want int) (s shownStatus) {
	w.t.Helper()
	cmd := exec.Command(w.bin, "status", "--output", "json")
	cmd.Env, cmd.Dir = w.env, w.t.TempDir()
	out, err := cmd.Output()
	if code := cmd.ProcessState.ExitCode(); code != want {
		w.t.Errorf("status: exit %d, want %d: %v", code, want, err)
	}
	if strings.Contains(string(out), mendedAPIKey) || strings.Contains(string(out), strings.ToUpper(mendedAPIKey)) || strings.Contains(string(out), sharedAPIKey) {
		w.t.Errorf("it shows an API key: %s", out)
	}
	if err := json.Unmarshal(out, &s); err != nil {
		w.t.Fatalf("%v: %s", err, out)
	}
	return s
}

// do does what a command of status says.
func (w *faultyWorld) do(code record.FaultCode, command string) {
	w.t.Helper()
	if strings.HasPrefix(command, "db.") {
		if err := w.inShell(command); err != nil {
			w.t.Errorf("%s: %s: %v", code, command, err)
		}
		return
	}
	cmd := exec.Command("sh", "-c", command)
	cmd.Env, cmd.Dir = w.env, w.t.TempDir()
	out, err := cmd.CombinedOutput()
	ended := cmd.ProcessState.ExitCode()
	if err != nil && !strings.HasPrefix(command, "lanyardctl ") || ended == exit.Failed || ended == exit.Usage {
		w.t.Errorf("%s: %s: exit %d\n%s", code, command, ended, out)
	}
}

var (
	shellCall = regexp.MustCompile(`^db\.(\w+)\.(\w+)\((.*)\)$`)
	bareName  = regexp.MustCompile(`([{,]\s*)([$\w]+):`)
	objectID  = regexp.MustCompile(`ObjectId\(("[0-9a-f]+")\)`)
)

// inShell does what a line for a MongoDB shell says.
func (w *faultyWorld) inShell(line string) error {
	call := shellCall.FindStringSubmatch(line)
	if call == nil {
		return errors.New("no line for a MongoDB shell")
	}
	text := objectID.ReplaceAllString(bareName.ReplaceAllString(call[3], `$1"$2":`), `{"$$oid":$1}`)
	var given struct {
		Arguments bson.A `bson:"arguments"`
	}
	if err := bson.UnmarshalExtJSON([]byte(`{"arguments":[`+text+`]}`), false, &given); err != nil {
		return err
	}
	args := given.Arguments
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	var err error
	switch c := w.db.Collection(call[1]); call[2] {
	case "createIndex":
		_, err = c.Indexes().CreateOne(ctx, mongo.IndexModel{Keys: args[0], Options: options.Index().SetUnique(true)})
	case "dropIndex":
		err = c.Indexes().DropOne(ctx, args[0].(string))
	case "deleteOne":
		_, err = c.DeleteOne(ctx, args[0])
	case "deleteMany":
		_, err = c.DeleteMany(ctx, args[0])
	case "updateOne":
		_, err = c.UpdateOne(ctx, args[0], args[1])
	case "updateMany":
		if _, isPipeline := args[1].(bson.A); isPipeline && !w.named {
			return nil // which FerretDB does not know
		}
		_, err = c.UpdateMany(ctx, args[0], args[1])
	default:
		err = errors.New("unknown to this test")
	}
	return err
}
