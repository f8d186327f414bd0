package dynamo

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// A table each time is slow to fill; a longer run asks for more with -rapid.checks.
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("50"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// kinds returns the set of the kinds.
func kinds(list ...record.Kind) (set record.Kinds) {
	for _, k := range list {
		set = set.With(k)
	}
	return set
}

// serve starts a server with the tables of the kinds.
func serve(t testing.TB, tables record.Kinds) *dynamoserver.Server {
	t.Helper()
	server := dynamoserver.New(t)
	for _, kind := range tables.List() {
		table, _ := kind.Table()
		server.Create(t, table)
	}
	return server
}

// openAt opens the tables of what answers at the endpoint, with times that suit a test.
func openAt(t testing.TB, endpoint string, tables record.Kinds, more ...func(*Options)) *Store {
	t.Helper()
	o := Options{Endpoint: endpoint, Tables: tables, Timeout: 20 * time.Second, RetryFor: time.Minute}
	for _, set := range more {
		set(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// put writes items as somebody else does.
func put(t testing.TB, client *dynamodb.Client, table string, items ...item) {
	t.Helper()
	for len(items) > 0 {
		var requests []types.WriteRequest
		for _, it := range items[:min(25, len(items))] {
			requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: it}})
		}
		out, err := client.BatchWriteItem(t.Context(), &dynamodb.BatchWriteItemInput{RequestItems: map[string][]types.WriteRequest{table: requests}})
		if err != nil || len(out.UnprocessedItems) > 0 {
			t.Fatalf("put items into %s: %v, %d left", table, err, len(out.UnprocessedItems))
		}
		items = items[len(requests):]
	}
}

func attrS(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func attrN(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

// reminders returns so many items of the table remember, of about so many bytes each.
func reminders(n, bytes int) (items []item) {
	value := make([]byte, max(bytes-60, 1))
	for i := range value {
		value[i] = 'a' + byte(i%26)
	}
	for i := range n {
		items = append(items, item{
			"discord_server_id": attrN(fmt.Sprint(81384788765712384 + i)), "rem_key": attrS(fmt.Sprintf("key/%d", i)), "rem_value": attrS(string(value)),
		})
	}
	return items
}

// drop deletes a table.
func drop(t testing.TB, client *dynamodb.Client, table string) {
	t.Helper()
	if _, err := client.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &table}); err != nil {
		t.Fatal(err)
	}
	err := dynamodb.NewTableNotExistsWaiter(client, func(o *dynamodb.TableNotExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Millisecond, time.Second }).
		Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(table)}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
}
