package dynamoserver_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

// once makes a client try nothing again.
func once(o *dynamodb.Options) { o.RetryMaxAttempts = 1 }

// behindProxy returns a proxy of an own server that has the table remember, and a client of each.
func behindProxy(t *testing.T) (proxy *dynamoserver.Proxy, through, direct *dynamodb.Client) {
	t.Helper()
	server := dynamoserver.New(t)
	server.Create(t, dynamoserver.BotTables()[0])
	proxy = dynamoserver.NewProxy(t, server)
	return proxy, dynamoserver.Client(t, proxy.URI), server.Client(t)
}

func TestAFaultOfAProxy(t *testing.T) {
	t.Parallel()
	proxy, through, direct := behindProxy(t)
	for _, c := range []struct {
		fault   dynamoserver.Fault
		code    string // of the error, where DynamoDB answers
		carried bool
	}{
		{dynamoserver.Throttled, "ProvisionedThroughputExceededException", false},
		{dynamoserver.Limited, "RequestLimitExceeded", false},
		{dynamoserver.Throttling, "ThrottlingException", false},
		{dynamoserver.Expired, "ExpiredTokenException", false},
		{dynamoserver.Denied, "AccessDeniedException", false},
		{dynamoserver.Unavailable, "UnknownError", false},
		{dynamoserver.CutBefore, "", false},
		{dynamoserver.CutAfter, "", true},
	} {
		proxy.Decide(func(dynamoserver.Call) dynamoserver.Fault { return c.fault })
		_, err := through.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("remember"), Item: something}, once)
		if err == nil {
			t.Fatalf("%s: no error", c.fault)
		}
		var answered smithy.APIError
		if errors.As(err, &answered) != (c.code != "") || c.code != "" && answered.ErrorCode() != c.code {
			t.Errorf("%s: %v", c.fault, err)
		}
		if items := held(t, direct); len(items) == 1 != c.carried {
			t.Errorf("%s: the server holds %v", c.fault, items)
		}
	}
	for i, c := range proxy.Calls() {
		if c.N != i || c.Operation != "PutItem" || len(c.Body) == 0 || c.Fault == dynamoserver.None {
			t.Errorf("call %d: %+v", i, c)
		}
	}
}

// TestTheSDKTriesAgain guards that a fault is told as the SDK expects it: by its defaults it tries a throttled request again.
func TestTheSDKTriesAgain(t *testing.T) {
	t.Parallel()
	proxy, through, _ := behindProxy(t)
	for _, fault := range []dynamoserver.Fault{dynamoserver.Throttled, dynamoserver.Limited, dynamoserver.Throttling, dynamoserver.Unavailable, dynamoserver.CutBefore, dynamoserver.CutAfter} {
		first := true
		proxy.Decide(func(dynamoserver.Call) dynamoserver.Fault {
			if first {
				first = false
				return fault
			}
			return dynamoserver.None
		})
		if err := put(t, through); err != nil || first {
			t.Errorf("%s: %v", fault, err)
		}
	}
}

func TestAProxyTellsCapacity(t *testing.T) {
	t.Parallel()
	proxy, through, _ := behindProxy(t)
	_, err := through.PutItem(t.Context(), &dynamodb.PutItemInput{
		TableName: aws.String("remember"), Item: something, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := through.BatchGetItem(t.Context(), batchGet(something)); err != nil {
		t.Fatal(err)
	}
	if calls := proxy.Calls(); len(calls) != 2 || calls[0].Units != 1 || calls[1].Units != 1 {
		t.Errorf("%+v", calls)
	}
}

func TestAProxyCarriesOutHalfOfABatch(t *testing.T) {
	t.Parallel()
	proxy, through, direct := behindProxy(t)
	proxy.Decide(func(dynamoserver.Call) dynamoserver.Fault { return dynamoserver.Half })
	var requests []types.WriteRequest
	var items []map[string]types.AttributeValue
	for i := range 5 {
		item := map[string]types.AttributeValue{
			"discord_server_id": something["discord_server_id"],
			"rem_key":           &types.AttributeValueMemberS{Value: fmt.Sprint(i)},
		}
		items = append(items, item)
		requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
	}
	written, err := through.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"remember": requests}})
	if err != nil {
		t.Fatal(err)
	}
	if n, held := len(written.UnprocessedItems["remember"]), len(held(t, direct)); n != 2 || held != 3 {
		t.Errorf("%d unprocessed, %d written", n, held)
	}
	if err := writeAll(t.Context(), direct, requests); err != nil {
		t.Fatal(err)
	}
	read, err := through.BatchGetItem(t.Context(), batchGet(items...))
	if err != nil {
		t.Fatal(err)
	}
	left := read.UnprocessedKeys["remember"]
	if len(left.Keys) != 2 || !aws.ToBool(left.ConsistentRead) || len(read.Responses["remember"]) != 3 {
		t.Errorf("%d unprocessed, %d read", len(left.Keys), len(read.Responses["remember"]))
	}
}

func writeAll(ctx context.Context, client *dynamodb.Client, requests []types.WriteRequest) error {
	_, err := client.BatchWriteItem(ctx, &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{"remember": requests}})
	return err
}

func batchGet(items ...map[string]types.AttributeValue) *dynamodb.BatchGetItemInput {
	var keys []map[string]types.AttributeValue
	for _, item := range items {
		keys = append(keys, map[string]types.AttributeValue{"discord_server_id": item["discord_server_id"], "rem_key": item["rem_key"]})
	}
	return &dynamodb.BatchGetItemInput{
		RequestItems:           map[string]types.KeysAndAttributes{"remember": {Keys: keys, ConsistentRead: aws.Bool(true)}},
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal,
	}
}
