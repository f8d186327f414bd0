package ui

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// A run says what it waits for after so long: on a terminal, and elsewhere.
const (
	waitOnTerminal = time.Second
	waitElsewhere  = 5 * time.Second
)

// Waiting says what a run waits for, where that takes long: a terminal gets a line that goes away again, a log one
// line.
type Waiting struct {
	Mode    string // of the progress
	Log     *slog.Logger
	Console *Console
}

// For says what is done, such as "waiting for MongoDB at localhost", until arrived is called.
func (w Waiting) For(what string) (arrived func()) {
	if w.Mode == ProgressNone {
		return func() {}
	}
	since, ticker := time.Now(), time.NewTicker(waitOnTerminal)
	stop := w.follow(what, since, ticker.C)
	return func() {
		ticker.Stop()
		stop()
	}
}

// follow says at the ticks what has been done since a time, until the returned function is called.
func (w Waiting) follow(what string, since time.Time, ticks <-chan time.Time) (stop func()) {
	var saying sync.WaitGroup
	quit := make(chan struct{})
	saying.Go(func() {
		for {
			select {
			case now := <-ticks:
				if w.say(what, now.Sub(since).Round(time.Second)) {
					return
				}
			case <-quit:
				return
			}
		}
	})
	return func() {
		close(quit)
		saying.Wait()
		w.Console.erase()
	}
}

// say says what has been done for so long, and reports whether that was all there is to say.
func (w Waiting) say(what string, lasts time.Duration) bool {
	switch {
	case w.Mode == ProgressBar:
		w.Console.draw(fmt.Sprintf("%s … %d s", what, lasts/time.Second))
		return false
	case w.Console.look.Width == 0 && lasts < waitElsewhere:
		return false
	}
	w.Log.Info(what + " …")
	return true
}
