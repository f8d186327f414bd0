package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// OpenLeases opens a store in which nobody has a lease.
type OpenLeases func(testing.TB) record.Leases

// MemLeases opens the store that defines what leases are.
func MemLeases(testing.TB) record.Leases { return new(mem.Leases) }

// Leases runs the suite for [record.Leases].
func Leases(t *testing.T, open OpenLeases) {
	for name, test := range map[string]func(*testing.T, holder){
		"one process has a lease, and only it gives up": oneHolder,
		"leases of two names are independent":           twoNames,
		"the lease of a dead process is taken over":     takenOver,
	} {
		for _, of := range []string{record.SweepLease, "another: $name. of \u2603"} {
			t.Run(name+": "+of, func(t *testing.T) { test(t, holder{t, open(t), of}) })
		}
	}
}

var (
	me    = record.Owner{Host: "a", PID: 1, Run: "mine"}
	other = record.Owner{Host: "b", PID: 2, Run: "other"}
)

// holder checks the lease of one name.
type holder struct {
	*testing.T
	leases record.Leases
	name   string
}

func (h holder) lease(owner record.Owner, heartbeat time.Time, doing string) record.Lease {
	return record.Lease{Name: h.name, Owner: owner, Heartbeat: heartbeat, Doing: doing}
}

func (h holder) take(l record.Lease, from record.Owner, want bool) {
	h.Helper()
	if got, err := h.leases.TakeLease(h.Context(), l, from); err != nil || got != want {
		h.Errorf("the lease for %s from %s: %v, %v, want %v", l.Owner.Run, from.Run, got, err, want)
	}
}

func (h holder) keep(l record.Lease, want bool) {
	h.Helper()
	if got, err := h.leases.KeepLease(h.Context(), l); err != nil || got != want {
		h.Errorf("%s keeps the lease: %v, %v, want %v", l.Owner.Run, got, err, want)
	}
}

func (h holder) end(owner record.Owner) {
	h.Helper()
	if err := h.leases.EndLease(h.Context(), h.name, owner); err != nil {
		h.Error(err)
	}
}

// has checks who has the lease: nobody without one.
func (h holder) has(want ...record.Lease) {
	h.Helper()
	got, ok, err := h.leases.Lease(h.Context(), h.name)
	if err != nil || ok != (len(want) > 0) || ok && !cmp.Equal(got, want[0]) {
		h.Errorf("the lease: %v, %+v, %v, want %+v", ok, got, err, want)
	}
}

func oneHolder(t *testing.T, h holder) {
	mine := h.lease(me, Now, "sweep a")
	theirs := h.lease(other, Now.Add(time.Second), "undo b")
	h.has()
	h.end(me)
	h.keep(mine, false) // what nobody has is not taken by the way
	h.has()
	h.take(mine, me, true)
	h.has(mine)
	mine.Heartbeat = Now.Add(time.Minute)
	h.keep(mine, true)
	h.has(mine)
	h.keep(theirs, false)
	h.has(mine)
	h.take(mine, me, true)
	h.take(theirs, other, false)
	h.has(mine)
	h.end(other)
	h.has(mine)
	h.take(theirs, me, true) // taken over
	h.take(mine, me, false)
	h.has(theirs)
	h.end(me)
	h.has(theirs)
	h.end(other)
	h.end(other)
	h.has()
	h.take(mine, other, true)
	h.has(mine)
}

func twoNames(t *testing.T, h holder) {
	second := h
	second.name = "the second"
	mine, theirs := h.lease(me, Now, "sweep a"), second.lease(other, Now, "sync b")
	h.take(mine, me, true)
	second.has()
	second.keep(theirs, false)
	second.take(theirs, other, true)
	h.has(mine)
	second.has(theirs)
	second.end(me)
	h.end(other)
	h.has(mine)
	second.has(theirs)
	h.end(me)
	h.has()
	second.has(theirs)
}

func takenOver(t *testing.T, h holder) {
	dead := h.lease(record.Owner{Host: "elsewhere", PID: 1, Run: "dead"}, Now, "sweep a")
	h.take(dead, record.Owner{}, true)
	o := lease.Options{Watch: time.Millisecond, Notify: func(string) {}}
	ctx, held, err := lease.Take(t.Context(), h.leases, h.name, "sweep b", o)
	if err != nil {
		t.Fatal(err)
	}
	if held.From != dead.Owner || held.Lost(ctx) || ctx.Err() != nil {
		t.Errorf("from %+v, lost: %v, %v", held.From, held.Lost(ctx), ctx.Err())
	}
	h.keep(dead, false)
	h.take(dead, dead.Owner, false)
	if err := held.Release(t.Context()); err != nil || ctx.Err() == nil {
		t.Errorf("released: %v, %v", err, ctx.Err())
	}
	h.has()
}
