package redis

import (
	"context"
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// Checkpoints keeps checkpoints in the Redis that is written to. See [record.Checkpoints].
type Checkpoints struct{ store *Store }

// Checkpoints returns the checkpoints of runs that write to the Redis.
func (s *Store) Checkpoints() Checkpoints { return Checkpoints{s} }

// storedCheckpoint is the form of a checkpoint in Redis.
type storedCheckpoint struct {
	ownedEntry
	Scope       string            `json:"scope"`
	Heartbeat   time.Time         `json:"heartbeat"`
	Target      map[string]string `json:"target"`
	RejectsFile string            `json:"rejects_file"`
	Positions   map[string]string `json:"positions"`
	State       []byte            `json:"state"`
}

// Find implements [record.Checkpoints].
func (c Checkpoints) Find(ctx context.Context, scope string) ([]record.Checkpoint, error) {
	all, err := c.All(ctx)
	return slices.DeleteFunc(all, func(r record.Checkpoint) bool { return r.Scope != scope }), err
}

// All returns the checkpoints of all scopes, in no order.
func (c Checkpoints) All(ctx context.Context) ([]record.Checkpoint, error) {
	var found []record.Checkpoint
	err := c.store.entries(ctx, "look for interrupted runs in redis", layout.Checkpoints, func(id, text string) error {
		var s storedCheckpoint
		if err := decodeEntry(layout.Checkpoints, id, text, &s); err != nil {
			return err
		}
		found = append(found, record.Checkpoint{
			ID: id, Scope: s.Scope, Owner: s.Owner, Heartbeat: s.Heartbeat, Target: s.Target, RejectsFile: s.RejectsFile,
			Positions: s.Positions, State: s.State,
		})
		return nil
	})
	return found, err
}

// Save implements [record.Checkpoints].
func (c Checkpoints) Save(ctx context.Context, r record.Checkpoint, from record.Owner) (bool, error) {
	return c.store.changeEntry(ctx, "save the run's progress in redis", layout.Checkpoints, r.ID, unownedOr(from), storedCheckpoint{
		ownedEntry: ownedEntry{r.Owner}, Scope: r.Scope, Heartbeat: r.Heartbeat, Target: r.Target, RejectsFile: r.RejectsFile,
		Positions: r.Positions, State: r.State,
	})
}

// Remove implements [record.Checkpoints].
func (c Checkpoints) Remove(ctx context.Context, id string) error {
	anyones := func(record.Owner, bool) bool { return true }
	_, err := c.store.changeEntry(ctx, "remove the run's progress from redis", layout.Checkpoints, id, anyones, nil)
	return err
}

// Target implements [record.Checkpoints]. A kind is known by a key that was written, as long as that is there, and by the
// processes that hold the data: what a server had before it was restarted, or before another took over, may be lost.
func (c Checkpoints) Target(ctx context.Context) (map[string]string, error) {
	servers, err := c.store.incarnation(ctx)
	if err != nil {
		return nil, err
	}
	target := make(map[string]string)
	err = c.store.entries(ctx, "look whether the run's keys are there in redis", layout.Witnesses, func(kind, text string) error {
		var w storedWitness
		if err := decodeEntry(layout.Witnesses, kind, text, &w); err != nil {
			return err
		}
		there, err := c.store.exists(ctx, w.Key)
		if there {
			target[kind] = w.Name + " on " + servers
		}
		return err
	})
	return target, err
}
