package rdb

import (
	"bufio"
	"bytes"
	"context"
	"fmt"

	"github.com/hdt3213/rdb/core"
	"github.com/hdt3213/rdb/model"

	"github.com/lanyardctl/lanyardctl/store/layout"
)

const (
	// longestID is the length of the longest user id. What is longer is no owner of an API key.
	longestID = 20

	// manyPairs is the number of pairs from which on a compact hash does not tell how many it has.
	manyPairs = 1 << 15

	// loadBuffer is how much is read of a key that stands somewhere else in the file.
	loadBuffer = 1 << 10
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
	var err error
	if e.typ == typeString {
		err = fetchText(w, &found)
	} else {
		err = v.fetchHash(w, e.typ, &found)
	}
	if err != nil {
		return layout.Found{}, err
	}
	if found.Size > layout.MaxValue {
		found.State, found.Text, found.Hash, found.Type = layout.TooLarge, "", nil, w.typeName(e.typ)
	} else {
		found.Size = 0
	}
	return found, nil
}

func fetchText(w *walker, found *layout.Found) error {
	limit := int64(layout.MaxValue)
	if found.Layout == layout.APIKey {
		limit = longestID
	}
	h, err := w.head()
	if err != nil {
		return err
	}
	w.size = int64(h.length)
	found.Size = w.size
	if w.size > limit {
		return w.skip(h.stored)
	}
	text, err := w.body(h, nil)
	found.Text = string(text)
	return err
}

func (v *values) fetchHash(w *walker, typ byte, found *layout.Found) error {
	compact := isCompactHash(typ)
	hash, whole, err := v.decode(w, typ)
	found.Size = w.size
	if err != nil || !whole {
		return err
	}
	found.Size, found.Hash = 0, make(map[string]string, len(hash))
	for name, value := range hash {
		found.Hash[name] = string(value)
		found.Size += int64(len(name) + len(value))
	}
	switch {
	case compact && len(hash) >= manyPairs:
		return w.fault(unknown, fmt.Sprintf("a compact hash with more than %d fields", manyPairs-1))
	case !compact && found.Size != w.size:
		return w.fault(broken, "a hash has another size than the file says")
	}
	return nil
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

// decode walks over a hash and has the library decode it. It reports false where the hash is larger than
// [layout.MaxValue].
func (v *values) decode(w *walker, typ byte) (hash map[string][]byte, whole bool, err error) {
	if typ == typeHashZipmap {
		return nil, false, w.fault(unknown, "a hash in the form of Redis 2.4")
	}
	w.kept = append(append(v.kept[:0], oneKey...), typ, 0)
	w.keeping = true
	err = w.value(typ)
	kept, whole := w.kept, w.keeping
	w.kept, w.keeping = nil, false
	if err != nil || !whole {
		return nil, false, err
	}
	kept = append(kept, opEnd)
	v.bytes.Reset(kept)
	v.in.Reset(&v.bytes)
	err = core.NewDecoder(v.in).Parse(func(o model.RedisObject) bool {
		if o, ok := o.(*model.HashObject); ok {
			hash = o.Hash
		}
		return true
	})
	if v.kept = kept; cap(kept) > maxBuffer {
		v.kept = nil
	}
	v.bytes.Reset(nil)
	if err != nil || hash == nil {
		// The library's error may quote the value.
		return nil, false, w.fault(broken, "a hash cannot be decoded")
	}
	return hash, true, nil
}
