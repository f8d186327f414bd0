package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// refusal is a Redis that refuses what is needed, from the start or in the midst of a run.
type refusal struct {
	deploy func(t *testing.T) (uri string, midway func()) // midway is called while records are written
	flags  string
	again  int // how often more it has to say the same

	says, hint string // without addresses
}

const (
	checkLogin    = "check the user and the password in REDIS_URI: redis://:PASSWORD@HOST:PORT, or redis://USER:PASSWORD@HOST:PORT/N"
	nameLogin     = "name a password in REDIS_URI: redis://:PASSWORD@HOST:PORT, or redis://USER:PASSWORD@HOST:PORT/N"
	mendCluster   = "bring the Cluster in order (redis-cli --cluster check HOST:PORT), then run the same command again"
	bringMaster   = "bring its master back, or name another server, then run the same command again; replica-serve-stale-data yes lets a replica answer without its master"
	closeOthers   = "close other clients, or raise maxclients (CONFIG SET maxclients N), then run the same command again"
	behindMaster  = "username= and password= are the server's, and what stands before the @ the Sentinel's"
	wrongPassword = "WRONGPASS invalid username-password pair or user is disabled."
	masterDown    = "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'. (tried again for 2s)"
)

// allRefusals are the refusals that are known, by what they are.
var allRefusals = map[string]refusal{
	"INFO is switched off":     withoutCommand("INFO", "open redis ADDR: the server does not know a command that is needed"),
	"SCAN is switched off":     withoutCommand("SCAN", "scan redis ADDR"),
	"EXISTS is switched off":   withoutCommand("EXISTS", "look up keys in redis"),
	"GETRANGE is switched off": withoutCommand("GETRANGE", "look up keys in redis"),
	"HGETALL is switched off":  withoutCommand("HGETALL", "read values from redis"),
	"SCAN is renamed": {
		deploy: filled("--rename-command", "SCAN", "OTHERSCAN"), says: "scan redis ADDR: ERR unknown command 'scan'", hint: knownAgain("SCAN"),
	},
	"no such database": {
		deploy: at("/99"), says: "open redis ADDR: the server has no database of this number",
		hint: "name another in REDIS_URI (redis://HOST:PORT/N): most servers have 0 to 15, and CONFIG GET databases says how many there are",
	},
	"slots that nobody serves, so that none is answered": {
		deploy: clustered("yes", false), says: "open redis ADDR: not all slots of the Cluster are served: only 12483 of the Cluster's 16384 slots are served", hint: mendCluster,
	},
	"slots that nobody serves": {
		deploy: clustered("no", false), says: "open redis ADDR: not all slots of the Cluster are served: only 12483 of the Cluster's 16384 slots are served", hint: mendCluster,
	},
	"slots that go, so that none is answered": {
		deploy: clustered("yes", true), flags: "--retry-for 2s", says: "look up keys in redis: CLUSTERDOWN The cluster is down (tried again for 2s)", hint: mendCluster,
	},
	"slots that go": {
		deploy: clustered("no", true), flags: "--retry-for 2s", says: "look up keys in redis: CLUSTERDOWN The cluster is down (tried again for 2s)", hint: mendCluster,
	},
	"a replica without its master": {
		deploy: masterless(false), flags: "--retry-for 2s", says: "scan redis ADDR: " + masterDown, hint: bringMaster,
	},
	"a replica that loses its master": {
		deploy: masterless(true), flags: "--retry-for 2s", says: "scan redis ADDR: " + masterDown, hint: bringMaster,
	},
	"no answer": {
		deploy: func(t *testing.T) (string, func()) {
			s := redisserver.Start(t)
			s.Pause()
			return s.URI, nil
		}, flags: "--timeout 1s", says: "open redis ADDR: unreachable: no answer in time",
		hint: "is the server running, and is REDIS_URI right? (waited at most 1s; --timeout waits longer)",
	},
	"no answer any more": {
		deploy: meanwhile(func(s *redisserver.Server) { s.Pause() }), flags: "--retry-for 2s",
		says: "scan redis ADDR: read tcp ADDR->ADDR: i/o timeout (tried again for 2s)",
		hint: "the report says what was done until then; the same command resumes (--retry-for waits longer)",
	},
	"no more clients": {
		deploy: func(t *testing.T) (string, func()) {
			s := redisserver.Start(t)
			crowd(t, s)
			return s.URI, nil
		}, again: 20, says: "open redis ADDR: the server takes no more clients (maxclients): ERR max number of clients reached", hint: closeOthers,
	},
	"no more clients, meanwhile": {
		deploy: func(t *testing.T) (string, func()) {
			s := filledServer(t)
			return s.URI, func() {
				held := crowd(t, s)
				if err := held.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
					t.Error(err)
				}
			}
		}, flags: "--retry-for 2s", says: "scan redis ADDR: ERR max number of clients reached (tried again for 2s)", hint: closeOthers,
	},
	"protected mode": { // which no redis-server on the loopback shows
		deploy: denied, again: 10, says: "open redis ADDR: the server takes clients of its own machine alone (protected mode): " +
			"DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user.",
		hint: "give the server a password and name it in REDIS_URI, or run this on the server's machine",
	},
	"no password given": {
		deploy: func(t *testing.T) (string, func()) {
			return "redis://" + redisserver.Start(t, "--requirepass", rightsPassword).Addr, nil
		}, says: "open redis ADDR: the server asks for a password, and none is given: NOAUTH Authentication required.", hint: nameLogin,
	},
	"a wrong password": {
		deploy: func(t *testing.T) (string, func()) {
			return "redis://:" + rightsPassword + "@" + redisserver.Start(t, "--requirepass", "other").Addr, nil
		}, says: "open redis ADDR: the server refuses the user name or password: " + wrongPassword, hint: checkLogin,
	},
	"an unknown user": {
		deploy: func(t *testing.T) (string, func()) { return withUser(redisserver.Start(t).URI), nil },
		says:   "open redis ADDR: the server refuses the user name or password: " + wrongPassword, hint: checkLogin,
	},
	"a password that is set meanwhile": {
		deploy: meanwhile(func(s *redisserver.Server) {
			s.Do("CONFIG", "SET", "requirepass", rightsPassword)
			s.URI = strings.Replace(s.URI, "redis://", "redis://:"+rightsPassword+"@", 1)
			s.Do("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		}), says: "scan redis ADDR: NOAUTH Authentication required.", hint: nameLogin,
	},
	"a password that is changed meanwhile": {
		deploy: asUser(func(s *redisserver.Server) {
			s.Do("ACL", "SETUSER", "lanyardctl", "resetpass", ">other")
			s.Do("CLIENT", "KILL", "USER", "lanyardctl")
		}), says: "scan redis ADDR: " + wrongPassword, hint: checkLogin,
	},
	"a user who is switched off meanwhile": {
		deploy: asUser(func(s *redisserver.Server) {
			s.Do("ACL", "SETUSER", "lanyardctl", "off")
			s.Do("CLIENT", "KILL", "USER", "lanyardctl")
		}), says: "scan redis ADDR: " + wrongPassword, hint: checkLogin,
	},
	"a user who is removed meanwhile": {
		deploy: asUser(func(s *redisserver.Server) { s.Do("ACL", "DELUSER", "lanyardctl") }), says: "scan redis ADDR: " + wrongPassword, hint: checkLogin,
	},
	"a right that is taken meanwhile": {
		deploy: asUser(func(s *redisserver.Server) { s.Do("ACL", "SETUSER", "lanyardctl", "-getrange") }),
		says:   "look up keys in redis: NOPERM this user has no permissions to run the 'getrange' command",
		hint:   "let the user run it: ACL SETUSER lanyardctl +getrange (docs/migrate.md lists all that is needed)",
	},
	"a Sentinel's wrong password": {
		deploy: bySentinel("redis://lanyardctl:other@", "&username=lanyardctl&password="+rightsPassword),
		says:   "ask Sentinel ADDR: the server refuses the user name or password: " + wrongPassword,
		hint:   "check the user and the password in REDIS_URI: the Sentinel's stand before the @",
	},
	"a wrong password behind a Sentinel": {
		deploy: bySentinel("redis://lanyardctl:"+rightsPassword+"@", "&username=lanyardctl&password=other"),
		says:   "open redis ADDR: the server refuses the user name or password: " + wrongPassword,
		hint:   "check the user and the password in REDIS_URI: " + behindMaster,
	},
	"no password behind a Sentinel": {
		deploy: bySentinel("redis://lanyardctl:"+rightsPassword+"@", ""),
		says:   "open redis ADDR: the server asks for a password, and none is given: NOAUTH Authentication required.",
		hint:   "name a password in REDIS_URI: " + behindMaster,
	},
	"a Sentinel's missing right": {
		deploy: func(t *testing.T) (string, func()) {
			sentinel := redisserver.StartSentinel(t, "main", redisserver.Start(t))
			sentinel.Do("ACL", "SETUSER", "lanyardctl", "on", ">"+rightsPassword, "-@all")
			return withUser(sentinel.URI) + "?master_name=main&username=another", nil
		}, says: "ask Sentinel ADDR: the user may not run a command that is needed: NOPERM this user has no permissions to run the 'sentinel|get-master-addr-by-name' command",
		hint: "let the user run it: ACL SETUSER lanyardctl +sentinel|get-master-addr-by-name (docs/migrate.md lists all that is needed)",
	},
	"a missing right behind a Sentinel": {
		deploy: func(t *testing.T) (string, func()) {
			s := redisserver.Start(t)
			s.Do("ACL", "SETUSER", "lanyardctl", "on", ">"+rightsPassword, "-@all")
			sentinel := redisserver.StartSentinel(t, "main", s)
			return sentinel.URI + "?master_name=main&username=lanyardctl&password=" + rightsPassword, nil
		}, says: "open redis ADDR: the user may not run a command that is needed: NOPERM this user has no permissions to run the 'info' command",
		hint: "let the user run it: ACL SETUSER lanyardctl +info (docs/migrate.md lists all that is needed)",
	},
	"an addr without a Cluster": {
		deploy: func(t *testing.T) (string, func()) {
			s := redisserver.Start(t)
			return s.URI + "?addr=" + s.Addr, nil
		}, says: "open redis ADDR: this is no Cluster, and addr= asks for one",
		hint: "name the nodes of a Cluster in REDIS_URI, or leave addr= out",
	},
	"a master_name without a Sentinel": {
		deploy: at("?master_name=main"), says: "open redis ADDR: this is no Sentinel, and master_name= asks for one",
		hint: "name a Sentinel in REDIS_URI (most often at port 26379), or leave master_name= out",
	},
}

func withoutCommand(name, what string) refusal {
	return refusal{
		deploy: filled("--rename-command", name, ""), says: what + ": ERR unknown command '" + strings.ToLower(name) + "'", hint: knownAgain(name),
	}
}

func knownAgain(name string) string {
	return "is " + name + " renamed or switched off (rename-command)? Let it be known again, or read a dump (--redis rdb:FILE)"
}

func filledServer(t *testing.T, args ...string) *redisserver.Server {
	t.Helper()
	s := redisserver.Start(t, args...)
	fillRedis(t, s.URI, 5000)
	for i, key := range rightsKeys {
		s.Do("SET", "api_key:"+key, 1000000000000000000+i)
	}
	return s
}

func filled(args ...string) func(*testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) { return filledServer(t, args...).URI, nil }
}

func at(path string) func(*testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) { return redisserver.Start(t).URI + path, nil }
}

func meanwhile(act func(*redisserver.Server)) func(*testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) {
		s := filledServer(t)
		return s.URI, func() { act(s) }
	}
}

func asUser(act func(*redisserver.Server)) func(*testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) {
		s := filledServer(t)
		set([]*redisserver.Server{s}, Line(t, forPair))
		return withUser(s.URI), func() { act(s) }
	}
}

func bySentinel(user, options string) func(*testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) {
		s := redisserver.Start(t)
		sentinel := redisserver.StartSentinel(t, "main", s)
		set([]*redisserver.Server{sentinel}, Line(t, forSentinel))
		s.Do("ACL", "SETUSER", "default", "resetpass", ">another")
		return user + sentinel.Addr + "?master_name=main" + options, nil
	}
}

func clustered(fullCoverage string, later bool) func(*testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) {
		c := redisserver.StartCluster(t, 2, "--cluster-require-full-coverage", fullCoverage)
		p := c.Client(t).Pipeline()
		for n := range 5000 {
			p.HSet(t.Context(), fmt.Sprint("lanyard_kv:", 1000000000000000000+n), "n", "1")
		}
		if _, err := p.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		act := func() {
			for _, m := range c.Masters {
				m.Do("CLUSTER", "DELSLOTSRANGE", 100, 4000)
			}
			waitUntil(t, "all of the Cluster knows", func() bool {
				return fullCoverage == "no" || !slices.ContainsFunc(c.Masters, func(m *redisserver.Server) bool {
					return strings.Contains(fmt.Sprint(m.Do("CLUSTER", "INFO")), "cluster_state:ok")
				})
			})
		}
		if later {
			return c.URI, act
		}
		act()
		return c.URI, nil
	}
}

func masterless(later bool) func(*testing.T) (string, func()) {
	return func(t *testing.T) (string, func()) {
		master := filledServer(t)
		host, port, _ := net.SplitHostPort(master.Addr)
		replica := redisserver.Start(t, "--replicaof", host+" "+port, "--replica-serve-stale-data", "no")
		waitUntil(t, "the replica has its master", func() bool {
			return strings.Contains(fmt.Sprint(replica.Do("INFO", "replication")), "master_link_status:up")
		})
		act := func() {
			master.Kill()
			waitUntil(t, "the replica is without it", func() bool {
				return strings.Contains(fmt.Sprint(replica.Do("INFO", "replication")), "master_link_status:down")
			})
		}
		if later {
			return replica.URI, act
		}
		act()
		return replica.URI, nil
	}
}

// crowd takes the only connection that the server then has, and returns it.
func crowd(t *testing.T, s *redisserver.Server) *goredis.Conn {
	client := redisOf(t, s.URI)
	held := client.Conn()
	t.Cleanup(func() { _ = held.Close() })
	if err := held.ConfigSet(t.Context(), "maxclients", "1").Err(); err != nil {
		t.Error(err)
	}
	return held
}

// denied says of every client what a redis-server in protected mode says of those of other machines, and closes the
// connection.
func denied(t *testing.T) (string, func()) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user.\r\n"))
			c.Close()
		}
	}()
	return "redis://" + listener.Addr().String(), nil
}

var addresses = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+:\d+(,\d+\.\d+\.\d+\.\d+:\d+)*`)

var ofAhead = regexp.MustCompile(`^(?:scan redis|look up keys in redis|read values from redis)(?: ADDR)?: `)

// TestEveryRefusalHasItsNextStep has a real server refuse what is needed.
func TestEveryRefusalHasItsNextStep(t *testing.T) {
	t.Parallel()
	for name, r := range allRefusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri, midway := r.deploy(t)
			var once sync.Once
			mongo := mongoproxy.Start(t, ferretdb.Start(t).URI, mongoproxy.Options{Version: "5.0.7", Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
				if midway != nil && c.Name == "insert" && c.Body[0].Value == "kv" {
					once.Do(midway)
				}
				return nil
			}})
			commands := []string{"migrate redis-to-mongo --batch-size 20 --workers 1", "verify"}
			if midway != nil {
				commands = commands[:1]
			}
			for i := range r.again + len(commands) {
				args := strings.Fields(commands[i%len(commands)] + " --progress none " + r.flags)
				cmd := exec.Command(ferretdb.Build(t), args...)
				cmd.Dir, cmd.Env = t.TempDir(), append(os.Environ(), "MONGODB_URI="+mongo.URI, "REDIS_URI="+uri)
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				_ = cmd.Run() // the exit code tells
				_, message, _ := strings.Cut("\n"+out.String(), "\nlanyardctl: ")
				message = addresses.ReplaceAllString(message, "ADDR")
				// A Cluster says one or the other, depending on the key.
				message = strings.Replace(message, "Hash slot not served", "The cluster is down", 1)
				// So does a run, depending on how far it has come.
				message = strings.Replace(message, "read values from redis: CLUSTERDOWN", "look up keys in redis: CLUSTERDOWN", 1)
				// Pages are read ahead: which of their reads meets it is a matter of chance.
				if strings.HasPrefix(r.says, "scan redis ADDR: ") {
					message = ofAhead.ReplaceAllString(message, "scan redis ADDR: ")
				}
				want := r.says + "\nhint: " + r.hint + "\n"
				if code := cmd.ProcessState.ExitCode(); code != exit.Failed || message != want {
					t.Errorf("%v, time %d: exit %d\n%s\nwant\n%s", args, i+1, code, message, want)
				}
				for _, secret := range append([]string{rightsPassword}, rightsKeys...) {
					if strings.Contains(out.String(), secret) {
						t.Errorf("shows %s: %s", secret, &out)
					}
				}
			}
		})
	}
}

// TestEveryRefusalIsDocumented finds each message in the table of docs/migrate.md.
func TestEveryRefusalIsDocumented(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "migrate.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "\n## When something is wrong\n")
	var told []string
	for row := range strings.Lines(table) {
		if cells := strings.Split(row, "|"); len(cells) == 4 {
			for _, message := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
				told = append(told, message[1])
			}
		}
	}
	for name, r := range allRefusals {
		if !slices.ContainsFunc(told, func(message string) bool { return strings.Contains(r.says, message) }) {
			t.Errorf("%s: the table does not know %q", name, r.says)
		}
	}
}
