package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/lanyardctl/lanyardctl/bench/yardstick"
)

// mongoVariable hands the URI to children: an argument would show its password to everybody on the machine.
const mongoVariable = "MONGODB_URI"

// cost is what one run of a program took.
type cost struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_seconds"`                 // user and system time of the process
	Peak    int64   `json:"peak_bytes"`                  // resident
	Server  float64 `json:"server_cpu_seconds,omitzero"` // of the Redis that is written to, where that counts
}

// command returns one that sees none of Lanyard's variables but the MongoDB's.
func (b *bench) command(ctx context.Context, mongo, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = b.dir
	for _, variable := range []string{"PATH", "HOME", "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT"} {
		if value, ok := os.LookupEnv(variable); ok {
			cmd.Env = append(cmd.Env, variable+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, "TMPDIR="+b.dir, mongoVariable+"="+mongo)
	return cmd
}

// lanyardctl runs a command of it and decodes its JSON report. The cost is that of the whole process.
//
// Linux counts what the parent held when it started a process as the process's own peak, so this one has to stay small.
func (b *bench) lanyardctl(ctx context.Context, mongo string, report any, args ...string) (cost, error) {
	cmd := b.command(ctx, mongo, b.binary, append(args, "--progress", "none", "--quiet", "--output", "json")...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	took := time.Since(start)
	if err != nil {
		return cost{}, fmt.Errorf("lanyardctl %s: %w\n%s%s", strings.Join(args, " "), err, &stderr, &stdout)
	}
	if err := json.Unmarshal(stdout.Bytes(), report); err != nil {
		return cost{}, fmt.Errorf("lanyardctl %s: its report: %w", strings.Join(args, " "), err)
	}
	state := cmd.ProcessState
	return cost{
		Seconds: took.Seconds(), CPU: (state.UserTime() + state.SystemTime()).Seconds(), Peak: yardstick.Peak(state),
	}, nil
}

// task runs a task of the yardstick. Its cost is without the start of the process, and without what it prepared.
func (b *bench) task(ctx context.Context, mongo string, t yardstick.Task) (cost, yardstick.Result, error) {
	var result yardstick.Result
	text, err := json.Marshal(t)
	if err != nil {
		return cost{}, result, err
	}
	cmd := b.command(ctx, mongo, b.self, asTask, string(text))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		return cost{}, result, fmt.Errorf("%s: %w\n%s", t.Name, err, &stderr)
	}
	if err := json.Unmarshal(stdout, &result); err != nil {
		return cost{}, result, fmt.Errorf("%s: %w", t.Name, err)
	}
	return cost{Seconds: result.Seconds, CPU: result.CPU, Server: result.Server, Peak: yardstick.Peak(cmd.ProcessState)}, result, nil
}

// server is a process that runs until it is stopped.
type server struct {
	cmd    *exec.Cmd
	log    *beginning
	exited chan struct{}
}

// start starts a server, which ends with this process. It returns a reader of its standard output.
func start(cmd *exec.Cmd) (*server, io.Reader, error) {
	s := &server{cmd: cmd, log: &beginning{}, exited: make(chan struct{})}
	stdout, writer, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	cmd.Stdout, cmd.Stderr = writer, s.log
	dieWithParent(cmd)
	started := make(chan error)
	go func() {
		// A parent-death signal is bound to the thread that started the process, so this one has to stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is stopped by a signal
			close(s.exited)
		}
	}()
	err = <-started
	_ = writer.Close() // the child has its own
	if err != nil {
		_ = stdout.Close()
		return nil, nil, err
	}
	return s, stdout, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill() // fails where it is gone
	<-s.exited
}

// startWithLine starts a server that prints a line when it is ready, and returns the line.
func startWithLine(cmd *exec.Cmd) (*server, string, error) {
	s, stdout, err := start(cmd)
	if err != nil {
		return nil, "", err
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, "", fmt.Errorf("%s ended at its start\n%s", cmd.Path, s.log)
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	return s, strings.TrimSpace(line), nil
}

// beginning keeps the first of what a server says, for the error if it ends.
type beginning struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *beginning) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	const enough = 64 << 10
	if t.b.Len() < enough {
		t.b.Write(p)
	}
	return len(p), nil
}

func (t *beginning) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}
