package record

import (
	"context"
	"time"
)

// Standing is one document as it stands in a target.
type Standing struct {
	Kind Kind

	// User is zero where Named says so, for Metrics, and for a document that is no user's as far as the app can see.
	User UserID

	// Name is what stands in place of a user id where User is zero: text that is none, or, where Numeric says so, a number.
	Name    string
	Numeric bool

	// Named tells that Name is text by which the target identifies documents that are no user's.
	Named bool

	// Held is what the document holds. Found is true, and Holder is empty.
	Held Held
}

// Holdings reads back what a target holds.
type Holdings interface {
	// Standings delivers the kind's documents in no order, some at a time. It returns yield's error as it is.
	Standings(ctx context.Context, kind Kind, yield func([]Standing) error) error

	// Count counts exactly the kind's documents that the app can see.
	Count(ctx context.Context, kind Kind) (int64, error)

	// Limits returns what the target can hold.
	Limits() Limits
}

// Content is what a document says.
type Content struct {
	Record Record

	// Plain tells that Record is all that the document says, so that two of the same digest need no further look.
	Plain bool

	// Mistyped tells that the document says it in a type or unit that the app cannot read, such as a time as text.
	Mistyped bool
}

// Identity returns the identity of the record that the document holds. It is nobody's where no record can be meant.
func (s Standing) Identity() Identity {
	if s.Named {
		return Identity{Name: NameOf(s.Name)}
	}
	return Identity{User: s.User}
}

// Content returns what the document says as of now, as a record.
func (s Standing) Content(now time.Time) Content {
	id := s.Identity()
	c := Content{Record: Record{Kind: s.Kind, User: id.User, Name: id.Name}, Plain: id != (Identity{}) || !s.Kind.OfUsers()}
	return s.Kind.rules().content(c, s.Held, TimeBounds(s.Kind, s.User, now))
}
