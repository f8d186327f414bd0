package rdb_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/rdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// reasons are all that an error of a damaged file can have.
var reasons = []error{rdb.ErrNotRDB, rdb.ErrTooNew, rdb.ErrTruncated, rdb.ErrCorrupt, rdb.ErrUnsupported, rdb.ErrAppendOnly}

// mustFail tries a file that is not whole.
func mustFail(t *testing.T, what string, content []byte, want ...error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged.rdb")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	items, err := tryFile(path)
	if items > 0 {
		t.Errorf("%s: %d items", what, items)
	}
	for _, reason := range want {
		if errors.Is(err, reason) {
			return
		}
	}
	t.Errorf("%s: %v, want one of %v", what, err, want)
}

func TestAFileThatWasCutIsTruncated(t *testing.T) {
	whole := read(t, bundled)
	for n := 1000; n < len(whole); n += 1000 {
		want := []error{rdb.ErrTruncated}
		if whole[n-9] == 0xff {
			want = append(want, rdb.ErrCorrupt) // as if the end were in its place
		}
		mustFail(t, "cut", whole[:n], want...)
		// As if the server had written no checksum, and the rest of the file were zeros.
		mustFail(t, "cut, no checksum", append(whole[:n:n], make([]byte, 8)...), rdb.ErrTruncated, rdb.ErrCorrupt)
	}
	for n := 9; n < 100; n++ {
		mustFail(t, "cut in its first bytes", whole[:n], rdb.ErrTruncated)
	}
	for n := 1; n <= 20; n++ {
		mustFail(t, "cut in its last bytes", whole[:len(whole)-n], rdb.ErrTruncated, rdb.ErrCorrupt)
		mustFail(t, "cut in its last bytes, no checksum", withoutSum(whole)[:len(whole)-n], rdb.ErrTruncated, rdb.ErrCorrupt)
	}
}

// TestAFlippedByteIsNoticed flips each byte of a small file in turn, and some of the bundled dump.
func TestAFlippedByteIsNoticed(t *testing.T) {
	for what, step := range map[string]int{"small": 1, "bundled": 1009} {
		whole := read(t, bundled)
		if what == "small" {
			srv := redisserver.Start(t)
			c := client(t, srv.URI)
			fill(t, c, everyForm()...)
			whole = read(t, save(t, srv, c))
		}
		if places := len(whole) / step; what == "small" && places < 1000 {
			t.Fatalf("only %d places", places)
		}
		for i := 0; i < len(whole); i += step {
			damaged := bytes.Clone(whole)
			damaged[i] ^= byte(1 + i%255)
			want := []error{rdb.ErrCorrupt}
			switch i {
			case 0, 1, 2, 3, 4, 5, 6, 7, 8:
				want = reasons
			case len(whole) - 9: // the mark of the end
				want = append(want, rdb.ErrTruncated)
			}
			mustFail(t, fmt.Sprintf("byte %d of the %s file flipped", i, what), damaged, want...)
		}
	}
}

// everyForm fills a server with a little of everything.
func everyForm() [][]any {
	many := cmds("HSET", "lanyard:user_kv:"+bob)
	for i := range 150 {
		many = append(many, fmt.Sprint("f", i), fmt.Sprintf("%q", strings.Repeat("text ", i%9)))
	}
	return [][]any{
		many, cmds("HSET", "lanyard_kv:"+alice, "a", "1", "b", "-70000", "c", "text", "d", strings.Repeat("ab", 30)),
		cmds("SET", "lanyard_last_seen:"+alice, "1700000000000"), cmds("SET", "api_key:k", alice), cmds("SET", "user_api_key:"+alice, "k"),
		cmds("XADD", "stream", "1-1", "a", "b"), cmds("ZADD", "zset", 1, "a"), cmds("SADD", "set", 1, 2, 3), cmds("RPUSH", "list", "a", 1),
		cmds("HSET", "lanyard_kv:"+carol, "long", strings.Repeat("0123456789", 50)),
	}
}

// TestWithoutAChecksumNothingWorseThanAnErrorHappens damages files that cannot tell. What is in a text goes unnoticed, but
// a file that is found out delivers nothing.
func TestWithoutAChecksumNothingWorseThanAnErrorHappens(t *testing.T) {
	srv := redisserver.Start(t, "--rdbchecksum", "no")
	c := client(t, srv.URI)
	fill(t, c, everyForm()...)
	whole := read(t, save(t, srv, c))
	noticed := 0
	path := filepath.Join(t.TempDir(), "damaged.rdb")
	for i := 9; i < len(whole)-8; i += 2 {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1 << (i % 8)
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		items, err := tryFile(path)
		if err != nil {
			noticed++
		}
		if err != nil && items > 0 {
			t.Errorf("byte %d: %v after %d items", i, err, items)
		}
	}
	if noticed == 0 {
		t.Error("no damage was noticed")
	}
}

func TestWhatIsNoRDBFile(t *testing.T) {
	whole := read(t, bundled)
	for what, tc := range map[string]struct {
		content []byte
		want    error
	}{
		"empty":                          {nil, rdb.ErrNotRDB},
		"garbage":                        {bytes.Repeat([]byte("garbage\x00\xff"), 500), rdb.ErrNotRDB},
		"a short text":                   {[]byte("x"), rdb.ErrNotRDB},
		"no digits":                      {append([]byte("REDIS00x1"), whole[9:]...), rdb.ErrNotRDB},
		"version 0":                      {append([]byte("REDIS0000"), whole[9:]...), rdb.ErrNotRDB},
		"a sign":                         {append([]byte("REDIS-001"), whole[9:]...), rdb.ErrNotRDB},
		"version 13":                     {append([]byte("REDIS0013"), whole[9:]...), rdb.ErrTooNew},
		"version 99":                     {append([]byte("REDIS0099"), whole[9:]...), rdb.ErrTooNew},
		"its first letters":              {[]byte("REDIS"), rdb.ErrTruncated},
		"its header":                     {whole[:9], rdb.ErrTruncated},
		"a wrong checksum":               {append(whole[:len(whole)-8:len(whole)-8], "12345678"...), rdb.ErrCorrupt},
		"an append-only file":            {append(bytes.Clone(whole), "*1\r\n$4\r\nPING\r\n"...), rdb.ErrAppendOnly},
		"garbage behind a header":        {append([]byte("REDIS0011"), bytes.Repeat([]byte("garbage"), 5000)...), rdb.ErrCorrupt},
		"an old format with data behind": {append(newMade(3).text("a", "b").end(), 0), rdb.ErrCorrupt},
		"a length of most of the memory": {newMade(9).raw(0, 0x81, 0x7f, 0, 0, 0, 0, 0, 0, 0).unsummed(), rdb.ErrCorrupt},
		"a text that claims to be packed": {
			newMade(9).key(0, "lanyard_last_seen:"+alice, []byte{0xc3, 2, 0x80, 0xff, 0, 0, 0, 0, 'x'}).unsummed(), rdb.ErrCorrupt,
		},
		"a hash of more fields than bytes": {newMade(9).key(4, "k", []byte{0x81, 0x7f, 0, 0, 0, 0, 0, 0, 0}).unsummed(), rdb.ErrCorrupt},
	} {
		mustFail(t, what, tc.content, tc.want)
	}
}

func TestWhatBelongsToAnAppendOnlyFileIsRefused(t *testing.T) {
	srv := redisserver.Start(t, "--appendonly", "yes", "--aof-use-rdb-preamble", "yes")
	c := client(t, srv.URI)
	fill(t, c, cmds("SET", "lanyard_last_seen:"+alice, "1700000000000"))
	one := func(pattern string) []byte {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(srv.Dir, "appendonlydir", pattern))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %q, %v", pattern, found, err)
		}
		return read(t, found[0])
	}
	base, commands := one("*.base.rdb"), one("*.incr.aof")
	if !bytes.Contains(commands, []byte(alice)) {
		t.Fatalf("the server wrote nothing behind the base: %q", commands)
	}
	mustFail(t, "the base", base, rdb.ErrAppendOnly)
	mustFail(t, "the base without a checksum", withoutSum(base), rdb.ErrAppendOnly)
	mustFail(t, "the base with commands behind it", append(bytes.Clone(base), commands...), rdb.ErrAppendOnly)
	stamped := append(append(bytes.Clone(base), "#TS:1700000000\r\n"...), commands...)
	mustFail(t, "the base with commands behind it, after their time", stamped, rdb.ErrAppendOnly)
	damaged := bytes.Clone(base)
	damaged[len(damaged)-1] ^= 1
	mustFail(t, "a damaged base", damaged, rdb.ErrCorrupt)
	mustFail(t, "the base of before Redis 7", newMade(9).raw(250).raw(str("aof-preamble")...).raw(0xc0, 1).
		text("lanyard_last_seen:"+alice, "1700000000000").end(), rdb.ErrAppendOnly)

	// What such a server saves as a dump is whole.
	r := readAll(t, open(t, rdb.Options{Path: save(t, srv, c)}).Source(rdb.SourceOptions{Request: layout.Request{Now: now}}))
	if len(r.items) != 1 {
		t.Errorf("%d items of the dump", len(r.items))
	}
}

func TestErrorsShowNoControlCharacters(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{"\x1b[31mnone": nil, "line\nbreak.rdb": []byte("text"), "\u009b1m.rdb": read(t, bundled)[:5000]} {
		path := filepath.Join(dir, name)
		if content != nil {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := rdb.Open(t.Context(), rdb.Options{Path: path})
		if err == nil || strings.ContainsFunc(err.Error(), unicode.IsControl) || !strings.Contains(err.Error(), filepath.Base(dir)) {
			t.Errorf("%q", err)
		}
		if content == nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v", err)
		}
	}
}

func TestWhatCannotBeOpened(t *testing.T) {
	dir := t.TempDir()
	if _, err := rdb.Open(context.Background(), rdb.Options{Path: filepath.Join(dir, "none.rdb")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	if _, err := rdb.Open(context.Background(), rdb.Options{Path: dir}); !errors.Is(err, rdb.ErrNotRDB) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := rdb.Open(context.Background(), rdb.Options{Path: os.DevNull}); !errors.Is(err, rdb.ErrNotRDB) {
		t.Errorf("a device: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := rdb.Open(ctx, rdb.Options{Path: bundled}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
