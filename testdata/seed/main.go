// Command seed fills an empty Redis database with made-up data in every form that lanyardctl has to deal with. The
// folder's README says what is in it, user by user. It writes the same data each time.
//
//	go run ./testdata/seed --redis redis://127.0.0.1:6379
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"
)

func main() {
	uri := flag.String("redis", "", "`URI` of a Redis database without keys")
	flag.Parse()
	if *uri == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	n, err := fill(context.Background(), *uri)
	if err != nil {
		fmt.Fprintln(os.Stderr, "seed:", err)
		os.Exit(1)
	}
	fmt.Printf("%d keys written\n", n)
}

// fill writes all entries to the database at uri, which has to be empty, and returns their number.
func fill(ctx context.Context, uri string) (int, error) {
	opts, err := redis.ParseURL(uri)
	if err != nil {
		return 0, err
	}
	client := redis.NewClient(opts)
	defer client.Close()
	held, err := client.DBSize(ctx).Result()
	if err != nil {
		return 0, err
	}
	if held > 0 {
		return 0, fmt.Errorf("the database holds %d keys; it has to be empty", held)
	}
	all := entries()
	_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, e := range all {
			e.write(ctx, p)
		}
		return nil
	})
	return len(all), err
}
