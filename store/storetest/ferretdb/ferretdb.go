// Package ferretdb runs the embedded server for tests as a process of its own: a lanyardctl binary built without the
// race detector, under which FerretDB is ten times slower and has data races. For tests only.
//
// LANYARDCTL_TEST_BIN may name a lanyardctl binary to use, instead of building one. A test that any server will do for has
// its own from package mongoserver.
package ferretdb

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/store/storetest/child"
)

// Attribute is the name of the attribute that says where a test runs, and OnFerretDB its value for one that has a FerretDB
// of its own, whatever other server there is.
const (
	Attribute  = "server"
	OnFerretDB = "FerretDB"
)

// Server is a running server on a free loopback port.
type Server struct {
	URI string // mongodb://…, without a database
	Dir string // the folder of its files

	cmd    *exec.Cmd
	stderr *bytes.Buffer
	exited <-chan struct{} // closed once the process has ended
}

// Start starts a server on an empty folder. It stops with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartIn(t, t.TempDir())
}

// StartIn starts a server on dir, which may be the folder of an earlier server that has stopped. It stops with the test.
func StartIn(t testing.TB, dir string) *Server {
	t.Helper()
	t.Attr(Attribute, OnFerretDB)
	s := &Server{Dir: dir, stderr: new(bytes.Buffer)}
	s.cmd = exec.Command(Build(t), "embedded", "serve", dir, "--create", "--listen", "127.0.0.1:0")
	s.cmd.Stderr = s.stderr
	stdout, stdoutWriter, err := os.Pipe()
	if err != nil {
		t.Fatalf("start the embedded server: %v", err)
	}
	defer stdout.Close()
	s.cmd.Stdout = stdoutWriter
	s.exited, err = child.Start(s.cmd)
	_ = stdoutWriter.Close()
	if err != nil {
		t.Fatalf("start the embedded server: %v", err)
	}
	t.Cleanup(func() { s.Stop(t) })

	uri, err := readLine(stdout, time.Minute)
	if err != nil {
		s.Kill()
		t.Fatalf("start the embedded server on %s: %v\n%s", dir, err, s.stderr)
	}
	s.URI = uri
	return s
}

// readLine returns the first line of f.
func readLine(f *os.File, timeout time.Duration) (string, error) {
	if err := f.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(f).ReadString('\n')
	if errors.Is(err, io.EOF) {
		return "", errors.New("it ended without printing its URI")
	}
	if err != nil {
		return "", fmt.Errorf("read its URI: %w", err)
	}
	return strings.TrimSpace(line), nil
}

// Stop asks the server to stop and waits until it has. It fails the test where the server does not end with status 0.
// On a server that has ended it does nothing.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	select {
	case <-s.exited:
		return
	default:
	}
	// The signal can miss a process that has just ended.
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(time.Minute):
		s.Kill()
		t.Errorf("the embedded server did not stop within a minute\n%s", s.stderr)
		return
	}
	if state := s.cmd.ProcessState; !state.Success() {
		t.Errorf("the embedded server ended with %v\n%s", state, s.stderr)
	}
}

// Kill ends the server at once (SIGKILL) and waits until it is gone.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	<-s.exited
}
