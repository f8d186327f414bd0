package retry_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

var errAway = fmt.Errorf("no answer: %w", record.ErrUnavailable)

// inBubbles runs the test several times, since waits are random, by a clock that waits move.
func inBubbles(t *testing.T, test func(t *testing.T)) {
	for range 50 {
		synctest.Test(t, test)
	}
}

func TestACallIsMadeUntilItSucceeds(t *testing.T) {
	inBubbles(t, func(t *testing.T) {
		begun := time.Now()
		calls := 0
		err := retry.Policy{}.Do(t.Context(), func() error {
			calls++
			if time.Since(begun) < time.Minute {
				return errAway
			}
			return nil
		})
		if took := time.Since(begun); err != nil || calls < 2 || took > time.Minute+5*time.Second {
			t.Errorf("%v after %d calls in %s", err, calls, took)
		}
	})
}

func TestTheTotalTimeIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		policy      retry.Policy
		first, each time.Duration // how long the first call and the others take
		least, most time.Duration
	}{
		"calls that fail at once":            {retry.Policy{}, 0, 0, retry.DefaultFor, retry.DefaultFor},
		"another time":                       {retry.Policy{For: 10 * time.Second}, 0, 0, 10 * time.Second, 10 * time.Second},
		"a first call that was silent":       {retry.Policy{}, time.Minute, 0, retry.DefaultFor, retry.DefaultFor},
		"a first call that worked for long":  {retry.Policy{}, time.Hour, 0, time.Hour + time.Minute, time.Hour + time.Minute},
		"later calls that take long":         {retry.Policy{}, 0, 50 * time.Second, retry.DefaultFor, retry.DefaultFor + 50*time.Second},
		"a first wait longer than the whole": {retry.Policy{Backoff: time.Hour, For: time.Second}, 0, 0, time.Microsecond, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubbles(t, func(t *testing.T) {
				begun := time.Now()
				takes := c.first
				err := c.policy.Do(t.Context(), func() error {
					time.Sleep(takes)
					takes = c.each
					return errAway
				})
				if took := time.Since(begun); took < c.least || took > c.most {
					t.Errorf("given up after %s, want %s to %s", took, c.least, c.most)
				}
				if !errors.Is(err, errAway) || !errors.Is(err, record.ErrGivenUp) || err.Error() != errAway.Error() {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestWaitsAreRandomUpToALimitThatDoubles(t *testing.T) {
	waits := make(map[int]map[time.Duration]bool)
	inBubbles(t, func(t *testing.T) {
		n, before := 0, time.Now()
		limit := 100 * time.Millisecond
		_ = retry.Policy{Backoff: limit, Notify: func(err error, wait, left time.Duration) {
			if !errors.Is(err, errAway) || wait <= 0 || wait > limit || wait > left || left > retry.DefaultFor-time.Since(before) {
				t.Errorf("wait %d is %s of at most %s, with %s left: %v", n, wait, limit, left, err)
			}
			if waits[n] == nil {
				waits[n] = make(map[time.Duration]bool)
			}
			waits[n][wait] = true
			n, limit = n+1, min(2*limit, 5*time.Second)
		}}.Do(t.Context(), func() error { return errAway })
	})
	for n := range 10 {
		if len(waits[n]) < 40 {
			t.Errorf("wait %d was one of %d", n, len(waits[n]))
		}
	}
}

func TestWhatIsNotTemporaryIsNotTriedAgain(t *testing.T) {
	boom := errors.New("boom")
	for name, err := range map[string]error{
		"nothing":         nil,
		"another error":   boom,
		"a call given up": fmt.Errorf("%w: %w", errAway, record.ErrGivenUp),
	} {
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			policy := retry.Policy{Notify: func(error, time.Duration, time.Duration) { t.Errorf("%s: told", name) }}
			got := policy.Do(t.Context(), func() error {
				calls++
				return err
			})
			if got != err || calls != 1 {
				t.Errorf("%s: %v after %d calls", name, got, calls)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		err := retry.Policy{Temporary: func(err error) bool { return errors.Is(err, boom) }}.Do(t.Context(), func() error {
			if calls++; calls == 1 {
				return boom
			}
			return errAway
		})
		if err != errAway || calls != 2 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

func TestACancelledContextEndsTheWait(t *testing.T) {
	for name, from := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		"itself":            context.WithCancel,
		"under what drains": func(ctx context.Context) (context.Context, context.CancelFunc) { return retry.Drain(ctx, time.Hour) },
		"below what drains": drainedTwice,
	} {
		t.Run(name, func(t *testing.T) {
			for _, at := range []time.Duration{0, time.Minute} {
				synctest.Test(t, func(t *testing.T) {
					interrupted, interrupt := context.WithCancel(t.Context())
					ctx, done := from(interrupted)
					defer done()
					begun := time.Now()
					if at == 0 {
						interrupt()
					} else {
						time.AfterFunc(at, interrupt)
					}
					calls := 0
					err := retry.Policy{Backoff: time.Hour, For: 24 * time.Hour}.Do(ctx, func() error {
						calls++
						return errAway
					})
					if took := time.Since(begun); err != errAway || took > at || at == 0 && calls != 1 {
						t.Errorf("%v after %s and %d calls", err, took, calls)
					}
				})
			}
		})
	}
}

func drainedTwice(ctx context.Context) (context.Context, context.CancelFunc) {
	draining, done := retry.Drain(ctx, time.Hour)
	inner, cancel := context.WithCancel(draining)
	return inner, func() { cancel(); done() }
}

func TestAServerIsLeftAloneForAsLongAsItAsks(t *testing.T) {
	inBubbles(t, func(t *testing.T) {
		const asked = 10 * time.Minute
		begun := time.Now()
		var last time.Time
		policy := retry.Policy{For: time.Second, Asked: func(error) time.Duration { return asked }}
		err := policy.Do(t.Context(), func() error {
			if !last.IsZero() && time.Since(last) <= asked {
				t.Errorf("called after %s", time.Since(last))
			}
			if last = time.Now(); last.Sub(begun) > 3*asked {
				return nil
			}
			return errAway
		})
		if err != nil {
			t.Errorf("%v: what the server asks for counts", err)
		}
	})
}

func TestANoticeSaysWhatAndWhen(t *testing.T) {
	var said []string
	notify := retry.Notice("the target", func(message string) { said = append(said, message) })
	notify(errAway, 1234567890*time.Nanosecond, 109600*time.Millisecond)
	const want = "the target is unavailable (no answer: server unavailable); trying again in 1.23s, for another 1m50s"
	if got := strings.Join(said, "\n"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
