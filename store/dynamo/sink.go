package dynamo

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// SinkOptions say how records are merged into the tables.
type SinkOptions struct {
	Policy record.Policy
	DryRun bool // Write answers outcomes and changes nothing
}

// Sink merges records into the tables of the store. See [record.Sink]. It writes an item on the condition that the attributes
// which it changes are still what they were when it decided.
//
// An item that exists is changed by one request, unless more of its attributes change than one takes: that is a hundred, and
// fewer where they are long lists or maps. Then several requests follow each other, each on its condition, and whoever reads
// the item between them sees a part of the change. A Write that is made again ends what one began.
type Sink struct {
	*Store
	opts SinkOptions
	own  *ownTable
	by   string // whose digests are the sink's
}

// Sink returns what merges records into the tables of Options.Tables.
func (s *Store) Sink(o SinkOptions) *Sink {
	return &Sink{Store: s, opts: o, own: &ownTable{Store: s}, by: rand.Text()}
}

// Begin implements [record.Sink].
func (k *Sink) Begin(ctx context.Context, _ record.ArchiveFunc) error { return ctx.Err() }

// Finish implements [record.Sink].
func (k *Sink) Finish(ctx context.Context, _ record.ArchiveFunc) error { return ctx.Err() }

const (
	// rounds bounds how often an item is decided anew because somebody changed it in between. Before each but the first two
	// there is a pause, at random, whose limit doubles from firstPause to longestPause.
	rounds       = 20
	firstPause   = 5 * time.Millisecond
	longestPause = 500 * time.Millisecond

	// atOnce is how many items of one batch are written at a time.
	atOnce = 16

	// manyRefused is from how many items on a server that refuses every single one is what is wrong, not they.
	manyRefused = 10
)

// Write implements [record.Sink].
func (k *Sink) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	w := &writing{
		Sink: k, keep: keep, batch: batch, outcomes: make([]record.Outcome, len(batch)),
		sent: make([]bool, len(batch)), tried: make([]string, len(batch)),
	}
	byKind := make(map[record.Kind][]int)
	for i := range batch {
		if _, known := k.tables[batch[i].Kind]; !known {
			return nil, fmt.Errorf("write to %s: %s is none of the tables that are written", k.place(), batch[i].Kind)
		}
		if w.hasKey(i) {
			byKind[batch[i].Kind] = append(byKind[batch[i].Kind], i)
		}
	}
	for kind, pending := range byKind {
		for len(pending) > 0 {
			now, later := w.oncePerItem(pending)
			if err := w.settle(ctx, kind, now); err != nil {
				return nil, err
			}
			pending = later
		}
	}
	return w.outcomes, nil
}

// writing is the work on one batch. Records are named by their index in it.
type writing struct {
	*Sink
	batch    []record.Record
	outcomes []record.Outcome
	keep     record.ArchiveFunc

	// sent tells of a record that an earlier round may have written it, or a part of it.
	sent []bool

	// tried is the digest of the item that a record was last to change.
	tried []string
}

// hasKey reports whether a record has the key that its name says. Else it is a reject.
func (w *writing) hasKey(i int) bool {
	r := &w.batch[i]
	name, err := record.ItemName(w.tables[r.Kind].Keys, r.Fields)
	switch {
	case err != nil:
		w.reject(i, record.InvalidItemKey, err.Error())
	case name != r.Name:
		w.reject(i, record.InvalidItemKey, "the attributes of the item's key are those of another item")
	default:
		return true
	}
	return false
}

// oncePerItem splits off the records whose item is there before: each decision must know the one before it.
func (w *writing) oncePerItem(pending []int) (now, later []int) {
	seen := make(map[record.Name]bool, len(pending))
	for _, i := range pending {
		if name := w.batch[i].Name; seen[name] {
			later = append(later, i)
		} else {
			seen[name] = true
			now = append(now, i)
		}
	}
	return now, later
}

// settle merges records of different items of one table.
func (w *writing) settle(ctx context.Context, kind record.Kind, pending []int) error {
	pause := firstPause
	for round := range rounds {
		if round > 1 {
			if err := retry.Sleep(ctx, mathrand.N(pause)); err != nil {
				return err
			}
			pause = min(2*pause, longestPause)
		}
		again, err := w.merge(ctx, kind, pending)
		if err != nil || len(again) == 0 {
			return err
		}
		pending = again
	}
	return &Error{
		Operation: "UpdateItem", Table: w.tables[kind].Name, Reason: record.ErrUnavailable,
		detail: fmt.Sprintf("%d items are changed by somebody else faster than they can be merged", len(pending)),
	}
}

// merge reads what the table has for the records, decides, and writes what has to be written. It returns the records whose
// items somebody changed in between: they have to be decided anew.
func (w *writing) merge(ctx context.Context, kind record.Kind, indexes []int) (again []int, err error) {
	decisions, superseded, err := w.decide(ctx, kind, indexes)
	if err != nil || w.opts.DryRun {
		return nil, err
	}
	if len(superseded) > 0 {
		if err := w.keep(superseded); err != nil {
			return nil, err
		}
	}
	var digests []string
	for _, d := range decisions {
		digests = append(digests, d.digests...)
	}
	if err := w.own.remember(ctx, digests, w.by); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var refused []error
	group, working := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, d := range decisions {
		group.Go(func() error {
			done, err := w.carryOut(working, d)
			mu.Lock()
			defer mu.Unlock()
			words, theirs := refusedItem(err)
			switch {
			case theirs:
				refused = append(refused, err)
				w.reject(d.index, record.RefusedByTarget, "DynamoDB refused the item with "+words)
				return nil
			case err == nil && !done:
				again = append(again, d.index)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if len(refused) == len(decisions) && len(refused) >= manyRefused {
		return nil, fmt.Errorf("%s refuses every item: %w", w.place(), refused[0])
	}
	return again, nil
}

func (w *writing) reject(i int, reason record.Reason, detail string) {
	w.outcomes[i] = record.Outcome{Status: record.Rejected, Rejects: w.batch[i].Rejects(reason, detail)}
}
