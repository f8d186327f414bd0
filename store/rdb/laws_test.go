package rdb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/rdb"
)

// mixed are keys of two users in all layouts, and of others, each of them written by its function.
func mixed() []func(*made) *made {
	text := func(name, value string) func(*made) *made { return func(m *made) *made { return m.text(name, value) } }
	keys := []func(*made) *made{
		text("lanyard:metrics_v1", "12"), text("other", "x"),
		text("monitoring:cpu", "99"), text("lanyard:user_last_seen:x", "1"), text("api_key:other", "somebody"),
		func(m *made) *made { return m.key(1, "user_api_key:"+carol, []byte{1}, str("a")) },
		text("api_key:carol", carol),
	}
	for i := range 7 {
		keys = append(keys, text(fmt.Sprint("api_key:k", i), alice))
	}
	for _, id := range []string{alice, bob} {
		keys = append(keys,
			func(m *made) *made { return m.key(13, "lanyard_kv:"+id, ziplist("a", "1", "b", "2")) },
			func(m *made) *made { return m.key(4, "lanyard:user_kv:"+id, []byte{1}, str("a"), str("7")) },
			text("lanyard:user_last_seen:"+id, "1700000000002"), text("lanyard_last_seen:"+id, "1700000000001"),
			text("lanyard:user_monitoring_since:"+id, "1700000000"), text("user_monitoring_since:"+id, "1690000000"),
			text("monitoring:"+id, "1680000000"), text("api_key:of"+id, id), text("user_api_key:"+id, "of"+id),
		)
	}
	return keys
}

func fileOf(keys []func(*made) *made) []byte {
	m := newMade(9)
	for _, key := range keys {
		key(m)
	}
	return m.end()
}

func TestTheOrderOfKeysAndTheSizeOfPagesAreNothing(t *testing.T) {
	keys := mixed()
	want := readAll(t, openBytes(t, fileOf(keys)).Source(rdb.SourceOptions{Request: layout.Request{Now: now}}))
	if len(want.items) != 19 || want.seen.Keys != int64(len(keys)) {
		t.Fatalf("%d items of %d keys:\n%s", len(want.items), want.seen.Keys, described(want))
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		size := 1 + random.IntN(len(keys))
		got := readAll(t, openBytes(t, fileOf(keys)).Source(rdb.SourceOptions{Request: layout.Request{Now: now}, PageSize: size}))
		if d := difference(want, got); d != "" {
			t.Fatalf("in another order, with pages of %d:\n%s", size, d)
		}
		for _, p := range got.pages {
			if len(p.Items) > size+1 {
				t.Fatalf("a page of %d items where %d are asked for", len(p.Items), size)
			}
		}
	}
}

func TestAReadingGoesOnFromEveryPosition(t *testing.T) {
	keys := mixed()
	rand.New(rand.NewPCG(3, 4)).Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	// One that has expired by the time of the second reading, but not by that of the first.
	expires := newMade(9).raw(252, 0, 0, 0, 0, 0, 0, 0, 0)
	for i := range 8 {
		expires.b[10+i] = byte(now.Add(time.Hour).UnixMilli() >> (8 * i))
	}
	for _, key := range keys {
		key(expires)
	}
	f := openBytes(t, expires.end())
	whole := readAll(t, f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}, PageSize: 3}))
	for i, p := range whole.pages {
		var want reading
		for j, rest := range whole.pages {
			// A page that is delivered in pieces is read again as a whole.
			if j > i || rest.Next == p.Next && isPiece(whole.pages, j) {
				if err := want.take(rest); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, err := readFrom(f.Source(rdb.SourceOptions{Request: layout.Request{Now: now.Add(2 * time.Hour)}, PageSize: 1 + i}), p.Next)
		if err != nil {
			t.Fatal(err)
		}
		if p.Next == "" {
			want = readAll(t, f.Source(rdb.SourceOptions{Request: layout.Request{Now: now.Add(2 * time.Hour)}}))
		}
		if d := difference(want, got); d != "" {
			t.Errorf("from %q, after page %d:\n%s", p.Next, i, d)
		}
	}
}

// isPiece reports whether the page is a piece of a page that a later one completes: its position is that of the page
// before it.
func isPiece(pages []record.Page, i int) bool {
	before := ""
	if i > 0 {
		before = pages[i-1].Next
	}
	return pages[i].Next == before && i < len(pages)-1
}

func TestAPositionOfAnotherFileIsRefused(t *testing.T) {
	f := openBytes(t, fileOf(mixed()))
	for _, from := range []string{"x", "12", "@", "3@1", "100000@1", "-1@0", "12@x"} {
		if _, err := readFrom(f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}}), from); err == nil {
			t.Errorf("position %q is taken", from)
		}
	}
}

func TestAPageIsBoundedInBytes(t *testing.T) {
	large, small := str(strings.Repeat("x", 1<<20)), str("y")
	for rule, values := range map[string][][]byte{
		"the only keys are large": {large}, "the first of two is large": {large, small}, "the last of two is large": {small, large},
	} {
		m := newMade(9)
		for i, value := range values {
			for user := range 6 {
				prefix := []string{"lanyard_kv:", "lanyard:user_kv:"}[i]
				m.key(4, fmt.Sprint(prefix, 94490510688792576+user), []byte{1}, str("a"), value)
			}
		}
		r := readAll(t, openBytes(t, m.end()).Source(rdb.SourceOptions{Request: layout.Request{Now: now}}))
		for _, p := range r.pages {
			if len(p.Items) > 4 {
				t.Errorf("%s: a page of %d items of 1 MiB", rule, len(p.Items))
			}
		}
		if len(r.items) != 6 {
			t.Errorf("%s: %d items", rule, len(r.items))
		}
	}
}

func TestAnErrorOfTheReaderEndsTheReading(t *testing.T) {
	f := openBytes(t, fileOf(mixed()))
	enough := errors.New("enough")
	parts, err := f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}, PageSize: 1}).Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pages := 0
	err = parts[0].Read(t.Context(), "", func(record.Page) error {
		pages++
		return enough
	})
	if err != enough || pages != 1 {
		t.Errorf("%v after %d pages", err, pages)
	}
}

func TestACancelledReadingEnds(t *testing.T) {
	m := newMade(9)
	for i := range 10_000 {
		m.text(fmt.Sprint("lanyard_last_seen:", 94490510688792576+i), "1700000000000")
	}
	f := openBytes(t, m.end())
	src := f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}})
	parts, err := src.Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	pages := 0
	read := func() error {
		return parts[0].Read(ctx, "", func(record.Page) error {
			if pages++; pages == 2 {
				cancel(gone)
			}
			return nil
		})
	}
	if err := read(); !errors.Is(err, gone) || pages != 2 {
		t.Errorf("%v after %d pages", err, pages)
	}
	if err := read(); !errors.Is(err, gone) || pages != 2 {
		t.Errorf("already cancelled: %v after %d pages", err, pages)
	}
	// In the first pass, which delivers nothing.
	parts, err = f.Source(rdb.SourceOptions{Request: layout.Request{Now: now}}).Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := parts[0].Read(ctx, "", func(record.Page) error { t.Error("a page"); return nil }); !errors.Is(err, gone) {
		t.Errorf("in the first pass: %v", err)
	}
}

func TestThePartIsNamedAfterTheFile(t *testing.T) {
	src := openBytes(t, fileOf(mixed())).Source(rdb.SourceOptions{})
	parts, err := src.Parts(t.Context())
	if err != nil || len(parts) != 1 || parts[0].Name() != "dump.rdb" {
		t.Errorf("%v, %v", parts, err)
	}
	if total, err := src.Total(t.Context()); err != nil || total != int64(len(mixed())) {
		t.Errorf("%d keys in total, %v", total, err)
	}
}
