package main

import (
	"bytes"
	"net"
	"os/exec"
	"syscall"
	"testing"

	children "github.com/lanyardctl/lanyardctl/store/storetest/child"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// TestAMirrorThatIsStoppedBeforeItBegan has a Redis that takes connections, and says nothing.
func TestAMirrorThatIsStoppedBeforeItBegan(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		exit int
	}{
		"was to go on until then": {nil, 0},
		"was to catch up":         {[]string{"--until-caught-up"}, 130},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer listener.Close()
			cmd := exec.Command(ferretdb.Build(t), append([]string{"sync", "--redis", "redis://" + listener.Addr().String(),
				"--mongo", "mongodb://" + listener.Addr().String(), "--timeout", "1m", "--progress", "none"}, c.args...)...)
			cmd.Dir = t.TempDir()
			var said bytes.Buffer
			cmd.Stderr = &said
			exited, err := children.Start(cmd)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := listener.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-exited
			if code := cmd.ProcessState.ExitCode(); code != c.exit {
				t.Errorf("exit %d\n%s", code, &said)
			}
		})
	}
}
