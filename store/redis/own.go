package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
)

// What lanyardctl keeps for itself stands in hashes of its own, as JSON. Lanyard sees none of them.

// DamagedError is a field of one of lanyardctl's own hashes that cannot be read.
type DamagedError struct {
	Key, Field string
	Err        error
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the field %q of %s in redis cannot be read: %v", e.Field, e.Key, e.Err)
}

func (e *DamagedError) Unwrap() error { return e.Err }

// entry reads a field of one of lanyardctl's own hashes. It reports false where there is none.
func (s lookups) entry(ctx context.Context, what, key, field string, into any) (bool, error) {
	var b batch
	b.ask("hget", key, field)
	if err := s.ask(ctx, what, &b); err != nil {
		return false, err
	}
	switch a := b.answers[0]; {
	case errors.Is(a.err, goredis.Nil):
		return false, nil
	case a.err != nil:
		return false, fmt.Errorf("%s in redis: %w", key, a.err)
	default:
		return true, decodeEntry(key, field, a.text, into)
	}
}

func decodeEntry(key, field, text string, into any) error {
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return &DamagedError{key, field, err}
	}
	return nil
}

// entries reads all fields of one of lanyardctl's own hashes, which are few, and hands the texts to each in no order.
func (s *Store) entries(ctx context.Context, what, key string, each func(field, text string) error) error {
	var b batch
	b.ask("hgetall", key)
	if err := s.lookups().ask(ctx, what, &b); err != nil {
		return err
	}
	if err := b.answers[0].err; err != nil && !errors.Is(err, goredis.Nil) {
		return fmt.Errorf("%s in redis: %w", key, err)
	}
	for i := 0; i+1 < len(b.answers[0].list); i += 2 {
		if err := each(b.answers[0].list[i], b.answers[0].list[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// ownedEntry is what a process has in one of lanyardctl's own hashes, as long as no other takes it over.
type ownedEntry struct {
	Owner record.Owner `json:"owner"`
}

// changeEntry replaces a field by what is given, nil for nothing, where the owner that stands there may be replaced. It
// reports whether it is so then.
func (s *Store) changeEntry(ctx context.Context, what, key, field string, replaceable func(now record.Owner, exists bool) bool, by any) (bool, error) {
	done := false
	_, err := s.update(ctx, what, step{keys: []string{key}, decide: func(ctx context.Context, held lookups) (writes, error) {
		var now ownedEntry
		exists, err := held.entry(ctx, what, key, field, &now)
		if err != nil {
			return nil, asOwnDamage(err)
		}
		if done = replaceable(now.Owner, exists); !done {
			return nil, nil
		}
		if by == nil {
			return func(ctx context.Context, pipe goredis.Pipeliner) { pipe.HDel(ctx, key, field) }, nil
		}
		text, err := json.Marshal(by)
		if err != nil {
			return nil, asOwn(err)
		}
		return func(ctx context.Context, pipe goredis.Pipeliner) { pipe.HSet(ctx, key, field, text) }, nil
	}})
	return done && err == nil, err
}

func asOwnDamage(err error) error {
	if _, damaged := errors.AsType[*DamagedError](err); damaged {
		return ownError{err}
	}
	return err
}

// unownedOr returns what reports whether an entry is nobody's, or that owner's.
func unownedOr(owner record.Owner) func(record.Owner, bool) bool {
	return func(now record.Owner, exists bool) bool { return !exists || now.Run == owner.Run }
}

// ownedBy returns what reports whether an entry is that owner's.
func ownedBy(owner record.Owner) func(record.Owner, bool) bool {
	return func(now record.Owner, exists bool) bool { return exists && now.Run == owner.Run }
}

func (s *Store) exists(ctx context.Context, key string) (bool, error) {
	var b batch
	b.ask("exists", key)
	err := s.lookups().ask(ctx, lookUp, &b)
	return err == nil && b.answers[0].n > 0, err
}
