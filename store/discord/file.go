package discord

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/lanyardctl/lanyardctl/record"
)

// chunk is how many members of a file are delivered at a time.
const chunk = 500

// Members is a file of guild members as a source of the dates on which they joined.
type Members struct {
	path string
	file *os.File
	once bool // what was read of it is gone, as of a pipe
	read bool

	entries, nameless int64 // of the last reading that came to its end; see [Members.Counts]
}

// OpenMembers opens a file that holds a JSON array of guild members, or one member a line. A file that begins otherwise
// is refused at once. Its error is an [*Error], or wraps the operating system's.
func OpenMembers(path string) (*Members, error) {
	m := &Members{path: path}
	var err error
	if m.file, err = os.Open(path); err != nil {
		return nil, m.failed(err)
	}
	if err := m.check(); err != nil {
		return nil, errors.Join(err, m.file.Close())
	}
	return m, nil
}

func (m *Members) check() error {
	info, err := m.file.Stat()
	switch {
	case err != nil:
		return m.failed(err)
	case info.IsDir():
		return m.failed(syscall.EISDIR)
	case !info.Mode().IsRegular():
		m.once = true
		return nil
	}
	_, err = begin(m.file)
	return m.failed(err)
}

// failed wraps what went wrong with the file; nil stays nil.
func (m *Members) failed(err error) error {
	op := "read the members in " + shownPath(m.path)
	var (
		f       *fileFault
		pathErr *os.PathError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &f):
		return &Error{Op: op, Reason: ErrNotMembers, Detail: f.detail}
	case errors.As(err, &pathErr):
		err = pathErr.Err
	}
	return fmt.Errorf("%s: %w", op, err)
}

// Close closes the file.
func (m *Members) Close() error { return m.failed(m.file.Close()) }

// Places returns the only place.
func (*Members) Places() []record.DatePlace { return []record.DatePlace{{Name: "members"}} }

// Counts returns how many entries the file has, and how many of them name no user, as the last reading found that came
// to its end.
func (m *Members) Counts() (entries, nameless int64) { return m.entries, m.nameless }

// Total returns zero: a file does not tell.
func (*Members) Total(context.Context) (int64, error) { return 0, nil }

// Values delivers when each member joined. A pipe can be read once. A file without a single member among its entries,
// such as a log, is an error at its end. The error is an [*Error], or wraps the operating
// system's or the context's.
func (m *Members) Values(ctx context.Context, yield func([]record.DateValue) error) error {
	if m.read && m.once {
		return m.failed(errors.New("what was read of it cannot be read again"))
	}
	m.read = true
	if !m.once {
		if _, err := m.file.Seek(0, io.SeekStart); err != nil {
			return m.failed(err)
		}
	}
	list, err := begin(m.file)
	if err != nil {
		return m.failed(err)
	}
	var nameless int64
	for values := make([]record.DateValue, 0, chunk); ; {
		if ctx.Err() != nil {
			return m.failed(context.Cause(ctx))
		}
		c, more, err := list.next()
		if err != nil {
			return m.failed(err)
		}
		if more {
			values = append(values, c)
			if c.User == 0 && c.Name == unnamed {
				nameless++
			}
		}
		if len(values) == chunk || !more && len(values) > 0 {
			if err := yield(values); err != nil {
				return err
			}
			values = make([]record.DateValue, 0, chunk)
		}
		if !more {
			m.entries, m.nameless = list.count, nameless
			if nameless > 0 && nameless == list.count {
				return m.failed(faultf("none of its entries (%d) has a user with an id", nameless))
			}
			return nil
		}
	}
}
