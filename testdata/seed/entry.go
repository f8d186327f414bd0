package main

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// entry is one Redis key.
type entry struct {
	key     string
	typ     string   // as TYPE answers
	values  []string // a string's one value, a hash's fields and values in turn, the elements of the others
	expires bool     // in 2100
}

// expiry is when the keys with a TTL expire: late enough for a dump to keep them.
var expiry = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)

func text(key, value string) entry { return entry{key: key, typ: "string", values: []string{value}} }

func hash(key string, fieldsAndValues ...string) entry {
	return entry{key: key, typ: "hash", values: fieldsAndValues}
}

func list(key string, elements ...string) entry {
	return entry{key: key, typ: "list", values: elements}
}

func set(key string, members ...string) entry { return entry{key: key, typ: "set", values: members} }

func sortedSet(key string, members ...string) entry {
	return entry{key: key, typ: "zset", values: members}
}

func stream(key string, fieldsAndValues ...string) entry {
	return entry{key: key, typ: "stream", values: fieldsAndValues}
}

func expiring(e entry) entry {
	e.expires = true
	return e
}

// write queues the commands that make the key.
func (e entry) write(ctx context.Context, p redis.Pipeliner) {
	switch e.typ {
	case "string":
		p.Set(ctx, e.key, e.values[0], 0)
	case "hash":
		p.HSet(ctx, e.key, e.values)
	case "list":
		p.RPush(ctx, e.key, arguments(e.values)...)
	case "set":
		p.SAdd(ctx, e.key, arguments(e.values)...)
	case "zset":
		for score, member := range e.values {
			p.ZAdd(ctx, e.key, redis.Z{Score: float64(score), Member: member})
		}
	case "stream":
		p.XAdd(ctx, &redis.XAddArgs{Stream: e.key, ID: "1700000000000-0", Values: e.values})
	default:
		panic("seed: no way to write a " + e.typ)
	}
	if e.expires {
		p.ExpireAt(ctx, e.key, expiry)
	}
}

func arguments(values []string) []any {
	var args []any
	for _, v := range values {
		args = append(args, v)
	}
	return args
}
