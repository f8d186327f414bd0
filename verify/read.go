package verify

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// readSource reads the source once, its parts side by side, and hands each page to take with what the target's limits
// leave of its items. Take is called from several goroutines.
func (j *Job) readSource(ctx context.Context, take func(record.Page)) error {
	defer during(&j.reading.source)()
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

// readTarget reads the target once and hands its documents to take, which is called from several goroutines.
func (j *Job) readTarget(ctx context.Context, take func([]record.Document)) error {
	return j.eachKind(ctx, func(ctx context.Context, kind record.Kind) error {
		return j.opts.Target.Read(ctx, kind, func(documents []record.Document) error {
			take(documents)
			j.documents.Add(int64(len(documents)))
			return ctx.Err()
		})
	})
}

// readDigests reads the target once and hands the digests of its documents to take, which is called from several
// goroutines.
func (j *Job) readDigests(ctx context.Context, take func(record.Kind, []record.DocumentDigest)) error {
	return j.eachKind(ctx, func(ctx context.Context, kind record.Kind) error {
		return j.opts.Target.ReadDigests(ctx, kind, j.opts.Compare.Now, func(documents []record.DocumentDigest) error {
			take(kind, documents)
			j.documents.Add(int64(len(documents)))
			return ctx.Err()
		})
	})
}

// eachKind reads the target's kinds side by side.
func (j *Job) eachKind(ctx context.Context, read func(context.Context, record.Kind) error) error {
	defer during(&j.reading.target)()
	group, reading := errgroup.WithContext(ctx)
	for _, kind := range j.opts.Kinds.List() {
		group.Go(func() error { return read(reading, kind) })
	}
	return group.Wait()
}

// readingTimes are how long the sides took to be read, in nanoseconds.
type readingTimes struct{ source, target atomic.Int64 }

// during returns a function that adds the time since the call to sum.
func during(sum *atomic.Int64) (ended func()) {
	began := time.Now()
	return func() { sum.Add(int64(time.Since(began))) }
}
