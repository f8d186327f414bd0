package observe_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/lanyardctl/lanyardctl/internal/observe"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
)

// get asks the handler for a path.
func get(t *testing.T, s mirror.Snapshot, method, path string) (int, string) {
	t.Helper()
	answer := httptest.NewRecorder()
	observe.Handler(func() mirror.Snapshot { return s }).ServeHTTP(answer, httptest.NewRequest(method, path, nil))
	return answer.Code, answer.Body.String()
}

func TestAMirrorIsReadyWhileItFollows(t *testing.T) {
	for _, state := range mirror.States {
		ready := http.StatusServiceUnavailable
		if state == mirror.Following {
			ready = http.StatusOK
		}
		if code, text := get(t, mirror.Snapshot{State: state}, "GET", "/readyz"); code != ready || text != string(state)+"\n" {
			t.Errorf("%s: ready %d, %q", state, code, text)
		}
		if code, text := get(t, mirror.Snapshot{State: state}, "GET", "/healthz"); code != http.StatusOK || text != "alive: "+string(state)+"\n" {
			t.Errorf("%s: alive %d, %q", state, code, text)
		}
	}
	if code, _ := get(t, mirror.Snapshot{}, "POST", "/readyz"); code != http.StatusMethodNotAllowed {
		t.Errorf("a POST is answered with %d", code)
	}
	if code, _ := get(t, mirror.Snapshot{}, "GET", "/"); code != http.StatusNotFound {
		t.Errorf("another path is answered with %d", code)
	}
}

// metrics returns the values of metrics as Prometheus reads them, by their names and labels.
func metrics(t *testing.T, s mirror.Snapshot) (values map[string]float64, latency *dto.Histogram) {
	t.Helper()
	_, text := get(t, s, "GET", "/metrics")
	var parser expfmt.TextParser
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	values = make(map[string]float64)
	for name, family := range families {
		if !strings.HasPrefix(name, "lanyardctl_sync_") || family.GetHelp() == "" {
			t.Errorf("%s: %q", name, family.GetHelp())
		}
		if (family.GetType() == dto.MetricType_COUNTER) != strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a %s", name, family.GetType())
		}
		for _, m := range family.GetMetric() {
			words := []string{strings.TrimPrefix(name, "lanyardctl_sync_")}
			for _, label := range m.GetLabel() {
				words = append(words, label.GetValue())
			}
			if h := m.GetHistogram(); h != nil {
				latency = h
				continue
			}
			values[strings.Join(words, " ")] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return values, latency
}

func TestMetricsTellHowAMirrorStands(t *testing.T) {
	s := mirror.Snapshot{
		State: mirror.CatchingUp, Way: record.Notifications, Changes: 1234, Waiting: 56, Lag: 7500 * time.Millisecond,
		Sessions: 3, Reconciled: 4, LastReconciled: time.UnixMilli(1775185650417), Conflicts: 5, HeldBack: 6, Rejects: 7,
	}
	s.Kinds[record.KV][mirror.Updated], s.Kinds[record.APIKeys][mirror.Deleted] = 8, 9
	s.Latency.Sum = 3 * time.Second
	s.Latency.Counts[0], s.Latency.Counts[7], s.Latency.Counts[len(mirror.LatencyBounds)] = 10, 20, 1
	got, latency := metrics(t, s)
	maps.DeleteFunc(got, func(_ string, value float64) bool { return value == 0 })
	want := map[string]float64{
		"state catching up": 1, "way notifications": 1, "changes_total": 1234, "waiting": 56, "lag_seconds": 7.5,
		"sessions_total": 3, "comparisons_total": 4, "last_comparison_timestamp_seconds": 1775185650.417,
		"problems conflicts": 5, "problems held_back": 6, "problems rejected": 7, "records_total kv updated": 8, "records_total api_keys deleted": 9,
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if latency.GetSampleCount() != 31 || latency.GetSampleSum() != 3 {
		t.Errorf("%v", latency)
	}
	for _, b := range latency.GetBucket() {
		want := uint64(30)
		switch bound := b.GetUpperBound(); {
		case bound < 0.1:
			want = 10
		case bound > 3600:
			want = 31
		}
		if b.GetCumulativeCount() != want {
			t.Errorf("%d took at most %g s, want %d", b.GetCumulativeCount(), b.GetUpperBound(), want)
		}
	}
}

// TestMetricsAreThereFromTheStart has a graph not begin when something happens first.
func TestMetricsAreThereFromTheStart(t *testing.T) {
	s := mirror.Snapshot{State: mirror.Connecting}
	first, _ := metrics(t, s)
	s.State, s.Way, s.LastReconciled = mirror.Following, record.Tracking, time.Now()
	later, _ := metrics(t, s)
	delete(later, "last_comparison_timestamp_seconds")
	if a, b := slices.Sorted(maps.Keys(first)), slices.Sorted(maps.Keys(later)); !slices.Equal(a, b) {
		t.Errorf("first %v\nlater %v", a, b)
	}
}

func TestAServerListensOnLoopbackUntilItIsClosed(t *testing.T) {
	following := func() mirror.Snapshot { return mirror.Snapshot{State: mirror.Following} }
	s, err := observe.Listen(t.Context(), ":0", following)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(s.Addr(), "127.0.0.1:") {
		t.Errorf("it listens at %s", s.Addr())
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get("http://" + s.Addr() + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(answer.Body)
	if err := answer.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil || string(text) != "following\n" {
		t.Errorf("%q, %v", text, err)
	}
	if second, err := observe.Listen(t.Context(), s.Addr(), following); err == nil {
		t.Errorf("a second one listens at %s, too", second.Addr())
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if answer, err := client.Get("http://" + s.Addr() + "/readyz"); err == nil {
		_ = answer.Body.Close()
		t.Error("it answers after it was closed")
	}
	if _, err := observe.Listen(t.Context(), "nonsense", following); err == nil {
		t.Error("that is no address")
	}
}
