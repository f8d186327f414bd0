package main

import (
	"context"
	"fmt"

	"github.com/lanyardctl/lanyardctl/bench/yardstick"
)

// migrateReport is what the bench wants to know of a report: that the work was done.
type migrateReport struct {
	Kinds map[string]struct {
		Read, Inserted, Unchanged int
	} `json:"kinds"`
}

func (r migrateReport) totals() (inserted, unchanged, read int) {
	for _, kind := range r.Kinds {
		inserted, unchanged, read = inserted+kind.Inserted, unchanged+kind.Unchanged, read+kind.Read
	}
	return inserted, unchanged, read
}

// migrate returns a runner of a migration, which has to have so many records inserted and unchanged.
func (b *bench) migrate(t *target, database, source string, inserted, unchanged int, more ...string) runner {
	return func(ctx context.Context) (cost, error) {
		var report migrateReport
		args := append([]string{"migrate", "redis-to-mongo", "--redis", source, "--database", database}, more...)
		c, err := b.lanyardctl(ctx, t.uri, &report, args...)
		if err != nil {
			return c, err
		}
		if in, same, _ := report.totals(); in != inserted || same != unchanged {
			return c, fmt.Errorf("lanyardctl migrate: %d records inserted and %d unchanged, and not %d and %d", in, same, inserted, unchanged)
		}
		return c, nil
	}
}

// source returns a runner of a dry run, which reads the source and writes nothing.
func (b *bench) source(t *target, source string) runner {
	return b.migrate(t, dbEmpty, source, b.filled.Documents, 0, "--dry-run")
}

// fresh returns a runner of a migration to a database that is dropped before.
func (b *bench) fresh(t *target) runner {
	run := b.migrate(t, dbOurs, b.redisURI, b.filled.Documents, 0)
	return func(ctx context.Context) (cost, error) {
		if err := b.drop(ctx, t, dbOurs); err != nil {
			return cost{}, err
		}
		return run(ctx)
	}
}

func (b *bench) verify(t *target) runner {
	return func(ctx context.Context) (cost, error) {
		var report struct {
			OK bool `json:"ok"`
		}
		c, err := b.lanyardctl(ctx, t.uri, &report, "verify", "--redis", b.redisURI, "--database", dbOurs)
		if err == nil && !report.OK {
			err = fmt.Errorf("lanyardctl verify: it is not ok")
		}
		return c, err
	}
}

func (b *bench) sweep(t *target) runner {
	return func(ctx context.Context) (cost, error) {
		var report struct {
			OK      bool `json:"ok"`
			Changes int  `json:"changes"`
		}
		c, err := b.lanyardctl(ctx, t.uri, &report, "sweep", "--database", dbOurs)
		if err == nil && (!report.OK || report.Changes > 0) {
			err = fmt.Errorf("lanyardctl sweep: %d changes where nothing was wrong", report.Changes)
		}
		return c, err
	}
}

// wayBack returns a runner of a migration to the other Redis, in a layout. That Redis is emptied before.
func (b *bench) wayBack(t *target, layout string) runner {
	return func(ctx context.Context) (cost, error) {
		if err := b.back.FlushAll(ctx).Err(); err != nil {
			return cost{}, fmt.Errorf("empty redis: %w", err)
		}
		before, err := yardstick.ServerCPU(ctx, b.back)
		if err != nil {
			return cost{}, err
		}
		var report migrateReport
		c, err := b.lanyardctl(ctx, t.uri, &report, "migrate", "mongo-to-redis", "--redis", b.backURI, "--database", dbOurs, "--layout", layout)
		if err != nil {
			return c, err
		}
		if in, same, read := report.totals(); in != read || same != 0 || in == 0 {
			return c, fmt.Errorf("lanyardctl migrate mongo-to-redis: %d records inserted of %d, and %d unchanged", in, read, same)
		}
		after, err := yardstick.ServerCPU(ctx, b.back)
		c.Server = after - before
		return c, err
	}
}

// refill returns a runner of the plain load of the keys that the last way back has written.
func (b *bench) refill(t *target) runner {
	return b.plainAt(t, b.backURI, yardstick.Task{Name: yardstick.TaskRefill}, anyCount)
}

// anyCount is the count of a task that may have to do with any number of keys and documents.
const anyCount = -1

// plain returns a runner of a task, which has to have to do with so many keys and documents.
func (b *bench) plain(t *target, task yardstick.Task, count int) runner {
	return b.plainAt(t, b.redisURI, task, count)
}

func (b *bench) plainAt(t *target, redis string, task yardstick.Task, count int) runner {
	task.Redis = redis
	return func(ctx context.Context) (cost, error) {
		c, result, err := b.task(ctx, t.uri, task)
		if err == nil && count != anyCount && result.Count != count {
			err = fmt.Errorf("%s: %d keys and documents, and not %d", task.Name, result.Count, count)
		}
		return c, err
	}
}

// load returns a runner of the plain load.
func (b *bench) load(t *target) runner {
	return b.writing(t, b.plain(t, yardstick.Task{Name: yardstick.TaskLoad, Database: dbPlain, From: dbOurs}, b.filled.Documents))
}

// fork returns a runner of the fork's way. It writes some documents twice, and no counters, so nothing is counted.
func (b *bench) fork(t *target) runner {
	return b.writing(t, b.plain(t, yardstick.Task{Name: yardstick.TaskFork, Database: dbPlain}, anyCount))
}

// writing returns a runner of a yardstick that writes, to a database that is dropped before and after.
func (b *bench) writing(t *target, run runner) runner {
	return func(ctx context.Context) (cost, error) {
		if err := b.drop(ctx, t, dbPlain); err != nil {
			return cost{}, err
		}
		c, err := run(ctx)
		if err != nil {
			return c, err
		}
		return c, b.drop(ctx, t, dbPlain)
	}
}

// measureFork compares the fork's way with ours.
func (b *bench) measureFork(ctx context.Context, t *target, users int, r *results) error {
	if err := b.fill(ctx, users); err != nil {
		return err
	}
	b.say("%d users: the fork's way", users)
	costs, err := inTurns(ctx, t.forkTurns, b.fresh(t), b.load(t), b.fork(t))
	if err != nil {
		return err
	}
	more, err := inTurns(ctx, b.options.turns-t.forkTurns, b.fresh(t), b.load(t))
	if err != nil {
		return err
	}
	ours, load, fork := append(costs[0], more[0]...), append(costs[1], more[1]...), costs[2]
	r.add(t, b.filled, rowFork, ratios(fork, ours[:len(fork)], seconds), ours, fork)
	r.addPoint(t, users, lineOurs, ours)
	r.addPoint(t, users, lineLoad, load)
	r.addPoint(t, users, lineFork, fork)
	return nil
}

// measureSize measures everything else at one size.
func (b *bench) measureSize(ctx context.Context, t *target, users int, r *results) error {
	if err := b.fill(ctx, users); err != nil {
		return err
	}
	turns, size := b.options.turns, b.filled
	if t.sources {
		if err := b.measureSources(ctx, t, r); err != nil {
			return err
		}
	}
	b.say("%d users: migrate", users)
	costs, err := inTurns(ctx, turns, b.fresh(t), b.load(t))
	if err != nil {
		return err
	}
	r.add(t, size, rowMigrate, ratios(costs[0], costs[1], seconds), costs[0], costs[1])
	r.add(t, size, rowCPU, perKey(costs[0], size), costs[0], nil)
	r.addPoint(t, users, lineOurs, costs[0])
	r.addPoint(t, users, lineLoad, costs[1])

	b.say("%d users: rerun and verify", users)
	both := b.plain(t, yardstick.Task{Name: yardstick.TaskReadBoth, Database: dbOurs}, size.Keys+size.Documents)
	rerun := b.migrate(t, dbOurs, b.redisURI, 0, size.Documents)
	if costs, err = inTurns(ctx, turns, rerun, b.verify(t), both); err != nil {
		return err
	}
	r.add(t, size, rowRerun, ratios(costs[0], costs[2], seconds), costs[0], costs[2])
	r.add(t, size, rowVerify, ratios(costs[1], costs[2], seconds), costs[1], costs[2])

	b.say("%d users: sweep", users)
	outlines := b.plain(t, yardstick.Task{Name: yardstick.TaskOutlines, Database: dbOurs}, size.Documents)
	if costs, err = inTurns(ctx, turns, b.sweep(t), outlines); err != nil {
		return err
	}
	r.add(t, size, rowSweep, ratios(costs[0], costs[1], seconds), costs[0], costs[1])

	b.say("%d users: the way back", users)
	for _, way := range []struct{ layout, row string }{{"upstream", rowBackUpstream}, {"fork", rowBackFork}} {
		if costs, err = inTurns(ctx, turns, b.wayBack(t, way.layout), b.refill(t)); err != nil {
			return err
		}
		r.add(t, size, way.row, ratios(costs[0], costs[1], seconds), costs[0], costs[1])
		r.add(t, size, rowBackServer, ratios(costs[0], costs[1], serverCPU), nil, nil)
	}
	return b.drop(ctx, t, databases...)
}

// measureSources measures what reads a source and writes nothing.
func (b *bench) measureSources(ctx context.Context, t *target, r *results) error {
	turns, size := b.options.turns, b.filled
	b.say("%d users: source", size.Users)
	scan := b.plain(t, yardstick.Task{Name: yardstick.TaskScan}, size.Keys)
	costs, err := inTurns(ctx, turns, b.source(t, b.redisURI), scan)
	if err != nil {
		return err
	}
	r.add(t, size, rowSource, ratios(costs[0], costs[1], seconds), costs[0], costs[1])

	b.say("%d users: RDB file", size.Users)
	path, err := b.save(ctx)
	if err != nil {
		return err
	}
	parse := b.plain(t, yardstick.Task{Name: yardstick.TaskParse, File: path}, size.Keys)
	if costs, err = inTurns(ctx, turns, b.source(t, "rdb:"+path), parse); err != nil {
		return err
	}
	r.add(t, size, rowRDB, ratios(costs[0], costs[1], seconds), costs[0], costs[1])
	return nil
}

// perKey returns the CPU time of each run in microseconds a key.
func perKey(costs []cost, size yardstick.Size) []float64 {
	return each(costs, func(c cost) float64 { return c.CPU * 1e6 / float64(size.Keys) })
}
