package dynamo_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

// target is a DynamoDB that is written to, with a client for what others do to it.
type target struct {
	*dynamo.Store
	t      testing.TB
	server *dynamoserver.Server
	client *dynamodb.Client
}

// empty gives the server new tables of the suites, and nothing of lanyardctl's.
func empty(t testing.TB, server *dynamoserver.Server, client *dynamodb.Client) {
	t.Helper()
	drop(t, client, true)
	for _, kind := range storetest.TestedTables.List() {
		table, _ := kind.Table()
		server.Create(t, table)
	}
}

// drop deletes all tables, lanyardctl's own only where told so.
func drop(t testing.TB, client *dynamodb.Client, own bool) {
	t.Helper()
	list, err := client.ListTables(context.Background(), &dynamodb.ListTablesInput{})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range list.TableNames {
		if name == dynamo.OwnTable && !own {
			continue
		}
		if _, err := client.DeleteTable(context.Background(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Fatal(err)
		}
		waiter := dynamodb.NewTableNotExistsWaiter(client, func(o *dynamodb.TableNotExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Millisecond, time.Second })
		if err := waiter.Wait(context.Background(), &dynamodb.DescribeTableInput{TableName: &name}, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
}

// openAt opens the DynamoDB at the URL, which is a server's or a proxy's.
func openAt(t testing.TB, url string, change ...func(*dynamo.Options)) *dynamo.Store {
	t.Helper()
	o := dynamo.Options{Endpoint: url, Tables: storetest.TestedTables, Timeout: 5 * time.Second, RetryFor: time.Minute}
	for _, f := range change {
		f(&o)
	}
	store, err := dynamo.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func newTarget(t testing.TB) *target {
	t.Helper()
	server := dynamoserver.New(t)
	client := server.Client(t)
	empty(t, server, client)
	return &target{openAt(t, server.URI), t, server, client}
}

// put replaces an item, as somebody else does.
func (g *target) put(kind record.Kind, d mem.Document) {
	g.t.Helper()
	table, _ := kind.Table()
	item := make(map[string]types.AttributeValue)
	for name, v := range d.Fields {
		a, ok := dynamo.AttributeOf(v)
		if !ok {
			g.t.Fatalf("%s: no attribute of DynamoDB's: %v", name, v)
		}
		item[name] = a
	}
	if _, err := g.client.PutItem(context.Background(), &dynamodb.PutItemInput{TableName: &table.Name, Item: item}); err != nil {
		g.t.Fatal(err)
	}
}

// items returns the items of a table in DynamoDB's own form.
func (g *target) items(table string) (items []map[string]types.AttributeValue) {
	g.t.Helper()
	in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}
	for {
		out, err := g.client.Scan(context.Background(), in)
		if err != nil {
			g.t.Fatal(err)
		}
		items = append(items, out.Items...)
		if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
			return items
		}
	}
}

// all returns the items of a kind in the form of store/mem.
func (g *target) all(kind record.Kind) map[record.Name]mem.Document {
	g.t.Helper()
	table, _ := kind.Table()
	all := make(map[record.Name]mem.Document)
	for _, item := range g.items(table.Name) {
		d := mem.Document{Fields: make(map[string]record.Value)}
		fields := make(map[string]record.Field)
		for name, a := range item {
			v, err := dynamo.ValueOf(a)
			if err != nil {
				g.t.Fatal(err)
			}
			d.Fields[name], fields[name] = v, record.Field{Value: v}
		}
		name, err := record.ItemName(table.Keys, fields)
		if err != nil {
			g.t.Fatal(err)
		}
		all[name] = d
	}
	return all
}

// reminder returns a record of an item with the key and the attributes besides.
func reminder(server int64, key string, attributes map[string]record.Value) record.Record {
	all := map[string]record.Value{"discord_server_id": server, "rem_key": key}
	maps.Copy(all, attributes)
	return storetest.Item(record.Remember, all)
}

type values = map[string]record.Value

// said returns a reminder of a text.
func said(server int64, key, text string) record.Record {
	return reminder(server, key, values{"rem_value": text})
}

// write merges a batch, and returns the outcomes and the values that gave way.
func write(t testing.TB, sink record.Sink, batch ...record.Record) (outcomes []record.Outcome, superseded []record.Superseded) {
	t.Helper()
	outcomes, err := sink.Write(context.Background(), batch, func(values []record.Superseded) error {
		superseded = append(superseded, values...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return outcomes, superseded
}

// columns counts the outcomes.
func columns(outcomes []record.Outcome) map[record.Status]int {
	counts := make(map[record.Status]int)
	for _, o := range outcomes {
		counts[o.Status]++
	}
	return counts
}

// is checks that the table's items of the server are the records, and nothing else.
func (g *target) is(server int64, want ...record.Record) {
	g.t.Helper()
	texts := func(all []record.Record) map[string]string {
		by := make(map[string]string)
		for _, r := range all {
			for name, f := range r.Fields {
				by[r.Name.String()+" "+name] = string(record.JSON(f.Value))
			}
		}
		return by
	}
	var there []record.Record
	for name, d := range g.all(record.Remember) {
		if d.Fields["discord_server_id"] != server {
			continue
		}
		r := record.Record{Kind: record.Remember, Name: name, Fields: make(map[string]record.Field)}
		for name, v := range d.Fields {
			r.Fields[name] = record.Field{Value: v}
		}
		there = append(there, r)
	}
	if d := cmp.Diff(texts(want), texts(there)); d != "" {
		g.t.Errorf("items (-want +there):\n%s", d)
	}
}

// isWrite reports whether a request changes something.
func isWrite(c dynamoserver.Call) bool {
	return slices.Contains([]string{"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "CreateTable"}, c.Operation)
}
