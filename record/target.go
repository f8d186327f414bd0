package record

import (
	"context"
	"time"
)

// TargetReader reads back what a target holds.
type TargetReader interface {
	// Read delivers the kind's documents in no order, some at a time, without Raw. One that may come again, as a scan may
	// repeat it, has its ID; others have none. It returns yield's error as it is.
	Read(ctx context.Context, kind Kind, yield func([]Document) error) error

	// Count counts exactly the kind's documents that the app can see.
	Count(ctx context.Context, kind Kind) (int64, error)

	// Limits returns what the target can hold.
	Limits() Limits

	DigestReader
}

// Content is what a document says.
type Content struct {
	Record Record

	// Complete tells that Record is all that the document says, so that two of the same digest need no further look.
	Complete bool

	// Mistyped tells that the document says it in a type or unit that the app cannot read, such as a time as text.
	Mistyped bool
}

// Content returns what the document says as of now, as a record.
func (d Document) Content(now time.Time) Content {
	id := d.Identity()
	c := Content{
		Record:   Record{Kind: d.Kind, User: id.User, Name: id.Name},
		Complete: id != (Identity{}) || !d.Kind.Identified(),
	}
	return d.Kind.rules().content(c, d.Held, TimeBounds(d.Kind, id.User, now))
}
