package main

import (
	"context"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// pairRun is one run of a command that reads a source and a target.
type pairRun struct {
	*targetRun
	pairOptions
	byUser  bool // the source tells of the named users alone
	named   *namedUsers
	follows bool // what expires in the source goes from the target, too

	exactLayouts bool // layouts of which one says more differ
}

func newPairRun(o pairOptions, s streams) *pairRun {
	r := &pairRun{targetRun: newTargetRun(o.targetOptions, s, ui.NewSanitizer(o.source.URI, o.target.URI)), pairOptions: o, named: newNamedUsers(o.users)}
	for _, tls := range []location.RedisSettings{o.source.RedisSettings, o.target.RedisSettings} {
		r.red.HideTyped(tls.TLS.CA, tls.TLS.Cert, tls.TLS.Key)
	}
	return r
}

// do opens both sides and hands them to work.
func (r *pairRun) do(ctx context.Context, missing location.MissingFolder, work func(context.Context, location.Source, location.PairTarget) error) error {
	r.warn(r.warnings...)
	begin := func(source location.Source, target location.PairTarget) error {
		if err := r.findLanyard(ctx, source, r.source, r.allowEmpty); err != nil {
			return err
		}
		return work(ctx, source, target)
	}
	if r.direction == invocation.ToRedis { // what is read depends on what the target has a place for
		return r.withTarget(ctx, missing, func(target location.PairTarget) error {
			return r.withSource(ctx, func(source location.Source) error { return begin(source, target) })
		})
	}
	return r.withSource(ctx, func(source location.Source) error {
		return r.withTarget(ctx, missing, func(target location.PairTarget) error { return begin(source, target) })
	})
}

// withSource opens the source while work is done.
func (r *pairRun) withSource(ctx context.Context, work func(location.Source) error) error {
	source, closeSource, err := r.openSource(ctx, r.source)
	if err != nil {
		return err
	}
	defer closeSource()
	r.byUser = source.Facts().ByUser
	if source.Facts().Expires && !r.follows {
		r.warn(expiringWarning)
	}
	return work(source)
}

// withTarget opens the target while work is done, in the layouts that are taken where it has several.
func (r *pairRun) withTarget(ctx context.Context, missing location.MissingFolder, work func(location.PairTarget) error) error {
	target, closeTarget, err := opened(ctx, r.targetRun, missing, r.direction.Target(), r.streams.places.OpenPairTarget)
	if err != nil {
		return err
	}
	defer closeTarget()
	if layered, ok := target.(location.Layered); ok {
		if err := r.chooseLayout(ctx, layered); err != nil {
			return err
		}
		target = layered.In(location.Layouts{Apps: r.apps, AsJSON: r.asJSON, Exact: r.exactLayouts})
	}
	return work(target)
}

// chooseLayout takes the layout that the target's other keys are in, where none was named.
func (r *pairRun) chooseLayout(ctx context.Context, target location.Layered) error {
	if r.apps == 0 {
		there, err := target.AppsThere(ctx)
		if err != nil {
			return r.explainTarget(err)
		}
		if there == 0 || there == record.AllApps {
			return noLayout(there)
		}
		if err := r.takeLayout(there, "which the target's other keys are in"); err != nil {
			return err
		}
	}
	r.source.Request.Kinds = r.only
	if r.leftOut != 0 {
		r.warn(r.leftOutText())
	}
	return nil
}

// facts returns what the report says of both sides.
func (r *pairRun) facts(err error) report.Pair {
	p := report.Pair{
		Run: r.targetRun.facts(err), Direction: r.direction, Source: r.source.Shown(), Still: r.streams.places.Still(r.source.Location), ByUser: r.byUser,
	}
	p.Database, p.Layout = r.shownDatabase(), r.layoutName()
	return p
}

// explain gives the error that ended a run its next step, which is otherwise where no better one is known.
func (r *pairRun) explain(err error, otherwise string) error {
	return location.Explained(err, otherwise, r.explainSource(err, r.source), r.explainTarget(err))
}

const expiringWarning = "some keys in the source have a time to live: what is written to MongoDB does not expire"
