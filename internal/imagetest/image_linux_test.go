package imagetest

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
	"github.com/lanyardctl/lanyardctl/testdata"
)

// TestTheImage builds the image's root file system and runs lanyardctl there as a container would.
func TestTheImage(t *testing.T) {
	t.Attr(ferretdb.Attribute, ferretdb.OnFerretDB)
	if os.Geteuid() != 0 {
		t.Skip("only root can chroot")
	}
	syscall.Umask(0o022)
	ca := certs.NewCA(t, "the authority of this test")
	authorities, err := os.ReadFile(ca.File)
	check(t, err)
	i := build(t, authorities)

	t.Run("holds nothing but what is needed", func(t *testing.T) {
		var files []string
		check(t, filepath.WalkDir(i.root, func(file string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			files = append(files, fmt.Sprintf("%s %s", info.Mode(), strings.TrimPrefix(file, i.root)))
			return err
		}))
		want := []string{
			"dtrwxrwxrwx /data", "drwxr-xr-x /etc", "drwxr-xr-x /etc/ssl", "drwxr-xr-x /etc/ssl/certs",
			"-rw-r--r-- /etc/ssl/certs/ca-certificates.crt", "dtrwxrwxrwx /tmp", "drwxr-xr-x /usr", "drwxr-xr-x /usr/local",
			"drwxr-xr-x /usr/local/bin", "-rwxr-xr-x /usr/local/bin/lanyardctl",
		}
		if diff := cmp.Diff(want, files[1:]); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
	t.Run("has a static binary", func(t *testing.T) {
		binary, err := elf.Open(i.path(i.entrypoint[0]))
		check(t, err)
		defer binary.Close()
		libraries, err := binary.ImportedLibraries()
		check(t, err)
		if len(libraries) > 0 || slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
			t.Errorf("the binary needs a loader and %v", libraries)
		}
	})
	var uid, gid uint32
	if _, err := fmt.Sscanf(i.user, "%d:%d", &uid, &gid); err != nil || uid == 0 || gid == 0 {
		t.Fatalf("USER %s is no number of somebody other than root", i.user)
	}
	for _, user := range []uint32{uid, 1000} { // 1000 as by --user
		t.Run(fmt.Sprintf("migrates as %d", user), func(t *testing.T) {
			name := fmt.Sprintf("dump-%d.rdb", user)
			check(t, os.WriteFile(i.path(name), testdata.Dump, 0o644))
			migrate := []string{"migrate", "redis-to-mongo", "--redis", "rdb:" + name, "--mongo", fmt.Sprintf("embedded:data-%d", user)}
			i.run(t, user, 3, append(migrate, "--dry-run", "--rejects", fmt.Sprintf("dry-run-%d.ndjson", user))...)
			i.run(t, user, 3, append(migrate, "--rejects", fmt.Sprintf("rejects-%d.ndjson", user))...)
			info, err := os.Stat(i.path(fmt.Sprintf("rejects-%d.ndjson", user)))
			check(t, err)
			if owner := info.Sys().(*syscall.Stat_t).Uid; owner != user || info.Mode() != 0o600 {
				t.Errorf("the rejects file is %s and user %d's", info.Mode(), owner)
			}
		})
	}
	t.Run("runs the demo", func(t *testing.T) {
		i.run(t, uid, 0, "demo")
	})
	t.Run("says what it is, and without arguments how to use it", func(t *testing.T) {
		if out := i.run(t, uid, 0, "version"); !strings.Contains(out, "embedded: included") {
			t.Error(out)
		}
		if out := i.run(t, uid, 0, i.cmd...); !strings.Contains(out, "lanyardctl [command]") {
			t.Error(out)
		}
	})
	t.Run("trusts the authorities that it holds", func(t *testing.T) {
		own := ca.Sign([]string{"127.0.0.1"})
		port := redisserver.FreePort(t)
		redisserver.Start(t, "--tls-port", fmt.Sprint(port), "--tls-cert-file", own.Cert, "--tls-key-file", own.Key,
			"--tls-ca-cert-file", ca.File, "--tls-auth-clients", "no")
		source := fmt.Sprintf("rediss://127.0.0.1:%d", port)
		migrate := []string{"migrate", "redis-to-mongo", "--redis", source, "--mongo", "embedded:tls", "--allow-empty"}
		i.run(t, uid, 0, migrate...)

		check(t, os.WriteFile(i.path("/etc/ssl/certs/ca-certificates.crt"), nil, 0o644))
		if out := i.run(t, uid, 1, migrate...); !strings.Contains(out, "authority that is not known") {
			t.Error(out)
		}
	})
}

// run runs the image's command as a container of that user would, checks the exit code, and returns what was printed.
func (i *image) run(t *testing.T, user uint32, want int, args ...string) string {
	t.Helper()
	cmd := exec.Command(i.entrypoint[0], append(i.entrypoint[1:], args...)...)
	cmd.Path = i.entrypoint[0] // in the chroot
	cmd.Err = nil
	cmd.Dir, cmd.Env = i.workdir, append([]string{"HOME=/"}, i.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: i.root, Credential: &syscall.Credential{Uid: user, Gid: user}}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != want {
		t.Fatalf("lanyardctl %s, as user %d: %v, want exit code %d\n%s", strings.Join(args, " "), user, err, want, out)
	}
	return string(out)
}
