package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// What the commands make of a Redis that moves under them, at an exact moment. The law: no run says success where
// something that the source held at the start is missing.

// cellsVariable says that each so many-th cell of the table is tried: all where it is 1.
const cellsVariable = "LANYARDCTL_TEST_CELLS"

const (
	movedUsers  = 90
	movedClaims = 60 // API keys that only the end decides
	movedOthers = 3300
)

// redisClient returns a client that ends with the test.
func redisClient(t testing.TB, uri string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func movedUser(i int) string { return fmt.Sprint(1000000000000000000 + i) }

// fillMoved writes users with everything, API keys without their other half, and enough other keys for several pages.
func fillMoved(t testing.TB, c *goredis.Client) {
	t.Helper()
	ctx := context.Background()
	_, err := c.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for i := range movedUsers {
			p.HSet(ctx, "lanyard_kv:"+movedUser(i), "n", fmt.Sprint(i))
			p.Set(ctx, "lanyard_last_seen:"+movedUser(i), fmt.Sprint(1700000000000+i), 0)
			p.Set(ctx, "monitoring:"+movedUser(i), fmt.Sprint(1664641326+i), 0)
		}
		for i := range movedClaims {
			p.Set(ctx, fmt.Sprintf("api_key:%032x", i), movedUser(i), 0)
		}
		for i := range movedOthers {
			p.HSet(ctx, fmt.Sprintf("lanyard_analytics:%s:spotify:track:%d", movedUser(i%movedUsers), i), "plays", 1)
		}
		for i := range 20 {
			p.Set(ctx, fmt.Sprint("presence:", i), "x", time.Hour)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// movedEvent is something that happens to the source.
type movedEvent struct {
	name     string
	replica  bool // the source is one
	survived bool // nothing that counts is lost, so no run may fail
	act      func(t testing.TB, s *movedSource)
}

type movedSource struct {
	server *redisserver.Server
	admin  *goredis.Client
	master *redisserver.Server // of a replica
}

func newMovedSource(t testing.TB, replica bool) *movedSource {
	t.Helper()
	s := &movedSource{}
	if !replica {
		s.server = redisserver.Start(t)
		s.admin = redisClient(t, s.server.URI)
		fillMoved(t, s.admin)
		return s
	}
	s.master = redisserver.Start(t, "--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0")
	fillMoved(t, redisClient(t, s.master.URI))
	host, port, _ := strings.Cut(s.master.Addr, ":")
	s.server = redisserver.Start(t, "--replicaof", host+" "+port)
	s.admin = redisClient(t, s.server.URI)
	s.inStep(t)
	return s
}

// inStep waits until the replica has what its master has.
func (s *movedSource) inStep(t testing.TB) {
	master := redisClient(t, s.master.URI)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		info := s.admin.Info(context.Background(), "replication").Val()
		if strings.Contains(info, "master_link_status:up") && s.admin.DBSize(context.Background()).Val() == master.DBSize(context.Background()).Val() {
			return
		}
		if time.Now().After(deadline) {
			t.Error("the replica is not in step")
			return
		}
	}
}

func (s *movedSource) do(t testing.TB, words ...any) {
	t.Helper()
	if err := s.admin.Do(context.Background(), words...).Err(); err != nil {
		t.Errorf("%v: %v", words, err)
	}
}

var movedEvents = []movedEvent{
	{name: "FLUSHALL", act: func(t testing.TB, s *movedSource) { s.do(t, "FLUSHALL") }},
	{name: "FLUSHDB", act: func(t testing.TB, s *movedSource) { s.do(t, "FLUSHDB") }},
	{name: "SWAPDB", act: func(t testing.TB, s *movedSource) { s.do(t, "SWAPDB", 0, 1) }},
	{name: "restart, empty", act: func(_ testing.TB, s *movedSource) { s.server.Restart() }},
	{name: "restart, other data", act: func(t testing.TB, s *movedSource) {
		s.server.Restart()
		ctx := context.Background()
		_, err := s.admin.Pipelined(ctx, func(p goredis.Pipeliner) error {
			for i := range movedOthers {
				p.Set(ctx, "lanyard_last_seen:2"+movedUser(i)[1:], "1700000000000", 0)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}},
	{name: "DEL of 19 in 20", act: func(t testing.TB, s *movedSource) {
		s.do(t, "EVAL", `for i, k in ipairs(redis.call('KEYS', '*')) do if i % 20 > 0 then redis.call('DEL', k) end end return 1`, 0)
	}},
	{name: "flush and some of it again", act: func(t testing.TB, s *movedSource) {
		s.do(t, "FLUSHDB")
		s.do(t, "SET", "api_key:"+strings.Repeat("0", 32), movedUser(0))
	}},
	{name: "eviction", act: func(t testing.TB, s *movedSource) {
		s.do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-random")
		info := s.admin.Info(context.Background(), "memory").Val()
		var used int
		_, _ = fmt.Sscanf(info[strings.Index(info, "used_memory:"):], "used_memory:%d", &used)
		s.do(t, "CONFIG", "SET", "maxmemory", used-100_000)
		_ = s.admin.Set(context.Background(), "other", "x", 0) // it may be refused
		if n := s.admin.DBSize(context.Background()).Val(); n > movedOthers+3*movedUsers+movedClaims {
			t.Errorf("%d keys after the eviction", n)
		}
	}},
	{name: "a resync to an emptied master", replica: true, act: func(t testing.TB, s *movedSource) {
		s.master.Restart()
		s.inStep(t)
	}},
	{name: "FLUSHDB of another", survived: true, act: func(_ testing.TB, s *movedSource) {
		conn := s.admin.Conn()
		defer conn.Close()
		conn.Select(context.Background(), 5)
		conn.FlushDB(context.Background())
		conn.Select(context.Background(), 0)
	}},
	{name: "keys expire", survived: true, act: func(t testing.TB, s *movedSource) {
		for i := range 20 {
			s.do(t, "PEXPIRE", fmt.Sprint("presence:", i), 1)
		}
	}},
	{name: "a replica is promoted", replica: true, survived: true, act: func(t testing.TB, s *movedSource) {
		s.do(t, "REPLICAOF", "NO", "ONE")
	}},
}

// moment is one in a run, told by the commands that pass: so many looks at all of INFO, then so many scans, then so many
// others. How many there are of each together differs a little from run to run.
type moment struct {
	name                 string
	looks, scans, others int
	after                bool // the answer; else before the command
}

// clock tells when a moment comes. Commands come one by one.
type clock struct {
	moment
	looks, scans, others int // so far; of the latter two, since the last of those before
}

// strikes reports whether the command is that of the moment.
func (k *clock) strikes(c redisproxy.Command) bool {
	switch {
	case isLook(c):
		k.looks, k.scans, k.others = k.looks+1, 0, 0
	case c.Name == "SCAN":
		k.scans, k.others = k.scans+1, 0
	default:
		k.others++
	}
	return k.looks == k.moment.looks && k.scans == k.moment.scans && k.others == k.moment.others
}

func isLook(c redisproxy.Command) bool {
	return c.Name == "INFO" && slices.Equal(c.Args, []string{"all"})
}

// momentsOf names the moments of an undisturbed run.
func momentsOf(t testing.TB, run []redisproxy.Command) []moment {
	t.Helper()
	scan := func(i int) bool {
		return run[i].Name == "SCAN" && i+1 < len(run) && run[i+1].Name == "INFO" && slices.Equal(run[i+1].Args, []string{"keyspace"})
	}
	at := make([]clock, len(run))
	var now clock
	for i, c := range run {
		now.strikes(c)
		at[i] = now
	}
	var passes [][]int // the scans of each
	for i := range run {
		switch {
		case scan(i) && run[i].Args[0] == "0":
			passes = append(passes, []int{i})
		case scan(i):
			passes[len(passes)-1] = append(passes[len(passes)-1], i)
		}
	}
	var list []moment
	add := func(pass int, name string, i int, after bool) {
		if pass > 0 {
			name = fmt.Sprintf("pass %d: %s", pass+1, name)
		}
		list = append(list, moment{name, at[i].looks, at[i].scans, at[i].others, after})
	}
	if len(passes) > 0 && len(passes[0]) == 1 { // whether there is anything of Lanyard's
		add(0, "in the preflight", passes[0][0], false)
		passes = passes[1:]
	}
	if len(passes) == 0 || len(passes[0]) < 3 {
		t.Fatalf("the run has scans %v", passes)
	}
	for n, scans := range passes {
		end := len(run)
		if n+1 < len(passes) {
			end = passes[n+1][0]
		}
		add(n, "before the scan", scans[0], false)
		add(n, "in the scan", scans[len(scans)/2], false)
		var looks []int
		for i := scans[len(scans)-1]; i < end; i++ {
			if isLook(run[i]) {
				looks = append(looks, i)
			}
		}
		// The first look after the scan ends the part; where more than one other follows, there was something to decide.
		if decide := slices.IndexFunc(run[looks[0]:end], func(c redisproxy.Command) bool { return c.Name == "GETRANGE" }); decide >= 0 {
			first := looks[0] + decide
			add(n, "before what is decided last", first, false)
			next := slices.IndexFunc(looks, func(i int) bool { return i > first })
			add(n, "in it", (first+looks[next])/2, false)
			add(n, "before the look that follows", looks[next], false)
		}
		last := looks[len(looks)-1]
		if n+1 < len(passes) && len(looks) > 1 {
			last = looks[len(looks)-2] // the last one begins the next pass
		}
		add(n, "before the last look", last, false)
	}
	add(0, "after the last read", len(run)-1, true)
	return list
}

// runCommand runs the binary and returns its exit code and the first line of the report.
func runCommand(t testing.TB, target *mongoserver.Database, args ...string) (code int, first, all string) {
	t.Helper()
	cmd := exec.Command(ferretdb.Build(t), args...)
	cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), target.Env()...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code tells
	first, _, _ = strings.Cut(stdout.String(), "\n")
	if first == "" { // it ended before there was anything to report
		i := strings.Index(stderr.String(), "lanyardctl: ")
		first, _, _ = strings.Cut(stderr.String()[max(i, 0):], "\n")
	}
	return cmd.ProcessState.ExitCode(), first, stdout.String() + stderr.String()
}

// documentsOf returns all that a migration writes, without what differs from run to run.
func documentsOf(t testing.TB, db *mongo.Database) []string {
	t.Helper()
	ctx := context.Background()
	var all []string
	for _, name := range []string{"kv", "last_seen", "api_keys", "monitoring"} {
		cursor, err := db.Collection(name).Find(ctx, bson.D{})
		if err != nil {
			t.Fatal(err)
		}
		for cursor.Next(ctx) {
			var doc bson.M
			if err := cursor.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			for _, field := range []string{"_id", "updated_at", "created_at", "lanyardctl"} {
				delete(doc, field)
			}
			all = append(all, fmt.Sprint(name, map[string]any(doc)))
		}
		if err := cursor.Err(); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(all)
	return all
}

// movedCommand is a command of the table.
type movedCommand struct {
	name string
	args []string

	target func(t testing.TB) *mongoserver.Database // that a run begins with
	check  func(t testing.TB, db *mongoserver.Database, code int, first string, survived bool)
}

func movedCommands(t testing.TB, server *mongoserver.Server) []movedCommand {
	t.Helper()
	calm := newMovedSource(t, false)
	whole := server.Database(t)
	if code, first, all := runCommand(t, whole, "migrate", "redis-to-mongo", "--redis", calm.server.URI); code != exit.Done || first != "Migrated." {
		t.Fatalf("exit %d\n%s", code, all)
	}
	want := documentsOf(t, whole.Connect(t))
	if len(want) != 3*movedUsers+movedClaims {
		t.Fatalf("%d documents", len(want))
	}
	lacking := server.Database(t)
	if code, _, all := runCommand(t, lacking, "migrate", "redis-to-mongo", "--redis", calm.server.URI); code != exit.Done {
		t.Fatalf("exit %d\n%s", code, all)
	}
	for name, filter := range map[string]bson.M{"api_keys": {}, "kv": {"user_id": movedUser(1)}} {
		if _, err := lacking.Connect(t).Collection(name).DeleteMany(t.Context(), filter); err != nil {
			t.Fatal(err)
		}
	}
	missing := func(db *mongoserver.Database) int {
		have := make(map[string]bool)
		for _, doc := range documentsOf(t, db.Connect(t)) {
			have[doc] = true
		}
		n := 0
		for _, doc := range want {
			if !have[doc] {
				n++
			}
		}
		return n
	}
	return []movedCommand{
		{"migrate", []string{"migrate", "redis-to-mongo"},
			func(t testing.TB) *mongoserver.Database { return server.Database(t) },
			func(t testing.TB, db *mongoserver.Database, code int, first string, survived bool) {
				n := missing(db)
				switch {
				case survived && (code != exit.Done || n > 0):
					t.Errorf("exit %d, %q: %d documents are missing", code, first, n)
				case code == exit.Done && n > 0, strings.HasPrefix(first, "Migrated") && n > 0:
					t.Errorf("exit %d, %q, though %d documents are missing", code, first, n)
				case code != exit.Done && code != exit.Failed:
					t.Errorf("exit %d", code)
				}
				if n, err := db.Connect(t).Collection("lanyardctl_progress").CountDocuments(context.Background(), bson.M{}); n > 0 || err != nil {
					t.Errorf("%d checkpoints are left, %v", n, err)
				}
			}},
		{"verify", []string{"verify", "--recheck", "1", "--recheck-delay", "100ms"},
			func(testing.TB) *mongoserver.Database { return lacking },
			func(t testing.TB, _ *mongoserver.Database, code int, first string, survived bool) {
				if code != exit.Differences && (survived || code != exit.Failed) || strings.Contains(first, "holds everything") {
					t.Errorf("exit %d, %q", code, first)
				}
			}},
		{"sweep", []string{"sweep"},
			func(t testing.TB) *mongoserver.Database {
				db := server.Database(t)
				var docs []any
				for i := range movedUsers {
					docs = append(docs, bson.M{"user_id": movedUser(i), "since": 1750000000})
				}
				if _, err := db.Connect(t).Collection("monitoring").InsertMany(t.Context(), docs); err != nil {
					t.Fatal(err)
				}
				return db
			},
			func(t testing.TB, db *mongoserver.Database, code int, first string, survived bool) {
				recovered, err := db.Connect(t).Collection("monitoring").CountDocuments(context.Background(), bson.M{"since": bson.M{"$lt": 1700000000}})
				if err != nil {
					t.Fatal(err)
				}
				if done := code == exit.Done; done && recovered != movedUsers || !done && (recovered != 0 || survived || code != exit.Failed) {
					t.Errorf("exit %d, %q: %d dates were recovered", code, first, recovered)
				}
			}},
	}
}

// table collects lines of cells, and prints them in order.
type table struct {
	mu    sync.Mutex
	lines []string
}

func (l *table) add(order int, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, fmt.Sprintf("%04d", order)+fmt.Sprintf(format, args...))
}

func (l *table) log(t *testing.T) {
	slices.Sort(l.lines)
	for _, line := range l.lines {
		t.Log(line[4:])
	}
}

// TestNoCommandSaysSuccessOnDataThatWentAway is the table of events, moments and commands. LANYARDCTL_TEST_CELLS=1 tries
// all of its cells.
func TestNoCommandSaysSuccessOnDataThatWentAway(t *testing.T) {
	t.Parallel()
	every := numberFrom(t, cellsVariable, 7)
	server := mongoserver.Start(t)
	var cells table
	t.Run("cells", func(t *testing.T) {
		n := 0
		for _, c := range movedCommands(t, server) {
			proxy := redisproxy.Start(t, newMovedSource(t, false).server.Addr, redisproxy.Options{})
			runCommand(t, c.target(t), append(c.args, "--redis", proxy.URI)...)
			for _, m := range momentsOf(t, proxy.Commands()) {
				for _, e := range movedEvents {
					if n++; n%every != 0 {
						continue
					}
					n := n
					t.Run(fmt.Sprintf("%s/%s/%s", c.name, m.name, e.name), func(t *testing.T) {
						t.Parallel()
						code, first := playMoved(t, c, m, e)
						cells.add(n, "%-8s %-38s %-30s %d  %s", c.name, m.name, e.name, code, first)
					})
				}
			}
		}
	})
	cells.log(t)
}

func playMoved(t *testing.T, c movedCommand, m moment, e movedEvent) (code int, first string) {
	t.Helper()
	s := newMovedSource(t, e.replica)
	acted := make(chan struct{})
	act := func() {
		e.act(t, s)
		close(acted)
	}
	hook, after := clock{moment: m}, clock{moment: m}
	proxy := redisproxy.Start(t, s.server.Addr, redisproxy.Options{
		Hook: func(c redisproxy.Command) func() {
			if hook.strikes(c) && !m.after {
				return act
			}
			return nil
		},
		After: func(c redisproxy.Command) {
			if after.strikes(c) && m.after {
				act()
			}
		},
	})
	target := c.target(t)
	code, first, all := runCommand(t, target, append(c.args, "--redis", proxy.URI)...)
	select {
	case <-acted:
	case <-time.After(15 * time.Second):
		t.Fatalf("the moment did not come: exit %d\n%s", code, all)
	}
	if m.after && code != exit.Done && code != exit.Differences {
		t.Errorf("after the last read: exit %d\n%s", code, all)
	}
	c.check(t, target, code, first, e.survived)
	if t.Failed() {
		t.Log(all)
	}
	return code, addresses.ReplaceAllString(first, "ADDR")
}

// deleting is an event that leaves the server's identity what it was.
func deleting() movedEvent {
	i := slices.IndexFunc(movedEvents, func(e movedEvent) bool { return e.name == "DEL of 19 in 20" })
	return movedEvents[i]
}

// onceInTheScan is a proxy's hook that lets act happen before the third scan.
func onceInTheScan(act func()) redisproxy.Hook {
	var scans scansOfRun
	return func(c redisproxy.Command) func() {
		if scans.count(c) == 3 {
			return act
		}
		return nil
	}
}

// scansOfRun counts the SCANs of the run itself. The preflight scans twice from the beginning.
type scansOfRun struct{ beginnings, n int }

// count returns which SCAN of the run the command is, from 1, and zero where it is none.
func (s *scansOfRun) count(c redisproxy.Command) int {
	if c.Name != "SCAN" {
		return 0
	}
	if c.Args[0] == "0" {
		s.beginnings++
	}
	if s.beginnings < 3 {
		return 0
	}
	s.n++
	return s.n
}

func TestAMovedSourceIsReadFromItsBeginningAgain(t *testing.T) {
	t.Parallel()
	s, target := newMovedSource(t, false), mongoserver.New(t)
	proxy := redisproxy.Start(t, s.server.Addr, redisproxy.Options{Hook: onceInTheScan(func() { deleting().act(t, s) })})
	args := []string{"migrate", "redis-to-mongo", "--redis", proxy.URI}
	code, first, all := runCommand(t, target, args...)
	if code != exit.Failed || !strings.Contains(first, "lost keys") || !strings.Contains(all, "the same command then starts from the beginning") ||
		strings.Contains(all, "takes up the work again") || !strings.Contains(all, "--allow-shrinking") {
		t.Errorf("exit %d\n%s", code, all)
	}
	fillMoved(t, s.admin)
	code, first, all = runCommand(t, target, args...)
	if code != exit.Done || first != "Migrated." || len(documentsOf(t, target.Connect(t))) != 3*movedUsers+movedClaims {
		t.Errorf("exit %d\n%s", code, all)
	}
}

func TestASourceThatMayShrinkIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	target := mongoserver.New(t)
	for name, c := range map[string]struct {
		act        func(testing.TB, *movedSource)
		code       int
		first, all string
	}{
		"keys are deleted": {deleting().act, exit.Done, "Migrated.", "lost keys during the run: it held 3630 keys without a time to live at the start"},
		"FLUSHALL":         {movedEvents[0].act, exit.Failed, "Failed: ", "FLUSHALL ran once"},
	} {
		s := newMovedSource(t, false)
		proxy := redisproxy.Start(t, s.server.Addr, redisproxy.Options{Hook: onceInTheScan(func() { c.act(t, s) })})
		code, first, all := runCommand(t, target, "migrate", "redis-to-mongo", "--redis", proxy.URI, "--allow-shrinking")
		if code != c.code || !strings.HasPrefix(first, c.first) || !strings.Contains(all, c.all) {
			t.Errorf("%s: exit %d\n%s", name, code, all)
		}
	}
}
