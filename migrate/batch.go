package migrate

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
)

// batch is what one call of a sink gets.
type batch struct {
	records []record.Record
	from    []origin // of each record
	bytes   int
}

// origin is where a record of a batch came from.
type origin struct {
	page         *page
	fieldRejects int64 // fields of the record that were left out
}

// dealer builds batches for the workers, from one reader. A user's records all go to one worker.
type dealer struct {
	workers    []chan *batch
	unfinished []*batch
	maxRecords int
	maxBytes   int
}

func newDealer(workers []chan *batch, o Options) *dealer {
	return &dealer{workers: workers, unfinished: make([]*batch, len(workers)), maxRecords: o.BatchSize, maxBytes: o.BatchBytes}
}

// deal adds a record to its worker's batch, and hands the batch out when it is full.
func (d *dealer) deal(ctx context.Context, r record.Record, from origin) error {
	// Snowflakes are times: consecutive ones differ in their upper bits, which multiplying mixes into all of them.
	worker := int(uint64(r.User) * 0x9E3779B97F4A7C15 >> 33 % uint64(len(d.workers)))
	size := r.DocumentSize()
	if b := d.unfinished[worker]; b != nil && b.bytes+size > d.maxBytes {
		if err := d.handOut(ctx, worker); err != nil {
			return err
		}
	}
	b := d.unfinished[worker]
	if b == nil {
		b = &batch{}
		d.unfinished[worker] = b
	}
	b.records = append(b.records, r)
	b.from = append(b.from, from)
	b.bytes += size
	if len(b.records) >= d.maxRecords {
		return d.handOut(ctx, worker)
	}
	return nil
}

// flush hands out all unfinished batches.
func (d *dealer) flush(ctx context.Context) error {
	for worker := range d.unfinished {
		if err := d.handOut(ctx, worker); err != nil {
			return err
		}
	}
	return nil
}

func (d *dealer) handOut(ctx context.Context, worker int) error {
	b := d.unfinished[worker]
	if b == nil {
		return nil
	}
	select {
	case d.workers[worker] <- b:
		d.unfinished[worker] = nil
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
