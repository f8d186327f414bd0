package location

import (
	"context"
	"fmt"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
)

// ResolveItems returns the DynamoDB or the MongoDB whose tables are meant: what one of the two flags names, or else the
// environment. It fails where that names both.
func ResolveItems(r Registry, dynamodb, mongo string, env func(string) string) (Location, error) {
	at, err := dynamoNamed(dynamodb, env)
	other := mongoNamed(mongo, env)
	switch {
	case dynamodb != "" && mongo != "":
		return at, exit.WrongUse("--dynamodb and --mongo name two places", "give one of them")
	case dynamodb == "" && (mongo != "" || err != nil && other.URI != ""):
		at, err = other, nil
	case dynamodb == "" && err == nil && other.URI != "":
		return at, exit.WrongUse(fmt.Sprintf("%s names a DynamoDB, and %s a MongoDB: which is meant?", at.From, other.From), "give --dynamodb URI or --mongo URI")
	case err != nil:
		return at, exit.WrongUse("neither a DynamoDB nor a MongoDB is named", "give --dynamodb URI or --mongo URI, or set "+dynamoVariable+" or "+mongoVariable)
	}
	t, err := r.target(at)
	if err != nil {
		return at, err
	}
	return at, t.Check(at)
}

// IsDynamo reports whether the location is that of a DynamoDB.
func IsDynamo(at Location) bool {
	_, err := schemeOf(at, []Scheme{dynamoScheme}, func(s Scheme) Scheme { return s })
	return err == nil
}

func openDynamoItems(ctx context.Context, o TargetOptions) (record.Items, func(context.Context) error, error) {
	store, err := OpenDynamo(ctx, o)
	if err != nil {
		return nil, nil, err
	}
	return store.Items(), func(context.Context) error { return store.Close() }, nil
}
