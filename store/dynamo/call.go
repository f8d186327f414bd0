package dynamo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	awsretry "github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/lanyardctl/lanyardctl/internal/retry"
)

// operation is a request that is to be made.
type operation struct {
	name  string  // of DynamoDB: "Scan"
	table string  // empty where there is none, or several
	pace  *pace   // of the capacity that it takes; nil for none
	units float64 // capacity units that it is thought to take
}

// call makes a request by a method of the client, again and again while the server is unavailable or throttles, as long as
// Options.RetryFor says. It waits until the capacity is to be had, and charges what the server says that the request took. A
// request whose answer was lost may have been carried out, and is made again. Its error is an [Error].
func call[I, O any](
	ctx context.Context, s *Store, op operation, request func(context.Context, *I, ...func(*dynamodb.Options)) (*O, error), in *I,
) (out *O, err error) {
	again := retry.Policy{For: s.opts.RetryFor, Temporary: s.temporary, Notify: s.tell}
	err = again.Do(ctx, func() error {
		if err := op.pace.take(ctx, op.units); err != nil {
			return failed(op.name, op.table, err)
		}
		if out, err = request(ctx, in); err != nil {
			return failed(op.name, op.table, err)
		}
		op.pace.settle(op.units, consumed(out))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// temporary reports whether a request is made again after the error. While the store is opened, only a server that answers is
// waited for.
func (s *Store) temporary(err error) bool {
	return retry.Temporary(err) && (s.opened || errors.Is(err, ErrThrottled))
}

// tellEvery is how often people are told that the server is waited for, by whichever request.
const tellEvery = 20 * time.Second

func (s *Store) tell(err error, wait, left time.Duration) {
	now, told := time.Now().UnixNano(), s.told.Load()
	if now-told < int64(tellEvery) || !s.told.CompareAndSwap(told, now) {
		return
	}
	s.opts.Notify(fmt.Sprintf("waiting for %s (%v); %s", s.place(), err, retry.Again(wait, left)))
}

// isCut reports whether an answer ended too early.
func isCut(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// attempts is how often the SDK makes a request before the store waits for the server.
const attempts = 3

// backoff returns how long the SDK waits after the attempt, from 1, at random. Its own wait of a second where a request was
// throttled is for services whose requests take longer than DynamoDB's.
func backoff(attempt int, _ error) (time.Duration, error) {
	const first = 50 * time.Millisecond
	return rand.N(first << min(attempt, attempts)), nil
}

// newRetryer returns the SDK's adaptive mode, in which requests become fewer while the server throttles.
func newRetryer() aws.Retryer {
	return awsretry.NewAdaptiveMode(func(o *awsretry.AdaptiveModeOptions) {
		o.Throttles = []awsretry.IsErrorThrottle{&calm{inner: o.Throttles}}
		o.StandardOptions = append(o.StandardOptions, func(o *awsretry.StandardOptions) {
			o.MaxAttempts, o.Backoff, o.RateLimiter = attempts, awsretry.BackoffDelayerFunc(backoff), ratelimit.None
		})
	})
}

// calm has one throttled request in a while slow the others down. Else the adaptive mode comes down to one request in two
// seconds where the server throttles some of them however slowly they come.
type calm struct {
	inner awsretry.IsErrorThrottles

	mu   sync.Mutex
	last time.Time
}

// slowerEvery is how often requests become fewer. In that time the mode comes back to some thousand requests a second.
const slowerEvery = 10 * time.Second

// IsErrorThrottle implements the SDK's interface.
func (c *calm) IsErrorThrottle(err error) aws.Ternary {
	if c.inner.IsErrorThrottle(err) != aws.TrueTernary {
		return aws.FalseTernary
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.last) >= slowerEvery {
		c.last = now
		return aws.TrueTernary
	}
	return aws.FalseTernary
}
