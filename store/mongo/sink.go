package mongo

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// SinkOptions says how records are merged into the database.
type SinkOptions struct {
	Kinds  record.Kinds
	Policy record.Policy
	Mirror bool             // merge by [record.Mirror]
	DryRun bool             // look everything up, write nothing, make no index
	Now    func() time.Time // time.Now where nil

	// Notify is told what the sink waits for, where that takes longer than NotifyAfter (five seconds where zero). Nil tells
	// nobody.
	Notify      func(message string)
	NotifyAfter time.Duration

	// IndexTimeout is how long the server may take for an index of an empty collection; two minutes where zero. One of many
	// documents has more time.
	IndexTimeout time.Duration
}

// Sink merges records into the database. See [record.Sink].
type Sink struct {
	*Store
	opts SinkOptions

	// first and last are the fields whose unique indexes are made before the first batch and after the last one.
	first, last []uniqueField

	// findFirst tells of a kind that many of its records stand in the target, so that a batch looks them up before it
	// inserts.
	findFirst [record.KindCount]atomic.Bool

	// empty tells which kinds' collections held nothing when the sink was made. A dry run looks nothing up there.
	empty [record.KindCount]bool

	// warnings are what a person should know of the target.
	warnings []Warning
}

// Sink looks at the collections and returns a sink for them, which writes nothing before [Sink.Begin]. It fails
// with a [*DuplicatesError] where a user has two documents, an [*UnwritableError] and an [*IndexError].
func (s *Store) Sink(ctx context.Context, o SinkOptions) (*Sink, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	o.NotifyAfter = cmp.Or(o.NotifyAfter, 5*time.Second)
	o.IndexTimeout = cmp.Or(o.IndexTimeout, indexTimeout)
	sink := &Sink{Store: s, opts: o}
	var collections []record.Collection
	for _, kind := range o.Kinds.List() {
		collections = append(collections, record.CollectionOf(kind))
	}
	var err error
	if sink.warnings, err = s.checkAll(ctx, collections, true); err != nil {
		return nil, err
	}
	for _, kind := range o.Kinds.List() {
		if err := sink.inspect(ctx, kind); err != nil {
			return nil, err
		}
	}
	return sink, nil
}

// Warnings returns what a person should know of the target as it was when the sink was made.
func (s *Sink) Warnings() []Warning { return s.warnings }

// rounds bounds how often a record is decided anew because somebody changed its document in between.
const rounds = 20

// Write implements [record.Sink]. A batch is one insert for each kind in it, and what the server reports as duplicates
// is read back, merged and updated. Where many of a kind's records stand in the target, they are read before that.
func (s *Sink) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	outcomes := make([]record.Outcome, len(batch))
	var byKind [record.KindCount][]int
	for i := range batch {
		kind := batch[i].Kind
		if byKind[kind] == nil {
			byKind[kind] = make([]int, 0, len(batch)) // mostly there is no other kind
		}
		byKind[kind] = append(byKind[kind], i)
	}
	for k, indexes := range byKind {
		if len(indexes) == 0 {
			continue
		}
		w := writing{Sink: s, kind: record.Kind(k), batch: batch, outcomes: outcomes, keep: keep, policy: s.opts.Policy, now: s.opts.Now()}
		if err := w.run(ctx, indexes); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// writing is the work on the records of one kind in one batch. Records are named by their index in the batch.
type writing struct {
	*Sink
	kind     record.Kind
	batch    []record.Record
	outcomes []record.Outcome
	keep     record.ArchiveFunc
	policy   record.Policy
	now      time.Time
	merging  bool // the target's documents were read: a duplicate that an insert meets now is none of them
	byID     bool // a document may stand under the _id of a record's: they are looked up, too

	// met are the unique indexes that writes met though nothing was found that the server could mean.
	met map[int]string
}

func (w *writing) run(ctx context.Context, pending []int) error {
	// A document that is nobody's may have any _id, so an insert would not meet it.
	if w.kind.Identified() && !w.opts.DryRun && !w.findFirst[w.kind].Load() {
		met, err := w.insert(ctx, pending, w.newDocument)
		if err != nil {
			return err
		}
		w.learn(len(met), len(pending))
		pending, w.byID = met, true
	}
	w.merging = true
	for round := 0; len(pending) > 0; round++ {
		if round == rounds {
			if pending = w.refuseMet(pending); len(pending) == 0 {
				return nil
			}
			return w.wrap("merge into "+collectionName(w.kind), fmt.Errorf("%w: %d documents are changed by somebody else faster than they can be merged", record.ErrUnavailable, len(pending)))
		}
		now, later := w.oncePerIdentity(pending)
		again, err := w.merge(ctx, now)
		if err != nil {
			return err
		}
		pending, w.byID = append(again, later...), true
	}
	return nil
}

// tellingBatch is how many records say something of the next ones.
const tellingBatch = 100

// learn decides by how many of a batch's records stand in the target whether the next one finds before it inserts.
func (w *writing) learn(standing, records int) {
	if records >= tellingBatch {
		w.findFirst[w.kind].Store(w.dialect.findsFirst(standing, records))
	}
}

func (w *writing) meet(i int, index string) {
	if w.met == nil {
		w.met = make(map[int]string)
	}
	w.met[i] = index
}

// refuseMet rejects the records of which an index has a value that nothing bears, as an index does that takes two values
// for the same, and returns the others.
func (w *writing) refuseMet(pending []int) (others []int) {
	for _, i := range pending {
		if index, met := w.met[i]; met {
			w.refuse(i, 0, index)
		} else {
			others = append(others, i)
		}
	}
	return others
}

// oncePerIdentity splits off the records whose identity is there before: a source may repeat a key, and each decision must know
// the one before it.
func (w *writing) oncePerIdentity(pending []int) (now, later []int) {
	seen := make(map[record.Identity]bool, len(pending))
	for _, i := range pending {
		if id := w.batch[i].Identity(); seen[id] {
			later = append(later, i)
		} else {
			seen[id] = true
			now = append(now, i)
		}
	}
	return now, later
}
