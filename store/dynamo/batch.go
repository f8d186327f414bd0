package dynamo

import (
	"context"
	"errors"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/internal/retry"
)

// BatchSize is how many items one request reads.
const BatchSize = 100

// mostPuts is how many items one request writes.
const mostPuts = 25

// getItems returns those of the items that are there, in no order, as they are now. No key stands twice.
func (s *Store) getItems(ctx context.Context, table string, keys []item) (items []item, err error) {
	op := operation{name: "BatchGetItem", table: table, pace: s.reads}
	for some := range slices.Chunk(keys, BatchSize) {
		err := s.inPieces(ctx, op, len(some), func() (left int, err error) {
			op.units = float64(len(some))
			out, err := call(ctx, s, op, s.client.BatchGetItem, &dynamodb.BatchGetItemInput{
				RequestItems:           map[string]types.KeysAndAttributes{table: {Keys: some, ConsistentRead: new(true)}},
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			})
			if err != nil {
				return 0, err
			}
			items = append(items, out.Responses[table]...)
			some = out.UnprocessedKeys[table].Keys
			return len(some), nil
		})
		if err != nil {
			return nil, err
		}
	}
	return items, nil
}

// putItems writes small items, whatever stands there.
func (s *Store) putItems(ctx context.Context, table string, items []item) error {
	op := operation{name: "BatchWriteItem", table: table, pace: s.writes}
	for some := range slices.Chunk(items, mostPuts) {
		requests := make([]types.WriteRequest, len(some))
		for i, it := range some {
			requests[i].PutRequest = &types.PutRequest{Item: it}
		}
		err := s.inPieces(ctx, op, len(requests), func() (left int, err error) {
			op.units = float64(len(requests))
			out, err := call(ctx, s, op, s.client.BatchWriteItem, &dynamodb.BatchWriteItemInput{
				RequestItems:           map[string][]types.WriteRequest{table: requests},
				ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
			})
			if err != nil {
				return 0, err
			}
			requests = out.UnprocessedItems[table]
			return len(requests), nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// inPieces makes a request about n items again until the server leaves none of them undone: at once where it did some, else
// after a wait.
func (s *Store) inPieces(ctx context.Context, op operation, n int, request func() (left int, err error)) error {
	again := retry.Policy{For: s.opts.RetryFor, Notify: s.tell}
	return again.Do(ctx, func() error {
		for {
			left, err := request()
			if err != nil || left == 0 {
				return err
			}
			if left == n {
				return &Error{Operation: op.name, Table: op.table, Reason: ErrThrottled, cause: errUnprocessed}
			}
			n = left
		}
	})
}

var errUnprocessed = errors.New("nothing of it was processed")
