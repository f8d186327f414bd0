package location

import (
	"context"
	"errors"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// The names of the stores, for people.
const (
	RedisStore = "Redis"
	MongoStore = "MongoDB"
)

// Store is one of the stores that a running Lanyard reads and writes.
type Store struct {
	Name  string
	Facts TargetFacts
	record.Persistence
	record.Surveyor

	// Announcer tells running apps of changes; nil where the store cannot.
	Announcer record.Announcer

	// Runs, Journal and Leases tell of commands that ran, and run; nil where the store keeps nothing of them.
	Runs    record.Runs
	Journal record.Journal
	Leases  record.Leases

	// Close ends the connections; see [Target].
	Close func(context.Context) error
}

// ResolveRedisStore returns the Redis of a running Lanyard: the flag's, else what Lanyard's own variables name. It is zero
// where none does, as for Lanyard itself.
func (r Registry) ResolveRedisStore(flag string, env func(string) string) (Location, error) {
	p, err := redisNamed(flag, env)
	if err != nil || p.URI == "" {
		return p, err
	}
	s, err := r.source(p)
	switch {
	case err != nil:
		return p, err
	case s.OpenStore == nil:
		return p, exit.WrongUse(p.From+" names a file, which no running Lanyard reads or writes",
			"name the Redis itself, such as redis://localhost:6379")
	}
	return p, s.Check(p)
}

// ResolveMongoStore returns the MongoDB of a running Lanyard: the flag's, else MONGODB_URI's. It is zero where there is
// neither.
func (r Registry) ResolveMongoStore(flag string, env func(string) string) (Location, error) {
	if mongoNamed(flag, env).URI == "" {
		return Location{}, nil
	}
	return r.ResolveTarget(flag, env)
}

// OpenRedisStore opens the Redis of a running Lanyard. Nothing is scanned. Its errors know the exit code and the next step.
func (r Registry) OpenRedisStore(ctx context.Context, o SourceOptions) (Store, error) {
	s, err := r.source(o.Location)
	if err != nil {
		return Store{}, err
	}
	return s.OpenStore(ctx, o)
}

// OpenMongoStore opens the MongoDB of a running Lanyard. Its errors know the exit code and the next step.
func (r Registry) OpenMongoStore(ctx context.Context, o TargetOptions) (Store, error) {
	t, err := r.OpenTarget(ctx, o)
	if err != nil {
		return Store{}, err
	}
	facts := t.Facts()
	if o.Writes != 0 {
		var collections []record.Collection
		for _, kind := range o.Writes.List() {
			collections = append(collections, record.CollectionOf(kind))
		}
		warnings, err := t.CheckWritable(ctx, collections)
		if err != nil {
			return Store{}, errors.Join(r.ExplainTarget(err, o), t.Close(ctx))
		}
		facts.Warnings = append(facts.Warnings, warnings...)
	}
	return Store{
		Name: MongoStore, Facts: facts, Persistence: t.Persistence(), Surveyor: t,
		Runs: t.Runs(), Journal: t.Journal(), Leases: t.Leases(), Close: t.Close,
	}, nil
}

func openRedisStore(ctx context.Context, o SourceOptions) (Store, error) {
	store, err := redis.Open(ctx, redis.Options{
		URI: o.URI, Timeout: o.Timeout, IPv6: o.IPv6, TLS: o.TLS, RetryFor: o.RetryFor, Notify: o.Notify, Points: true,
	})
	if err != nil {
		return Store{}, explainRedis(err, o)
	}
	p := store.Persistence()
	return Store{
		Name: RedisStore, Facts: TargetFacts{Is: describeRedis(store.Info()), Warnings: staleRedis(store.Info())},
		Persistence: p, Surveyor: p, Announcer: p,
		Close: func(context.Context) error { return store.Close() },
	}, nil
}

// staleRedis warns where what is read may be old.
func staleRedis(i redis.Info) []string {
	if !i.Replica() {
		return nil
	}
	return []string{"Redis is a replica, which may lag behind its master"}
}

// Unopened returns a store of which every question ends with err, which is why it could not be opened.
func Unopened(name string, err error) Store {
	u := unopened{err}
	return Store{Name: name, Persistence: u, Surveyor: u, Close: func(context.Context) error { return nil }}
}

type unopened struct{ err error }

func (u unopened) Entries(context.Context, record.Kind, record.UserID) ([]record.Entry, error) {
	return nil, u.err
}

func (u unopened) UpdatePairs(context.Context, record.App, record.UserID, func(record.Entry) (record.PairChange, error)) ([]string, error) {
	return nil, u.err
}

func (u unopened) FindAPIKeys(context.Context, record.UserID) ([]record.Entry, error) {
	return nil, u.err
}

func (u unopened) KeyOwners(context.Context, string) ([]record.KeyOwner, error) { return nil, u.err }

func (u unopened) RevokeAPIKeys(context.Context, record.UserID, []string, bool) error { return u.err }

func (u unopened) GiveAPIKey(context.Context, record.App, record.UserID, string) (bool, error) {
	return false, u.err
}

func (u unopened) UpdateCounters(context.Context, func(record.Entry, []byte) (map[string]record.Value, []byte, error)) error {
	return u.err
}

func (u unopened) Limits() record.Limits { return record.Limits{} }

func (u unopened) Survey(context.Context, record.SurveyOptions) (record.Survey, error) {
	return record.Survey{}, u.err
}
