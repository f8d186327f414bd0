package record

import (
	"context"
	"time"
)

// Owner is a process that runs.
type Owner struct {
	Host string
	PID  int
	Run  string // random, so that a reused PID is not taken for the same process
}

// HeartbeatLasts is how long after its last heartbeat a process counts as alive where nothing else tells.
const HeartbeatLasts = 15 * time.Second

// SweepLease is the name of the lease of whoever changes documents in a way that can be taken back.
const SweepLease = "sweep"

// Lease is the right to do what it is named after, which one process has at a time.
type Lease struct {
	Name      string
	Owner     Owner
	Heartbeat time.Time // when the owner last showed that it lives, to the millisecond
	Doing     string    // for people: "sweep 20261122-010203-456-ab12"
}

// Leases keeps leases in a target. Leases of different names have nothing to do with each other.
type Leases interface {
	// Lease returns who has the lease of the name; it reports false where nobody has.
	Lease(ctx context.Context, name string) (Lease, bool, error)

	// TakeLease writes l where nobody has the lease of its name, or where the given owner has it (l.Owner then takes over
	// from it), and reports whether it did.
	TakeLease(ctx context.Context, l Lease, from Owner) (bool, error)

	// KeepLease writes l where its owner has the lease of its name, and reports whether that is so.
	KeepLease(ctx context.Context, l Lease) (bool, error)

	// EndLease gives the lease of the name back where the owner has it. It may be called again.
	EndLease(ctx context.Context, name string, owner Owner) error
}
