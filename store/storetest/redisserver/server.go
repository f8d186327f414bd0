package redisserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/store/storetest/child"
)

// patience is how long a server may take to start or to stop, also on a busy machine.
const patience = 30 * time.Second

// Server is a running redis-server.
type Server struct {
	Addr string // "127.0.0.1:port", without TLS
	URI  string // "redis://127.0.0.1:port", with the password of --requirepass
	Dir  string // its working folder, removed with the test

	t    testing.TB
	args []string
	mode *startMode

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited <-chan struct{} // closed once cmd is gone
	output lockedBuffer
}

// startMode is what Start waits for.
type startMode struct {
	loading bool // a server that still loads its data counts as ready
}

// Start runs redis-server with args after the defaults and returns once it answers a ping. An argument before the first
// that starts with "--" is a configuration file. The test fails at once where redis-server is missing.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, &startMode{}, args)
}

// StartLoading is [Start], but also returns while the server answers that it is loading its data.
func StartLoading(t testing.TB, args ...string) *Server {
	t.Helper()
	return start(t, &startMode{loading: true}, args)
}

func start(t testing.TB, mode *startMode, args []string) *Server {
	t.Helper()
	s := &Server{t: t, Dir: t.TempDir(), mode: mode}
	t.Cleanup(s.Kill)
	// Between the choice of a port and its use, another process may take it.
	for attempt := 1; ; attempt++ {
		port := FreePort(t)
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		s.URI = "redis://" + s.Addr
		if i := slices.Index(args, "--requirepass"); i >= 0 && i+1 < len(args) {
			s.URI = "redis://:" + args[i+1] + "@" + s.Addr
		}
		s.args = arguments(port, s.Dir, args)
		err := s.run()
		if err == nil {
			return s
		}
		if attempt == 5 || !strings.Contains(s.Log(), "Address already in use") {
			t.Fatalf("%v\n%s", err, s.Log())
		}
	}
}

func arguments(port int, dir string, args []string) []string {
	var all []string
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") {
		all, args = append(all, args[0]), args[1:]
	}
	all = append(all, "--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no")
	if slices.Contains(args, "--sentinel") {
		return append(all, args...)
	}
	if slices.Contains(args, "--cluster-enabled") {
		all = append(all, "--cluster-config-file", filepath.Join(dir, "nodes.conf"))
	}
	return append(append(all, "--save", "", "--appendonly", "no"), args...)
}

// FreePort returns a port of 127.0.0.1 that was free a moment ago. A cluster's bus port, 10000 above, exists as well. Linux
// gives neither to a connection or to whoever asks for any port: those are from 32768 on. Another call may give it again, which
// Start bears.
func FreePort(t testing.TB) int {
	t.Helper()
	var failed error
	for range 100 {
		port := 10000 + rand.IntN(10000)
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			failed = err
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatalf("find a free port: %v", err)
		}
		return port
	}
	t.Fatalf("find a free port: %v", failed)
	return 0
}

// run starts the process and waits until it answers.
func (s *Server) run() error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		s.t.Fatalf("redis-server is not installed; `make test` installs it, or: apt-get install -y redis-server")
	}
	before := len(s.Log())
	cmd := exec.Command(path, s.args...)
	cmd.Dir = s.Dir
	cmd.Stdout, cmd.Stderr = &s.output, &s.output
	exited, err := child.Start(cmd)
	if err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	s.mu.Lock()
	s.cmd, s.exited = cmd, exited
	s.mu.Unlock()
	return s.wait(exited, before)
}

// wait polls until the server answers a ping, has exited, or patience ends. Where another process has the port, that one
// answers: the server's own log, from a length on, tells that it has it. Redis up to 7.0 writes that line after it listens.
func (s *Server) wait(exited <-chan struct{}, from int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		reply, err := ping(ctx, s.Addr)
		switch {
		case err != nil, !strings.Contains(s.Log()[from:], "Running mode="):
		case strings.HasPrefix(reply, "+PONG"), strings.HasPrefix(reply, "-NOAUTH"):
			return nil
		case s.mode.loading && strings.HasPrefix(reply, "-LOADING"):
			return nil
		}
		select {
		case <-exited:
			return errors.New("redis-server exited at its start")
		case <-ctx.Done():
			return fmt.Errorf("redis-server at %s does not answer within %s (last: %q, %v)", s.Addr, patience, reply, err)
		case <-tick.C:
		}
	}
}

func ping(ctx context.Context, addr string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return "", err
	}
	b := make([]byte, 128)
	n, err := conn.Read(b)
	return string(b[:n]), err
}

// Kill ends the server at once, as kill -9 does, and returns when it is gone. It does nothing where it is gone already.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Stop ends the server as a service manager does, and returns when it is gone.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	cmd, exited := s.cmd, s.exited
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	_ = cmd.Process.Signal(sig) // fails where it is gone
	select {
	case <-exited:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		<-exited
	}
}

// Restart stops the server and starts it again on the same port and folder. Without persistence its data is gone.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.run(); err != nil {
		s.t.Fatalf("%v\n%s", err, s.Log())
	}
}

// Log returns what the server has written so far.
func (s *Server) Log() string { return s.output.String() }

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
