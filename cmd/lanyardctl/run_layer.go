package main

import (
	"context"
	"errors"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// layerRun is one run of a command that works on the app's persistence layer.
type layerRun struct {
	*commandRun
	layerOptions
}

// newLayerRun returns a run that shows nothing of what the locations hide.
func newLayerRun(o layerOptions, s streams) *layerRun {
	r := &layerRun{newCommandRun(o.outputFlags, s, ui.NewSanitizer(o.redis.URI, o.target.URI)), o}
	r.red.HideTyped(o.redis.TLS.CA, o.redis.TLS.Cert, o.redis.TLS.Key)
	return r
}

// facts returns what a report begins with.
func (r *layerRun) facts(err error) report.Layer {
	l := report.Layer{App: r.app, Mode: r.mode(), Now: r.now, Warnings: r.warned, Err: r.red.Err(err), Again: r.again}
	if r.redis.URI != "" {
		l.Redis = r.redis.Shown()
	}
	if r.target.URI != "" {
		l.Mongo, l.Database = r.target.Shown(), r.target.ShownDatabase()
	}
	return l
}

// openStores opens the stores in the order in which the app reads them. With --fallback a store that cannot be opened is
// none of which nothing is known: it is there, and each question to it fails. The caller closes them by the returned
// function.
func (r *layerRun) openStores(ctx context.Context) (stores []location.Store, closeThem func(), err error) {
	open := []func(context.Context) (location.Store, error){r.openMongo, r.openRedis}
	if r.app == record.Upstream {
		open = []func(context.Context) (location.Store, error){r.openRedis, r.openMongo}
	}
	closeThem = func() {
		for _, s := range stores {
			r.closed(s.Name, s.Close(ctx))
		}
	}
	for _, f := range open {
		store, err := f(ctx)
		switch {
		case err != nil && (!r.fallback || ctx.Err() != nil):
			closeThem()
			return nil, nil, err
		case err != nil:
			store = location.Unopened(store.Name, err)
		case store.Name == "":
			continue
		}
		r.warn(store.Facts.Warnings...)
		stores = append(stores, store)
	}
	return stores, closeThem, nil
}

// openRedis opens Redis. The store is zero where none is configured.
func (r *layerRun) openRedis(ctx context.Context) (location.Store, error) {
	if r.redis.URI == "" {
		return location.Store{}, nil
	}
	o := r.redis
	o.Notify = func(message string) { r.log.Warn(message) }
	defer r.waiting(r.streams.places.AwaitedSource(o.Location))()
	store, err := r.streams.places.OpenRedisStore(ctx, o)
	if err != nil {
		return location.Store{Name: location.RedisStore}, err
	}
	r.log.Debug("opened Redis", "uri", o.Shown(), "is", store.Facts.Is)
	return store, nil
}

// openMongo opens MongoDB. The store is zero where none is configured.
func (r *layerRun) openMongo(ctx context.Context) (location.Store, error) {
	if r.target.URI == "" {
		return location.Store{}, nil
	}
	defer r.waiting(r.streams.places.AwaitedTarget(r.target.Location))()
	store, err := r.streams.places.OpenMongoStore(ctx, r.target)
	if err != nil {
		return location.Store{Name: location.MongoStore}, err
	}
	r.log.Debug("opened MongoDB", "uri", r.target.Shown(), "is", store.Facts.Is, "database", r.target.Database)
	return store, nil
}

// layer returns the app's persistence layer over the stores.
func (r *layerRun) layer(stores []location.Store) *persistence.Layer {
	known := make(map[string]*persistence.Store)
	for _, s := range stores {
		known[s.Name] = &persistence.Store{Name: s.Name, Persistence: s.Persistence, Announcer: s.Announcer}
	}
	l := persistence.New(r.app, known[location.RedisStore], known[location.MongoStore])
	l.Fallback, l.Notify = r.fallback, func(message string) { r.warn(message) }
	l.Retry = retry.Policy{For: r.target.RetryFor, Notify: retry.Notice("a store", func(message string) { r.log.Info(message) })}
	return l
}

// open opens the stores as the app's persistence layer. The caller closes it by the returned function.
func (r *layerRun) open(ctx context.Context) (layer *persistence.Layer, closeIt func(), err error) {
	if err := r.configured(); err != nil {
		return nil, nil, err
	}
	r.warn(r.warnings...)
	stores, closeThem, err := r.openStores(ctx)
	if err != nil {
		return nil, nil, err
	}
	return r.layer(stores), closeThem, nil
}

// explain gives the error that ended a run its next step, which is otherwise where no better one is known.
func (r *layerRun) explain(err error, otherwise string) error {
	if _, ok := errors.AsType[*exit.Error](err); ok {
		return err // it knows, as that of a store that could not be opened does
	}
	var (
		partial *persistence.PartialError
		limit   *persistence.LimitError
	)
	switch {
	case errors.As(err, &limit):
		return exit.Failure(err, "")
	case errors.As(err, &partial):
		hint := "the same command again makes them equal: " + r.again.String()
		if known, ok := errors.AsType[*exit.Error](location.Explained(err, "", r.explanations(err)...)); ok && known.Hint != "" {
			hint = known.Hint + "; " + hint
		}
		return exit.Failure(err, hint)
	}
	return location.Explained(err, otherwise, r.explanations(err)...)
}

// explanations returns what the store that failed, or where that is not known each of them, makes of an error.
func (r *layerRun) explanations(err error) []error {
	failed, named := errors.AsType[*persistence.StoreError](err)
	var list []error
	if r.redis.URI != "" && (!named || failed.Store == location.RedisStore) {
		list = append(list, r.streams.places.ExplainSource(err, r.redis))
	}
	if r.target.URI != "" && (!named || failed.Store == location.MongoStore) {
		list = append(list, r.streams.places.ExplainTarget(err, r.target))
	}
	return list
}
