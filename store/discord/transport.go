package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"
)

const (
	// maxBody is how large a page may be; Discord's are below 2 MiB.
	maxBody = 32 << 20

	// maxRefusal is how much is read of an answer that is no success.
	maxRefusal = 64 << 10
)

var errTooLarge = errors.New("the answer is larger than any of Discord's")

// redirecting sends discordgo's requests to base and gives back successes alone. Another answer becomes a [*refusal]:
// discordgo would sleep, try again or give up in ways that do not suit, and follow redirections.
type redirecting struct {
	base *url.URL
	next http.RoundTripper
}

// RoundTrip makes the request.
func (t *redirecting) RoundTrip(req *http.Request) (*http.Response, error) {
	path, ok := strings.CutPrefix(req.URL.Scheme+"://"+req.URL.Host+req.URL.Path, discordgo.EndpointAPI)
	if !ok {
		return nil, fmt.Errorf("a request for %s, which is not Discord's API", req.URL.Host)
	}
	out := req.Clone(req.Context())
	out.URL = t.base.JoinPath(path)
	out.URL.RawQuery = req.URL.RawQuery
	out.Host = ""
	resp, err := t.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, refusalOf(resp)
	}
	keepNumbers(resp.Header)
	resp.Body = &limited{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// CloseIdleConnections is for [http.Client.CloseIdleConnections].
func (t *redirecting) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// keepNumbers removes headers about limits that discordgo would fail on.
func keepNumbers(h http.Header) {
	for _, name := range []string{"X-RateLimit-Reset-After", "X-RateLimit-Reset"} {
		if f, err := strconv.ParseFloat(h.Get(name), 64); err != nil || !(f >= 0 && f < math.MaxInt32*4) {
			h.Del(name)
		}
	}
	if _, err := strconv.ParseInt(h.Get("X-RateLimit-Remaining"), 10, 32); err != nil {
		h.Del("X-RateLimit-Remaining")
	}
	if _, err := http.ParseTime(h.Get("Date")); err != nil {
		h.Del("X-RateLimit-Reset")
	}
}

// limited is a body that must not grow without bound.
type limited struct {
	io.ReadCloser
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.ReadCloser.Read(p)
	if l.left -= n; l.left < 0 {
		return 0, errTooLarge
	}
	return n, err
}

// refusal is an answer that is no success.
type refusal struct {
	status int
	json   bool // the body is a JSON object, as Discord's are
	code   int  // Discord's own
	wait   time.Duration
	waits  bool // it says how long to wait
}

// Error returns the status, and Discord's code where it gives one. What else the server says is not shown.
func (r *refusal) Error() string {
	text := fmt.Sprintf("it answers %d", r.status)
	if name := http.StatusText(r.status); name != "" {
		text += " " + name
	}
	if r.code != 0 {
		text += fmt.Sprintf(" (code %d)", r.code)
	}
	return text
}

// temporary reports whether the same request may succeed later.
func (r *refusal) temporary() bool {
	return r.status == http.StatusTooManyRequests || r.status >= 500 && r.status != http.StatusNotImplemented
}

func refusalOf(resp *http.Response) *refusal {
	r := &refusal{status: resp.StatusCode}
	var body struct {
		Code       int             `json:"code"`
		RetryAfter json.RawMessage `json:"retry_after"`
	}
	// What cannot be read of it is a body without an explanation.
	if text, err := io.ReadAll(io.LimitReader(resp.Body, maxRefusal)); err == nil && json.Unmarshal(text, &body) == nil {
		r.json, r.code = true, body.Code
	}
	for _, seconds := range []string{string(body.RetryAfter), resp.Header.Get("Retry-After")} {
		if f, err := strconv.ParseFloat(seconds, 64); err == nil && f >= 0 && f < math.MaxInt32 {
			r.wait, r.waits = max(r.wait, time.Duration(f*float64(time.Second))), true
		}
	}
	if at, err := http.ParseTime(resp.Header.Get("Retry-After")); err == nil {
		r.wait, r.waits = max(r.wait, time.Until(at)), true
	}
	return r
}
