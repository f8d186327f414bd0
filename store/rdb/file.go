package rdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// Options says what to open.
type Options struct {
	Path string // of a regular file
	DB   int    // the database to read
}

// Info is what a file says of itself.
type Info struct {
	FormatVersion int       // as its header has it, 1 to 12
	RedisVersion  string    // empty where the file does not tell
	SavedAt       time.Time // zero where the file does not tell
	Size          int64     // bytes
	DB            int
	Keys          int64 // in the database, those that have expired among them
	Checksum      bool  // there is one; without, a damaged value cannot be told from a good one
	Expires       bool  // some key in the database has a time to live
	Functions     int   // libraries of functions, which are left alone
}

// File is an opened RDB file. It is safe for concurrent use.
type File struct {
	path   string
	file   *os.File
	opened os.FileInfo
	info   Info
	end    int64  // offset behind the mark of the end
	sum    uint64 // the checksum of all that is before end
	base   bool   // the server says that it wrote the file for an append-only file
}

const (
	magic      = "REDIS"
	headerSize = len(magic) + 4
	sumSize    = 8

	// oldestSummed is the first format that ends with a checksum.
	oldestSummed = 5
	newestFormat = 12

	// readBuffer is how much of a file is read at a time.
	readBuffer = 256 << 10
)

// Open opens a file and checks the whole of it. It keeps the file open, so that one that is replaced meanwhile does not
// matter. Its error is an [*Error], the operating system's, or the context's.
func Open(ctx context.Context, o Options) (*File, error) {
	// Opening a pipe would wait for its writer.
	if before, err := os.Stat(o.Path); err == nil && !before.Mode().IsRegular() {
		return nil, notRegular(o.Path, before)
	}
	file, err := os.Open(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open rdb file %s: %w", shownPath(o.Path), withoutPath(err))
	}
	f := &File{path: o.Path, file: file, info: Info{DB: o.DB}}
	if err := f.check(ctx); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return f, nil
}

// withoutPath returns the operating system's reason alone, as its error shows the path whatever is in it.
func withoutPath(err error) error {
	if failed, ok := errors.AsType[*os.PathError](err); ok {
		return failed.Err
	}
	return err
}

func notRegular(path string, info os.FileInfo) error {
	detail := "it is not a regular file"
	if info.IsDir() {
		detail = "it is a folder"
	}
	return &Error{Path: path, Reason: ErrNotRDB, Detail: detail}
}

func (f *File) check(ctx context.Context) error {
	opened, err := f.file.Stat()
	switch {
	case err != nil:
		return f.failed(err)
	case !opened.Mode().IsRegular():
		return notRegular(f.path, opened)
	}
	f.opened, f.info.Size = opened, opened.Size()
	if err := f.readHeader(); err != nil {
		return err
	}
	return f.checkBody(ctx)
}

// readHeader learns the format, and from it where the end should be.
func (f *File) readHeader() error {
	var b [headerSize]byte
	n, err := f.file.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return f.failed(err)
	}
	digits, ok := strings.CutPrefix(string(b[:n]), magic)
	if !ok {
		return f.bad(ErrNotRDB, "")
	}
	if n < headerSize {
		return f.bad(ErrTruncated, "not even its header is whole")
	}
	// Atoi would take a sign.
	version, err := strconv.ParseUint(digits, 10, 16)
	switch {
	case err != nil || version == 0:
		return f.bad(ErrNotRDB, "no version follows its first bytes")
	case version > newestFormat:
		return f.bad(ErrTooNew, fmt.Sprintf("it has format %d, known are 1 to %d", version, newestFormat))
	}
	f.info.FormatVersion = int(version)
	f.end = f.info.Size
	if version >= oldestSummed {
		f.end -= sumSize
	}
	if f.end <= int64(headerSize) {
		return f.bad(ErrTruncated, "nothing follows its header")
	}
	return nil
}

func (f *File) bad(reason error, detail string) error {
	return &Error{Path: f.path, Reason: reason, Detail: detail}
}

// failed returns err, of reading the file, with the file's name.
func (f *File) failed(err error) error {
	return fmt.Errorf("read rdb file %s: %w", shownPath(f.path), withoutPath(err))
}

// Info returns what was learnt when the file was opened.
func (f *File) Info() Info { return f.info }

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

// from returns the file's bytes from an offset up to its end. Reading them heeds ctx.
func (f *File) from(ctx context.Context, offset int64) io.Reader {
	return contextReader{ctx: ctx, in: io.NewSectionReader(f.file, offset, f.end-offset)}
}

// contextReader reads until its context is done.
type contextReader struct {
	ctx context.Context
	in  io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.in.Read(b)
}
