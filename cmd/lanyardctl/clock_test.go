package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

// TestManyDatesInTheFutureAskForTheClock has each command meet as many dates of the next century as it takes, and one less.
func TestManyDatesInTheFutureAskForTheClock(t *testing.T) {
	t.Parallel()
	redis, server := redisserver.Start(t), mongoserver.Start(t)
	opts, err := goredis.ParseURL(redis.URI)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(opts)
	defer client.Close()
	for _, n := range []int{9, 10} {
		target := server.Database(t)
		var documents []any
		for i := range n + 5 {
			user, seen, since := fmt.Sprint(1000000000000000000+i), int64(4102444800000), int64(4102444800)
			if i >= n {
				seen, since = 1700000000000, 1700000000
			}
			if err := client.Set(t.Context(), "lanyard_last_seen:"+user, seen, 0).Err(); err != nil {
				t.Fatal(err)
			}
			documents = append(documents, bson.D{{Key: "user_id", Value: user}, {Key: "since", Value: since}})
		}
		if _, err := target.Connect(t).Collection("monitoring").InsertMany(t.Context(), documents); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			exit int
			args []string
		}{
			{exit.Rejects, []string{"migrate", "redis-to-mongo", "--redis", redis.URI}},
			{exit.Rejects, []string{"verify", "--redis", redis.URI, "--recheck", "0"}},
			{exit.Rejects, []string{"verify", "--redis", redis.URI, "--counts-only"}},
			{exit.Done, []string{"sweep"}},
		} {
			var report struct {
				Now      time.Time
				Warnings []string
			}
			runForJSON(t, target, &report, c.exit, c.args...)
			warned := slices.ContainsFunc(report.Warnings, func(text string) bool {
				return strings.HasPrefix(text, fmt.Sprintf("%d dates lie in the future: is this machine's clock right (it says 2", n))
			})
			if warned != (n == 10) || time.Since(report.Now).Abs() > time.Hour {
				t.Errorf("%s, %d dates: judged by %s, warnings %q", c.args, n, report.Now, report.Warnings)
			}
		}
	}
}
