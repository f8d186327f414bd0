package verify

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

// compareCounts counts the records of the source and asks the target for the number of its documents.
func (j *Job) compareCounts(ctx context.Context) error {
	var t *summary
	err := j.pass(ctx, "counting", func() error {
		t = newSummary(1, j.opts.Kinds)
		all := figures{of: j.opts.Kinds}
		var mu sync.Mutex
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error {
			return j.readSource(ctx, func(p record.Page) {
				t.countRejects(p)
				mu.Lock()
				defer mu.Unlock()
				for _, it := range p.Items {
					if it.Record != nil {
						all.counts(it.Kind).Source++
					}
				}
			})
		})
		for _, kind := range j.opts.Kinds.List() {
			group.Go(func() error {
				n, err := j.opts.Target.Count(ctx, kind)
				mu.Lock()
				defer mu.Unlock()
				all.counts(kind).Target = n
				return err
			})
		}
		err := group.Wait()
		for i := range all.kinds {
			c := &all.kinds[i]
			c.Missing, c.Extra = max(0, c.Source-c.Target), max(0, c.Target-c.Source)
		}
		for _, rejects := range t.rejects {
			all.add(*rejects)
		}
		j.report.Seen = t.seen
		j.report.take(all)
		return err
	})
	if err != nil {
		return err
	}
	for _, kind := range j.opts.Kinds.List() {
		c := j.report.Kinds[kind]
		j.report.Total += c.Missing
		if j.opts.Compare.Exact || kind.Admits() {
			j.report.Total += c.Extra
		}
	}
	return nil
}
