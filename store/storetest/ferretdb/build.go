package ferretdb

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/flock"
)

// Build returns the path of a lanyardctl binary without the race detector: the one that LANYARDCTL_TEST_BIN names, else
// bin/test/lanyardctl in the module, which is brought up to date once a process.
func Build(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("LANYARDCTL_TEST_BIN"); path != "" {
		return path
	}
	path, err := build()
	if err != nil {
		t.Fatalf("build lanyardctl: %v", err)
	}
	return path
}

// build leaves the binary to the next process, for which it then is a matter of a check.
var build = sync.OnceValues(func() (string, error) {
	goMod, err := command("go", "env", "GOMOD")
	if err != nil {
		return "", err
	}
	root := filepath.Dir(goMod)
	if root == "." {
		return "", errors.New("not inside the module")
	}
	path := filepath.Join(root, "bin", "test", "lanyardctl")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	// go test runs packages side by side.
	lock := flock.New(path + ".lock")
	if err := lock.Lock(); err != nil {
		return "", err
	}
	defer lock.Unlock()
	_, err = command("go", "build", "-o", path, "github.com/lanyardctl/lanyardctl/cmd/lanyardctl")
	return path, err
})

// command runs a command and returns what it prints to stdout.
func command(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, &stderr)
	}
	return strings.TrimSpace(string(out)), nil
}
