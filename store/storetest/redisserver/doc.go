// Package redisserver starts real Redis servers for tests, each on a free port of 127.0.0.1 with a folder of its own.
// A server stops with its test, also when the test fails, panics or is killed.
//
// What a test does not ask for is off: no snapshots, no append-only file. Arguments of [Start] are redis-server's own
// and come after the defaults, so they win:
//
//	srv := redisserver.Start(t, "--requirepass", "secret")
//	store, err := redis.Open(ctx, redis.Options{URI: srv.URI})
package redisserver
