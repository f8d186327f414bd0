package discord

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/lanyardctl/lanyardctl/record"
)

// maxMember is how long one member of a file may be, with the blanks before it.
const maxMember = 1 << 20

// fileFault is what is wrong with a file's content, without any of it.
type fileFault struct{ detail string }

func (f *fileFault) Error() string { return f.detail }

func faultf(format string, args ...any) error { return &fileFault{fmt.Sprintf(format, args...)} }

// list is a text of members that is being read.
type list struct {
	in    *bounded
	dec   *json.Decoder
	start int64 // offset in the text of what dec reads
	array bool
	count int64
}

// begin goes to the first member of a text.
func begin(text io.Reader) (*list, error) {
	in := bufio.NewReader(text)
	l := &list{}
	mark, err := in.Peek(3)
	switch {
	case err != nil && err != io.EOF:
		return nil, err
	case bytes.HasPrefix(mark, []byte("\xff\xfe")), bytes.HasPrefix(mark, []byte("\xfe\xff")):
		return nil, faultf("it is UTF-16; save it as UTF-8")
	case bytes.Equal(mark, []byte("\xef\xbb\xbf")):
		if err := l.pass(in, len(mark)); err != nil {
			return nil, err
		}
	}
	for {
		next, err := in.Peek(1)
		switch {
		case err == io.EOF:
			return nil, faultf("nothing stands in it")
		case err != nil:
			return nil, err
		case bytes.ContainsAny(next, " \t\r\n"):
			if err := l.pass(in, 1); err != nil {
				return nil, err
			}
			continue
		case next[0] != '[' && next[0] != '{':
			return nil, faultf("byte %d begins neither", l.start)
		}
		l.in = &bounded{from: in, until: maxMember}
		l.dec = json.NewDecoder(l.in)
		if l.array = next[0] == '['; l.array {
			_, err = l.dec.Token()
		}
		return l, err
	}
}

// pass passes over bytes that were peeked at.
func (l *list) pass(in *bufio.Reader, n int) error {
	l.start += int64(n)
	_, err := in.Discard(n)
	return err
}

// next returns the next member; it reports false at the end.
func (l *list) next() (c record.DateValue, more bool, err error) {
	l.in.until = l.dec.InputOffset() + maxMember
	if l.array && !l.dec.More() {
		return record.DateValue{}, false, l.end()
	}
	var m *member
	err = l.dec.Decode(&m)
	var wrongType *json.UnmarshalTypeError
	switch {
	case err == io.EOF && !l.array:
		return record.DateValue{}, false, nil
	case errors.As(err, &wrongType), err == nil && m == nil:
		return record.DateValue{}, false, faultf("entry %d, which ends at byte %d, is no object", l.count+1, l.at())
	case err != nil:
		return record.DateValue{}, false, l.fault(err)
	case isNull(m.User) && bytes.HasPrefix(m.Members, []byte("[")):
		return record.DateValue{}, false, faultf("it is an object with the members inside; keep their array alone")
	}
	l.count++
	return m.dateValue(), true, nil
}

// at returns how far the text was understood.
func (l *list) at() int64 { return l.start + l.dec.InputOffset() }

// end makes sure that the array ends, and that nothing follows it.
func (l *list) end() error {
	if _, err := l.dec.Token(); err != nil {
		return l.fault(err)
	}
	at := l.at()
	switch _, err := l.dec.Token(); {
	case err == io.EOF:
		return nil
	case errors.Is(err, errTooLong):
		return l.fault(err)
	}
	return faultf("something follows the array, which ends at byte %d", at)
}

// fault says what is wrong with the next entry, or returns what went wrong in reading it.
func (l *list) fault(err error) error {
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return faultf("it ends in the middle: entry %d, after byte %d, is not complete", l.count+1, l.at())
	case errors.Is(err, errTooLong):
		return faultf("entry %d, after byte %d, is longer than a member", l.count+1, l.at())
	case errors.As(err, &syntax):
		return faultf("entry %d, after byte %d, is not JSON", l.count+1, l.at())
	}
	return err
}

var errTooLong = errors.New("a member takes more than a MiB")

// bounded reads up to an offset, so that what it is read into does not grow without bound.
type bounded struct {
	from  io.Reader
	at    int64
	until int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.at >= b.until {
		return 0, errTooLong
	}
	n, err := b.from.Read(p[:min(int64(len(p)), b.until-b.at)])
	b.at += int64(n)
	return n, err
}
