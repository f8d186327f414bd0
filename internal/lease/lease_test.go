package lease_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

func quiet() lease.Options { return lease.Options{Notify: func(string) {}} }

func take(t *testing.T, store record.Leases, name string) (context.Context, *lease.Held) {
	t.Helper()
	ctx, held, err := lease.Take(t.Context(), store, name, "test "+name, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return ctx, held
}

// elsewhere is the lease of a process on another host.
func elsewhere() record.Lease {
	return record.Lease{Name: "a", Owner: record.Owner{Host: "elsewhere", PID: 1, Run: "other"}, Heartbeat: time.Now(), Doing: "work"}
}

func put(t *testing.T, store record.Leases, l, from record.Lease) {
	t.Helper()
	if won, err := store.TakeLease(t.Context(), l, from.Owner); err != nil || !won {
		t.Fatal(won, err)
	}
}

func TestOneProcessAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(mem.Leases)
		// The lease is of another process on this host: of the one that runs the test.
		host, _ := os.Hostname()
		theirs := record.Lease{Name: "a", Owner: record.Owner{Host: host, PID: os.Getppid(), Run: "other"}, Heartbeat: time.Now(), Doing: "work"}
		put(t, store, theirs, theirs)
		_, _, err := lease.Take(t.Context(), store, "a", "mine", quiet())
		if busy, ok := errors.AsType[*lease.BusyError](err); !ok || busy.Lease != theirs || !strings.HasSuffix(err.Error(), "work on "+host) {
			t.Errorf("error %v", err)
		}
		ctx, other := take(t, store, "b") // leases of two names have nothing to do with each other
		if err := store.EndLease(t.Context(), "a", theirs.Owner); err != nil {
			t.Fatal(err)
		}
		first, held := take(t, store, "a")
		if held.From != (record.Owner{}) || held.Lease.Doing != "test a" {
			t.Errorf("%+v", held)
		}
		time.Sleep(time.Hour)
		if err := errors.Join(ctx.Err(), first.Err()); err != nil || held.Lost(ctx) || other.Lost(ctx) {
			t.Errorf("lost: %v", err)
		}
		if err := errors.Join(held.Release(t.Context()), other.Release(t.Context())); err != nil || first.Err() == nil {
			t.Errorf("released: %v, %v", err, first.Err())
		}
		for _, name := range []string{"a", "b"} {
			if _, found, _ := store.Lease(t.Context(), name); found {
				t.Errorf("somebody has %s", name)
			}
		}
	})
}

// TestALeaseIsKeptAlive has another process watch one whose clock says nothing of another host's.
func TestALeaseIsKeptAlive(t *testing.T) {
	for name, c := range map[string]struct {
		ahead time.Duration
		beats bool
	}{
		"dead":                               {},
		"dead, with a clock that is ahead":   {ahead: time.Hour},
		"alive":                              {beats: true},
		"alive, with a clock that is behind": {ahead: -time.Hour, beats: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, l := new(mem.Leases), elsewhere()
				l.Heartbeat = l.Heartbeat.Add(c.ahead)
				put(t, store, l, l)
				if c.beats {
					time.AfterFunc(lease.HeartbeatEvery, func() {
						l.Heartbeat = l.Heartbeat.Add(lease.HeartbeatEvery)
						put(t, store, l, l)
					})
				}
				begun, told := time.Now(), 0
				_, held, err := lease.Take(t.Context(), store, "a", "mine", lease.Options{Notify: func(string) { told++ }})
				if _, busy := errors.AsType[*lease.BusyError](err); busy != c.beats || !busy && (err != nil || held.From != l.Owner) {
					t.Errorf("%+v, %v", held, err)
				}
				if took := time.Since(begun); took != lease.DefaultWatch || told != 1 {
					t.Errorf("watched for %s, told %d times", took, told)
				}
				if held != nil {
					if err := held.Release(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

func TestHeartbeatsComeUntilTheRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(mem.Leases)
		_, held := take(t, store, "a")
		for range 5 {
			time.Sleep(lease.HeartbeatEvery)
			synctest.Wait()
			l, found, _ := store.Lease(t.Context(), "a")
			if !found || time.Since(l.Heartbeat) >= lease.HeartbeatEvery || l.Owner != held.Lease.Owner {
				t.Errorf("%v, %+v at %s", found, l, time.Now())
			}
		}
		if err := held.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestALostLeaseEndsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(mem.Leases)
		ctx, held := take(t, store, "a")
		theirs := elsewhere()
		put(t, store, theirs, held.Lease)
		begun := time.Now()
		select {
		case <-ctx.Done():
		case <-time.After(time.Minute):
		}
		if took := time.Since(begun); !errors.Is(context.Cause(ctx), lease.ErrLost) || took > lease.HeartbeatEvery || !held.Lost(t.Context()) {
			t.Errorf("%v after %s", context.Cause(ctx), took)
		}
		if err := held.Release(t.Context()); err != nil {
			t.Error(err)
		}
		if l, found, _ := store.Lease(t.Context(), "a"); !found || l != theirs {
			t.Errorf("the other's lease was given back: %+v", l)
		}
	})
}

func TestAnInterruptionEndsTheWatching(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, l := new(mem.Leases), elsewhere()
		put(t, store, l, l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, _, err := lease.Take(ctx, store, "a", "mine", quiet()); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if now, _, _ := store.Lease(t.Context(), "a"); now != l {
			t.Errorf("%+v", now)
		}
	})
}

// flaky is a store of which every call but heartbeats fails once: TakeLease when it has taken the lease.
type flaky struct {
	*mem.Leases
	failed map[string]bool
}

func (f flaky) once(call string) error {
	if f.failed[call] {
		return nil
	}
	f.failed[call] = true
	return fmt.Errorf("%s: %w", call, record.ErrUnavailable)
}

func (f flaky) Lease(ctx context.Context, name string) (record.Lease, bool, error) {
	l, found, err := f.Leases.Lease(ctx, name)
	return l, found, errors.Join(err, f.once("read"))
}

func (f flaky) TakeLease(ctx context.Context, l record.Lease, from record.Owner) (bool, error) {
	won, err := f.Leases.TakeLease(ctx, l, from)
	return won, errors.Join(err, f.once("take"))
}

func (f flaky) EndLease(ctx context.Context, name string, owner record.Owner) error {
	return errors.Join(f.once("end"), f.Leases.EndLease(ctx, name, owner))
}

func TestALeaseIsTakenThroughAnElection(t *testing.T) {
	for name, had := range map[string]bool{"that nobody has": false, "of a dead process": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := flaky{new(mem.Leases), make(map[string]bool)}
				if had {
					l := elsewhere()
					put(t, store.Leases, l, l)
				}
				notices := 0
				o := quiet()
				o.Retry = retry.Policy{Notify: func(error, time.Duration, time.Duration) { notices++ }}
				_, held, err := lease.Take(t.Context(), store, "a", "mine", o)
				if err != nil {
					t.Fatal(err)
				}
				if err := held.Release(t.Context()); err != nil || notices != 3 {
					t.Errorf("%v, told %d times", err, notices)
				}
			})
		})
	}
}

func TestWhoIsAlive(t *testing.T) {
	self := lease.Self()
	if again := lease.Self(); again == self {
		t.Error("two owners are one")
	}
	now := time.Now()
	here := record.Owner{Host: self.Host, PID: os.Getppid(), Run: "r"}
	for name, c := range map[string]struct {
		owner   record.Owner
		silence time.Duration
		want    bool
	}{
		"another process of this host":                     {here, 50 * time.Second, true},
		"the number of this process, which is another run": {record.Owner{Host: self.Host, PID: self.PID, Run: "r"}, 0, false},
		"a number that no process has":                     {record.Owner{Host: self.Host, PID: 1 << 30, Run: "r"}, 0, false},
		"a process of this host that was silent for long":  {here, time.Hour, false},
		"another host":                     {record.Owner{Host: "elsewhere", PID: 1, Run: "r"}, 10 * time.Second, true},
		"another host, silent":             {record.Owner{Host: "elsewhere", PID: 1, Run: "r"}, 20 * time.Second, false},
		"a host without a name":            {record.Owner{PID: 1 << 30, Run: "r"}, 10 * time.Second, true},
		"a host without a name and silent": {record.Owner{PID: os.Getppid(), Run: "r"}, 20 * time.Second, false},
	} {
		if got := lease.Alive(c.owner, now.Add(-c.silence), self, now); got != c.want {
			t.Errorf("%s: alive %v", name, got)
		}
	}
}

// absent is a store that cannot be asked whether a lease is kept.
type absent struct{ record.Leases }

func (absent) KeepLease(context.Context, record.Lease) (bool, error) {
	return false, record.ErrUnavailable
}

func TestATargetThatIsAwayTakesNoLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(mem.Leases)
		ctx, held := take(t, absent{store}, "a")
		time.Sleep(time.Hour)
		if ctx.Err() != nil || held.Lost(ctx) {
			t.Errorf("lost: %v", context.Cause(ctx))
		}
		// The first sign of life is that of the taking.
		if l, found, err := store.Lease(t.Context(), "a"); err != nil || !found || time.Since(l.Heartbeat) != time.Hour {
			t.Errorf("%+v, %t, %v", l, found, err)
		}
		if err := held.Release(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
