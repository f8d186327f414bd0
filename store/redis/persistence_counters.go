package redis

import (
	"bytes"
	"cmp"
	"context"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// UpdateCounters implements [record.Persistence].
func (p *Persistence) UpdateCounters(
	ctx context.Context, decide func(held record.Entry, note []byte) (set map[string]record.Value, newNote []byte, err error),
) error {
	key := layout.Counters.Key("")
	keys := []string{key, layout.CountersNote}
	_, err := p.store.update(ctx, "change the counters in redis", step{keys: keys, decide: func(ctx context.Context, held lookups) (writes, error) {
		// Both change together: the counters are those of a note that is the same before and after.
		note, err := held.one(ctx, layout.CountersNote)
		if err != nil {
			return nil, err
		}
		stored, err := held.one(ctx, key)
		if err != nil {
			return nil, err
		}
		if again, err := held.one(ctx, note.Key); err != nil || again.Text != note.Text {
			return nil, cmp.Or(err, errOvertaken)
		}
		if note.State == layout.WrongType || note.State == layout.TooLarge {
			return nil, asOwn(errors.New("the key " + note.Key + " in redis holds a " + note.Type + " that lanyardctl did not write"))
		}
		var old []byte
		if note.State == layout.Present {
			old = []byte(note.Text)
		}
		entry, _ := stored.Entry()
		set, now, err := decide(entry, old)
		if err != nil {
			return nil, asOwn(err)
		}
		counters, err := encode(layout.Counters, set)
		if err != nil {
			return nil, asOwn(err)
		}
		if len(counters) == 0 && (now == nil) == (old == nil) && bytes.Equal(now, old) {
			return nil, nil
		}
		return func(ctx context.Context, pipe goredis.Pipeliner) {
			if len(counters) > 0 {
				pipe.HSet(ctx, key, counters...)
			}
			if now == nil {
				pipe.Del(ctx, layout.CountersNote)
			} else {
				pipe.Set(ctx, layout.CountersNote, now, 0)
			}
		}, nil
	}})
	return err
}
