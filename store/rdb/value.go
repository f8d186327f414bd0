package rdb

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/hdt3213/rdb/core"
	"github.com/hdt3213/rdb/model"

	"github.com/lanyardctl/lanyardctl/store/layout"
)

const (
	// longestID is the length of the longest user id. What is longer is no owner of an API key.
	longestID = 20

	// compactCost is more than what a compact hash takes besides its texts.
	compactCost = 1 << 20

	// manyPairs is the number of pairs from which on a compact hash does not tell how many it has. Such a one has at
	// least unclearSize bytes.
	manyPairs   = 1 << 15
	unclearSize = 4 * manyPairs

	// loadBuffer is how much is read of a key that stands somewhere else in the file.
	loadBuffer = 4 << 10
)

// values fetches values, one at a time.
type values struct {
	file    *File
	kept    []byte
	bytes   bytes.Reader
	in      *bufio.Reader // the library takes it as it is, since it has the size that the library wants
	section *walker       // for keys somewhere else in the file
}

func newValues(ctx context.Context, f *File) *values {
	return &values{file: f, in: bufio.NewReader(nil), section: newWalker(f.from(ctx, 0), loadBuffer, 0, f.end)}
}

// load fetches the key at an offset of the file.
func (v *values) load(ctx context.Context, start int64, l layout.Layout) (layout.Found, error) {
	v.section.in.Reset(v.file.from(ctx, start))
	v.section.at = start
	e, _, err := v.section.next()
	if err != nil {
		return layout.Found{}, err
	}
	return v.fetch(v.section, e, l)
}

// fetch walks over the value of e and decodes it. Of an API key it fetches only what can be a user id; a longer text
// names no owner, and is empty.
func (v *values) fetch(w *walker, e entry, l layout.Layout) (layout.Found, error) {
	found := layout.Found{Key: string(e.key), Layout: l, State: stateOf(e, l), Expires: e.expires != never}
	if found.State == layout.WrongType {
		err := w.value(e.typ)
		found.Type, found.Size = w.typeName(e.typ), w.size
		return found, err
	}
	w.limit = layout.MaxValue
	switch {
	case l == layout.APIKey:
		w.limit = longestID
	case isCompactHash(e.typ):
		w.limit += compactCost
	}
	object, err := v.decode(w, e.typ)
	if err != nil {
		return layout.Found{}, err
	}
	size := w.size
	switch object := object.(type) {
	case *model.StringObject:
		found.Text = string(object.Value)
		size = int64(len(found.Text))
	case *model.HashObject:
		found.Hash = make(map[string]string, len(object.Hash))
		size = 0
		for name, value := range object.Hash {
			found.Hash[name] = string(value)
			size += int64(len(name) + len(value))
		}
		if isCompactHash(e.typ) && len(found.Hash) >= manyPairs {
			return layout.Found{}, w.fault(unknown, fmt.Sprintf("a compact hash with more than %d fields", manyPairs-1))
		}
	}
	if size != w.size && !isCompactHash(e.typ) {
		return layout.Found{}, w.fault(broken, "a value has another size than the file says")
	}
	if size > layout.MaxValue {
		found.State, found.Text, found.Hash = layout.TooLarge, "", nil
		found.Type, found.Size = w.typeName(e.typ), size
	}
	return found, nil
}

// stateOf tells by the type alone what e holds.
func stateOf(e entry, l layout.Layout) layout.State {
	if l.IsHash() && isHash(e.typ) || !l.IsHash() && e.typ == typeString {
		return layout.Present
	}
	return layout.WrongType
}

// oneKey is the beginning of a file that consists of one key with an empty name: the header, to which the type, the
// name's length, the value and the mark of the end are added.
const oneKey = magic + "0012"

// decode walks over a value and has the library decode it. The object is nil where it is larger than the walker's limit.
func (v *values) decode(w *walker, typ byte) (model.RedisObject, error) {
	if typ == typeHashZipmap {
		return nil, w.fault(unknown, "a hash in the form of Redis 2.4")
	}
	w.kept = append(append(v.kept[:0], oneKey...), typ, 0)
	w.keeping = true
	err := w.value(typ)
	kept, whole := w.kept, w.keeping
	w.kept, w.keeping = nil, false
	if err != nil || !whole {
		return nil, err
	}
	v.bytes.Reset(append(kept, opEnd))
	length := int(v.bytes.Size())
	if v.kept = kept; cap(kept) > maxBuffer {
		v.kept = nil
	}
	v.in.Reset(&v.bytes)
	defer v.bytes.Reset(nil)
	var object model.RedisObject
	decoder := core.NewDecoder(v.in)
	err = decoder.Parse(func(o model.RedisObject) bool {
		object = o
		return true
	})
	if err == nil && (object == nil || decoder.GetReadCount() != length) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		// The library's error may quote the value.
		return nil, w.fault(broken, "a value cannot be decoded")
	}
	return object, nil
}
