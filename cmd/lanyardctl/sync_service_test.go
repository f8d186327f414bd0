package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	children "github.com/lanyardctl/lanyardctl/store/storetest/child"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestTheServiceOfTheExamples has systemd look at the unit, where it is installed, and runs what the unit runs with
// somebody in systemd's place.
func TestTheServiceOfTheExamples(t *testing.T) {
	t.Parallel()
	bin, dir := ferretdb.Build(t), t.TempDir()
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "lanyardctl-sync.service"))
	if err != nil {
		t.Fatal(err)
	}
	options, err := unit.DeserializeOptions(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) string {
		at := slices.IndexFunc(options, func(o *unit.UnitOption) bool { return o.Name == name })
		if at < 0 {
			t.Fatalf("the unit has no %s", name)
		}
		return options[at].Value
	}
	if verify, err := exec.LookPath("systemd-analyze"); err == nil {
		copied := filepath.Join(dir, "lanyardctl-sync.service")
		if err := os.WriteFile(copied, bytes.ReplaceAll(text, []byte("/usr/local/bin/lanyardctl "), []byte(bin+" ")), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(verify, "verify", copied).CombinedOutput(); err != nil || bytes.Contains(out, []byte(copied)) {
			t.Errorf("%v\n%s", err, out)
		}
	}
	if folder := "/var/lib/" + value("StateDirectory"); value("Type") != "notify" || value("WorkingDirectory") != folder {
		t.Errorf("Type=%s, WorkingDirectory=%s", value("Type"), value("WorkingDirectory"))
	}

	sockets, err := os.MkdirTemp("", "notify") // a socket's name is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(sockets, "s"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { manager.Close() })
	redis, target := redisserver.Start(t), mongoserver.New(t)
	fillRedis(t, redis.URI, 50)
	args := strings.Fields(value("ExecStart"))
	listens := slices.Index(args, "--listen")
	if args[0] != "/usr/local/bin/lanyardctl" || listens < 0 {
		t.Fatalf("ExecStart=%s", value("ExecStart"))
	}
	args[listens+1] = "127.0.0.1:0"
	cmd := exec.Command(bin, args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append(target.Env(), "REDIS_URI="+redis.URI, "NOTIFY_SOCKET="+manager.LocalAddr().String(), "WATCHDOG_USEC=300000")...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	exited, err := children.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // fails where it is gone
		<-exited
	})
	if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	await := func(messages ...string) {
		t.Helper()
		for buffer := make([]byte, 1<<10); len(messages) > 0; {
			n, err := manager.Read(buffer)
			if err != nil {
				_ = cmd.Process.Kill()
				<-exited
				t.Fatalf("it did not send %q: %v\n%s", messages, err, &said)
			}
			messages = slices.DeleteFunc(messages, func(m string) bool { return m == string(buffer[:n]) })
		}
	}
	await("READY=1", "STATUS=following", "WATCHDOG=1")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await("STOPPING=1")
	<-exited
	if code := cmd.ProcessState.ExitCode(); code != exit.Done {
		t.Errorf("exit status %d\n%s", code, &said)
	}
}
