package yardstick

import (
	"context"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func TestAnInstallIsOrdinaryAndAlwaysTheSame(t *testing.T) {
	t.Parallel()
	const users = 10_000
	var sizes [2]Size
	for i := range sizes {
		server := redisserver.Start(t)
		client := goredis.NewClient(&goredis.Options{Addr: server.Addr})
		defer client.Close()
		var err error
		if sizes[i], err = Fill(t.Context(), client, users); err != nil {
			t.Fatal(err)
		}
		// No two users have one id, so no key was written twice.
		if n, err := client.DBSize(context.Background()).Result(); err != nil || int(n) != sizes[i].Keys {
			t.Errorf("%d keys, of %d; %v", n, sizes[i].Keys, err)
		}
		if n, err := scan(t.Context(), client); err != nil || n != sizes[i].Keys {
			t.Errorf("a scan reads %d keys, of %d; %v", n, sizes[i].Keys, err)
		}
	}
	if sizes[0] != sizes[1] {
		t.Errorf("%+v", sizes)
	}
	for what, v := range map[string][2]float64{"keys": {float64(sizes[0].Keys), 3.69}, "documents": {float64(sizes[0].Documents), 2.71}} {
		if a := v[0] / users; a < v[1]*0.99 || a > v[1]*1.01 {
			t.Errorf("%.3f %s a user, and not %.2f", a, what, v[1])
		}
	}
}
