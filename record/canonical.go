package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
)

// Digest identifies a record's content: 128 bits of SHA-256 over its canonical encoding. Records that mean the same
// have the same digest, whatever their number types, field order and origin.
type Digest [16]byte

// String returns the digest as 32 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Digest returns the digest of r.
func (r Record) Digest() Digest {
	var scratch [512]byte
	sum := sha256.Sum256(r.AppendCanonical(scratch[:0]))
	return Digest(sum[:16])
}

// AppendCanonical appends r's canonical encoding to b. The encoding is self-delimiting: tagged values, lengths before
// texts, names in ascending order, whole numbers within int64 as integers.
func (r Record) AppendCanonical(b []byte) []byte {
	if r.Name == (Name{}) {
		b = append(b, byte(r.Kind))
		b = binary.BigEndian.AppendUint64(b, uint64(r.User))
	} else {
		b = append(b, byte(r.Kind)|named)
		b = appendText(b, r.Name.String())
	}
	switch r.Kind.Shape() {
	case TextShape:
		return appendText(b, r.APIKey)
	case TimeShape:
		return binary.BigEndian.AppendUint64(b, uint64(r.Time))
	case FieldsShape:
	}
	b = binary.AppendUvarint(b, uint64(len(r.Fields)))
	var scratch [16]string
	for _, name := range r.AppendFieldNames(scratch[:0]) {
		b = appendText(b, name)
		b = appendCanonical(b, r.Fields[name].Value)
	}
	return b
}

// named is the bit of the kind's byte that tells that a name follows in place of a user. No kind has it.
const named = 0x80

func appendText(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendCanonical(b []byte, v Value) []byte {
	switch v := simplify(v).(type) {
	case bool:
		if v {
			return append(b, 't')
		}
		return append(b, 'f')
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 'i'), uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 'd'), math.Float64bits(v))
	case notANumber:
		return append(b, 'N')
	case string:
		return appendText(append(b, 's'), v)
	case Array:
		b = binary.AppendUvarint(append(b, 'a'), uint64(len(v)))
		for _, e := range v {
			b = appendCanonical(b, e)
		}
		return b
	case Object:
		b = binary.AppendUvarint(append(b, 'o'), uint64(len(v)))
		var scratch [8]string
		for _, name := range appendNames(scratch[:0], v) {
			b = appendText(b, name)
			b = appendCanonical(b, v[name])
		}
		return b
	case Opaque:
		return appendText(append(b, 'x', v.Type), string(v.Data))
	}
	return append(b, 'n')
}
