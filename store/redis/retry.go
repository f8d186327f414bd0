package redis

import (
	"context"
	"errors"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Reads change nothing, so they are repeated after a cut connection: five attempts, within some three seconds.
const attempts = 5

const firstPause = 200 * time.Millisecond

// retry runs read until it succeeds, fails for good, or has failed attempts times.
func (s *Store) retry(ctx context.Context, what string, read func() error) error {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		err := read()
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return &readError{what: what, cause: context.Cause(ctx)}
		case attempt == attempts || !temporary(err):
			return &readError{what: what, cause: err}
		}
		select {
		case <-ctx.Done():
			return &readError{what: what, cause: context.Cause(ctx)}
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// pipeline sends what fill queues in one round trip and returns once every command has its answer. Answers that concern
// one key alone are left to the caller: no such key, a wrong type, and a refused MEMORY USAGE. fill may be called again.
func (s *Store) pipeline(ctx context.Context, what string, fill func(goredis.Pipeliner)) error {
	return s.retry(ctx, what, func() error {
		pipe := s.reads.Pipeline()
		fill(pipe)
		if pipe.Len() == 0 {
			return nil
		}
		cmds, err := pipe.Exec(ctx)
		if err == nil {
			return nil
		}
		answered := false
		for _, cmd := range cmds {
			err := cmd.Err()
			switch {
			case err == nil, errors.Is(err, goredis.Nil), isWrongType(err), cmd.Name() == "memory" && isRefused(err):
				answered = true
			default:
				return err
			}
		}
		if !answered {
			return err
		}
		return nil
	})
}
