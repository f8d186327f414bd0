package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// cutShort is what the tests read of the report of a run that did not come to its end.
type cutShort struct {
	OK    bool
	Error string
}

func readReport(t *testing.T, text []byte) cutShort {
	t.Helper()
	var r cutShort
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return r
}

func TestCtrlCEndsAComparisonWithAReport(t *testing.T) {
	t.Parallel()
	redis, target, dir := redisserver.Start(t), mongoserver.New(t), t.TempDir()
	fillRedis(t, redis.URI, 50)
	// All is missing, so the run waits for an hour before it looks again.
	cmd := exec.Command(ferretdb.Build(t), "verify", "--redis", redis.URI, "--recheck-delay", "1h",
		"--output", "json", "--report", "verify.json", "--report", "verify.xml", "--report", "verify.md")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), target.Env()...)
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	rest := interrupted(t, cmd, func(line string) bool { return line == "\n" }) // the end of the preflight
	if code := cmd.ProcessState.ExitCode(); code != exit.Interrupted {
		t.Errorf("exit %d", code)
	}
	if !strings.Contains(rest, "stopped: ") || !strings.Contains(rest, "lanyardctl: interrupted\nhint: ") {
		t.Errorf("stderr: %s", rest)
	}
	if v := readReport(t, stdout.Bytes()); v.OK || !strings.Contains(v.Error, "interrupted") {
		t.Errorf("%+v", v)
	}
	for name, want := range map[string]string{"verify.json": `"error": "interrupted`, "verify.xml": "<error ", "verify.md": "is not a result"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s, %v: %s", name, err, text)
		}
	}
}

// TestAnIgnoredSignalStaysIgnored runs a command as nohup does.
func TestAnIgnoredSignalStaysIgnored(t *testing.T) {
	t.Parallel()
	redis, target := redisserver.Start(t), mongoserver.New(t)
	fillRedis(t, redis.URI, 50)
	cmd := exec.Command("sh", "-c", `trap "" INT HUP; exec "$0" "$@"`, ferretdb.Build(t), "verify", "--redis", redis.URI, "--recheck", "1", "--recheck-delay", "1s")
	cmd.Env = append(os.Environ(), target.Env()...)
	rest := interrupted(t, cmd, func(line string) bool { return line == "\n" }) // the end of the preflight
	if code := cmd.ProcessState.ExitCode(); code != exit.Differences || strings.Contains(rest, "stopping") {
		t.Errorf("exit %d\n%s", code, rest)
	}
}

func TestARunThatFindsNoServerLeavesAReport(t *testing.T) {
	t.Parallel()
	redis, dir := redisserver.Start(t), t.TempDir()
	cmd := exec.Command(ferretdb.Build(t), "verify", "--redis", redis.URI, "--mongo", "mongodb://127.0.0.1:1", "--timeout", "300ms",
		"--report", "verify.json", "--verbose")
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	redis.Pause()
	defer redis.Resume()
	_ = cmd.Run() // the exit code tells
	if code := cmd.ProcessState.ExitCode(); code != exit.Failed || stdout.Len() > 0 || !strings.Contains(stderr.String(), "hint: ") {
		t.Errorf("exit %d\n%s%s", code, &stdout, &stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, "verify.json"))
	if err != nil {
		t.Fatal(err)
	}
	if v := readReport(t, text); v.OK || v.Error == "" {
		t.Errorf("%+v", v)
	}
}

func TestAMigrationFromAFileIsGoneOnWith(t *testing.T) {
	t.Parallel()
	redis, target, dir := redisserver.Start(t), mongoserver.New(t), t.TempDir()
	users := manyUsers(target)
	fillRedis(t, redis.URI, users)
	source := saved(t, redis.URI)
	db := target.Connect(t)

	first := startMigration(t, dir, source, target)
	halfWay(t, db)
	first.signal(syscall.SIGINT)
	if code, report := first.wait(); code != exit.Interrupted || report.OK || report.Kinds["kv"].Read >= users {
		t.Fatalf("exit %d, %+v\n%s", code, report, &first.stderr)
	}
	code, report := startMigration(t, dir, source, target, "--batch-size", "1000").wait()
	if code != exit.Rejects || !report.Resumed {
		t.Errorf("exit %d, %+v", code, report)
	}
	complete(t, db, users)
}
