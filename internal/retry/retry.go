// Package retry makes calls again where a server was unavailable, and gives what is under way when a run is
// interrupted the time to end. Of the layers that a call passes through, one alone tries again: the error of a call
// that was tried for as long as it may be is a [record.ErrGivenUp].
package retry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// DefaultFor is how long a server that is unavailable is tried again, unless told otherwise: a replica set elects a
// primary in some twelve seconds, and a machine that was stopped comes back within a minute.
const DefaultFor = 2 * time.Minute

// Waits between two calls are random, up to a limit that doubles from firstLimit to mostLimit: those whom a server
// has left at the same moment do not come back at the same moment.
const (
	firstLimit = 200 * time.Millisecond
	mostLimit  = 5 * time.Second
)

// Policy says which calls are made again, when, and for how long. The zero value is of use.
type Policy struct {
	// Backoff is the limit of the first wait, 200 milliseconds where zero.
	Backoff time.Duration

	// For is how long a failing call is made again; [DefaultFor] where zero.
	For time.Duration

	// Temporary reports whether a call may succeed after the error; the function [Temporary] where nil.
	Temporary func(error) bool

	// Asked returns how long the server wants to be left alone after the error, zero where it names no time. It is
	// waited for on top of the random wait and does not count towards For. It may be nil.
	Asked func(error) time.Duration

	// Notify is told of each wait, and for how much longer the call may fail after it began. It may be nil.
	Notify func(err error, wait, left time.Duration)
}

// Temporary reports whether the same call may succeed after the error, and nobody has tried for long enough.
func Temporary(err error) bool {
	return errors.Is(err, record.ErrUnavailable) && !errors.Is(err, record.ErrGivenUp)
}

// Do makes the call, again and again while its errors are temporary, and returns the last one, with
// [record.ErrGivenUp] in its chain where the time was over. The time that the first failing call took counts, since
// the server may have been silent, but only up to half of what there is: the call may also have worked for long. Once
// ctx is cancelled, or what [Drain] made it of, Do waits no more.
func (p Policy) Do(ctx context.Context, call func() error) error {
	temporary := p.Temporary
	if temporary == nil {
		temporary = Temporary
	}
	limit := cmp.Or(max(p.Backoff, 0), firstLimit)
	var end time.Time
	for {
		begun := time.Now()
		err := call()
		if err == nil || !temporary(err) || stopped(ctx) {
			return err
		}
		now := time.Now()
		if end.IsZero() {
			total := cmp.Or(max(p.For, 0), DefaultFor)
			end = now.Add(total - min(now.Sub(begun), total/2))
		}
		left := end.Sub(now)
		if left <= 0 {
			return givenUp{err}
		}
		wait := min(1+rand.N(limit), left)
		if p.Asked != nil {
			asked := p.Asked(err)
			wait, end = wait+asked, end.Add(asked)
		}
		if p.Notify != nil {
			p.Notify(err, wait, left)
		}
		if !backOff(ctx, wait) {
			return err
		}
		limit = max(limit, min(2*limit, mostLimit))
	}
}

// givenUp is the error of a call that was tried for as long as it may be.
type givenUp struct{ error }

func (e givenUp) Unwrap() []error { return []error{e.error, record.ErrGivenUp} }

// Sleep waits. It returns the cause where ctx ends before.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// backOff waits; it reports false where no work should be begun under ctx any more.
func backOff(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-interrupted(ctx):
	case <-timer.C:
	}
	return !stopped(ctx)
}

// stopped reports whether no work should be begun under ctx any more.
func stopped(ctx context.Context) bool {
	select {
	case <-interrupted(ctx):
		return true
	default:
		return ctx.Err() != nil
	}
}

// Notice returns a [Policy.Notify] that tells people that what, such as "the target", is unavailable.
func Notice(what string, notify func(message string)) func(err error, wait, left time.Duration) {
	return func(err error, wait, left time.Duration) {
		notify(fmt.Sprintf("%s is unavailable (%v); %s", what, err, Again(wait, left)))
	}
}

// Again says when a call is made again, for people: "trying again in 1.24s, for another 1m50s".
func Again(wait, left time.Duration) string {
	return fmt.Sprintf("trying again in %s, for another %s", wait.Round(10*time.Millisecond), left.Round(time.Second))
}
