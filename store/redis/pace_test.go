package redis

import (
	"context"
	"errors"
	"testing"
	"time"
)

// clock is one that only those who sleep move.
type clock struct{ time.Time }

func paceOn(c *clock, keys int) *pace {
	p := newPace(keys)
	p.now = func() time.Time { return c.Time }
	p.sleep = func(_ context.Context, d time.Duration) error {
		c.Time = c.Add(d)
		return nil
	}
	return p
}

func TestAPaceIsHeldWithinFivePercent(t *testing.T) {
	for _, tc := range []struct {
		rate  int
		pages []int
	}{
		{10_000, []int{1000}},
		{10_000, []int{1003, 1000, 0, 7, 1250}}, // SCAN answers more or less than what it is asked for
		{1, []int{1}},
		{7, []int{1, 2, 30}},
		{300, []int{1000}},
		{1_000_000, []int{1000, 990}},
	} {
		c := &clock{time.Now()}
		p, begun, keys := paceOn(c, tc.rate), c.Time, 0
		for i := 0; keys < 20*tc.rate; i++ {
			n := tc.pages[i%len(tc.pages)]
			keys += n
			if err := p.take(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if got := float64(keys) / c.Sub(begun).Seconds() / float64(tc.rate); got < 0.95 || got > 1.05 {
			t.Errorf("%d keys a second in pages of %v: %.3f of it", tc.rate, tc.pages, got)
		}
	}
}

func TestWhatAScanDidNotUseIsNotCaughtUpWith(t *testing.T) {
	c := &clock{time.Now()}
	p := paceOn(c, 10_000)
	c.Time = c.Add(time.Hour)
	begun := c.Time
	if err := p.take(t.Context(), 20_000); err != nil {
		t.Fatal(err)
	}
	if took := c.Sub(begun); took < 1500*time.Millisecond {
		t.Errorf("20,000 keys took %s", took)
	}
}

func TestAPaceEndsWithItsContext(t *testing.T) {
	cause := errors.New("the cause")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if err := newPace(1).take(ctx, 1000); !errors.Is(err, cause) {
		t.Error(err)
	}
}
