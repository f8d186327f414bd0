package rdb

import (
	"bufio"
	"encoding/binary"
	"io"
	"strconv"

	"github.com/hdt3213/rdb/lzf"

	"github.com/lanyardctl/lanyardctl/store/layout"
)

// walker follows the structure of a file. It reads keys, but of values only how long they are, unless it is told to keep
// a copy.
type walker struct {
	in  *bufio.Reader
	at  int64 // offset of the next byte
	end int64 // offset behind the mark of the end
	db  uint64

	// skipKeys leaves entry.key empty.
	skipKeys bool

	// aux, where set, is called with the short ones of the fields that the server says of itself.
	aux       func(name, value string)
	functions int // libraries met

	key    []byte
	size   int64  // of the value that value walked over: the bytes of its texts, uncompressed
	module uint64 // the type's id, of a module's value

	keeping bool
	kept    []byte // what was read while keeping; nothing of a value over layout.MaxValue
}

func newWalker(r io.Reader, buffer int, at, end int64) *walker {
	return &walker{in: bufio.NewReaderSize(r, buffer), at: at, end: end}
}

func (w *walker) fault(kind faultKind, detail string) error {
	return &fault{kind: kind, offset: w.at, detail: detail}
}

// need reports an error where fewer than n bytes are left.
func (w *walker) need(n uint64) error {
	if n > uint64(w.end-w.at) {
		return w.fault(ranOut, "more data should follow")
	}
	return nil
}

// readFailed turns the end of a file that was longer when it was opened into a fault.
func (w *walker) readFailed(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return w.fault(ranOut, "the file ends")
	}
	return err
}

func (w *walker) byte() (byte, error) {
	if err := w.need(1); err != nil {
		return 0, err
	}
	b, err := w.in.ReadByte()
	if err != nil {
		return 0, w.readFailed(err)
	}
	w.at++
	if w.keeping {
		w.kept = append(w.kept, b)
	}
	return b, nil
}

// full fills b.
func (w *walker) full(b []byte) error {
	if err := w.need(uint64(len(b))); err != nil {
		return err
	}
	n, err := io.ReadFull(w.in, b)
	w.at += int64(n)
	if err != nil {
		return w.readFailed(err)
	}
	if w.keeping {
		w.kept = append(w.kept, b...)
	}
	return nil
}

// skip passes over n bytes.
func (w *walker) skip(n uint64) error {
	if err := w.need(n); err != nil {
		return err
	}
	if w.keeping {
		from := len(w.kept)
		w.kept = append(w.kept, make([]byte, n)...)
		read, err := io.ReadFull(w.in, w.kept[from:])
		w.at += int64(read)
		return w.readFailedOr(err)
	}
	for n > 0 {
		step := min(n, 1<<30) // Discard takes an int
		read, err := w.in.Discard(int(step))
		w.at += int64(read)
		if err != nil {
			return w.readFailed(err)
		}
		n -= step
	}
	return nil
}

func (w *walker) readFailedOr(err error) error {
	if err != nil {
		return w.readFailed(err)
	}
	return nil
}

// Strings in these forms have one of these in place of their length.
const (
	int8Form  = 0
	int16Form = 1
	int32Form = 2
	lzfForm   = 3
)

// length reads a length, or the number of a string's special form.
func (w *walker) length() (n uint64, special bool, err error) {
	first, err := w.byte()
	if err != nil {
		return 0, false, err
	}
	var b [8]byte
	switch {
	case first>>6 == 0:
		return uint64(first & 0x3f), false, nil
	case first>>6 == 1:
		next, err := w.byte()
		return uint64(first&0x3f)<<8 | uint64(next), false, err
	case first>>6 == 3:
		return uint64(first & 0x3f), true, nil
	case first == 0x80:
		err := w.full(b[:4])
		return uint64(binary.BigEndian.Uint32(b[:])), false, err
	case first == 0x81:
		err := w.full(b[:8])
		return binary.BigEndian.Uint64(b[:]), false, err
	}
	return 0, false, w.fault(broken, "no length stands where one should")
}

// count reads a length that has no special form.
func (w *walker) count() (uint64, error) {
	n, special, err := w.length()
	if err == nil && special {
		err = w.fault(broken, "no number stands where one should")
	}
	return n, err
}

// counts passes over n lengths.
func (w *walker) counts(n int) error {
	for range n {
		if _, err := w.count(); err != nil {
			return err
		}
	}
	return nil
}

// head is what stands before the bytes of a string.
type head struct {
	stored uint64 // bytes that follow
	length uint64 // bytes of the text
	packed bool   // what follows is compressed
	digits string // the text, where nothing follows
}

// lzfRatio is how many bytes one compressed byte can stand for at most: a reference takes 3 and stands for 264.
const lzfRatio = 88

func (w *walker) head() (head, error) {
	n, special, err := w.length()
	switch {
	case err != nil:
		return head{}, err
	case !special:
		return head{stored: n, length: n}, w.need(n)
	case n == lzfForm:
		return w.packedHead()
	case n > lzfForm:
		return head{}, w.fault(broken, "a string has no known form")
	}
	var b [4]byte
	if err := w.full(b[:1<<n]); err != nil {
		return head{}, err
	}
	var v int64
	switch n {
	case int8Form:
		v = int64(int8(b[0]))
	case int16Form:
		v = int64(int16(binary.LittleEndian.Uint16(b[:])))
	case int32Form:
		v = int64(int32(binary.LittleEndian.Uint32(b[:])))
	}
	digits := strconv.FormatInt(v, 10)
	return head{length: uint64(len(digits)), digits: digits}, nil
}

func (w *walker) packedHead() (head, error) {
	h := head{packed: true}
	var err error
	if h.stored, err = w.count(); err != nil {
		return head{}, err
	}
	if h.length, err = w.count(); err != nil {
		return head{}, err
	}
	if err := w.need(h.stored); err != nil {
		return head{}, err
	}
	if h.length > h.stored*lzfRatio {
		return head{}, w.fault(broken, "a compressed text claims to be longer than it can be")
	}
	return h, nil
}

// string passes over a string and adds its length to the value's size.
func (w *walker) string() error {
	h, err := w.head()
	if err != nil {
		return err
	}
	w.size += int64(h.length)
	if w.keeping && w.size > layout.MaxValue {
		w.keeping, w.kept = false, nil
	}
	return w.skip(h.stored)
}

// strings passes over n strings. Each is at least a byte, so a wrong n ends with the file.
func (w *walker) strings(n uint64) error {
	for range n {
		if err := w.string(); err != nil {
			return err
		}
	}
	return nil
}

// text reads a string into b, which grows as it has to.
func (w *walker) text(b []byte) ([]byte, error) {
	h, err := w.head()
	if err != nil {
		return nil, err
	}
	return w.body(h, b)
}

// body reads what follows a head into b.
func (w *walker) body(h head, b []byte) ([]byte, error) {
	if h.digits != "" {
		return append(b[:0], h.digits...), nil
	}
	if uint64(cap(b)) < h.stored {
		b = make([]byte, h.stored)
	}
	b = b[:h.stored]
	if err := w.full(b); err != nil || !h.packed {
		return b, err
	}
	plain, err := lzf.Decompress(b, len(b), int(h.length))
	if err != nil || uint64(len(plain)) != h.length {
		return nil, w.fault(broken, "a compressed text cannot be unpacked")
	}
	return plain, nil
}
