package ui

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/internal/golden"
)

// recorder is a view that keeps what it is shown.
type recorder struct {
	shown    chan int64
	last     Progress
	complete bool
}

func (r *recorder) show(_ time.Time, s Progress) { r.shown <- s.Done }

func (r *recorder) end(_ time.Time, s Progress, complete bool) {
	r.last, r.complete = s, complete
}

func TestProgressFollowsTheTicksAndEndsWithTheLastState(t *testing.T) {
	defer goleak.VerifyNone(t)
	var mu sync.Mutex
	state := Progress{Done: 1}
	set := func(keys int64) {
		mu.Lock()
		defer mu.Unlock()
		state.Done = keys
	}
	ticks := make(chan time.Time)
	r := &recorder{shown: make(chan int64)}
	stop := follow(r, ticks, time.Now, func() Progress {
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
	if r.last.Done != 10 || !r.complete {
		t.Errorf("ended with %+v", r)
	}
}

func TestProgressLeaksNothing(t *testing.T) {
	for _, mode := range []string{ProgressBar, ProgressPlain, ProgressNone} {
		t.Run(mode, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			var out bytes.Buffer
			stop := StartProgress(mode, nil, NewConsole(&out, NewSanitizer(), Style{Width: 80}), func() Progress { return Progress{Done: 5, Total: 5} })
			stop(true)
			if (out.Len() == 0) != (mode == ProgressNone) {
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
		if got := ProgressMode(test.flag, test.quiet, test.terminal); got != test.want {
			t.Errorf("%+v: %s", test, got)
		}
	}
}

func TestProgressThatCountsAnewHasItsOwnSpeed(t *testing.T) {
	var out bytes.Buffer
	began := time.Unix(1000, 0)
	v := newPlainView(&out, began, Progress{})
	v.show(began.Add(10*time.Second), Progress{Phase: "comparing", Done: 1000, Total: 1000, Unit: "entries"})
	v.show(began.Add(20*time.Second), Progress{Phase: "looking closer", Done: 0, Total: 1000, Unit: "entries"})
	out.Reset()
	v.show(began.Add(30*time.Second), Progress{Phase: "looking closer", Done: 500, Total: 1000, Unit: "entries"})
	if want := "looking closer: 500 of 1,000 entries (50 %), 50 entries/s, about 10.0 s left\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

// lastLine returns what a terminal would show of the last line that was drawn before the newline at the end.
func lastLine(out string) string {
	out = strings.TrimSuffix(out, "\n")
	return strings.TrimRight(out[strings.LastIndex(out, "\r")+1:], " ")
}

func TestABarEndsAtAHundredPerCentAndNotBefore(t *testing.T) {
	tests := map[string]struct {
		states []Progress
		last   Progress
	}{
		"as many keys as counted":        {[]Progress{{Phase: "copying", Done: 5, Total: 10}, {Phase: "finishing", Done: 10, Total: 10}}, Progress{Done: 10, Total: 10}},
		"more keys than were counted":    {[]Progress{{Phase: "copying", Done: 12, Total: 10}, {Phase: "copying", Done: 13, Total: 10}}, Progress{Done: 15, Total: 10}},
		"fewer keys than were counted":   {[]Progress{{Phase: "copying", Done: 2, Total: 10}}, Progress{Done: 8, Total: 10}},
		"no keys at all":                 {[]Progress{{Phase: "copying"}}, Progress{}},
		"a number that nobody knows":     {[]Progress{{Phase: "copying", Done: 7}}, Progress{Done: 9}},
		"an end before the first tick":   {nil, Progress{Done: 3, Total: 3}},
		"going on with an earlier run":   {[]Progress{{Phase: "copying", Done: 900000, Total: 1000000}}, Progress{Done: 1000000, Total: 1000000}},
		"the last state was shown twice": {[]Progress{{Done: 3, Total: 3}, {Done: 3, Total: 3}}, Progress{Done: 3, Total: 3}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			v := newBarView(NewConsole(&out, NewSanitizer(), Style{Width: 100}))
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
	v := newBarView(NewConsole(&out, NewSanitizer(), Style{Width: 100}))
	v.show(time.Time{}, Progress{Phase: "copying", Done: 5, Total: 10})
	v.end(time.Time{}, Progress{Phase: "copying", Done: 6, Total: 10}, false)
	if strings.Contains(out.String(), "100%") || !strings.Contains(lastLine(out.String()), "60%") || !strings.HasSuffix(out.String(), "\n") {
		t.Errorf("the bar ends with %q", lastLine(out.String()))
	}
}

func TestABarNeedsNoMoreThanATerminalHas(t *testing.T) {
	for name, test := range map[string]struct {
		look   Style
		saucer string
	}{"of block elements": {Style{Width: 100, Blocks: true}, "█"}, "of ASCII": {Style{Width: 100}, "#"}, "too narrow": {Style{Width: 30}, ""}} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			v := newBarView(NewConsole(&out, NewSanitizer(), test.look))
			v.show(time.Time{}, Progress{Phase: "copying much", Done: 5, Total: 10, Unit: "keys"})
			v.show(time.Time{}, Progress{Phase: "copying", Done: 6, Total: 10, Unit: "keys"})
			for drawn := range strings.SplitSeq(out.String(), "\r") {
				if !strings.Contains(drawn, test.saucer) && drawn != "" || Columns(drawn) >= test.look.Width || strings.Contains(drawn, "\x1b") ||
					!test.look.Blocks && strings.Trim(drawn, "\r !\"#%()+,-./0123456789:;<=>?@[]_abcdefghijklmnopqrstuvwxyz|") != "" {
					t.Errorf("%q", drawn)
				}
			}
		})
	}
}

func TestALogLineTakesTheBarOffItsLine(t *testing.T) {
	var out bytes.Buffer
	c := NewConsole(&out, NewSanitizer("redis://:hunter2@h"), Style{Width: 100})
	v := newBarView(c)
	v.show(time.Time{}, Progress{Phase: "copying", Done: 5, Total: 10})
	drawn := Columns(strings.TrimPrefix(out.String(), "\r"))
	out.Reset()
	if _, err := c.Write([]byte("trying redis://:hunter2@h again\n")); err != nil {
		t.Fatal(err)
	}
	if want := "\r" + strings.Repeat(" ", drawn) + "\rtrying redis://:xxxxx@h again\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	if _, err := c.Write([]byte("twice\n")); err != nil || out.String() != "twice\n" {
		t.Errorf("got %q, %v", out.String(), err)
	}
}

func TestPlainProgress(t *testing.T) {
	var out bytes.Buffer
	began := time.Unix(1000, 0)
	v := newPlainView(&out, began, Progress{Done: 50000})
	copying := func(keys, total, records, rejects int64) Progress {
		return Progress{
			Phase: "copying", Done: keys, Total: total, Unit: "keys",
			Beside: []Counter{{Noun: "record", N: records}, {Noun: "reject", N: rejects}},
		}
	}
	v.show(began, copying(50000, 1250000, 0, 0))
	v.show(began.Add(10*time.Second), copying(250000, 1250000, 240000, 1))
	v.show(began.Add(60*time.Second), copying(1250010, 1250000, 1200000, 1234))
	v.end(began.Add(80*time.Second), copying(1250010, 1250000, 1200000, 1234), true)
	v.end(began.Add(80*time.Second), copying(7, 0, 0, 0), false)
	golden.Compare(t, "progress-plain.txt", out.String())
}

func TestLoggedProgressSaysHowFastItIsAndHowLongItTakes(t *testing.T) {
	var out bytes.Buffer
	began := time.Unix(1000, 0)
	log := slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey || a.Key == slog.LevelKey {
			return slog.Attr{}
		}
		return a
	}}))
	p := Progress{Phase: "copying", Done: 100, Total: 1100, Unit: "keys", Beside: []Counter{{Noun: "record", N: 3}}}
	v := newLogView(log, began, p)
	p.Done = 600
	v.show(began.Add(10*time.Second), p)
	p.Done = 1100
	v.end(began.Add(20*time.Second), p, true)
	want := `{"msg":"progress","phase":"copying","keys":600,"total":1100,"records":3,"per_second":50,"seconds_left":10}
{"msg":"progress","phase":"done","keys":1100,"total":1100,"records":3,"per_second":50}
`
	if out.String() != want {
		t.Errorf("\n got %s\nwant %s", &out, want)
	}
}
