package rdb_test

import (
	"encoding/binary"

	"github.com/hdt3213/rdb/crc64jones"
)

// made is an RDB file made by hand, for what no server at hand writes.
type made struct {
	b       []byte
	version int
}

func newMade(version int) *made {
	digits := []byte("0000")
	for i, v := len(digits)-1, version; i >= 0; i, v = i-1, v/10 {
		digits[i] += byte(v % 10)
	}
	return &made{b: append([]byte("REDIS"), digits...), version: version}
}

// str returns the text as a file spells it.
func str(text string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0x80}, uint32(len(text))), text...)
}

// raw adds bytes.
func (m *made) raw(b ...byte) *made {
	m.b = append(m.b, b...)
	return m
}

// key adds a key of a type, with the parts of its value.
func (m *made) key(typ byte, name string, value ...[]byte) *made {
	m.raw(typ).raw(str(name)...)
	for _, v := range value {
		m.raw(v...)
	}
	return m
}

func (m *made) text(name, value string) *made { return m.key(0, name, str(value)) }

// end adds the mark of the end, and the checksum where the format has one.
func (m *made) end() []byte {
	m.raw(0xff)
	if m.version >= 5 {
		return sum(m.b)
	}
	return m.b
}

// unsummed is end with the checksum of a server that was told to write none.
func (m *made) unsummed() []byte { return append(append(m.b, 0xff), make([]byte, 8)...) }

// sum adds the checksum of all that is there.
func sum(b []byte) []byte {
	h := crc64jones.New()
	h.Write(b)
	return binary.LittleEndian.AppendUint64(b, h.Sum64())
}

// withoutSum returns the file with the checksum of a server that was told to write none.
func withoutSum(b []byte) []byte {
	return append(append([]byte(nil), b[:len(b)-8]...), make([]byte, 8)...)
}
