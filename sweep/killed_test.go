package sweep_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest/dated"
	"github.com/lanyardctl/lanyardctl/sweep"
)

var errKilled = errors.New("killed")

// life is how many more writes a process makes before it is dead. The last of them takes effect, but nobody hears of it.
type life struct{ left atomic.Int64 }

func (l *life) write(call func() error) error {
	switch n := l.left.Add(-1); {
	case n < 0:
		return errKilled
	case n == 0:
		_ = call()
		return errKilled
	}
	return call()
}

// mortalDocuments and mortalJournal are a target as a process sees it that is killed.
type mortalDocuments struct {
	record.Documents
	life *life
}

func (d mortalDocuments) Apply(ctx context.Context, steps []record.Step) ([]record.StepResult, error) {
	// A process may be killed, and a server lose its connection, in the middle of the steps.
	results := make([]record.StepResult, len(steps))
	for i, s := range steps {
		err := d.life.write(func() error {
			one, err := d.Documents.Apply(ctx, []record.Step{s})
			results[i] = one[0]
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

type journalAndLeases interface {
	record.Journal
	record.Leases
}

type mortalJournal struct {
	*mem.Journal
	life *life
}

func (j mortalJournal) SaveSweep(ctx context.Context, s record.Sweep) error {
	return j.life.write(func() error { return j.Journal.SaveSweep(ctx, s) })
}

func (j mortalJournal) Append(ctx context.Context, changes []record.Change) error {
	for _, c := range changes {
		if err := j.life.write(func() error { return j.Journal.Append(ctx, []record.Change{c}) }); err != nil {
			return err
		}
	}
	return nil
}

func (j mortalJournal) Amend(ctx context.Context, changes []record.Change) error {
	return j.life.write(func() error { return j.Journal.Amend(ctx, changes) })
}

func (j mortalJournal) EndLease(ctx context.Context, name string, o record.Owner) error {
	return j.life.write(func() error { return j.Journal.EndLease(ctx, name, o) })
}

// TestKilledAtEveryWrite kills a sweep at each of its writes, and then takes it back, or sweeps again and takes both back.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	world := dated.New(4, 25)
	full := fill(world)
	addDuplicates(full, world)
	journal := mem.NewJournal()
	run(t, sweep.Options{Documents: full, Journal: journal, Leases: journal, Dedupe: true, Chunk: 4})
	want := dump(full)
	begin := func() (*mem.Documents, map[record.Collection]map[string][]byte) {
		docs := fill(world)
		addDuplicates(docs, world)
		return docs, dump(docs)
	}
	for writes := int64(1); ; writes++ {
		alive := false
		for _, rerun := range []bool{false, true} {
			docs, before := begin()
			journal := mem.NewJournal()
			l := &life{}
			l.left.Store(writes)
			_, err := sweep.New(sweep.Options{
				Documents: mortalDocuments{docs, l}, Journal: mortalJournal{journal, l}, Leases: mortalJournal{journal, l}, Dedupe: true, Chunk: 4, Now: dated.Now,
			}).Run(ctx)
			if alive = err == nil; alive {
				break
			}
			if !errors.Is(err, errKilled) {
				t.Fatal(err)
			}
			if rerun {
				run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dedupe: true})
				if got := dump(docs); !sameDump(got, want) {
					t.Fatalf("killed at write %d: swept again, the documents are not what they should be", writes)
				}
			}
			sweeps, _ := journal.Sweeps(ctx)
			for _, s := range sweeps {
				if rerun && s.State == record.SweepRunning {
					t.Fatalf("killed at write %d: sweep %s counts as running", writes, s.ID)
				}
				if u := undo(t, docs, journal, s.ID); u.Moved+u.Refused > 0 {
					t.Fatalf("killed at write %d: %+v", writes, u)
				}
			}
			if !sameDump(before, dump(docs)) {
				t.Fatalf("killed at write %d: taken back (swept again: %t), the documents are not what they were", writes, rerun)
			}
		}
		if alive {
			t.Logf("a sweep of %d writes", writes-1)
			return
		}
	}
}

// TestKilledAnywhere kills sweeps and undos at random, again and again, and at last takes everything back, the newest sweep
// first.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		world := dated.New(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 20).Draw(rt, "users"))
		docs, journal := fill(world), mem.NewJournal()
		addDuplicates(docs, world)
		before := dump(docs)
		mortal := func() (record.Documents, journalAndLeases) {
			l := &life{}
			l.left.Store(rapid.Int64Range(1, 60).Draw(rt, "writes"))
			return mortalDocuments{docs, l}, mortalJournal{journal, l}
		}
		undoing := func(d record.Documents, j journalAndLeases) {
			sweeps, _ := journal.Sweeps(ctx)
			for _, s := range sweeps {
				if s.State == record.SweepUndone {
					continue
				}
				u, err := sweep.NewUndo(sweep.UndoOptions{Documents: d, Journal: j, Leases: j, ID: s.ID, Watch: time.Millisecond}).Run(ctx)
				if err != nil && !errors.Is(err, errKilled) {
					rt.Fatal(err)
				}
				if u.Moved+u.Refused > 0 {
					rt.Fatalf("%+v", u)
				}
				if err != nil {
					return
				}
			}
		}
		for range rapid.IntRange(1, 4).Draw(rt, "lives") {
			d, j := mortal()
			if rapid.Bool().Draw(rt, "undo") {
				undoing(d, j)
				continue
			}
			_, err := sweep.New(sweep.Options{
				Documents: d, Journal: j, Leases: j, Dedupe: rapid.Bool().Draw(rt, "dedupe"), Now: dated.Now, Watch: time.Millisecond,
				Chunk: rapid.IntRange(1, 9).Draw(rt, "chunk"),
			}).Run(ctx)
			if err != nil && !errors.Is(err, errKilled) {
				rt.Fatal(err)
			}
		}
		undoing(docs, journal)
		if !sameDump(before, dump(docs)) {
			rt.Fatal("the documents are not what they were")
		}
	})
}
