package record

import "context"

// PointReader reads what a source holds of some users, without a look at anything else.
type PointReader interface {
	// ReadUsers delivers what the source holds of the users now, of the kinds, some at a time: the items that a reading of
	// all parts delivers of them, in no order, but for those that only a look at every key finds, which the source
	// documents. With [Metrics] among the kinds the counters, which are nobody's, come too. What is not there is no item;
	// nothing tells whether it went away. Pages carry no position.
	//
	// It returns yield's error as it is. It may be called at any time, again, and from several goroutines.
	ReadUsers(ctx context.Context, kinds Kinds, users []UserID, yield func(Page) error) error
}

// TargetPointReader reads back what a target holds of some users.
type TargetPointReader interface {
	// ReadUsers delivers the kind's documents of the users, in no order, some at a time: those whose user id is text, as
	// the app sees them, each of them where a user has several. A user without a document is left out. For a kind that is
	// nobody's, the users do not matter.
	//
	// It returns yield's error as it is. It may be called at any time, again, and from several goroutines.
	ReadUsers(ctx context.Context, kind Kind, users []UserID, yield func([]Document) error) error
}
