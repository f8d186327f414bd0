package redis_test

import (
	"context"
	"fmt"
	"testing"

	diff "github.com/google/go-cmp/cmp"
	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

func TestOwnersAreThoseWhomKeysAuthenticate(t *testing.T) {
	t.Parallel()
	single := redisserver.Start(t)
	cluster := redisserver.StartCluster(t, 3)
	for uri, c := range map[string]goredis.UniversalClient{single.URI: client(t, single.URI), cluster.URI: cluster.Client(t)} {
		fill(t, c,
			cmd("SET", "api_key:a", alice), cmd("SET", "user_api_key:"+alice, "another"), cmd("SET", "api_key:b", bob), cmd("SET", "api_key:", carol),
			cmd("RPUSH", "api_key:list", alice), cmd("SET", "api_key:word", "soon"), cmd("SET", "api_key:zero", "0"+alice), cmd("SET", "api_key:empty", ""),
			cmd("SET", "api_key:long", "184467440737095516150"), cmd("SET", "api_key:brief", alice, "EX", 3600))
		keys := []string{"a", "b", "", "list", "word", "zero", "empty", "long", "brief", "absent", "a"}
		want := make(map[string]record.UserID)
		want["a"], _ = record.ParseUserID(alice)
		want["b"], _ = record.ParseUserID(bob)
		want["brief"] = want["a"]
		var more [][]any
		for i := range 2500 {
			key := fmt.Sprint("many", i)
			keys = append(keys, key)
			if i%2 == 0 {
				more = append(more, cmd("SET", "api_key:"+key, i+1))
				want[key] = record.UserID(i + 1)
			}
		}
		fill(t, c, more...)
		s := open(t, redis.Options{URI: uri})
		got, err := s.APIKeyOwners(context.Background(), keys)
		if d := diff.Diff(want, got); d != "" || err != nil {
			t.Errorf("%s: %v, -want +got:\n%s", uri, err, d)
		}
		if got, err := s.APIKeyOwners(context.Background(), nil); len(got) != 0 || err != nil {
			t.Errorf("of no keys: %v, %v", got, err)
		}
	}
}
