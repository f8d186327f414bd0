package redis_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// What keeps a server from others is how much one command goes through. The slow log would tell the same on an idle machine alone.
func TestNoCommandGoesThroughMuch(t *testing.T) {
	const (
		manyFields = "lanyard_kv:" + carol
		longText   = "lanyard_last_seen:" + bob
		most       = 128 << 10 // bytes
	)
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	fill(t, c, mixed(60)...)
	for i := range 100 {
		fields := cmd("HSET", manyFields)
		for j := range 1000 {
			fields = append(fields, fmt.Sprint("f", i*1000+j), "value")
		}
		fill(t, c, fields)
	}
	fill(t, c, cmd("SET", longText, strings.Repeat("0123456789", 100_000)))
	p := redisproxy.Start(t, srv.Addr, redisproxy.Options{})
	r := readAll(t, open(t, redis.Options{URI: p.URI}).Source(redis.SourceOptions{Request: layout.Request{Now: now}}))
	whole := 0
	for _, it := range r.items {
		if it.Record != nil && len(it.Record.Fields) == 100_000 || len(it.Rejects) == 1 && len(it.Rejects[0].Value.Data) == 1_000_000 {
			whole++
		}
	}
	if whole != 2 {
		t.Errorf("%d of the two large values were read whole", whole)
	}
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	kinds := make(map[string]bool)
	for _, c := range p.Commands() {
		kinds[c.Name] = true
		last := ""
		if len(c.Args) > 0 {
			last = c.Args[len(c.Args)-1]
		}
		ok := true
		switch c.Name {
		case "SCAN":
			ok = number(last) <= 1000
		case "HSCAN":
			ok = number(last) <= 500
		case "MEMORY":
			ok = len(c.Args) == 2 || number(last) <= 1000
		case "EXISTS":
			ok = len(c.Args) <= 200
		case "HGETALL":
			ok = c.Args[0] != manyFields
		case "GETRANGE":
			ok = c.Args[0] != longText || number(last)-number(c.Args[1]) < most
		}
		if !ok {
			t.Errorf("%s %.200q", c.Name, c.Args)
		}
	}
	known := []string{"CONFIG", "EXISTS", "GETRANGE", "HELLO", "HGETALL", "HLEN", "HSCAN", "INFO", "MEMORY", "SCAN", "STRLEN", "TYPE"}
	for name := range kinds {
		if !slices.Contains(known, name) {
			t.Errorf("%s: does its time have a bound?", name)
		}
	}
}

func TestALongTextIsFetchedWhole(t *testing.T) {
	for _, size := range []int{1 << 10, 128 << 10, 128<<10 + 1, 256 << 10, 256<<10 + 7, 32 << 20} {
		text := strings.Repeat("0123456789abcdef", size/16+1)[:size]
		r := load(t, redis.SourceOptions{}, cmd("SET", "lanyard_last_seen:"+alice, text))
		if len(r.items) != 1 || len(r.items[0].Rejects) != 1 {
			t.Fatalf("%d bytes: %d items", size, len(r.items))
		}
		if diff := cmp.Diff(text, r.items[0].Rejects[0].Value.Data); diff != "" {
			t.Errorf("%d bytes: %.300s", size, diff)
		}
	}
}

func TestAScanKeepsToItsRate(t *testing.T) {
	srv := redisserver.Start(t)
	var keys [][]any
	for i := range 1500 {
		keys = append(keys, cmd("SET", fmt.Sprint("other:", i), "x"))
	}
	fill(t, client(t, srv.URI), keys...)
	src := open(t, redis.Options{URI: srv.URI, MaxRate: 1000}).Source(redis.SourceOptions{Request: layout.Request{Now: now}})
	begun := time.Now()
	readAll(t, src)
	if took := time.Since(begun); took < 950*time.Millisecond { // half a second may have been saved up
		t.Errorf("1,500 keys took %s", took)
	}
}
