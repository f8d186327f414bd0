package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// live is a source in memory whose changes are told to the feeds that are open.
type live struct {
	mu      sync.Mutex
	records map[record.Kind]map[record.UserID]record.Record
	rejects map[record.UserID]record.Reject
	feeds   map[*feed]bool
	way     record.FeedWay
	deaf    bool // changes are not told
	reads   int
	fail    error // of reads and openings
}

func newLive() *live {
	l := &live{rejects: make(map[record.UserID]record.Reject), feeds: make(map[*feed]bool), way: record.Tracking}
	l.clear()
	return l
}

func (l *live) clear() {
	l.records = make(map[record.Kind]map[record.UserID]record.Record)
	for _, k := range record.LanyardKinds.List() {
		l.records[k] = make(map[record.UserID]record.Record)
	}
}

func kvOf(user record.UserID, fields map[string]string) record.Record {
	r := record.Record{Kind: record.KV, User: user, Fields: make(map[string]record.Field)}
	for name, v := range fields {
		r.Fields[name] = record.Field{Value: v, Origin: record.Origin{Raw: v}}
	}
	return r
}

// set changes what the source holds, and tells of it.
func (l *live) set(r record.Record) { l.change(r.Kind, r.User, &r) }

func (l *live) change(kind record.Kind, user record.UserID, r *record.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.records[kind][user]
	if r == nil {
		delete(l.records[kind], user)
	} else {
		l.records[kind][user] = *r
	}
	if l.deaf {
		return
	}
	for f := range l.feeds {
		changes := []record.SourceChange{{Kind: kind, User: user}}
		if kind == record.APIKeys { // the user's own key, and the one that authenticates
			if was.APIKey != "" {
				changes = append(changes, record.SourceChange{Kind: kind, APIKey: was.APIKey})
			}
			if r != nil {
				changes = append(changes, record.SourceChange{Kind: kind, APIKey: r.APIKey})
			}
		}
		f.to.Changed(changes)
	}
}

// flush removes everything, as FLUSHDB does.
func (l *live) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	for f := range l.feeds {
		f.to.Everything("FLUSHDB ran")
	}
}

// cut ends all feeds.
func (l *live) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for f := range l.feeds {
		close(f.ended)
		delete(l.feeds, f)
	}
}

func (l *live) items() []record.Item {
	l.mu.Lock()
	defer l.mu.Unlock()
	var items []record.Item
	for kind, records := range l.records {
		for _, r := range records {
			items = append(items, record.Item{Kind: kind, Record: &r})
		}
	}
	for _, r := range l.rejects {
		items = append(items, record.Item{Kind: r.Kind, Rejects: []record.Reject{r}})
	}
	return items
}

func (l *live) source() *mem.Source { return &mem.Source{Items: [][]record.Item{l.items()}} }

// ReadUsers implements [record.PointReader].
func (l *live) ReadUsers(ctx context.Context, kinds record.Kinds, users []record.UserID, yield func(record.Page) error) error {
	l.mu.Lock()
	l.reads++
	err := l.fail
	l.mu.Unlock()
	if err != nil {
		return err
	}
	return l.source().ReadUsers(ctx, kinds, users, yield)
}

// APIKeyOwners implements [record.APIKeyOwners].
func (l *live) APIKeyOwners(_ context.Context, keys []string) (map[string]record.UserID, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	owners := make(map[string]record.UserID)
	for user, r := range l.records[record.APIKeys] {
		if slices.Contains(keys, r.APIKey) {
			owners[r.APIKey] = user
		}
	}
	return owners, l.fail
}

type feed struct {
	of    *live
	to    record.FeedListener
	begun chan struct{} // what changes is told from then on
	ended chan struct{}
}

func (f *feed) Way() (record.FeedWay, string) { return f.of.way, "" }

func (f *feed) Follow(ctx context.Context, to record.FeedListener) error {
	f.of.mu.Lock()
	f.to = to
	f.of.feeds[f] = true
	f.of.mu.Unlock()
	close(f.begun)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-f.ended:
		return errors.New("the connection was lost")
	}
}

func (f *feed) Barrier(ctx context.Context) error {
	select {
	case <-f.begun:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *feed) Close() error {
	f.of.mu.Lock()
	defer f.of.mu.Unlock()
	delete(f.of.feeds, f)
	return nil
}

func (l *live) open(context.Context) (*mirror.Session, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return nil, l.fail
	}
	return &mirror.Session{
		Feed: &feed{of: l, begun: make(chan struct{}), ended: make(chan struct{})}, Owners: l, Close: func() error { return nil },
		Points: func(map[record.UserID][]string) record.PointReader { return l },
	}, nil
}

// world is a source, a target and a mirror between them.
type world struct {
	*live
	target *mem.Store
	leases *mem.Leases
	opts   mirror.Options
	told   []string
	mu     sync.Mutex
}

func newWorld(t *testing.T) *world {
	w := &world{live: newLive(), target: mem.New(mem.Options{Mirror: true}), leases: new(mem.Leases)}
	w.opts = mirror.Options{
		Open: w.open, Copy: w.copy, Compare: w.compare, Target: w.target, Leases: w.leases, Kinds: record.LanyardKinds, Doing: "a test",
		Sink:        func(context.Context) (mirror.Sink, error) { return w.target, nil },
		RejectsFile: filepath.Join(t.TempDir(), "rejects.ndjson"),
		Notify: func(message string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, message)
		},
	}
	return w
}

func nothing([]record.Superseded) error { return nil }

// copy merges all that the source holds.
func (w *world) copy(ctx context.Context) error {
	for _, it := range w.items() {
		if it.Record != nil {
			if _, err := w.target.Write(ctx, []record.Record{*it.Record}, nothing); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare finds what differs in the simplest way.
func (w *world) compare(_ context.Context, each func(record.Difference)) (mirror.Compared, error) {
	var compared mirror.Compared
	held := make(map[record.Kind]map[record.UserID]bool)
	for _, it := range w.items() {
		compared.Rejects += int64(len(it.Rejects))
		if held[it.Kind] == nil {
			held[it.Kind] = make(map[record.UserID]bool)
		}
		held[it.Kind][it.User()] = true
		if it.Record == nil {
			continue
		}
		doc, found := w.target.Get(it.Kind, it.User())
		switch {
		case !found:
			each(record.Difference{Kind: it.Kind, User: it.User(), Type: record.Missing})
		case !says(doc, *it.Record):
			each(record.Difference{Kind: it.Kind, User: it.User(), Type: record.Different, Field: "x", HasField: true})
		}
	}
	for _, kind := range record.LanyardKinds.List() {
		for user := range w.target.All(kind) {
			if held[kind][user] {
				compared.Documents[kind]++
			} else {
				each(record.Difference{Kind: kind, User: user, Type: record.Extra})
			}
		}
	}
	return compared, nil
}

func says(doc mem.Document, r record.Record) bool {
	switch r.Kind.Shape() {
	case record.TextShape:
		return doc.APIKey == r.APIKey
	case record.TimeShape:
		return doc.Times[record.TimeField(r.Kind)] == any(r.Time)
	}
	return maps.EqualFunc(doc.Fields, r.Fields, func(v record.Value, f record.Field) bool { return record.Equal(v, f.Value) })
}

// run runs the mirror until stop is called, which returns its report.
func (w *world) run(t *testing.T) (job *mirror.Job, stop func() *mirror.Report) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	job = mirror.New(w.opts)
	ended := make(chan struct{})
	var report *mirror.Report
	var err error
	go func() {
		defer close(ended)
		report, err = job.Run(ctx)
	}()
	return job, func() *mirror.Report {
		t.Helper()
		cancel(record.ErrInterrupted)
		<-ended
		if !errors.Is(err, record.ErrInterrupted) {
			t.Errorf("the mirror ended with %v", err)
		}
		return report
	}
}

// until waits for what has to come to be.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 10_000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not come", what)
}

// equal reports whether the target holds what the source does, and nothing else.
func (w *world) equal() bool {
	differs := false
	_, _ = w.compare(context.Background(), func(record.Difference) { differs = true })
	return !differs
}

func (w *world) following(t *testing.T, job *mirror.Job) {
	t.Helper()
	until(t, "the state following", func() bool { return job.Snapshot().State == mirror.Following })
}

func TestChangesAreFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(kvOf(1, map[string]string{"a": "1", "b": "2"}))
		w.set(record.Record{Kind: record.LastSeen, User: 1, Time: 1_700_000_000_000})
		job, stop := w.run(t)
		w.following(t, job)
		if !w.equal() {
			t.Fatal("the copy is not equal")
		}
		w.set(kvOf(1, map[string]string{"a": "3"}))
		w.set(record.Record{Kind: record.LastSeen, User: 1, Time: 1_600_000_000_000})
		w.set(record.Record{Kind: record.APIKeys, User: 2, APIKey: "one"})
		until(t, "what changed", w.equal)
		w.set(record.Record{Kind: record.APIKeys, User: 2, APIKey: "two"})
		until(t, "the new key", w.equal)
		w.change(record.APIKeys, 2, nil)
		w.change(record.KV, 1, nil)
		until(t, "what went", w.equal)
		report := stop()
		if n := report.Kinds[record.KV][mirror.Deleted]; n != 1 {
			t.Errorf("%d pairs deleted", n)
		}
		if report.SupersededFile == "" || report.RejectsFile != "" {
			t.Errorf("files %q, %q", report.SupersededFile, report.RejectsFile)
		}
	})
}

func TestAStormIsOneMark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		job, stop := w.run(t)
		w.following(t, job)
		before := w.reads
		for n := range 100_000 {
			w.set(kvOf(1, map[string]string{"n": fmt.Sprint(n)}))
		}
		until(t, "the last write", w.equal)
		if n := w.reads - before; n > 3 {
			t.Errorf("read %d times", n)
		}
		if r := stop(); r.Changes != 100_000 {
			t.Errorf("%d changes seen", r.Changes)
		}
	})
}

func TestNothingIsMissedInAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for u := range record.UserID(40) {
			w.set(kvOf(u+1, map[string]string{"a": "1"}))
		}
		job, stop := w.run(t)
		w.following(t, job)
		w.live.mu.Lock()
		w.deaf = true
		w.live.mu.Unlock()
		w.set(kvOf(1, map[string]string{"a": "2"}))
		w.change(record.KV, 2, nil)
		w.live.mu.Lock()
		w.deaf = false
		w.live.mu.Unlock()
		if w.cut(); job.Snapshot().State == mirror.Following && w.equal() {
			t.Error("the test has no gap")
		}
		until(t, "what was missed", w.equal)
		w.following(t, job)
		if r := stop(); r.Sessions != 2 || r.Reconciled != 2 {
			t.Errorf("%d sessions, %d comparisons", r.Sessions, r.Reconciled)
		}
	})
}

// TestWhatSomebodyElseWroteStays has the app write to the target.
func TestWhatSomebodyElseWroteStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.set(kvOf(1, map[string]string{"a": "1"}))
		w.set(kvOf(2, map[string]string{"a": "1"}))
		theirs := mem.Document{Fields: map[string]record.Value{"a": "theirs"}}
		w.target.Put(record.KV, 1, theirs)
		w.target.Put(record.KV, 3, theirs)
		job, stop := w.run(t)
		w.following(t, job)
		w.set(kvOf(1, map[string]string{"a": "2"}))
		until(t, "a conflict", func() bool { return job.Snapshot().Conflicts == 1 && job.Snapshot().Waiting == 0 })
		w.change(record.KV, 1, nil)
		until(t, "the end of the conflict", func() bool { return job.Snapshot().Conflicts == 0 })
		for _, user := range []record.UserID{1, 3} {
			if doc, _ := w.target.Get(record.KV, user); doc.Fields["a"] != "theirs" {
				t.Errorf("user %d has %v", user, doc.Fields)
			}
		}
		if r := stop(); r.RejectsFile == "" || r.Kinds[record.KV][mirror.Kept] == 0 {
			t.Errorf("rejects in %q, %v", r.RejectsFile, r.Kinds[record.KV])
		}
	})
}

func TestWhatASourceLosesIsHeldBack(t *testing.T) {
	for name, allowed := range map[string]bool{"unless it is allowed": false, "but where it is allowed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.opts.AllowShrinking = allowed
				for u := range record.UserID(40) {
					w.set(kvOf(u+1, map[string]string{"a": "1"}))
				}
				job, stop := w.run(t)
				w.following(t, job)
				w.flush()
				if allowed {
					until(t, "an empty target", func() bool { return w.target.Count(record.KV) == 0 })
					w.following(t, job)
					stop()
					return
				}
				until(t, "what is held back", func() bool { return job.Snapshot().HeldBack == 40 && job.Snapshot().State == mirror.HoldingBack })
				w.set(kvOf(1, map[string]string{"a": "2"}))
				until(t, "a change meanwhile", func() bool {
					doc, _ := w.target.Get(record.KV, 1)
					return doc.Fields["a"] == "2"
				})
				time.Sleep(time.Hour)
				for u := range record.UserID(40) {
					w.set(kvOf(u+1, map[string]string{"a": "3"}))
				}
				until(t, "that the data are back", w.equal)
				w.following(t, job)
				time.Sleep(time.Hour)
				if r := stop(); r.Kinds[record.KV][mirror.Deleted] != 0 {
					t.Errorf("%v", r.Kinds[record.KV])
				}
				if len(w.told) != 2 || !strings.Contains(w.told[0], "40 of 40 documents of kv") || !strings.Contains(w.told[1], "has its data again") {
					t.Errorf("%q", w.told)
				}
			})
		})
	}
}

// TestHalfIsTheMostThatGoesOneByOne removes everything without a word of a flush.
func TestHalfIsTheMostThatGoesOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for u := range record.UserID(100) {
			w.set(kvOf(u+1, map[string]string{"a": "1"}))
		}
		job, stop := w.run(t)
		w.following(t, job)
		for u := range record.UserID(100) {
			w.change(record.KV, u+1, nil)
			time.Sleep(time.Second)
		}
		until(t, "what is held back", func() bool { return job.Snapshot().HeldBack > 0 && job.Snapshot().Waiting == 0 })
		if n := w.target.Count(record.KV); n != 50 {
			t.Errorf("%d documents are left", n)
		}
		stop()
	})
}

func TestATargetThatIsAwayIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		away := &awaySink{Store: w.target}
		w.opts.Sink = func(context.Context) (mirror.Sink, error) { return away, nil }
		job, stop := w.run(t)
		w.following(t, job)
		away.set(true)
		for u := range record.UserID(2500) {
			w.set(kvOf(u+1, map[string]string{"a": "1"}))
		}
		time.Sleep(2 * time.Minute)
		if s := job.Snapshot(); s.State == mirror.Following || s.Waiting != 2500 || s.Lag < time.Minute {
			t.Errorf("%s, %d waiting, lag %s", s.State, s.Waiting, s.Lag)
		}
		away.set(false)
		until(t, "what waited", w.equal)
		w.following(t, job)
		stop()
		want := []string{"mirror: write no. 1: ", "mirror: write no. 0: ", "mirroring works again, after 2m"}
		if !slices.EqualFunc(w.told, want, strings.HasPrefix) {
			t.Errorf("%q", w.told)
		}
	})
}

type awaySink struct {
	*mem.Store
	mu     sync.Mutex
	away   bool
	failed int
}

func (s *awaySink) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *awaySink) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		s.failed++
		return nil, fmt.Errorf("write no. %d: %w", s.failed%2, record.ErrUnavailable)
	}
	return s.Store.Write(ctx, batch, keep)
}

func TestOneMirrorsAndAnotherStandsBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, stopFirst := w.run(t)
		w.following(t, first)
		second, stopSecond := w.run(t)
		time.Sleep(time.Minute)
		if s := second.Snapshot(); s.State != mirror.Standby || s.Sessions != 0 {
			t.Errorf("%s, %d sessions", s.State, s.Sessions)
		}
		stopFirst()
		begun := time.Now()
		w.set(kvOf(1, map[string]string{"a": "1"}))
		until(t, "what changed", w.equal)
		w.following(t, second)
		if took := time.Since(begun); took > 15*time.Second {
			t.Errorf("took over after %s", took)
		}
		stopSecond()
	})
}

func TestUntilCaughtUp(t *testing.T) {
	for name, c := range map[string]struct {
		before func(w *world)
		agreed bool
		total  int64
	}{
		"where nothing differs":                  {func(*world) {}, true, 0},
		"where somebody else wrote a value":      {func(w *world) { w.target.Put(record.KV, 1, mem.Document{Fields: map[string]record.Value{"a": "b"}}) }, false, 1},
		"where somebody else wrote about others": {func(w *world) { w.target.Put(record.KV, 99, mem.Document{Fields: map[string]record.Value{"a": "b"}}) }, true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.opts.UntilCaughtUp = true
				for u := range record.UserID(40) {
					w.set(kvOf(u+1, map[string]string{"a": "1"}))
				}
				c.before(w)
				report, err := mirror.New(w.opts).Run(t.Context())
				if err != nil || report.Agreed != c.agreed || report.Total != c.total {
					t.Errorf("%v, agreed %t, %d differences", err, report.Agreed, report.Total)
				}
				if c.agreed && c.total == 0 && len(w.target.All(record.KV)) < 40 {
					t.Errorf("%d documents", len(w.target.All(record.KV)))
				}
			})
		})
	}
}

// TestWhateverHappensBothSidesBecomeEqual changes, cuts and fails at random.
func TestWhateverHappensBothSidesBecomeEqual(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 1))
				w := newWorld(t)
				w.opts.AllowShrinking = true
				w.opts.ReconcileEvery = time.Minute
				job, stop := w.run(t)
				for range 300 {
					user := record.UserID(rng.IntN(30) + 1)
					switch rng.IntN(12) {
					case 0:
						w.change(record.KV, user, nil)
					case 1:
						w.change(record.APIKeys, user, nil)
					case 2:
						w.cut()
					case 3:
						if rng.IntN(10) == 0 {
							w.flush()
						}
					case 4:
						w.live.mu.Lock()
						w.fail = nil
						if rng.IntN(3) == 0 {
							w.fail = fmt.Errorf("read: %w", record.ErrUnavailable)
						}
						w.live.mu.Unlock()
					case 5:
						w.set(record.Record{Kind: record.LastSeen, User: user, Time: 1_600_000_000_000 + rng.Int64N(1e11)})
					case 6, 7:
						w.set(record.Record{Kind: record.APIKeys, User: user, APIKey: fmt.Sprint("key", rng.IntN(1e6))})
					default:
						w.set(kvOf(user, map[string]string{fmt.Sprint(rng.IntN(3)): fmt.Sprint(rng.IntN(9))}))
					}
					time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
				}
				w.live.mu.Lock()
				w.fail = nil
				w.live.mu.Unlock()
				until(t, "equal sides", w.equal)
				w.following(t, job)
				if !w.equal() {
					t.Error("they differ again")
				}
				report := stop()
				for kind, counts := range report.Kinds {
					if n := counts[mirror.Conflicted] + counts[mirror.Rejected]; n > 0 {
						t.Errorf("%s: %v", record.Kind(kind), counts)
					}
				}
			})
		})
	}
}

// lateSink fails once, and does only then what it was asked for.
type lateSink struct {
	*mem.Store
	once sync.Once
	gone func()
}

func (s *lateSink) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) (outcomes []record.Outcome, err error) {
	failed := false
	s.once.Do(func() {
		failed = true
		s.gone()
		time.AfterFunc(2*time.Second, func() { _, _ = s.Store.Write(context.WithoutCancel(ctx), batch, nothing) })
	})
	if failed {
		return nil, fmt.Errorf("the connection was cut: %w", record.ErrUnavailable)
	}
	return s.Store.Write(ctx, batch, keep)
}

// TestWhatComesLateGoesAgain has a document inserted after its user had nothing any more.
func TestWhatComesLateGoesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		late := &lateSink{Store: w.target, gone: func() { w.change(record.KV, 1, nil) }}
		w.opts.Sink = func(context.Context) (mirror.Sink, error) { return late, nil }
		job, stop := w.run(t)
		w.following(t, job)
		w.set(kvOf(1, map[string]string{"a": "1"}))
		until(t, "the late document", func() bool { return w.target.Count(record.KV) == 1 })
		begun := time.Now()
		until(t, "equal sides", w.equal)
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("only after %s", took)
		}
		stop()
	})
}

// TestARedisThatForgotKeepsNoDates has Lanyard make the dates of all users anew, as it does on an empty source.
func TestARedisThatForgotKeepsNoDates(t *testing.T) {
	for name, forget := range map[string]func(w *world, dates func()){
		"while the mirror looks away": func(w *world, dates func()) { w.silently(dates); w.cut() },
		"by a flush":                  func(w *world, dates func()) { w.flush(); dates() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				date := func(user record.UserID, time int64) {
					w.set(record.Record{Kind: record.MonitoringSince, User: user, Time: time})
				}
				for u := range record.UserID(40) {
					date(u+1, 1_650_000_000)
				}
				job, stop := w.run(t)
				w.following(t, job)
				date(41, 1_650_000_000)
				time.Sleep(time.Minute)
				date(41, 1_650_000_001)
				until(t, "a date that is changed", w.equal) // as long as nothing was lost
				forget(w, func() {
					for u := range record.UserID(40) {
						date(u+1, 1_796_000_000)
					}
				})
				time.Sleep(time.Hour)
				for u := range record.UserID(40) {
					if doc, _ := w.target.Get(record.MonitoringSince, u+1); doc.Times["since"] != int64(1_650_000_000) {
						t.Errorf("user %d has been monitored since %v", u+1, doc.Times["since"])
					}
				}
				stop()
			})
		})
	}
}
