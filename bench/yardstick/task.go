package yardstick

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/process"
)

// Task is what a process of its own does and measures.
type Task struct {
	Name     string `json:"name"`
	Redis    string `json:"redis,omitempty"` // URI
	Mongo    string `json:"-"`               // URI; may hold a password
	Database string `json:"database,omitempty"`
	From     string `json:"from,omitempty"` // another database
	File     string `json:"file,omitempty"`
	Users    int    `json:"users,omitempty"`
}

// Result is what a task took, without the start of its process and without what had to be prepared.
type Result struct {
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu"`                 // user and system time of the process, in seconds
	Server  float64 `json:"server_cpu,omitzero"` // the same of the Redis, of some tasks
	Count   int     `json:"count"`
	Size    Size    `json:"size,omitzero"` // of what was filled
}

// Names of tasks.
const (
	TaskFill     = "fill"      // Redis with Users
	TaskScan     = "scan"      // Redis
	TaskLoad     = "load"      // Database with the documents of From
	TaskReadBoth = "read-both" // Redis, then Database
	TaskOutlines = "outlines"  // what a sweep needs of Database
	TaskRefill   = "refill"    // Redis, which is emptied before, with the keys of Lanyard's that it holds
	TaskParse    = "parse"     // File, an RDB file
	TaskFork     = "fork"      // Redis to Database, the fork's way
)

// Patience is how long a Redis may take to answer: a SAVE or a KEYS over millions of keys takes long on a busy machine.
const Patience = 5 * time.Minute

// Run does the task.
func (t Task) Run(ctx context.Context) (Result, error) {
	var cache *goredis.Client
	if t.Redis != "" {
		o, err := goredis.ParseURL(t.Redis)
		if err != nil {
			return Result{}, err
		}
		o.ReadTimeout = Patience
		cache = goredis.NewClient(o)
		defer cache.Close()
	}
	var db, from *mongo.Database
	if t.Database != "" {
		client, err := mongo.Connect(options.Client().ApplyURI(t.Mongo))
		if err != nil {
			return Result{}, err
		}
		defer client.Disconnect(context.WithoutCancel(ctx))
		db, from = client.Database(t.Database), client.Database(t.From)
	}
	switch t.Name {
	case TaskFill:
		size, err := Fill(ctx, cache, t.Users)
		return Result{Size: size}, err
	case TaskScan:
		return measured(func() (int, error) { return scan(ctx, cache) })
	case TaskOutlines:
		return measured(func() (int, error) { return read(ctx, db, outlines) })
	case TaskReadBoth:
		return measured(func() (int, error) {
			keys, err := scan(ctx, cache)
			if err != nil {
				return 0, err
			}
			documents, err := read(ctx, db, nil)
			return keys + documents, err
		})
	case TaskLoad:
		ready, err := prepare(ctx, from)
		if err != nil {
			return Result{}, err
		}
		return measured(func() (int, error) { return load(ctx, db, ready) })
	case TaskRefill:
		ready, err := collect(ctx, cache)
		if err != nil {
			return Result{}, err
		}
		before, err := ServerCPU(ctx, cache)
		if err != nil {
			return Result{}, err
		}
		result, err := measured(func() (int, error) { return refill(ctx, cache, ready) })
		if err != nil {
			return Result{}, err
		}
		after, err := ServerCPU(ctx, cache)
		result.Server = after - before
		return result, err
	case TaskParse:
		return measured(func() (int, error) { return parse(t.File) })
	case TaskFork:
		return measured(func() (int, error) { return forksWay(ctx, cache, db) })
	}
	return Result{}, fmt.Errorf("there is no task %q", t.Name)
}

func measured(do func() (int, error)) (Result, error) {
	start, cpu := time.Now(), process.CPUTime()
	n, err := do()
	return Result{Seconds: time.Since(start).Seconds(), CPU: (process.CPUTime() - cpu).Seconds(), Count: n}, err
}
