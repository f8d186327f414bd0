package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// reportFile is a file that a report is written to.
type reportFile struct {
	path  string
	write func(verification, io.Writer) error
}

// reportForms are the forms of a report by the ending of the file's name.
var reportForms = map[string]func(verification, io.Writer) error{
	".json": verification.writeJSON,
	".xml":  verification.writeJUnit,
	".md":   verification.writeMarkdown,
}

// parseReports reads the values of --report.
func parseReports(paths []string) ([]reportFile, error) {
	const forms = "the ending decides the form: .json, .xml (JUnit) or .md (Markdown)"
	var files []reportFile
	var known []string
	for _, path := range paths {
		form, ok := reportForms[strings.ToLower(filepath.Ext(path))]
		if !ok {
			return nil, exit.WrongUse(fmt.Sprintf("--report: %q has no ending of a known form", path), forms)
		}
		target, err := reportPath(path)
		if err != nil {
			return nil, cannotReport(path, err)
		}
		if slices.Contains(known, target) {
			return nil, exit.WrongUse(fmt.Sprintf("--report: %s is named twice", path), "give each file once")
		}
		known = append(known, target)
		files = append(files, reportFile{path: path, write: form})
	}
	return files, nil
}

// reportPath returns where the file really is, behind links.
func reportPath(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		folder, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		return filepath.Abs(filepath.Join(folder, filepath.Base(path)))
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(target)
}

// cannotReport says why a report cannot be written. It names the file as it was typed, and no other.
func cannotReport(path string, err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		err = failed.Err
	} else if failed, ok := errors.AsType[*os.LinkError](err); ok {
		err = failed.Err
	}
	return exit.Failure(fmt.Errorf("the report %s cannot be written: %w", path, err), "name another file with --report FILE, in a folder that exists")
}

// checkReports returns an error where a report cannot be written. It leaves nothing behind.
func checkReports(files []reportFile) error {
	for _, f := range files {
		if err := f.replace(func(*os.File) error { return errOnlyTried }); !errors.Is(err, errOnlyTried) {
			return cannotReport(f.path, err)
		}
	}
	return nil
}

var errNotRegular = errors.New("it is no regular file")

// errOnlyTried ends a writing that was only tried.
var errOnlyTried = errors.New("only tried")

// write writes v to the files.
func (v verification) write(files []reportFile) error {
	var failed []error
	for _, f := range files {
		if err := f.replace(func(file *os.File) error { return f.write(v, file) }); err != nil {
			failed = append(failed, cannotReport(f.path, err))
		}
	}
	return errors.Join(failed...)
}

// replace gives the file the content that fill writes: all of it, or after an error none, so that nobody ever reads half
// a report. A report holds no secret and is made for others to read, whatever files the process makes otherwise.
func (f reportFile) replace(fill func(*os.File) error) (err error) {
	path, err := reportPath(f.path)
	if err != nil {
		return err
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return errNotRegular
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".lanyardctl-report-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	if err := fill(file); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Chmod(0o644), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
