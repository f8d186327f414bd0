package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// documentedRights returns the lines of a guide by what stands before them: "For `sweep --redis`".
func documentedRights(t *testing.T, guide string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", guide))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## A Redis user with the least rights\n")
	if !found {
		t.Fatalf("docs/%s has no section on the least rights", guide)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	rights := make(map[string]string)
	blocks := strings.Split(section, "```\n")
	for i := 1; i < len(blocks); i += 2 {
		before := strings.Split(strings.TrimSpace(blocks[i-1]), "\n")
		rights[before[len(before)-1]] = strings.TrimSpace(blocks[i])
	}
	return rights
}

const (
	forPair     = "For `migrate` and `verify`:"
	forSweep    = "For `sweep --redis`:"
	forWrites   = "For `kv`, `apikey` and `metrics flush`, which write, in addition to the line of `migrate`:"
	forDatabase = "For another database than 0, in addition:"
	forCluster  = "For a Cluster, in addition, and all lines on every node, since a Cluster does not pass users on:"
	forSentinel = "A Sentinel has users of its own. Where its default user may not be used, on every Sentinel:"
	forKeys     = "The keys can be narrowed to Lanyard's, and a note of `metrics flush`; `SCAN` shows the names of all keys all the same:"
	optional    = "Without these everything works, too; `ACL LOG` then shows once that each was asked for:"

	forBack    = "For `migrate mongo-to-redis`, `verify mongo-to-redis` and `forget`:"
	forOwnKeys = "Where the keys are narrowed to Lanyard's, lanyardctl's own in addition:"

	rightsPassword = "Zq7Kx9Jw4Vb8"
)

// Line returns a line of docs/migrate.md with a password.
func Line(t *testing.T, what string) string {
	t.Helper()
	return lineOf(t, "migrate.md", what)
}

func lineOf(t *testing.T, guide, what string) string {
	t.Helper()
	text, ok := documentedRights(t, guide)[what]
	if !ok || !strings.HasPrefix(text, "ACL SETUSER lanyardctl ") || strings.Contains(text, "\n") {
		t.Fatalf("docs/%s has no such line: %s %q", guide, what, text)
	}
	return strings.Replace(text, "PASSWORD", rightsPassword, 1)
}

// commandsIn returns the rights that a line gives.
func commandsIn(line string) []string {
	var commands []string
	for _, word := range strings.Fields(line) {
		if strings.HasPrefix(word, "+") {
			commands = append(commands, word)
		}
	}
	return commands
}

// set runs a line on every server.
func set(servers []*redisserver.Server, line string) {
	for _, s := range servers {
		var words []any
		for _, word := range strings.Fields(line) {
			words = append(words, word)
		}
		s.Do(words...)
	}
}

// restrict makes the user anew on every server.
func restrict(servers []*redisserver.Server, lines ...string) {
	for _, s := range servers {
		s.Do("ACL", "DELUSER", "lanyardctl")
		s.Do("ACL", "LOG", "RESET")
	}
	for _, line := range lines {
		set(servers, line)
	}
}

// rightsKeys are API keys that stand in the data.
var rightsKeys = []string{"aaaaaaaabbbbbbbbccccccccdddddddd", "lnyd_eeeeeeeeffffffff0000000011111111", "2222222233333333444444445555aaaa"}

// fillEveryPath writes data that make every command run that lanyardctl knows.
func fillEveryPath(t *testing.T, client goredis.UniversalClient) {
	t.Helper()
	ctx := t.Context()
	long := strings.Repeat("x", 5000)
	many := make([]any, 0, 600)
	for i := range 300 { // more than the budget, where sizes are only guessed
		many = append(many, fmt.Sprintf("field%d", i), fmt.Sprint(i))
	}
	user := func(n int) string { return fmt.Sprint(94490510688792576 + n<<23) }
	_, err := client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		for n := range 20 {
			p.HSet(ctx, "lanyard_kv:"+user(n), "n", "1", "monitoring_since", fmt.Sprint(1600000000+n))
			p.Set(ctx, "lanyard:user_last_seen:"+user(n), 1700000000000+n, 0)
			p.Set(ctx, "monitoring:"+user(n), 1650000000+n, 0)
		}
		p.HSet(ctx, "lanyard:user_kv:"+user(1), many...)
		p.HSet(ctx, "lanyard_kv:"+user(2), "long", long)
		p.Set(ctx, "lanyard_last_seen:"+user(3), long, 0)
		p.Set(ctx, "user_monitoring_since:"+user(3), long, 0)
		p.Set(ctx, "lanyard_last_seen:"+user(4), "", 0)
		p.Set(ctx, "lanyard:user_monitoring_since:"+user(4), "", 0)
		p.LPush(ctx, "lanyard_last_seen:"+user(5), "a list")
		p.LPush(ctx, "lanyard:user_monitoring_since:"+user(5), "a list")
		p.Set(ctx, "lanyard:user_kv:"+user(5), "text", 0)
		p.Set(ctx, "lanyard_last_seen:"+user(6), 1700000000000, 24*60*60*1e9)
		p.Set(ctx, "user_api_key:"+user(0), rightsKeys[0], 0)
		p.Set(ctx, "api_key:"+rightsKeys[0], user(0), 0)
		p.Set(ctx, "api_key:"+rightsKeys[1], user(1), 0) // decided last, like that of user 2
		p.Set(ctx, "user_api_key:"+user(2), rightsKeys[2], 0)
		p.HSet(ctx, "lanyard:metrics_v1", "lanyard_messages_inbound", "12")
		p.Set(ctx, "something:else", "x", 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// ran is what came of a run.
type ran struct {
	exit    int
	figures map[string]any
	rejects []string
	stderr  string
}

// sameAs returns in what the runs differ.
func (r ran) sameAs(other ran) string {
	return cmp.Diff([]any{r.exit, r.figures, r.rejects}, []any{other.exit, other.figures, other.rejects})
}

// runOn runs a command on the source and the target. Whatever it prints shows no secret.
func runOn(t *testing.T, uri string, target *mongoserver.Database, args ...string) ran {
	t.Helper()
	cmd := exec.Command(ferretdb.Build(t), append(args, "--output", "json")...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(append(os.Environ(), target.Env()...), "REDIS_URI="+uri)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run() // the exit code tells
	r := ran{exit: cmd.ProcessState.ExitCode(), stderr: stderr.String(), figures: make(map[string]any)}
	for _, secret := range append([]string{rightsPassword}, rightsKeys...) {
		if strings.Contains(stdout.String()+r.stderr, secret) {
			t.Errorf("%v shows %s:\n%s\n%s", args, secret, &stdout, r.stderr)
		}
	}
	if err := json.Unmarshal(stdout.Bytes(), &r.figures); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, r.stderr)
	}
	for _, name := range []string{"source", "database", "now", "started_at", "duration_ms", "speed", "rejects_file", "superseded_file", "sweep_id"} {
		delete(r.figures, name)
	}
	files, _ := filepath.Glob(filepath.Join(cmd.Dir, "lanyardctl-rejects-*.ndjson")) // the pattern is right
	for _, file := range files {
		for line := range readRejects(t, file) {
			r.rejects = append(r.rejects, line)
		}
	}
	slices.Sort(r.rejects)
	return r
}

// rightsCommand is a command that is run under least rights.
type rightsCommand struct {
	args, again []string // the same that changes nothing
	rights      string
}

var rightsCommands = map[string]rightsCommand{
	"migrate": {[]string{"migrate", "redis-to-mongo"}, []string{"migrate", "redis-to-mongo", "--dry-run"}, forPair},
	"verify":  {[]string{"verify", "--recheck", "0"}, []string{"verify", "--recheck", "0"}, forPair},
	"sweep":   {[]string{"sweep", "--redis", "env"}, []string{"sweep", "--redis", "env", "--dry-run"}, forSweep},
}

// rightsPlace is a source that is read under least rights.
type rightsPlace struct {
	servers         []*redisserver.Server // on which users are made
	everybody, user string                // URIs
	extra           []string              // lines in addition
}

// deployments are the ways to run Redis.
var deployments = map[string]func(t *testing.T) rightsPlace{
	"one server": func(t *testing.T) rightsPlace {
		s := redisserver.Start(t, "--appendonly", "yes")
		fillEveryPath(t, redisOf(t, s.URI))
		return rightsPlace{[]*redisserver.Server{s}, s.URI, withUser(s.URI), nil}
	},
	"database 3": func(t *testing.T) rightsPlace {
		s := redisserver.Start(t, "--appendonly", "yes")
		fillEveryPath(t, redisOf(t, s.URI+"/3"))
		return rightsPlace{[]*redisserver.Server{s}, s.URI + "/3", withUser(s.URI + "/3"), []string{Line(t, forDatabase)}}
	},
	"a Cluster": func(t *testing.T) rightsPlace {
		c := redisserver.StartCluster(t, 3, "--appendonly", "yes")
		fillEveryPath(t, c.Client(t))
		return rightsPlace{c.Masters, c.URI, withUser(c.URI), []string{Line(t, forCluster)}}
	},
	"one of a Cluster": func(t *testing.T) rightsPlace {
		c := redisserver.StartCluster(t, 3, "--appendonly", "yes")
		fillEveryPath(t, c.Client(t))
		uri := c.Masters[1].URI
		return rightsPlace{c.Masters, uri, withUser(uri), []string{Line(t, forCluster)}}
	},
	"a Sentinel": func(t *testing.T) rightsPlace {
		s := redisserver.Start(t, "--appendonly", "yes")
		fillEveryPath(t, redisOf(t, s.URI))
		sentinel := redisserver.StartSentinel(t, "main", s)
		set([]*redisserver.Server{sentinel}, Line(t, forSentinel))
		name := "?master_name=main"
		return rightsPlace{[]*redisserver.Server{s}, sentinel.URI + name, withUser(sentinel.URI) + name + "&username=lanyardctl&password=" + rightsPassword, nil}
	},
	"Lanyard's keys alone": func(t *testing.T) rightsPlace {
		s := redisserver.Start(t, "--appendonly", "yes")
		fillEveryPath(t, redisOf(t, s.URI))
		return rightsPlace{[]*redisserver.Server{s}, s.URI, withUser(s.URI), []string{Line(t, forKeys)}}
	},
}

func redisOf(t *testing.T, uri string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func withUser(uri string) string {
	return strings.Replace(uri, "redis://", "redis://lanyardctl:"+rightsPassword+"@", 1)
}

// TestTheLeastRightsAreEnough runs each command under exactly the line that docs/migrate.md gives, and as a user who may do
// everything.
func TestTheLeastRightsAreEnough(t *testing.T) {
	t.Parallel()
	server := mongoserver.Start(t)
	for name, deploy := range deployments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := deploy(t)
			for _, optionally := range []bool{false, true} {
				free, bound := server.Database(t), server.Database(t)
				for _, command := range []string{"migrate", "verify", "sweep"} {
					c := rightsCommands[command]
					lines := append([]string{Line(t, c.rights)}, place.extra...)
					if optionally {
						lines = append(lines, Line(t, optional))
					}
					restrict(place.servers, lines...)
					want, got := runOn(t, place.everybody, free, c.args...), runOn(t, place.user, bound, c.args...)
					if diff := want.sameAs(got); diff != "" || want.exit == exit.Failed {
						t.Errorf("%s: -everybody +lanyardctl:\n%s\n%s", command, shortened(diff), got.stderr)
					}
					// One refusal is enough to know: a server logs each.
					most := map[bool]int64{false: int64(len(place.servers)), true: 0}[optionally]
					for name, n := range refusals(t, place.servers) {
						if n > most || name != "memory|usage" {
							t.Errorf("%s was refused %s %d times", command, name, n)
						}
					}
				}
			}
		})
	}
}

// TestTheLeastRightsOfTheWayBackAreEnough writes to a Redis under exactly the line that docs/back.md gives: to an empty one, to
// one that somebody wrote to, and once more.
func TestTheLeastRightsOfTheWayBackAreEnough(t *testing.T) {
	t.Parallel()
	server := mongoserver.Start(t)
	for name, deploy := range deployments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place, target := deploy(t), server.Database(t)
			if r := runOn(t, place.everybody, target, "migrate", "redis-to-mongo"); r.exit != exit.Rejects {
				t.Fatalf("exit %d\n%s", r.exit, r.stderr)
			}
			restrict(place.servers, append([]string{lineOf(t, "back.md", forBack)}, place.extra...)...)
			if slices.ContainsFunc(place.extra, func(line string) bool { return strings.Contains(line, " resetkeys ") }) {
				set(place.servers, lineOf(t, "back.md", forOwnKeys))
			}
			back := []string{"migrate", "mongo-to-redis", "--layout", "both"}
			inTurn := [][]string{
				append(back, "--dry-run"), append(back, "--on-conflict", "source"), append(back, "--restart"),
				{"verify", "mongo-to-redis", "--layout", "both", "--recheck", "0"}, {"forget"},
			}
			for _, emptied := range []bool{false, true} {
				if emptied {
					for _, s := range place.servers {
						s.Do("FLUSHALL")
					}
				}
				for _, args := range inTurn {
					if r := runOn(t, place.user, target, args...); r.exit == exit.Failed {
						t.Errorf("%v: %s", args, r.stderr)
					}
				}
			}
			for name, n := range refusals(t, place.servers) {
				if name != "memory|usage" && name != "config|get" {
					t.Errorf("%s was refused %d times", name, n)
				}
			}
		})
	}
}

// refusals returns what ACL LOG tells of the user, by command: how often it was refused.
func refusals(t *testing.T, servers []*redisserver.Server) map[string]int64 {
	t.Helper()
	refused := make(map[string]int64)
	for _, s := range servers {
		log, err := redisOf(t, s.URI).ACLLog(context.Background(), 100).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range log {
			refused[entry.Object] += entry.Count
		}
	}
	return refused
}

// rightsOf returns what a server lets the user do.
func rightsOf(t *testing.T, s *redisserver.Server) string {
	t.Helper()
	user, err := redisOf(t, s.URI).Do(context.Background(), "ACL", "GETUSER", "lanyardctl").Result()
	if err != nil {
		t.Fatal(err)
	}
	rights := user.(map[any]any)
	commands := strings.Fields(rights["commands"].(string))
	slices.Sort(commands) // which were given last stand last
	return fmt.Sprint(commands, rights["keys"], rights["channels"], rights["selectors"])
}

// TestEachOfTheLeastRightsIsNeeded takes the documented rights away one by one. Each time the command says what is missing,
// and the line of its hint gives the documented rights again, under which the command works.
func TestEachOfTheLeastRightsIsNeeded(t *testing.T) {
	t.Parallel()
	server := mongoserver.Start(t)
	for name, deploy := range deployments {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := deploy(t)
			target := server.Database(t)
			runOn(t, place.everybody, target, rightsCommands["migrate"].args...)
			for _, command := range slices.Sorted(maps.Keys(rightsCommands)) {
				c := rightsCommands[command]
				lines := append([]string{Line(t, c.rights)}, place.extra...)
				restrict(place.servers, lines...)
				all := rightsOf(t, place.servers[0])
				for _, right := range commandsIn(strings.Join(lines, " ")) {
					restrict(place.servers, append(lines, "ACL SETUSER lanyardctl -"+right[1:])...)
					refused := runOn(t, place.user, target, c.again...)
					wantHint := "hint: let the user run it: ACL SETUSER lanyardctl " + right + " ("
					if refused.exit != exit.Failed || !strings.Contains(refused.stderr, "'"+right[1:]+"'") || !strings.Contains(refused.stderr, wantHint) {
						t.Errorf("%s without %s: exit %d\n%s", command, right, refused.exit, refused.stderr)
						continue
					}
					_, hint, _ := strings.Cut(refused.stderr, "let the user run it: ")
					hint, _, _ = strings.Cut(hint, " (")
					set(place.servers, hint)
					for _, s := range place.servers {
						if got := rightsOf(t, s); got != all {
							t.Errorf("%s after %q: the user has %s, want %s", command, hint, got, all)
						}
					}
				}
				want := runOn(t, place.everybody, target, c.again...)
				if diff := want.sameAs(runOn(t, place.user, target, c.again...)); diff != "" {
					t.Errorf("%s after the last hint:\n%s", command, shortened(diff))
				}
			}
		})
	}
}

// TestKeysThatMayNotBeReadAreNamed narrows the keys to what somebody may think Lanyard's are.
func TestKeysThatMayNotBeReadAreNamed(t *testing.T) {
	t.Parallel()
	target, place := mongoserver.New(t), deployments["one server"](t)
	runOn(t, place.everybody, target, rightsCommands["migrate"].args...)
	for command, c := range rightsCommands {
		for _, narrow := range []string{"~lanyard*", "~*api_key*", "%W~*"} {
			restrict(place.servers, Line(t, c.rights), "ACL SETUSER lanyardctl resetkeys "+narrow)
			refused := runOn(t, place.user, target, c.again...)
			_, hint, found := strings.Cut(refused.stderr, "hint: let the user access Lanyard's keys: ")
			for _, pattern := range layout.Patterns() {
				found = found && strings.Contains(hint, " ~"+pattern)
			}
			if refused.exit != exit.Failed || !found {
				t.Errorf("%s with %s: exit %d\n%s", command, narrow, refused.exit, refused.stderr)
				continue
			}
			hint, _, _ = strings.Cut(hint, "\n")
			set(place.servers, hint)
			want := runOn(t, place.everybody, target, c.again...)
			if diff := want.sameAs(runOn(t, place.user, target, c.again...)); diff != "" {
				t.Errorf("%s after %q:\n%s", command, hint, shortened(diff))
			}
		}
	}
}

// TestWhatTheOptionalRightsGive has a Redis that keeps nothing on disk, which CONFIG GET alone tells at once.
func TestWhatTheOptionalRightsGive(t *testing.T) {
	t.Parallel()
	target, s := mongoserver.New(t), redisserver.Start(t)
	servers := []*redisserver.Server{s}
	fillEveryPath(t, redisOf(t, s.URI))
	for _, c := range []struct {
		lines   []string
		refused map[string]int64
		warns   bool
	}{
		{[]string{Line(t, forPair)}, map[string]int64{"memory|usage": 1, "config|get": 1}, false},
		{[]string{Line(t, forPair), Line(t, optional)}, map[string]int64{}, true},
	} {
		restrict(servers, c.lines...)
		r := runOn(t, withUser(s.URI), target, "migrate", "redis-to-mongo", "--dry-run")
		if d := cmp.Diff(c.refused, refusals(t, servers)); d != "" {
			t.Errorf("ACL LOG (-want +got):\n%s", d)
		}
		if strings.Contains(r.stderr, "keeps nothing on disk") != c.warns || r.exit != exit.Rejects {
			t.Errorf("exit %d, %s", r.exit, r.stderr)
		}
	}
}

// writingCommands write to Redis. On the data of fillEveryPath they run every command that needs a right.
func writingCommands(metrics string) [][]string {
	const user = "94490510700000000" // somebody without anything
	news := fmt.Sprintf("a=%d", time.Now().UnixNano())
	return [][]string{
		{"kv", "set", user, news, "b=2"}, {"kv", "set", user, news}, {"kv", "del", user, "a"}, {"kv", "del", user, "b", "--app", "upstream"},
		{"apikey", "rotate", user}, {"apikey", "revoke", user}, {"apikey", "rotate", user, "--app", "upstream"},
		{"metrics", "flush", "--url", metrics, "--app", "fork"},
		{"status"}, {"get", user, "--explain"}, {"kv", "unify", user, "--dry-run"}, {"apikey", "show", user, "--all"}, {"metrics", "show"},
	}
}

// layerRan returns the exit code of a command, and what it printed beside its report.
func layerRan(t *testing.T, uri string, target *mongoserver.Database, args []string) (code int, stderr string) {
	t.Helper()
	cmd := exec.Command(ferretdb.Build(t), append(args, "--output", "json")...)
	cmd.Env = append(append(os.Environ(), target.Env()...), "REDIS_URI="+uri)
	var said bytes.Buffer
	cmd.Stderr = &said
	_ = cmd.Run() // the exit code tells
	if strings.Contains(said.String(), rightsPassword) {
		t.Errorf("%v shows the password: %s", args, &said)
	}
	return cmd.ProcessState.ExitCode(), said.String()
}

// TestTheLeastRightsToWrite runs the commands about single users and counters under the documented lines: all, and then all
// but one. Where one is missing, some command says which, and its hint mends that.
func TestTheLeastRightsToWrite(t *testing.T) {
	t.Parallel()
	server := mongoserver.Start(t)
	e := newEndpoint(t)
	e.set(7, 5, nil)
	metrics := e.URL + "/metrics"
	for _, name := range []string{"one server", "a Cluster", "Lanyard's keys alone"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			place := deployments[name](t)
			free, bound := server.Database(t), server.Database(t)
			lines := append([]string{Line(t, forPair), Line(t, forWrites)}, place.extra...)
			restrict(place.servers, lines...)
			for _, args := range writingCommands(metrics) {
				want, _ := layerRan(t, place.everybody, free, args)
				got, stderr := layerRan(t, place.user, bound, args)
				if want != got || got == exit.Failed && args[0] != "get" || strings.Contains(stderr, "NOPERM") {
					t.Errorf("%v: exit %d, not %d\n%s", args, got, want, stderr)
				}
			}
			for refused := range refusals(t, place.servers) {
				if !slices.Contains([]string{"memory|usage", "config|get", "ping"}, refused) {
					t.Errorf("%s was refused", refused)
				}
			}
			if name != "one server" {
				return // which rights are needed is the same everywhere
			}
			for _, right := range commandsIn(Line(t, forWrites)) {
				if right == "+unwatch" { // asked for where nothing has to change; whether it is refused does not matter then
					continue
				}
				restrict(place.servers, append(lines, "ACL SETUSER lanyardctl -"+right[1:])...)
				mended := false
				for _, args := range writingCommands(metrics) {
					_, stderr := layerRan(t, place.user, bound, args)
					_, hint, found := strings.Cut(stderr, "let the user run it: ")
					hint, _, _ = strings.Cut(hint, " (")
					if !found {
						continue
					}
					if !strings.HasPrefix(hint, "ACL SETUSER lanyardctl "+right) {
						t.Errorf("%v without %s: %s", args, right, stderr)
					}
					set(place.servers, hint)
					if _, stderr := layerRan(t, place.user, bound, args); strings.Contains(stderr, "NOPERM") {
						t.Errorf("%v after %q: %s", args, hint, stderr)
					}
					mended = true
					break
				}
				if !mended {
					t.Errorf("nothing needs %s", right)
				}
			}
		})
	}
}

// TestWhatCannotBeToldOrNotedIsMendedByItsHint has a user who may write everything but to the channel, and to the note of
// metrics flush.
func TestWhatCannotBeToldOrNotedIsMendedByItsHint(t *testing.T) {
	t.Parallel()
	e, s, target := newEndpoint(t), redisserver.Start(t), mongoserver.New(t)
	servers := []*redisserver.Server{s}
	restrict(servers, Line(t, forPair), Line(t, forWrites), "ACL SETUSER lanyardctl resetchannels resetkeys ~lanyard*_kv:* ~lanyard:metrics_v1")
	for _, c := range []struct {
		args    []string
		refusal string
		hint    string
	}{
		{[]string{"kv", "set", "94490510688792576", "a=1"}, "channels", "let the user run it: "},
		{[]string{"metrics", "flush", "--url", e.URL}, "keys", "let the user access Lanyard's keys: "},
	} {
		_, stderr := layerRan(t, withUser(s.URI), target, c.args)
		_, hint, found := strings.Cut(stderr, c.hint)
		if !found || !strings.Contains(stderr, c.refusal) {
			t.Errorf("%v: %s", c.args, stderr)
			continue
		}
		hint, _, _ = strings.Cut(hint, "\n")
		hint, _, _ = strings.Cut(hint, " (")
		hint, _, _ = strings.Cut(hint, ";")
		set(servers, hint)
		if code, stderr := layerRan(t, withUser(s.URI), target, c.args); code != exit.Done || strings.Contains(stderr, "NOPERM") {
			t.Errorf("%v after %q: exit %d, %s", c.args, hint, code, stderr)
		}
	}
}
