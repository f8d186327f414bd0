package mongo

import (
	"context"
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/record"
)

// LeasesCollection is the collection that holds leases, by name. The one of sweeps is in [SweepsCollection], where
// every version looks for it.
const (
	LeasesCollection = "lanyardctl_leases"
	sweepLeaseID     = "lease"
)

// Leases keeps leases in the database. See [record.Leases].
type Leases struct{ *Store }

// Leases returns the database's leases.
func (s *Store) Leases() Leases { return Leases{s} }

// leasePlace returns the collection of the lease with the name, and its _id there.
func leasePlace(name string) (collection, id string) {
	if name == record.SweepLease {
		return SweepsCollection, sweepLeaseID
	}
	return LeasesCollection, name
}

// leaseDocument is the form of a lease in the database.
type leaseDocument struct {
	ID        string    `bson:"_id"`
	Host      string    `bson:"host"`
	PID       int64     `bson:"pid"`
	Run       string    `bson:"run"`
	Heartbeat time.Time `bson:"heartbeat"`
	Doing     string    `bson:"doing"`
}

// Lease implements [record.Leases].
func (l Leases) Lease(ctx context.Context, name string) (record.Lease, bool, error) {
	collection, id := leasePlace(name)
	var d leaseDocument
	doc, err := l.findOne(ctx, collection, bson.D{{Key: "_id", Value: id}}, options.FindOne())
	if err == nil {
		if err = bson.Unmarshal(doc, &d); err != nil {
			err = damaged(collection, doc, err)
		}
	}
	switch {
	case errors.Is(err, mongo.ErrNoDocuments):
		return record.Lease{}, false, nil
	case err != nil:
		return record.Lease{}, false, l.wrap("read who has the lease", err)
	}
	owner := record.Owner{Host: d.Host, PID: int(d.PID), Run: d.Run}
	return record.Lease{Name: name, Owner: owner, Heartbeat: d.Heartbeat.UTC(), Doing: d.Doing}, true, nil
}

// TakeLease implements [record.Leases].
func (l Leases) TakeLease(ctx context.Context, lease record.Lease, from record.Owner) (bool, error) {
	collection, id := leasePlace(lease.Name)
	taken, err := l.replaceOrInsert(ctx, collection, id, from, toLease(id, lease))
	if err != nil {
		return false, l.wrap("take the lease", err)
	}
	return taken, nil
}

// KeepLease implements [record.Leases].
func (l Leases) KeepLease(ctx context.Context, lease record.Lease) (bool, error) {
	collection, id := leasePlace(lease.Name)
	kept, err := l.replaceOwned(ctx, collection, id, lease.Owner, toLease(id, lease))
	if err != nil {
		return false, l.wrap("keep the lease", err)
	}
	return kept, nil
}

// EndLease implements [record.Leases].
func (l Leases) EndLease(ctx context.Context, name string, owner record.Owner) error {
	collection, id := leasePlace(name)
	if _, err := l.deleteOne(ctx, collection, ownedBy(id, owner)); err != nil {
		return l.wrap("give the lease back", err)
	}
	return nil
}

func toLease(id string, l record.Lease) leaseDocument {
	return leaseDocument{
		ID: id, Host: l.Owner.Host, PID: int64(l.Owner.PID), Run: l.Owner.Run, Heartbeat: l.Heartbeat, Doing: l.Doing,
	}
}
