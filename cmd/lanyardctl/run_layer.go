package main

import (
	"context"
	"errors"
	"fmt"

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

// newLayerRun returns a run that shows nothing of what the locations hide, nor of what other URIs do.
func newLayerRun(o layerOptions, s streams, others ...string) *layerRun {
	r := &layerRun{newCommandRun(o.outputFlags, s, ui.NewSanitizer(append(others, o.redis.URI, o.target.URI)...)), o}
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
		fault   *persistence.FaultError
		key     *persistence.KeyError
		lost    *persistence.UncarriedError
	)
	switch {
	case errors.As(err, &limit):
		return exit.Failure(err, "")
	case errors.Is(err, persistence.ErrNotText):
		return exit.Failure(err, "write it as a text, or --app fork where it is the fork")
	case errors.As(err, &lost):
		return exit.Failure(err, "set each such field (kv set), or delete it (kv del); get USER --explain names them")
	case errors.As(err, &fault):
		return exit.Failure(err, r.faultHint(fault))
	case errors.Is(err, persistence.ErrNoKeyStore):
		return exit.WrongUse(err.Error(), "the fork looks API keys up in MongoDB alone: give --mongo URI or set MONGODB_URI, or write --app upstream where it is upstream")
	case errors.Is(err, persistence.ErrOtherKey):
		return exit.Failure(err, "see which it is, then run the same command again if it is not to stay: lanyardctl apikey show USER")
	case errors.Is(err, record.ErrContended):
		return exit.Failure(err, "run the same command again once nobody else changes it all the time")
	case errors.As(err, &key):
		return exit.Failure(err, r.besides(err, "the same command again makes it whole"))
	case errors.Is(err, persistence.ErrCannotHold):
		return exit.Failure(err, "the same command again cannot help: set a smaller value, or delete other fields first (kv del)")
	case errors.As(err, &partial):
		return exit.Failure(err, r.besides(err, "the same command again makes the stores equal"))
	}
	return location.Explained(err, otherwise, r.explanations(err)...)
}

// besides returns the next step that the failed store knows, and another.
func (r *layerRun) besides(err error, also string) string {
	if known, ok := errors.AsType[*exit.Error](location.Explained(err, "", r.explanations(err)...)); ok && known.Hint != "" {
		return known.Hint + "; " + also
	}
	return also
}

// faultHint says what to do where something stands that the app cannot read.
func (r *layerRun) faultHint(e *persistence.FaultError) string {
	if e.Store == location.MongoStore {
		return r.target.Dedupe + " makes one of several documents; what else stands there shows a MongoDB shell"
	}
	return "look at the key (TYPE KEY), and rename it or delete it where it is not Lanyard's"
}

// explanations returns what the stores that failed, or where that is not known each of them, make of an error.
func (r *layerRun) explanations(err error) []error {
	_, named := errors.AsType[*persistence.StoreError](err)
	failed := func(store string) bool { return !named || errors.Is(err, &persistence.StoreError{Store: store}) }
	var list []error
	if r.redis.URI != "" && failed(location.RedisStore) {
		list = append(list, r.streams.places.ExplainSource(err, r.redis))
	}
	if r.target.URI != "" && failed(location.MongoStore) {
		list = append(list, r.streams.places.ExplainTarget(err, r.target))
	}
	return list
}

// do opens the stores and does the work of a command, unless the check of its options failed. User is whom the command is
// about; zero for nobody.
func (r *layerRun) do(ctx context.Context, checked error, command string, user record.UserID, work func(*persistence.Layer) error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	return r.run(ctx, checked, func() error {
		layer, closeIt, err := r.open(ctx)
		if err != nil {
			return err
		}
		defer closeIt()
		err = work(layer)
		if err == nil || r.began {
			return err
		}
		return r.explain(err, "")
	}, func(ended *exit.Error) report.Report {
		facts := r.facts(ended.Err)
		facts.Exit = ended.Code
		return report.LayerFailure{Layer: facts, Command: command, User: user}
	})
}

// warnOfFaults tells what of an answer the app cannot read, and reports whether there is anything.
func (r *layerRun) warnOfFaults(user record.UserID, a persistence.Answer) bool {
	found := false
	for _, o := range a.Faults() {
		if !o.Apps.Has(r.app) {
			continue
		}
		found = true
		r.warn(fmt.Sprintf("user %s: the app cannot read %s in %s (%s): %s", user, a.Kind, o.Store, o.Place, o.Fault))
	}
	return found
}

// outcome returns the error that an answer ends with that was given: with values that the app cannot read it is no full one.
func outcome(faults bool) error {
	if faults {
		return exit.Silent(exit.Rejects)
	}
	return nil
}
