package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// manyUsers is enough for a run that can be met half way. Only FerretDB refuses arrays in arrays, and it is slow: another
// server would be done with as many users before anybody looked.
func manyUsers(target *mongoserver.Database) int {
	if target.Limits.NoNestedArray {
		return 4000
	}
	return 30_000
}

// fillRedis writes users with a key-value pair and a last-seen time each; every hundredth has a value that is rejected.
func fillRedis(t *testing.T, uri string, users int) {
	t.Helper()
	opts, err := goredis.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	_, err = client.Pipelined(t.Context(), func(p goredis.Pipeliner) error {
		for i := range users {
			user := fmt.Sprint(1000000000000000000 + i)
			p.HSet(t.Context(), "lanyard_kv:"+user, "n", fmt.Sprint(i))
			seen := fmt.Sprint(1700000000000 + i)
			if i%100 == 0 {
				seen = "never"
			}
			p.Set(t.Context(), "lanyard_last_seen:"+user, seen, 0)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// summary is what the tests read of a JSON report.
type summary struct {
	Resumed bool
	OK      bool
	Error   string
	Kinds   map[string]struct{ Read, Inserted, Updated, Unchanged, Conflicts, Rejected int }
	Rejects *string `json:"rejects_file"`
	Reasons map[string]int
}

func (s summary) sum(column func(inserted, updated, unchanged, rejected int) int) int {
	n := 0
	for _, k := range s.Kinds {
		n += column(k.Inserted, k.Updated, k.Unchanged, k.Rejected)
	}
	return n
}

// migration under test: its process and what it wrote.
type running struct {
	t              *testing.T
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
}

// startMigration starts the binary in dir with small batches, so that a run takes its time.
func startMigration(t *testing.T, dir, redisURI string, target *mongoserver.Database, args ...string) *running {
	t.Helper()
	r := &running{t: t}
	r.cmd = exec.Command(ferretdb.Build(t), append([]string{"migrate", "redis-to-mongo", "--redis", redisURI,
		"--output", "json", "--batch-size", "20", "--workers", "1"}, args...)...)
	r.cmd.Env = append(os.Environ(), target.Env()...)
	r.cmd.Dir, r.cmd.Stdout, r.cmd.Stderr = dir, &r.stdout, &r.stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	return r
}

func (r *running) signal(sig syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		r.t.Fatal(err)
	}
}

// wait returns the exit code; that of a killed process is -1.
func (r *running) wait() (int, summary) {
	r.t.Helper()
	_ = r.cmd.Wait() // the exit code tells
	var s summary
	if r.stdout.Len() > 0 {
		if err := json.Unmarshal(r.stdout.Bytes(), &s); err != nil {
			r.t.Fatalf("%v\n%s", err, &r.stdout)
		}
	}
	return r.cmd.ProcessState.ExitCode(), s
}

// waitUntil polls until the condition holds.
func waitUntil(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func halfWay(t *testing.T, db *mongo.Database) {
	t.Helper()
	waitUntil(t, "documents", func() bool {
		n, err := db.Collection("kv").EstimatedDocumentCount(t.Context())
		return err == nil && n > 100
	})
}

// contents returns all documents of Lanyard's collections, without the times at which they were written.
func contents(t *testing.T, db *mongo.Database) []string {
	t.Helper()
	var all []string
	for _, name := range []string{"kv", "last_seen"} {
		cursor, err := db.Collection(name).Find(t.Context(), bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for cursor.Next(t.Context()) {
			var doc bson.M
			if err := cursor.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			delete(doc, "updated_at")
			all = append(all, fmt.Sprint(name, doc))
		}
		if err := cursor.Err(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	return all
}

// complete checks that the target holds what an undisturbed run leaves there.
func complete(t *testing.T, db *mongo.Database, users int) {
	t.Helper()
	all := contents(t, db)
	if want := 2*users - users/100; len(all) != want {
		t.Fatalf("%d documents, want %d", len(all), want)
	}
	if n, err := db.Collection("lanyardctl_progress").CountDocuments(t.Context(), bson.D{}); err != nil || n != 0 {
		t.Errorf("%d checkpoints are left, %v", n, err)
	}
}

// rejectLines returns the different lines of the rejects files in dir.
func rejectLines(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "lanyardctl-rejects-*.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !json.Valid([]byte(line)) {
				t.Errorf("%s holds %q", path, line)
			}
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

func TestAKilledRunIsGoneOnWith(t *testing.T) {
	t.Parallel()
	redis, target, dir := redisserver.Start(t), mongoserver.New(t), t.TempDir()
	users := manyUsers(target)
	fillRedis(t, redis.URI, users)
	db := target.Connect(t)

	first := startMigration(t, dir, redis.URI, target)
	halfWay(t, db)
	redis.Pause() // what was read is written and saved, and no more comes
	waitUntil(t, "a checkpoint with a position", func() bool {
		var saved struct{ Positions []bson.Raw }
		err := db.Collection("lanyardctl_progress").FindOne(t.Context(), bson.D{}).Decode(&saved)
		return err == nil && len(saved.Positions) > 0
	})
	first.signal(syscall.SIGKILL)
	redis.Resume()
	if code, _ := first.wait(); code != -1 || first.stdout.Len() > 0 {
		t.Fatalf("the run ended by itself with %d: it was not met half way\n%s", code, &first.stdout)
	}

	code, report := startMigration(t, dir, redis.URI, target, "--batch-size", "1000").wait()
	if code != exit.Rejects || !report.Resumed || report.OK {
		t.Errorf("exit %d, %+v", code, report)
	}
	complete(t, db, users)
	if n := len(rejectLines(t, dir)); n != users/100 || report.Reasons["not-a-timestamp"] < n {
		t.Errorf("%d different rejects, %d in the report", n, report.Reasons["not-a-timestamp"])
	}
	if got := report.sum(func(inserted, _, unchanged, rejected int) int { return inserted + unchanged + rejected }); got < 2*users {
		t.Errorf("the report counts %d records, want at least %d", got, 2*users)
	}
}

func TestCtrlCEndsWithAReport(t *testing.T) {
	t.Parallel()
	redis, target, dir := redisserver.Start(t), mongoserver.New(t), t.TempDir()
	users := manyUsers(target)
	fillRedis(t, redis.URI, users)
	db := target.Connect(t)

	first := startMigration(t, dir, redis.URI, target)
	halfWay(t, db)
	first.signal(syscall.SIGINT)
	code, report := first.wait()
	if code != exit.Interrupted || report.OK || !strings.Contains(report.Error, "interrupted") {
		t.Fatalf("exit %d, %+v\n%s", code, report, &first.stderr)
	}
	if !strings.Contains(first.stderr.String(), "lanyardctl: interrupted") || !strings.Contains(first.stderr.String(), "stopped: ") {
		t.Errorf("stderr: %s", &first.stderr)
	}
	if n := report.Kinds["kv"].Read; n == 0 || n >= users {
		t.Fatalf("%d of %d users were read: it was not met half way", n, users)
	}
	// The report counts what the target holds.
	if n, err := db.Collection("kv").CountDocuments(t.Context(), bson.D{}); err != nil || int(n) < report.Kinds["kv"].Inserted {
		t.Errorf("%d documents, %v, %d in the report", n, err, report.Kinds["kv"].Inserted)
	}

	code, report = startMigration(t, dir, redis.URI, target, "--batch-size", "1000").wait()
	if code != exit.Rejects || !report.Resumed {
		t.Errorf("exit %d, %+v", code, report)
	}
	complete(t, db, users)
}

func TestTheSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	redis, target, dir := redisserver.Start(t), mongoserver.New(t), t.TempDir()
	users := manyUsers(target)
	fillRedis(t, redis.URI, users)
	db := target.Connect(t)

	r := startMigration(t, dir, redis.URI, target)
	halfWay(t, db)
	// While Redis does not answer, the run cannot drain. A signal may be lost to one that still waits, so several are sent.
	redis.Pause()
	defer redis.Resume()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.cmd.Wait()
	}()
	for tick := time.Tick(20 * time.Millisecond); ; {
		select {
		case <-done:
			if code := r.cmd.ProcessState.ExitCode(); code != exit.Interrupted {
				t.Errorf("exit %d", code)
			}
			return
		case <-tick:
			_ = r.cmd.Process.Signal(syscall.SIGTERM)
		}
	}
}

func TestTwoRunsAtOnceEndInTheSameState(t *testing.T) {
	t.Parallel()
	const users = 600
	redis, target := redisserver.Start(t), mongoserver.New(t)
	fillRedis(t, redis.URI, users)
	db := target.Connect(t)

	var group sync.WaitGroup
	for range 2 {
		r := startMigration(t, t.TempDir(), redis.URI, target, "--batch-size", "100")
		group.Go(func() {
			if code, report := r.wait(); code != exit.Rejects {
				t.Errorf("exit %d, %+v\n%s", code, report, &r.stderr)
			}
		})
	}
	group.Wait()
	complete(t, db, users)
}

func TestAServerThatGoesAwayEndsWithAReport(t *testing.T) {
	t.Parallel()
	redis, target, dir := redisserver.Start(t), mongoserver.New(t), t.TempDir()
	users := manyUsers(target)
	fillRedis(t, redis.URI, users)
	db := target.Connect(t)

	r := startMigration(t, dir, redis.URI, target, "--retry-for", "5s")
	halfWay(t, db)
	redis.Kill()
	code, report := r.wait()
	if code != exit.Failed || report.OK || report.Error == "" || report.Kinds["kv"].Read == 0 {
		t.Errorf("exit %d, %+v", code, report)
	}
	if !regexp.MustCompile(`(?m)^lanyardctl: .*redis.*\nhint: .`).MatchString(r.stderr.String()) {
		t.Errorf("stderr: %s", &r.stderr)
	}
}

// interrupted starts a command, interrupts it after the first line on stderr that fits, waits for its end and returns
// what it said after that line.
func interrupted(t *testing.T, cmd *exec.Cmd, fits func(line string) bool) (rest string) {
	t.Helper()
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	stderr := bufio.NewReader(pipe)
	for {
		line, err := stderr.ReadString('\n')
		if err != nil {
			t.Fatalf("%q, %v", line, err)
		}
		if fits(line) {
			break
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(stderr)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code tells
	return string(text)
}

func TestCtrlCWhileConnectingNeedsNoReport(t *testing.T) {
	t.Parallel()
	redis := redisserver.Start(t)
	redis.Pause()
	defer redis.Resume()
	cmd := exec.Command(ferretdb.Build(t), "migrate", "redis-to-mongo", "--redis", "redis://:hunter2@"+redis.Addr, "--mongo", "embedded:data", "--timeout", "1h")
	cmd.Dir = t.TempDir()
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	rest := interrupted(t, cmd, func(line string) bool {
		if !strings.HasPrefix(line, "warning: ") {
			t.Fatalf("the first line is %q", line)
		}
		return true
	})
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted || stdout.Len() > 0 || !regexp.MustCompile(`^stopping: .*\nlanyardctl: interrupted before anything was done\n$`).MatchString(rest) {
		t.Errorf("exit %d, stdout %q, stderr %q", code, &stdout, rest)
	}
}
