package redis_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// BenchmarkRead scans and decodes a database of an upstream install, with an API key, two times and five pairs a user.
func BenchmarkRead(b *testing.B) {
	const users = 20_000
	srv := redisserver.Start(b)
	c := client(b, srv.URI)
	for i := range users {
		u := fmt.Sprint(94490510688792576 + uint64(i)<<22)
		fill(b, c,
			cmd("HSET", "lanyard_kv:"+u, "a", "some text", "b", "some more text", "c", "1", "d", "", "e", "https://example.com/"+u),
			cmd("SET", "lanyard_last_seen:"+u, 1700000000000+i),
			cmd("SET", "monitoring:"+u, 1690000000+i),
			cmd("SET", fmt.Sprintf("api_key:key%d", i), u), cmd("SET", "user_api_key:"+u, fmt.Sprintf("key%d", i)),
		)
	}
	s := open(b, redis.Options{URI: srv.URI})
	for _, kinds := range append([]record.Kinds{record.LanyardKinds}, single()...) {
		b.Run(kinds.String(), func(b *testing.B) {
			var keys, items int64
			for b.Loop() {
				parts, err := s.Source(redis.SourceOptions{Request: layout.Request{Now: now, Kinds: kinds}}).Parts(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				err = parts[0].Read(context.Background(), "", func(p record.Page) error {
					keys += p.Seen.Keys
					items += int64(len(p.Items))
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(keys)/b.Elapsed().Seconds(), "keys/s")
			b.ReportMetric(float64(items)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func single() []record.Kinds {
	var list []record.Kinds
	for _, k := range []record.Kind{record.APIKeys, record.KV, record.LastSeen, record.MonitoringSince} {
		list = append(list, record.Kinds(0).With(k))
	}
	return list
}
