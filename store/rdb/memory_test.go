package rdb_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/rdb"
)

// inUse returns the bytes that are in use.
func inUse() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemoryDoesNotGrowWithTheFile reads 32 MiB of values that all have a sibling at the other end of the file.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	const users, size, bound = 32, 1 << 20, 16 << 20
	path := put(t, nil)
	out := newMade(3) // a format without checksum can be written in pieces
	value := str(strings.Repeat("x", size/2))
	appendTo(t, path, out.b)
	for _, prefix := range []string{"lanyard_kv:", "lanyard:user_kv:"} {
		for i := range users {
			appendTo(t, path, (&made{}).key(4, fmt.Sprint(prefix, 94490510688792576+i), []byte{1}, str(prefix), value).b)
		}
	}
	appendTo(t, path, []byte{0xff})
	f := open(t, rdb.Options{Path: path})
	parts, err := f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}}).Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	items, most := 0, int64(0)
	err = parts[0].Read(t.Context(), "", func(p record.Page) error {
		items += len(p.Items)
		most = max(most, inUse())
		for _, it := range p.Items {
			if it.Record == nil || len(it.Record.Fields) != 2 {
				return fmt.Errorf("an item of %d fields", len(it.Record.Fields))
			}
		}
		return nil
	})
	if err != nil || items != users {
		t.Fatalf("%d items, %v", items, err)
	}
	if most > bound {
		t.Errorf("%d MiB are in use while a file of %d MiB is read", most>>20, f.Info().Size>>20)
	} else {
		t.Logf("%d MiB are in use while a file of %d MiB is read", most>>20, f.Info().Size>>20)
	}
}

func TestAUserTakesAFewBytes(t *testing.T) {
	const users, bound = 10_000, 64
	m := newMade(9)
	for _, prefix := range []string{"lanyard:user_last_seen:", "lanyard_last_seen:", "monitoring:"} {
		for i := range users {
			m.text(fmt.Sprint(prefix, 94490510688792576+i*7919), "1700000000000")
		}
	}
	f := openBytes(t, m.end())
	before := inUse()
	src := f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}})
	parts, err := src.Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = parts[0].Read(t.Context(), "", func(record.Page) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if each := (inUse() - before) / users; each > bound {
		t.Errorf("%d bytes a user are kept", each)
	} else {
		t.Logf("%d bytes a user are kept", each)
	}
	runtime.KeepAlive(src)
}
