//go:build unix

package ownfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/ownfile"
)

// TestOnlyAnOwnRegularFileIsOpened has everything that may stand at the path of a file with secrets.
func TestOnlyAnOwnRegularFileIsOpened(t *testing.T) {
	const mine, other = "mine", "other"
	for _, tc := range []struct {
		name string
		make func(path string) error
		want string // of the error; empty where the file is opened
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"a file that everybody can read", func(path string) error { return os.WriteFile(path, []byte(mine), 0o644) }, ""},
		{"a link", func(path string) error {
			return errors.Join(os.WriteFile(path+other, nil, 0o600), os.Symlink(path+other, path))
		}, "is a symbolic link to "},
		{"a link to nothing", func(path string) error { return os.Symlink("nowhere", path) }, "is a symbolic link to nowhere, which does not exist"},
		{"a folder", func(path string) error { return os.Mkdir(path, 0o700) }, "is a folder"},
		{"a pipe", func(path string) error { return syscall.Mkfifo(path, 0o600) }, "is not a regular file"},
		{"another user's file", func(path string) error {
			if os.Geteuid() != 0 {
				t.Skip("root alone gives files away")
			}
			return errors.Join(os.WriteFile(path, nil, 0o666), os.Chown(path, 65534, 65534))
		}, "belongs to another user ("},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := tc.make(path); err != nil {
				t.Fatal(err)
			}
			checked := ownfile.Check(path)
			file, err := ownfile.Append(path)
			if tc.want != "" {
				for _, err := range []error{checked, err} {
					if !errors.Is(err, ownfile.ErrNotOwn) || !strings.Contains(err.Error(), tc.want) {
						t.Errorf("%v, want %q", err, tc.want)
					}
				}
				return
			}
			if err != nil || checked != nil {
				t.Fatal(err, checked)
			}
			info, err := file.Stat()
			if err := errors.Join(err, file.Close()); err != nil {
				t.Fatal(err)
			}
			if info.Mode() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
		})
	}
}
