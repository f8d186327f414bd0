package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/scrape"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest/ferretdb"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/store/storetest/redisserver"
)

const (
	outbound = "lanyard_messages_outbound"
	inbound  = "lanyard_messages_inbound"
)

// endpoint is the /metrics of a Lanyard, which answers as the test wants.
type endpoint struct {
	*httptest.Server
	mu                sync.Mutex
	outbound, inbound int64
	answer            func(w http.ResponseWriter, r *http.Request) // nil for the counters
	scraped           chan struct{}                                // gets a value for each answer with the counters
	busy              bool                                         // it counts more after each answer
	told              map[string]int64                             // by the last answer
}

func newEndpoint(t *testing.T) *endpoint {
	e := &endpoint{scraped: make(chan struct{}, 1000)}
	e.Server = httptest.NewServer(http.HandlerFunc(e.serve))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) serve(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.answer != nil {
		e.answer(w, r)
		return
	}
	fmt.Fprintf(w, "# TYPE %[1]s counter\n%[1]s %[2]d\n# TYPE %[3]s counter\n%[3]s %[4]d\nlanyard_connected_sessions 3\n", outbound, e.outbound, inbound, e.inbound)
	e.told = map[string]int64{outbound: e.outbound, inbound: e.inbound}
	if e.busy {
		e.outbound += rand.Int64N(100)
		e.inbound += rand.Int64N(3)
	}
	e.scraped <- struct{}{}
}

// set makes the endpoint answer with these counters, or with what answer says.
func (e *endpoint) set(outbound, inbound int64, answer func(http.ResponseWriter, *http.Request)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.outbound, e.inbound, e.answer = outbound, inbound, answer
}

// TestAFlushThatGoesOn flushes an endpoint that starts again, hangs, fails and lies, turn by turn, into two stores of which
// one fails at times.
func TestAFlushThatGoesOn(t *testing.T) {
	e := newEndpoint(t)
	failing := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	turns := []struct {
		name              string
		outbound, inbound int64
		answer            func(http.ResponseWriter, *http.Request)
		away              bool // the second store fails
		want              int64
		says              string
	}{
		{name: "it begins", outbound: 105, inbound: 5, want: 105},
		{name: "it goes on", outbound: 110, inbound: 5, want: 110},
		{name: "it answers 500", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, want: 110, says: "500 Internal Server Error; the next attempt is in about 1m0s"},
		{name: "still", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, want: 110},
		{name: "it breaks off", answer: failing, want: 110, says: "EOF"},
		{name: "it is back", outbound: 112, want: 112, says: "flushed again, after 3 attempts that failed"},
		{name: "it has started again", outbound: 3, want: 115},
		{name: "a store is away", outbound: 8, away: true, want: 120, says: "the new value is in first"},
		{name: "it has started again meanwhile", outbound: 2, away: true, want: 122},
		{name: "the store is back", outbound: 4, want: 124, says: "flushed again, after 2 attempts that failed"},
		{name: "it lies", outbound: 1, want: 125},
		{name: "it answers with something else", answer: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<html>") }, want: 125, says: "not in Prometheus' text format"},
		{name: "it hangs", answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, want: 125, says: "no answer in time"},
		{name: "it goes on after all", outbound: 9, want: 133, says: "flushed again, after 2 attempts that failed"},
	}
	first, second := &mem.Persistence{}, &awayStore{Persistence: &mem.Persistence{}}
	first.SetCounters(map[string]record.Value{outbound: int64(100)})
	second.SetCounters(map[string]record.Value{outbound: int64(90), "other": int64(1)})
	layer := &persistence.Layer{App: record.Fork, Stores: []persistence.Store{{Name: "first", Persistence: first}, {Name: "second", Persistence: second}}}
	at, err := scrape.NewEndpoint(e.URL, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var out, said bytes.Buffer
	o := metricsFlushOptions{url: location.Location{URI: e.URL, From: "--url"}, endpoint: at, instance: "a", every: time.Minute}
	o.output, o.logFormat = outputText, ui.LogText
	s := streams{program: programOf(), out: &out, err: &said}
	r := &metricsFlushRun{layerRun: newLayerRun(o.layerOptions, s, e.URL), options: o}
	layer.Retry.Temporary = func(error) bool { return false }

	turn := -1
	next := func(_ context.Context, d time.Duration) bool {
		if d <= 0 || d > o.every*11/10 {
			t.Errorf("a pause of %s", d)
		}
		if turn >= 0 {
			now := turns[turn]
			for who, s := range map[string]*mem.Persistence{"first": first, "second": second.Persistence} {
				if v := countersIn(t, s)[outbound]; v != now.want && !(now.away && who == "second") {
					t.Errorf("%s: the %s store has %v, want %d", now.name, who, v, now.want)
				}
			}
			if text := said.String(); !strings.Contains(text, now.says) || now.says == "" && text != "" {
				t.Errorf("%s: it says %q, want %q", now.name, text, now.says)
			}
			said.Reset()
		}
		if turn++; turn == len(turns) {
			return false
		}
		now := turns[turn]
		second.away = now.away
		e.set(now.outbound, now.inbound, now.answer)
		return true
	}
	next(t.Context(), o.every)
	if err := r.repeat(t.Context(), layer, next); err != nil {
		t.Error(err)
	}
	if v := countersIn(t, second.Persistence)["other"]; v != int64(1) {
		t.Error(v)
	}
	for _, want := range []string{"7 flushes of " + e.URL + ". 7 attempts failed", outbound + "  first   100     133", "second  90      133", "Not there: lanyard_2xx_responses"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func countersIn(t *testing.T, s *mem.Persistence) map[string]record.Value {
	t.Helper()
	entries, err := s.Entries(t.Context(), record.Metrics, 0)
	if err != nil || len(entries) != 1 {
		t.Fatal(entries, err)
	}
	return entries[0].Fields
}

// awayStore is a store that fails while it is away.
type awayStore struct {
	*mem.Persistence
	away bool
}

func (s *awayStore) UpdateCounters(ctx context.Context, decide func(record.Entry, []byte) (map[string]record.Value, []byte, error)) error {
	if s.away {
		return fmt.Errorf("second: %w", record.ErrUnavailable)
	}
	return s.Persistence.UpdateCounters(ctx, decide)
}

func TestTheTimeBetweenTwoFlushes(t *testing.T) {
	const every = 10 * time.Second
	for range 1000 {
		for took, longest := range map[time.Duration]time.Duration{0: 11 * time.Second, 5 * time.Second: 6 * time.Second, time.Hour: 11 * time.Second} {
			if d := untilNext(every, took); d <= 0 || d > longest || took > every && d < every*9/10 {
				t.Fatalf("%s after %s", d, took)
			}
		}
	}
}

// storedCounters returns what metrics show tells of each store.
func storedCounters(t *testing.T, bin string, env []string) map[string]map[string]int64 {
	t.Helper()
	cmd := exec.Command(bin, "metrics", "show", "--output", "json")
	cmd.Env = env
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	var told struct {
		Stores []struct {
			Store    string
			Counters map[string]int64
		}
	}
	if err := json.Unmarshal(text, &told); err != nil {
		t.Fatal(err)
	}
	stores := make(map[string]map[string]int64)
	for _, s := range told.Stores {
		stores[s.Store] = s.Counters
	}
	return stores
}

// TestAFlushThatIsKilled kills the built binary again and again while it flushes a Lanyard that counts, starts again and
// fails, into real servers.
func TestAFlushThatIsKilled(t *testing.T) {
	t.Parallel()
	rounds := numberFrom(t, "LANYARDCTL_TEST_FLUSH_ROUNDS", 2)
	bin, redis, mongo := ferretdb.Build(t), redisserver.Start(t), mongoserver.New(t)
	redisClient(t, redis.URI).HSet(t.Context(), "lanyard:metrics_v1", outbound, "1000", inbound, "10")
	e := newEndpoint(t)
	env := append(append(os.Environ(), mongo.Env()...), "REDIS_URI="+redis.URI, "LANYARD_METRICS_URL="+e.URL+"/metrics")
	want := map[string]int64{outbound: 1000, inbound: 10}
	low := make(map[string]map[string]int64)
	e.busy = true
	flush := func() {
		cmd := exec.Command(bin, "metrics", "flush", "--quiet")
		cmd.Env = env
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
	}
	for round := range rounds {
		for len(e.scraped) > 0 {
			<-e.scraped
		}
		// A Lanyard that is beyond the last flush before it is scraped again looks as if it had gone on.
		e.set(0, 0, nil)
		flush()
		<-e.scraped
		for range 2 {
			cmd := exec.Command(bin, "metrics", "flush", "--every", "1s", "--quiet")
			cmd.Env = env
			cmd.Stdout, cmd.Stderr = io.Discard, io.Discard
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for range 1 + rand.IntN(2) {
				select {
				case <-e.scraped:
				case <-time.After(time.Minute):
					t.Fatal("it does not scrape")
				}
			}
			time.Sleep(rand.N(30 * time.Millisecond))
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			for store, counters := range storedCounters(t, bin, env) {
				for name, n := range counters {
					if n < low[store][name] {
						t.Errorf("%s: %s went from %d to %d", store, name, low[store][name], n)
					}
				}
				low[store] = counters
			}
		}
		flush()
		e.mu.Lock()
		want[outbound], want[inbound] = want[outbound]+e.told[outbound], want[inbound]+e.told[inbound]
		e.mu.Unlock()
		for store, counters := range storedCounters(t, bin, env) {
			for name, n := range want {
				if counters[name] != n {
					t.Errorf("round %d: %s has %d %s, want %d", round, store, counters[name], name, n)
				}
			}
		}
	}
}

// TestAFlushThatIsStopped has done its work, unless the last attempt failed.
func TestAFlushThatIsStopped(t *testing.T) {
	t.Parallel()
	bin, redis := ferretdb.Build(t), redisserver.Start(t)
	e := newEndpoint(t)
	env := append(os.Environ(), "REDIS_URI="+redis.URI, "MONGODB_URI=")
	notFound := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }
	for _, test := range []struct {
		answer func(http.ResponseWriter, *http.Request)
		code   int
		says   string
	}{
		{nil, exit.Done, "debug: flushed"}, {notFound, exit.Failed, "404 Not Found; the next attempt"},
	} {
		e.set(7, 1, test.answer)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, bin, "metrics", "flush", "--url", e.URL, "--every", "1h", "--output", "json", "--verbose")
		var out bytes.Buffer
		cmd.Env, cmd.Stdout = env, &out
		said, err := cmd.StderrPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for scanner := bufio.NewScanner(said); scanner.Scan(); {
			lines = append(lines, scanner.Text())
			if strings.Contains(scanner.Text(), test.says) {
				if err := cmd.Process.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // which says the code
		if got := cmd.ProcessState.ExitCode(); got != test.code || !json.Valid(out.Bytes()) || !strings.Contains(out.String(), `"ok": `+strconv.FormatBool(got == exit.Done)) {
			t.Errorf("exit %d, want %d\n%s%s", got, test.code, &out, strings.Join(lines, "\n"))
		}
	}
}
