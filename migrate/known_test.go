package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

// counted is a sink that counts the records that it gets.
type counted struct {
	record.Sink
	records atomic.Int64
}

func (s *counted) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	s.records.Add(int64(len(batch)))
	return s.Sink.Write(ctx, batch, keep)
}

// genItems generates what a source delivers: some records again, as they were or as they are by then, and some with a
// field that was rejected.
func genItems() *rapid.Generator[[]record.Item] {
	return rapid.Custom(func(t *rapid.T) []record.Item {
		var items []record.Item
		for _, r := range rapid.SliceOfN(storetest.Records(), 0, 20).Draw(t, "records") {
			if r.Kind.Identified() && rapid.IntRange(0, 4).Draw(t, "named") == 0 {
				r.User, r.Name = 0, record.NameOf("row of "+r.User.String())
			}
			it := record.Item{Kind: r.Kind, Record: &r}
			if r.Kind == record.KV && rapid.IntRange(0, 4).Draw(t, "rejected") == 0 {
				it.Rejects = []record.Reject{{Kind: r.Kind, User: r.User, Field: "b", HasField: true, Reason: record.InvalidUTF8}}
				delete(r.Fields, "b")
				r.Omitted = it.Omitted()
			}
			items = append(items, it)
		}
		return items
	})
}

// TestWhatTheTargetHoldsChangesNoResult is the law that a run ends the same whether it knows what the target holds or
// looks up every record.
func TestWhatTheTargetHoldsChangesNoResult(t *testing.T) {
	var spared, all int64
	rapid.Check(t, func(rt *rapid.T) {
		before := genItems().Draw(rt, "before")
		puts := rapid.SliceOfN(storetest.Records(), 0, 4).Draw(rt, "put")
		items := genItems().Draw(rt, "items")
		for _, it := range before { // much of it is there
			if rapid.Bool().Draw(rt, "again") {
				items = append(items, it)
			}
		}
		items = rapid.Permutation(items).Draw(rt, "order")
		memOptions := mem.Options{
			Limits: record.Limits{MaxDocument: record.DefaultMaxDocument, Named: true}, Now: func() time.Time { return storetest.Now },
			Policy: rapid.SampledFrom([]record.Policy{record.FailOnConflict, record.PreferSource, record.PreferTarget}).Draw(rt, "policy"),
			Mirror: rapid.Bool().Draw(rt, "mirror"),
		}
		dryRun := rapid.Bool().Draw(rt, "dry run")
		memory := rapid.SampledFrom([]int64{1, 400, 1 << 20}).Draw(rt, "memory")
		copied := func(with bool) (*mem.Store, *migrate.Report) {
			target := mem.New(memOptions)
			first := options(t, &mem.Source{Items: [][]record.Item{before}}, target, nil)
			first.Workers = 1 // else the order in which keys pass from one user to another is open
			mustRun(t, first)
			for _, r := range puts {
				d := mem.Document{APIKey: r.APIKey, Fields: make(map[string]record.Value)}
				for name, f := range r.Fields {
					d.Fields[name] = f.Value
				}
				if r.Time != 0 {
					d.Times = map[string]any{record.TimeField(r.Kind): r.Time}
				}
				target.Put(r.Kind, r.User, d)
			}
			target.DryRun(dryRun)
			sink := &counted{Sink: target}
			again := options(t, &mem.Source{Items: [][]record.Item{items}, PageSize: 5}, sink, nil)
			again.Workers, again.Mirror = 1, memOptions.Mirror
			if with {
				again.Target, again.Memory = target.Reader(), memory
			}
			report := mustRun(t, again)
			if with {
				all += int64(len(items))
				spared += int64(len(items)) - sink.records.Load()
			}
			return target, report
		}
		plain, want := copied(false)
		target, got := copied(true)
		if d := cmp.Diff(contents(plain), contents(target)); d != "" {
			rt.Fatalf("(-looked up +known):\n%s", d)
		}
		if d := cmp.Diff(want.Statistics, got.Statistics); d != "" {
			rt.Fatalf("(-looked up +known):\n%s", d)
		}
	})
	if spared*50 < all {
		t.Errorf("%d of %d records were spared their batch: this tests little", spared, all)
	}
}

// TestARerunWritesNothingThatTheTargetHolds also reads a target that is away at first.
func TestARerunWritesNothingThatTheTargetHolds(t *testing.T) {
	target := newTarget()
	o := options(t, &mem.Source{Items: [][]record.Item{users(50)}}, target, nil)
	first := mustRun(t, o)
	sink := &counted{Sink: target}
	o.Sink = sink
	for name, c := range map[string]struct {
		target  record.DigestReader
		memory  int64
		written int64
	}{
		"the table holds all":           {target.Reader(), 1 << 20, 0},
		"the target is away at first":   {&awayAtFirst{DigestReader: target.Reader()}, 1 << 20, 0},
		"the table holds a part":        {target.Reader(), 10 * 60, 100 - 56},
		"there is no room for any":      {target.Reader(), 1, 100},
		"the target holds nothing else": {newTarget().Reader(), 1 << 20, 100},
	} {
		t.Run(name, func(t *testing.T) {
			sink.records.Store(0)
			o.Target, o.Memory = c.target, c.memory
			report := mustRun(t, o)
			for kind, counts := range first.Kinds {
				counts.Unchanged, counts.Inserted = counts.Unchanged+counts.Inserted, 0
				if d := cmp.Diff(counts, report.Kinds[kind]); d != "" {
					t.Errorf("%s (-first +again):\n%s", record.Kind(kind), d)
				}
			}
			if n := sink.records.Load(); n != c.written {
				t.Errorf("%d records were written, want %d", n, c.written)
			}
			if fits := c.written == 0 || strings.Contains(name, "nothing"); fits != (report.Unknown == 0) || !fits && report.Unknown != c.written {
				t.Errorf("%d documents did not fit", report.Unknown)
			}
			if report.Unknown == 0 {
				return
			}
			o.Memory = report.MemoryForAll
			if again := mustRun(t, o); again.Unknown != 0 {
				t.Errorf("%d documents do not fit %d bytes", again.Unknown, o.Memory)
			}
		})
	}
}

// awayAtFirst is unavailable in the midst of the first reading.
type awayAtFirst struct {
	record.DigestReader
	came atomic.Bool
}

func (r *awayAtFirst) ReadDigests(ctx context.Context, kind record.Kind, now time.Time, yield func([]record.DocumentDigest) error) error {
	return r.DigestReader.ReadDigests(ctx, kind, now, func(page []record.DocumentDigest) error {
		if err := yield(page); err != nil {
			return err
		}
		if !r.came.Swap(true) {
			return fmt.Errorf("cut: %w", record.ErrUnavailable)
		}
		return nil
	})
}

// TestAKeyThatIsScannedAgainWithAnOlderValueIsWritten has a source that delivers a record as the target has it, as it is
// by then, and, late, as it was.
func TestAKeyThatIsScannedAgainWithAnOlderValueIsWritten(t *testing.T) {
	target := newTarget()
	value := func(n int64) record.Item {
		return record.Item{Kind: record.KV, Record: &record.Record{Kind: record.KV, User: 1, Fields: map[string]record.Field{"n": {Value: n}}}}
	}
	mustRun(t, options(t, &mem.Source{Items: [][]record.Item{{value(1)}}}, target, nil))
	sink := &counted{Sink: target}
	o := options(t, &mem.Source{Items: [][]record.Item{{value(1), value(2), value(1)}}, PageSize: 1}, sink, nil)
	o.Target = target.Reader()
	report := mustRun(t, o)
	if c := report.Kinds[record.KV]; c.Unchanged != 1 || c.Updated != 2 || sink.records.Load() != 2 {
		t.Errorf("%+v, %d records written", c, sink.records.Load())
	}
	if d, _ := target.Get(record.KV, 1); d.Fields["n"] != int64(1) {
		t.Errorf("%v", d.Fields)
	}
}

func TestATargetMuchLargerThanTheSourceIsNotRead(t *testing.T) {
	target := newTarget()
	mustRun(t, options(t, &mem.Source{Items: [][]record.Item{users(50)}}, target, nil))
	sink := &counted{Sink: target}
	o := options(t, &mem.Source{Items: [][]record.Item{users(2)}}, sink, nil)
	o.Target = target.Reader()
	mustRun(t, o)
	if n := sink.records.Load(); n != 4 {
		t.Errorf("%d records written", n)
	}
}

// silentTarget does not answer before its context ends.
type silentTarget struct {
	record.DigestReader
	reached chan struct{}
}

func (r silentTarget) ReadDigests(ctx context.Context, kind record.Kind, _ time.Time, _ func([]record.DocumentDigest) error) error {
	if kind == record.KV {
		close(r.reached)
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestAnInterruptionEndsTheReadingOfTheTarget(t *testing.T) {
	t.Parallel()
	target := newTarget()
	o := options(t, &mem.Source{Items: [][]record.Item{users(30)}, ID: "a"}, target, target)
	mustRun(t, o)
	ctx, interrupt := context.WithCancel(context.Background())
	silent := silentTarget{target.Reader(), make(chan struct{})}
	o.Target = silent
	go func() {
		<-silent.reached
		interrupt()
	}()
	if report, err := run(t, ctx, o); !errors.Is(err, record.ErrInterrupted) || report.Kinds[record.KV].Read != 0 {
		t.Errorf("%+v, error %v", report.Kinds[record.KV], err)
	}
}

// TestADocumentThatDoesNotFitCountsOnce is about API keys, of which neither the document nor the secret may fit.
func TestADocumentThatDoesNotFitCountsOnce(t *testing.T) {
	t.Parallel()
	const users = 1000
	var items []record.Item
	for n := range record.UserID(users) {
		r := record.Record{Kind: record.APIKeys, User: 94490510688792576 + n, APIKey: fmt.Sprintf("lnyd_%032x", n)}
		items = append(items, record.Item{Kind: r.Kind, Record: &r})
	}
	target := newTarget()
	o := options(t, &mem.Source{Items: [][]record.Item{items}}, target, nil)
	mustRun(t, o)
	o.Target, o.Memory = target.Reader(), 1
	report := mustRun(t, o)
	if report.Unknown != users {
		t.Errorf("%d of %d documents did not fit", report.Unknown, users)
	}
	if most := int64(users * 40); report.MemoryForAll > most {
		t.Errorf("%d bytes hold all, and %d would", report.MemoryForAll, most)
	}
	o.Memory = report.MemoryForAll
	if report := mustRun(t, o); report.Unknown > 0 {
		t.Errorf("%d of %d documents did not fit %d bytes, which hold all", report.Unknown, users, o.Memory)
	}
}
