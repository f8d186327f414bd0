package redis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/store/redis"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

const hiddenUsers = 400

func hiddenKey(i int) string { return fmt.Sprintf("lanyard_kv:%d", 1000000000000000000+i) }

// pairs fills a Redis with key-value pairs of as many users, and others with keys of another application.
func pairs(others int) (commands [][]any) {
	for i := range hiddenUsers {
		commands = append(commands, cmd("HSET", hiddenKey(i), "n", i))
	}
	for i := range others {
		commands = append(commands, cmd("SET", fmt.Sprintf("sess:%d", i), "x"))
	}
	return commands
}

// gone removes the share of the pairs, in percent, and brings as many others instead.
func gone(percent int, instead bool) (commands [][]any) {
	for i := range hiddenUsers {
		if i%100 >= percent {
			continue
		}
		commands = append(commands, cmd("DEL", hiddenKey(i)))
		if instead {
			commands = append(commands, cmd("SET", fmt.Sprintf("other:%d", i), "x"))
		}
	}
	return commands
}

func TestKeysThatComeInsteadHideNothing(t *testing.T) {
	for _, test := range []struct{ others, percent int }{{0, 80}, {0, 100}, {5000, 80}, {20_000, 100}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			t.Parallel()
			srv := redisserver.Start(t)
			c := client(t, srv.URI)
			fill(t, c, pairs(test.others)...)
			s := open(t, redis.Options{URI: srv.URI})
			src := s.Source(redis.SourceOptions{Request: layout.Request{Now: now, Kinds: record.Kinds(0).With(record.KV)}, PageSize: 25})
			_, err := during(t, context.Background(), src, func() { fill(t, c, gone(test.percent, true)...) })
			if !errors.Is(err, redis.ErrShrank) || !errors.Is(err, record.ErrSourceMoved) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestAFewKeysThatGoAreTold(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	fill(t, c, pairs(0)...)
	s := open(t, redis.Options{URI: srv.URI})
	_, err := during(t, context.Background(), s.Source(redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}), func() { fill(t, c, gone(15, false)...) })
	if err != nil || len(s.Remarks()) != 1 {
		t.Errorf("%v, told %q", err, s.Remarks())
	}
}

func TestALaterRunNoticesWhatWentAwayBetween(t *testing.T) {
	srv := redisserver.Start(t)
	c := client(t, srv.URI)
	fill(t, c, pairs(0)...)
	o := redis.SourceOptions{Request: layout.Request{Now: now}, PageSize: 25}
	at, _, _ := readFrom(t, open(t, redis.Options{URI: srv.URI}), o, "", 3)
	fill(t, c, gone(90, true)...)
	parts, err := open(t, redis.Options{URI: srv.URI}).Source(o).Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := parts[0].Read(t.Context(), at, func(record.Page) error { return nil }); !errors.Is(err, redis.ErrShrank) {
		t.Errorf("error %v", err)
	}
}
