package redis

import (
	"context"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// Leases keeps leases in Redis. See [record.Leases].
type Leases struct{ store *Store }

// Leases returns the leases of those who work on the Redis.
func (s *Store) Leases() Leases { return Leases{s} }

// storedLease is the form of a lease in Redis.
type storedLease struct {
	ownedEntry
	Heartbeat time.Time `json:"heartbeat"`
	Doing     string    `json:"doing"`
}

// Lease implements [record.Leases].
func (l Leases) Lease(ctx context.Context, name string) (record.Lease, bool, error) {
	var s storedLease
	exists, err := l.store.lookups().entry(ctx, "read who has the lease in redis", layout.Leases, name, &s)
	if err != nil || !exists {
		return record.Lease{}, false, err
	}
	return record.Lease{Name: name, Owner: s.Owner, Heartbeat: s.Heartbeat.UTC(), Doing: s.Doing}, true, nil
}

// TakeLease implements [record.Leases].
func (l Leases) TakeLease(ctx context.Context, lease record.Lease, from record.Owner) (bool, error) {
	return l.store.changeEntry(ctx, "take the lease in redis", layout.Leases, lease.Name, unownedOr(from), storeLease(lease))
}

// KeepLease implements [record.Leases].
func (l Leases) KeepLease(ctx context.Context, lease record.Lease) (bool, error) {
	return l.store.changeEntry(ctx, "keep the lease in redis", layout.Leases, lease.Name, ownedBy(lease.Owner), storeLease(lease))
}

// EndLease implements [record.Leases].
func (l Leases) EndLease(ctx context.Context, name string, owner record.Owner) error {
	_, err := l.store.changeEntry(ctx, "give the lease in redis back", layout.Leases, name, ownedBy(owner), nil)
	return err
}

func storeLease(l record.Lease) storedLease {
	return storedLease{ownedEntry{l.Owner}, l.Heartbeat.Truncate(time.Millisecond), l.Doing}
}
