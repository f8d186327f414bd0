package redis

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
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

func (s *Store) exists(ctx context.Context, key string) (bool, error) {
	var b batch
	b.ask("exists", key)
	err := s.lookups().ask(ctx, lookUp, &b)
	return err == nil && b.answers[0].n > 0, err
}

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

// Leases keeps leases in Redis. See [record.Leases].
type Leases struct{ store *Store }

// Leases returns the leases of those who work on the Redis.
func (s *Store) Leases() Leases { return Leases{s} }

// storedLease is the form of a lease in Redis.
type storedLease struct {
	ownedEntry
	Heartbeat time.Time `json:"heartbeat"`
	Doing     string    `json:"doing"`
}

// Lease implements [record.Leases].
func (l Leases) Lease(ctx context.Context, name string) (record.Lease, bool, error) {
	var s storedLease
	exists, err := l.store.lookups().entry(ctx, "read who has the lease in redis", layout.Leases, name, &s)
	if err != nil || !exists {
		return record.Lease{}, false, err
	}
	return record.Lease{Name: name, Owner: s.Owner, Heartbeat: s.Heartbeat.UTC(), Doing: s.Doing}, true, nil
}

// TakeLease implements [record.Leases].
func (l Leases) TakeLease(ctx context.Context, lease record.Lease, from record.Owner) (bool, error) {
	return l.store.changeEntry(ctx, "take the lease in redis", layout.Leases, lease.Name, unownedOr(from), storeLease(lease))
}

// KeepLease implements [record.Leases].
func (l Leases) KeepLease(ctx context.Context, lease record.Lease) (bool, error) {
	return l.store.changeEntry(ctx, "keep the lease in redis", layout.Leases, lease.Name, ownedBy(lease.Owner), storeLease(lease))
}

// EndLease implements [record.Leases].
func (l Leases) EndLease(ctx context.Context, name string, owner record.Owner) error {
	_, err := l.store.changeEntry(ctx, "give the lease in redis back", layout.Leases, name, ownedBy(owner), nil)
	return err
}

func storeLease(l record.Lease) storedLease {
	return storedLease{ownedEntry{l.Owner}, l.Heartbeat.Truncate(time.Millisecond), l.Doing}
}

// Runs keeps in Redis how runs ended. See [record.Runs].
type Runs struct{ store *Store }

// Runs returns what the Redis knows of runs.
func (s *Store) Runs() Runs { return Runs{s} }

// SaveRun implements [record.Runs].
func (r Runs) SaveRun(ctx context.Context, e record.EndedRun) error {
	anyones := func(record.Owner, bool) bool { return true }
	_, err := r.store.changeEntry(ctx, "save how the run ended in redis", layout.Runs, e.Command, anyones, e)
	return err
}

// LastRuns implements [record.Runs].
func (r Runs) LastRuns(ctx context.Context) ([]record.EndedRun, error) {
	var runs []record.EndedRun
	err := r.store.entries(ctx, "read how the last runs ended in redis", layout.Runs, func(command, text string) error {
		var e record.EndedRun
		if err := decodeEntry(layout.Runs, command, text, &e); err != nil {
			return err
		}
		runs = append(runs, e)
		return nil
	})
	slices.SortFunc(runs, func(a, b record.EndedRun) int { return cmp.Compare(a.Command, b.Command) })
	return runs, err
}

// Forgotten is how much of what lanyardctl kept for itself was removed.
type Forgotten struct{ Digests, Checkpoints, Leases, Runs int64 }

// Forget removes what lanyardctl keeps in the Redis for itself. Then it takes all that stands there for somebody else's. A dry
// run only counts.
func (s *Store) Forget(ctx context.Context, dryRun bool) (Forgotten, error) {
	var all Forgotten
	keys := []string{layout.Digests, layout.Checkpoints, layout.Leases, layout.Runs, layout.Witnesses}
	counts := []*int64{&all.Digests, &all.Checkpoints, &all.Leases, &all.Runs, new(int64)}
	if !s.single {
		for _, key := range layout.DigestKeys() {
			keys, counts = append(keys, key), append(counts, &all.Digests)
		}
	}
	const atOnce = 1000
	for len(keys) > 0 {
		n := min(len(keys), atOnce)
		var sizes []*goredis.IntCmd
		err := s.pipeline(ctx, "forget what lanyardctl keeps in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
			sizes = sizes[:0]
			for _, key := range keys[:n] {
				sizes = append(sizes, pipe.HLen(ctx, key))
			}
		})
		if err != nil {
			return all, err
		}
		for i, size := range sizes {
			if isWrongType(size.Err()) {
				return all, fmt.Errorf("%s in redis is no hash, so that lanyardctl did not make it: look at it, and delete it yourself", keys[i])
			}
			*counts[i] += size.Val()
		}
		if !dryRun {
			err = s.pipeline(ctx, "forget what lanyardctl keeps in redis", func(ctx context.Context, pipe goredis.Pipeliner) {
				for i, key := range keys[:n] {
					if sizes[i].Val() > 0 {
						pipe.Unlink(ctx, key)
					}
				}
			})
			if err != nil {
				return all, err
			}
		}
		keys, counts = keys[n:], counts[n:]
	}
	return all, nil
}

// AppsThere returns the apps in whose layouts there are keys. API keys, which the fork leaves behind, tell of upstream only
// where nothing else tells of anybody.
func (s *Store) AppsThere(ctx context.Context) (record.Apps, error) {
	var apps, keyHolders record.Apps
	for _, n := range s.current() {
		for cursor := uint64(0); ; {
			var keys []string
			err := s.persist(ctx, "scan redis "+n.addr, func(ctx context.Context) (err error) {
				var next uint64
				if keys, next, err = n.client.Scan(ctx, cursor, "*lanyard*", pageToMatch).Result(); err == nil {
					cursor = next
				}
				return err
			})
			if err != nil {
				return 0, err
			}
			for _, key := range keys {
				if l, _ := layout.Classify(key); !l.Generic() {
					apps |= l.Apps()
				}
			}
			if cursor == 0 || apps == record.AllApps {
				break
			}
		}
	}
	if apps != 0 {
		return apps, nil
	}
	err := s.scanAPIKeys(ctx, func(claims []half) error {
		if len(claims) > 0 {
			keyHolders = layout.APIKey.Apps()
		}
		return nil
	})
	return keyHolders, err
}
