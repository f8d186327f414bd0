package redis

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// SinkOptions say how records are merged.
type SinkOptions struct {
	// Apps are those in whose layouts records are written. A record goes to each of them that keeps its kind.
	Apps record.Apps

	// AsJSON writes the JSON text of values that are no texts where a layout holds texts alone. Else they are rejected.
	AsJSON bool

	Kinds  record.Kinds // that are going to be written; none means all
	Policy record.Policy
	DryRun bool             // Write answers outcomes and changes nothing
	Now    func() time.Time // time.Now where nil
}

// Sink merges records into the keys of Lanyard's. It implements [record.Sink] and [record.Deleter].
type Sink struct {
	store   *Store
	opts    SinkOptions
	layouts layout.Layouts

	// strays are API keys that authenticate a user who has another current one, or none: a look at all keys alone finds them.
	strays map[record.UserID][]string

	begun    []*node      // the servers before the first write
	skipping atomic.Int64 // how many batches are not tried to be created at once

	// populated tells that some of the last keys were there already: a look at many of them spares transactions then.
	populated atomic.Bool

	witnessing sync.Mutex
	witnessed  record.Kinds // of which was looked for a remembered key
}

// Sink returns what merges records, of those kinds that one of the apps keeps in Redis.
func (s *Store) Sink(o SinkOptions) *Sink {
	if o.Kinds == 0 {
		o.Kinds = record.LanyardKinds
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Sink{store: s, opts: o, layouts: layout.LayoutsOf(o.Apps)}
}

// Limits implements [record.Sink].
func (k *Sink) Limits() record.Limits { return k.layouts.Limits(k.opts.AsJSON) }

// Begin implements [record.Sink]. Where API keys are going to be written it looks at all keys, for those that authenticate
// somebody beside the current one.
func (k *Sink) Begin(ctx context.Context, _ record.ArchiveFunc) error {
	k.begun = k.store.current()
	// A transaction whose digests cannot be written would write the rest.
	if _, err := k.store.lookups().entry(ctx, "look for digests in redis", layout.Digests, "", new(any)); err != nil {
		return err
	}
	if !(k.opts.Kinds & k.layouts.Kinds()).Has(record.APIKeys) {
		return ctx.Err()
	}
	strays, err := k.store.strayAPIKeys(ctx)
	k.strays = strays
	return err
}

// Finish implements [record.Sink]. It fails where what was written went away meanwhile, such as by FLUSHALL, or because the
// server's memory was full, and where some of it may have, since a server was restarted or another took over; its error wraps
// [record.ErrSourceMoved] then.
func (k *Sink) Finish(ctx context.Context, _ record.ArchiveFunc) error {
	k.witnessing.Lock()
	k.witnessed = 0
	k.witnessing.Unlock()
	if k.opts.DryRun {
		return ctx.Err()
	}
	if err := k.store.whole(ctx); err != nil {
		return err
	}
	now := k.store.current()
	for _, was := range k.begun {
		if !slices.ContainsFunc(now, func(n *node) bool { return n.first.runID == was.first.runID }) {
			return &callError{what: "check redis " + was.addr, cause: &movedError{ErrRestarted, "what it had taken last may be lost"}}
		}
	}
	return nil
}

// mergeWhat is what a write is for, in words for people.
const mergeWhat = "write to redis"

// Write implements [record.Sink].
func (k *Sink) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	outcomes := make([]record.Outcome, len(batch))
	tasks := make([]task, len(batch))
	for i := range batch {
		if !k.layouts.Kinds().Has(batch[i].Kind) {
			return nil, fmt.Errorf("%s: no layout that is written has a place for %s", mergeWhat, batch[i].Kind)
		}
		tasks[i] = &merging{sink: k, r: &batch[i], outcome: &outcomes[i]}
	}
	missing, err := k.lookForWitnesses(ctx, batch)
	if err != nil {
		return nil, err
	}
	if err := k.carryOut(ctx, mergeWhat, tasks, keep); err != nil {
		return nil, err
	}
	return outcomes, k.rememberWitnesses(ctx, missing, batch, outcomes)
}

// Delete implements [record.Deleter].
func (k *Sink) Delete(ctx context.Context, documents []record.Document, keep record.ArchiveFunc) ([]record.Deletion, error) {
	if err := record.CheckDeletable(documents); err != nil {
		return nil, err
	}
	deletions := make([]record.Deletion, len(documents))
	tasks := make([]task, len(documents))
	for i := range documents {
		tasks[i] = &deleting{sink: k, was: documents[i], deletion: &deletions[i]}
	}
	if !k.store.single {
		if err := k.keepAll(ctx, tasks, keep); err != nil {
			return nil, err
		}
		keep = func([]record.Superseded) error { return nil }
	}
	return deletions, k.carryOut(ctx, "delete from redis", tasks, keep)
}

// carryOut carries out the tasks: as few transactions as possible where one server has all keys, else key by key.
func (k *Sink) carryOut(ctx context.Context, what string, tasks []task, keep record.ArchiveFunc) error {
	if len(tasks) == 0 {
		return ctx.Err()
	}
	defer context.AfterFunc(ctx, k.store.connections.cut)()
	if k.store.single {
		for len(tasks) > 0 {
			n := apart(tasks[:min(len(tasks), seenAtOnce)], nil)
			if err := k.onOneServer(ctx, what, tasks[:n], keep); err != nil {
				return err
			}
			tasks = tasks[n:]
		}
		return nil
	}
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(max(cap(k.store.changing), 1))
	var keeping sync.Mutex
	one := func(values []record.Superseded) error {
		keeping.Lock()
		defer keeping.Unlock()
		return keep(values)
	}
	for len(tasks) > 0 {
		n := apart(tasks, nil)
		for _, t := range tasks[:n] {
			group.Go(func() error { return k.alone(working, what, t, one) })
		}
		if tasks = tasks[n:]; len(tasks) > 0 { // the next has a key of one that is under way
			if err := group.Wait(); err != nil {
				return err
			}
			group, working = errgroup.WithContext(ctx)
			group.SetLimit(max(cap(k.store.changing), 1))
		}
	}
	return group.Wait()
}

// strayAPIKeys returns the API keys that authenticate a user who has another current one, or none, by a look at all keys.
func (s *Store) strayAPIKeys(ctx context.Context) (map[record.UserID][]string, error) {
	strays := make(map[record.UserID][]string)
	err := s.wholeScan(ctx, func() error {
		clear(strays)
		return s.scanAPIKeys(ctx, func(claims []half) error {
			current := make([]string, len(claims))
			for i, c := range claims {
				current[i] = keyOf(layout.UserAPIKey, c.user)
			}
			if len(current) == 0 {
				return nil
			}
			founds, err := s.manyLookups().read(ctx, current...)
			if err != nil {
				return err
			}
			for i, c := range claims {
				if c.p.Key != layout.APIKey.Key(founds[i].Text) {
					strays[c.user] = append(strays[c.user], strings.TrimPrefix(c.p.Key, layout.APIKey.Key("")))
				}
			}
			return nil
		})
	})
	return strays, err
}
