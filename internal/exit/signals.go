package exit

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/lanyardctl/lanyardctl/record"
)

// WithSignals returns a context that the first SIGINT, SIGTERM or SIGHUP cancels, with [record.ErrInterrupted] as its
// cause, so that a run can finish what is in flight and report. The second ends the process at once. The caller calls
// stop when done.
func WithSignals(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) { // as nohup has it
			signal.Notify(signals, s)
		}
	}
	done := make(chan struct{})
	go func() {
		for again := false; ; again = true {
			select {
			case <-done:
				return
			case <-signals:
				if again {
					os.Exit(Interrupted)
				}
				cancel(record.ErrInterrupted)
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}
