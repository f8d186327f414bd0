package record

import "context"

// Items reads and changes single items of tables, in a DynamoDB or in the collections to which tables were copied.
type Items interface {
	// Item returns the item whose key has the values, by the names of the key's attributes, as it is now. It returns nil where
	// there is none.
	Item(ctx context.Context, kind Kind, key map[string]Value) (*Record, error)

	// Partition delivers the items whose partition key has the value, some at a time, in the ascending order of their sort
	// keys. It returns yield's error as it is.
	Partition(ctx context.Context, kind Kind, partition Value, yield func([]Record) error) error

	// Replace writes after in place of before. Without before the item is inserted, without after it is deleted. It reports
	// false, and writes nothing, where the item is not exactly before any more. An error means that the fate is unknown.
	Replace(ctx context.Context, before, after *Record) (done bool, err error)
}
