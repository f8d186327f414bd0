package location

import (
	"context"
	"fmt"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
)

var dynamoSourceScheme = SourceScheme{Scheme: dynamoScheme, Open: openDynamoSource, Explain: explainDynamoSource}

// dynamoSource is an open DynamoDB that is read.
type dynamoSource struct {
	store *dynamo.Store
	at    SourceOptions
}

func openDynamoSource(ctx context.Context, o SourceOptions) (Source, error) {
	store, err := OpenDynamo(ctx, o.asDynamo())
	if err != nil {
		return nil, err
	}
	return dynamoSource{store, o}, nil
}

// asDynamo returns how the DynamoDB is opened.
func (o SourceOptions) asDynamo() TargetOptions {
	return TargetOptions{
		Location: o.Location, DynamoSettings: o.DynamoSettings, Kinds: o.Request.Kinds, Timeout: o.Timeout, RetryFor: o.RetryFor, Notify: o.Notify,
	}
}

// Facts implements [Source].
func (s dynamoSource) Facts() SourceFacts {
	return SourceFacts{
		Is: describeDynamo(s.store.Info()), Where: "the tables " + s.at.Request.Kinds.String(), Others: "--tables and --dynamodb name others",
	}
}

// Reading implements [Source].
func (s dynamoSource) Reading() record.Source { return s.store.Source(dynamo.SourceOptions{}) }

// Remarks implements [Source].
func (dynamoSource) Remarks() []string { return nil }

// Close implements [Source].
func (s dynamoSource) Close() error { return s.store.Close() }

// found fails where the tables hold no item.
func (s dynamoSource) found(ctx context.Context) error {
	found, err := findPage(ctx, s.Reading(), func(p record.Page) bool { return p.Seen.Keys > 0 })
	if err != nil || found {
		return err
	}
	facts := s.Facts()
	return exit.Failure(fmt.Errorf("%s hold nothing: is it the right place?", facts.Where), facts.Others+"; --allow-empty continues without any item")
}

func explainDynamoSource(err error, o SourceOptions) error { return explainDynamo(err, o.asDynamo()) }
