package rdb_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hdt3213/rdb/core"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/rdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// moduleID returns the number under which a file knows a module's type of nine characters.
func moduleID(name string) []byte {
	var id uint64
	for _, c := range name {
		id = id<<6 | uint64(strings.IndexRune(core.ModuleTypeNameCharSet, c))
	}
	return binary.BigEndian.AppendUint64([]byte{0x81}, id<<10|3)
}

// moduleData is one part of each form.
var moduleData = slices.Concat([]byte{1, 5, 2, 6, 3, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 5}, str("text"), []byte{0})

// ziplist returns a hash as Redis before 7 writes a small one. Its last value is the number -2, after texts.
func ziplist(pairs ...string) []byte {
	b := make([]byte, 10)
	binary.LittleEndian.PutUint16(b[8:], uint16(len(pairs)))
	previous := 0
	for _, text := range pairs {
		entry := append([]byte{byte(previous), byte(len(text))}, text...)
		if text == "-2" {
			entry = []byte{byte(previous), 0xfe, 0xfe}
		}
		b, previous = append(b, entry...), len(entry)
	}
	return str(string(append(b, 0xff)))
}

// described is all items as text.
func described(r reading) string {
	var lines []string
	for _, it := range r.items {
		line := it.Kind.String()
		if it.Record != nil {
			line += fmt.Sprintf(" %d %d %s", it.Record.User, it.Record.Time, it.Record.APIKey)
			for _, name := range it.Record.FieldNames() {
				line += fmt.Sprintf(" %s=%v", name, it.Record.Fields[name].Value)
			}
		}
		for _, reject := range it.Rejects {
			line += fmt.Sprintf(" %s %s %s %s", reject.Reason, reject.Key, reject.Field, reject.Value.Type)
		}
		lines = append(lines, fmt.Sprint(line, it.Notes))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func TestFormsThatNoServerAtHandWrites(t *testing.T) {
	seen := "lanyard_last_seen:"
	expireMS := func(at time.Time) []byte {
		return binary.LittleEndian.AppendUint64([]byte{252}, uint64(at.UnixMilli()))
	}
	expireS := func(at time.Time) []byte { return binary.LittleEndian.AppendUint32([]byte{253}, uint32(at.Unix())) }
	for _, tc := range []struct {
		rule string
		file []byte
		want string
		keys int64
	}{
		{"a file without keys", newMade(12).end(), "", 0},
		{"the oldest format", newMade(1).raw(254, 0).text(seen+alice, "1700000000000").end(),
			"last_seen 94490510688792576 1700000000000 []", 1},
		{"a format with a checksum that was not asked for", newMade(9).text(seen+alice, "1700000000000").unsummed(),
			"last_seen 94490510688792576 1700000000000 []", 1},
		{"a ziplist", newMade(9).key(13, "lanyard_kv:"+alice, ziplist("a", "x", "b", "-2")).end(),
			"kv 94490510688792576 0  a=x b=-2[]", 1},
		{"an old list, set and sorted set", newMade(3).key(1, "lanyard_kv:"+alice, []byte{2}, str("a"), str("b")).
			key(2, "lanyard_kv:"+bob, []byte{1}, str("a")).
			key(3, "lanyard_kv:"+carol, []byte{3}, str("a"), []byte{3}, []byte("1.5"), str("b"), []byte{253}, str("c"), []byte{255}).
			key(10, seen+alice, str("")).key(11, seen+bob, str("")).key(12, seen+carol, str("")).
			key(14, "lanyard:user_kv:x", []byte{2}, str(""), str("")).end(),
			"kv wrong-type lanyard:user_kv:x  list[]\nkv wrong-type lanyard_kv:268473310986240001  set[]\n" +
				"kv wrong-type lanyard_kv:456226577798135808  zset[]\nkv wrong-type lanyard_kv:94490510688792576  list[]\n" +
				"last_seen wrong-type lanyard_last_seen:268473310986240001  set[]\n" +
				"last_seen wrong-type lanyard_last_seen:456226577798135808  zset[]\n" +
				"last_seen wrong-type lanyard_last_seen:94490510688792576  list[]", 7},
		{"a stream in its first and third form", newMade(11).
			key(15, "lanyard_kv:"+alice, []byte{1}, str(strings.Repeat("i", 16)), str("entries"), []byte{1, 1, 1}, []byte{0}).
			key(21, "lanyard_kv:"+bob, []byte{0}, []byte{0, 0, 0, 0, 0, 0, 0, 0}, []byte{1}, str("group"), []byte{1, 1, 1}, []byte{1},
				make([]byte, 24), []byte{1}, []byte{1}, str("consumer"), make([]byte, 16), []byte{1}, make([]byte, 16)).
			text(seen+alice, "1700000000000").end(),
			"kv wrong-type lanyard_kv:268473310986240001  stream[]\nkv wrong-type lanyard_kv:94490510688792576  stream[]\n" +
				"last_seen 94490510688792576 1700000000000 []", 3},
		{"a module's value and its data beside the keys", newMade(10).raw(247).raw(moduleID("ReJSON-RL")...).raw(2, 2).raw(moduleData...).
			key(7, "lanyard_kv:"+alice, moduleID("ReJSON-RL"), moduleData).key(7, "json", moduleID("ReJSON-RL"), moduleData).
			text(seen+alice, "1700000000000").end(),
			"kv wrong-type lanyard_kv:94490510688792576  ReJSON-RL[]\nlast_seen 94490510688792576 1700000000000 []", 3},
		{"slots of a Cluster, functions anywhere, how often keys are used", newMade(12).raw(245).raw(str("code")...).raw(254, 0, 251, 2, 0).
			raw(244, 5, 1, 0).raw(248, 7).text(seen+alice, "1700000000000").raw(245).raw(str("code")...).raw(249, 7).
			text(seen+bob, "1700000000001").end(),
			"last_seen 268473310986240001 1700000000001 []\nlast_seen 94490510688792576 1700000000000 []", 2},
		{"times at which keys expire, in both forms", newMade(12).
			raw(expireMS(now.Add(-time.Millisecond))...).text(seen+alice, "1700000000000").
			raw(expireMS(now)...).raw(249, 7).text(seen+bob, "1700000000001").
			raw(expireS(now.Add(-time.Second))...).text(seen+carol, "1700000000000").
			raw(expireS(now.Add(time.Second))...).text("monitoring:"+alice, "1700000000").end(),
			"last_seen 268473310986240001 1700000000001 [expiring]\nmonitoring_since 94490510688792576 1700000000 [expiring]", 2},
	} {
		t.Run(tc.rule, func(t *testing.T) {
			got := readAll(t, openBytes(t, tc.file).Source(rdb.SourceOptions{Request: layout.Request{Now: now}}))
			if d := described(got); d != tc.want || got.seen.Keys != tc.keys {
				t.Errorf("%d keys:\n%s\nwant %d:\n%s", got.seen.Keys, d, tc.keys, tc.want)
			}
		})
	}
}

func TestWhatCannotBeReadIsNeverLeftOut(t *testing.T) {
	seen := newMade(12).text("lanyard_last_seen:"+alice, "1700000000000")
	for rule, m := range map[string]*made{
		"a hash whose fields expire":             seen.clone().key(25, "other", make([]byte, 8), str("")),
		"a module's value of the first form":     seen.clone().key(6, "other", moduleID("ReJSON-RL"), str("")),
		"an opcode of another time":              seen.clone().raw(246),
		"a type that nobody knows":               seen.clone().key(99, "other", str("")),
		"a hash of Redis 2.4":                    seen.clone().key(9, "lanyard_kv:"+alice, str("\x01\x01a\x01\x00b\xff")),
		"a hash that makes no sense":             seen.clone().key(16, "lanyard_kv:"+alice, str("\x00\x00\x00\x00\xff\xff")),
		"a key that stands twice":                seen.clone().text("lanyard_last_seen:"+alice, "1700000000000"),
		"a compressed text that is shorter":      seen.clone().key(0, "api_key:k", []byte{0xc3, 3, 5, 1, 'a', 'b'}),
		"a key that cannot be unpacked":          seen.clone().raw(0, 0xc3, 2, 5, 9, 'a').raw(str("")...),
		"a hash that names a field twice":        seen.clone().key(4, "lanyard_kv:"+alice, []byte{2}, str("a"), str("1"), str("a"), str("2")),
		"data behind the mark of the end":        seen.clone().raw(0xff, 0),
		"a compact hash that ends in its middle": seen.clone().key(13, "lanyard_kv:"+alice, ziplist("a", "b", "c")),
	} {
		for form, file := range map[string][]byte{"": m.clone().end(), ", without a checksum": m.clone().unsummed()} {
			path := put(t, file)
			items, err := tryFile(path)
			var typed *rdb.Error
			if !errors.As(err, &typed) || form == "" && !errors.Is(err, rdb.ErrUnsupported) || items > 0 {
				t.Errorf("%s%s: %v after %d items", rule, form, err, items)
			}
		}
	}
}

func (m *made) clone() *made { return &made{b: slices.Clone(m.b), version: m.version} }

// tryFile opens and reads a file key by key, and returns how many items were delivered.
func tryFile(path string) (items int, err error) {
	f, err := rdb.Open(context.Background(), rdb.Options{Path: path})
	if err != nil {
		return 0, err
	}
	r, err := readFrom(f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}, PageSize: 1}), "")
	return len(r.items), errors.Join(err, f.Close())
}

// listpack returns a hash of so many fields, all with empty values, as Redis since 7 writes a small one. Of many entries
// it does not tell the number.
func listpack(fields int) []byte {
	b := make([]byte, 6)
	binary.LittleEndian.PutUint16(b[4:], uint16(min(2*fields, 65535)))
	for i := range fields {
		name := fmt.Sprint("f", i)
		b = append(append(b, 0x80|byte(len(name))), name...)
		b = append(b, byte(1+len(name)), 0x80, 1)
	}
	b = append(b, 0xff)
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return str(string(b))
}

func TestACompactHashThatDoesNotTellItsLengthIsRefused(t *testing.T) {
	for fields, refused := range map[int]bool{32_767: false, 32_768: true, 40_000: true} {
		// A server that reads the file and writes it again tells that such a file is possible.
		dir := t.TempDir()
		seen := newMade(10).text("lanyard_last_seen:"+bob, "1700000000000")
		file := seen.key(16, "lanyard_kv:"+alice, listpack(fields)).end()
		if err := os.WriteFile(filepath.Join(dir, "dump.rdb"), file, 0o600); err != nil {
			t.Fatal(err)
		}
		srv := redisserver.Start(t, "--dir", dir, "--hash-max-listpack-entries", "100000")
		c := client(t, srv.URI)
		if n := c.HLen(t.Context(), "lanyard_kv:"+alice).Val(); n != int64(fields) {
			t.Fatalf("the server has %d fields of %d", n, fields)
		}
		if form := c.ObjectEncoding(t.Context(), "lanyard_kv:"+alice).Val(); form != "listpack" {
			t.Fatalf("the server has a %s", form)
		}
		if err := c.Save(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		f := open(t, rdb.Options{Path: filepath.Join(dir, "dump.rdb")})
		r, err := readFrom(f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}, PageSize: 1}), "")
		switch {
		case !refused && (err != nil || len(r.items) != 2 || len(r.items[0].Record.Fields)+len(r.items[1].Record.Fields) != fields):
			t.Errorf("%d fields: %v", fields, err)
		case refused && (!errors.Is(err, rdb.ErrUnsupported) || len(r.items) > 0):
			t.Errorf("%d fields: %v after %d items", fields, err, len(r.items))
		}
	}
}

func TestInfo(t *testing.T) {
	info := open(t, rdb.Options{Path: bundled}).Info()
	if info.FormatVersion != 10 || info.RedisVersion != "7.0.15" || info.Size != int64(len(read(t, bundled))) || !info.Checksum ||
		info.SavedAt.Year() < 2026 || info.Functions != 0 || info.Keys == 0 {
		t.Errorf("%+v", info)
	}
	srv := redisserver.Start(t, "--rdbchecksum", "no")
	c := client(t, srv.URI)
	fill(t, c, cmds("SET", "here", "x", "EX", 1000))
	fill(t, c, extras...)
	path := save(t, srv, c)
	if info = open(t, rdb.Options{Path: path}).Info(); !info.Expires || info.Keys != 1 {
		t.Errorf("a key has a time to live: %+v", info)
	}
	info = open(t, rdb.Options{Path: path, DB: 3}).Info()
	if info.Checksum || info.Expires || info.Functions != 1 || info.DB != 3 || info.Keys != 2 || time.Since(info.SavedAt) > time.Hour {
		t.Errorf("%+v", info)
	}
}

func TestIdentityIsOfTheContent(t *testing.T) {
	content := read(t, bundled)
	id := func(f *rdb.File) string { return f.Source(rdb.SourceOptions{}).Identity() }
	first := id(openBytes(t, content))
	if again := id(openBytes(t, content)); again != first {
		t.Errorf("a copy is %q, the file %q", again, first)
	}
	others := map[string]string{
		"another database":      id(open(t, rdb.Options{Path: bundled, DB: 1})),
		"a changed text":        id(openBytes(t, newMade(3).text("a", "1").end())),
		"another changed text":  id(openBytes(t, newMade(3).text("a", "2").end())),
		"the same, with no sum": id(openBytes(t, newMade(9).text("a", "1").unsummed())),
		"another, with no sum":  id(openBytes(t, newMade(9).text("a", "2").unsummed())),
	}
	met := map[string]string{first: "the file"}
	for name, other := range others {
		if same, ok := met[other]; ok {
			t.Errorf("%s is taken for %s: %q", name, same, other)
		}
		met[other] = name
	}
}

func TestTheFileMayBeReplacedButNotChanged(t *testing.T) {
	path := put(t, fileOf(mixed()))
	f := open(t, rdb.Options{Path: path})
	src := f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}})
	before := readAll(t, src)
	other := put(t, newMade(9).end())
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if d := difference(before, readAll(t, src)); d != "" {
		t.Errorf("after the file was replaced:\n%s", d)
	}

	path = put(t, read(t, bundled))
	f = open(t, rdb.Options{Path: path})
	if err := os.Truncate(path, 5000); err != nil {
		t.Fatal(err)
	}
	if r, err := readFrom(f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}}), ""); !errors.Is(err, rdb.ErrCorrupt) || len(r.items) > 0 {
		t.Errorf("after the file was cut: %v, %d items", err, len(r.items))
	}
}

// touch makes the file one that was written to since, though its content and size are the same.
func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
}

func TestAFileThatIsWrittenToDeliversNothingMore(t *testing.T) {
	request := rdb.SourceOptions{Request: layout.Request{Now: now}, PageSize: 1}
	refused := func(what string, src record.Source) {
		t.Helper()
		if r, err := readFrom(src, ""); !errors.Is(err, rdb.ErrCorrupt) || !strings.Contains(err.Error(), "changed") || len(r.items) > 0 {
			t.Errorf("%s: %v after %d items", what, err, len(r.items))
		}
	}
	path := put(t, fileOf(mixed()))
	src := open(t, rdb.Options{Path: path}).Source(request)
	whole := readAll(t, src)
	touch(t, path)
	refused("before a further reading", src)

	path = put(t, fileOf(mixed()))
	src = open(t, rdb.Options{Path: path}).Source(request)
	touch(t, path)
	refused("before the first reading", src)

	for _, first := range []bool{true, false} {
		path = put(t, fileOf(mixed()))
		src = open(t, rdb.Options{Path: path}).Source(request)
		if !first {
			readAll(t, src)
		}
		parts, err := src.Parts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pages := 0
		err = parts[0].Read(t.Context(), "", func(record.Page) error {
			if pages++; pages == 1 {
				touch(t, path)
			}
			return nil
		})
		if !errors.Is(err, rdb.ErrCorrupt) || pages >= len(whole.pages) {
			t.Errorf("during a reading, the first %v: %v after %d pages of %d", first, err, pages, len(whole.pages))
		}
	}
}

func TestErrorsShowNoKey(t *testing.T) {
	key := "lnyd_0123456789abcdef0123456789abcdef"
	file := newMade(9).key(0, "api_key:"+key, []byte{0xc3, 2, 5, 1, 'a'}).end()
	if _, err := tryFile(put(t, file)); err == nil || strings.Contains(err.Error(), key) {
		t.Errorf("%v", err)
	}
}
