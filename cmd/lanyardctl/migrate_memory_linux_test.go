package main

import (
	"testing"

	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// However large a value is in Redis, no more than a part of it is held.
func TestLargeValuesTakeLittleMemory(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t)
	srv.Do("SETRANGE", "lanyard_last_seen:94490510688792576", 300<<20-1, "x")
	const some = `for i = ARGV[1], ARGV[1] + 49999 do redis.call('HSET', KEYS[1], 'field' .. i, 'a value of some length, as many are') end return 1`
	for from := 0; from < 1_000_000; from += 50_000 {
		srv.Do("EVAL", some, 1, "lanyard_kv:94490510688792576", from)
	}
	peak, out := peakOf(t, mongoserver.New(t).Env(), ferretdb.Build(t),
		"migrate", "redis-to-mongo", "--redis", srv.URI, "--dry-run", "--progress", "none", "--rejects", t.TempDir()+"/rejects.ndjson")
	t.Logf("peak memory %d KiB\n%s", peak, out)
	if peak > 160<<10 {
		t.Errorf("peak memory %d KiB", peak)
	}
}
