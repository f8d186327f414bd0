package sweep

import (
	"encoding/binary"

	"github.com/lanyardctl/lanyardctl/record"
)

// entry is what one document, key or member tells of a user, in few bytes.
type entry struct {
	user  record.UserID
	group uint16 // a collection, or firstClaim and the index of a place
	id    string // of the document; empty for what is no document of the target
	flags byte

	// right is the integer that the app reads as the date, where it reads one; else zero.
	right int64

	finds []find
}

// firstClaim is the group of the first place that is none of the target's collections.
const firstClaim = 16

// The flags of an entry.
const (
	numeric byte = 1 << iota // the user id is a number
	keyless                  // an API key document without a key
)

// find is what stands at a place: a plausible date, or, where fault is not zero, something else.
type find struct {
	place uint16 // index in the job's places
	fault uint16 // index in the job's faults, from 1
	date  int64  // Unix seconds
}

// append appends e's encoding to b. Encodings sort by user, group and document.
func (e entry) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(e.user))
	b = binary.BigEndian.AppendUint16(b, e.group)
	b = binary.AppendUvarint(b, uint64(len(e.id)))
	b = append(b, e.id...)
	b = append(b, e.flags)
	b = binary.AppendVarint(b, e.right)
	for _, f := range e.finds {
		b = binary.AppendUvarint(b, uint64(f.place))
		b = binary.AppendUvarint(b, uint64(f.fault))
		b = binary.AppendVarint(b, f.date)
	}
	return b
}

// decode reads what append wrote. The finds are good until the next call.
func (e *entry) decode(b []byte) {
	e.user = record.UserID(binary.BigEndian.Uint64(b))
	e.group = binary.BigEndian.Uint16(b[8:])
	b = b[10:]
	length, n := binary.Uvarint(b)
	e.id = string(b[n : n+int(length)])
	b = b[n+int(length):]
	e.flags = b[0]
	e.right, n = binary.Varint(b[1:])
	b = b[1+n:]
	e.finds = e.finds[:0]
	for len(b) > 0 {
		var f find
		var v uint64
		v, n = binary.Uvarint(b)
		f.place, b = uint16(v), b[n:]
		v, n = binary.Uvarint(b)
		f.fault, b = uint16(v), b[n:]
		f.date, n = binary.Varint(b)
		b = b[n:]
		e.finds = append(e.finds, f)
	}
}

// same reports whether both tell of the same document.
func (e entry) same(o entry) bool { return e.user == o.user && e.group == o.group && e.id == o.id }
