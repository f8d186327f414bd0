package verify

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// readSource reads the source once, its parts side by side, and hands each page to take with what the target's limits
// leave of its items. Take is called from several goroutines.
func (j *Job) readSource(ctx context.Context, take func(record.Page)) error {
	source := j.opts.Source()
	limits := j.opts.Target.Limits()
	page := func(p record.Page) error {
		kept := p.Items[:0:0]
		for _, it := range p.Items {
			if j.opts.Kinds.Has(it.Kind) {
				kept = append(kept, limits.Apply(it))
			}
		}
		p.Items = kept
		take(p)
		j.keys.Add(p.Seen.Keys)
		return ctx.Err()
	}
	total, err := source.Total(ctx)
	if err != nil {
		return err
	}
	j.total.Store(total)
	parts, err := source.Parts(ctx)
	if err != nil {
		return err
	}
	group, reading := errgroup.WithContext(ctx)
	for _, part := range parts {
		group.Go(func() error { return part.Read(reading, "", page) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return source.Deferred(ctx, page)
}

// readTarget reads the target once, its kinds side by side, and hands its documents to take, which is called from
// several goroutines.
func (j *Job) readTarget(ctx context.Context, take func([]record.Document)) error {
	group, reading := errgroup.WithContext(ctx)
	for _, kind := range j.opts.Kinds.List() {
		group.Go(func() error {
			return j.opts.Target.Read(reading, kind, func(documents []record.Document) error {
				take(documents)
				j.documents.Add(int64(len(documents)))
				return reading.Err()
			})
		})
	}
	return group.Wait()
}
