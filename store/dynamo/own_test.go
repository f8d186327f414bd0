package dynamo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

// tables returns the names of the server's tables.
func (g *target) tables() []string {
	g.t.Helper()
	list, err := g.client.ListTables(context.Background(), &dynamodb.ListTablesInput{})
	if err != nil {
		g.t.Fatal(err)
	}
	return list.TableNames
}

func TestRunsAreKept(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	storetest.Runs(t, g.Runs())
}

func TestWhatOnlyLooksMakesNoTable(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	if got := columns(first(write(t, g.Sink(dynamo.SinkOptions{DryRun: true}), said(1, "meeting", "tomorrow")))); got[record.Inserted] != 1 {
		t.Errorf("%v", got)
	}
	if found, err := g.Checkpoints().Find(t.Context(), "scope"); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	if runs, err := g.Runs().LastRuns(t.Context()); err != nil || len(runs) > 0 {
		t.Errorf("%v, %v", runs, err)
	}
	if err := g.Checkpoints().Remove(t.Context(), "run"); err != nil {
		t.Error(err)
	}
	if rows, err := g.Forget(t.Context(), false); err != nil || rows != 0 {
		t.Errorf("%d rows are forgotten: %v", rows, err)
	}
	if slices.Contains(g.tables(), dynamo.OwnTable) {
		t.Errorf("there are %v", g.tables())
	}
	g.is(1)
}

func TestWhatIsForgottenIsSomebodyElses(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	sink := g.Sink(dynamo.SinkOptions{})
	write(t, sink, said(1, "meeting", "tomorrow"), said(1, "lunch", "now"))
	for _, dryRun := range []bool{true, false} {
		if rows, err := g.Forget(t.Context(), dryRun); err != nil || rows != 2 {
			t.Errorf("%d rows are forgotten: %v", rows, err)
		}
		if there := slices.Contains(g.tables(), dynamo.OwnTable); there != dryRun {
			t.Errorf("dry run %v: the table is there: %v", dryRun, there)
		}
	}
	if got := columns(first(write(t, g.Sink(dynamo.SinkOptions{}), said(1, "meeting", "today"), said(1, "dinner", "later")))); got[record.Conflicted] != 1 || got[record.Inserted] != 1 {
		t.Errorf("%v", got)
	}
}

func TestADigestGoesOnceItsItemIsAnother(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	for i := range 5 {
		write(t, g.Sink(dynamo.SinkOptions{}), said(1, "meeting", fmt.Sprint(i)))
	}
	if rows := g.items(dynamo.OwnTable); len(rows) != 1 {
		t.Errorf("%d rows, want that of the item as it is", len(rows))
	}
	write(t, g.Sink(dynamo.SinkOptions{}), reminder(1, "meeting", values{"another": "x"}))
	g.is(1, reminder(1, "meeting", values{"another": "x"}))
}

func TestAnotherProcessKeepsItsCheckpoint(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	proxy := dynamoserver.NewProxy(t, g.server)
	checkpoints := openAt(t, proxy.URI).Checkpoints()
	met := make(map[string]bool)
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if met[string(c.Body)] {
			return dynamoserver.None
		}
		met[string(c.Body)] = true
		return dynamoserver.CutAfter
	})
	me, other := record.Owner{Host: "here", PID: 1, Run: "a"}, record.Owner{Host: "there", PID: 2, Run: "b"}
	save := func(c record.Checkpoint, from record.Owner, want bool) {
		t.Helper()
		if saved, err := checkpoints.Save(t.Context(), c, from); err != nil || saved != want {
			t.Errorf("saved by %s from %s: %v, %v", c.Owner.Run, from.Run, saved, err)
		}
	}
	c := record.Checkpoint{ID: "run", Scope: "s", Owner: me, Heartbeat: time.Now()}
	save(c, me, true)
	c.Owner = other
	save(c, record.Owner{Run: "nobody"}, false)
	save(c, me, true)
	c.Owner = me
	save(c, me, false)
	if found, err := checkpoints.Find(t.Context(), "s"); err != nil || len(found) != 1 || found[0].Owner != other {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestATableThatSomebodyElseMadeIsNotTakenForOurs(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	g.server.Create(t, record.Table{Name: dynamo.OwnTable, Keys: []record.Attribute{{Name: "key", Type: record.TextType}}})
	_, err := g.Sink(dynamo.SinkOptions{}).Write(t.Context(), []record.Record{said(1, "meeting", "tomorrow")}, nil)
	if !errors.Is(err, dynamo.ErrKeySchema) {
		t.Errorf("write: %v", err)
	}
	if _, err := g.Forget(t.Context(), false); !errors.Is(err, dynamo.ErrKeySchema) || !slices.Contains(g.tables(), dynamo.OwnTable) {
		t.Errorf("forget: %v", err)
	}
	g.is(1)
}

func TestWhatIsNotAllowedIsNamed(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	proxy := dynamoserver.NewProxy(t, g.server)
	sink := openAt(t, proxy.URI).Sink(dynamo.SinkOptions{})
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if c.Operation == "CreateTable" {
			return dynamoserver.Denied
		}
		return dynamoserver.None
	})
	_, err := sink.Write(t.Context(), []record.Record{said(1, "meeting", "tomorrow")}, nil)
	if !errors.Is(err, dynamo.ErrPermission) || !strings.Contains(fmt.Sprint(err), "CreateTable") {
		t.Errorf("%v", err)
	}
	g.is(1)
	proxy.Decide(nil)
	write(t, sink, said(1, "meeting", "tomorrow"))
	g.is(1, said(1, "meeting", "tomorrow"))
}

func TestTheOwnTableIsPaidForByTheRequest(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	write(t, g.Sink(dynamo.SinkOptions{}), said(1, "meeting", "tomorrow"))
	out, err := g.client.DescribeTable(t.Context(), &dynamodb.DescribeTableInput{TableName: aws.String(dynamo.OwnTable)})
	if err != nil || out.Table.BillingModeSummary == nil || out.Table.BillingModeSummary.BillingMode != "PAY_PER_REQUEST" {
		t.Errorf("%+v, %v", out.Table, err)
	}
}

func TestADigestThatAnotherWritesAgainStays(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	proxy := dynamoserver.NewProxy(t, g.server)
	write(t, g.Sink(dynamo.SinkOptions{}), said(1, "meeting", "1"))
	proxy.Decide(changing("DeleteItem", "digest/", func() { // the item is 2 already, and the digest of 1 is about to go
		if got := first(write(t, g.Sink(dynamo.SinkOptions{}), said(1, "meeting", "1"))); got[0].Status != record.Updated {
			t.Errorf("changed back: %+v", got[0])
		}
	}))
	write(t, openAt(t, proxy.URI).Sink(dynamo.SinkOptions{}), said(1, "meeting", "2"))
	g.is(1, said(1, "meeting", "1"))
	if got := first(write(t, g.Sink(dynamo.SinkOptions{}), said(1, "meeting", "3"))); got[0].Status != record.Updated {
		t.Errorf("changed again: %+v", got[0])
	}
}

func TestForgettingGoesOnAfterAnAnswerWasLost(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	write(t, g.Sink(dynamo.SinkOptions{}), said(1, "meeting", "tomorrow"))
	proxy := dynamoserver.NewProxy(t, g.server)
	proxy.Decide(changing("DeleteTable", "", func() { drop(t, g.client, true) }))
	if rows, err := openAt(t, proxy.URI).Forget(t.Context(), false); err != nil || rows != 1 {
		t.Errorf("%d rows: %v", rows, err)
	}
}

// TestANewTableThatNotAllServersKnowOfIsWaitedFor has those who are asked for items learn of it later than who is asked for the table.
func TestANewTableThatNotAllServersKnowOfIsWaitedFor(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	proxy := dynamoserver.NewProxy(t, g.server)
	made, later := false, 3
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		made = made || c.Operation == "CreateTable"
		if made && c.Operation != "DescribeTable" && c.Operation != "CreateTable" && bytes.Contains(c.Body, []byte(dynamo.OwnTable)) {
			if later--; later >= 0 {
				return "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"
			}
		}
		return dynamoserver.None
	})
	write(t, openAt(t, proxy.URI).Sink(dynamo.SinkOptions{}), said(1, "meeting", "tomorrow"))
	g.is(1, said(1, "meeting", "tomorrow"))
}
