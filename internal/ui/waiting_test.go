package ui

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// waitingOn returns what says on out what is waited for.
func waitingOn(out *bytes.Buffer, mode, format string, width int) Waiting {
	c := NewConsole(out, NewSanitizer("redis://:hunter2@h"), Style{Width: width})
	return Waiting{Mode: mode, Console: c, Log: NewLogger(c, format, LogLevel(false, false))}
}

func TestWaitingIsSaidOnceItTakesLong(t *testing.T) {
	const drawn = "\rwaiting for redis://:xxxxx@h … "
	for name, test := range map[string]struct {
		mode  string
		width int
		want  []string // after each second
	}{
		"on a terminal":              {ProgressBar, 80, []string{drawn + "1 s", drawn + "2 s", drawn + "3 s"}},
		"on a narrow terminal":       {ProgressBar, 20, []string{"\rwaiting for redis:/", "\rwaiting for redis:/"}},
		"on one that cannot go back": {ProgressPlain, 80, []string{"waiting for redis://:xxxxx@h …\n"}},
		"elsewhere":                  {ProgressPlain, 0, []string{"", "", "", "", "waiting for redis://:xxxxx@h …\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := waitingOn(&out, test.mode, LogText, test.width)
			for i, want := range test.want {
				out.Reset()
				said := w.say("waiting for redis://:hunter2@h", time.Duration(i+1)*time.Second)
				if out.String() != want || said != (test.mode == ProgressPlain && want != "") {
					t.Errorf("after %d s: %q, %t, want %q", i+1, out.String(), said, want)
				}
			}
		})
	}
}

func TestWhatIsWaitedForGoesAwayAgain(t *testing.T) {
	defer goleak.VerifyNone(t)
	var out bytes.Buffer
	w, ticks, since := waitingOn(&out, ProgressBar, LogText, 80), make(chan time.Time), time.Unix(1000, 0)
	stop := w.follow("waiting for h", since, ticks)
	ticks <- since.Add(time.Second)
	ticks <- since.Add(2 * time.Second) // taken once the first is drawn
	stop()
	w.Log.Info("done")
	shown := "waiting for h … 2 s"
	if want := "\r" + strings.Repeat(" ", Columns(shown)) + "\rdone\n"; !strings.HasSuffix(out.String(), shown+want) {
		t.Errorf("%q", out.String())
	}
}

func TestALogOfJSONSaysWhatIsWaitedFor(t *testing.T) {
	var out bytes.Buffer
	w := waitingOn(&out, ProgressPlain, LogJSON, 0)
	w.say("waiting for h", time.Minute)
	if !strings.Contains(out.String(), `"msg":"waiting for h …"`) {
		t.Errorf("%q", out.String())
	}
}

func TestAWaitThatIsShortSaysNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, mode := range []string{ProgressBar, ProgressPlain, ProgressNone} {
		var out bytes.Buffer
		waitingOn(&out, mode, LogText, 80).For("waiting for h")()
		if out.Len() > 0 {
			t.Errorf("%s: %q", mode, out.String())
		}
	}
}
