// Package churn writes to a Redis as running Lanyards do, and measures how soon a mirror has what was written. It is for
// tests only.
//
// A [Writer] makes the same writes in the same order for the same seed. It knows nothing of what becomes of them: the
// Redis may be killed, emptied, failed over or moved meanwhile, as real ones are, and the writer goes on.
package churn

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Options says what a [Writer] writes, and where.
type Options struct {
	Client goredis.UniversalClient // that repeats nothing by itself: see [Connect]
	Other  goredis.UniversalClient // of another db, whose keys have the same names; nil for none

	Seed  uint64
	Users int
	Rate  int // writes a second

	// Nodes is how many Lanyards write at once: each waits for an answer before it does the next thing. Where it is zero,
	// many things go into one pipeline, which costs a Redis much less than Lanyards do.
	Nodes int

	// Backwards has times go back and dates change, which no Lanyard does.
	Backwards bool

	// Rejects has values written that nobody can migrate. Others take their places in time.
	Rejects bool
}

// Writer behaves as Lanyards of all versions do that share one Redis.
type Writer struct {
	opts    Options
	random  *rand.Rand
	cluster bool

	keys     []string // API keys of the users; "" for none
	unsure   []bool   // whose API key is not known since a write failed
	counters [7]int64
	made     int64 // actions so far, by which times grow

	begin, stop sync.Once
	stopping    chan struct{}
	done        chan struct{}
	written     atomic.Int64
	failed      atomic.Int64
	pausing     atomic.Bool
}

// New returns a writer that has not begun.
func New(o Options) *Writer {
	_, cluster := o.Client.(*goredis.ClusterClient)
	return &Writer{
		opts: o, random: rand.New(rand.NewPCG(o.Seed, 15)), cluster: cluster,
		keys: make([]string, o.Users), unsure: make([]bool, o.Users),
		stopping: make(chan struct{}), done: make(chan struct{}),
	}
}

// pace is how often a pipeline of writes is sent.
const pace = 5 * time.Millisecond

// Run writes until ctx ends or [Writer.Stop] is called. It waits while the Redis is away, and makes no more of it later.
func (w *Writer) Run(ctx context.Context) {
	w.begin.Do(func() {
		defer close(w.done)
		tick := time.NewTicker(pace)
		defer tick.Stop()
		last, owed := time.Now(), 0.0
		for {
			select {
			case <-ctx.Done():
				return
			case <-w.stopping:
				return
			case <-tick.C:
			}
			now := time.Now()
			owed += now.Sub(last).Seconds() * float64(w.opts.Rate)
			last = now
			if w.pausing.Load() {
				owed = 0
				continue
			}
			most := float64(max(1, w.opts.Rate/4)) // after a pause that was not ours
			if owed = min(owed, most); owed < 1 {
				continue
			}
			made, err := w.write(ctx, int(owed))
			owed -= float64(made)
			if err != nil {
				last, owed = time.Now(), 0
			}
		}
	})
}

// Start begins to write, beside the caller.
func (w *Writer) Start(ctx context.Context) { go w.Run(ctx) }

// Stop ends [Writer.Run], which must have been called, and returns once the last write has its answer, with the number of
// those that were acknowledged and of those whose fate is not known.
func (w *Writer) Stop() (written, failed int64) {
	w.stop.Do(func() { close(w.stopping) })
	<-w.done
	return w.Written(), w.failed.Load()
}

// Pause has the writer write nothing until it is called with false. A pipeline may still be under way.
func (w *Writer) Pause(on bool) { w.pausing.Store(on) }

// Written returns how many writes were acknowledged so far.
func (w *Writer) Written() int64 { return w.written.Load() }

// Finish writes once more what Lanyard has in memory and a Redis may have lost: the counters, which only grow. The writer
// must have ended.
func (w *Writer) Finish(ctx context.Context) error {
	pipe := w.opts.Client.Pipeline()
	w.putCounters(ctx, pipe)
	_, err := pipe.Exec(ctx)
	return err
}

// write makes about so many writes, and returns how many.
func (w *Writer) write(ctx context.Context, most int) (made int, err error) {
	nodes := make([]node, max(w.opts.Nodes, 1))
	for made < most {
		user := w.user()
		n := &nodes[user%len(nodes)] // so that what is done to a user is done in order
		if n.pipe == nil || w.opts.Nodes > 0 {
			n.pipe = w.opts.Client.Pipeline()
			n.pipes = append(n.pipes, n.pipe)
		}
		before := n.pipe.Len()
		if w.act(ctx, n.pipe, user) {
			n.touched = append(n.touched, user)
		}
		made += n.pipe.Len() - before
	}
	ctx = context.WithoutCancel(ctx) // what was sent has an answer, or a timeout
	var all errgroup.Group
	for i := range nodes {
		all.Go(func() error { return w.send(ctx, &nodes[i]) })
	}
	err = all.Wait()
	for _, n := range nodes {
		for _, user := range n.touched {
			w.unsure[user] = w.unsure[user] || n.failed
		}
	}
	return made, err
}

// node is a Lanyard, and what it does next.
type node struct {
	pipe    goredis.Pipeliner // the last one
	pipes   []goredis.Pipeliner
	touched []int // users whose API keys are written
	failed  bool
}

// send does what the node is to do, up to what fails.
func (w *Writer) send(ctx context.Context, n *node) error {
	for _, pipe := range n.pipes {
		commands, err := pipe.Exec(ctx)
		for _, c := range commands {
			if c.Err() == nil {
				w.written.Add(1)
			} else {
				w.failed.Add(1)
			}
		}
		if err != nil {
			n.failed = true
			return err
		}
	}
	return nil
}

// Connect returns a client for a writer: one that repeats nothing, since what was written before an answer was lost may be
// written already. In a Cluster it follows slots that move.
func Connect(uri string, cluster bool) (goredis.UniversalClient, error) {
	const patience = 20 * time.Second
	if cluster {
		o, err := goredis.ParseClusterURL(uri)
		if err != nil {
			return nil, err
		}
		o.ReadTimeout, o.DialTimeout = patience, patience
		return goredis.NewClusterClient(o), nil
	}
	o, err := goredis.ParseURL(uri)
	if err != nil {
		return nil, err
	}
	o.MaxRetries, o.ReadTimeout, o.DialTimeout = -1, patience, patience
	return goredis.NewClient(o), nil
}
