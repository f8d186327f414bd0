package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ownfile"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
)

// newFileName returns the name of a file that a run which begins now makes, such as "lanyardctl-rejects-TIME.ndjson".
func newFileName(what string, now time.Time) string {
	return "lanyardctl-" + what + "-" + now.UTC().Format("20060102T150405.000Z") + ".ndjson"
}

// checkRejectsFile returns an error where the rejects file or its sibling for superseded values cannot be written. It
// leaves no file behind that was not there before.
func checkRejectsFile(path string) error {
	for _, path := range []string{path, rejectsfile.SupersededPath(path)} {
		if err := checkWritable(path); err != nil {
			return exit.Failure(fmt.Errorf("the rejects file cannot be written: %w", err), fileHint(err, "--rejects"))
		}
	}
	return nil
}

// fileHint returns what to do about a file that cannot be written, which the flag names.
func fileHint(err error, flag string) string {
	if errors.Is(err, ownfile.ErrNotOwn) {
		return "values that hold API keys are written to a file of your own alone, and never through a link: name another with " +
			flag + " FILE, or remove that one"
	}
	return "name another with " + flag + " FILE"
}

func checkWritable(path string) error {
	if err := ownfile.Check(path); err != nil {
		return err
	}
	_, err := os.Lstat(path)
	isNew := errors.Is(err, fs.ErrNotExist)
	file, err := ownfile.Append(path)
	if err != nil {
		return err
	}
	err = file.Close()
	if isNew {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}
