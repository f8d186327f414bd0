package yardstick

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestAnInstallIsOrdinaryAndAlwaysTheSame fixes the numbers, so that figures of different days compare.
func TestAnInstallIsOrdinaryAndAlwaysTheSame(t *testing.T) {
	t.Parallel()
	server := redisserver.Start(t)
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
	defer client.Close()
	size, err := Fill(t.Context(), client, 10_000)
	if want := (Size{Users: 10_000, Keys: 36_873, Documents: 27_046}); err != nil || size != want {
		t.Errorf("%+v, %v", size, err)
	}
	// No two users have one id, so no key was written twice.
	if n, err := client.DBSize(context.Background()).Result(); err != nil || int(n) != size.Keys {
		t.Errorf("%d keys, of %d; %v", n, size.Keys, err)
	}
	if n, err := scan(t.Context(), client); err != nil || n != size.Keys {
		t.Errorf("a scan reads %d keys, of %d; %v", n, size.Keys, err)
	}
}
