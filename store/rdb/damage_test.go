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

	"github.com/lanyardctl/lanyardctl/store/rdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// reasons are all that an error of a damaged file can have.
var reasons = []error{rdb.ErrNotRDB, rdb.ErrTooNew, rdb.ErrTruncated, rdb.ErrCorrupt, rdb.ErrUnsupported}

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

func TestAFlippedByteIsNoticed(t *testing.T) {
	whole := read(t, bundled)
	step := len(whole) / 1000
	for i := 0; i < len(whole); i += step {
		damaged := bytes.Clone(whole)
		damaged[i] ^= byte(1 + i%255)
		want := []error{rdb.ErrCorrupt}
		if i < 9 {
			want = reasons
		}
		mustFail(t, "flipped", damaged, want...)
	}
}

// TestWithoutAChecksumNothingWorseThanAnErrorHappens damages files that cannot tell. What is in a text goes unnoticed, but
// a file that is found out delivers nothing.
func TestWithoutAChecksumNothingWorseThanAnErrorHappens(t *testing.T) {
	srv := redisserver.Start(t, "--rdbchecksum", "no")
	c := client(t, srv.URI)
	many := cmds("HSET", "lanyard:user_kv:"+bob)
	for i := range 150 {
		many = append(many, fmt.Sprint("f", i), fmt.Sprintf("%q", strings.Repeat("text ", i%9)))
	}
	fill(t, c, many,
		cmds("HSET", "lanyard_kv:"+alice, "a", "1", "b", "-70000", "c", "text", "d", strings.Repeat("ab", 30)),
		cmds("SET", "lanyard_last_seen:"+alice, "1700000000000"), cmds("SET", "api_key:k", alice), cmds("SET", "user_api_key:"+alice, "k"),
		cmds("XADD", "stream", "1-1", "a", "b"), cmds("ZADD", "zset", 1, "a"), cmds("SADD", "set", 1, 2, 3), cmds("RPUSH", "list", "a", 1),
		cmds("HSET", "lanyard_kv:"+carol, "long", strings.Repeat("0123456789", 50)),
	)
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
		"an append-only file":            {append(bytes.Clone(whole), "*1\r\n$4\r\nPING\r\n"...), rdb.ErrCorrupt},
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
