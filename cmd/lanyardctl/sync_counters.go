package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// countersEvery is how often Lanyard's own counters are stored, as the fork stores its own.
const countersEvery = time.Minute

// standbyPause is how often it is looked whether this process mirrors by now.
const standbyPause = 100 * time.Millisecond

// flushCounters stores what a running Lanyard counts, as "metrics flush" does, until ctx ends. Redis is not written to. Only
// the one of several that mirrors does it.
func (r *syncRun) flushCounters(ctx context.Context, snapshot func() mirror.Snapshot) (ended <-chan struct{}) {
	done := make(chan struct{})
	o := r.options
	if o.endpoint == nil || r.beside {
		close(done)
		return done
	}
	layer := persistence.New(record.Upstream, nil, &persistence.Store{Name: location.MongoStore, Persistence: r.target.Persistence()})
	layer.Retry = retry.Policy{Temporary: func(error) bool { return false }} // the next turn is the next attempt
	layer.Notify = func(message string) { r.log.Debug(message) }
	go func() {
		defer close(done)
		told := ""
		wait := time.Duration(0)
		for ; pause(ctx, wait); wait = untilNext(countersEvery, 0) {
			for snapshot().State == mirror.Standby {
				if !pause(ctx, standbyPause) {
					return
				}
			}
			err := r.flushOnce(ctx, layer)
			text := ""
			if err != nil && ctx.Err() == nil {
				text = fmt.Sprintf("the counters of %s were not stored: %v; the next attempt is in about %s", o.metrics.Shown(), r.red.Err(err), countersEvery)
			}
			if text != told && text != "" {
				r.log.Warn(text)
			}
			told = text
		}
	}()
	return done
}

func (r *syncRun) flushOnce(ctx context.Context, layer *persistence.Layer) error {
	writing, written := retry.Drain(ctx, retry.DrainTime)
	defer written()
	_, err := layer.FlushCounters(writing, func(context.Context) (persistence.Scrape, error) {
		reading, err := r.options.endpoint.Scrape(ctx)
		return persistence.Scrape{Instance: r.options.endpoint.Instance(), Counters: reading.Counters, AppInDoubt: true}, err
	}, false)
	return err
}
