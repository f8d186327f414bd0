package mirror_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

func apiKeyOf(user record.UserID, key string) record.Record {
	return record.Record{Kind: record.APIKeys, User: user, APIKey: key}
}

// TestAPIKeysPassBetweenUsers has users take over each other's keys at once, so that no order of single writes would do.
func TestAPIKeysPassBetweenUsers(t *testing.T) {
	for name, policy := range map[string]record.Policy{"fail": record.FailOnConflict, "source": record.PreferSource, "target": record.PreferTarget} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.merge(policy)
				for u := range record.UserID(6) {
					w.set(apiKeyOf(u+1, string('a'+rune(u))))
				}
				job, stop := w.run(t)
				w.following(t, job)
				for u, key := range map[record.UserID]string{1: "b", 2: "a", 3: "d", 4: "e", 5: "c"} {
					w.set(apiKeyOf(u, key))
				}
				until(t, "what passed", w.equal)
				w.following(t, job)
				if r := stop(); r.Conflicts != 0 || r.Reconciled != 1 {
					t.Errorf("%d conflicts, %d comparisons", r.Conflicts, r.Reconciled)
				}
			})
		})
	}
}

// merge has the target merge by a policy.
func (w *world) merge(policy record.Policy) {
	w.target = mem.New(mem.Options{Mirror: true, Policy: policy})
	w.opts.Target = w.target
}

// slowSink lets writes wait while there is a gate.
type slowSink struct {
	*mem.Store
	gate chan chan struct{}
}

func (s *slowSink) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	select {
	case open := <-s.gate:
		select {
		case <-open:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	default:
	}
	return s.Store.Write(ctx, batch, keep)
}

// slow has the next write wait until what it returns is called.
func (w *world) slow() (goOn func()) {
	gate, open := make(chan chan struct{}, 1), make(chan struct{})
	gate <- open
	sink := &slowSink{w.target, gate}
	w.opts.Sink = func(context.Context) (mirror.Sink, error) { return sink, nil }
	return func() { close(open) }
}

// silently changes the source without a word.
func (w *world) silently(change func()) {
	w.live.mu.Lock()
	w.deaf = true
	w.live.mu.Unlock()
	change()
	w.live.mu.Lock()
	w.deaf = false
	w.live.mu.Unlock()
}

// TestWhatAnEarlierSessionReadIsReadAgain has a write under way while another server takes over, without what the write is of.
func TestWhatAnEarlierSessionReadIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(kvOf(1, map[string]string{"a": "1"}))
		goOn := w.slow()
		job, stop := w.run(t)
		w.following(t, job)
		w.set(kvOf(1, map[string]string{"a": "2"}))
		time.Sleep(time.Second)
		w.silently(func() { w.set(kvOf(1, map[string]string{"a": "1"})) })
		w.cut()
		time.Sleep(10 * time.Second)
		goOn()
		w.following(t, job)
		if !w.equal() {
			t.Error("what the earlier session read stays")
		}
		stop()
	})
}

// TestWhoHasNoLeaseWritesNothing has another process take the lease over while a write is under way.
func TestWhoHasNoLeaseWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(kvOf(1, map[string]string{"a": "1"}))
		goOn := w.slow()
		job, stop := w.run(t)
		w.following(t, job)
		w.set(kvOf(1, map[string]string{"a": "2"}))
		time.Sleep(time.Second)
		w.takeOver(t)
		time.Sleep(lease.HeartbeatEvery + 100*time.Millisecond) // now it knows
		goOn()
		time.Sleep(100 * time.Millisecond)
		if doc, _ := w.target.Get(record.KV, 1); doc.Fields["a"] != "1" {
			t.Errorf("it wrote %v", doc.Fields)
		}
		stop()
	})
}

// takeOver gives the lease to another process.
func (w *world) takeOver(t *testing.T) {
	t.Helper()
	l, _, err := w.leases.Lease(t.Context(), mirror.SyncLease)
	if err != nil {
		t.Fatal(err)
	}
	other := l
	other.Owner.Run = "another"
	if won, err := w.leases.TakeLease(t.Context(), other, l.Owner); err != nil || !won {
		t.Fatal(won, err)
	}
}

// TestWhoWasSuspendedLooksWhetherItHasTheLease has a read that is old by the time at which it is written, as in a process that
// was suspended meanwhile. Its next sign of life is still to come.
func TestWhoWasSuspendedLooksWhetherItHasTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(kvOf(1, map[string]string{"a": "1"}))
		suspended := make(chan struct{})
		w.opts.Open = func(ctx context.Context) (*mirror.Session, error) {
			s, err := w.open(ctx)
			s.Points = func(map[record.UserID][]string) record.PointReader { return &slowReader{w.live, suspended} }
			return s, err
		}
		job, stop := w.run(t)
		begun := time.Now()
		w.following(t, job)
		w.set(kvOf(1, map[string]string{"a": "2"}))
		time.Sleep(time.Until(begun.Add(2*lease.HeartbeatEvery + lease.HeartbeatEvery/2)))
		w.takeOver(t)
		close(suspended)
		time.Sleep(lease.HeartbeatEvery / 4)
		if doc, _ := w.target.Get(record.KV, 1); doc.Fields["a"] != "1" {
			t.Errorf("it wrote %v", doc.Fields)
		}
		stop()
	})
}

// slowReader delivers what it has read once it goes on.
type slowReader struct {
	*live
	goOn chan struct{}
}

func (r *slowReader) ReadUsers(ctx context.Context, kinds record.Kinds, users []record.UserID, yield func(record.Page) error) error {
	return r.live.ReadUsers(ctx, kinds, users, func(p record.Page) error {
		<-r.goOn
		return yield(p)
	})
}

// TestSomebodyElsesDocumentsHideNoLoss has more documents of others than of what the source loses.
func TestSomebodyElsesDocumentsHideNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for u := range record.UserID(40) {
			w.set(kvOf(u+1, map[string]string{"a": "1"}))
		}
		for u := range record.UserID(60) {
			w.target.Put(record.KV, 100+u, mem.Document{Fields: map[string]record.Value{"a": "theirs"}})
		}
		job, stop := w.run(t)
		w.following(t, job)
		w.flush()
		until(t, "what is held back", func() bool { return job.Snapshot().HeldBack == 40 })
		if n := w.target.Count(record.KV); n != 100 {
			t.Errorf("%d documents are left", n)
		}
		stop()
	})
}

// TestWhatCameCountsAmongWhatGoes has a source grow before it loses most of what it has.
func TestWhatCameCountsAmongWhatGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for u := range record.UserID(40) {
			w.set(kvOf(u+1, map[string]string{"a": "1"}))
		}
		job, stop := w.run(t)
		w.following(t, job)
		for u := range record.UserID(40) {
			w.set(kvOf(100+u, map[string]string{"a": "1"}))
		}
		until(t, "what came", w.equal)
		for range 500 { // what comes and goes again is no loss
			w.change(record.KV, 100, nil)
			time.Sleep(100 * time.Millisecond)
			w.set(kvOf(100, map[string]string{"a": "1"}))
			time.Sleep(100 * time.Millisecond)
		}
		for u := range record.UserID(40) {
			w.change(record.KV, u+1, nil)
			time.Sleep(100 * time.Millisecond)
		}
		until(t, "what went", w.equal)
		w.change(record.KV, 100, nil)
		until(t, "what is held back", func() bool { return job.Snapshot().HeldBack == 1 })
		if n := w.target.Count(record.KV); n != 40 {
			t.Errorf("%d documents are left", n)
		}
		stop()
	})
}

// TestCaughtUpIsNoMoreThanVerifySays has differences that the mirror does not mend, and that a comparison minds whatever the
// target may be ahead in.
func TestCaughtUpIsNoMoreThanVerifySays(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world)
		total  int64
	}{
		"an API key that somebody else wrote": {func(w *world) { w.target.Put(record.APIKeys, 9, mem.Document{APIKey: "theirs"}) }, 1},
		"an API key that is no user's": {func(w *world) {
			w.alsoDiffers(
				record.Difference{Kind: record.APIKeys, Name: "7", Numeric: true, Type: record.Extra},
				record.Difference{Kind: record.KV, Name: "7", Numeric: true, Type: record.Extra},
			)
		}, 1},
		"what the target refuses": {func(w *world) {
			w.target = mem.New(mem.Options{Mirror: true, Limits: record.Limits{MaxDocument: 500}})
			w.opts.Target = w.target
			w.set(kvOf(1, map[string]string{"a": strings.Repeat("x", 1000)}))
		}, 1},
		"a key that nothing but a scan finds": {func(w *world) {
			w.alsoDiffers(record.Difference{Kind: record.APIKeys, User: 5, Type: record.Missing})
		}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.opts.UntilCaughtUp = true
				w.set(apiKeyOf(1, "a"))
				c.before(w)
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				report, err := mirror.New(w.opts).Run(ctx)
				if err != nil || report.Agreed || report.Total != c.total {
					t.Errorf("%v, agreed %t, %d differences", err, report.Agreed, report.Total)
				}
			})
		})
	}
}

// alsoDiffers has comparisons find what single reads do not.
func (w *world) alsoDiffers(list ...record.Difference) {
	w.opts.Compare = func(ctx context.Context, each func(record.Difference)) (mirror.Compared, error) {
		for _, d := range list {
			each(d)
		}
		return w.compare(ctx, each)
	}
}

// TestCaughtUpSeesAGapWhileItCompares has the source change while both sides are compared and nobody tells of it.
func TestCaughtUpSeesAGapWhileItCompares(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.opts.UntilCaughtUp = true
		w.set(kvOf(1, map[string]string{"a": "1"}))
		once := false
		w.opts.Compare = func(ctx context.Context, each func(record.Difference)) (mirror.Compared, error) {
			compared, err := w.compare(ctx, each)
			if !once {
				once = true
				w.silently(func() { w.set(kvOf(1, map[string]string{"a": "2"})) })
				w.cut()
				time.Sleep(time.Second)
			}
			return compared, err
		}
		report, err := mirror.New(w.opts).Run(t.Context())
		if err != nil || !report.Agreed || !w.equal() {
			t.Errorf("%v, agreed %t, equal %t", err, report.Agreed, w.equal())
		}
	})
}

// TestAKeyThatNothingButAScanFindsIsMirrored has one that authenticates a user who has no current key.
func TestAKeyThatNothingButAScanFindsIsMirrored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.opts.UntilCaughtUp = true
		old := apiKeyOf(5, "old")
		w.opts.Open = func(ctx context.Context) (*mirror.Session, error) {
			s, err := w.open(ctx)
			s.Points = func(keys map[record.UserID][]string) record.PointReader {
				if slices.Contains(keys[5], "old") {
					return &mem.Source{Items: [][]record.Item{{{Kind: record.APIKeys, Record: &old}}}}
				}
				return w.live
			}
			return s, err
		}
		w.opts.Compare = func(_ context.Context, each func(record.Difference)) (mirror.Compared, error) {
			if doc, _ := w.target.Get(record.APIKeys, 5); doc.APIKey != "old" {
				each(record.Difference{Kind: record.APIKeys, User: 5, Type: record.Missing})
			}
			return mirror.Compared{Claims: map[record.UserID][]string{5: {"old"}}}, nil
		}
		report, err := mirror.New(w.opts).Run(t.Context())
		if err != nil || !report.Agreed || w.target.Count(record.APIKeys) != 1 {
			t.Errorf("%v, agreed %t, %d documents", err, report.Agreed, w.target.Count(record.APIKeys))
		}
	})
}

// TestASourceThatIsAwayIsWaitedFor has a standby take over while the source is away.
func TestASourceThatIsAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(kvOf(1, map[string]string{"a": "1"}))
		away := func(err error) {
			w.live.mu.Lock()
			defer w.live.mu.Unlock()
			w.fail = err
		}
		away(fmt.Errorf("open: %w", record.ErrUnavailable))
		job, stop := w.run(t)
		time.Sleep(time.Hour)
		if s := job.Snapshot().State; s != mirror.Connecting {
			t.Errorf("it is %s", s)
		}
		away(nil)
		w.following(t, job)
		if stop(); !w.equal() {
			t.Error("the sides differ")
		}
	})
}
