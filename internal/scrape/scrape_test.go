package scrape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatIsPicked(t *testing.T) {
	got, err := Read(`# HELP lanyard_messages_outbound Messages
# TYPE lanyard_messages_outbound counter
lanyard_messages_outbound 120345
# TYPE lanyard_messages_inbound gauge
lanyard_messages_inbound{instance="a"} 1.5e3 1712113650417
lanyard_presence_updates 12.5
lanyard_2xx_responses -1
lanyard_4xx_responses NaN
# TYPE lanyard_5xx_responses counter
lanyard_5xx_responses{node="a"} 1
lanyard_5xx_responses{node="b"} 2
# TYPE lanyard_connected_sessions gauge
lanyard_connected_sessions 3
`)
	if err != nil {
		t.Fatal(err)
	}
	want := Reading{
		Counters: map[string]record.Value{
			"lanyard_messages_outbound": 120345.0, "lanyard_messages_inbound": 1500.0, "lanyard_presence_updates": 12.5,
		},
		Refused: []Refused{
			{"lanyard_2xx_responses", "negative"}, {"lanyard_4xx_responses", "not finite"},
			{"lanyard_5xx_responses", "it has 2 values with different labels"},
		},
		Missing: []string{"lanyard_discord_messages_sent"},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateNaNs()); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "none of Lanyard's counters is there, nor any other metric",
		"up 1\n":                           "none of Lanyard's counters is there, but up",
		"a 1\nb 1\nd 1\nc 1\n":             "none of Lanyard's counters is there, but 4 other metrics, such as a, b, c",
		"lanyard_2xx_responses +Inf\n":     "none of Lanyard's counters can be used: lanyard_2xx_responses (not finite)",
		"<html>\n":                         "the answer is not in Prometheus' text format: text format parsing error in line 1: invalid metric name",
		"lanyard_2xx_responses 1":          "the answer is not in Prometheus' text format: text format parsing error in line 1: unexpected end of input stream",
		"lanyard_2xx_responses one\n":      `the answer is not in Prometheus' text format: text format parsing error in line 1: expected float as value, got "one"`,
		"lanyard_2xx_responses 1\nlanyard": "the answer is not in Prometheus' text format: text format parsing error in line 2: unexpected end of input stream",
		"# TYPE lanyard_2xx_responses histogram\nlanyard_2xx_responses_sum 1\n": "none of Lanyard's counters can be used: lanyard_2xx_responses (it is a histogram)",
	} {
		if _, err := Read(text); err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// serve returns the URL of an endpoint that answers so, without its scheme.
func serve(t *testing.T, answer http.HandlerFunc) string {
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestAnEndpointThatAnswers(t *testing.T) {
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != "hunter2" || r.URL.String() != "/metrics?a=b" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, "lanyard_2xx_responses 7")
	})
	e, err := NewEndpoint("http://reader:hunter2@"+at+"/metrics?a=b", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.Scrape(t.Context())
	if err != nil || r.Counters["lanyard_2xx_responses"] != 7.0 || e.Instance() != at {
		t.Error(r, err, e.Instance())
	}
}

func TestAnEndpointThatFails(t *testing.T) {
	hanging := make(chan struct{})
	defer close(hanging)
	for name, test := range map[string]struct {
		answer  http.HandlerFunc
		timeout time.Duration
		want    string
		is      error
	}{
		"hangs": {func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-hanging:
			}
		}, 20 * time.Millisecond, "no answer in time (20ms)", errTimeout},
		"hangs after a beginning": {func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "lanyard_2xx_responses 7")
			w.(http.Flusher).Flush()
			select {
			case <-r.Context().Done():
			case <-hanging:
			}
		}, 200 * time.Millisecond, "no answer in time (200ms)", errTimeout},
		"answers 500": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintln(w, "lanyard_2xx_responses 7")
		}, time.Minute, "it answered with an error: 500 Internal Server Error", ErrStatus},
		"ends too early": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprintln(w, "lanyard_2xx_responses 7")
		}, time.Minute, "unexpected EOF", io.ErrUnexpectedEOF},
		"never ends": {func(w http.ResponseWriter, r *http.Request) {
			line := []byte(strings.Repeat("lanyard_2xx_responses 7\n", 1000))
			for r.Context().Err() == nil {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		}, time.Minute, "the answer is larger than 16 MiB", ErrTooLarge},
		"leads around": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/metrics?token=Zebra88", http.StatusFound)
		}, time.Minute, "stopped after 10 redirects", nil},
	} {
		t.Run(name, func(t *testing.T) {
			at := serve(t, test.answer)
			e, err := NewEndpoint("http://reader:hunter2@"+at+"/metrics?token=Zebra88", test.timeout)
			if err != nil {
				t.Fatal(err)
			}
			_, err = e.Scrape(t.Context())
			if want := "scrape " + at + ": " + test.want; err == nil || err.Error() != want || test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}

func TestAnInterruptedScrape(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cancel(record.ErrInterrupted)
		<-r.Context().Done()
	})
	e, err := NewEndpoint("http://"+at, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Scrape(ctx); !errors.Is(err, record.ErrInterrupted) {
		t.Error(err)
	}
}

func TestAnEndpointThatIsNotThere(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	e, err := NewEndpoint("http://reader:hunter2@"+strings.TrimPrefix(server.URL, "http://"), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Scrape(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "reader") {
		t.Error(err)
	}
}

func TestURLs(t *testing.T) {
	for uri, want := range map[string]string{
		"http://Lanyard/metrics": "lanyard:80", "https://u:p@h/": "h:443", "http://[::1]:4001": "[::1]:4001",
		"ftp://h": "", "http://": "", "://": "", "h:4001": "", "http://:4001/": "", "http://u:p%@h": "",
	} {
		e, err := NewEndpoint(uri, math.MaxInt64)
		if (err == nil) != (want != "") || err == nil && e.Instance() != want {
			t.Errorf("%s: %v, %v", uri, e, err)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("lanyard_2xx_responses 7\n")
	f.Add("# TYPE lanyard_2xx_responses summary\nlanyard_2xx_responses{quantile=\"0.5\"} 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Read(text)
		if (err == nil) != (len(r.Counters) > 0) {
			t.Errorf("%v, %v", r, err)
		}
		for name, v := range r.Counters {
			if _, reason, detail := record.Counter(name, v); reason != "" {
				t.Errorf("%s = %v: %s", name, v, detail)
			}
		}
	})
}
