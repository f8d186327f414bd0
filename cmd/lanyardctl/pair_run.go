package main

import (
	"context"

	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// pairRun is one run of a command that reads a source and a target.
type pairRun struct {
	*targetRun
	pairOptions
}

func newPairRun(o pairOptions, s streams) *pairRun {
	r := &pairRun{newTargetRun(o.targetOptions, s, ui.NewSanitizer(o.source.URI, o.target.URI)), o}
	r.red.HideTyped(o.tls.CA, o.tls.Cert, o.tls.Key)
	return r
}

// do opens both sides and hands them to work.
func (r *pairRun) do(ctx context.Context, missing missingFolder, work func(context.Context, *redisSource, *mongoTarget) error) error {
	r.warn(r.warnings...)
	source, closeSource, err := r.openSource(ctx, r.redis(), r.request())
	if err != nil {
		return err
	}
	defer closeSource()
	if source.expires {
		r.warn(expiringWarning)
	}
	target, closeTarget, err := r.open(ctx, missing)
	if err != nil {
		return err
	}
	defer closeTarget()
	if !r.allowEmpty {
		if err := findLanyard(ctx, source, r.redis()); err != nil {
			return err
		}
	}
	return work(ctx, source, target)
}

// facts returns what the report says of both sides.
func (r *pairRun) facts(err error) pairFacts {
	return pairFacts{r.targetRun.facts(err), r.source.shown()}
}

// explain gives the error that ended a run its next step, which is otherwise where no better one is known.
func (r *pairRun) explain(err error, otherwise string) error {
	return explained(err, otherwise, explainSource(err, r.redis()), explainMongo(err, r.targetOptions))
}
