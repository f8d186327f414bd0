package rdb

import (
	"fmt"

	"github.com/hdt3213/rdb/core"
)

// The types of values, as files spell them. Redis keeps one type in several forms.
const (
	typeString = iota
	typeList
	typeSet
	typeZSet
	typeHash
	typeZSet2
	typeModule
	typeModule2
	_
	typeHashZipmap
	typeListZiplist
	typeSetIntset
	typeZSetZiplist
	typeHashZiplist
	typeListQuicklist
	typeStream
	typeHashListpack
	typeZSetListpack
	typeListQuicklist2
	typeStream2
	typeSetListpack
	typeStream3
)

// value walks over the value of the type that follows and sets size.
func (w *walker) value(typ byte) error {
	w.size = 0
	switch typ {
	case typeString, typeHashZipmap, typeListZiplist, typeSetIntset, typeZSetZiplist, typeHashZiplist, typeHashListpack,
		typeZSetListpack, typeSetListpack:
		return w.string()
	case typeList, typeSet, typeListQuicklist:
		return w.each(w.string)
	case typeHash:
		return w.each(func() error { return w.strings(2) })
	case typeZSet:
		return w.each(w.memberWithText)
	case typeZSet2:
		return w.each(func() error {
			if err := w.string(); err != nil {
				return err
			}
			w.size += 8
			return w.skip(8)
		})
	case typeListQuicklist2:
		return w.each(func() error {
			if err := w.counts(1); err != nil {
				return err
			}
			return w.string()
		})
	case typeModule2:
		id, err := w.count()
		if err != nil {
			return err
		}
		w.module = id
		return w.moduleData()
	case typeStream:
		return w.stream(1)
	case typeStream2:
		return w.stream(2)
	case typeStream3:
		return w.stream(3)
	case typeModule:
		return w.fault(unknown, "a module's value in a form that only the module can read")
	}
	kind := unknown
	if typ > highestType {
		kind = broken
	}
	return w.fault(kind, fmt.Sprintf("a value of type %d", typ))
}

// each walks over a number and as many elements. An element is at least a byte, so a wrong number ends with the file.
func (w *walker) each(element func() error) error {
	n, err := w.count()
	if err != nil {
		return err
	}
	for range n {
		if err := element(); err != nil {
			return err
		}
	}
	return nil
}

// memberWithText walks over a member of a sorted set whose score is text.
func (w *walker) memberWithText() error {
	if err := w.string(); err != nil {
		return err
	}
	n, err := w.byte()
	if err != nil || n >= 253 { // NaN and the infinities have no text
		return err
	}
	w.size += int64(n)
	return w.skip(uint64(n))
}

// The parts of a module's data, each with its number before it.
const (
	moduleEnd = iota
	moduleSigned
	moduleUnsigned
	moduleFloat
	moduleDouble
	moduleString
)

func (w *walker) moduleData() error {
	for {
		part, err := w.count()
		if err != nil {
			return err
		}
		switch part {
		case moduleEnd:
			return nil
		case moduleSigned, moduleUnsigned:
			err = w.counts(1)
		case moduleFloat:
			err = w.skip(4)
		case moduleDouble:
			err = w.skip(8)
		case moduleString:
			err = w.string()
		default:
			err = w.fault(broken, "a module's data has a part of no known form")
		}
		if err != nil {
			return err
		}
	}
}

// stream walks over a stream in one of its three forms.
func (w *walker) stream(form int) error {
	if err := w.each(func() error { return w.strings(2) }); err != nil {
		return err
	}
	facts := 3 // number of entries, last id
	if form >= 2 {
		facts += 5 // first id, highest id that was deleted, entries added
	}
	if err := w.counts(facts); err != nil {
		return err
	}
	return w.each(func() error { return w.streamGroup(form) })
}

// The parts of a stream that have a fixed size.
const (
	streamID   = 16
	streamTime = 8
)

func (w *walker) streamGroup(form int) error {
	if err := w.string(); err != nil {
		return err
	}
	facts := 2 // last id
	if form >= 2 {
		facts++ // entries read
	}
	if err := w.counts(facts); err != nil {
		return err
	}
	err := w.each(func() error {
		if err := w.skip(streamID + streamTime); err != nil {
			return err
		}
		return w.counts(1)
	})
	if err != nil {
		return err
	}
	return w.each(func() error { return w.streamConsumer(form) })
}

func (w *walker) streamConsumer(form int) error {
	if err := w.string(); err != nil {
		return err
	}
	times := 1 // seen
	if form >= 3 {
		times++ // active
	}
	if err := w.skip(uint64(times) * streamTime); err != nil {
		return err
	}
	return w.each(func() error { return w.skip(streamID) })
}

// isHash reports whether values of the type are hashes.
func isHash(typ byte) bool { return typ == typeHash || isCompactHash(typ) }

// isCompactHash reports whether values of the type are hashes that stand in one string.
func isCompactHash(typ byte) bool {
	return typ == typeHashZipmap || typ == typeHashZiplist || typ == typeHashListpack
}

// typeName returns Redis's name of the type of the value that value walked over.
func (w *walker) typeName(typ byte) string {
	switch typ {
	case typeString:
		return "string"
	case typeList, typeListZiplist, typeListQuicklist, typeListQuicklist2:
		return "list"
	case typeSet, typeSetIntset, typeSetListpack:
		return "set"
	case typeZSet, typeZSet2, typeZSetZiplist, typeZSetListpack:
		return "zset"
	case typeStream, typeStream2, typeStream3:
		return "stream"
	case typeModule2:
		return moduleName(w.module)
	}
	return "hash"
}

// moduleName returns the name of a module's type: nine characters of six bits each, above ten bits of version.
func moduleName(id uint64) string {
	var name [9]byte
	id >>= 10
	for i := range name {
		name[len(name)-1-i] = core.ModuleTypeNameCharSet[id&63]
		id >>= 6
	}
	return string(name[:])
}
