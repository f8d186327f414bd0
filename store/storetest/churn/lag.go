package churn

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// LagField is the field of the probe's user that holds the number of its last write.
const LagField = "probe"

// Lag measures how soon a mirror has what was written: it writes a number to a user of its own now and then, and looks at
// the mirror for it all the time.
type Lag struct {
	Client goredis.UniversalClient
	User   string                                // who has nothing else
	See    func(context.Context) (string, error) // returns the field as the mirror has it, empty while it has none
	Every  time.Duration                         // between two writes; 20 ms where it is zero

	times []time.Duration
}

// look is how often the mirror is looked at, and so how exact a measurement is.
const look = 2 * time.Millisecond

// Run measures until ctx ends, and waits then until the last write is seen, for as long as patience says.
func (l *Lag) Run(ctx context.Context, patience time.Duration) error {
	if l.Every == 0 {
		l.Every = 20 * time.Millisecond
	}
	var waiting []time.Time // when the writes began that are not seen yet
	written, seen := 0, 0
	var next, end time.Time
	tick := time.NewTicker(look)
	defer tick.Stop()
	for ; ; <-tick.C {
		now := time.Now()
		over := ctx.Err() != nil
		switch {
		case over && len(waiting) == 0:
			return nil
		case over && end.IsZero():
			end = now.Add(patience)
		case over && now.After(end):
			return fmt.Errorf("%d writes are not seen after %s", len(waiting), patience)
		case !over && now.After(next):
			next = now.Add(l.Every)
			written++
			if err := l.Client.HSet(context.WithoutCancel(ctx), "lanyard_kv:"+l.User, LagField, written).Err(); err != nil {
				return err
			}
			waiting = append(waiting, now)
		}
		if len(waiting) == 0 {
			continue
		}
		text, err := l.See(context.WithoutCancel(ctx))
		if err != nil {
			return err
		}
		at, err := strconv.Atoi(text)
		if text != "" && err != nil || at < seen || at > written {
			return fmt.Errorf("the mirror has %q, after %d and of %d", text, seen, written)
		}
		for now = time.Now(); seen < at; seen++ {
			l.times = append(l.times, now.Sub(waiting[0]))
			waiting = waiting[1:]
		}
	}
}

// String returns the figures for people.
func (l *Lag) String() string {
	if len(l.times) == 0 {
		return "nothing was measured"
	}
	return fmt.Sprintf("lag of %d writes: p50 %s, p90 %s, p99 %s, max %s", len(l.times), l.At(50), l.At(90), l.At(99), l.At(100))
}

// At returns the lag that so many percent of the writes kept within.
func (l *Lag) At(percent int) time.Duration {
	if len(l.times) == 0 {
		return 0
	}
	slices.Sort(l.times)
	return l.times[max(0, (len(l.times)*percent+99)/100-1)].Round(100 * time.Microsecond)
}
