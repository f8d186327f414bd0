package rdb_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/lanyardctl/lanyardctl/store/rdb"
)

// FuzzOpen opens and reads files that consist of a header, the fuzzed bytes and a checksum that fits or is missing.
// Nothing may panic, take memory without bound, or deliver items and then fail.
func FuzzOpen(f *testing.F) {
	for _, m := range []*made{
		newMade(3).raw(254, 0).text("lanyard_last_seen:"+alice, "1700000000000"),
		newMade(9).raw(250).raw(str("redis-ver")...).raw(str("7.0.15")...).key(13, "lanyard_kv:"+alice, ziplist("a", "x", "b", "-2")),
		newMade(12).raw(245).raw(str("code")...).raw(244, 5, 1, 0).key(16, "lanyard:user_kv:"+alice, listpack(3)),
		newMade(12).key(7, "json", moduleID("ReJSON-RL"), moduleData).raw(247).raw(moduleID("ReJSON-RL")...).raw(2, 2).raw(moduleData...),
		newMade(11).key(15, "s", []byte{0}, []byte{1, 1, 1}, []byte{1}, str("g"), []byte{1, 1}, []byte{0}, []byte{0}),
		newMade(11).text("api_key:k", alice).text("user_api_key:"+alice, "k").key(0, "api_key:p", []byte{0xc3, 3, 5, 1, 'a', 'b'}),
		newMade(2).key(3, "z", []byte{1}, str("m"), []byte{253}).key(4, "lanyard_kv:"+alice, []byte{1}, str("a"), []byte{0xc0, 7}),
	} {
		f.Add(byte(m.version), append(m.b[9:len(m.b):len(m.b)], 0xff))
	}
	f.Fuzz(func(t *testing.T, version byte, body []byte) {
		m := newMade(int(version)).raw(body...)
		files := [][]byte{m.b}
		if version >= 5 {
			files = [][]byte{sum(m.clone().b), append(m.clone().b, make([]byte, 8)...)}
		}
		path := filepath.Join(t.TempDir(), "dump.rdb")
		for _, content := range files {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			items, err := tryFile(path)
			runtime.ReadMemStats(&after)
			var typed *rdb.Error
			if err != nil && !errors.As(err, &typed) {
				t.Errorf("an error of no type: %v", err)
			}
			if err != nil && items > 0 {
				t.Errorf("%v after %d items", err, items)
			}
			// A compressed text can be 88 times as long; a few copies are made of each.
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 8<<20+2000*uint64(len(content)) {
				t.Errorf("%d bytes were taken for a file of %d", taken, len(content))
			}
		}
	})
}

// FuzzOpenRaw opens any bytes.
func FuzzOpenRaw(f *testing.F) {
	f.Add([]byte("REDIS0009\xff\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("REDIS"))
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "dump.rdb")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := rdb.Open(context.Background(), rdb.Options{Path: path})
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			return
		}
		if err := file.Close(); err != nil {
			t.Error(err)
		}
	})
}
