package ferretdb

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// command is the import path of the binary.
const command = "github.com/lanyardctl/lanyardctl/cmd/lanyardctl"

// built is the binary that this process has built.
var built struct {
	sync.Once
	dir, path string
	err       error
}

// Build returns the path of a lanyardctl binary without the race detector: the one that LANYARDCTL_TEST_BIN names, else
// one that is built once a process. [Clean] removes it.
func Build(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("LANYARDCTL_TEST_BIN"); path != "" {
		return path
	}
	built.Do(func() { built.err = build() })
	if built.err != nil {
		t.Fatalf("build lanyardctl: %v", built.err)
	}
	return built.path
}

func build() error {
	dir, err := os.MkdirTemp("", "lanyardctl-test-*")
	if err != nil {
		return err
	}
	built.dir, built.path = dir, filepath.Join(dir, "lanyardctl")
	if out, err := exec.Command("go", "build", "-o", built.path, command).CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// Clean removes what [Build] has built. A package that uses this one calls it at the end of its TestMain:
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		ferretdb.Clean()
//		os.Exit(code)
//	}
func Clean() {
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
}
