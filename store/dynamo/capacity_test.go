package dynamo

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/dynamoserver"
)

// clock is the time of a pace under test, which passes while somebody waits.
type clock struct{ now time.Time }

func paceAt(units int) (*pace, *clock) {
	c := &clock{time.Unix(1e9, 0)}
	p := newPace(units)
	p.now = func() time.Time { return c.now }
	p.sleep = func(_ context.Context, d time.Duration) error { c.now = c.now.Add(d); return nil }
	return p, c
}

// TestThePaceIsHeld has requests of any size, whose cost is thought to be more or less than it is, come as fast as they may:
// over ten seconds and more they take at most a tenth more than was asked for, and not less than they may by more than that.
func TestThePaceIsHeld(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.SampledFrom([]int{1, 5, 40, 1000}).Draw(t, "units a second")
		p, c := paceAt(units)
		begun, taken := c.now, 0.0
		for c.now.Sub(begun) < 10*time.Second {
			cost := rapid.Float64Range(0.01, 0.25).Draw(t, "cost") * float64(units)
			thought := cost * rapid.SampledFrom([]float64{0, 0.5, 1, 1.5}).Draw(t, "thought")
			if err := p.take(context.Background(), thought); err != nil {
				t.Fatal(err)
			}
			p.settle(thought, float64(halves(cost))/2)
			taken += float64(halves(cost)) / 2
		}
		_ = p.take(context.Background(), 0.5) // what is owed is waited for
		took := c.now.Sub(begun).Seconds()
		if rate := taken / took; rate > 1.1*float64(units) || rate < 0.85*float64(units)-0.5 {
			t.Fatalf("%.1f units a second of %d, over %.1f seconds", rate, units, took)
		}
	})
}

func TestAPaceThatIsNone(t *testing.T) {
	t.Parallel()
	p := newPace(0)
	if err := p.take(t.Context(), 1e9); err != nil {
		t.Fatal(err)
	}
	p.settle(1, 1e9)
	if _, held := p.perSecond(); held {
		t.Error("it is held")
	}
	slow := newPace(1)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if err := slow.take(ctx, 1000); err != stop {
		t.Errorf("a wait that is cancelled: %v", err)
	}
}

// TestWhatWasWaitedForInVainIsNoReserve has a request take far less than it was thought to: the next ones come no faster.
func TestWhatWasWaitedForInVainIsNoReserve(t *testing.T) {
	t.Parallel()
	p, c := paceAt(10)
	_ = p.take(t.Context(), 100)
	p.settle(100, 0.5)
	begun := c.now
	_ = p.take(t.Context(), 50)
	if took := c.now.Sub(begun); took < 4600*time.Millisecond {
		t.Errorf("50 units of 10 a second took %s", took)
	}
}

func TestWhatTheServerDoesNotTellIsEstimated(t *testing.T) {
	t.Parallel()
	p, c := paceAt(10)
	begun := c.now
	for range 20 {
		_ = p.take(t.Context(), 10)
		p.settle(10, consumed(&dynamodb.ScanOutput{}))
	}
	if took := c.now.Sub(begun); took < 19*time.Second || took > 20*time.Second {
		t.Errorf("200 units of 10 a second took %s", took)
	}
}

func TestConsumedCapacity(t *testing.T) {
	t.Parallel()
	one := types.ConsumedCapacity{CapacityUnits: aws.Float64(1.5)}
	for _, c := range []struct {
		out  any
		want float64
	}{
		{&dynamodb.ScanOutput{ConsumedCapacity: &one}, 1.5}, {&dynamodb.QueryOutput{ConsumedCapacity: &one}, 1.5}, {&dynamodb.GetItemOutput{ConsumedCapacity: &one}, 1.5},
		{&dynamodb.PutItemOutput{ConsumedCapacity: &one}, 1.5}, {&dynamodb.UpdateItemOutput{ConsumedCapacity: &one}, 1.5}, {&dynamodb.DeleteItemOutput{ConsumedCapacity: &one}, 1.5},
		{&dynamodb.BatchGetItemOutput{ConsumedCapacity: []types.ConsumedCapacity{one, one}}, 3},
		{&dynamodb.BatchWriteItemOutput{ConsumedCapacity: []types.ConsumedCapacity{one, one}}, 3}, {&dynamodb.ScanOutput{}, -1}, {&dynamodb.DescribeTableOutput{}, -1},
	} {
		if got := consumed(c.out); got != c.want {
			t.Errorf("%T: %v", c.out, got)
		}
	}
}

// TestAScanIsHeldToItsCapacity counts what the server tells of a scan by several readers.
func TestAScanIsHeldToItsCapacity(t *testing.T) {
	t.Parallel()
	server := serve(t, kinds(record.Remember))
	proxy := dynamoserver.NewProxy(t, server)
	put(t, server.Client(t), "remember", reminders(4000, 1000)...) // some 500 units
	const perSecond = 100
	s := openAt(t, proxy.URI, kinds(record.Remember), func(o *Options) { o.MaxRCU = perSecond })
	parts, err := s.Source(SourceOptions{Segments: 3}).Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	var wg sync.WaitGroup
	for _, part := range parts {
		wg.Go(func() {
			if err := part.Read(t.Context(), "", func(record.Page) error { return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	took, units, largest := time.Since(begun).Seconds(), 0.0, 0.0
	for _, c := range proxy.Calls() {
		units, largest = units+c.Units, max(largest, c.Units)
	}
	t.Logf("%.1f units in %.2f seconds, %.1f at a time", units, took, largest)
	// The last page of each reader is owed still.
	if most := 1.1*perSecond*took + perSecond/10; units-3*largest > most || units < 400 {
		t.Errorf("%.1f units in %.2f seconds, which have %.1f", units, took, most)
	}
	if largest > 1.1*perSecond/4 {
		t.Errorf("a page of %.1f units", largest)
	}
}
