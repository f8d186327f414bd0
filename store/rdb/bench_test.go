package rdb_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/hdt3213/rdb/parser"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/rdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// BenchmarkRead reads the dump of an install that went from upstream to the fork: each user has an API key, times and
// pairs in two layouts. Beside it stands the library's own reading of the same file, which joins nothing.
func BenchmarkRead(b *testing.B) {
	const users = 20_000
	srv := redisserver.Start(b)
	c := client(b, srv.URI)
	for i := range users {
		u := fmt.Sprint(94490510688792576 + uint64(i)<<22)
		fill(b, c,
			cmds("HSET", "lanyard_kv:"+u, "a", "some text", "b", "some more text", "c", "1", "d", "", "e", "https://example.com/"+u),
			cmds("HSET", "lanyard:user_kv:"+u, "a", `"some text"`, "f", `"another"`),
			cmds("SET", "lanyard_last_seen:"+u, 1700000000000+i),
			cmds("SET", "monitoring:"+u, 1690000000+i),
			cmds("SET", fmt.Sprintf("api_key:key%d", i), u), cmds("SET", "user_api_key:"+u, fmt.Sprintf("key%d", i)),
		)
	}
	path := save(b, srv, c)
	perKey := func(b *testing.B) {
		b.ReportMetric(6*users*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
	}
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			open(b, rdb.Options{Path: path})
		}
		perKey(b)
	})
	f := open(b, rdb.Options{Path: path})
	run := func(b *testing.B, src record.Source) {
		parts, err := src.Parts(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if err := parts[0].Read(b.Context(), "", func(record.Page) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("first reading", func(b *testing.B) {
		for b.Loop() {
			run(b, f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}}))
		}
		perKey(b)
	})
	b.Run("further readings", func(b *testing.B) {
		src := f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}})
		run(b, src)
		for b.Loop() {
			run(b, src)
		}
		perKey(b)
	})
	b.Run("library", func(b *testing.B) {
		content := read(b, path)
		for b.Loop() {
			if err := parser.NewDecoder(bytes.NewReader(content)).Parse(func(parser.RedisObject) bool { return true }); err != nil {
				b.Fatal(err)
			}
		}
		perKey(b)
	})
}
