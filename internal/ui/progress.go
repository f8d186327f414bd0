package ui

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// The values of --progress.
const (
	ProgressAuto  = "auto"
	ProgressBar   = "bar"
	ProgressPlain = "plain"
	ProgressNone  = "none"
)

const (
	barEvery   = 200 * time.Millisecond
	plainEvery = 10 * time.Second
)

// ProgressMode decides what --progress means for a stream. Redraws tells whether a line of it can be drawn anew.
func ProgressMode(flag string, quiet, redraws bool) string {
	switch {
	case quiet:
		return ProgressNone
	case flag != ProgressAuto:
		return flag
	case redraws:
		return ProgressBar
	}
	return ProgressPlain
}

// Progress is how far a run has come.
type Progress struct {
	Phase  string
	Done   int64
	Total  int64  // about, and zero where nobody knows
	Unit   string // of both: "keys"
	Beside []Counter
}

// Counter is how many there are of something.
type Counter struct {
	Noun string
	N    int64
}

// progressView shows how far a run has come.
type progressView interface {
	show(now time.Time, s Progress)

	// end shows the last state. Complete tells that the run came to its end.
	end(now time.Time, s Progress, complete bool)
}

// StartProgress shows the state on c until the returned function is called; plain progress goes to log where that is
// not nil.
func StartProgress(mode string, log *slog.Logger, c *Console, state func() Progress) (stop func(complete bool)) {
	return start(mode, log, c, plainEvery, newBarView(c), state)
}

// statusEvery is how often a log says how something stands that goes on without an end.
const statusEvery = time.Minute

// StartStatus is [StartProgress] for what goes on without an end: one line on a terminal, and a line a minute elsewhere.
func StartStatus(mode string, log *slog.Logger, c *Console, state func() Progress) (stop func(complete bool)) {
	return start(mode, log, c, statusEvery, &statusView{*newPlainView(io.Discard, time.Now(), state()), c}, state)
}

// start shows the state by drawn on a terminal, and every so often by lines elsewhere.
func start(mode string, log *slog.Logger, c *Console, every time.Duration, drawn progressView, state func() Progress) (stop func(complete bool)) {
	var view progressView
	switch {
	case mode == ProgressNone:
		return func(bool) {}
	case mode == ProgressBar:
		view, every = drawn, barEvery
	case log != nil:
		view = newLogView(log, time.Now(), state())
	default:
		view = newPlainView(c, time.Now(), state())
	}
	ticker := time.NewTicker(every)
	end := follow(view, ticker.C, time.Now, state)
	return func(complete bool) {
		ticker.Stop()
		end(complete)
	}
}

// statusView draws a line on a terminal.
type statusView struct {
	plainView
	console *Console
}

func (v *statusView) show(now time.Time, p Progress) {
	v.take(now, p)
	v.console.draw(p.Phase + ": " + v.state(now, p))
}

func (v *statusView) end(now time.Time, p Progress, _ bool) {
	v.show(now, p)
	v.console.leave()
}

// follow shows the state at each tick. The returned function shows the last one and returns when nothing runs any more.
func follow(view progressView, ticks <-chan time.Time, now func() time.Time, state func() Progress) (stop func(complete bool)) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case t := <-ticks:
				view.show(t, state())
			case <-quit:
				return
			}
		}
	}()
	return func(complete bool) {
		close(quit)
		<-ended
		view.end(now(), state(), complete)
	}
}

// pace knows how fast a run is: since its start, or since it last began to count anew.
type pace struct {
	since time.Time
	from  int64 // what was done by then, as by an earlier run
	last  int64
}

func newPace(now time.Time, p Progress) pace { return pace{now, p.Done, p.Done} }

// take takes in how far the run is now.
func (v *pace) take(now time.Time, p Progress) {
	if p.Done < v.last {
		v.since, v.from = now, p.Done
	}
	v.last = p.Done
}

// rate returns how much is done in a second.
func (v *pace) rate(now time.Time, p Progress) float64 {
	seconds := now.Sub(v.since).Seconds()
	if seconds <= 0 {
		return 0
	}
	return float64(p.Done-v.from) / seconds
}

// left returns about how long the rest takes; zero where nobody knows.
func (v *pace) left(now time.Time, p Progress) time.Duration {
	rate := v.rate(now, p)
	if rate <= 0 || p.Total <= p.Done {
		return 0
	}
	return time.Duration(float64(p.Total-p.Done) / rate * float64(time.Second))
}

// plainView writes a line at each tick, for logs.
type plainView struct {
	pace
	out   io.Writer
	began time.Time
}

func newPlainView(out io.Writer, now time.Time, p Progress) *plainView {
	return &plainView{pace: newPace(now, p), out: out, began: now}
}

func (v *plainView) show(now time.Time, p Progress) {
	v.take(now, p)
	left := ""
	if d := v.left(now, p); d > 0 {
		left = "about " + Duration(d) + " left"
	}
	v.line(p.Phase, v.state(now, p), left)
}

func (v *plainView) end(now time.Time, p Progress, complete bool) {
	what := "stopped"
	if complete {
		what = "done"
		p.Total = p.Done
	}
	v.line(what, v.state(now, p), "in "+Duration(now.Sub(v.began)))
}

func (v *plainView) line(what, state, rest string) {
	text := what + ": " + state
	if rest != "" {
		text += ", " + rest
	}
	// Progress that cannot be shown is no reason to stop.
	_, _ = fmt.Fprintln(v.out, text)
}

// state returns "12,345 of 123,456 keys (10 %), 12,300 records, 45 rejects, 1,234 keys/s".
func (v *plainView) state(now time.Time, p Progress) string {
	parts := []string{Thousands(p.Done) + " " + p.Unit}
	if p.Total > 0 {
		total := max(p.Total, p.Done)
		parts[0] = fmt.Sprintf("%s of %s %s (%d %%)", Thousands(p.Done), Thousands(total), p.Unit, p.Done*100/total)
	}
	for _, t := range p.Beside {
		if t.N > 0 {
			parts = append(parts, Plural(t.N, t.Noun))
		}
	}
	if rate := v.rate(now, p); rate > 0 {
		parts = append(parts, Thousands(int64(rate))+" "+p.Unit+"/s")
	}
	return strings.Join(parts, ", ")
}

// logView logs at each tick, for programs that read logs.
type logView struct {
	pace
	log *slog.Logger
}

func newLogView(log *slog.Logger, now time.Time, p Progress) *logView {
	return &logView{newPace(now, p), log}
}

func (v *logView) show(now time.Time, p Progress) { v.write(now, p.Phase, p) }

func (v *logView) end(now time.Time, p Progress, complete bool) {
	if complete {
		v.write(now, "done", p)
	} else {
		v.write(now, "stopped", p)
	}
}

func (v *logView) write(now time.Time, phase string, p Progress) {
	v.take(now, p)
	attrs := []any{"phase", phase, p.Unit, p.Done, "total", p.Total}
	for _, t := range p.Beside {
		attrs = append(attrs, Several(t.Noun), t.N)
	}
	attrs = append(attrs, "per_second", int64(v.rate(now, p)))
	if left := v.left(now, p); left > 0 && phase == p.Phase {
		attrs = append(attrs, "seconds_left", int64(math.Ceil(left.Seconds())))
	}
	v.log.Info("progress", attrs...)
}

// barView draws a bar on a terminal.
type barView struct {
	console *Console
	bar     *progressbar.ProgressBar
	last    Progress
}

// beside is about how many columns stand beside the bar itself.
const beside = 72

func newBarView(c *Console) *barView { return &barView{console: c} }

func (v *barView) newBar(unit string) *progressbar.ProgressBar {
	theme := progressbar.ThemeDefault
	if !v.console.look.Blocks {
		theme.Saucer = "#"
	}
	return progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(io.Discard), // draw shows it, over what was there before
		progressbar.OptionSetTheme(theme),
		progressbar.OptionSetWidth(min(max(v.console.look.Width-beside, 8), 40)),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionShowElapsedTimeOnFinish(),
	)
}

// show draws the state. While the run goes on the bar stays short of its end: the keys may have become more than were
// counted, and what comes after the last key takes its time as well.
func (v *barView) show(_ time.Time, p Progress) {
	p.Total = max(p.Total, p.Done+1)
	v.draw(p)
}

func (v *barView) end(_ time.Time, p Progress, complete bool) {
	if complete {
		p.Phase, p.Done = "done", max(p.Done, 1)
		p.Total = p.Done
	} else {
		p.Phase, p.Total = "stopped", max(p.Total, p.Done+1)
	}
	v.draw(p)
	v.console.leave()
}

func (v *barView) draw(p Progress) {
	// A run that begins to count anew has a new speed.
	if v.bar == nil || p.Done < v.last.Done {
		v.bar, v.last = v.newBar(p.Unit), Progress{}
	}
	if p.Phase != v.last.Phase {
		v.bar.Describe(p.Phase)
	}
	if v.bar.GetMax64() != p.Total {
		v.bar.ChangeMax64(p.Total)
	}
	v.last = p
	// It is discarded, which cannot fail.
	_ = v.bar.Set64(p.Done)
	v.console.draw(strings.TrimPrefix(v.bar.String(), "\r"))
}
