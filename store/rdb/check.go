package rdb

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"strconv"
	"time"

	"github.com/hdt3213/rdb/crc64jones"
)

// checkBody reads the file once: it computes the checksum and follows the structure to its end.
func (f *File) checkBody(ctx context.Context) error {
	sum := crc64jones.New()
	w := newWalker(io.TeeReader(f.from(ctx, 0), sum), readBuffer, 0, f.end)
	w.skipKeys, w.aux = true, f.aux
	err := f.follow(w)
	var fault *fault
	if err != nil && !errors.As(err, &fault) {
		return f.failed(err)
	}
	f.info.Functions = w.functions
	if _, err := io.Copy(io.Discard, w.in); err != nil {
		return f.failed(err)
	}
	f.sum = sum.Sum64()
	state, err := f.compareSum()
	if err != nil {
		return err
	}
	f.info.Checksum = state == matches
	endInPlace, err := f.endInPlace()
	if err != nil {
		return err
	}
	if err := f.appendOnly(fault, state); err != nil {
		return err
	}
	if bad := judge(fault, state, endInPlace); bad != nil {
		bad.Path = f.path
		return bad
	}
	return nil
}

// follow walks over all keys and counts those of the database.
func (f *File) follow(w *walker) error {
	if err := w.skip(uint64(headerSize)); err != nil {
		return err
	}
	for {
		e, more, err := w.next()
		if err != nil || !more {
			return err
		}
		if e.db == uint64(f.info.DB) {
			f.info.Keys++
			f.info.Expires = f.info.Expires || e.expires != never
		}
		if err := w.value(e.typ); err != nil {
			return err
		}
	}
}

// aux takes a field that the server says of itself.
func (f *File) aux(name, value string) {
	switch name {
	case "redis-ver", "valkey-ver":
		f.info.RedisVersion = value
	case "ctime":
		if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
			f.info.SavedAt = time.Unix(seconds, 0)
		}
	case "aof-base", "aof-preamble": // since Redis 7, and before it; zero in a dump
		f.base = f.base || value == "1"
	}
}

// appendOnly returns an error where the file, whose structure was followed up to the fault, belongs to an append-only
// file. Its commands follow the checksum, the first of them with an asterisk.
func (f *File) appendOnly(fault *fault, sum checksum) error {
	if fault != nil && fault.kind == goesOn {
		var b [1]byte
		if _, err := f.file.ReadAt(b[:], fault.offset+sumSize); err != nil && err != io.EOF {
			return f.failed(err)
		}
		if f.base || b[0] == '*' {
			return f.bad(ErrAppendOnly, "commands follow its end, which are not read")
		}
	}
	if f.base && fault == nil && sum != differs {
		return f.bad(ErrAppendOnly, "it is the base, which holds less than the server")
	}
	return nil
}

func (f *File) compareSum() (checksum, error) {
	if f.end == f.info.Size {
		return missing, nil
	}
	var b [sumSize]byte
	if _, err := f.file.ReadAt(b[:], f.end); err != nil {
		return differs, f.failed(err)
	}
	switch binary.LittleEndian.Uint64(b[:]) {
	case f.sum:
		return matches, nil
	case 0:
		return missing, nil
	}
	return differs, nil
}

func (f *File) endInPlace() (bool, error) {
	var b [1]byte
	if _, err := f.file.ReadAt(b[:], f.end-1); err != nil {
		return false, f.failed(err)
	}
	return b[0] == opEnd, nil
}

// unchanged returns an error where the file was written to since it was opened.
func (f *File) unchanged() error {
	now, err := f.file.Stat()
	if err != nil {
		return f.failed(err)
	}
	if now.Size() != f.info.Size || !now.ModTime().Equal(f.opened.ModTime()) {
		return f.bad(ErrCorrupt, "it was changed while it was read")
	}
	return nil
}

// stopped returns why a reading of the file, which was whole when it was opened, ended with err.
func (f *File) stopped(err error) error {
	var fault *fault
	if !errors.As(err, &fault) {
		return f.failed(err)
	}
	if err := f.unchanged(); err != nil {
		return err
	}
	if f.info.Checksum || fault.kind == unknown {
		return f.bad(ErrUnsupported, fault.Error())
	}
	return f.bad(ErrCorrupt, fault.Error())
}
