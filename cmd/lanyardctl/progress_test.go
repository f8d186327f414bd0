package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/migrate"
)

// recorder is a view that keeps what it is shown.
type recorder struct {
	shown    chan int64
	last     migrate.Snapshot
	complete bool
}

func (r *recorder) show(_ time.Time, s migrate.Snapshot) { r.shown <- s.Keys }

func (r *recorder) end(_ time.Time, s migrate.Snapshot, complete bool) {
	r.last, r.complete = s, complete
}

func TestProgressFollowsTheTicksAndEndsWithTheLastState(t *testing.T) {
	defer goleak.VerifyNone(t)
	var mu sync.Mutex
	state := migrate.Snapshot{Keys: 1}
	set := func(keys int64) {
		mu.Lock()
		defer mu.Unlock()
		state.Keys = keys
	}
	ticks := make(chan time.Time)
	r := &recorder{shown: make(chan int64)}
	stop := follow(r, ticks, time.Now, func() migrate.Snapshot {
		mu.Lock()
		defer mu.Unlock()
		return state
	})
	for keys := range int64(3) {
		set(keys)
		ticks <- time.Time{}
		if got := <-r.shown; got != keys {
			t.Errorf("got %d, want %d", got, keys)
		}
	}
	set(10)
	stop(true)
	if r.last.Keys != 10 || !r.complete {
		t.Errorf("ended with %+v", r)
	}
}

func TestProgressLeaksNothing(t *testing.T) {
	for _, mode := range []string{progressBar, progressPlain, progressNone} {
		t.Run(mode, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			var out bytes.Buffer
			stop := startProgress(mode, nil, newConsole(&out, newRedactor()), 80, func() migrate.Snapshot { return migrate.Snapshot{Keys: 5, Total: 5} })
			stop(true)
			if (out.Len() == 0) != (mode == progressNone) {
				t.Errorf("%q", out.String())
			}
		})
	}
}

func TestProgressModes(t *testing.T) {
	for _, test := range []struct {
		flag            string
		quiet, terminal bool
		want            string
	}{
		{"auto", false, true, "bar"}, {"auto", false, false, "plain"}, {"bar", false, false, "bar"}, {"plain", false, true, "plain"},
		{"none", false, true, "none"}, {"auto", true, true, "none"}, {"bar", true, true, "none"},
	} {
		if got := progressMode(test.flag, test.quiet, test.terminal); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	began := time.Unix(1000, 0)
	v := newPlainView(&out, began, migrate.Snapshot{Keys: 50000})
	v.show(began, migrate.Snapshot{Phase: "copying", Keys: 50000, Total: 1250000})
	v.show(began.Add(10*time.Second), migrate.Snapshot{Phase: "copying", Keys: 250000, Total: 1250000, Records: 240000, Rejects: 1})
	v.show(began.Add(60*time.Second), migrate.Snapshot{Phase: "finishing the target", Keys: 1250010, Total: 1250000, Records: 1200000, Rejects: 1234})
	v.end(began.Add(80*time.Second), migrate.Snapshot{Phase: "finishing the target", Keys: 1250010, Total: 1250000, Records: 1200000, Rejects: 1234}, true)
	v.end(began.Add(80*time.Second), migrate.Snapshot{Keys: 7}, false)
	golden(t, "progress-plain.txt", out.String())
}

// lastLine returns what a terminal would show of the last line that was drawn before the newline at the end.
func lastLine(out string) string {
	out = strings.TrimSuffix(out, "\n")
	return strings.TrimSuffix(out[strings.LastIndex(out, "\r")+1:], "\x1b[0K")
}

func TestABarEndsAtAHundredPerCentAndNotBefore(t *testing.T) {
	tests := map[string]struct {
		states []migrate.Snapshot
		last   migrate.Snapshot
	}{
		"as many keys as counted":        {[]migrate.Snapshot{{Phase: "copying", Keys: 5, Total: 10}, {Phase: "finishing", Keys: 10, Total: 10}}, migrate.Snapshot{Keys: 10, Total: 10}},
		"more keys than were counted":    {[]migrate.Snapshot{{Phase: "copying", Keys: 12, Total: 10}, {Phase: "copying", Keys: 13, Total: 10}}, migrate.Snapshot{Keys: 15, Total: 10}},
		"fewer keys than were counted":   {[]migrate.Snapshot{{Phase: "copying", Keys: 2, Total: 10}}, migrate.Snapshot{Keys: 8, Total: 10}},
		"no keys at all":                 {[]migrate.Snapshot{{Phase: "copying"}}, migrate.Snapshot{}},
		"a number that nobody knows":     {[]migrate.Snapshot{{Phase: "copying", Keys: 7}}, migrate.Snapshot{Keys: 9}},
		"an end before the first tick":   {nil, migrate.Snapshot{Keys: 3, Total: 3}},
		"going on with an earlier run":   {[]migrate.Snapshot{{Phase: "copying", Keys: 900000, Total: 1000000}}, migrate.Snapshot{Keys: 1000000, Total: 1000000}},
		"the last state was shown twice": {[]migrate.Snapshot{{Keys: 3, Total: 3}, {Keys: 3, Total: 3}}, migrate.Snapshot{Keys: 3, Total: 3}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			v := newBarView(newConsole(&out, newRedactor()), 100)
			for _, s := range test.states {
				v.show(time.Time{}, s)
			}
			if strings.Contains(out.String(), "100%") {
				t.Errorf("at 100 %% before the end: %q", out.String())
			}
			v.end(time.Time{}, test.last, true)
			if !strings.HasSuffix(out.String(), "\n") || !strings.Contains(lastLine(out.String()), "100%") || !strings.HasPrefix(lastLine(out.String()), "done") {
				t.Errorf("the bar ends with %q", lastLine(out.String()))
			}
		})
	}
}

func TestABarThatStoppedIsNotFull(t *testing.T) {
	var out bytes.Buffer
	v := newBarView(newConsole(&out, newRedactor()), 100)
	v.show(time.Time{}, migrate.Snapshot{Phase: "copying", Keys: 5, Total: 10})
	v.end(time.Time{}, migrate.Snapshot{Phase: "copying", Keys: 6, Total: 10}, false)
	if strings.Contains(out.String(), "100%") || !strings.Contains(lastLine(out.String()), "60%") || !strings.HasSuffix(out.String(), "\n") {
		t.Errorf("the bar ends with %q", lastLine(out.String()))
	}
}

func TestALogLineTakesTheBarOffItsLine(t *testing.T) {
	var out bytes.Buffer
	c := newConsole(&out, newRedactor("redis://:hunter2@h"))
	v := newBarView(c, 100)
	v.show(time.Time{}, migrate.Snapshot{Phase: "copying", Keys: 5, Total: 10})
	out.Reset()
	if _, err := c.Write([]byte("trying redis://:hunter2@h again\n")); err != nil {
		t.Fatal(err)
	}
	if want := eraseLine + "trying redis://:xxxxx@h again\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	if _, err := c.Write([]byte("twice\n")); err != nil || out.String() != "twice\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}
