package discord

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"github.com/lanyardctl/lanyardctl/internal/retry"
)

const (
	// maxWait is the longest that is waited because Discord says so. It announces whole hours to who asked far too
	// often.
	maxWait = 10 * time.Minute

	// mostWaits is the longest that is waited so for one request in all.
	mostWaits = 5 * maxWait

	// unnoticed is up to which length a wait needs no explanation.
	unnoticed = 2 * time.Second
)

// get makes a request, again where that may help, and returns the answer's body. The bucket is what discordgo keeps the
// announced limits by. Its error is an [*Error], or wraps the context's cause.
func (c *Client) get(ctx context.Context, op, address, bucket string) ([]byte, error) {
	var cause error         // of the failure
	var waits time.Duration // that Discord has asked for in all
	again := retry.Policy{
		Backoff: c.backoff, For: c.retryFor,
		Temporary: func(err error) bool { return retry.Temporary(err) && asked(cause) <= maxWait && waits <= mostWaits },
		Asked:     func(error) time.Duration { return asked(cause) },
		Notify: func(err error, wait, left time.Duration) {
			if wait > unnoticed || !isLimit(cause) {
				c.notify(fmt.Sprintf("%v; %s", err, retry.Again(wait, left)))
			}
		},
	}
	var body []byte
	err := again.Do(ctx, func() error {
		if body, cause = c.once(ctx, address, bucket); cause != nil {
			waits += asked(cause)
			return c.failure(op, cause)
		}
		return nil
	})
	if err != nil && ctx.Err() != nil {
		return nil, canceled(ctx, op)
	}
	return body, err
}

// asked returns how long Discord wants to be left alone.
func asked(err error) time.Duration {
	if r, ok := errors.AsType[*refusal](err); ok && r.waits {
		return r.wait
	}
	return 0
}

// once makes the request once, when the announced limits allow it.
func (c *Client) once(ctx context.Context, address, bucket string) ([]byte, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := c.waitFor(ctx, bucket); err != nil {
		return nil, err
	}
	return c.session.RequestWithBucketID(http.MethodGet, address, nil, bucket, discordgo.WithContext(ctx))
}

// waitFor waits until the announced limits allow a request. discordgo would do so by itself, and could not be stopped.
func (c *Client) waitFor(ctx context.Context, bucket string) error {
	b := c.session.Ratelimiter.GetBucket(bucket)
	b.Lock()
	wait := c.session.Ratelimiter.GetWaitTime(b, 1)
	b.Unlock()
	switch {
	case wait <= 0:
		return nil
	case wait > maxWait:
		return &refusal{status: http.StatusTooManyRequests, wait: wait, waits: true}
	case wait > unnoticed:
		c.notify(fmt.Sprintf("Discord allows the next request in %s", wait.Round(time.Second)))
	}
	if retry.Sleep(ctx, wait) != nil {
		return ctx.Err()
	}
	return nil
}

func canceled(ctx context.Context, op string) error {
	return fmt.Errorf("%s: %w", op, context.Cause(ctx))
}

func isLimit(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == http.StatusTooManyRequests
}

// failure says why a request failed.
func (c *Client) failure(op string, err error) *Error {
	var (
		r      *refusal
		cert   *tls.CertificateVerificationError
		header tls.RecordHeaderError
		dns    *net.DNSError
	)
	switch {
	case errors.As(err, &r):
		return refused(op, r)
	case errors.Is(err, errTooLarge):
		return &Error{Op: op, Reason: ErrNotDiscord, Detail: errTooLarge.Error()}
	case errors.As(err, &cert), errors.As(err, &header), errors.As(err, &dns) && dns.IsNotFound:
		return &Error{Op: op, Reason: ErrUnreachable, Detail: c.plain(err)}
	}
	return &Error{Op: op, Reason: ErrUnreachable, Detail: c.plain(err), later: true}
}

// plain returns a network error's text, which has neither an address with its query nor the token.
func (c *Client) plain(err error) string {
	var address *url.Error
	if errors.As(err, &address) {
		if address.Timeout() {
			return c.host + " gives no answer in time"
		}
		err = address.Err
	}
	return c.host + ": " + strings.ReplaceAll(err.Error(), c.token, "…")
}

// Discord's codes.
const (
	codeUnknownGuild  = 10004
	codeMissingAccess = 50001
)

// refused says what an answer means.
func refused(op string, r *refusal) *Error {
	e := &Error{Op: op, Detail: r.Error(), later: r.temporary()}
	if r.waits && r.wait > maxWait {
		e.Detail += fmt.Sprintf(", and wants to be left alone for %s", r.wait.Round(time.Second))
	}
	switch {
	case r.temporary():
		e.Reason = ErrBusy
	case r.status == http.StatusUnauthorized:
		e.Reason = ErrToken
	case r.status == http.StatusForbidden && r.json:
		e.Reason = ErrForbidden
	case r.code == codeUnknownGuild:
		e.Reason = ErrGuild
	default:
		e.Reason = ErrNotDiscord
		if !r.json {
			e.Detail += ", without the explanation that Discord gives: is there a proxy in between?"
		}
	}
	return e
}
