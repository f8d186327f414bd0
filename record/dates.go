package record

import "context"

// DatePlace is somewhere a user's monitoring date may stand.
type DatePlace struct {
	Name string // as reports have it, such as "users.since"

	// UserWritable tells that users can write it themselves.
	UserWritable bool
}

// FieldPlace is the place that a field is.
type FieldPlace struct {
	Field string
	Place DatePlace
}

// DateValue is the value that stands at a place for one user.
type DateValue struct {
	Place int // index in [DateSource.Places]

	// User is zero where what stands in place of a user id is none: Name. Of a place, nobodys of the same name count once.
	User UserID
	Name string

	// Has tells that there is a value. A hash of key-value pairs, say, may have none.
	Has bool

	// Value is the date as [Timestamp] takes it.
	Value any

	// Reason is why there is no Value that could be read, as for a key of another type; else empty. Detail is for people.
	Reason Reason
	Detail string
}

// DateSource delivers monitoring dates.
type DateSource interface {
	// Places returns the places that are read. No two sources have places of the same name.
	Places() []DatePlace

	// Values delivers all values in no order, some at a time. The same may come twice. It returns yield's error as it is.
	Values(ctx context.Context, yield func([]DateValue) error) error

	// Total returns about how many entries there are to read, for progress; zero where nobody knows.
	Total(ctx context.Context) (int64, error)
}
