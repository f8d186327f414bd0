//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// shell runs a command of the shell, in which "$@" is the binary with the arguments, and returns its exit code and its stderr.
func shell(t *testing.T, script, dir string, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.Command("bash", append([]string{"-c", script, "bash", ferretdb.Build(t)}, args...)...)
	var out, err bytes.Buffer
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), dir, &out, &err
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func TestAnOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	redis, target, dir := redisserver.Start(t), mongoserver.New(t), t.TempDir()
	fillRedis(t, redis.URI, 1) // of whom one value is rejected
	for _, args := range [][]string{
		{"migrate", "redis-to-mongo", "--redis", redis.URI},
		{"migrate", "redis-to-mongo", "--redis", redis.URI, "--output", "json"},
		{"verify", "--redis", redis.URI},
		{"sweep", "--dry-run"},
		{"sweep", "list"},
		{"sweep", "list", "--output", "json"},
		{"get", "1000000000000000000", "--app", "upstream", "--redis", redis.URI},
		{"kv", "list", hostileUser},
		{"kv", "list", hostileUser, "--output", "json"},
		{"kv", "export", hostileUser},
		{"kv", "del", hostileUser, "x"},
		{"apikey", "show", hostileUser},
		{"apikey", "rotate", hostileUser},
		{"apikey", "rotate", hostileUser, "--output", "json"},
		{"status"},
		{"status", "--output", "json"},
		{"demo"},
		{"version"},
		{"version", "--output", "json"},
		{"completion", "bash"},
		{"help"},
		{"verify", "--help"},
		{"--version"},
		{"embedded", "serve", "served", "--create"},
	} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		reader, closed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		reader.Close() // before the start, so that no pipe takes what nobody will read
		for name, stdout := range map[string]*os.File{"full": full, "closed": closed} {
			var said strings.Builder
			cmd := exec.Command(ferretdb.Build(t), args...)
			cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(os.Environ(), target.Env()...), dir, stdout, &said
			_ = cmd.Run() // the exit code tells
			stdout.Close()
			code, stderr := cmd.ProcessState.ExitCode(), said.String()
			if code != exit.Failed || !strings.Contains(stderr, "no space left on device") && !strings.Contains(stderr, "broken pipe") {
				t.Errorf("%s, %s: exit %d\n%s", strings.Join(args, " "), name, code, stderr)
			}
		}
	}
}

func TestAReportForAClosedDescriptorIsPrintedElsewhere(t *testing.T) {
	t.Parallel()
	const told = "standard output seems to be closed"
	for script, want := range map[string][2]bool{ // what stderr has: the remark, the output
		`"$@" >&-`:              {true, true},
		`"$@" 1<> /dev/null`:    {true, true},
		`"$@" > /dev/null`:      {false, false},
		`"$@" >&- 2>&-`:         {false, false},
		`"$@" 2> /dev/null`:     {false, false},
		`"$@" > /dev/null 2>&-`: {false, false},
	} {
		code, _, stderr := shell(t, script, t.TempDir(), nil, "version")
		if got := [2]bool{strings.Contains(stderr, told), strings.Contains(stderr, "revision:")}; code != exit.Done || got != want {
			t.Errorf("%s: exit %d\n%s", script, code, stderr)
		}
	}
}

// TestNobodyHasToListen closes stderr in several ways: the run is the same.
func TestNobodyHasToListen(t *testing.T) {
	t.Parallel()
	redis, target := redisserver.Start(t), mongoserver.New(t)
	fillRedis(t, redis.URI, 200)
	for _, script := range []string{
		`{ sleep 0.1; "$@"; } 2>&1 >report | true; cat report`, `"$@" 2> /dev/full`, `"$@" 2>&-`,
	} {
		database := target.Server.Database(t)
		code, stdout, _ := shell(t, script+`; exit 0`, t.TempDir(), database.Env(), "migrate", "redis-to-mongo", "--redis", redis.URI, "--output", "json", "--log-format", "json", "--verbose")
		if code != 0 || !strings.Contains(stdout, `"inserted": 200`) || !strings.Contains(stdout, `"inserted": 198`) {
			t.Errorf("%s: %s", script, stdout)
		}
	}
}

func TestAHangupIsAnInterruption(t *testing.T) {
	t.Parallel()
	redis, target := redisserver.Start(t), mongoserver.New(t)
	users := manyUsers(target)
	fillRedis(t, redis.URI, users)
	r := startMigration(t, t.TempDir(), redis.URI, target)
	halfWay(t, target.Connect(t))
	r.signal(syscall.SIGHUP)
	if code, report := r.wait(); code != exit.Interrupted || report.Kinds["kv"].Read == 0 {
		t.Errorf("exit %d, %+v\n%s", code, report, &r.stderr)
	}
}

func TestTooFewFileDescriptorsAreAnError(t *testing.T) {
	t.Parallel()
	redis, dir := redisserver.Start(t), t.TempDir()
	fillRedis(t, redis.URI, 20)
	migrate := []string{"migrate", "redis-to-mongo", "--redis", redis.URI, "--mongo", "embedded:data"}
	for _, args := range [][]string{{"version"}, migrate, {"verify", "--redis", redis.URI, "--mongo", "embedded:data"}, {"sweep", "--mongo", "embedded:data"}} {
		for _, n := range []int{5, 8, 12, 20, 64, 90} {
			code, _, stderr := shell(t, "ulimit -n "+strconv.Itoa(n)+`; exec "$@"`, dir, nil, args...)
			if code != exit.Failed || !strings.Contains(stderr, "\nhint: ulimit -n 1024") || strings.Contains(stderr, "goroutine") {
				t.Errorf("%s with %d: exit %d\n%s", args[0], n, code, stderr)
			}
		}
	}
	if code, _, stderr := shell(t, `ulimit -n 120; exec "$@"`, dir, nil, migrate...); code != exit.Rejects {
		t.Errorf("exit %d with enough\n%s", code, stderr)
	}
}
