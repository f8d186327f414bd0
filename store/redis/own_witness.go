package redis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// storedWitness is a key that was written. While it is there, what else was written is not gone as a whole.
type storedWitness struct {
	Key  string `json:"key"`
	Name string `json:"name"` // of its own
}

// lookForWitnesses forgets the remembered keys of the batch's kinds that have gone, and returns the kinds of which none is
// remembered then. Of each kind it looks once before the next Finish.
func (k *Sink) lookForWitnesses(ctx context.Context, batch []record.Record) (missing record.Kinds, err error) {
	if k.opts.DryRun {
		return 0, nil
	}
	for i := range batch {
		kind := batch[i].Kind
		if missing.Has(kind) || !k.unwitnessed(kind) {
			continue
		}
		exists, err := k.store.hasWitness(ctx, kind)
		if err != nil {
			return 0, err
		}
		if !exists {
			missing = missing.With(kind)
		}
	}
	return missing, nil
}

// unwitnessed reports whether nobody looked for a remembered key of the kind yet.
func (k *Sink) unwitnessed(kind record.Kind) bool {
	k.witnessing.Lock()
	defer k.witnessing.Unlock()
	was := k.witnessed.Has(kind)
	k.witnessed = k.witnessed.With(kind)
	return !was
}

// hasWitness reports whether a key of the kind is remembered, and there. One that has gone is forgotten.
func (s *Store) hasWitness(ctx context.Context, kind record.Kind) (bool, error) {
	const what = "look whether what was written is there in redis"
	var w storedWitness
	known, err := s.lookups().entry(ctx, what, layout.Witnesses, kind.String(), &w)
	if _, damaged := errors.AsType[*DamagedError](err); err != nil && !damaged {
		return false, err
	}
	if known && err == nil {
		if there, err := s.exists(ctx, w.Key); err != nil || there {
			return there, err
		}
	}
	return false, s.pipeline(ctx, what, func(ctx context.Context, pipe goredis.Pipeliner) { pipe.HDel(ctx, layout.Witnesses, kind.String()) })
}

// rememberWitnesses remembers a key of each of the kinds that was written.
func (k *Sink) rememberWitnesses(ctx context.Context, missing record.Kinds, batch []record.Record, outcomes []record.Outcome) error {
	for i := range batch {
		kind := batch[i].Kind
		if !missing.Has(kind) || outcomes[i].Status == record.Rejected || outcomes[i].Status == record.Conflicted {
			continue
		}
		missing &^= record.Kinds(0).With(kind)
		w := storedWitness{Key: keyOf(k.layouts.Written(kind)[0], batch[i].User), Name: rand.Text()}
		text, err := json.Marshal(w)
		if err != nil {
			return err
		}
		err = k.store.pipeline(ctx, "remember what was written to redis", func(ctx context.Context, pipe goredis.Pipeliner) {
			pipe.HSetNX(ctx, layout.Witnesses, kind.String(), text) // another run may have been faster
		})
		if err != nil {
			return err
		}
	}
	return nil
}
