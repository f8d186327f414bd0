package verify_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/verify"
)

// endless is a source that makes its records as they are read, so that only what the comparison holds is held.
type endless struct {
	users int
	item  func(n int) record.Item
}

func (s endless) Parts(context.Context) ([]record.Part, error)            { return []record.Part{s}, nil }
func (s endless) Deferred(context.Context, func(record.Page) error) error { return nil }
func (s endless) Total(context.Context) (int64, error)                    { return int64(s.users), nil }
func (s endless) Identity() string                                        { return "endless" }
func (s endless) Name() string                                            { return "endless" }
func (s endless) Read(_ context.Context, _ string, yield func(record.Page) error) error {
	for n := 0; n < s.users; n += 500 {
		var p record.Page
		for i := n; i < min(n+500, s.users); i++ {
			p.Items = append(p.Items, s.item(i))
		}
		p.Seen.Keys = int64(len(p.Items))
		if err := yield(p); err != nil {
			return err
		}
	}
	return nil
}

// endlessTarget makes its documents as they are read. It looks at the heap before each reading.
type endlessTarget struct {
	users    int
	document func(n int) record.Document

	mu   sync.Mutex
	heap uint64 // the largest that was seen
}

func (*endlessTarget) Limits() record.Limits { return record.Limits{} }

func (*endlessTarget) Count(context.Context, record.Kind) (int64, error) { return 0, nil }

func (h *endlessTarget) Read(ctx context.Context, _ record.Kind, yield func([]record.Document) error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.heap = max(h.heap, liveHeap())
	for n := 0; n < h.users; n += 500 {
		var page []record.Document
		for i := n; i < min(n+500, h.users); i++ {
			page = append(page, h.document(i))
		}
		if err := yield(page); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (h *endlessTarget) ReadDigests(ctx context.Context, kind record.Kind, now time.Time, yield func([]record.DocumentDigest) error) error {
	return readDigests(ctx, h, kind, now, yield)
}

func (*endlessTarget) Estimate(context.Context, record.Kind) (int64, error) { return 0, nil }

// liveHeap returns what is held. What others allocate while it looks would count, too: so it takes the least of three looks.
func liveHeap() uint64 {
	var m runtime.MemStats
	least := uint64(math.MaxUint64)
	for range 3 {
		runtime.GC()
		runtime.ReadMemStats(&m)
		least = min(least, m.HeapAlloc)
	}
	return least
}

// TestEveryRecordAheadInBoundedMemory is a target on which the app has run for a week: every record has to be looked at
// closer, and none is a difference.
func TestEveryRecordAheadInBoundedMemory(t *testing.T) {
	const users, memory, tables = 60_000, 2 << 20, 8 << 20
	for kind, tc := range map[record.Kind]struct {
		record record.Record
		ahead  func(*record.Held)
	}{
		record.LastSeen:        {record.Record{Time: 1_700_000_000_000}, func(h *record.Held) { h.Times["timestamp"] = int64(1_700_000_000_001) }},
		record.MonitoringSince: {record.Record{Time: 1_700_000_000}, func(h *record.Held) { h.Times["since"] = int64(1_699_999_999) }},
		record.KV: {
			record.Record{Fields: map[string]record.Field{"city": {Value: "a long text that is not held, only its digest is, whatever its length"}}},
			func(h *record.Held) { h.Unmodified, h.Fields["another"] = false, true },
		},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			make1 := func(n int) record.Record {
				r := tc.record
				r.Kind, r.User = kind, userID(n)
				return r
			}
			target := &endlessTarget{users: users, document: func(n int) record.Document {
				s := documentOf(make1(n))
				tc.ahead(&s.Held)
				return s
			}}
			before := liveHeap()
			report := run(t, verify.Options{
				Source: func() record.Source {
					return endless{users, func(n int) record.Item { r := make1(n); return record.Item{Kind: kind, Record: &r} }}
				},
				Target: target, Kinds: record.Kinds(0).With(kind), Compare: record.CompareOptions{Now: now}, Memory: memory,
			})
			if c := report.Kinds[kind]; report.Total != 0 || c.Agreeing != users || c.Ahead != users {
				t.Errorf("%d differences, %+v", report.Total, c)
			}
			if report.Passes < 3 {
				t.Errorf("%d passes: the memory holds all records, so this tests nothing", report.Passes)
			}
			// What is held is estimated, and the buckets that a pass counts come on top.
			if held := int64(target.heap) - int64(before); held > 2*memory+2*tables {
				t.Errorf("holds %d KiB, asked for %d KiB", held>>10, int64(memory)>>10)
			}
		})
	}
}

func TestAnInterruptedRunReportsWhatItKnows(t *testing.T) {
	item := func(n int) record.Item {
		return record.Item{Kind: record.LastSeen, Record: &record.Record{Kind: record.LastSeen, User: userID(n), Time: 1_700_000_000_000}}
	}
	items := []record.Item{item(1), item(2)}
	stop := errors.New("the operator")
	for name, readings := range map[string]int{"while both sides are read": 1, "while it looks closer": 2, "while it looks again": 3} {
		ctx, cancel := context.WithCancelCause(context.Background())
		target := &fakeTarget{}
		target.before = func(record.Kind) error {
			if readings--; readings == 0 {
				cancel(stop)
				<-ctx.Done()
			}
			return ctx.Err()
		}
		o := options([][]record.Item{items}, nil, record.CompareOptions{})
		o.Target, o.Kinds, o.Recheck = target, record.Kinds(0).With(record.LastSeen), 2
		report, err := verify.New(o).Run(ctx)
		if !errors.Is(err, record.ErrInterrupted) || !errors.Is(err, stop) || report.Complete {
			t.Errorf("%s: %v, complete: %t", name, err, report.Complete)
		}
		if want := int64(0); name == "while it looks again" {
			want = 2
			if report.Total != want {
				t.Errorf("%s: %d differences, want %d", name, report.Total, want)
			}
		}
	}
}

func TestAPassBeginsAgainWhereAServerWasUnavailable(t *testing.T) {
	items := []record.Item{{Kind: record.LastSeen, Record: &record.Record{Kind: record.LastSeen, User: userID(1), Time: 1_700_000_000_000}}}
	for away, ok := range map[time.Duration]bool{time.Second: true, time.Minute: true, 3 * time.Minute: false} {
		synctest.Test(t, func(t *testing.T) {
			target := &fakeTarget{documents: migrated(items)}
			begun, failures := time.Now(), 0
			target.before = func(record.Kind) error {
				if time.Since(begun) < away {
					failures++
					return fmt.Errorf("%w: cut off", record.ErrUnavailable)
				}
				return nil
			}
			o := options([][]record.Item{items}, nil, record.CompareOptions{})
			var told []string
			o.Target, o.Kinds, o.Notify = target, record.Kinds(0).With(record.LastSeen), func(m string) { told = append(told, m) }
			report, err := verify.New(o).Run(t.Context())
			if (err == nil) != ok || ok && (report.Total != 0 || report.Kinds[record.LastSeen].Agreeing != 1) {
				t.Errorf("away for %s: %v, %+v", away, err, report.Kinds[record.LastSeen])
			}
			if took := time.Since(begun); !ok && took != retry.DefaultFor {
				t.Errorf("given up after %s", took)
			}
			if want := failures; ok && len(told) != want || !ok && len(told) != want-1 {
				t.Errorf("told %q of %d failures", told, failures)
			}
		})
	}
}

func TestAPassThatWasGivenUpDoesNotBeginAgain(t *testing.T) {
	target := &fakeTarget{}
	calls := 0
	target.before = func(record.Kind) error {
		calls++
		return fmt.Errorf("%w: silent: %w", record.ErrUnavailable, record.ErrGivenUp)
	}
	o := options(nil, nil, record.CompareOptions{})
	o.Target, o.Kinds = target, record.Kinds(0).With(record.LastSeen)
	if _, err := verify.New(o).Run(context.Background()); !errors.Is(err, record.ErrGivenUp) || calls != 1 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func BenchmarkVerify(b *testing.B) {
	const users = 20_000
	text := record.Field{Value: "a value of some length, as people write it"}
	item := func(n int) record.Item {
		r := record.Record{Kind: record.KV, User: userID(n), Fields: map[string]record.Field{"city": text, "bio": text, "site": text}}
		return record.Item{Kind: record.KV, Record: &r}
	}
	target := func(n int) record.Document { return documentOf(*item(n).Record) }
	b.Run("only read", func(b *testing.B) {
		h := &endlessTarget{users: users, document: target}
		for b.Loop() {
			if err := (endless{users, item}).Read(context.Background(), "", func(record.Page) error { return nil }); err != nil {
				b.Fatal(err)
			}
			if err := h.Read(context.Background(), record.KV, func([]record.Document) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N*users)/b.Elapsed().Seconds(), "records/s")
	})
	for name, document := range map[string]func(int) record.Document{
		"equal": target,
		"ahead": func(n int) record.Document {
			s := target(n)
			s.Held.Unmodified, s.Held.Fields["more"] = false, 1.5
			return s
		},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				run(b, verify.Options{
					Source: func() record.Source { return endless{users, item} }, Target: &endlessTarget{users: users, document: document},
					Kinds: record.Kinds(0).With(record.KV), Compare: record.CompareOptions{Now: now},
				})
			}
			b.ReportMetric(float64(b.N*users)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
