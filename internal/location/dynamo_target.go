package location

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
)

var dynamoTargetScheme = TargetScheme{
	Scheme:    dynamoScheme,
	Open:      func(ctx context.Context, o TargetOptions) (PairTarget, error) { return openDynamoTarget(ctx, o) },
	OpenItems: openDynamoItems,
	Explain:   explainDynamo,
}

// dynamoTarget is an open DynamoDB that is written to, or compared with.
type dynamoTarget struct{ *dynamo.Store }

func openDynamoTarget(ctx context.Context, o TargetOptions) (PairTarget, error) {
	store, err := OpenDynamo(ctx, o)
	if err != nil {
		return nil, err
	}
	return dynamoTarget{store}, nil
}

// Facts implements [Described].
func (t dynamoTarget) Facts() TargetFacts { return TargetFacts{Is: describeDynamo(t.Info())} }

// Sink implements [Mergeable].
func (t dynamoTarget) Sink(_ context.Context, o MergeOptions) (record.Sink, []string, error) {
	return t.Store.Sink(dynamo.SinkOptions{Policy: o.Policy, DryRun: o.DryRun}), nil, nil
}

// Checkpoints implements [Mergeable].
func (t dynamoTarget) Checkpoints() record.Checkpoints { return t.Store.Checkpoints() }

// Runs implements [Mergeable].
func (t dynamoTarget) Runs() record.Runs { return t.Store.Runs() }

// WriteHints implements [Mergeable]: a batch is what one request reads. Larger ones are no faster, and where the capacity is
// held one of thousands takes minutes, in which a run comes to nothing that it can resume from.
func (dynamoTarget) WriteHints() (workers, batchSize int) { return 0, dynamo.BatchSize }

// Reader implements [Comparable].
func (t dynamoTarget) Reader([]record.UserID) record.TargetReader { return t.Store.Reader() }

// Close implements [PairTarget].
func (t dynamoTarget) Close(context.Context) error { return t.Store.Close() }
