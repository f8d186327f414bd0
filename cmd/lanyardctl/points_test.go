package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// Users of whom named runs are compared with a run for all.
const (
	wholeUser = "94490510688792576"  // with everything, in all layouts
	oddUser   = "268473310986240001" // with much that is rejected
	looseUser = "456226577798135808" // with API keys that the current one does not name
)

func fillAmongOthers(t *testing.T, c *goredis.Client, others int) {
	t.Helper()
	ctx := context.Background()
	send := func(fill func(goredis.Pipeliner)) {
		pipe := c.Pipeline()
		fill(pipe)
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < others; n += 10_000 {
		send(func(p goredis.Pipeliner) {
			for i := n; i < min(n+10_000, others); i++ {
				switch i % 10 {
				case 0:
					p.Set(ctx, fmt.Sprint("lanyard_last_seen:", 700000000000000000+i), 1700000000000+i, 0)
				default:
					p.Set(ctx, fmt.Sprint("other:", i), i, 0)
				}
			}
		})
	}
	send(func(p goredis.Pipeliner) {
		id := wholeUser
		p.HSet(ctx, "lanyard_kv:"+id, "a", "1", "b", "2")
		p.HSet(ctx, "lanyard:user_kv:"+id, "a", `"3"`, "n", "7")
		p.MSet(ctx, "lanyard_last_seen:"+id, 1700000000000, "lanyard:user_last_seen:"+id, 1700000001000,
			"monitoring:"+id, 1664641326, "user_monitoring_since:"+id, 1664641327, "lanyard:user_monitoring_since:"+id, 1664641328,
			"user_api_key:"+id, "lnyd_whole", "api_key:lnyd_whole", id)
		id = oddUser
		p.HSet(ctx, "lanyard_kv:"+id, "a", "\xff", "b", "2", "nul\x00", "x")
		p.RPush(ctx, "lanyard:user_kv:"+id, "a list")
		p.MSet(ctx, "lanyard_last_seen:"+id, "never", "monitoring:"+id, 1, "user_monitoring_since:"+id, "1664641326000", "user_api_key:"+id, "lnyd_gone")
		id = looseUser
		p.MSet(ctx, "api_key:lnyd_repaired", id, "lanyard_last_seen:"+id, 1700000000000)
		p.HSet(ctx, "lanyard:metrics_v1", "lanyard_2xx_responses", 7)
	})
}

// serverReads returns how often commands were called that look at keys, since the statistics were reset, as the server counts
// them. The table has each of them, and how many keys the server looked up.
func serverReads(t *testing.T, c *goredis.Client) (calls int, table string) {
	t.Helper()
	ctx := context.Background()
	info, err := c.Info(ctx, "commandstats", "stats").Result()
	if err != nil {
		t.Fatal(err)
	}
	about := []string{"info", "ping", "hello", "client|", "config|", "command", "auth", "select", "time", "cluster|", "acl|"}
	for line := range strings.Lines(info) {
		line = strings.TrimSpace(line)
		name, counts, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls=")
		switch {
		case strings.HasPrefix(line, "keyspace_"):
			table += " " + line
		case !ok || slices.ContainsFunc(about, func(prefix string) bool { return strings.HasPrefix(name, prefix) }):
		default:
			var n int
			if _, err := fmt.Sscanf(counts, "%d", &n); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			calls += n
			table += fmt.Sprintf(" %s=%d", name, n)
		}
	}
	return calls, table
}

// of returns the lines that name the user.
func of(user string, lines []string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return !strings.Contains(line, user) })
}

// TestANamedUserIsFoundByAFewReads compares runs for one user with a run for all. LANYARDCTL_TEST_OTHER_KEYS is how many
// keys of others there are.
func TestANamedUserIsFoundByAFewReads(t *testing.T) {
	srv := redisserver.Start(t)
	c := redisClient(t, srv.URI)
	fillAmongOthers(t, c, numberFrom(t, "LANYARDCTL_TEST_OTHER_KEYS", 20_000))
	server := mongoserver.Start(t)
	run := func(want int, target *mongoserver.Database, args ...string) (output string, calls int, table string) {
		t.Helper()
		if err := c.ConfigResetStat(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		code, _, output := runCommand(t, target, append(args, "--redis", srv.URI)...)
		if code != want {
			t.Fatalf("%q ended with %d, want %d:\n%s", args, code, want, output)
		}
		calls, table = serverReads(t, c)
		return output, calls, table
	}
	rejectsIn := func(path string) []string {
		text, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		text = regexp.MustCompile(`,"run":"[A-Z0-9]+","time":"[^"]+"}`).ReplaceAll(text, []byte("}"))
		return slices.Sorted(strings.Lines(string(text)))
	}
	dir := t.TempDir()
	all := server.Database(t)
	_, calls, table := run(exit.Rejects, all, "migrate", "redis-to-mongo", "--rejects", filepath.Join(dir, "all"))
	t.Logf("all users: %d calls:%s", calls, table)
	if calls < 100 {
		t.Errorf("a run for all made %d calls only: what is counted?", calls)
	}
	documents, rejects := documentsOf(t, all.Connect(t)), rejectsIn(filepath.Join(dir, "all"))
	for _, tc := range []struct {
		user           string
		code           int
		unseenByPoints string
	}{
		{wholeUser, exit.Done, ""},
		{oddUser, exit.Rejects, ""},
		{looseUser, exit.Done, "lnyd_repaired"}, // the one class that only a look at every key finds
	} {
		t.Run(tc.user, func(t *testing.T) {
			target := server.Database(t)
			path := filepath.Join(dir, tc.user)
			output, calls, table := run(tc.code, target, "migrate", "redis-to-mongo", "--user", tc.user, "--rejects", path)
			t.Logf("%d calls:%s", calls, table)
			if calls >= 20 {
				t.Errorf("%d calls", calls)
			}
			said := strings.Join(strings.Fields(output), " ")
			if !strings.Contains(said, "is found by a run without --user") || !strings.Contains(said, "9 keys of the named users looked up, of which ") {
				t.Errorf("nothing tells what is not looked for:\n%s", output)
			}
			// The line of the report, and its warning on stderr.
			if n := strings.Count(said, "1 of the named users has no current API key that authenticates"); n != 2 && tc.user != wholeUser || n != 0 && tc.user == wholeUser {
				t.Errorf("told %d times that there is no current API key:\n%s", n, output)
			}
			want := of(tc.user, documents)
			if len(want) < 2 {
				t.Fatalf("the run for all has %q", want)
			}
			want = slices.DeleteFunc(want, func(line string) bool {
				return tc.unseenByPoints != "" && strings.Contains(line, tc.unseenByPoints)
			})
			if d := cmp.Diff(want, documentsOf(t, target.Connect(t))); d != "" {
				t.Errorf("documents (-run for all +run for the user):\n%s", d)
			}
			if d := cmp.Diff(of(tc.user, rejects), rejectsIn(path), cmpopts.EquateEmpty()); d != "" {
				t.Errorf("rejects (-run for all +run for the user):\n%s", d)
			}
			// What the run for all has written is no difference, nor is what this run has.
			for name, database := range map[string]*mongoserver.Database{"all": all, "the user": target} {
				output, calls, table := run(tc.code, database, "verify", "--user", tc.user, "--recheck", "0")
				t.Logf("verify in the target of the run for %s: %d calls:%s", name, calls, table)
				if calls >= 20 {
					t.Errorf("%d calls\n%s", calls, output)
				}
			}
		})
	}
	// Of somebody of whom nothing is there, one page tells that the database is the right one.
	if _, calls, table := run(exit.Failed, server.Database(t), "migrate", "redis-to-mongo", "--user", "1234567890123456789"); !strings.Contains(table, " scan=") {
		t.Errorf("%d calls:%s", calls, table)
	}
	empty := redisserver.Start(t)
	if code, first, _ := runCommand(t, server.Database(t), "migrate", "redis-to-mongo", "--user", wholeUser, "--redis", empty.URI); code != exit.Failed || !strings.Contains(first, "is it the right database?") {
		t.Errorf("exit %d, %q", code, first)
	}
}

// TestManyNamedUsersAreReadByAScan names more users than are looked up one by one.
func TestManyNamedUsersAreReadByAScan(t *testing.T) {
	srv := redisserver.Start(t)
	c := redisClient(t, srv.URI)
	fillAmongOthers(t, c, 100)
	var args []string
	for i := range 9_999 { // of up to 10,000 the keys are looked up
		args = append(args, fmt.Sprint(800000000000000000+i))
	}
	target := mongoserver.Start(t).Database(t)
	for _, tc := range []struct {
		users []string
		want  int // documents of API keys
	}{
		{append(args, looseUser), 0},
		{append(args, looseUser, wholeUser), 2},
	} {
		args := []string{"migrate", "redis-to-mongo", "--redis", srv.URI}
		for some := range slices.Chunk(tc.users, 1000) { // an argument has a limit
			args = append(args, "--user", strings.Join(some, ","))
		}
		code, first, all := runCommand(t, target, args...)
		n, err := target.Connect(t).Collection("api_keys").CountDocuments(t.Context(), struct{}{})
		if code != exit.Done || err != nil || n != int64(tc.want) {
			t.Errorf("%d users: exit %d, %q, %d API keys, want %d: %v\n%s", len(tc.users), code, first, n, tc.want, err, all[:min(len(all), 2000)])
		}
	}
}
