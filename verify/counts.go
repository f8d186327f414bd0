package verify

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/record"
)

func addCounts(to *[record.KindCount]Counts, from [record.KindCount]Counts) {
	for kind := range to {
		to[kind].add(from[kind])
	}
}

func (c *Counts) add(o Counts) {
	c.Source += o.Source
	c.Target += o.Target
	c.Missing += o.Missing
	c.Different += o.Different
	c.Extra += o.Extra
	c.Rejected += o.Rejected
	c.Agreeing += o.Agreeing
	c.Ahead += o.Ahead
	c.Mistyped += o.Mistyped
}

// compareCounts counts the records of the source and asks the target for the number of its documents.
func (j *Job) compareCounts(ctx context.Context) error {
	var counts [record.KindCount]Counts
	var t *tally
	err := j.pass(ctx, "counting", func() error {
		counts = [record.KindCount]Counts{}
		t = &tally{reasons: make(map[record.Reason]int64)}
		var mu sync.Mutex
		group, ctx := errgroup.WithContext(ctx)
		group.Go(func() error {
			return j.readSource(ctx, func(p record.Page) {
				t.count(p)
				mu.Lock()
				defer mu.Unlock()
				for _, it := range p.Items {
					counts[it.Kind].Source++
				}
			})
		})
		for _, kind := range j.opts.Kinds.List() {
			group.Go(func() error {
				n, err := j.opts.Target.Count(ctx, kind)
				mu.Lock()
				defer mu.Unlock()
				counts[kind].Target = n
				return err
			})
		}
		return group.Wait()
	})
	if err != nil {
		return err
	}
	j.report.Seen, j.report.Reasons = t.seen, t.reasons
	for kind := range counts {
		c := &counts[kind]
		c.Rejected = t.rejected[kind]
		written := c.Source - c.Rejected
		c.Missing, c.Extra = max(0, written-c.Target), max(0, c.Target-written)
		j.report.Total += c.Missing
		if j.opts.Compare.Exact || record.Kind(kind) == record.APIKeys {
			j.report.Total += c.Extra
		}
	}
	j.report.Kinds = counts
	return nil
}
