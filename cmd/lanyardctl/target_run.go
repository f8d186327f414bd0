package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

// targetRun is one run of a command that works on a target. Every text that it prints or returns has passed the
// redactor.
type targetRun struct {
	on      targetOptions
	streams streams
	red     ui.Sanitizer
	term    *ui.Console
	log     *slog.Logger
	warned  []string // the warnings so far, for the report
	sources []*redisSource
	began   bool // there is a report
}

// newTargetRun returns a run that shows nothing of what red hides.
func newTargetRun(o targetOptions, s streams, red ui.Sanitizer) *targetRun {
	term := ui.NewConsole(red.Writer(s.err))
	return &targetRun{on: o, streams: s, red: red, term: term, log: ui.NewLogger(term, o.logFormat, ui.LogLevel(o.quiet, o.verbose))}
}

// open opens the target. The caller closes it by the returned function.
func (r *targetRun) open(ctx context.Context, missing missingFolder) (target *mongoTarget, closeIt func(), err error) {
	target, err = openMongo(ctx, r.on, missing)
	if err != nil {
		return nil, nil, err
	}
	r.warn(serverWarnings(target.Info())...)
	r.log.Debug("opened the target", "uri", r.on.target.shown(), "is", describeMongo(target.Info()), "database", r.on.database)
	return target, func() { r.closed("MongoDB", target.Close(ctx)) }, nil
}

func (r *targetRun) warn(texts ...string) {
	for _, text := range texts {
		text = r.red.Sanitize(text)
		r.warned = append(r.warned, text)
		r.log.Warn(text)
	}
}

// closed notes that something could not be closed, which is no failure of the run.
func (r *targetRun) closed(what string, err error) {
	if err != nil {
		r.log.Warn("close "+what, "error", err.Error())
	}
}

// plan is what a run tells before it begins.
type plan interface {
	Text(l ui.Style) string
	attrs() []any // for a log
}

// announce tells what is going to be done.
func (r *targetRun) announce(p plan) {
	switch {
	case r.on.quiet:
	case r.on.logFormat == ui.LogJSON:
		r.log.Info("preflight", p.attrs()...)
	default:
		// A preflight that cannot be shown is no reason to stop.
		_, _ = io.WriteString(r.term, p.Text(r.look(r.streams.err))+"\n")
	}
}

// look returns how a text for w is laid out.
func (r *targetRun) look(w io.Writer) ui.Style { return ui.StyleOf(w, r.streams.env) }

// An interrupted run has timeToEnd to end, and is ended at overdue.
const (
	timeToEnd = record.DrainTime + record.SaveTime + record.CloseTime
	overdue   = timeToEnd + 850*time.Millisecond
)

// stoppable does the work. It tells at once of an interruption, since what is under way may take a while to end, and ends the process
// where that takes too long.
func (r *targetRun) stoppable(ctx context.Context, work func() error) error {
	told := make(chan struct{})
	var late *time.Timer
	untold := context.AfterFunc(ctx, func() {
		defer close(told)
		late = time.AfterFunc(overdue, func() {
			go r.log.Error("what was under way did not end in time") // if anybody reads it
			time.Sleep(100 * time.Millisecond)
			os.Exit(exit.Interrupted)
		})
		r.log.Info(fmt.Sprintf("stopping: what is under way has %g s to end (again: at once)", timeToEnd.Seconds()))
	})
	defer func() {
		if !untold() {
			<-told
			late.Stop()
		}
	}()
	return work()
}

// startProgress shows the state until the returned function is called.
func (r *targetRun) startProgress(state func() ui.Progress) (stop func(complete bool)) {
	width, terminal := ui.TerminalWidth(r.streams.err)
	var log *slog.Logger
	if r.on.logFormat == ui.LogJSON {
		log = r.log
	}
	return ui.StartProgress(ui.ProgressMode(r.on.progress, r.on.quiet, terminal), log, r.term, width, state)
}

// explained returns the first of the explanations of an error that knows the next step. Otherwise is the next step where
// none does, and where a server does not answer, of whichever side it is.
func explained(err error, otherwise string, explanations ...error) error {
	for _, explanation := range explanations {
		if exit, ok := errors.AsType[*exit.Error](explanation); ok && (redis.Passes(err) || !errors.Is(err, record.ErrUnavailable)) {
			return exit
		}
	}
	return exit.Failure(err, otherwise)
}

// ended returns the error that a run ends with, having told it where lines are JSON.
func (r *targetRun) ended(ctx context.Context, err error) error {
	said := r.settled(ctx, err)
	if said == nil {
		return nil
	}
	if said.Err != nil && r.on.logFormat == ui.LogJSON {
		r.log.Error(said.Error(), "hint", said.Hint, "exit_status", said.Code)
		return exit.Silent(said.Code)
	}
	return said
}

// settled returns err with its exit code, and its whole text without secrets. What ended a run before there was a report is an
// interruption where there was one. It returns nil for nil.
func (r *targetRun) settled(ctx context.Context, err error) *exit.Error {
	if err == nil {
		return nil
	}
	said := &exit.Error{Code: exit.CodeOf(err)}
	known, ok := errors.AsType[*exit.Error](err)
	switch {
	case ok && known.Err == nil:
		return said
	case ctx.Err() != nil && !r.began:
		return &exit.Error{Code: exit.Interrupted, Err: errBefore} // a driver says it in its own words
	case ctx.Err() != nil:
		said.Code = exit.Interrupted
	}
	if ok {
		said.Hint = r.red.Sanitize(known.Hint)
	}
	said.Err = r.red.Err(err)
	return said
}

// reportEarly prints the report of a run that ended with said before there was anything to report, for scripts. It
// returns the error that the run ends with.
func (r *targetRun) reportEarly(said *exit.Error, report report) error {
	r.began = true
	if r.on.output != outputJSON || said.Code == exit.Usage {
		return said
	}
	if err := r.print(report); err != nil {
		return exit.Alongside(said, err)
	}
	return said
}

// errBefore says that a run was interrupted so early that there is nothing to report.
var errBefore = fmt.Errorf("%w before the first record", record.ErrInterrupted)
