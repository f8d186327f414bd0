package main

import (
	"context"

	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// pairRun is one run of a command that reads a source and a target.
type pairRun struct {
	*targetRun
	pairOptions
	byUser  bool // the source tells of the named users alone
	named   *namedUsers
	follows bool // what expires in the source goes from the target, too
}

func newPairRun(o pairOptions, s streams) *pairRun {
	r := &pairRun{targetRun: newTargetRun(o.targetOptions, s, ui.NewSanitizer(o.source.URI, o.target.URI)), pairOptions: o, named: newNamedUsers(o.users)}
	r.red.HideTyped(o.source.TLS.CA, o.source.TLS.Cert, o.source.TLS.Key)
	return r
}

// do opens both sides and hands them to work.
func (r *pairRun) do(ctx context.Context, missing location.MissingFolder, work func(context.Context, location.Source, location.Target) error) error {
	r.warn(r.warnings...)
	source, closeSource, err := r.openSource(ctx, r.source)
	if err != nil {
		return err
	}
	defer closeSource()
	r.byUser = source.Facts().ByUser
	if source.Facts().Expires && !r.follows {
		r.warn(expiringWarning)
	}
	target, closeTarget, err := r.open(ctx, missing)
	if err != nil {
		return err
	}
	defer closeTarget()
	if err := r.findLanyard(ctx, source, r.source, r.allowEmpty); err != nil {
		return err
	}
	return work(ctx, source, target)
}

// facts returns what the report says of both sides.
func (r *pairRun) facts(err error) report.Pair {
	return report.Pair{
		Run: r.targetRun.facts(err), Source: r.source.Shown(), Still: r.streams.places.Still(r.source.Location), ByUser: r.byUser,
	}
}

// explain gives the error that ended a run its next step, which is otherwise where no better one is known.
func (r *pairRun) explain(err error, otherwise string) error {
	return location.Explained(err, otherwise, r.explainSource(err, r.source), r.explainTarget(err))
}

const expiringWarning = "some keys in the source have a time to live: what is written to MongoDB does not expire"
