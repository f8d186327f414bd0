package sweep

import (
	"encoding/binary"

	"github.com/lanyardctl/lanyardctl/record"
)

// entry is what one document, key or member tells of a user, in few bytes.
type entry struct {
	user  record.UserID
	group uint16 // a collection, or firstPlace and the index of a place
	id    string // of the document; empty for what is no document of the target
	flags byte

	// canonical is the integer that the app reads as the date, where it reads one; else zero.
	canonical int64

	dates []foundDate
}

// firstPlace is the group of the first place that is none of the target's collections.
const firstPlace = 16

// The flags of an entry.
const (
	numeric byte = 1 << iota // the user id is a number
	keyless                  // an API key document without a key
)

// foundDate is what stands at a place: a plausible date, or, where defect is not zero, something else.
type foundDate struct {
	place  uint16 // index in the job's places
	defect uint16 // index in the job's defects, from 1
	date   int64  // Unix seconds
}

// append appends e's encoding to b. Encodings sort by user, group and document.
func (e entry) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.user))
	b = binary.BigEndian.AppendUint16(b, e.group)
	b = binary.AppendUvarint(b, uint64(len(e.id)))
	b = append(b, e.id...)
	b = append(b, e.flags)
	b = binary.AppendVarint(b, e.canonical)
	for _, f := range e.dates {
		b = binary.AppendUvarint(b, uint64(f.place))
		b = binary.AppendUvarint(b, uint64(f.defect))
		b = binary.AppendVarint(b, f.date)
	}
	return b
}

// decode reads what append wrote. The dates are good until the next call.
func (e *entry) decode(b []byte) {
	e.user = record.UserID(binary.BigEndian.Uint64(b))
	e.group = binary.BigEndian.Uint16(b[8:])
	b = b[10:]
	length, n := binary.Uvarint(b)
	e.id = string(b[n : n+int(length)])
	b = b[n+int(length):]
	e.flags = b[0]
	e.canonical, n = binary.Varint(b[1:])
	b = b[1+n:]
	e.dates = e.dates[:0]
	for len(b) > 0 {
		var f foundDate
		var v uint64
		v, n = binary.Uvarint(b)
		f.place, b = uint16(v), b[n:]
		v, n = binary.Uvarint(b)
		f.defect, b = uint16(v), b[n:]
		f.date, n = binary.Varint(b)
		b = b[n:]
		e.dates = append(e.dates, f)
	}
}

// same reports whether both tell of the same document.
func (e entry) same(o entry) bool { return e.user == o.user && e.group == o.group && e.id == o.id }
