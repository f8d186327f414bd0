package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
)

// TestACPUProfileIsWrittenForItsOwnerAlone runs the binary: a process can have one profile at a time.
func TestACPUProfileIsWrittenForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cpu.prof")
	out, err := exec.Command(ferretdb.Build(t), "version", "--cpuprofile", path).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "lanyardctl ") {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// Profiles are compressed by gzip.
	if profile, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(profile, []byte{0x1f, 0x8b}) {
		t.Errorf("%q, %v", profile, err)
	}
}

func TestAProfileThatCannotBeWrittenIsAnErrorWithAHint(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing", "cpu.prof")
	code, stdout, stderr := call("version", "--cpuprofile", path)
	if code != exit.Failed || stdout != "" || !strings.Contains(stderr, "write the CPU profile") ||
		!strings.Contains(stderr, "hint: name a file that can be written: --cpuprofile FILE") {
		t.Errorf("exit %d, stdout: %s, stderr: %s", code, stdout, stderr)
	}
}

func TestNoHelpNamesTheProfile(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"migrate", "redis-to-mongo", "--help"}, {"verify", "--help"}} {
		if code, stdout, stderr := call(args...); code != exit.Done || strings.Contains(stdout+stderr, "cpuprofile") {
			t.Errorf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
	}
}
