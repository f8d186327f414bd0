package redis_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

const password = "s3cret-p4ss"

func TestOpenTellsWhatTheServerIs(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), cmd("SET", "a", 1), cmd("SELECT", 3), cmd("SET", "b", 1), cmd("SET", "c", 1, "EX", 1000))
	for _, tc := range []struct {
		path    string
		db      int
		keys    int64
		expires bool
	}{{"", 0, 1, false}, {"/3", 3, 2, true}, {"/?db=5", 5, 0, false}} {
		i := open(t, redis.Options{URI: srv.URI + tc.path}).Info()
		if i.Mode != redis.Standalone || i.Server != "Redis" || !strings.Contains(i.Version, ".") || i.Replica() {
			t.Errorf("%q: %+v", tc.path, i)
		}
		if i.DB != tc.db || i.Keys != tc.keys || i.Expires != tc.expires {
			t.Errorf("%q: %+v", tc.path, i)
		}
		if len(i.Nodes) != 1 || i.Nodes[0].Addr != srv.Addr || i.Nodes[0].RunID == "" {
			t.Errorf("%q: nodes %+v", tc.path, i.Nodes)
		}
	}
}

func TestAReplicaIsAllowedAndNamed(t *testing.T) {
	master := redisserver.Start(t)
	host, port, _ := strings.Cut(master.Addr, ":")
	replica := redisserver.Start(t, "--replicaof", host+" "+port)
	if i := open(t, redis.Options{URI: replica.URI}).Info(); !i.Replica() {
		t.Fatalf("%+v", i)
	}
}

func TestOpenTellsWhatIsDoubtful(t *testing.T) {
	unsaved := redisserver.Start(t)
	saved := redisserver.Start(t, "--save", "3600 1")
	logged := redisserver.Start(t, "--appendonly", "yes")
	evicting := redisserver.Start(t, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
	unlimited := redisserver.Start(t, "--maxmemory-policy", "allkeys-lru")
	orphan := redisserver.Start(t, "--replicaof", "127.0.0.1 1")
	shy := redisserver.Start(t)
	shy.Do("ACL", "SETUSER", "default", "-config")
	for _, tc := range []struct {
		server          *redisserver.Server
		unsaved, orphan bool
		evicts          string
	}{
		{server: unsaved, unsaved: true}, {server: saved}, {server: logged}, {server: shy},
		{server: evicting, unsaved: true, evicts: "allkeys-lru"}, {server: unlimited, unsaved: true},
		{server: orphan, orphan: true},
	} {
		n := open(t, redis.Options{URI: tc.server.URI}).Info().Nodes[0]
		if n.Unsaved != tc.unsaved || n.Evicts != tc.evicts || (n.LinkDown > 0) != tc.orphan || n.Skew.Abs() > time.Minute {
			t.Errorf("%+v: %+v", tc, n)
		}
	}
}

func TestAUnixSocketIsOpened(t *testing.T) {
	// A socket's path has to be short.
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	srv := redisserver.Start(t, "--unixsocket", path)
	fill(t, client(t, srv.URI), cmd("SELECT", 2), cmd("SET", "lanyard_last_seen:"+alice, "1700000000000"))
	s := open(t, redis.Options{URI: "unix://" + path + "?db=2"})
	if i := s.Info(); i.DB != 2 || i.Keys != 1 || i.Nodes[0].Addr != path {
		t.Fatalf("%+v", i)
	}
	if r := readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}})); len(r.items) != 1 {
		t.Fatalf("%+v", r)
	}
}

func TestAPasswordOpens(t *testing.T) {
	srv := redisserver.Start(t, "--requirepass", password)
	open(t, redis.Options{URI: srv.URI})
	open(t, redis.Options{URI: strings.Replace(srv.URI, "://:", "://default:", 1)})
}

func TestASentinelLeadsToItsMaster(t *testing.T) {
	master := redisserver.Start(t, "--requirepass", password)
	// A Sentinel that cannot log in still knows where its master is.
	sentinel := redisserver.StartSentinel(t, "main", master)
	fill(t, client(t, master.URI), cmd("SET", "lanyard_last_seen:"+alice, "1700000000000"))
	s := open(t, redis.Options{URI: sentinel.URI + "?master_name=main&password=" + password})
	gone := "redis://" + storetest.NobodyAt(t)
	open(t, redis.Options{URI: gone + "?master_name=main&password=" + password + "&addr=" + sentinel.Addr})
	if i := s.Info(); i.Mode != redis.Sentinel || i.Nodes[0].Addr != master.Addr {
		t.Fatalf("%+v", i)
	}
	if r := readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}})); len(r.items) != 1 {
		t.Fatalf("%+v", r)
	}
}

// silent accepts connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var conns []io.Closer
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			conns = append(conns, c)
		}
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

// saysAndCloses answers each connection's first bytes, or says it before there are any, and closes the connection once it has
// heard that many times.
func saysAndCloses(t *testing.T, says string, hears int) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			for i := range max(hears, 1) {
				if hears > 0 {
					_, _ = c.Read(make([]byte, 1000)) // it may be gone
				}
				if i == 0 {
					_, _ = io.WriteString(c, says+"\r\n")
				}
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return l.Addr().String()
}

func TestAServerThatTurnsClientsAwaySaysWhyWheneverItCloses(t *testing.T) {
	for _, tc := range []struct {
		says string
		want error
	}{
		{"-ERR max number of clients reached", redis.ErrMaxClients},
		{"-ERR max number of clients + cluster connections reached", redis.ErrMaxClients},
		{"-DENIED Redis is running in protected mode because. 1) Just", redis.ErrProtected},
		{"-ERR unknown command 'HELLO'", redis.ErrNotRedis}, // an old Redis, which goes on after that
	} {
		for hears := range 3 {
			if hears == 0 && tc.want == redis.ErrNotRedis {
				continue // an old Redis says so after it was asked
			}
			_, err := redis.Open(context.Background(), redis.Options{URI: "redis://" + saysAndCloses(t, tc.says, hears), Timeout: 20 * time.Second})
			if !errors.Is(err, tc.want) || strings.Contains(err.Error(), "1)") {
				t.Errorf("%s, closed after %d: %v", tc.says, hears, err)
			}
		}
	}
}

func TestWhatCannotBeOpenedHasAClearError(t *testing.T) {
	secured := redisserver.Start(t, "--requirepass", password)
	bare := redisserver.Start(t)
	sentinel := redisserver.StartSentinel(t, "main", bare)
	limited := redisserver.Start(t)
	limited.Do("ACL", "SETUSER", "reader", "on", ">"+password, "~*", "+get")
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)

	for _, tc := range []struct {
		rule, uri string
		want      error
		contains  string
	}{
		{"nobody listens", "redis://:" + password + "@" + storetest.NobodyAt(t), redis.ErrUnreachable, "refused"},
		{"nobody answers", "redis://:" + password + "@" + silent(t), redis.ErrUnreachable, "no answer in time"},
		{"no such socket", "unix:///nonexistent/socket", redis.ErrUnreachable, "no such file"},
		{"no such host", "redis://:" + password + "@host.invalid", redis.ErrNoHost, "host.invalid"},
		{"a wrong password", strings.Replace(secured.URI, password, password+"x", 1), redis.ErrAuth, ""},
		{"no password", "redis://" + secured.Addr, redis.ErrNoPassword, ""},
		{"a user without rights", "redis://reader:" + password + "@" + limited.Addr, redis.ErrPermission, ""},
		{"a web server", strings.Replace(web.URL, "http://", "redis://:"+password+"@", 1), redis.ErrNotRedis, ""},
		{"a Sentinel", sentinel.URI, redis.ErrSentinel, "master_name"},
		{"a name the Sentinel does not know", sentinel.URI + "?master_name=other", redis.ErrURI, "knows no master"},
		{"a database that does not exist", bare.URI + "/99", redis.ErrDatabase, "no database of this number"},
		{"an unknown scheme", "http://:" + password + "@127.0.0.1", redis.ErrScheme, ""},
		{"no scheme", "127.0.0.1:6379", redis.ErrScheme, ""},
		{"no URI", "", redis.ErrScheme, ""},
		{"a password with a slash", "redis://:" + password + "/x@127.0.0.1:1", redis.ErrURI, "percent-encoded"},
		{"a password with a question mark", "redis://u?" + password + "@127.0.0.1:1", redis.ErrURI, "percent-encoded"},
		{"a user name with a slash", "redis://u/" + password + "@127.0.0.1:1", redis.ErrURI, "percent-encoded"},
		{"a password with an at and a colon", "redis://u:p@x:" + password + "@127.0.0.1:1", redis.ErrURI, "percent-encoded"},
		{"a parameter that quotes the password", "redis://u:" + password + "@127.0.0.1:1?db=" + password, redis.ErrURI, "not shown"},
		{"an unknown scheme and a bad password", "mongo://:" + password + "/x@127.0.0.1:1", redis.ErrScheme, ""},
		{"an unknown option", bare.URI + "?nonsense=1", redis.ErrURI, "not shown"},
		{"a database of a Cluster", "redis://127.0.0.1:1/2?addr=127.0.0.1:2", redis.ErrURI, "database 0"},
	} {
		start, timeout := time.Now(), 20*time.Second
		if tc.contains == "no answer in time" {
			timeout = 2 * time.Second
		}
		s, err := redis.Open(context.Background(), redis.Options{URI: tc.uri, Timeout: timeout})
		if err == nil {
			t.Errorf("%s: opened", tc.rule)
			_ = s.Close()
			continue
		}
		if tc.want != nil && !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.contains) {
			t.Errorf("%s: %v", tc.rule, err)
		}
		if strings.Contains(err.Error(), password) || len(err.Error()) > 250 {
			t.Errorf("%s: the error is too long or holds the password: %v", tc.rule, err)
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: it took %s", tc.rule, took)
		}
	}
}

func TestAServerThatLoadsIsNamedSo(t *testing.T) {
	// Two runs of one folder: the first saves, the second loads slowly.
	srv := redisserver.Start(t, "--enable-debug-command", "yes")
	srv.Do("DEBUG", "POPULATE", 50_000)
	srv.Do("SAVE")
	rdb := filepath.Join(srv.Dir, "dump.rdb")
	srv.Stop()

	loading := redisserver.StartLoading(t, "--dir", filepath.Dir(rdb), "--key-load-delay", "1000",
		"--loading-process-events-interval-bytes", "1024")
	_, err := redis.Open(context.Background(), redis.Options{URI: loading.URI})
	if !errors.Is(err, redis.ErrLoading) {
		t.Fatalf("%v", err)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("interrupted")
	cancel(why)
	_, err := redis.Open(ctx, redis.Options{URI: "redis://" + silent(t)})
	if !errors.Is(err, why) {
		t.Fatalf("%v", err)
	}
}

func TestIPv6AloneDoesNotReachIPv4(t *testing.T) {
	srv := redisserver.Start(t)
	_, err := redis.Open(context.Background(), redis.Options{URI: srv.URI, IPv6: true, Timeout: 2 * time.Second})
	if !errors.Is(err, redis.ErrUnreachable) {
		t.Fatalf("%v", err)
	}
}

func TestIdentityChangesWithServerAndDatabase(t *testing.T) {
	srv := redisserver.Start(t)
	identity := func(path string) string {
		return open(t, redis.Options{URI: srv.URI + path}).Source(redis.SourceOptions{}).Identity()
	}
	first, again, other := identity(""), identity(""), identity("/1")
	srv.Restart()
	restarted := identity("")
	if first != again || first == other || first == restarted {
		t.Fatalf("%q, again %q, other database %q, restarted %q", first, again, other, restarted)
	}
	if n, err := open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{}).Total(context.Background()); n != 0 || err != nil {
		t.Fatalf("an empty database has %d keys, error %v", n, err)
	}
}
