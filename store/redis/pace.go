package redis

import (
	"context"
	"time"

	"golang.org/x/time/rate"

	"github.com/lanyardctl/lanyardctl/internal/retry"
)

// pace holds all scans of a store together to a number of keys a second. The nil pace holds nothing.
type pace struct {
	limit *rate.Limiter
	now   func() time.Time
	sleep func(context.Context, time.Duration) error
}

// A scan stops pausesASecond times a second at least. What it is behind for having waited for others it catches up with, up
// to what savedUp would have let it read.
const (
	pausesASecond = 10
	savedUp       = 2 // that part of a second
)

// newPace returns the pace of so many keys a second; nil where that is zero.
func newPace(keys int) *pace {
	if keys <= 0 {
		return nil
	}
	burst := max(keys/savedUp, 1)
	p := &pace{limit: rate.NewLimiter(rate.Limit(keys), burst), now: time.Now, sleep: retry.Sleep}
	p.limit.AllowN(p.now(), burst) // it begins with nothing saved up
	return p
}

// take returns once so many keys more have had their time.
func (p *pace) take(ctx context.Context, keys int) error {
	if p == nil {
		return nil
	}
	for keys > 0 {
		n := min(keys, p.limit.Burst())
		now := p.now()
		if err := p.sleep(ctx, p.limit.ReserveN(now, n).DelayFrom(now)); err != nil {
			return err
		}
		keys -= n
	}
	return nil
}

// page returns how many keys a scan asks for at a time, of the usual number.
func (p *pace) page(usual int) int {
	if p == nil {
		return usual
	}
	return min(usual, max(int(p.limit.Limit())/pausesASecond, 1))
}
