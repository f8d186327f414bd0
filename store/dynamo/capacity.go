package dynamo

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/time/rate"

	"github.com/lanyardctl/lanyardctl/internal/retry"
)

// pace holds requests to a number of capacity units a second. What a request took is known when it is answered; so it waits
// for what it is thought to take, and what it took beside that the next ones wait for. A nil pace holds nothing.
type pace struct {
	now   func() time.Time
	sleep func(context.Context, time.Duration) error

	mu      sync.Mutex
	limiter *rate.Limiter // of halves of a unit, in which DynamoDB counts
	credit  int           // of those that were waited for and not taken, of a quarter of a second at most
}

// newPace returns the pace of the capacity units a second; nil for zero.
func newPace(units int) *pace {
	if units <= 0 {
		return nil
	}
	burst := max(1, units*2/10) // a tenth of a second
	return &pace{now: time.Now, sleep: retry.Sleep, limiter: rate.NewLimiter(rate.Limit(2*units), burst)}
}

// perSecond returns the units a second; false where any number may be taken.
func (p *pace) perSecond() (units float64, held bool) {
	if p == nil {
		return 0, false
	}
	return float64(p.limiter.Limit()) / 2, true
}

// take waits until the units are to be had.
func (p *pace) take(ctx context.Context, units float64) error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	wait := p.charge(halves(units))
	p.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	return p.sleep(ctx, wait)
}

// settle charges what was taken in place of what was thought; nothing where the server does not tell, by a negative number.
func (p *pace) settle(thought, taken float64) {
	if p == nil || taken < 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.charge(halves(taken) - halves(thought))
}

// charge returns how long it takes until the halves are to be had.
func (p *pace) charge(n int) (wait time.Duration) {
	burst := p.limiter.Burst()
	used := min(n, p.credit) // negative for what is given back
	p.credit = min(p.credit-used, max(1, int(p.limiter.Limit()/4)))
	now := p.now()
	for n -= used; n > 0; n -= burst {
		wait = p.limiter.ReserveN(now, min(n, burst)).DelayFrom(now)
	}
	return wait
}

func halves(units float64) int { return int(math.Ceil(2 * units)) }

// consumed returns the capacity units that a request took, as its answer tells; a negative number where it does not.
func consumed(out any) float64 {
	var told []types.ConsumedCapacity
	add := func(c *types.ConsumedCapacity) {
		if c != nil {
			told = append(told, *c)
		}
	}
	switch out := out.(type) {
	case *dynamodb.ScanOutput:
		add(out.ConsumedCapacity)
	case *dynamodb.QueryOutput:
		add(out.ConsumedCapacity)
	case *dynamodb.GetItemOutput:
		add(out.ConsumedCapacity)
	case *dynamodb.PutItemOutput:
		add(out.ConsumedCapacity)
	case *dynamodb.UpdateItemOutput:
		add(out.ConsumedCapacity)
	case *dynamodb.DeleteItemOutput:
		add(out.ConsumedCapacity)
	case *dynamodb.BatchGetItemOutput:
		told = out.ConsumedCapacity
	case *dynamodb.BatchWriteItemOutput:
		told = out.ConsumedCapacity
	}
	units := -1.0
	for _, c := range told {
		if c.CapacityUnits != nil {
			units = max(units, 0) + *c.CapacityUnits
		}
	}
	return units
}

// What one unit reads at most, in bytes, without consistency twice as much; and what one writes.
const (
	readUnit  = 4 << 10
	writeUnit = 1 << 10
)

// writeUnits returns the capacity units that it takes to write an item of so many bytes.
func writeUnits(size int) float64 { return math.Ceil(float64(max(size, 1)) / writeUnit) }

// readUnits returns the capacity units that it takes to read an item, or the items of a page together, of so many bytes.
func (s *Store) readUnits(size int) float64 {
	units := math.Ceil(float64(max(size, 1)) / readUnit)
	if !s.opts.Consistent {
		units /= 2
	}
	return units
}
