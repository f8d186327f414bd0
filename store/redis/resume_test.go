package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

var errStop = errors.New("stop here")

// readFrom reads the only part of a new source from a position, stops after stop pages (never where stop is zero), and
// returns the position of the last page with what was delivered.
func readFrom(t *testing.T, s *redis.Store, o redis.SourceOptions, from string, stop int) (string, reading, bool) {
	t.Helper()
	ctx := context.Background()
	src := s.Source(o)
	parts, err := src.Parts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var r reading
	at := from
	err = parts[0].Read(ctx, from, func(p record.Page) error {
		at = p.Next
		_ = r.take(p)
		if r.pages == stop {
			return errStop
		}
		return nil
	})
	if errors.Is(err, errStop) {
		return at, r, false
	}
	if err != nil {
		t.Fatalf("read from %q: %v", from, err)
	}
	if err := src.Deferred(ctx, r.take); err != nil {
		t.Fatalf("rest: %v", err)
	}
	return at, r, true
}

func TestReadingGoesOnFromEveryPage(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	s := open(t, redis.Options{URI: srv.URI})
	o := redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}
	want := shown(readAll(t, s.Source(o)).items)

	for stop := 1; ; stop++ {
		at, first, ended := readFrom(t, s, o, "", stop)
		if ended {
			if stop < 10 {
				t.Fatalf("only %d pages", stop)
			}
			return
		}
		// Each process has its own source.
		_, second, _ := readFrom(t, open(t, redis.Options{URI: srv.URI}), o, at, 0)
		got := shown(append(first.items, second.items...))
		if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
			t.Fatalf("stopped after page %d at %q, -want +got:\n%s", stop, at, diff)
		}
	}
}

func TestAnEndedPartIsNotReadAgain(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), mixed(60)...)
	s := open(t, redis.Options{URI: srv.URI})
	o := redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}
	end, whole, _ := readFrom(t, s, o, "", 0)
	_, again, _ := readFrom(t, s, o, end, 0)
	if again.seen.Keys != 0 {
		t.Errorf("%d keys were looked at again", again.seen.Keys)
	}
	// What only the end decides is decided again, from halves that had to be found again.
	var want []record.Item
	for _, it := range whole.items {
		ambiguous := len(it.Rejects) > 0 && it.Rejects[0].Reason == record.AmbiguousAPIKey
		unpaired := len(it.Rejects) > 0 && it.Rejects[0].Reason == record.UnpairedAPIKey
		if ambiguous || unpaired || slices.Contains(it.Notes, record.Repaired) {
			want = append(want, it)
		}
	}
	if diff := cmp.Diff(shown(want), shown(again.items)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAPositionThatIsNoneIsRefused(t *testing.T) {
	srv := redisserver.Start(t)
	parts, err := open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{}).Parts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"x", "-1", "end+", "1+claims+claims"} {
		if err := parts[0].Read(context.Background(), from, func(record.Page) error { return nil }); err == nil {
			t.Errorf("%q was taken", from)
		}
	}
}

func TestAKeyThatIsRegeneratedDuringTheScanIsNotBroughtBack(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	fill(t, c, cmd("SET", "api_key:old", alice), cmd("SET", "user_api_key:"+bob, "dead"))
	ctx := context.Background()
	src := open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{Request: layout.Request{Now: now}})
	parts, err := src.Parts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var r reading
	if err := parts[0].Read(ctx, "", r.take); err != nil {
		t.Fatal(err)
	}
	fill(t, c, cmd("DEL", "api_key:old"), cmd("SET", "api_key:new", alice), cmd("SET", "user_api_key:"+alice, "new"))
	fill(t, c, cmd("DEL", "user_api_key:"+bob))
	if err := src.Deferred(ctx, r.take); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"api_keys 94490510688792576 new"}, shown(r.items)); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsLostWhileRedisRehashes(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	fill(t, c, mixed(200)...)
	s := open(t, redis.Options{URI: srv.URI})
	o := redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 20}
	want := shown(readAll(t, s.Source(o)).items)

	ctx := context.Background()
	src := s.Source(o)
	parts, err := src.Parts(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var r reading
	err = parts[0].Read(ctx, "", func(p record.Page) error {
		_ = r.take(p)
		// The table of keys doubles, doubles again, and shrinks.
		var more [][]any
		for i := range 300 {
			switch {
			case r.pages <= 20:
				more = append(more, cmd("SET", fmt.Sprintf("filler:%d:%d", r.pages, i), "x"))
			case r.pages <= 40:
				more = append(more, cmd("DEL", fmt.Sprintf("filler:%d:%d", r.pages-20, i)))
			}
		}
		if len(more) > 0 {
			fill(t, c, more...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := src.Deferred(ctx, r.take); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, slices.Compact(shown(r.items))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
