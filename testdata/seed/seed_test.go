package main

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// digest returns Redis's own digest of all keys, values and the presence of TTLs.
func digest(t *testing.T, uri string) string {
	t.Helper()
	opts, err := redis.ParseURL(uri)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(opts)
	defer client.Close()
	sum, err := client.Do(t.Context(), "DEBUG", "DIGEST").Text()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func TestTheDumpIsWhatTheSeedWrites(t *testing.T) {
	seeded := redisserver.Start(t, "--enable-debug-command", "yes")
	n, err := fill(t.Context(), seeded.URI)
	if err != nil {
		t.Fatal(err)
	}
	keys := make(map[string]bool)
	for _, e := range entries() {
		keys[e.key] = true
	}
	if len(keys) != n {
		t.Errorf("%d entries, but %d keys", n, len(keys))
	}
	if _, err := fill(t.Context(), seeded.URI); err == nil {
		t.Error("a database with keys was filled")
	}

	dumped := startOnDump(t)
	if got, want := digest(t, dumped.URI), digest(t, seeded.URI); got != want || strings.Trim(got, "0") == "" {
		t.Errorf("the dump has digest %s, the seed writes %s: run testdata/make-dump.sh", got, want)
	}
}
