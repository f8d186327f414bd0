package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/certs"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// readPages reads the only part of the source.
func readPages(t *testing.T, src record.Source, yield func(record.Page) error) {
	t.Helper()
	parts, err := src.Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := parts[0].Read(t.Context(), "", yield); err != nil {
		t.Fatal(err)
	}
}

func TestPagesAreReadAhead(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	fill(t, c, pairs(0)...)
	s := open(t, redis.Options{URI: srv.URI})
	fill(t, c, cmd("CONFIG", "RESETSTAT"))
	pages := 0
	readPages(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 20}), func(record.Page) error {
		switch pages++; {
		case pages == 1: // a look at the first page alone takes no more
			if n := calls(t, c, "scan"); n != 1 {
				t.Errorf("%d pages were scanned for the first", n)
			}
			return nil
		case pages > 2:
			return nil
		}
		// While the second page is delivered, the next are scanned and loaded, but not all of them.
		waitUntil(t, "the next pages are loaded", func() bool { return calls(t, c, "hgetall") >= 3*20 })
		if n := calls(t, c, "scan"); n > 7 {
			t.Errorf("%d pages were scanned", n)
		}
		return nil
	})
	if n := calls(t, c, "scan"); n < 15 {
		t.Errorf("%d pages in all", n)
	}
}

// What a page that waits would take more than a share of the budget for is loaded when it is its turn.
func TestLargeValuesAreNotLoadedAhead(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	for i := range 100 {
		fill(t, c, cmd("HSET", hiddenKey(i), "a", strings.Repeat("x", 1200))) // one alone is more than the share
	}
	s := open(t, redis.Options{URI: srv.URI})
	fill(t, c, cmd("CONFIG", "RESETSTAT"))
	items := 0
	src := s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 10, Budget: 20 << 10})
	readPages(t, src, func(p record.Page) error {
		items += len(p.Items)
		if loaded := calls(t, c, "hgetall"); loaded > items {
			t.Errorf("%d hashes were loaded for %d records", loaded, items)
		}
		return nil
	})
	if items != 100 {
		t.Errorf("%d records", items)
	}
}

// Siblings are looked at one by one only where there are some.
func TestSiblingsAreAskedForTogether(t *testing.T) {
	for name, every := range map[string]int{"hardly any user has both layouts": 1000, "a few do": 100, "all do": 1} {
		t.Run(name, func(t *testing.T) {
			srv := redisserver.Start(t)
			c := client(t, srv.URI)
			both := 0
			for i := range 2000 {
				u := fmt.Sprint(1000000000000000000 + i)
				all := [][]any{cmd("SET", "lanyard_last_seen:"+u, 1700000000000)}
				if i%every == 1%every {
					both++
					all = append(all, cmd("SET", "lanyard:user_last_seen:"+u, 1700000000001))
				}
				fill(t, c, all...)
			}
			s := open(t, redis.Options{URI: srv.URI})
			fill(t, c, cmd("CONFIG", "RESETSTAT"))
			r := readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 200}))
			later := 0
			for _, it := range r.items {
				if it.Record.Time == 1700000000001 {
					later++
				}
			}
			if len(r.items) != 2000 || later != both {
				t.Errorf("%d records, %d of %d with the later time", len(r.items), later, both)
			}
			looks, groups := calls(t, c, "getrange"), calls(t, c, "exists")
			if every > 1 && (looks > 2000+both+both*40 || groups > 250) {
				t.Errorf("%d keys were looked at one by one, for %d groups", looks, groups)
			}
		})
	}
}

func TestEachWayToConnectReadsTheSame(t *testing.T) {
	ca := certs.NewCA(t, "the CA")
	srv, port := withTLS(t, ca, ca.Sign([]string{"127.0.0.1"}), "no", "--requirepass", password)
	c := client(t, srv.URI+"/3")
	fill(t, c, mixed(20)...)
	fill(t, c, cmd("ACL", "SETUSER", "reader", "on", ">other", "~*", "+@all"))
	var want []string
	for _, uri := range []string{
		fmt.Sprintf("redis://:%s@%s/3", password, srv.Addr), fmt.Sprintf("redis://reader:other@%s/3", srv.Addr),
		fmt.Sprintf("rediss://:%s@127.0.0.1:%s/3", password, port), fmt.Sprintf("redis://:%s@%s/3?protocol=3", password, srv.Addr),
	} {
		s := open(t, redis.Options{URI: uri, TLS: redis.TLS{CA: ca.File}})
		got := shown(readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}})).items)
		if want == nil {
			want = got
		}
		if diff := cmp.Diff(want, got); diff != "" || len(got) < 20 {
			t.Errorf("%d items\n%s", len(got), diff)
		}
	}
	// The password changes while it is read.
	s := open(t, redis.Options{URI: fmt.Sprintf("redis://reader:other@%s/3", srv.Addr)})
	fill(t, c, cmd("ACL", "SETUSER", "reader", "resetpass", ">changed"), cmd("CLIENT", "KILL", "USER", "reader"))
	src := s.Source(redis.SourceOptions{Request: layout.Request{Now: now}})
	if _, err := during(t, context.Background(), src, func() {}); err == nil || !strings.Contains(err.Error(), "WRONGPASS") {
		t.Errorf("after the password has changed: %v", err)
	}
}

// A key that was met while one of another layout stood before it is delivered by that one, also where that is gone by the time
// at which it is looked at.
func TestAKeyThatGoesIsNotMissedWithItsSibling(t *testing.T) {
	const users, first = 60, "lanyard:user_last_seen:"
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	for i := range users {
		u := fmt.Sprint(1000000000000000000 + i)
		fill(t, c, cmd("SET", "lanyard_last_seen:"+u, 1700000000000), cmd("SET", first+u, 1700000000000))
	}
	looks := make(map[string]int)
	p := redisproxy.Start(t, srv.Addr, redisproxy.Options{Hook: func(cmd redisproxy.Command) func() {
		if cmd.Name != "GETRANGE" || !strings.HasPrefix(cmd.Args[0], first) {
			return nil
		}
		if looks[cmd.Args[0]]++; looks[cmd.Args[0]] != 2 { // first beside the other key, or the other beside it
			return nil
		}
		return func() { _ = c.Del(context.Background(), cmd.Args[0]) }
	}})
	s := open(t, redis.Options{URI: p.URI, AllowShrinking: true})
	r := readAll(t, s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 10}))
	read := make(map[record.UserID]bool)
	for _, it := range r.items {
		read[it.User()] = true
	}
	if len(read) != users {
		t.Errorf("%d of %d users", len(read), users)
	}
}
