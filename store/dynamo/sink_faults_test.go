package dynamo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/dynamo"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

// killed returns what lets n writes pass, has the next one carried out or not without its answer, and lets nothing pass from then on.
func killed(n int, carriedOut bool) func(dynamoserver.Call) dynamoserver.Fault {
	return func(c dynamoserver.Call) dynamoserver.Fault {
		switch {
		case n < 0:
			return dynamoserver.Expired
		case !isWrite(c):
			return dynamoserver.None
		}
		if n--; n >= 0 {
			return dynamoserver.None
		}
		if carriedOut {
			return dynamoserver.CutAfter
		}
		return dynamoserver.Expired
	}
}

// What is there before a run, what the run writes, and what another writes later.
func before(server int64) []record.Record {
	return []record.Record{said(server, "changes", "1"), said(server, "stays", "1"), reminder(server, "loses", values{"rem_value": "1", "gone": "1"})}
}

func during(server int64) []record.Record {
	return []record.Record{
		said(server, "new", "2"), said(server, "changes", "2"), said(server, "stays", "1"), said(server, "loses", "1"), said(server, "new/er", "2"),
		reminder(server, "changes a lot", many(500, "2")),
	}
}

func after(server int64) []record.Record {
	return []record.Record{
		said(server, "new", "3"), said(server, "changes", "3"), said(server, "stays", "3"), said(server, "loses", "3"), said(server, "new/er", "3"),
		reminder(server, "changes a lot", many(500, "3")),
	}
}

// many returns so many attributes.
func many(n int, text string) values {
	all := make(values)
	for i := range n {
		all[fmt.Sprintf("attribute %d", i)] = text
	}
	return all
}

func TestARunThatIsKilledAtAnyWriteIsRepeated(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	var writes int
	run := func(t *testing.T, server int64, faults func(dynamoserver.Call) dynamoserver.Fault) error {
		g := *g
		g.t = t
		write(t, g.Sink(dynamo.SinkOptions{}), append(before(server), reminder(server, "changes a lot", many(500, "1")))...)
		proxy := dynamoserver.NewProxy(t, g.server)
		sink := openAt(t, proxy.URI).Sink(dynamo.SinkOptions{})
		proxy.Decide(faults)
		begun := len(proxy.Calls())
		_, err := sink.Write(t.Context(), during(server), func([]record.Superseded) error { return nil })
		writes = len(slices.DeleteFunc(proxy.Calls()[begun:], func(c dynamoserver.Call) bool { return !isWrite(c) }))
		for _, o := range first(write(t, g.Sink(dynamo.SinkOptions{}), during(server)...)) {
			if o.Status == record.Conflicted || o.Status == record.Rejected {
				t.Errorf("repeated: %+v", o)
			}
		}
		g.is(server, during(server)...)
		if got := columns(first(write(t, g.Sink(dynamo.SinkOptions{}), after(server)...))); got[record.Updated] != len(after(server)) {
			t.Errorf("later: %v", got)
		}
		g.is(server, after(server)...)
		return err
	}
	if err := run(t, 1, nil); err != nil {
		t.Fatal(err)
	}
	if writes < 10 {
		t.Fatalf("%d writes", writes)
	}
	all := writes
	for n := range all {
		for _, carriedOut := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d %v", n, carriedOut), func(t *testing.T) {
				if err := run(t, int64(2+2*n+len(fmt.Sprint(carriedOut))%2), killed(n, carriedOut)); !errors.Is(err, dynamo.ErrExpired) {
					t.Errorf("a run that was killed: %v", err)
				}
			})
		}
	}
}

func TestARunWhoseAnswersAreLostCountsWhatItWrote(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	for n, fault := range []dynamoserver.Fault{dynamoserver.CutBefore, dynamoserver.CutAfter, dynamoserver.Unavailable, dynamoserver.Half} {
		t.Run(string(fault), func(t *testing.T) {
			g := *g
			g.t = t
			server := int64(n)
			write(t, g.Sink(dynamo.SinkOptions{}), before(server)...)
			proxy := dynamoserver.NewProxy(t, g.server)
			sink := openAt(t, proxy.URI).Sink(dynamo.SinkOptions{})
			met := make(map[string]bool)
			proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
				if met[string(c.Body)] || c.Operation == "DescribeTable" {
					return dynamoserver.None
				}
				met[string(c.Body)] = true
				return fault
			})
			outcomes, superseded := write(t, sink, during(server)[:5]...)
			want := []record.Status{record.Inserted, record.Updated, record.Unchanged, record.Updated, record.Inserted}
			for i, o := range outcomes {
				if o.Status != want[i] {
					t.Errorf("record %d is counted in column %d, want %d", i, o.Status, want[i])
				}
			}
			if len(superseded) != 2 {
				t.Errorf("superseded %v", superseded)
			}
			g.is(server, during(server)[:5]...)
		})
	}
}

func TestAThrottledTargetIsExact(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	proxy := dynamoserver.NewProxy(t, g.server)
	sink := openAt(t, proxy.URI).Sink(dynamo.SinkOptions{})
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if c.N%3 == 0 {
			return dynamoserver.Throttled
		}
		return dynamoserver.None
	})
	const n = 60
	for _, text := range []string{"1", "2"} {
		var batch []record.Record
		for i := range n {
			batch = append(batch, said(1, fmt.Sprint(i), text))
		}
		want := map[string]record.Status{"1": record.Inserted, "2": record.Updated}[text]
		if got := columns(first(write(t, sink, batch...))); got[want] != n {
			t.Errorf("write %s: %v", text, got)
		}
		g.is(1, batch...)
	}
}

// changing lets somebody change what the request that has the text in it is about, just before it comes.
func changing(operation, text string, change func()) func(dynamoserver.Call) dynamoserver.Fault {
	var once sync.Once
	return func(c dynamoserver.Call) dynamoserver.Fault {
		if c.Operation == operation && bytes.Contains(c.Body, []byte(text)) {
			once.Do(change)
		}
		return dynamoserver.None
	}
}

func TestWhatSomebodyWritesInBetweenStays(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	theirs := func(server int64, attributes values) func() {
		return func() {
			d := reminder(server, "meeting", attributes)
			fields := make(values)
			for name, f := range d.Fields {
				fields[name] = f.Value
			}
			g.put(record.Remember, mem.Document{Fields: fields})
		}
	}
	for n, c := range []struct {
		name      string
		before    values // by lanyardctl
		ours      values
		operation string
		change    func(server int64) func()
		status    record.Status
		want      values
	}{
		{"the attribute is changed", values{"a": "1"}, values{"a": "2"}, "UpdateItem", func(s int64) func() { return theirs(s, values{"a": "theirs"}) },
			record.Conflicted, values{"a": "theirs"}},
		{"a list in it is changed", values{"a": record.Array{"x", record.Object{"m": int64(1)}}}, values{"a": "2"}, "UpdateItem",
			func(s int64) func() { return theirs(s, values{"a": record.Array{"x", record.Object{"m": int64(2)}}}) },
			record.Conflicted, values{"a": record.Array{"x", record.Object{"m": int64(2)}}}},
		{"a list in it becomes longer", values{"a": record.Array{"x"}}, values{"a": "2"}, "UpdateItem",
			func(s int64) func() { return theirs(s, values{"a": record.Array{"x", "y"}}) }, record.Conflicted, values{"a": record.Array{"x", "y"}}},
		{"a map in it has one more", values{"a": record.Object{"x": nil}}, values{"a": "2"}, "UpdateItem",
			func(s int64) func() { return theirs(s, values{"a": record.Object{"x": nil, "y": nil}}) }, record.Conflicted, values{"a": record.Object{"x": nil, "y": nil}}},
		{"a list becomes a map of as many", values{"a": record.Array{}}, values{"a": "2"}, "UpdateItem",
			func(s int64) func() { return theirs(s, values{"a": record.Object{}}) }, record.Conflicted, values{"a": record.Object{}}},
		{"the attribute that goes is changed", values{"a": "1", "b": "1"}, values{"a": "1"}, "UpdateItem", func(s int64) func() { return theirs(s, values{"a": "1", "b": "theirs"}) },
			record.Unchanged, values{"a": "1", "b": "theirs"}},
		{"another attribute is changed", values{"a": "1", "b": "1"}, values{"a": "2", "b": "1"}, "UpdateItem", func(s int64) func() { return theirs(s, values{"a": "1", "b": "theirs"}) },
			record.Updated, values{"a": "2", "b": "theirs"}},
		{"the attribute that comes is there", values{"a": "1"}, values{"a": "1", "b": "2"}, "UpdateItem", func(s int64) func() { return theirs(s, values{"a": "1", "b": "theirs"}) },
			record.Conflicted, values{"a": "1", "b": "theirs"}},
		{"the item is there", nil, values{"a": "2"}, "PutItem", func(s int64) func() { return theirs(s, values{"a": "theirs"}) },
			record.Conflicted, values{"a": "theirs"}},
		{"the same item is there", nil, values{"a": "2"}, "PutItem", func(s int64) func() { return theirs(s, values{"a": "2"}) },
			record.Unchanged, values{"a": "2"}},
		{"the item is gone", values{"a": "1"}, values{"a": "2"}, "UpdateItem", func(s int64) func() {
			return func() {
				_, err := g.client.DeleteItem(context.Background(), &dynamodb.DeleteItemInput{TableName: aws.String("remember"), Key: map[string]types.AttributeValue{
					"discord_server_id": &types.AttributeValueMemberN{Value: fmt.Sprint(s)}, "rem_key": &types.AttributeValueMemberS{Value: "meeting"},
				}})
				if err != nil {
					t.Error(err)
				}
			}
		}, record.Inserted, values{"a": "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := *g
			g.t = t
			server := int64(n + 1)
			if c.before != nil {
				write(t, g.Sink(dynamo.SinkOptions{}), reminder(server, "meeting", c.before))
			}
			proxy := dynamoserver.NewProxy(t, g.server)
			sink := openAt(t, proxy.URI).Sink(dynamo.SinkOptions{})
			proxy.Decide(changing(c.operation, `"meeting"`, c.change(server)))
			outcomes, _ := write(t, sink, reminder(server, "meeting", c.ours))
			if outcomes[0].Status != c.status {
				t.Errorf("counted in column %d, want %d", outcomes[0].Status, c.status)
			}
			g.is(server, reminder(server, "meeting", c.want))
		})
	}
}

func TestTwoSinksAtOnce(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	const n = 60
	texts := []string{"old", "new"}
	batch := func(server int64, text string) (all []record.Record) {
		for i := range n {
			all = append(all, said(server, fmt.Sprint(i), text))
		}
		return all
	}
	for server := range int64(5) {
		var both sync.WaitGroup
		for _, text := range texts {
			both.Go(func() {
				outcomes, err := openAt(t, g.server.URI).Sink(dynamo.SinkOptions{}).Write(context.Background(), batch(server, text), func([]record.Superseded) error { return nil })
				if got := columns(outcomes); err != nil || got[record.Conflicted] > 0 {
					t.Errorf("%s: %v, %v", text, got, err)
				}
			})
		}
		both.Wait()
		if got := columns(first(write(t, g.Sink(dynamo.SinkOptions{}), batch(server, "later")...))); got[record.Updated] != n {
			t.Errorf("later: %v", got)
		}
		g.is(server, batch(server, "later")...)
	}
}

func first(outcomes []record.Outcome, _ []record.Superseded) []record.Outcome { return outcomes }

func TestWhatTheServerLeavesOfABatchIsAskedForAgain(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	proxy := dynamoserver.NewProxy(t, g.server)
	sink := openAt(t, proxy.URI).Sink(dynamo.SinkOptions{})
	proxy.Decide(func(dynamoserver.Call) dynamoserver.Fault { return dynamoserver.Half })
	const n = 60
	for i, text := range []string{"1", "2", "3"} {
		var batch []record.Record
		for i := range n {
			batch = append(batch, said(1, fmt.Sprint(i), text))
		}
		want := record.Updated
		if i == 0 {
			want = record.Inserted
		}
		if got := columns(first(write(t, sink, batch...))); got[want] != n {
			t.Errorf("write %s: %v", text, got)
		}
	}
}

// TestOneIsNotAlwaysInAHurry has others be at the item, in this region and in another, for more rounds than go by in a moment.
func TestOneIsNotAlwaysInAHurry(t *testing.T) {
	t.Parallel()
	g := newTarget(t)
	proxy := dynamoserver.NewProxy(t, g.server)
	sink := openAt(t, proxy.URI).Sink(dynamo.SinkOptions{})
	puts := 0
	proxy.Decide(func(c dynamoserver.Call) dynamoserver.Fault {
		if c.Operation != "PutItem" {
			return dynamoserver.None
		}
		switch puts++; {
		case puts > 14:
			return dynamoserver.None
		case puts%2 == 0:
			return "com.amazonaws.dynamodb.v20120810#TransactionConflictException"
		}
		return "com.amazonaws.dynamodb.v20120810#ReplicatedWriteConflictException"
	})
	begun := time.Now()
	if got := first(write(t, sink, said(1, "meeting", "tomorrow"))); got[0].Status != record.Inserted {
		t.Errorf("%+v", got)
	}
	if took := time.Since(begun); took < 300*time.Millisecond {
		t.Errorf("%d rounds in %s", puts, took)
	}
	g.is(1, said(1, "meeting", "tomorrow"))
}
