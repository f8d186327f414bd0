package rdb

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Why a file cannot be read. The error of [Open] and of a reading wraps one of these, or the operating system's or the
// context's.
var (
	ErrNotRDB      = errors.New("this is no RDB file")
	ErrTooNew      = errors.New("its format is newer than those that are known")
	ErrTruncated   = errors.New("its end is missing")
	ErrCorrupt     = errors.New("it is damaged")
	ErrUnsupported = errors.New("it holds something that cannot be read")

	// ErrAppendOnly tells of a file that is a part of an append-only file: what was written later stands in others, or
	// behind its end.
	ErrAppendOnly = errors.New("it belongs to an append-only file")
)

// Error is a file that cannot be read. Its text holds nothing of the file's content.
type Error struct {
	Path   string
	Reason error // one of this package's errors
	Detail string
}

// Error returns the path, the reason and the detail.
func (e *Error) Error() string {
	parts := []string{"rdb file " + shownPath(e.Path), e.Reason.Error()}
	if e.Detail != "" {
		parts = append(parts, e.Detail)
	}
	return strings.Join(parts, ": ")
}

// shownPath returns the path as it is, unless a terminal would do something else with it than show it.
func shownPath(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
		return strconv.Quote(path)
	}
	return path
}

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }

// fault is a place at which a file cannot be followed.
type fault struct {
	kind   faultKind
	offset int64
	detail string
}

type faultKind uint8

const (
	broken  faultKind = iota // it makes no sense
	ranOut                   // more bytes should follow than there are
	unknown                  // a type or opcode that some newer or older Redis writes
	goesOn                   // data follows the mark of the end
)

// Error returns what is wrong, and where.
func (f *fault) Error() string { return fmt.Sprintf("%s at byte %d", f.detail, f.offset) }

// checksum is what the checksum at the end of a file tells.
type checksum uint8

const (
	differs checksum = iota
	matches
	missing // the server was told to write none, or the format has none
)

// judge says why a file with the checksum cannot be read, given the fault at which following it ended, nil for none. The
// end is in place where the mark of the end stands where it should. It returns nil for a file that can be read.
func judge(f *fault, sum checksum, endInPlace bool) *Error {
	switch {
	case f == nil && sum == differs:
		return &Error{Reason: ErrCorrupt, Detail: "the checksum does not fit"}
	case f == nil:
		return nil
	case sum == matches, sum == missing && f.kind == unknown:
		return &Error{Reason: ErrUnsupported, Detail: f.Error()}
	case f.kind == ranOut && !endInPlace:
		return &Error{Reason: ErrTruncated, Detail: f.Error()}
	}
	return &Error{Reason: ErrCorrupt, Detail: f.Error()}
}
