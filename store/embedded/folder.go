//go:build !noembedded

package embedded

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/gofrs/flock"
)

// lockName is the file in the folder that a server keeps locked.
const lockName = "lanyardctl.lock"

// folder is a locked folder.
type folder struct {
	path string // absolute
	lock *flock.Flock
}

// openFolder makes the folder when it is missing, and locks it.
func openFolder(dir string) (*folder, error) {
	f, err := lockFolder(dir)
	if err != nil {
		return nil, &FolderError{Dir: dir, Err: err}
	}
	return f, nil
}

func lockFolder(dir string) (*folder, error) {
	if dir == "" {
		return nil, errors.New("no folder named")
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	// FerretDB puts the name into a glob pattern and, without escaping, into SQLite's URI.
	if i := strings.IndexAny(path, `%?#*[\`); i >= 0 {
		return nil, fmt.Errorf("the embedded server cannot use a path that contains %q", path[i])
	}
	if err := checkOurs(path); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder: %w", err)
	}
	if err := closeToOthers(path); err != nil {
		return nil, err
	}
	if err := checkWritable(path); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(path, lockName))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if !locked {
		return nil, ErrInUse
	}
	return &folder{path: path, lock: lock}, nil
}

// checkOurs fails where the folder holds something else than a database of ours: files of both would be mixed. Every
// folder of ours holds the lock, whatever else somebody put there; one that was copied without it holds nothing but
// databases.
func checkOurs(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil // what is the matter with it, those who make it and write to it say
	case !info.IsDir():
		return errors.New("it is not a folder")
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("read the folder: %w", err)
	}
	foreign := ""
	for _, entry := range entries {
		switch name := entry.Name(); {
		case name == lockName:
			return nil
		case foreign == "" && !databaseFile.MatchString(name) && !slices.Contains(emptyFolder, name):
			foreign = name
		}
	}
	if foreign != "" {
		return fmt.Errorf("%w: it holds %q", ErrForeign, foreign)
	}
	return nil
}

var (
	// databaseFile matches the names of SQLite's files, and of a file that was made to try whether the folder can be
	// written to.
	databaseFile = regexp.MustCompile(`^[^.].*\.sqlite(?:-(?:wal|shm|journal))?$|^\.lanyardctl-probe-`)

	// emptyFolder are the names of what stands in a folder that people call empty.
	emptyFolder = []string{"lost+found", ".DS_Store", ".gitkeep"}
)

// closeToOthers takes everybody else's rights from a folder that is still empty. One with files is left as it is: its
// owner has decided.
func closeToOthers(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("read the folder: %w", err)
	}
	if len(entries) > 0 {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return fmt.Errorf("close the folder to others: %w", err)
	}
	return nil
}

// checkWritable makes and removes a file, since SQLite would notice a read-only folder at the first write only.
func checkWritable(path string) error {
	probe, err := os.CreateTemp(path, ".lanyardctl-probe-*")
	if err != nil {
		return fmt.Errorf("write to the folder: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// uri returns the folder as FerretDB wants it.
func (f *folder) uri() string {
	u := url.URL{Scheme: "file", Path: f.path + "/"}
	return u.String()
}

func (f *folder) close() error { return f.lock.Close() }
