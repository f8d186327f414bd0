package migrate

import (
	"context"
	"sync/atomic"

	"github.com/lanyardctl/lanyardctl/record"
)

// batch is what one call of a sink gets: records of one kind and of one part, so that it is one command of a server.
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

// batcher builds batches for the writers, from one reader.
type batcher struct {
	writers    *writers
	unfinished [record.KindCount]*batch
	lengths    [record.KindCount]int // of the last batches
	maxRecords int
	maxBytes   int
	pages      int
	waited     *atomic.Int64 // nanoseconds in which no worker had room for a batch
}

func newBatcher(w *writers, o Options, waited *atomic.Int64) *batcher {
	return &batcher{writers: w, maxRecords: o.BatchSize, maxBytes: o.BatchBytes, waited: waited}
}

// add adds a record to its kind's batch, and hands the batch out when it is full.
func (d *batcher) add(ctx context.Context, r *record.Record, from origin) error {
	b := d.unfinished[r.Kind]
	size := r.DocumentSize()
	if b != nil && b.bytes+size > d.maxBytes {
		if err := d.handOut(ctx, r.Kind); err != nil {
			return err
		}
		b = nil
	}
	if b == nil {
		n := d.lengths[r.Kind]
		b = &batch{opened: d.pages, records: make([]record.Record, 0, n), from: make([]origin, 0, n)}
		d.unfinished[r.Kind] = b
	}
	b.records = append(b.records, *r)
	b.from = append(b.from, from)
	b.bytes += size
	if len(b.records) >= d.maxRecords {
		return d.handOut(ctx, r.Kind)
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
	for kind, b := range d.unfinished {
		if b == nil || !ready(b) {
			continue
		}
		if err := d.handOut(ctx, record.Kind(kind)); err != nil {
			return err
		}
	}
	return nil
}

func (d *batcher) handOut(ctx context.Context, kind record.Kind) error {
	b := d.unfinished[kind]
	d.unfinished[kind], d.lengths[kind] = nil, len(b.records)
	defer during(d.waited)()
	return d.writers.put(ctx, b)
}
