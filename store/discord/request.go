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
)

const (
	// attempts is how often a request is made before it counts as failed.
	attempts = 6

	maxPause = 10 * time.Second

	// maxWait is the longest that is waited because Discord says so. It announces whole hours to who asked far too often.
	maxWait = 10 * time.Minute

	// unnoticed is up to which length a wait needs no explanation.
	unnoticed = 2 * time.Second
)

// get makes a request, again where that may help, and returns the answer's body. The bucket is what discordgo keeps the
// announced limits by. Its error is an [*Error], or wraps the context's cause.
func (c *Client) get(ctx context.Context, op, address, bucket string) ([]byte, error) {
	pause := c.backoff
	for attempt := 1; ; attempt++ {
		body, err := c.once(ctx, address, bucket)
		if err == nil {
			return body, nil
		}
		if ctx.Err() != nil {
			return nil, canceled(ctx, op)
		}
		failed := c.failure(op, err)
		if attempt == attempts || !failed.later {
			return nil, failed
		}
		wait := pause
		if r := (*refusal)(nil); errors.As(err, &r) && r.waits {
			wait = r.wait
		}
		if wait > maxWait {
			failed.Detail += fmt.Sprintf(", and wants to be left alone for %s", wait.Round(time.Second))
			return nil, failed
		}
		if wait > unnoticed || !isLimit(err) {
			c.notify(fmt.Sprintf("%v; trying again in %s (%d of %d)", failed, wait.Round(time.Millisecond), attempt, attempts-1))
		}
		if !sleep(ctx, wait) {
			return nil, canceled(ctx, op)
		}
		pause = min(2*pause, maxPause)
	}
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
	if !sleep(ctx, wait) {
		return ctx.Err()
	}
	return nil
}

// sleep waits; it reports false where the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
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
