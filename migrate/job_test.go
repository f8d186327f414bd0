package migrate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newTarget() *mem.Store {
	return mem.New(mem.Options{Limits: record.Limits{MaxDocument: record.DefaultMaxDocument, Named: true}, Now: func() time.Time { return storetest.Now }})
}

// users returns items of n users: key-value pairs and a last-seen time each, every seventh with a rejected field, and a
// user of whom nothing can be written.
func users(n int) []record.Item {
	var items []record.Item
	for i := range n {
		user := record.UserID(94490510688792576 + uint64(i)<<22)
		from := record.Origin{Key: "lanyard_kv:" + user.String(), Raw: fmt.Sprint(i)}
		item := record.Item{Kind: record.KV, Record: &record.Record{
			Kind: record.KV, User: user, Fields: map[string]record.Field{"n": {Value: int64(i), Origin: from}},
		}}
		if i%7 == 0 {
			item.Rejects = []record.Reject{{Kind: record.KV, User: user, Key: from.Key, Field: "bad", HasField: true, Reason: record.InvalidUTF8, Value: record.Raw("\xff")}}
			item.Notes = []record.Note{record.Expiring}
		}
		items = append(items, item, record.Item{Kind: record.LastSeen, Record: &record.Record{Kind: record.LastSeen, User: user, Time: 1700000000000 + int64(i)}})
	}
	return append(items, record.Item{Kind: record.MonitoringSince, Rejects: []record.Reject{{
		Kind: record.MonitoringSince, User: 1, Key: "monitoring:1", Reason: record.NotATimestamp, Value: record.Raw("soon"),
	}}})
}

func options(t testing.TB, source record.Source, sink record.Sink, checkpoints record.Checkpoints) migrate.Options {
	return migrate.Options{
		Source: source, Sink: sink, Checkpoints: checkpoints, Only: record.LanyardKinds, Scope: "test",
		BatchSize: 3, Workers: 2, SaveEvery: time.Millisecond, Backoff: time.Microsecond,
		RejectsFile: filepath.Join(t.TempDir(), "rejects.ndjson"),
	}
}

func run(t testing.TB, ctx context.Context, o migrate.Options) (*migrate.Report, error) {
	t.Helper()
	job := migrate.New(o)
	if _, err := job.Prepare(ctx); err != nil {
		t.Fatalf("prepare: %v", err)
	}
	return job.Run(ctx)
}

func mustRun(t testing.TB, o migrate.Options) *migrate.Report {
	t.Helper()
	report, err := run(t, context.Background(), o)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	checkTotals(t, report)
	return report
}

// checkTotals fails where a record is in no column or in two.
func checkTotals(t testing.TB, r *migrate.Report) {
	t.Helper()
	for k, c := range r.Kinds {
		if sum := c.Inserted + c.Updated + c.Unchanged + c.Conflicts + c.Rejected; sum != c.Read {
			t.Errorf("%s: %d read, but the columns add up to %d", record.Kind(k), c.Read, sum)
		}
	}
}

func readLines(t testing.TB, path string) []map[string]any {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var list []map[string]any
	for scan := bufio.NewScanner(file); scan.Scan(); {
		var line map[string]any
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			t.Fatalf("%s: %v: %q", path, err, scan.Text())
		}
		if line["run"] == nil || line["time"] == nil {
			t.Errorf("%s: a line without its run: %q", path, scan.Text())
		}
		delete(line, "run")
		delete(line, "time")
		list = append(list, line)
	}
	return list
}

func TestRunCopiesAndCounts(t *testing.T) {
	target := newTarget()
	source := &mem.Source{Items: [][]record.Item{users(50), nil}, ID: "a"}
	o := options(t, source, target, target)
	report := mustRun(t, o)

	want := migrate.Counts{Read: 50, Inserted: 50, Fields: migrate.FieldCounts{Rejected: 8}, Notes: map[record.Note]int64{record.Expiring: 8}}
	if d := cmp.Diff(want, report.Kinds[record.KV]); d != "" {
		t.Errorf("kv (-want +got):\n%s", d)
	}
	if d := cmp.Diff(migrate.Counts{Read: 1, Rejected: 1}, report.Kinds[record.MonitoringSince]); d != "" {
		t.Errorf("monitoring_since (-want +got):\n%s", d)
	}
	if n := len(readLines(t, report.RejectsFile)); n != 9 || report.Rejects() != 9 {
		t.Errorf("%d lines in the rejects file, %d rejects in the report, want 9", n, report.Rejects())
	}
	info, err := os.Stat(report.RejectsFile)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the rejects file: %v, %v", info.Mode(), err)
	}
	if report.SupersededFile != "" {
		t.Error("a superseded file without superseded values")
	}
	if target.Count(record.KV) != 50 || target.Count(record.LastSeen) != 50 {
		t.Errorf("%d and %d documents", target.Count(record.KV), target.Count(record.LastSeen))
	}

	again := mustRun(t, options(t, source, target, target))
	if again.Written() != 0 || again.Kinds[record.KV].Unchanged != 50 || again.Resumed {
		t.Errorf("a second run: %+v", again)
	}
}

func TestNothingToRejectMakesNoFile(t *testing.T) {
	target := newTarget()
	o := options(t, &mem.Source{Items: [][]record.Item{users(5)[1:3]}}, target, target)
	if report := mustRun(t, o); report.RejectsFile != "" {
		t.Errorf("rejects file %q", report.RejectsFile)
	}
	if _, err := os.Stat(o.RejectsFile); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was made: %v", err)
	}
}

// TestKilledAtEveryBatch ends a run after each number of batches and starts it again, in both ways a batch can end: not
// written, and written without an answer.
func TestKilledAtEveryBatch(t *testing.T) {
	for _, pieces := range []bool{false, true} {
		t.Run(fmt.Sprintf("pages in pieces %v", pieces), func(t *testing.T) { killAtEveryBatch(t, pieces) })
	}
}

func killAtEveryBatch(t *testing.T, pieces bool) {
	items := [][]record.Item{users(90), users(9)}
	source := &mem.Source{Items: items, Last: users(12), ID: "a", PageSize: 4, Pieces: pieces}
	whole := newTarget()
	want := mustRun(t, options(t, source, whole, whole))
	resumed := 0
	for n := int64(0); ; n++ {
		for name, fault := range map[string]func(*storetest.Faulty, *process){
			"before": func(f *storetest.Faulty, p *process) { f.Before = p.dying(n) },
			"after":  func(f *storetest.Faulty, p *process) { f.After = p.dying(n) },
		} {
			target, process := newTarget(), newProcess()
			faulty := &storetest.Faulty{Sink: target}
			fault(faulty, process)
			o := options(t, source, faulty, mortal{target, process})
			if _, err := run(t, context.Background(), o); err == nil {
				if resumed == 0 {
					t.Error("no run was gone on with")
				}
				return
			}
			o.Sink, o.Checkpoints = target, target
			got := mustRun(t, o)
			if got.Resumed {
				resumed++
			}
			if d := cmp.Diff(contents(whole), contents(target)); d != "" {
				t.Fatalf("killed %s batch %d: another state (-want +got):\n%s", name, n, d)
			}
			for k := range want.Kinds {
				w, g := want.Kinds[k], got.Kinds[k]
				// What was written without being acknowledged counts as unchanged the second time.
				if w.Read != g.Read || w.Rejected != g.Rejected || w.Fields != g.Fields || w.Inserted+w.Unchanged != g.Inserted+g.Unchanged {
					t.Errorf("killed %s batch %d: %s is %+v, want %+v", name, n, record.Kind(k), g, w)
				}
			}
			if d := cmp.Diff(want.Reasons, got.Reasons); d != "" {
				t.Errorf("killed %s batch %d: reasons (-want +got):\n%s", name, n, d)
			}
			if d := cmp.Diff(distinct(t, want.RejectsFile), distinct(t, got.RejectsFile)); d != "" {
				t.Errorf("killed %s batch %d: rejects (-want +got):\n%s", name, n, d)
			}
		}
	}
}

// process is one that dies at a chosen batch.
type process struct {
	saved chan struct{} // a checkpoint was saved
	dead  chan struct{} // closed
	die   func()
}

func newProcess() *process {
	p := &process{saved: make(chan struct{}, 1), dead: make(chan struct{})}
	p.die = sync.OnceFunc(func() { close(p.dead) })
	return p
}

// dying lets the first n calls pass. Then it waits for a checkpoint, as there is one every few seconds, and dies.
func (p *process) dying(n int64) func(int64) error {
	killed := storetest.Killed(n)
	return func(call int64) error {
		err := killed(call)
		if err == nil {
			return nil
		}
		select {
		case <-p.saved: // an old one
		default:
		}
		select {
		case <-p.saved:
			p.die()
		case <-p.dead:
		}
		return err
	}
}

// mortal keeps no checkpoint of a process that is dead.
type mortal struct {
	record.Checkpoints
	process *process
}

func (m mortal) Save(ctx context.Context, c record.Checkpoint, from record.Owner) (bool, error) {
	select {
	case <-m.process.dead:
		return false, errors.New("dead")
	default:
	}
	saved, err := m.Checkpoints.Save(ctx, c, from)
	select {
	case m.process.saved <- struct{}{}:
	default:
	}
	return saved, err
}

func contents(s *mem.Store) string {
	var all []map[record.Identity]mem.Document
	for _, kind := range record.LanyardKinds.List() {
		all = append(all, s.Everything(kind))
	}
	return fmt.Sprint(all)
}

func distinct(t *testing.T, path string) map[string]bool {
	set := make(map[string]bool)
	for _, line := range readLines(t, path) {
		set[fmt.Sprint(line)] = true
	}
	return set
}

func TestResumeUsesTheRejectsFileOfTheInterruptedRun(t *testing.T) {
	target := newTarget()
	source := &mem.Source{Items: [][]record.Item{users(40)}, ID: "a", PageSize: 4}
	first := options(t, source, &storetest.Faulty{Sink: target, Before: storetest.Killed(10)}, target)
	if _, err := run(t, context.Background(), first); err == nil {
		t.Fatal("the run was not cut")
	}
	// Half a line, as a process leaves it that dies while it writes.
	file, err := os.OpenFile(first.RejectsFile, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"key":"lanyard_kv:`); err != nil {
		t.Fatal(err)
	}
	file.Close()

	report := mustRun(t, options(t, source, target, target))
	if !report.Resumed || report.RejectsFile != first.RejectsFile {
		t.Errorf("resumed %v, rejects in %s, want %s", report.Resumed, report.RejectsFile, first.RejectsFile)
	}
	if n := len(distinct(t, report.RejectsFile)); int64(n) != report.Rejects() {
		t.Errorf("%d lines, %d rejects", n, report.Rejects())
	}
	if report.EarlierRejects != 0 {
		t.Errorf("%d lines of the run's first part are taken for another run's", report.EarlierRejects)
	}
}

// namesFile is a target whose checkpoints somebody made name another file.
type namesFile struct {
	record.Checkpoints
	path string
}

func (n namesFile) Find(ctx context.Context, scope string) ([]record.Checkpoint, error) {
	found, err := n.Checkpoints.Find(ctx, scope)
	for i := range found {
		found[i].RejectsFile = n.path
	}
	return found, err
}

func TestACheckpointCannotNameAFileOfAnotherSort(t *testing.T) {
	target := newTarget()
	source := &mem.Source{Items: [][]record.Item{users(40)}, ID: "a", PageSize: 4}
	if _, err := run(t, context.Background(), options(t, source, &storetest.Faulty{Sink: target, Before: storetest.Killed(10)}, target)); err == nil {
		t.Fatal("the run was not cut")
	}
	other := filepath.Join(t.TempDir(), ".profile")
	if err := os.WriteFile(other, []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := options(t, source, target, target)
	o.Checkpoints = namesFile{target, other}
	report := mustRun(t, o)
	if text, err := os.ReadFile(other); err != nil || string(text) != "# mine\n" || !report.Resumed || report.RejectsFile != o.RejectsFile {
		t.Errorf("resumed %v, rejects in %s; the other file holds %q, %v", report.Resumed, report.RejectsFile, text, err)
	}
}

func TestWhenARunStartsOver(t *testing.T) {
	source := &mem.Source{Items: [][]record.Item{users(40)}, ID: "a", PageSize: 4}
	for name, change := range map[string]func(*migrate.Options, *mem.Store){
		"with other options":            func(o *migrate.Options, _ *mem.Store) { o.Scope = "other" },
		"when the source restarted":     func(o *migrate.Options, _ *mem.Store) { o.Source = &mem.Source{Items: source.Items, ID: "b"} },
		"when it is told so":            func(o *migrate.Options, _ *mem.Store) { o.Restart = true },
		"when the target was dropped":   func(_ *migrate.Options, s *mem.Store) { s.Drop() },
		"when the other run is at work": func(_ *migrate.Options, s *mem.Store) { otherHost(t, s) },
	} {
		t.Run(name, func(t *testing.T) {
			target := newTarget()
			o := options(t, source, &storetest.Faulty{Sink: target, Before: storetest.Killed(10)}, target)
			if _, err := run(t, context.Background(), o); err == nil {
				t.Fatal("the run was not cut")
			}
			o.Sink = target
			change(&o, target)
			report := mustRun(t, o)
			if report.Resumed || report.Kinds[record.KV].Read != 40 {
				t.Errorf("resumed %v, read %d", report.Resumed, report.Kinds[record.KV].Read)
			}
			if target.Count(record.KV) != 40 {
				t.Errorf("%d documents", target.Count(record.KV))
			}
		})
	}
}

// otherHost makes the checkpoint in s one of a run on another host that gave a sign of life just now.
func otherHost(t *testing.T, s *mem.Store) {
	for _, c := range s.Checkpoints() {
		from := c.Owner
		c.Owner, c.Heartbeat = record.Owner{Host: "elsewhere", PID: 1, Run: "other"}, time.Now()
		if saved, err := s.Save(context.Background(), c, from); err != nil || !saved {
			t.Fatalf("save: %v, %v", saved, err)
		}
	}
}

func TestTransientFaultsAreRetried(t *testing.T) {
	target := newTarget()
	faulty := &storetest.Faulty{Sink: target, Before: storetest.Unavailable(2, 3, 7), After: storetest.Unavailable(5)}
	report := mustRun(t, options(t, &mem.Source{Items: [][]record.Item{users(30)}}, faulty, target))
	if report.Kinds[record.KV].Read != 30 || target.Count(record.KV) != 30 {
		t.Errorf("%+v", report.Kinds[record.KV])
	}
}

func TestLastingFaultEndsTheRun(t *testing.T) {
	target := newTarget()
	away := func(int64) error { return fmt.Errorf("away: %w", record.ErrUnavailable) }
	o := options(t, &mem.Source{Items: [][]record.Item{users(30)}}, &storetest.Faulty{Sink: target, Before: away}, target)
	o.RetryFor = 50 * time.Millisecond
	if _, err := run(t, context.Background(), o); !errors.Is(err, record.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
}

func TestInterruptedRunWritesWhatItReadAndIsGoneOnWith(t *testing.T) {
	target := newTarget()
	ctx, interrupt := context.WithCancel(context.Background())
	faulty := &storetest.Faulty{Sink: target, After: func(call int64) error {
		if call == 3 {
			interrupt()
		}
		return nil
	}}
	source := &mem.Source{Items: [][]record.Item{users(500)}, ID: "a"}
	o := options(t, source, faulty, target)
	report, err := run(t, ctx, o)
	if !errors.Is(err, record.ErrInterrupted) {
		t.Fatalf("error %v", err)
	}
	checkTotals(t, report)
	read := report.Kinds[record.KV].Read
	if int(read) != target.Count(record.KV) || read == 0 || read == 500 {
		t.Errorf("%d read, %d written of 500", read, target.Count(record.KV))
	}
	o.Sink = target
	report = mustRun(t, o)
	if !report.Resumed || report.Kinds[record.KV].Read != 500 || report.Kinds[record.KV].Inserted != 500 {
		t.Errorf("resumed %v: %+v", report.Resumed, report.Kinds[record.KV])
	}
}

// exclusive is a sink that objects to records of one identity and kind in two calls at once.
type exclusive struct {
	record.Sink
	t    *testing.T
	busy sync.Map // of record.Kind and record.Identity
}

func (s *exclusive) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	type id struct {
		kind record.Kind
		of   record.Identity
	}
	mine := make(map[id]bool)
	for _, r := range batch {
		at := id{r.Kind, r.Identity()}
		if mine[at] {
			continue
		}
		mine[at] = true
		if _, taken := s.busy.LoadOrStore(at, true); taken {
			s.t.Errorf("%s of %q is written by two at once", r.Kind, r.Identity())
		}
		defer s.busy.Delete(at)
	}
	runtime.Gosched()
	return s.Sink.Write(ctx, batch, keep)
}

// TestOptionsDoNotChangeTheResult is the law that batches, workers, pages, parts and repetition are nothing.
func TestOptionsDoNotChangeTheResult(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		records := rapid.SliceOfN(storetest.Records(), 0, 30).Draw(rt, "records")
		var items []record.Item
		users := make(map[string]bool)
		for _, r := range records {
			if r.Kind.Identified() && rapid.Bool().Draw(rt, "named") {
				r.User, r.Name = 0, record.NameOf("row of "+r.User.String())
			}
			// One record an identity and kind, as a source delivers them.
			if id := fmt.Sprint(r.Kind, r.Identity()); !users[id] && r.Kind != record.APIKeys {
				users[id] = true
				items = append(items, record.Item{Kind: r.Kind, Record: &r})
			}
		}
		plain := newTarget()
		want := mustRun(t, options(t, &mem.Source{Items: [][]record.Item{items}}, plain, nil))

		target := newTarget()
		parts := make([][]record.Item, rapid.IntRange(1, 3).Draw(rt, "parts"))
		for _, it := range items {
			p := rapid.IntRange(0, len(parts)-1).Draw(rt, "part")
			for range rapid.IntRange(1, 2).Draw(rt, "times") {
				parts[p] = append(parts[p], it)
			}
		}
		sink := &exclusive{Sink: target, t: t}
		o := options(t, &mem.Source{Items: parts, PageSize: rapid.IntRange(1, 9).Draw(rt, "page")}, sink, nil)
		o.BatchSize = rapid.IntRange(1, 20).Draw(rt, "batch")
		o.Workers = rapid.IntRange(1, 5).Draw(rt, "workers")
		o.BatchBytes = rapid.SampledFrom([]int{1, 1000, 1 << 20}).Draw(rt, "bytes")
		got := mustRun(t, o)
		if d := cmp.Diff(contents(plain), contents(target)); d != "" {
			rt.Fatalf("(-want +got):\n%s", d)
		}
		if want.Written() != got.Written() {
			rt.Errorf("%d written, want %d", got.Written(), want.Written())
		}
	})
}

func TestReaderErrorEndsTheRunAndKeepsWhatWasDone(t *testing.T) {
	target := newTarget()
	source := brokenSource{&mem.Source{Items: [][]record.Item{users(20)}, ID: "a"}, errors.New("broken")}
	report, err := run(t, context.Background(), options(t, source, target, target))
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Fatalf("error %v", err)
	}
	checkTotals(t, report)
	if report.Kinds[record.KV].Read == 0 {
		t.Error("what was read is not in the report")
	}
}

type brokenSource struct {
	*mem.Source
	err error
}

func (s brokenSource) Deferred(context.Context, func(record.Page) error) error { return s.err }

func TestARunWhoseSourceMovedIsNotGoneOnWith(t *testing.T) {
	target := newTarget()
	whole := &mem.Source{Items: [][]record.Item{users(20)}, ID: "a", PageSize: 4}
	moved := fmt.Errorf("emptied: %w", record.ErrSourceMoved)
	if _, err := run(t, context.Background(), options(t, brokenSource{whole, moved}, target, target)); !errors.Is(err, record.ErrSourceMoved) {
		t.Fatalf("error %v", err)
	}
	if n := len(target.Checkpoints()); n != 0 {
		t.Errorf("%d checkpoints are left", n)
	}
	report := mustRun(t, options(t, whole, target, target))
	if report.Resumed || report.Kinds[record.KV].Read != 20 {
		t.Errorf("resumed %v, read %d", report.Resumed, report.Kinds[record.KV].Read)
	}
}

func BenchmarkRun(b *testing.B) {
	items := users(2000)
	for b.Loop() {
		target := newTarget()
		o := options(b, &mem.Source{Items: [][]record.Item{items}, PageSize: 500}, target, nil)
		o.BatchSize, o.Workers = 500, 2
		mustRun(b, o)
	}
	b.ReportMetric(float64(len(items)*b.N)/b.Elapsed().Seconds(), "records/s")
}

func TestFailedRunReportsWhatWasAcknowledged(t *testing.T) {
	target := newTarget()
	faulty := &storetest.Faulty{Sink: target, Before: storetest.Killed(9)}
	source := &mem.Source{Items: [][]record.Item{users(60)}, ID: "a", PageSize: 50}
	o := options(t, source, faulty, target)
	o.Workers = 1 // another one would be cut in the middle of a batch
	report, err := run(t, context.Background(), o)
	if err == nil {
		t.Fatal("the run was not cut")
	}
	checkTotals(t, report)
	written := int64(target.Count(record.KV) + target.Count(record.LastSeen))
	if written == 0 || report.Written() != written {
		t.Errorf("%d documents were written, the report says %d", written, report.Written())
	}
	if n := len(readLines(t, report.RejectsFile)); int64(n) != report.Rejects() {
		t.Errorf("%d lines in the rejects file, the report says %d", n, report.Rejects())
	}
}
