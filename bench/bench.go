package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/lanyardctl/lanyardctl/bench/yardstick"
)

// bench is what all measurements share.
type bench struct {
	options *options
	binary  string // of lanyardctl
	self    string // of this program
	dir     string // for everything that is written

	redis    *goredis.Client
	redisURI string
	filled   yardstick.Size // what it holds
	servers  []*server

	back    *goredis.Client // an empty Redis, which migrations the other way fill
	backURI string

	progress io.Writer
	started  time.Time
}

func newBench(ctx context.Context, o *options, progress io.Writer) (*bench, error) {
	dir, err := os.MkdirTemp("", "lanyardctl-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, binary: o.binary, dir: dir, progress: progress, started: time.Now()}
	if err := b.prepare(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) prepare(ctx context.Context) (err error) {
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if b.binary == "" {
		b.say("building lanyardctl")
		b.binary = filepath.Join(b.dir, "lanyardctl")
		build := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "github.com/lanyardctl/lanyardctl/cmd/lanyardctl")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("go build: %w\n%s", err, out)
		}
	}
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if b.redis, b.redisURI, err = b.startRedis(ctx); err != nil {
		return err
	}
	b.back, b.backURI, err = b.startRedis(ctx)
	return err
}

func (b *bench) close() {
	for _, client := range []*goredis.Client{b.redis, b.back} {
		if client != nil {
			_ = client.Close()
		}
	}
	for _, s := range b.servers {
		s.stop()
	}
	_ = os.RemoveAll(b.dir)
}

// say tells how far the bench is.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(b.progress, "%4.0f s  %s\n", time.Since(b.started).Seconds(), fmt.Sprintf(format, args...))
}

// Names of targets, in the order in which they are measured.
const (
	targetCounting = "counting"
	targetFerretDB = "ferretdb"
	targetMongo    = "mongo"
)

var targetNames = []string{targetCounting, targetFerretDB, targetMongo}

func known(target string) bool { return slices.Contains(targetNames, target) }

// target is a server that takes the documents.
type target struct {
	name, label string
	uri         string
	sizes       []int // at which lanyardctl is measured
	sources     bool  // measure what has to do with sources alone as well
	forkSizes   []int // at which the fork's way is measured: its time grows with their square
	forkTurns   int   // how often
}

// runAll measures everything that is asked for.
func (b *bench) runAll(ctx context.Context) (*results, error) {
	r := newResults(b.options)
	for _, name := range targetNames {
		if !b.options.targets[name] || name == targetMongo && b.options.mongo == "" {
			continue
		}
		t, done, err := b.open(ctx, name)
		if err != nil {
			return nil, err
		}
		err = b.measureTarget(ctx, t, r)
		if doneErr := done(context.WithoutCancel(ctx)); err == nil {
			err = doneErr
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", t.label, err)
		}
	}
	r.addPeak()
	r.Seconds = time.Since(b.started).Seconds()
	return r, nil
}

// open starts or finds a target. What it returns removes what the bench wrote to it.
func (b *bench) open(ctx context.Context, name string) (*target, func(context.Context) error, error) {
	nothing := func(context.Context) error { return nil }
	switch name {
	case targetCounting:
		uri, err := b.startCounting()
		return &target{
			name: name, uri: uri, sizes: b.options.sizes, sources: true, forkSizes: b.options.forks, forkTurns: b.options.turns,
			label: "counting server: MongoDB's protocol at no cost, so this is what lanyardctl itself costs (and the fork's way without its searching)",
		}, nothing, err
	case targetFerretDB:
		uri, err := b.startFerretDB()
		return &target{
			name: name, uri: uri, sizes: b.options.forks[len(b.options.forks)-1:], forkSizes: b.options.forks, forkTurns: 1,
			label: "FerretDB, the embedded server: slow, so small sizes alone, and the fork's way only once",
		}, nothing, err
	}
	t := &target{name: name, uri: b.options.mongo, sizes: b.options.sizes, forkTurns: b.options.turns}
	t.forkSizes = append(slices.Clone(b.options.forks), t.sizes[0])
	version, err := yardstick.Version(ctx, t.uri)
	if err != nil {
		return nil, nil, fmt.Errorf("BENCH_MONGO: %w", err)
	}
	t.label = "MongoDB " + version + " of BENCH_MONGO"
	for _, db := range databases {
		n, err := yardstick.Count(ctx, t.uri, db)
		switch {
		case err != nil:
			return nil, nil, fmt.Errorf("BENCH_MONGO: %w", err)
		case n > 0:
			return nil, nil, fmt.Errorf("BENCH_MONGO: the database %s holds %d documents, and the bench would drop them: drop it yourself if nobody needs them", db, n)
		}
	}
	return t, func(ctx context.Context) error { return b.drop(ctx, t, databases...) }, nil
}

// Databases of a target that the bench uses.
const (
	dbOurs  = "lanyardctl_bench"
	dbPlain = "lanyardctl_bench_plain" // what the yardsticks write
	dbEmpty = "lanyardctl_bench_empty"
)

var databases = []string{dbOurs, dbPlain, dbEmpty}

func (b *bench) drop(ctx context.Context, t *target, names ...string) error {
	for _, name := range names {
		if err := yardstick.Drop(ctx, t.uri, name); err != nil {
			return fmt.Errorf("drop %s: %w", name, err)
		}
	}
	return nil
}

func (b *bench) measureTarget(ctx context.Context, t *target, r *results) error {
	b.say("%s", t.label)
	for _, users := range t.forkSizes {
		if err := b.measureFork(ctx, t, users, r); err != nil {
			return err
		}
	}
	for _, users := range t.sizes {
		if err := b.measureSize(ctx, t, users, r); err != nil {
			return err
		}
	}
	r.addGrowth(t)
	return nil
}

// fill fills the Redis with so many users, unless it holds them.
func (b *bench) fill(ctx context.Context, users int) error {
	if b.filled.Users == users {
		return nil
	}
	b.say("filling redis with %d users", users)
	if err := b.redis.FlushAll(ctx).Err(); err != nil {
		return fmt.Errorf("empty redis: %w", err)
	}
	_, result, err := b.task(ctx, "", yardstick.Task{Name: yardstick.TaskFill, Redis: b.redisURI, Users: users})
	b.filled = result.Size
	return err
}

// save writes what the Redis holds to an RDB file and returns its path.
func (b *bench) save(ctx context.Context) (string, error) {
	path := filepath.Join(b.dir, "dump.rdb")
	if strings.ContainsAny(path, "?#%") {
		return "", fmt.Errorf("the folder of temporary files has a name that no URI takes: %s", path)
	}
	return path, b.redis.Save(ctx).Err()
}
