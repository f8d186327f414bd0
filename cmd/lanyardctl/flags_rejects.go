package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/migrate"
)

// defaultRejectsFile returns the name of the rejects file of a run that begins now.
func defaultRejectsFile(now time.Time) string {
	return "lanyardctl-rejects-" + now.UTC().Format("20060102T150405.000Z") + ".ndjson"
}

// checkRejectsFile returns an error where the rejects file or its sibling for superseded values cannot be written. It
// leaves no file behind that was not there before.
func checkRejectsFile(path string) error {
	for _, path := range []string{path, migrate.SupersededPath(path)} {
		if err := checkWritable(path); err != nil {
			return exit.Failure(fmt.Errorf("the rejects file cannot be written: %w", err), "name another with --rejects FILE")
		}
	}
	return nil
}

func checkWritable(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		return errors.Join(file.Close(), os.Remove(path))
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", path)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	return file.Close()
}
