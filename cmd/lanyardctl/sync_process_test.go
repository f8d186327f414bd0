package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	children "github.com/lanyardctl/lanyardctl/store/storetest/child"
	"github.com/lanyardctl/lanyardctl/store/storetest/churn"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// syncing is a mirror under test: its process, and the last of what it says.
type syncing struct {
	t      *testing.T
	cmd    *exec.Cmd
	said   lastLines
	listen string // where it listens, once it has said so
	exited <-chan struct{}
}

// startSync starts the binary. It ends with the test.
func startSync(t *testing.T, redisURI string, target *mongoserver.Database, args ...string) *syncing {
	t.Helper()
	dir := t.TempDir()
	s := &syncing{t: t}
	s.cmd = exec.Command(ferretdb.Build(t), append([]string{"sync", "--redis", redisURI, "--progress", "plain",
		"--listen", "127.0.0.1:0", "--rejects", filepath.Join(dir, "rejects.ndjson")}, args...)...)
	s.cmd.Env, s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = append(os.Environ(), target.Env()...), dir, &s.said, &s.said
	exited, err := children.Start(s.cmd)
	if err != nil {
		t.Fatal(err)
	}
	s.exited = exited
	t.Cleanup(s.kill)
	return s
}

// kill ends the mirror at once, as kill -9 does.
func (s *syncing) kill() {
	_ = s.cmd.Process.Kill() // fails where it is gone
	<-s.exited
}

// stop ends the mirror as a service manager does: it has ten seconds, and this test some more on a busy machine.
func (s *syncing) stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(30 * time.Second):
		s.t.Errorf("sync does not end when it is asked to\n%s", &s.said)
		s.kill()
		return
	}
	if code := s.cmd.ProcessState.ExitCode(); code != exit.Done {
		s.t.Errorf("sync ended with %d when it was asked to\n%s", code, &s.said)
	}
}

func (s *syncing) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Errorf("%v: sync ended by itself\n%s", err, &s.said)
	}
}

// runs fails the test where the mirror has ended by itself.
func (s *syncing) runs() {
	s.t.Helper()
	select {
	case <-s.exited:
		s.t.Fatalf("sync ended by itself: %s\n%s", s.cmd.ProcessState, &s.said)
	default:
	}
}

// listening matches what the mirror says of its address.
var listening = regexp.MustCompile(`listening at http://(\S+) `)

// ready tells whether the mirror says that it has caught up.
func (s *syncing) ready() bool {
	if found := listening.FindStringSubmatch(s.said.String()); found != nil {
		s.listen = found[1] // it may scroll out of what is kept
	}
	if s.listen == "" {
		return false
	}
	client := http.Client{Timeout: 2 * time.Second}
	answer, err := client.Get("http://" + s.listen + "/readyz")
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// untilReady waits until the mirror has caught up.
func (s *syncing) untilReady() {
	s.t.Helper()
	for deadline := time.Now().Add(time.Minute); !s.ready(); time.Sleep(20 * time.Millisecond) {
		s.runs()
		if time.Now().After(deadline) {
			s.t.Fatalf("sync has not caught up within a minute\n%s", &s.said)
		}
	}
}

// usage returns what the mirror's process holds and how long it has worked; zeros where the system does not tell.
func (s *syncing) usage() (resident int64, cpu time.Duration) {
	return usageOf(s.cmd.Process.Pid)
}

func usageOf(pid int) (resident int64, cpu time.Duration) {
	folder := fmt.Sprintf("/proc/%d/", pid)
	status, err := os.ReadFile(folder + "status")
	if err != nil {
		return 0, 0
	}
	if m := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status); m != nil {
		resident, _ = strconv.ParseInt(string(m[1]), 10, 64)
	}
	stat, err := os.ReadFile(folder + "stat")
	if err != nil {
		return 0, 0
	}
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // the name may hold spaces
	fields := strings.Fields(string(rest))
	for _, at := range []int{11, 12} { // of user and system time, in hundredths of a second
		ticks, _ := strconv.ParseInt(fields[at], 10, 64)
		cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	return resident << 10, cpu
}

// lastLines keeps the end of what is written to it.
type lastLines struct {
	mu   sync.Mutex
	text []byte
}

func (l *lastLines) Write(p []byte) (int, error) {
	const enough = 16 << 10
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if len(l.text) > 2*enough {
		l.text = append(l.text[:0], l.text[len(l.text)-enough:]...)
	}
	return len(p), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.text)
}

// last returns the last line that begins so.
func (l *lastLines) last(prefix string) (found string) {
	for line := range strings.Lines(l.String()) {
		if strings.HasPrefix(line, prefix) {
			found = strings.TrimSpace(line)
		}
	}
	return found
}

// agrees tells whether the target equals the source. Where values are rejected, it does in all others.
func agrees(t *testing.T, redisURI string, target *mongoserver.Database) (agree bool, told string) {
	t.Helper()
	code, _, all := runCommand(t, target, "verify", "--exact", "--redis", redisURI, "--recheck", "0", "--progress", "none", "--quiet")
	return code == exit.Done || code == exit.Rejects, fmt.Sprintf("verify --exact: exit %d\n%s", code, all)
}

// untilAgrees waits for as long as one may expect a mirror to need once all is quiet, and returns how long it was.
func (s *syncing) untilAgrees(redisURI string, target *mongoserver.Database) time.Duration {
	s.t.Helper()
	for began := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		s.runs()
		ready := s.ready()
		agree, told := agrees(s.t, redisURI, target)
		took := time.Since(began).Round(10 * time.Millisecond)
		switch {
		case agree && ready:
			return took
		case took > time.Minute:
			s.t.Fatalf("after %s, ready: %t\n%s\nsync said:\n%s", took, ready, told, &s.said)
		}
	}
}

// startWriter starts a writer to the Redis and its second db. It must be stopped.
func startWriter(t *testing.T, client goredis.UniversalClient, o churn.Options) *churn.Writer {
	t.Helper()
	o.Client = client
	w := churn.New(o)
	w.Start(context.WithoutCancel(t.Context()))
	t.Cleanup(func() { w.Stop() })
	return w
}

// churnClient returns a client for a writer, which ends with the test.
func churnClient(t *testing.T, uri string, cluster bool) goredis.UniversalClient {
	t.Helper()
	c, err := churn.Connect(uri, cluster)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// finish stops the writer and has it write what Lanyard has in memory.
func finish(t *testing.T, w *churn.Writer) (written int64) {
	t.Helper()
	written, failed := w.Stop()
	t.Logf("%d writes, of %d more nobody knows", written, failed)
	if err := w.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	return written
}
