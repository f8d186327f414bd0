package record

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
)

// Digest identifies a record's content: 128 bits of SHA-256 over its canonical encoding. Records that mean the same
// have the same digest, whatever their number types, field order and origin.
type Digest [16]byte

// String returns the digest as 32 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Digest returns the digest of r.
func (r Record) Digest() Digest {
	var scratch [512]byte
	return digestOf(r.AppendCanonical(scratch[:0]))
}

func digestOf(canonical []byte) Digest {
	sum := sha256.Sum256(canonical)
	return Digest(sum[:16])
}

// AppendCanonical appends r's canonical encoding to b. The encoding is self-delimiting: tagged values, lengths before
// texts, names in ascending order, whole numbers within int64 as integers.
func (r Record) AppendCanonical(b []byte) []byte {
	switch {
	case r.Name == (Name{}):
		b = appendUser(b, r.Kind, r.User)
	case r.Kind >= otherTable: // which has another number in another run
		b = append(b, byte(otherTable)|named)
		b = appendText(appendText(b, r.Kind.String()), r.Name.String())
	default:
		b = append(b, byte(r.Kind)|named)
		b = appendText(b, r.Name.String())
	}
	switch r.Kind.Shape() {
	case TextShape:
		return appendText(b, r.APIKey)
	case TimeShape:
		return appendInt(b, r.Time)
	case FieldsShape:
	}
	var few [fewNames]string
	b = binary.AppendUvarint(b, uint64(len(r.Fields)))
	for _, name := range AppendNames(few[:0], r.Fields) {
		b = appendText(b, name)
		b = appendCanonical(b, r.Fields[name].Value)
	}
	return b
}

// fewNames is how many names are sorted without an allocation.
const fewNames = 32

// named is the bit of the kind's byte that tells that a name follows in place of a user. No kind has it.
const named = 0x80

func appendUser(b []byte, kind Kind, user UserID) []byte {
	return appendInt(append(b, byte(kind)), int64(user))
}

func appendText[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func appendInt(b []byte, n int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 't')
	}
	return append(b, 'f')
}

func appendCanonical(b []byte, v Value) []byte {
	switch v := v.(type) {
	case bool:
		return appendBool(b, v)
	case int64:
		return appendInt(append(b, 'i'), v)
	case float64:
		return appendFloat(b, v)
	case string:
		return appendText(append(b, 's'), v)
	case Decimal:
		if f, exact := v.Float(); exact {
			return appendFloat(b, f)
		}
		return appendText(append(b, 'D'), string(v))
	case Binary:
		return appendText(append(b, 'b'), string(v))
	case Set:
		return appendCanonical(appendText(append(b, 'S'), string(v.Type)), v.Members)
	case Array:
		b = binary.AppendUvarint(append(b, 'a'), uint64(len(v)))
		for _, e := range v {
			b = appendCanonical(b, e)
		}
		return b
	case Object:
		var few [fewNames]string
		b = binary.AppendUvarint(append(b, 'o'), uint64(len(v)))
		for _, name := range AppendNames(few[:0], v) {
			b = appendText(b, name)
			b = appendCanonical(b, v[name])
		}
		return b
	case Opaque:
		return appendText(append(b, 'x', v.Type), v.Data)
	}
	return append(b, 'n')
}

func appendFloat(b []byte, f float64) []byte {
	if n, whole := wholeNumber(f); whole {
		return appendInt(append(b, 'i'), n)
	}
	if math.IsNaN(f) {
		return append(b, 'N')
	}
	return appendInt(append(b, 'd'), int64(math.Float64bits(f)))
}

// Canonical is a [Record.AppendCanonical] in the making, for a store that finds in a document's own encoding what it
// says, and decodes no record for it. It is used for one record after another.
type Canonical struct{ b []byte }

// Begin begins the record of a user. There follow, by the kind's [Shape], a Text, a Time, or [RecordFields].
func (c *Canonical) Begin(kind Kind, user UserID) { c.b = appendUser(c.b[:0], kind, user) }

// Text adds an API key, or a name before its value.
func (c *Canonical) Text(text []byte) { c.b = appendText(c.b, text) }

// Time adds a time.
func (c *Canonical) Time(t int64) { c.b = appendInt(c.b, t) }

// Null adds a value.
func (c *Canonical) Null() { c.b = append(c.b, 'n') }

// Bool adds a value.
func (c *Canonical) Bool(v bool) { c.b = appendBool(c.b, v) }

// Int adds a value.
func (c *Canonical) Int(v int64) { c.b = appendInt(append(c.b, 'i'), v) }

// Float adds a value.
func (c *Canonical) Float(v float64) { c.b = appendFloat(c.b, v) }

// String adds a value.
func (c *Canonical) String(v []byte) { c.b = appendText(append(c.b, 's'), v) }

// Members is what a part of a record consists of.
type Members byte

// What there is.
const (
	RecordFields Members = 0
	ObjectFields Members = 'o'
	ArrayValues  Members = 'a'
)

// Open begins the fields of a record or of an object, each of which is a Text and a value, in strictly ascending order of
// their names, or the values of an array. Close takes what it returns.
func (c *Canonical) Open(m Members) (at int) {
	if m != RecordFields {
		c.b = append(c.b, byte(m))
	}
	c.b = append(c.b, 0) // room for what is mostly enough for a count
	return len(c.b)
}

// Close ends what was opened, which has n members.
func (c *Canonical) Close(at, n int) {
	var count [binary.MaxVarintLen64]byte
	c.b = slices.Replace(c.b, at-1, at, count[:binary.PutUvarint(count[:], uint64(n))]...)
}

// Digest returns the [Record.Digest].
func (c *Canonical) Digest() Digest { return digestOf(c.b) }
