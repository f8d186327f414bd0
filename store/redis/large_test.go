package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func megabytes(n int) string { return strings.Repeat("x", n<<20) }

func TestAHashOver32MiBIsOneRejectWithoutItsValues(t *testing.T) {
	r := load(t, redis.SourceOptions{},
		cmd("HSET", "lanyard_kv:"+alice, "a", megabytes(12), "b", megabytes(12), "c", megabytes(12)),
		cmd("HSET", "lanyard_kv:"+bob, "a", "1"),
	)
	if len(r.items) != 2 {
		t.Fatalf("%d items", len(r.items))
	}
	for _, it := range r.items {
		if it.User().String() != alice {
			continue
		}
		if it.Record != nil || len(it.Rejects) != 1 {
			t.Fatalf("a record, or %d rejects", len(it.Rejects))
		}
		v := it.Rejects[0].Value
		if it.Rejects[0].Reason != record.DocumentTooLarge || v.Present || v.Type != "hash" || v.Size < 36<<20 {
			t.Fatalf("%s, present %t, a %s of %d bytes", it.Rejects[0].Reason, v.Present, v.Type, v.Size)
		}
	}
}

func TestAHashUpTo32MiBIsReadEvenOverTheBudget(t *testing.T) {
	commands := [][]any{cmd("HSET", "lanyard_kv:"+alice, "big", megabytes(20))}
	for i := range 3000 {
		commands = append(commands, cmd("HSET", "lanyard_kv:"+alice, fmt.Sprint("f", i), i))
	}
	r := load(t, redis.SourceOptions{Budget: 1 << 20}, commands...)
	if len(r.items) != 1 || r.items[0].Record == nil {
		t.Fatalf("%d items", len(r.items))
	}
	fields := r.items[0].Record.Fields
	if len(fields) != 3001 || len(fields["big"].Origin.Raw) != 20<<20 || fields["f2999"].Value != "2999" {
		t.Fatalf("%d fields, the big one has %d bytes", len(fields), len(fields["big"].Origin.Raw))
	}
}

func TestATextOver32MiBCarriesTypeAndSize(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	fill(t, c, cmd("SETRANGE", "lanyard_last_seen:"+alice, 40<<20, "x"), cmd("SETRANGE", "user_api_key:"+alice, 40<<20, "x"))
	r := readAll(t, open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{Request: layout.Request{Now: now}}))
	if len(r.items) != 2 {
		t.Fatalf("%d items", len(r.items))
	}
	for _, it := range r.items {
		if v := it.Rejects[0].Value; it.Record != nil || v.Present || v.Type != "string" || v.Size != 40<<20+1 {
			t.Errorf("%s: present %t, a %s of %d bytes", it.Kind, v.Present, v.Type, v.Size)
		}
	}
}

// Pages are bounded by bytes: one page of SCAN's answer becomes several, and only the last goes on.
func TestAPageOfLargeValuesIsDeliveredInPieces(t *testing.T) {
	var commands [][]any
	for i := range 20 {
		commands = append(commands, cmd("HSET", fmt.Sprintf("lanyard_kv:%d", 94490510688792576+i), "a", megabytes(1)))
	}
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), commands...)
	const budget = 5 << 20
	src := open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{Request: layout.Request{Now: now}, Budget: budget})
	parts, err := src.Parts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var pages, items int
	var last record.Page
	err = parts[0].Read(context.Background(), "", func(p record.Page) error {
		if last.Next != "" {
			t.Errorf("a page follows the one that ended at %q", last.Next)
		}
		bytes := 0
		for _, it := range p.Items {
			bytes += len(it.Record.Fields["a"].Origin.Raw)
		}
		if bytes > budget {
			t.Errorf("a page holds %d bytes", bytes)
		}
		last, pages, items = p, pages+1, items+len(p.Items)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if items != 20 || pages < 4 || !strings.HasPrefix(last.Next, "end ") || last.Seen.Keys != 20 {
		t.Errorf("%d items in %d pages, the last at %q with %+v", items, pages, last.Next, last.Seen)
	}
}

func TestWithoutMEMORYHashesAreReadAllTheSame(t *testing.T) {
	srv := redisserver.Start(t)
	commands := append(mixed(20), cmd("SADD", "lanyard_kv:1", "x"))
	for i := range 300 {
		commands = append(commands, cmd("HSET", "lanyard_kv:"+bob, fmt.Sprint("f", i), i))
	}
	fill(t, client(t, srv.URI), commands...)
	want := shown(readAll(t, open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{Request: layout.Request{Now: now}})).items)

	srv.Do("ACL", "SETUSER", "reader", "on", ">"+password, "~*", "+@all", "-memory")
	uri := strings.Replace(srv.URI, "://", "://reader:"+password+"@", 1)
	got := shown(readAll(t, open(t, redis.Options{URI: uri}).Source(redis.SourceOptions{Request: layout.Request{Now: now}})).items)
	if strings.Join(want, "\n") != strings.Join(got, "\n") {
		t.Errorf("want %d items, got %d", len(want), len(got))
		t.Errorf("%s", strings.Join(got, "\n"))
	}
}

func TestWithAnUnknownMEMORYHashesAreReadAllTheSame(t *testing.T) {
	srv := redisserver.Start(t, "--rename-command", "MEMORY", "")
	fill(t, client(t, srv.URI), cmd("HSET", "lanyard_kv:"+alice, "a", "1"), cmd("SET", "lanyard_kv:"+bob, "x"))
	r := readAll(t, open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{Request: layout.Request{Now: now}}))
	if got := strings.Join(shown(r.items), "\n"); got != "kv -; wrong-type lanyard_kv:268473310986240001 a string\n"+
		`kv 94490510688792576 a="1"` {
		t.Error(got)
	}
}
