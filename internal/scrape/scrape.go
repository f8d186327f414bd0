// Package scrape reads the counters of a running Lanyard, as Prometheus does.
package scrape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/lanyardctl/lanyardctl/record"
)

// maxBody is how large an answer may be; Lanyard's are some kilobytes.
const maxBody = 16 << 20

// The errors of an answer that cannot be used.
var (
	ErrStatus     = errors.New("it answered with an error")
	ErrTooLarge   = fmt.Errorf("the answer is larger than %d MiB", maxBody>>20)
	ErrNoMetrics  = errors.New("the answer is not in Prometheus' text format")
	ErrNoCounters = errors.New("none of Lanyard's counters is there")
	errTimeout    = errors.New("no answer in time")
)

// Endpoint is where a running Lanyard tells its metrics. Its errors do not hold the URL, which may have a password.
type Endpoint struct {
	url     *url.URL
	timeout time.Duration
	client  *http.Client
}

// NewEndpoint returns the endpoint with the URL, of which an answer has to be there in full within the timeout.
func NewEndpoint(uri string, timeout time.Duration) (*Endpoint, error) {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("no URL of http:// or https://")
	}
	// A connection that is kept would end with the Lanyard that is started again, and fail the next scrape.
	return &Endpoint{u, timeout, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}, nil
}

// Instance returns the host and the port, without secrets.
func (e *Endpoint) Instance() string {
	port := e.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[e.url.Scheme]
	}
	return net.JoinHostPort(strings.ToLower(e.url.Hostname()), port)
}

// Reading is what an answer says of the counters that Lanyard keeps.
type Reading struct {
	Counters map[string]record.Value // by their names in the stores
	Refused  []Refused               // by name
	Missing  []string                // by name
}

// Refused is a counter that is there and cannot be used, and why.
type Refused struct{ Name, Detail string }

// Scrape asks once.
func (e *Endpoint) Scrape(ctx context.Context) (Reading, error) {
	limited, cancel := context.WithTimeoutCause(ctx, e.timeout, errTimeout)
	defer cancel()
	text, err := e.get(limited)
	switch {
	case err == nil:
		return Read(text)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case limited.Err() != nil:
		err = fmt.Errorf("%w (%s)", errTimeout, e.timeout)
	}
	return Reading{}, fmt.Errorf("scrape %s: %w", e.Instance(), err)
}

func (e *Endpoint) get(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url.String(), nil)
	if err != nil {
		return "", withoutURL(err)
	}
	req.Header.Set("Accept", "text/plain;version=0.0.4")
	resp, err := e.client.Do(req)
	if err != nil {
		return "", withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%w: %d %s", ErrStatus, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err == nil && len(text) > maxBody {
		err = ErrTooLarge
	}
	return string(text), err
}

// withoutURL returns the reason of an error that repeats the URL.
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}

// Read picks the counters out of an answer. It fails where there is none of them.
//
// Names are judged by the old rules, which all of Lanyard's keep to: expfmt asks a global variable of its, which nothing
// here changes.
func Read(text string) (Reading, error) {
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return Reading{}, fmt.Errorf("%w: %w", ErrNoMetrics, err)
	}
	r := Reading{Counters: make(map[string]record.Value)}
	for _, name := range record.AppCounters() {
		family, exists := families[name]
		if !exists {
			r.Missing = append(r.Missing, name)
			continue
		}
		v, detail := valueOf(family)
		if detail == "" {
			v, _, detail = record.Counter(name, v)
		}
		if detail == "" {
			r.Counters[name] = v
		} else {
			r.Refused = append(r.Refused, Refused{name, detail})
		}
	}
	if len(r.Counters) == 0 {
		return r, r.nothing(slices.Sorted(maps.Keys(families)))
	}
	return r, nil
}

// valueOf returns the value of a metric, or why it has none.
func valueOf(family *dto.MetricFamily) (v record.Value, detail string) {
	metrics := family.GetMetric()
	if len(metrics) > 1 {
		// Their sum would go down where one of them is started again, and count the others twice.
		return nil, fmt.Sprintf("it has %d values with different labels", len(metrics))
	}
	switch m := metrics[0]; {
	case m.Counter != nil:
		return m.Counter.GetValue(), ""
	case m.Gauge != nil:
		return m.Gauge.GetValue(), ""
	case m.Untyped != nil:
		return m.Untyped.GetValue(), ""
	}
	return nil, "it is a " + strings.ToLower(family.GetType().String())
}

// nothing returns the error for an answer in which no counter can be used, with what is there instead.
func (r Reading) nothing(names []string) error {
	if len(r.Refused) > 0 {
		var all []string
		for _, refused := range r.Refused {
			all = append(all, refused.Name+" ("+refused.Detail+")")
		}
		return fmt.Errorf("none of Lanyard's counters can be used: %s", strings.Join(all, ", "))
	}
	const most = 3
	switch n := len(names); {
	case n == 0:
		return fmt.Errorf("%w, nor any other metric", ErrNoCounters)
	case n > most:
		return fmt.Errorf("%w, but %d other metrics, such as %s", ErrNoCounters, n, strings.Join(names[:most], ", "))
	}
	return fmt.Errorf("%w, but %s", ErrNoCounters, strings.Join(names, ", "))
}
