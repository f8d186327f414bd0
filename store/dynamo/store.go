package dynamo

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/lanyardctl/lanyardctl/record"
)

// Options say where a DynamoDB is, and which tables of it are meant.
type Options struct {
	Region   string       // of AWS; empty for that of the AWS configuration, else [DefaultRegion]
	Endpoint string       // URL of a server that is not AWS's; empty for AWS
	Tables   record.Kinds // that are read or written

	Consistent bool // reads see all that was written before; they take twice the capacity
	MaxRCU     int  // read capacity units a second at most; zero for any number
	MaxWCU     int  // write capacity units a second at most; zero for any number

	Timeout  time.Duration // of one request until it is made again, and of opening
	RetryFor time.Duration // how long a server that is unavailable or throttles is tried again
	Notify   func(message string)
}

// DefaultRegion is the one in which the bot's tables are where nothing says otherwise.
const DefaultRegion = "us-west-2"

// Store is an open DynamoDB.
type Store struct {
	client *dynamodb.Client
	opts   Options
}

// Open connects to the DynamoDB, and looks at the tables.
func Open(ctx context.Context, o Options) (*Store, error) {
	return &Store{opts: o}, nil
}
