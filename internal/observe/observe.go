// Package observe lets others see over HTTP how a mirror stands: /metrics for Prometheus, /healthz for whoever restarts
// a process that hangs, and /readyz for whoever waits until the target is caught up.
package observe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
)

// Server answers until it is closed.
type Server struct {
	listener net.Listener
	server   *http.Server
	ended    chan struct{}
}

// Listen answers at the address, "HOST:PORT", on the loopback interface where it names no host. Snapshot tells how the
// mirror stands.
func Listen(ctx context.Context, addr string, snapshot func() mirror.Snapshot) (*Server, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, err
	}
	const patience = 10 * time.Second
	s := &Server{
		listener: listener, ended: make(chan struct{}),
		server: &http.Server{Handler: Handler(snapshot), ReadHeaderTimeout: patience, WriteTimeout: patience},
	}
	go func() {
		defer close(s.ended)
		_ = s.server.Serve(listener) // it ends with Close
	}()
	return s, nil
}

// Addr returns the address at which the server answers.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close ends the server.
func (s *Server) Close() error {
	err := s.server.Close()
	<-s.ended
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Handler returns what answers.
func Handler(snapshot func() mirror.Snapshot) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector(snapshot))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, "alive: %s\n", snapshot().State) // whoever asked may be gone
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		state := snapshot().State
		if state != mirror.Following {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprintf(w, "%s\n", state)
	})
	return mux
}

// collector makes Prometheus's metrics of a snapshot at each scrape.
type collector func() mirror.Snapshot

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("lanyardctl_sync_"+name, help, labels, nil)
}

var (
	stateMetric    = describe("state", "What the mirror is doing: 1 for the state that it is in.", "state")
	wayMetric      = describe("way", "How changes are seen: 1 for the way that is taken.", "way")
	changesMetric  = describe("changes_total", "Changes that Redis told of.")
	waitingMetric  = describe("waiting", "Users and kinds whose state has to be read again.")
	lagMetric      = describe("lag_seconds", "For how long the oldest of them waits.")
	latencyMetric  = describe("latency_seconds", "How long changes took from the moment in which they were told of to the target.")
	fatesMetric    = describe("records_total", "What became of what was read again.", "kind", "outcome")
	sessionsMetric = describe("sessions_total", "How often Redis was opened.")
	comparedMetric = describe("comparisons_total", "How often both sides were compared as a whole.")
	lastMetric     = describe("last_comparison_timestamp_seconds", "When a comparison last came to its end.")
	problemsMetric = describe("problems", "Documents that somebody else wrote or that are held back, and values that cannot be mirrored.", "problem")
)

// Describe implements [prometheus.Collector].
func (c collector) Describe(out chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, out) }

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	s := c()
	send := func(desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, kind, value, labels...)
	}
	is := func(yes bool) float64 {
		if yes {
			return 1
		}
		return 0
	}
	for _, state := range mirror.States {
		send(stateMetric, prometheus.GaugeValue, is(state == s.State), string(state))
	}
	for _, way := range []record.FeedWay{record.Tracking, record.Notifications, record.Polling} {
		send(wayMetric, prometheus.GaugeValue, is(way == s.Way), string(way))
	}
	send(changesMetric, prometheus.CounterValue, float64(s.Changes))
	send(waitingMetric, prometheus.GaugeValue, float64(s.Waiting))
	send(lagMetric, prometheus.GaugeValue, s.Lag.Seconds())
	for _, kind := range record.LanyardKinds.List() {
		for fate, n := range s.Kinds[kind] {
			send(fatesMetric, prometheus.CounterValue, float64(n), kind.String(), mirror.Fate(fate).String())
		}
	}
	send(sessionsMetric, prometheus.CounterValue, float64(s.Sessions))
	send(comparedMetric, prometheus.CounterValue, float64(s.Reconciled))
	if !s.LastReconciled.IsZero() {
		send(lastMetric, prometheus.GaugeValue, float64(s.LastReconciled.UnixMilli())/1000)
	}
	send(problemsMetric, prometheus.GaugeValue, float64(s.Conflicts), mirror.Conflicted.String())
	send(problemsMetric, prometheus.GaugeValue, float64(s.HeldBack), mirror.HeldBack.String())
	send(problemsMetric, prometheus.GaugeValue, float64(s.Rejects), mirror.Rejected.String())
	buckets, below := make(map[float64]uint64, len(mirror.LatencyBounds)), uint64(0)
	for i, bound := range mirror.LatencyBounds {
		below += uint64(s.Latency.Counts[i])
		buckets[bound.Seconds()] = below
	}
	out <- prometheus.MustNewConstHistogram(latencyMetric, uint64(s.Latency.Total()), s.Latency.Sum.Seconds(), buckets)
}
