package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/lanyardctl/lanyardctl/migrate"
)

// The values of --progress.
const (
	progressAuto  = "auto"
	progressBar   = "bar"
	progressPlain = "plain"
	progressNone  = "none"
)

const (
	barEvery   = 200 * time.Millisecond
	plainEvery = 10 * time.Second
)

// progressMode decides what --progress means for a stream.
func progressMode(flag string, quiet, terminal bool) string {
	switch {
	case quiet:
		return progressNone
	case flag != progressAuto:
		return flag
	case terminal:
		return progressBar
	}
	return progressPlain
}

// progressView shows how far a run has come.
type progressView interface {
	show(now time.Time, s migrate.Snapshot)

	// end shows the last state. Complete tells that the run came to its end.
	end(now time.Time, s migrate.Snapshot, complete bool)
}

// startProgress shows snapshots on c until the returned function is called; plain progress goes to log where that is
// not nil.
func startProgress(mode string, log *slog.Logger, c *console, width int, snapshot func() migrate.Snapshot) (stop func(complete bool)) {
	var view progressView
	every := plainEvery
	switch mode {
	case progressNone:
		return func(bool) {}
	case progressBar:
		view, every = newBarView(c, width), barEvery
	default:
		view = newPlainView(c, time.Now(), snapshot())
		if log != nil {
			view = logView{log}
		}
	}
	ticker := time.NewTicker(every)
	end := follow(view, ticker.C, time.Now, snapshot)
	return func(complete bool) {
		ticker.Stop()
		end(complete)
	}
}

// follow shows a snapshot at each tick. The returned function shows the last one and returns when nothing runs any more.
func follow(view progressView, ticks <-chan time.Time, now func() time.Time, snapshot func() migrate.Snapshot) (stop func(complete bool)) {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case t := <-ticks:
				view.show(t, snapshot())
			case <-quit:
				return
			}
		}
	}()
	return func(complete bool) {
		close(quit)
		<-ended
		view.end(now(), snapshot(), complete)
	}
}

// plainView writes a line at each tick, for logs.
type plainView struct {
	out     io.Writer
	began   time.Time
	started int64 // keys that an interrupted run had looked at before
}

func newPlainView(out io.Writer, now time.Time, s migrate.Snapshot) *plainView {
	return &plainView{out: out, began: now, started: s.Keys}
}

func (v *plainView) show(now time.Time, s migrate.Snapshot) {
	v.line(s.Phase, v.state(now, s), v.left(now, s))
}

func (v *plainView) end(now time.Time, s migrate.Snapshot, complete bool) {
	what := "stopped"
	if complete {
		what = "done"
		s.Total = s.Keys
	}
	v.line(what, v.state(now, s), "in "+duration(now.Sub(v.began)))
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
func (v *plainView) state(now time.Time, s migrate.Snapshot) string {
	parts := []string{thousands(s.Keys) + " keys"}
	if s.Total > 0 {
		total := max(s.Total, s.Keys)
		parts[0] = fmt.Sprintf("%s of %s keys (%d %%)", thousands(s.Keys), thousands(total), s.Keys*100/total)
	}
	parts = append(parts, plural(s.Records, "record"))
	if s.Rejects > 0 {
		parts = append(parts, plural(s.Rejects, "reject"))
	}
	if rate := v.rate(now, s); rate > 0 {
		parts = append(parts, thousands(int64(rate))+" keys/s")
	}
	return strings.Join(parts, ", ")
}

// rate returns keys a second.
func (v *plainView) rate(now time.Time, s migrate.Snapshot) float64 {
	seconds := now.Sub(v.began).Seconds()
	if seconds <= 0 {
		return 0
	}
	return float64(s.Keys-v.started) / seconds
}

func (v *plainView) left(now time.Time, s migrate.Snapshot) string {
	rate := v.rate(now, s)
	if rate <= 0 || s.Total <= s.Keys {
		return ""
	}
	return "about " + duration(time.Duration(float64(s.Total-s.Keys)/rate*float64(time.Second))) + " left"
}

// logView logs at each tick, for programs that read logs.
type logView struct{ log *slog.Logger }

func (v logView) show(_ time.Time, s migrate.Snapshot) { v.write(s.Phase, s) }

func (v logView) end(_ time.Time, s migrate.Snapshot, complete bool) {
	if complete {
		v.write("done", s)
	} else {
		v.write("stopped", s)
	}
}

func (v logView) write(phase string, s migrate.Snapshot) {
	v.log.Info("progress", "phase", phase, "keys", s.Keys, "total", s.Total, "records", s.Records, "rejects", s.Rejects)
}

// barView draws a bar on a terminal.
type barView struct {
	console *console
	bar     *progressbar.ProgressBar
	phase   string
}

// beside is about how many columns stand beside the bar itself.
const beside = 72

func newBarView(c *console, width int) *barView {
	return &barView{console: c, bar: progressbar.NewOptions64(1,
		progressbar.OptionSetWriter(barWriter{c}),
		progressbar.OptionSetWidth(min(max(width-beside, 8), 40)),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString("keys"),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionShowElapsedTimeOnFinish(),
		progressbar.OptionUseANSICodes(true),
	)}
}

// show draws the state. While the run goes on the bar stays short of its end: the keys may have become more than were
// counted, and what comes after the last key takes its time as well.
func (v *barView) show(_ time.Time, s migrate.Snapshot) {
	v.draw(s.Phase, s.Keys, max(s.Total, s.Keys+1))
}

func (v *barView) end(_ time.Time, s migrate.Snapshot, complete bool) {
	if complete {
		v.draw("done", max(s.Keys, 1), max(s.Keys, 1))
	} else {
		v.draw("stopped", s.Keys, max(s.Total, s.Keys+1))
	}
	v.console.leaveBar()
}

func (v *barView) draw(phase string, keys, total int64) {
	if phase != v.phase {
		v.phase = phase
		v.bar.Describe(phase)
	}
	if v.bar.GetMax64() != total {
		v.bar.ChangeMax64(total)
	}
	// Drawing fails only where the terminal is gone.
	_ = v.bar.Set64(keys)
}
