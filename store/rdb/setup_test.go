package rdb_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/rdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when the tests take place that do not depend on a server's clock.
var now = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// alice, bob and carol are real-looking users; their accounts are from 2015 to 2018.
const (
	alice = "94490510688792576"
	bob   = "268473310986240001"
	carol = "456226577798135808"
)

// bundled is the dump that the repository brings along.
var bundled = filepath.Join("..", "..", "testdata", "dump.rdb")

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// put writes a file of its own for the test and returns its path.
func put(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dump.rdb")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, o rdb.Options) *rdb.File {
	t.Helper()
	f, err := rdb.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return f
}

func openBytes(t testing.TB, content []byte) *rdb.File {
	t.Helper()
	return open(t, rdb.Options{Path: put(t, content)})
}

// reading is all that a source delivers.
type reading struct {
	items []record.Item
	seen  record.KeyCounts
	pages []record.Page
}

func (r *reading) take(p record.Page) error {
	r.items = append(r.items, p.Items...)
	r.seen.Add(p.Seen)
	r.pages = append(r.pages, p)
	return nil
}

func readAll(t testing.TB, src record.Source) reading {
	t.Helper()
	r, err := readFrom(src, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readFrom reads the parts of a source, of which a file has one, from a position.
func readFrom(src record.Source, from string) (r reading, err error) {
	ctx := context.Background()
	parts, err := src.Parts(ctx)
	if err != nil {
		return r, err
	}
	for _, p := range parts {
		if err := p.Read(ctx, from, r.take); err != nil {
			return r, fmt.Errorf("part %s: %w", p.Name(), err)
		}
	}
	return r, src.Deferred(ctx, r.take)
}

// inOrder returns the items in an order that depends on them alone, without the sizes of what was not read: a server
// measures these otherwise than a file.
func inOrder(items []record.Item) []record.Item {
	type line struct {
		text string
		item record.Item
	}
	lines := make([]line, len(items))
	for i, it := range items {
		it.Rejects = slices.Clone(it.Rejects)
		for j := range it.Rejects {
			it.Rejects[j].Value.Size = 0
		}
		text := fmt.Sprintf("%+v", it)
		if it.Record != nil {
			text = fmt.Sprintf("%+v %+v %+v", *it.Record, it.Rejects, it.Superseded)
		}
		lines[i] = line{text, it}
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.text, b.text) })
	sorted := make([]record.Item, len(lines))
	for i, l := range lines {
		sorted[i] = l.item
	}
	return sorted
}

func client(t testing.TB, uri string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func cmds(words ...any) []any { return words }

// fill sends commands.
func fill(t testing.TB, c *goredis.Client, commands ...[]any) {
	t.Helper()
	pipe := c.Pipeline()
	for _, command := range commands {
		pipe.Do(context.Background(), command...)
	}
	if _, err := pipe.Exec(context.Background()); err != nil {
		t.Fatalf("fill redis: %v", err)
	}
}

// save lets the server save and returns the file's path.
func save(t testing.TB, srv *redisserver.Server, c *goredis.Client) string {
	t.Helper()
	if err := c.Save(context.Background()).Err(); err != nil {
		t.Fatalf("save: %v", err)
	}
	return filepath.Join(srv.Dir, "dump.rdb")
}

func appendTo(t testing.TB, path string, b []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
