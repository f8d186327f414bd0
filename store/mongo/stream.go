package mongo

import (
	"cmp"
	"context"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// query says what to read of a collection.
type query struct {
	filter     bson.D // nil for all documents
	projection bson.D // nil for whole documents
	sort       bson.D // nil for no order

	// ids is a range of _ids, in whose order the documents come; nil for all of them.
	ids *idRange
}

// within narrows a find to the range. The bounds are those of the index on _id, so that they take in values of all types,
// which operators do not.
func (q query) within(opts *options.FindOptionsBuilder) {
	byID := bson.D{{Key: "_id", Value: 1}}
	opts.SetHint(byID).SetSort(byID)
	if q.ids.from.Type != 0 {
		opts.SetMin(bson.D{{Key: "_id", Value: q.ids.from}})
	}
	if q.ids.below.Type != 0 {
		opts.SetMax(bson.D{{Key: "_id", Value: q.ids.below}})
	}
}

// documents streams the documents of a kind's collection as [Store.stream] does.
func (s *Store) documents(ctx context.Context, kind record.Kind, filter, projection bson.D) iter.Seq2[bson.Raw, error] {
	return s.stream(ctx, collectionName(kind), query{filter: filter, projection: projection})
}

// stream streams documents of a collection, each of which is good until the next. An error is the last that comes. Where
// it is that the documents were too large for a reply, later streams ask for few at a time: trying again succeeds.
func (s *Store) stream(ctx context.Context, collection string, q query) iter.Seq2[bson.Raw, error] {
	return func(yield func(bson.Raw, error) bool) {
		reply := s.dialect.nextReply(reply{}, 0)
		opts := options.Find().SetBatchSize(reply.length)
		if q.projection != nil {
			opts.SetProjection(q.projection)
		}
		if q.sort != nil {
			opts.SetSort(q.sort)
		}
		find := s.find
		if q.ids != nil {
			q.within(opts)
			find = s.findInOrder
		}
		cursor, err := find(ctx, collection, q.filter, opts)
		if err != nil {
			yield(nil, err)
			return
		}
		defer closeCursor(ctx, cursor)
		for largest := 0; ; {
			more, err := s.fetch(ctx, cursor, cmp.Or(reply.timeout, s.commandTimeout))
			if err != nil {
				if ctx.Err() == nil && classify(err) == transient && s.dialect.shorten(reply) {
					err = cursor.Err() // which is not given up
				}
				yield(nil, err)
				return
			}
			if !more || !yield(cursor.Current, nil) {
				return
			}
			largest = max(largest, len(cursor.Current))
			if cursor.RemainingBatchLength() == 0 {
				reply = s.dialect.nextReply(reply, largest)
				cursor.SetBatchSize(reply.length)
			}
		}
	}
}

// fetch moves on to the next document. Only where that takes a command is its time bounded, so that a scan may take as
// long as it needs.
func (s *Store) fetch(ctx context.Context, cursor *mongo.Cursor, timeout time.Duration) (more bool, err error) {
	if cursor.RemainingBatchLength() > 0 {
		return cursor.Next(ctx), cursor.Err()
	}
	err = s.commandWithin(ctx, timeout, func(ctx context.Context) error {
		more = cursor.Next(ctx)
		return cursor.Err()
	})
	return more, err
}

// cursorTimeout is how long a server may take to be given a cursor back; one that is silent has had its time before.
const cursorTimeout = 2 * time.Second

// closeCursor gives the cursor back to the server, also where ctx is cancelled.
func closeCursor(ctx context.Context, cursor *mongo.Cursor) {
	ctx, drained := retry.Drain(ctx, retry.CloseTime)
	defer drained()
	ctx, cancel := context.WithTimeout(ctx, cursorTimeout)
	defer cancel()
	// A server that cannot be told forgets the cursor by itself.
	_ = cursor.Close(ctx)
}
