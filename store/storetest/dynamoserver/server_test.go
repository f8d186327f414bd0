package dynamoserver_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

// something is an item of the table remember.
var something = map[string]types.AttributeValue{
	"discord_server_id": &types.AttributeValueMemberN{Value: "81384788765712384"},
	"rem_key":           &types.AttributeValueMemberS{Value: "meeting"},
	"rem_value":         &types.AttributeValueMemberS{Value: "tomorrow"},
}

func put(t *testing.T, client *dynamodb.Client) error {
	t.Helper()
	_, err := client.PutItem(t.Context(), &dynamodb.PutItemInput{TableName: aws.String("remember"), Item: something})
	return err
}

// held returns the items of remember.
func held(t *testing.T, client *dynamodb.Client) []map[string]types.AttributeValue {
	t.Helper()
	out, err := client.Scan(t.Context(), &dynamodb.ScanInput{TableName: aws.String("remember"), ConsistentRead: aws.Bool(true)})
	if err != nil {
		t.Fatal(err)
	}
	return out.Items
}

func TestAServerHoldsTheTablesOfTheBot(t *testing.T) {
	t.Parallel()
	start := time.Now()
	server := dynamoserver.New(t)
	t.Logf("started in %s", time.Since(start))
	server.Create(t, dynamoserver.BotTables()...)
	t.Logf("with tables after %s", time.Since(start))
	client := server.Client(t)
	if err := put(t, client); err != nil {
		t.Fatal(err)
	}
	want := []map[string]types.AttributeValue{something}
	if diff := cmp.Diff(want, held(t, client), cmpopts.IgnoreUnexported(types.AttributeValueMemberN{}, types.AttributeValueMemberS{})); diff != "" {
		t.Error(diff)
	}
	server.Kill()
	if err := put(t, client); err == nil {
		t.Error("a killed server answers")
	}
}

func TestServersSideBySideShareNothing(t *testing.T) {
	t.Parallel()
	one, other := dynamoserver.New(t), dynamoserver.New(t)
	for _, s := range []*dynamoserver.Server{one, other} {
		s.Create(t, dynamoserver.BotTables()...)
	}
	if err := put(t, one.Client(t)); err != nil {
		t.Fatal(err)
	}
	if items := held(t, other.Client(t)); len(items) != 0 {
		t.Error(items)
	}
}
