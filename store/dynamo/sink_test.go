package dynamo_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

func TestTarget(t *testing.T) {
	t.Parallel()
	server := dynamoserver.New(t)
	client := server.Client(t)
	storetest.RunTables(t, func(t testing.TB, o storetest.TableOptions) storetest.TableTarget {
		empty(t, server, client)
		g := &target{openAt(t, server.URI), t, server, client}
		put := func(kind record.Kind, _ record.Name, d mem.Document) { g.put(kind, d) }
		if o.Before != nil {
			o.Before(put)
		}
		return storetest.TableTarget{
			Sink: g.Sink(dynamo.SinkOptions{Policy: o.Policy, DryRun: o.DryRun}), Checkpoints: g.Checkpoints(), Reader: g.Reader(),
			Put: put, All: g.all, MarksBeside: true,
			Drop: func() {
				drop(t, client, false)
				for _, kind := range storetest.TestedTables.List() {
					table, _ := kind.Table()
					server.Create(t, table)
				}
			},
		}
	})
}

func TestRecordsOfOneItemAreMergedOneAfterTheOther(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	var batch []record.Record
	for i := range 30 {
		batch = append(batch, said(1, "meeting", fmt.Sprint(i)))
	}
	outcomes, superseded := write(t, g.Sink(dynamo.SinkOptions{}), batch...)
	if got := columns(outcomes); got[record.Inserted] != 1 || got[record.Updated] != 29 || len(superseded) != 29 {
		t.Errorf("%v, %d superseded", got, len(superseded))
	}
	g.is(1, batch[29])
}

func TestAnItemThatTheServerRefusesIsRejectedAlone(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	indexed(t, g)
	bad := reminder(1, "bad", values{"rem_value": int64(7)})
	write(t, g.Sink(dynamo.SinkOptions{}), said(1, "worse", "1"))
	worse := reminder(1, "worse", values{"rem_value": int64(7)})
	misnamed := said(1, "another", "tomorrow")
	misnamed.Name = said(1, "key", "").Name
	empty := said(1, "", "tomorrow")
	outcomes, _ := write(t, g.Sink(dynamo.SinkOptions{}), bad, said(1, "good", "tomorrow"), worse, misnamed, said(1, "better", "tomorrow"), empty)
	reasons := []record.Reason{record.RefusedByTarget, "", record.RefusedByTarget, record.InvalidItemKey, "", record.RefusedByTarget}
	for i, o := range outcomes {
		switch {
		case reasons[i] == "" && o.Status != record.Inserted:
			t.Errorf("record %d is counted in column %d", i, o.Status)
		case reasons[i] != "" && (o.Status != record.Rejected || len(o.Rejects) == 0 || o.Rejects[0].Reason != reasons[i]):
			t.Errorf("record %d: %+v", i, o)
		}
	}
	g.is(1, said(1, "good", "tomorrow"), said(1, "worse", "1"), said(1, "better", "tomorrow"))
}

func TestAServerThatRefusesEverythingIsToBlame(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	indexed(t, g)
	var batch []record.Record
	for i := range 10 {
		batch = append(batch, reminder(1, fmt.Sprint(i), values{"rem_value": int64(7)}))
	}
	if _, err := g.Sink(dynamo.SinkOptions{}).Write(t.Context(), batch, nil); !errors.Is(err, dynamo.ErrRequest) {
		t.Errorf("%v", err)
	}
}

// indexed gives the table remember an index of texts by rem_value.
func indexed(t *testing.T, g *target) {
	t.Helper()
	drop(t, g.client, true)
	name := func(s string) *string { return &s }
	_, err := g.client.CreateTable(t.Context(), &dynamodb.CreateTableInput{
		TableName: name("remember"), BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{{AttributeName: name("discord_server_id"), KeyType: types.KeyTypeHash}, {AttributeName: name("rem_key"), KeyType: types.KeyTypeRange}},
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: name("discord_server_id"), AttributeType: types.ScalarAttributeTypeN}, {AttributeName: name("rem_key"), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: name("rem_value"), AttributeType: types.ScalarAttributeTypeS},
		},
		GlobalSecondaryIndexes: []types.GlobalSecondaryIndex{{
			IndexName: name("by_value"), KeySchema: []types.KeySchemaElement{{AttributeName: name("rem_value"), KeyType: types.KeyTypeHash}},
			Projection: &types.Projection{ProjectionType: types.ProjectionTypeAll},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	waiter := dynamodb.NewTableExistsWaiter(g.client, func(o *dynamodb.TableExistsWaiterOptions) { o.MinDelay, o.MaxDelay = time.Millisecond, time.Second })
	if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: name("remember")}, time.Minute); err != nil {
		t.Fatal(err)
	}
}

func TestALargeListIsChanged(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	list := func(n int) record.Value {
		var a record.Array
		for i := range n {
			a = append(a, record.Object{"n": int64(i)})
		}
		return a
	}
	for _, n := range []int{1000, 1001} {
		write(t, g.Sink(dynamo.SinkOptions{}), reminder(1, "meeting", values{"list": list(n)}))
		g.is(1, reminder(1, "meeting", values{"list": list(n)}))
	}
}
