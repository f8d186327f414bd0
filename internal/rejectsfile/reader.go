package rejectsfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/record"
)

// longestLine bounds a line that is read, in bytes: a value of 32 MiB as base64, and the longest key that Redis has,
// about.
const longestLine = 128 << 20

// ErrNoLines tells that a file is not empty, and that no line of it is one of a rejects or superseded file.
var ErrNoLines = errors.New("no line of it is one that lanyardctl writes")

// ErrNoRun tells that a file has no lines of the run that was asked for.
var ErrNoRun = errors.New("no such run in the file")

// File is an open file that is read.
type File struct {
	file *os.File

	Runs    []RunLines // in the order of their last lines
	Damaged int64      // lines that cannot be read, such as one that a killed run left half written
}

// RunLines are a run, and how many lines of it are in a file.
type RunLines struct {
	Run
	Lines      int64
	Superseded int64 // of the lines, those of superseded values
}

// Open opens a file and learns what runs wrote it. An empty file has none.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &File{file: file}
	if err := f.survey(); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), file.Close())
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

func (f *File) survey() error {
	if info, err := f.file.Stat(); err != nil {
		return err
	} else if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	damaged, err := f.each(func(l Line) error {
		last := len(f.Runs) - 1
		if last < 0 || f.Runs[last].ID != l.Run.ID {
			run := RunLines{Run: l.Run}
			if i := slices.IndexFunc(f.Runs, func(r RunLines) bool { return r.ID == l.Run.ID }); i >= 0 {
				run = f.Runs[i]
				f.Runs = slices.Delete(f.Runs, i, i+1)
			}
			f.Runs = append(f.Runs, run)
			last = len(f.Runs) - 1
		}
		f.Runs[last].Lines++
		if l.Reason == record.SupersededReason {
			f.Runs[last].Superseded++
		}
		return nil
	})
	if err == nil && damaged > 0 && len(f.Runs) == 0 {
		err = ErrNoLines
	}
	f.Damaged = damaged
	return err
}

// Run returns a run by its id, or by a beginning of it that no other run's has; the last one for an empty id. It fails
// with [ErrNoRun] where there is none, or where several are meant.
func (f *File) Run(id string) (RunLines, error) {
	if id == "" && len(f.Runs) > 0 {
		return f.Runs[len(f.Runs)-1], nil
	}
	var meant []RunLines
	for _, r := range f.Runs {
		if r.ID == id {
			return r, nil
		}
		if strings.HasPrefix(r.ID, id) {
			meant = append(meant, r)
		}
	}
	if len(meant) != 1 {
		return RunLines{}, ErrNoRun
	}
	return meant[0], nil
}

// All hands the lines of all runs to yield, in the file's order, and returns yield's error as it is.
func (f *File) All(yield func(Line) error) error {
	_, err := f.each(yield)
	return err
}

// Lines hands the run's lines to yield as [File.All] does. A run that was killed and resumed may have written a line
// twice.
func (f *File) Lines(run Run, yield func(Line) error) error {
	return f.All(func(l Line) error {
		if l.Run.ID != run.ID {
			return nil
		}
		return yield(l)
	})
}

// each hands every line that can be read to yield, and counts the others.
func (f *File) each(yield func(Line) error) (damaged int64, err error) {
	in := bufio.NewScanner(io.NewSectionReader(f.file, 0, 1<<62))
	in.Buffer(make([]byte, 0, 64<<10), longestLine)
	for number := int64(1); in.Scan(); number++ {
		if len(in.Bytes()) == 0 {
			continue
		}
		var l Line
		if err := json.Unmarshal(in.Bytes(), &l); err != nil {
			damaged++
			continue
		}
		l.Number = number
		if err := yield(l); err != nil {
			return damaged, err
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return damaged, fmt.Errorf("a line is longer than %d MiB: %w", longestLine>>20, ErrNoLines)
	}
	return damaged, in.Err()
}

// Filter says which lines are meant. Its zero value means all.
type Filter struct {
	Reasons []record.Reason // none means all
	Kinds   record.Kinds    // none means all
	Users   []record.UserID // none means all
	Fields  []string        // none means all
	Numbers []int64         // of lines; none means all
}

// All reports whether every line is meant.
func (f Filter) All() bool {
	return len(f.Reasons)+len(f.Users)+len(f.Fields)+len(f.Numbers) == 0 && f.Kinds == 0
}

// Has reports whether the line is meant.
func (f Filter) Has(l Line) bool {
	return (len(f.Reasons) == 0 || slices.Contains(f.Reasons, l.Reason)) &&
		(f.Kinds == 0 || f.Kinds.Has(l.Kind)) &&
		(len(f.Users) == 0 || slices.Contains(f.Users, l.User)) &&
		(len(f.Fields) == 0 || l.HasField && slices.Contains(f.Fields, l.Field)) &&
		(len(f.Numbers) == 0 || slices.Contains(f.Numbers, l.Number))
}
