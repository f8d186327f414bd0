package mirror_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

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
		<-open
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
