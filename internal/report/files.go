package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ownfile"
)

// File is a file that a report is written to.
type File struct {
	Path  string
	Write func(Verification, io.Writer) error
}

// writers are what writes a report, by the ending of the file's name.
var writers = map[string]func(Verification, io.Writer) error{
	".json": Verification.WriteJSON,
	".xml":  Verification.WriteJUnit,
	".md":   Verification.WriteMarkdown,
}

// ParseFiles reads the values of --report.
func ParseFiles(paths []string) ([]File, error) {
	const forms = "the ending decides the form: .json, .xml (JUnit) or .md (Markdown)"
	var files []File
	var known []string
	for _, path := range paths {
		form, ok := writers[strings.ToLower(filepath.Ext(path))]
		if !ok {
			return nil, exit.WrongUse(fmt.Sprintf("--report: %q has no ending of a known form", path), forms)
		}
		target, err := pathOf(path)
		if err != nil {
			return nil, cannotWrite(path, err)
		}
		if slices.Contains(known, target) {
			return nil, exit.WrongUse(fmt.Sprintf("--report: %s is named twice", path), "give each file once")
		}
		known = append(known, target)
		files = append(files, File{Path: path, Write: form})
	}
	return files, nil
}

// pathOf returns where the file really is, whatever links lead to its folder. A link in place of the file itself is
// none.
func pathOf(path string) (string, error) {
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return filepath.Abs(filepath.Join(folder, filepath.Base(path)))
}

// cannotWrite says why a report cannot be written. It names the file as it was typed, and no other.
func cannotWrite(path string, err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		err = failed.Err
	} else if failed, ok := errors.AsType[*os.LinkError](err); ok {
		err = failed.Err
	}
	hint := "name another file with --report FILE, in a folder that exists"
	if errors.Is(err, ownfile.ErrNotOwn) {
		hint = "a report replaces a file of your own alone, and never through a link: name another with --report FILE, or remove that one"
	}
	return exit.Failure(fmt.Errorf("the report %s cannot be written: %w", path, err), hint)
}

// CheckFiles returns an error where a report cannot be written. It leaves nothing behind.
func CheckFiles(files []File) error {
	for _, f := range files {
		if err := f.replace(func(*os.File) error { return errOnlyTried }); !errors.Is(err, errOnlyTried) {
			return cannotWrite(f.Path, err)
		}
	}
	return nil
}

// errOnlyTried ends a writing that was only tried.
var errOnlyTried = errors.New("only tried")

// Write writes v to the files.
func (v Verification) Write(files []File) error {
	var failed []error
	for _, f := range files {
		if err := f.replace(func(file *os.File) error { return f.Write(v, file) }); err != nil {
			failed = append(failed, cannotWrite(f.Path, err))
		}
	}
	return errors.Join(failed...)
}

// replace gives the file the content that fill writes: all of it, or after an error none, so that nobody ever reads
// half a report. A report holds no secret and is made for others to read, whatever files the process makes otherwise.
func (f File) replace(fill func(*os.File) error) (err error) {
	path, err := pathOf(f.Path)
	if err != nil {
		return err
	}
	if err := ownfile.Check(f.Path); err != nil {
		return err
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
