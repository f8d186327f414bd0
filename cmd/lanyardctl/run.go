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
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/process"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

func (r *targetRun) facts(err error) report.Run {
	return report.Run{
		Target: r.on.target.Shown(), Database: r.on.target.ShownDatabase(), Now: r.on.now, Warnings: r.warned, CPU: process.CPUTime(),
		Err: r.red.Err(err), Again: r.on.again,
	}
}

// doubtClock warns where so many of the dates lie in the future that this machine's clock may be wrong.
func (r *targetRun) doubtClock(future, dates int64) {
	if record.ClockInDoubt(future, dates) {
		r.warned = append(r.warned, fmt.Sprintf("%s lie in the future: is this machine's clock right (it says %s)?",
			ui.Plural(future, "date"), report.ClockTime(r.on.now)))
	}
}

// print writes the report to standard output.
func (r *commandRun) print(told report.Report) error {
	err := func() error {
		if r.shows.output == outputJSON {
			return told.WriteJSON(r.streams.out)
		}
		_, err := io.WriteString(r.streams.out, told.Text(r.look(r.streams.out)))
		return err
	}()
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// commandRun is one run of a command that tells on standard error how it goes. Every text that it prints or returns has
// passed the redactor.
type commandRun struct {
	shows   outputFlags
	streams streams
	red     ui.Sanitizer
	term    *ui.Console
	log     *slog.Logger
	warned  []string // the warnings so far, for the report
	began   bool     // there is a report
}

// newCommandRun returns a run that shows nothing of what red hides.
func newCommandRun(f outputFlags, s streams, red ui.Sanitizer) *commandRun {
	term := ui.NewConsole(s.err, red, ui.StyleOf(s.err, s.env))
	return &commandRun{shows: f, streams: s, red: red, term: term, log: ui.NewLogger(term, f.logFormat, ui.LogLevel(f.quiet, f.verbose))}
}

// targetRun is one run of a command that works on a target.
type targetRun struct {
	*commandRun
	on      targetOptions
	sources []location.Source
}

// newTargetRun returns a run that shows nothing of what red hides.
func newTargetRun(o targetOptions, s streams, red ui.Sanitizer) *targetRun {
	return &targetRun{commandRun: newCommandRun(o.outputFlags, s, red), on: o}
}

// open opens the target. The caller closes it by the returned function.
func (r *targetRun) open(ctx context.Context, missing location.MissingFolder) (target location.Target, closeIt func(), err error) {
	return opened(ctx, r, missing, location.MongoStore, r.streams.places.OpenTarget)
}

// opened opens the target of a run. The caller closes it by the returned function. Store is its name, for people.
func opened[T location.PairTarget](ctx context.Context, r *targetRun, missing location.MissingFolder, store string,
	open func(context.Context, location.TargetOptions) (T, error),
) (target T, closeIt func(), err error) {
	o := r.on.target
	o.Missing = missing
	o.Notify = func(message string) { r.log.Warn(message) }
	arrived := r.waiting(r.streams.places.AwaitedTarget(o.Location))
	target, err = open(ctx, o)
	arrived()
	if err != nil {
		return target, nil, err
	}
	r.warn(target.Facts().Warnings...)
	r.log.Debug("opened the target", "uri", r.on.target.Shown(), "is", target.Facts().Is, "database", r.on.target.Database)
	return target, func() { r.closed(store, target.Close(ctx)) }, nil
}

// openSource opens a source. Its errors know the exit code and the next step. The caller closes it by the returned
// function.
func (r *targetRun) openSource(ctx context.Context, o location.SourceOptions) (source location.Source, closeIt func(), err error) {
	o.Notify = func(message string) { r.log.Warn(message) }
	arrived := r.waiting(r.streams.places.AwaitedSource(o.Location))
	source, err = r.streams.places.OpenSource(ctx, o)
	arrived()
	if err != nil {
		return nil, nil, err
	}
	r.sources = append(r.sources, source)
	r.log.Debug("opened the source", "uri", o.Shown(), "is", source.Facts().Is)
	r.warn(source.Facts().Warnings...)
	return source, func() { r.closed("the source", source.Close()) }, nil
}

// findLanyard fails where the source holds nothing of Lanyard's, unless that is allowed.
func (r *targetRun) findLanyard(ctx context.Context, source location.Source, o location.SourceOptions, allowEmpty bool) error {
	if allowEmpty {
		return nil
	}
	defer r.waiting("looking for Lanyard's keys in " + o.Shown())()
	return r.streams.places.FindLanyard(ctx, source, o)
}

// warnOfSources tells what happened to the sources of a run that ended with err, where that does not tell it.
func (r *targetRun) warnOfSources(err error) {
	if errors.Is(err, record.ErrSourceMoved) {
		return
	}
	for _, source := range r.sources {
		r.warn(source.Remarks()...)
	}
}

// explainSource gives an error of a source its exit code and the next step. It returns other errors as they are.
func (r *targetRun) explainSource(err error, o location.SourceOptions) error {
	return r.streams.places.ExplainSource(err, o)
}

// explainTarget gives an error of the target its exit code and the next step. It returns other errors as they are.
func (r *targetRun) explainTarget(err error) error {
	return r.streams.places.ExplainTarget(err, r.on.target)
}

func (r *commandRun) warn(texts ...string) {
	for _, text := range texts {
		text = ui.ShownText(r.red.Text(text))
		r.warned = append(r.warned, text)
		r.log.Warn(text)
	}
}

// closed notes that something could not be closed, which is no failure of the run.
func (r *commandRun) closed(what string, err error) {
	if err != nil {
		r.log.Warn("close "+what, "error", err.Error())
	}
}

// plan is what a run tells before it begins.
type plan interface {
	Text(l ui.Style) string
	Attrs() []any // for a log
}

// endpoint returns the target as a preflight has it.
func (r *targetRun) endpoint(target location.Described) report.Endpoint {
	return report.Endpoint{URI: r.on.target.Shown(), Facts: ui.ShownWord(target.Facts().Is)}
}

// announce tells what is going to be done.
func (r *commandRun) announce(p plan) {
	switch {
	case r.shows.quiet:
	case r.shows.logFormat == ui.LogJSON:
		r.log.Info("preflight", p.Attrs()...)
	default:
		// A preflight that cannot be shown is no reason to stop.
		_, _ = io.WriteString(r.term, p.Text(r.look(r.streams.err))+"\n")
	}
}

// look returns how a text for w is laid out.
func (r *commandRun) look(w io.Writer) ui.Style { return ui.StyleOf(w, r.streams.env) }

// An interrupted run has timeToEnd to end, and is ended at overdue.
const (
	timeToEnd = retry.DrainTime + retry.SaveTime + retry.CloseTime
	overdue   = timeToEnd + 850*time.Millisecond
)

// stoppable does the work. It tells at once of an interruption, since what is under way may take a while to end, and
// ends the process where that takes too long.
func (r *commandRun) stoppable(ctx context.Context, work func() error) error {
	told := make(chan struct{})
	var late *time.Timer
	untold := context.AfterFunc(ctx, func() {
		defer close(told)
		late = time.AfterFunc(overdue, func() {
			time.AfterFunc(100*time.Millisecond, func() { os.Exit(exit.Interrupted) }) // where nobody reads what is said
			r.log.Error("what was under way did not end in time")
			os.Exit(exit.Interrupted)
		})
		r.log.Info(fmt.Sprintf("stopping: what is under way gets up to %g s to end (Ctrl-C again stops at once)", timeToEnd.Seconds()))
	})
	defer func() {
		if !untold() {
			<-told
			late.Stop()
		}
	}()
	return work()
}

// progressMode is in which form the run tells how far it has come.
func (r *commandRun) progressMode() string {
	return ui.ProgressMode(r.shows.progress, r.shows.quiet, ui.Redraws(r.streams.err, r.streams.env))
}

// waiting says what is done, if that takes long, until arrived is called.
func (r *commandRun) waiting(what string) (arrived func()) {
	w := ui.Waiting{Mode: r.progressMode(), Log: r.log, Console: r.term}
	if r.shows.logFormat == ui.LogJSON && w.Mode == ui.ProgressBar {
		w.Mode = ui.ProgressPlain
	}
	return w.For(what)
}

// startProgress shows the state until the returned function is called.
func (r *commandRun) startProgress(state func() ui.Progress) (stop func(complete bool)) {
	var log *slog.Logger
	if r.shows.logFormat == ui.LogJSON {
		log = r.log
	}
	return ui.StartProgress(r.progressMode(), log, r.term, state)
}

// startStatus shows the state of what goes on without an end, until the returned function is called.
func (r *commandRun) startStatus(state func() ui.Progress) (stop func(complete bool)) {
	var log *slog.Logger
	if r.shows.logFormat == ui.LogJSON {
		log = r.log
	}
	return ui.StartStatus(r.progressMode(), log, r.term, state)
}

// run does the work of a command, unless the check of its options failed, and returns the error that sets the exit
// code. Where the run ended before there was anything to report, early returns the report that scripts get of that. It
// may add to what ended the run.
func (r *commandRun) run(ctx context.Context, checked error, work func() error, early func(ended *exit.Error) report.Report) error {
	whole := func() error {
		err := checked
		if err == nil {
			err = work()
		}
		if err == nil || r.began {
			return err
		}
		said := r.settled(ctx, err)
		told := early(said)
		r.began = true
		if r.shows.output != outputJSON || said.Code == exit.Usage {
			return said
		}
		return r.tell(said, told)
	}
	if checked != nil {
		return r.ended(ctx, whole())
	}
	return r.ended(ctx, r.stoppable(ctx, whole))
}

// tell prints the report of a run that ended with err. It returns the error that sets the exit code.
func (r *commandRun) tell(err error, told report.Report) error {
	if printErr := r.print(told); printErr != nil {
		return exit.Alongside(err, printErr)
	}
	return err
}

// ended returns the error that a run ends with, having told it where lines are JSON.
func (r *commandRun) ended(ctx context.Context, err error) error {
	said := r.settled(ctx, err)
	if said == nil {
		return nil
	}
	if said.Err != nil && r.shows.logFormat == ui.LogJSON {
		r.log.Error(said.Error(), "hint", said.Hint, "exit_status", said.Code)
		return exit.Silent(said.Code)
	}
	return said
}

// settled returns err with its exit code, and its whole text without secrets. What ended a run before there was a
// report is an interruption where there was one. It returns nil for nil.
func (r *commandRun) settled(ctx context.Context, err error) *exit.Error {
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

// errBefore says that a run was interrupted so early that there is nothing to report.
var errBefore = fmt.Errorf("%w before anything was done", record.ErrInterrupted)
