package redis_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// dated fills a database with monitoring dates in all layouts, and with all that can be wrong with them.
var dated = [][]any{
	cmd("SET", "lanyard:user_monitoring_since:"+alice, "1664641326"), cmd("SET", "user_monitoring_since:"+alice, "2022-10-01T16:22:06Z"),
	cmd("SET", "monitoring:"+alice, ""), cmd("HSET", "lanyard:user_kv:"+alice, "monitoring_since", `"1664641326"`, "a", "b"),
	cmd("HSET", "lanyard_kv:"+alice, "monitoring_since", "1664641326"),
	cmd("SET", "monitoring:"+bob, "\xff"), cmd("HSET", "lanyard:user_kv:"+bob, "monitoring_since", "1664641326"),
	cmd("HSET", "lanyard_kv:"+bob, "other", "1664641326"), cmd("HSET", "lanyard:user_monitoring_since:"+bob, "a", "b"),
	cmd("SET", "lanyard_kv:"+carol, "text"), cmd("HSET", "lanyard:user_kv:"+carol, "monitoring_since", ""),
	cmd("SET", "lanyard:user_monitoring_since:007", "1"), cmd("HSET", "lanyard_kv:x", "monitoring_since", "\xff"),
	cmd("SET", "monitoring:x", "1"), cmd("RPUSH", "monitoring:"+carol, "1"), cmd("SET", "other", "1"),
	cmd("SET", "lanyard_last_seen:"+alice, "1664641326000"), cmd("SET", "api_key:k", alice), cmd("SET", "user_api_key:"+alice, "k"),
	cmd("HSET", "lanyard:metrics_v1", "a", "1"), cmd("PEXPIRE", "monitoring:"+alice, "3600000"),
}

var dateValues = []string{
	`redis:lanyard:user_kv 268473310986240001 1664641326`,
	`redis:lanyard:user_kv 456226577798135808 ""`,
	`redis:lanyard:user_kv 94490510688792576 "1664641326"`,
	`redis:lanyard:user_monitoring_since "007" "1"`,
	`redis:lanyard:user_monitoring_since 268473310986240001 wrong-type`,
	`redis:lanyard:user_monitoring_since 94490510688792576 "1664641326"`,
	`redis:lanyard_kv "x" invalid-utf8`,
	`redis:lanyard_kv 268473310986240001 -`,
	`redis:lanyard_kv 456226577798135808 wrong-type`,
	`redis:lanyard_kv 94490510688792576 "1664641326"`,
	`redis:monitoring 268473310986240001 "\xff"`,
	`redis:monitoring 94490510688792576 ""`,
	`redis:user_monitoring_since 94490510688792576 "2022-10-01T16:22:06Z"`,
}

// valuesOf are all values of a source, in order.
func valuesOf(t testing.TB, d record.DateSource) []string {
	t.Helper()
	var lines []string
	err := d.Values(context.Background(), func(values []record.DateValue) error {
		for _, c := range values {
			who := c.User.String()
			if c.User == 0 {
				who = fmt.Sprintf("%q", c.Name)
			}
			what := "-"
			if c.Has {
				what = cmp.Or(string(c.Reason), fmt.Sprintf("%#v", c.Value))
			}
			lines = append(lines, fmt.Sprintf("%s %s %s", d.Places()[c.Place].Name, who, what))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

func TestDatesAreReadFromEveryLayout(t *testing.T) {
	srv := redisserver.Start(t)
	fill(t, client(t, srv.URI), dated...)
	for _, page := range []int{1, 1000} {
		d := layout.DateSource(open(t, redis.Options{URI: srv.URI}).Source(redis.SourceOptions{
			Request: layout.Request{Dates: true, Now: now}, PageSize: page, Budget: page,
		}))
		if diff := gocmp.Diff(dateValues, valuesOf(t, d)); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", page, diff)
		}
		if total, err := d.Total(t.Context()); err != nil || total != 20 {
			t.Errorf("a total of %d, %v", total, err)
		}
	}
}

func TestDatesAreReadFromACluster(t *testing.T) {
	cluster := redisserver.StartCluster(t, 3)
	for _, command := range dated {
		if err := cluster.Client(t).Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	d := layout.DateSource(open(t, redis.Options{URI: cluster.URI}).Source(redis.SourceOptions{Request: layout.Request{Dates: true, Now: now}}))
	if diff := gocmp.Diff(dateValues, valuesOf(t, d)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestALargeHashIsNotFetchedForItsDate counts what the server sent.
func TestALargeHashIsNotFetchedForItsDate(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	mib := strings.Repeat("x", 1<<20)
	for i := range 40 {
		fill(t, c, cmd("HSET", "lanyard_kv:"+alice, i, mib))
	}
	fill(t, c, cmd("HSET", "lanyard_kv:"+alice, layout.DateField, "1664641326"),
		cmd("HSET", "lanyard_kv:"+bob, layout.DateField, strings.Repeat("x", 33<<20)), cmd("SET", "monitoring:"+alice, "1", "EX", "3600"))
	store := open(t, redis.Options{URI: srv.URI})
	fill(t, c, cmd("CONFIG", "RESETSTAT"))
	got := valuesOf(t, layout.DateSource(store.Source(redis.SourceOptions{Request: layout.Request{Dates: true, Now: now}})))
	want := []string{
		"redis:lanyard_kv 268473310986240001 document-too-large", `redis:lanyard_kv 94490510688792576 "1664641326"`, `redis:monitoring 94490510688792576 "1"`,
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := calls(t, c, "hgetall", "hscan", "pttl", "memory|usage"); n != 0 {
		t.Errorf("%d commands that read more than was needed", n)
	}
	if n := calls(t, c, "hget"); n != 1 {
		t.Errorf("%d fields were fetched", n)
	}
}

// calls returns how often the server ran the commands since its statistics were reset.
func calls(t testing.TB, c *goredis.Client, names ...string) int {
	t.Helper()
	info, err := c.Info(context.Background(), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for line := range strings.Lines(info) {
		for _, name := range names {
			var n int
			if rest, ok := strings.CutPrefix(line, "cmdstat_"+name+":calls="); ok {
				if _, err := fmt.Sscanf(rest, "%d", &n); err != nil {
					t.Fatal(err)
				}
				total += n
			}
		}
	}
	return total
}
