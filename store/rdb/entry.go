package rdb

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Opcodes stand where else a key's type stands.
const (
	opSlotInfo  = 244 // three numbers about a slot of a Cluster
	opFunction  = 245 // a library of functions
	opModuleAux = 247
	opIdle      = 248
	opFreq      = 249
	opAux       = 250
	opResize    = 251
	opExpireMS  = 252
	opExpire    = 253
	opSelect    = 254
	opEnd       = 255
	firstOpcode = 243 // the lowest that any Redis has
	highestType = 25  // the highest type that any Redis has in these formats
	longestAux  = 256 // bytes of a field's name or value that is read

	// maxBuffer is up to which size a buffer is used again.
	maxBuffer = 1 << 20
)

// never stands for the time at which a key without one expires.
const never = math.MinInt64

// entry is a key of a file.
type entry struct {
	start   int64 // offset of the first byte that belongs to the key
	db      uint64
	typ     byte
	expires int64  // Unix milliseconds, or never
	key     []byte // until the next call of the walker
}

// next goes to the next key, whose value must then be walked over by value. It reports false at the end of the file.
func (w *walker) next() (e entry, more bool, err error) {
	e = entry{start: w.at, expires: never}
	for {
		op, err := w.byte()
		if err != nil {
			return entry{}, false, err
		}
		switch op {
		case opExpireMS:
			var b [8]byte
			err = w.full(b[:])
			e.expires = int64(binary.LittleEndian.Uint64(b[:]))
		case opExpire:
			var b [4]byte
			err = w.full(b[:])
			e.expires = int64(int32(binary.LittleEndian.Uint32(b[:]))) * 1000
		case opIdle:
			err = w.counts(1)
		case opFreq:
			err = w.skip(1)
		case opEnd:
			if w.at != w.end {
				err = w.fault(goesOn, "data follows the mark of the end")
			}
			return entry{}, false, err
		default:
			if op < firstOpcode {
				e.typ = op
				return w.entry(e)
			}
			err = w.opcode(op)
			e = entry{start: w.at, expires: never}
		}
		if err != nil {
			return entry{}, false, err
		}
	}
}

// entry reads the key of e.
func (w *walker) entry(e entry) (entry, bool, error) {
	e.db = w.db
	if w.skipKeys {
		return e, true, w.string()
	}
	if cap(w.key) > maxBuffer {
		w.key = nil
	}
	key, err := w.text(w.key)
	if err != nil {
		return entry{}, false, err
	}
	w.key, e.key = key, key
	return e, true, nil
}

// opcode passes over what belongs to no key.
func (w *walker) opcode(op byte) (err error) {
	switch op {
	case opSelect:
		w.db, err = w.count()
	case opResize:
		err = w.counts(2)
	case opSlotInfo:
		err = w.counts(3)
	case opAux:
		err = w.auxField()
	case opFunction:
		w.functions++
		err = w.string()
	case opModuleAux:
		if _, err = w.count(); err == nil {
			err = w.moduleData()
		}
	default:
		err = w.fault(unknown, fmt.Sprintf("opcode %d", op))
	}
	return err
}

func (w *walker) auxField() error {
	var texts [2]string
	for i := range texts {
		h, err := w.head()
		if err != nil {
			return err
		}
		if w.aux == nil || h.length > longestAux {
			err = w.skip(h.stored)
		} else {
			var b []byte
			b, err = w.body(h, nil)
			texts[i] = string(b)
		}
		if err != nil {
			return err
		}
	}
	if w.aux != nil {
		w.aux(texts[0], texts[1])
	}
	return nil
}
