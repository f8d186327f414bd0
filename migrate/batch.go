package migrate

import (
	"context"
	"sync/atomic"

	"github.com/lanyardctl/lanyardctl/record"
)

// batch is what one call of a sink gets: records of one kind, so that it is one command of a server.
type batch struct {
	records []record.Record
	from    []origin // of each record
	bytes   int
	opened  int // number of the page that gave the first record
}

// origin is where a record of a batch came from.
type origin struct {
	page         *page
	fieldRejects int64 // fields of the record that were left out
}

// maxBatchPages is for how many pages a batch may wait to be full. A page is committed only when all its records are
// written, so a batch of a rare kind would otherwise hold up the checkpoints.
const maxBatchPages = 32

// batcher builds batches for the workers, from one reader. The records of one identity all go to one worker.
type batcher struct {
	workers    []chan *batch
	unfinished [][record.KindCount]*batch // by worker
	maxRecords int
	maxBytes   int
	pages      int
	waited     *atomic.Int64 // nanoseconds in which no worker had room for a batch
}

func newBatcher(workers []chan *batch, o Options, waited *atomic.Int64) *batcher {
	return &batcher{
		workers: workers, unfinished: make([][record.KindCount]*batch, len(workers)),
		maxRecords: o.BatchSize, maxBytes: o.BatchBytes, waited: waited,
	}
}

// add adds a record to its worker's batch, and hands the batch out when it is full.
func (d *batcher) add(ctx context.Context, r record.Record, from origin) error {
	worker := int(r.Identity().Hash() >> 33 % uint64(len(d.workers)))
	open := &d.unfinished[worker][r.Kind]
	size := r.DocumentSize()
	if *open != nil && (*open).bytes+size > d.maxBytes {
		if err := d.handOut(ctx, worker, r.Kind); err != nil {
			return err
		}
	}
	if *open == nil {
		*open = &batch{opened: d.pages}
	}
	b := *open
	b.records = append(b.records, r)
	b.from = append(b.from, from)
	b.bytes += size
	if len(b.records) >= d.maxRecords {
		return d.handOut(ctx, worker, r.Kind)
	}
	return nil
}

// endPage tells that all records of a page were batched. It hands out what has waited for too long.
func (d *batcher) endPage(ctx context.Context) error {
	d.pages++
	return d.handOutIf(ctx, func(b *batch) bool { return d.pages-b.opened >= maxBatchPages })
}

// flush hands out all unfinished batches.
func (d *batcher) flush(ctx context.Context) error {
	return d.handOutIf(ctx, func(*batch) bool { return true })
}

func (d *batcher) handOutIf(ctx context.Context, ready func(*batch) bool) error {
	for worker := range d.unfinished {
		for kind, b := range d.unfinished[worker] {
			if b == nil || !ready(b) {
				continue
			}
			if err := d.handOut(ctx, worker, record.Kind(kind)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *batcher) handOut(ctx context.Context, worker int, kind record.Kind) error {
	defer during(d.waited)()
	select {
	case d.workers[worker] <- d.unfinished[worker][kind]:
		d.unfinished[worker][kind] = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
