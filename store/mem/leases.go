package mem

import (
	"context"
	"sync"

	"github.com/lanyardctl/lanyardctl/record"
)

// Leases are [record.Leases] in memory. The zero value has none.
type Leases struct {
	mu   sync.Mutex
	held map[string]record.Lease
}

// Lease implements [record.Leases].
func (l *Leases) Lease(ctx context.Context, name string) (record.Lease, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lease, held := l.held[name]
	return lease, held, ctx.Err()
}

// TakeLease implements [record.Leases].
func (l *Leases) TakeLease(ctx context.Context, lease record.Lease, from record.Owner) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now, held := l.held[lease.Name]; held && now.Owner.Run != from.Run {
		return false, ctx.Err()
	}
	if l.held == nil {
		l.held = make(map[string]record.Lease)
	}
	l.held[lease.Name] = lease
	return true, ctx.Err()
}

// KeepLease implements [record.Leases].
func (l *Leases) KeepLease(ctx context.Context, lease record.Lease) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now, held := l.held[lease.Name]; !held || now.Owner.Run != lease.Owner.Run {
		return false, ctx.Err()
	}
	l.held[lease.Name] = lease
	return true, ctx.Err()
}

// EndLease implements [record.Leases].
func (l *Leases) EndLease(ctx context.Context, name string, owner record.Owner) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[name].Owner.Run == owner.Run {
		delete(l.held, name)
	}
	return ctx.Err()
}
