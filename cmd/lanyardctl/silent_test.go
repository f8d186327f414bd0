package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/dated"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// silentFrom is a server that answers nothing any more from a certain command on.
type silentFrom struct {
	*mongoserver.Database
	silent chan struct{} // closed with the first command that is not answered
}

// silentServer stands before the server and is silent from the command on: a name and a collection.
func silentServer(t *testing.T, uri, name, command, collection string) *silentFrom {
	s := &silentFrom{silent: make(chan struct{})}
	var once sync.Once
	proxy := mongoproxy.Start(t, uri, mongoproxy.Options{Hook: func(ctx context.Context, c mongoproxy.Command) bson.D {
		if of := c.Body[0].Value; c.Name == command && (collection == "" || of == collection || c.Get("collection") == collection) {
			once.Do(func() { close(s.silent) })
		}
		select {
		case <-s.silent:
			<-ctx.Done()
		default:
		}
		return nil
	}})
	s.Database = &mongoserver.Database{Server: &mongoserver.Server{URI: proxy.URI}, Name: name}
	return s
}

// TestCtrlCEndsARunWhoseTargetIsSilent interrupts each command at a server that has stopped answering.
func TestCtrlCEndsARunWhoseTargetIsSilent(t *testing.T) {
	t.Parallel()
	redis := redisserver.Start(t)
	fillRedis(t, redis.URI, 300)
	migrate := []string{"migrate", "redis-to-mongo", "--redis", redis.URI, "--batch-size", "50"}
	verify := []string{"verify", "--redis", redis.URI}
	sweep, undo := []string{"sweep", "--dedupe"}, []string{"sweep", "undo", "ID"}
	for _, c := range []struct {
		args                []string
		command, collection string
	}{
		{migrate, "isMaster", ""},
		{migrate, "buildInfo", ""},
		{migrate, "listCollections", ""},
		{migrate, "update", "lanyardctl_progress"},
		{migrate, "createIndexes", "api_keys"}, // at the beginning
		{migrate, "insert", "kv"},
		{migrate, "createIndexes", "kv"}, // at the end
		{migrate, "delete", "lanyardctl_progress"},
		{verify, "buildInfo", ""},
		{verify, "collStats", "kv"},
		{verify, "find", "kv"},
		{verify, "getMore", "kv"},
		{sweep, "buildInfo", ""},
		{sweep, "update", "lanyardctl_sweeps"}, // of the lease
		{sweep, "getMore", "monitoring"},
		{sweep, "insert", "lanyardctl_sweep_changes"},
		{sweep, "update", "monitoring"},
		{undo, "buildInfo", ""},
		{undo, "find", "lanyardctl_sweeps"},
		{undo, "find", "lanyardctl_sweep_changes"},
		{undo, "update", "monitoring"},
	} {
		t.Run(strings.Join(c.args[:2], " ")+" "+c.command+" "+c.collection, func(t *testing.T) {
			t.Parallel()
			server := &mongoserver.Server{URI: ferretdb.Start(t).URI}
			unlessLate(t, func() (late bool) {
				filled := server.Database(t)
				args := slices.Clone(c.args)
				switch args[0] {
				case "verify":
					runForJSON(t, filled, new(summary), exit.Rejects, migrate...)
				case "sweep":
					insertWorld(t, filled.Connect(t), dated.NewAt(time.Now(), 9, 60))
				}
				if args[len(args)-1] == "ID" {
					args[len(args)-1] = *sweepWorld(t, filled, exit.Done, "--dedupe").ID
				}
				target := silentServer(t, server.URI, filled.Name, c.command, c.collection)
				return interruptAt(t, target.silent, target.Env(), args...)
			})
		})
	}
}

// TestASilentTargetEndsARun has a MongoDB that stops answering, and nobody who interrupts.
func TestASilentTargetEndsARun(t *testing.T) {
	t.Parallel()
	redis := redisserver.Start(t)
	fillRedis(t, redis.URI, 300)
	migrate := []string{"migrate", "redis-to-mongo", "--redis", redis.URI, "--batch-size", "50"}
	for _, c := range []struct {
		args                []string
		command, collection string
	}{
		{migrate, "insert", "kv"},
		{migrate, "createIndexes", "kv"},
		{[]string{"verify", "--redis", redis.URI}, "getMore", "kv"},
		{[]string{"sweep"}, "update", "monitoring"},
	} {
		t.Run(fmt.Sprint(c.args[0], " ", c.command), func(t *testing.T) {
			t.Parallel()
			server := &mongoserver.Server{URI: ferretdb.Start(t).URI}
			filled := server.Database(t)
			switch c.args[0] {
			case "verify":
				runForJSON(t, filled, new(summary), exit.Rejects, migrate...)
			case "sweep":
				insertWorld(t, filled.Connect(t), dated.NewAt(time.Now(), 9, 60))
			}
			target := silentServer(t, server.URI, filled.Name, c.command, c.collection)
			const retryFor = 4 * time.Second
			cmd := exec.Command(ferretdb.Build(t), append(slices.Clone(c.args), "--retry-for", retryFor.String(), "--timeout", "3s")...)
			cmd.Env, cmd.Dir = append(os.Environ(), target.Env()...), t.TempDir()
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			began := time.Now()
			_ = cmd.Run() // the exit code tells
			took := time.Since(began)
			t.Logf("%.1f s", took.Seconds())
			if code := cmd.ProcessState.ExitCode(); code != exit.Failed || took < retryFor || took > retryFor+20*time.Second {
				t.Errorf("exit %d after %s\n%s", code, took, &stderr)
			}
		})
	}
}

// unlessLate makes up to three attempts until a run has ended before it had to be ended as overdue. On a busy machine one
// may well be, but one that hangs is so each time.
func unlessLate(t *testing.T, attempt func() (late bool)) {
	t.Helper()
	for range 3 {
		if !attempt() {
			return
		}
	}
	t.Error("the run did not end in time, three times")
}

// interruptAt interrupts the command once silent is closed, and checks that it ends in time with a report, unless it says
// itself that it is late. It allows twice as long as a run has, since the machine may be busy.
func interruptAt(t *testing.T, silent <-chan struct{}, env []string, args ...string) (late bool) {
	t.Helper()
	cmd := exec.Command(ferretdb.Build(t), append(args, "--output", "json")...)
	cmd.Env, cmd.Dir = append(os.Environ(), env...), t.TempDir()
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	select {
	case <-silent:
	case <-time.After(time.Minute):
		t.Fatal("there was no such command")
	}
	sent := time.Now()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var told time.Time
	var stderr strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "stopping: ") {
			told = time.Now()
		}
		stderr.WriteString(lines.Text() + "\n")
	}
	_ = cmd.Wait() // the exit code tells
	took := time.Since(told)
	t.Logf("%.1f s", took.Seconds())
	var report summary
	err = json.Unmarshal(stdout.Bytes(), &report)
	late = strings.Contains(stderr.String(), "did not end in time")
	reported := err == nil && strings.Contains(report.Error, "interrupted")
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted || !reported && !late {
		t.Errorf("exit %d, report %q\n%s", code, &stdout, &stderr)
	}
	if told.Sub(sent) < 0 || told.Sub(sent) > overdue || took > 2*overdue {
		t.Errorf("signal at %s, told at %s, took %s\n%s", sent, told, took, &stderr)
	}
	return late
}

// silentRedis stands before the Redis and is silent from the nth command of a name on.
func silentRedis(t *testing.T, addr, name string, nth int) (uri string, silent chan struct{}) {
	silent = make(chan struct{})
	started := make(chan *redisproxy.Proxy, 1)
	proxy := redisproxy.Start(t, addr, redisproxy.Options{Hook: func(c redisproxy.Command) func() {
		if c.Name != name || c.Nth != nth {
			return nil
		}
		return func() {
			(<-started).Silence(true)
			close(silent)
		}
	}})
	started <- proxy
	return proxy.URI, silent
}

// TestASilentRedisEndsARun has a Redis that stops answering: while it is opened, where a key of Lanyard's is looked for, in
// the scan, and in the last look.
func TestASilentRedisEndsARun(t *testing.T) {
	t.Parallel()
	redis := redisserver.Start(t)
	fillRedis(t, redis.URI, 300)
	for _, at := range []struct {
		name string
		nth  int
	}{{"INFO", 1}, {"SCAN", 2}, {"SCAN", 3}, {"EXISTS", 5}} {
		for _, command := range [][]string{{"migrate", "redis-to-mongo"}, {"verify"}, {"sweep"}} {
			t.Run(fmt.Sprint(command[0], " ", at.name, " ", at.nth), func(t *testing.T) {
				t.Parallel()
				unlessLate(t, func() (late bool) {
					uri, silent := silentRedis(t, redis.Addr, at.name, at.nth)
					args := append(slices.Clone(command), "--redis", uri, "--timeout", "1h", "--retry-for", "1h")
					return interruptAt(t, silent, mongoserver.New(t).Env(), args...)
				})

				target := mongoserver.New(t)
				uri, _ := silentRedis(t, redis.Addr, at.name, at.nth)
				const retryFor = 4 * time.Second // it tells after half of that, unless less than a quarter is left by then
				cmd := exec.Command(ferretdb.Build(t), append(command, "--redis", uri,
					"--timeout", retryFor.String(), "--retry-for", retryFor.String())...)
				cmd.Env, cmd.Dir = append(os.Environ(), target.Env()...), t.TempDir()
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				began := time.Now()
				_ = cmd.Run() // the exit code tells
				if took := time.Since(began); took < retryFor || took > retryFor+20*time.Second {
					t.Errorf("it took %s", took)
				}
				for _, want := range []string{"lanyardctl: ", "hint: "} {
					if !strings.Contains(stderr.String(), want) {
						t.Errorf("%q is missing", want)
					}
				}
				told := regexp.MustCompile(` has not answered for [23]s`).MatchString(stderr.String())
				if told != (at.name != "INFO") {
					t.Errorf("told: %t", told)
				}
				if code := cmd.ProcessState.ExitCode(); code != exit.Failed || t.Failed() {
					t.Errorf("exit %d\n%s", code, &stderr)
				}
			})
		}
	}
}

// TestCtrlCEndsARunWhoseReportNobodyReads has a pipe for stdout that is full.
func TestCtrlCEndsARunWhoseReportNobodyReads(t *testing.T) {
	t.Parallel()
	unread, stdout, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer unread.Close()
	if err := stdout.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the pipe is not full: %v", err)
	}
	cmd := exec.Command(ferretdb.Build(t), "sweep", "list", "--output", "json", "--verbose")
	cmd.Env, cmd.Stdout = append(os.Environ(), mongoserver.New(t).Env()...), stdout
	rest := interrupted(t, cmd, func(line string) bool { return strings.Contains(line, "opened the target") })
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted || !strings.Contains(rest, "did not end in time") {
		t.Errorf("exit %d\n%s", code, rest)
	}
}
