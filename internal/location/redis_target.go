package location

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

var redisTargetScheme = TargetScheme{
	Scheme:  redisScheme.Scheme,
	Open:    func(ctx context.Context, o TargetOptions) (PairTarget, error) { return openRedisTarget(ctx, o) },
	Explain: explainRedisTarget,
}

// rdbTargetScheme knows the files that cannot be targets, to say so.
var rdbTargetScheme = TargetScheme{
	Scheme: Scheme{
		Schemes: rdbScheme.Schemes, Local: true,
		Check: func(at Location) error {
			return exit.WrongUse(at.From+" names a file, which is no target",
				"name a running Redis, such as redis://localhost:6379; a Redis that runs writes such a file itself (redis-cli --rdb FILE)")
		},
	},
	Explain: func(err error, _ TargetOptions) error { return err },
}

// Layered is a target that keeps what it holds in the layouts of one app, or of both.
type Layered interface {
	PairTarget

	// AppsThere returns the apps in whose layouts the target holds something.
	AppsThere(ctx context.Context) (record.Apps, error)

	// In returns the target as it is read and written in the layouts.
	In(l Layouts) PairTarget

	// Unfinished returns the runs that did not come to their end so far.
	Unfinished(ctx context.Context) ([]record.Checkpoint, error)

	// Forget removes what lanyardctl keeps of its own beside Lanyard's data. A dry run only counts it.
	Forget(ctx context.Context, dryRun bool) (redis.Forgotten, error)
}

// Layouts say in which layouts a target is read and written.
type Layouts struct {
	Apps   record.Apps // whose
	AsJSON bool        // values that are no text are written as JSON text where texts alone are held
	Exact  bool        // two layouts of which one says more differ
}

// redisTarget is an open Redis that is written to, or compared with.
type redisTarget struct {
	*redis.Store
	layouts Layouts
}

func openRedisTarget(ctx context.Context, o TargetOptions) (Layered, error) {
	store, err := redis.Open(ctx, redis.Options{
		URI: o.URI, Timeout: o.Timeout, IPv6: o.IPv6, TLS: o.TLS, RetryFor: o.RetryFor, Notify: o.Notify, Points: true,
	})
	if err != nil {
		return nil, explainRedisTarget(err, o)
	}
	if o.ReadOnly {
		return redisTarget{Store: store}, nil
	}
	for _, n := range store.Info().Nodes {
		if n.Replica {
			err := &redis.Error{Addr: n.Addr, Reason: redis.ErrReadOnly, Detail: "its master is " + n.Master}
			return nil, errors.Join(explainRedisTarget(err, o), store.Close())
		}
	}
	return redisTarget{Store: store}, nil
}

// In implements [Layered].
func (t redisTarget) In(l Layouts) PairTarget {
	t.layouts = l
	return t
}

// Checkpoints implements [Mergeable].
func (t redisTarget) Checkpoints() record.Checkpoints { return t.Store.Checkpoints() }

// Unfinished implements [Layered]. Where it cannot be read, nobody goes on with it.
func (t redisTarget) Unfinished(ctx context.Context) ([]record.Checkpoint, error) {
	list, err := t.Store.Checkpoints().All(ctx)
	if _, damaged := errors.AsType[*redis.DamagedError](err); damaged {
		return list, nil
	}
	return list, err
}

// Runs implements [Mergeable].
func (t redisTarget) Runs() record.Runs { return t.Store.Runs() }

// Facts implements [Described].
func (t redisTarget) Facts() TargetFacts {
	return TargetFacts{Is: describeRedis(t.Info()), Warnings: redisTargetWarnings(t.Info())}
}

// Contents implements [Described]. To count, every key would have to be looked at.
func (t redisTarget) Contents(context.Context, record.Kinds) (map[record.Kind]int64, error) {
	return nil, nil
}

// Sink implements [Mergeable].
func (t redisTarget) Sink(ctx context.Context, o MergeOptions) (record.Sink, []string, error) {
	return t.Store.Sink(redis.SinkOptions{
		Apps: t.layouts.Apps, AsJSON: t.layouts.AsJSON, Kinds: o.Kinds, Policy: o.Policy, DryRun: o.DryRun,
	}), nil, nil
}

// WriteHints implements [Mergeable].
func (redisTarget) WriteHints() (workers, batchSize int) { return 0, 0 }

// Reader implements [Comparable].
func (t redisTarget) Reader(users []record.UserID) record.TargetReader {
	return t.reader(users)
}

// ReadUsers implements [Readable].
func (t redisTarget) ReadUsers(ctx context.Context, kind record.Kind, users []record.UserID, yield func([]record.Document) error) error {
	return t.reader(nil).ReadUsers(ctx, kind, users, yield)
}

func (t redisTarget) reader(users []record.UserID) *redis.Reader {
	return t.Store.Reader(redis.ReaderOptions{Apps: t.layouts.Apps, AsJSON: t.layouts.AsJSON, Exact: t.layouts.Exact, Users: users})
}

// Close implements [PairTarget].
func (t redisTarget) Close(context.Context) error { return t.Store.Close() }

// redisTargetWarnings says what a person should know of a Redis that is written to.
func redisTargetWarnings(i redis.Info) []string {
	list := staleRedis(i)
	for _, n := range i.Nodes {
		if n.Evicts != "" {
			list = append(list, fmt.Sprintf("Redis %s removes keys when its memory is full (maxmemory-policy %s; %s so far): it would remove "+
				"what is written to it, too; CONFIG SET maxmemory-policy noeviction lets it refuse writes instead", n.Addr, n.Evicts, ui.Thousands(n.Evicted)))
		}
		if n.Unsaved {
			list = append(list, fmt.Sprintf("Redis %s keeps nothing on disk (neither save nor appendonly): a restart would lose everything that is written to it", n.Addr))
		}
	}
	if i.Expires {
		list = append(list, "some keys in the target have a time to live: one of Lanyard's that has one takes what stands there with it when it expires; "+
			"keys that are written to are made to last")
	}
	return list
}

// explainRedisTarget gives an error of a Redis that is written to its exit code and the next step.
func explainRedisTarget(err error, o TargetOptions) error {
	at := SourceOptions{Location: o.Location, RedisSettings: o.RedisSettings, Timeout: o.Timeout, RetryFor: o.RetryFor}
	explained := explainRedis(err, at)
	if damaged, ok := errors.AsType[*redis.DamagedError](err); ok {
		return exit.Failure(err, fmt.Sprintf("make sure that no lanyardctl is running on this Redis, then remove the field: redis-cli HDEL %s %q; "+
			"lanyardctl forget removes all that it keeps there", damaged.Key, damaged.Field))
	}
	known, ok := errors.AsType[*exit.Error](explained)
	if !ok {
		return explained
	}
	user, _ := at.login(err)
	switch {
	case errors.Is(err, redis.ErrReplaced), errors.Is(err, redis.ErrShrank), errors.Is(err, redis.ErrRestarted):
		return exit.Failure(err, "what was written may be gone: find out what befell this Redis (FLUSHALL, a restart, a failover, maxmemory-policy), "+
			"then run the same command again: it starts from the beginning")
	case errors.Is(err, redis.ErrReadOnly), errors.Is(err, redis.ErrMemory), errors.Is(err, redis.ErrDisk), errors.Is(err, redis.ErrReplicas):
		return exit.Failure(err, known.Hint+", then run the same command again")
	case errors.Is(err, redis.ErrPermission):
		return exit.Failure(err, fmt.Sprintf("let the user run it: ACL SETUSER %s +%s (docs/back.md lists all that is needed)", user, redis.RefusedCommand(err)))
	case errors.Is(err, redis.ErrKeys):
		return exit.Failure(err, known.Hint+" ~lanyardctl:*")
	case errors.Is(err, redis.ErrCommand):
		return exit.Failure(err, fmt.Sprintf("is %s renamed or switched off (rename-command)? Let it be known again", strings.ToUpper(redis.RefusedCommand(err))))
	}
	return explained
}
