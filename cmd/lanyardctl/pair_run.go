package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/lanyardctl/lanyardctl/record"
)

// pairRun is one run of a command that reads a source and a target. Every text that it prints or returns has passed the
// redactor.
type pairRun struct {
	pairOptions
	streams streams
	red     *redactor
	term    *console
	log     *slog.Logger
	warned  []string // the warnings so far, for the report
	began   bool     // there is a report
}

func newPairRun(o pairOptions, s streams) *pairRun {
	red := newRedactor(o.source.URI, o.target.URI)
	term := newConsole(s.err, red)
	return &pairRun{pairOptions: o, streams: s, red: red, term: term, log: newLogger(term, o.logFormat, logLevel(o.quiet, o.verbose))}
}

// do opens both sides and hands them to work.
func (r *pairRun) do(ctx context.Context, missing missingFolder, work func(context.Context, *redisSource, *mongoTarget) error) error {
	r.warn(r.warnings...)
	source, err := openSource(ctx, r.pairOptions)
	if err != nil {
		return err
	}
	defer func() { r.closed("the source", source.close()) }()
	r.log.Debug("opened the source", "uri", r.source.shown(), "is", source.facts)
	r.warn(source.warnings...)

	target, err := openMongo(ctx, r.pairOptions, missing)
	if err != nil {
		return err
	}
	defer func() { r.closed("MongoDB", target.Close(context.WithoutCancel(ctx))) }()
	r.log.Debug("opened the target", "uri", r.target.shown(), "is", describeMongo(target.Info()), "database", r.database)

	if !r.allowEmpty {
		if err := r.findLanyard(ctx, source); err != nil {
			return err
		}
	}
	return work(ctx, source, target)
}

// errFound ends a search.
var errFound = errors.New("found")

// findLanyard reads until it meets a key of Lanyard's, most often on the first page. It fails where there is none, before
// anything is written.
func (r *pairRun) findLanyard(ctx context.Context, source *redisSource) error {
	parts, err := source.reading().Parts(ctx)
	if err != nil {
		return explainSource(err, r.pairOptions)
	}
	var seen record.Seen
	for _, part := range parts {
		err := part.Read(ctx, "", func(p record.Page) error {
			seen.Add(p.Seen)
			if seen.Known() > 0 {
				return errFound
			}
			return nil
		})
		if errors.Is(err, errFound) {
			return nil
		}
		if err != nil {
			return explainSource(err, r.pairOptions)
		}
	}
	return failure(fmt.Errorf("%s of %s in db %d look like Lanyard's: is it the right database?",
		thousands(seen.Lanyard), plural(seen.Keys, "key"), source.db),
		source.otherDB+" names database N; --allow-empty goes on without any key")
}

func (r *pairRun) warn(texts ...string) {
	for _, text := range texts {
		text = r.red.said(text)
		r.warned = append(r.warned, text)
		r.log.Warn(text)
	}
}

// closed notes that something could not be closed, which is no failure of the run.
func (r *pairRun) closed(what string, err error) {
	if err != nil {
		r.log.Warn("close "+what, "error", err.Error())
	}
}

// preflight tells what is going to be done.
func (r *pairRun) preflight(p preflight) {
	switch {
	case r.quiet:
	case r.logFormat == logJSON:
		r.log.Info("preflight", p.attrs()...)
	default:
		// A preflight that cannot be shown is no reason to stop.
		_, _ = io.WriteString(r.term, p.text(r.look(r.streams.err))+"\n")
	}
}

// look returns how a text for w is laid out.
func (r *pairRun) look(w io.Writer) look {
	width, _ := terminalWidth(w)
	return look{Width: width, Colour: wantsColour(w, r.streams.env)}
}

// startProgress shows the state until the returned function is called.
func (r *pairRun) startProgress(state func() progress) (stop func(complete bool)) {
	width, terminal := terminalWidth(r.streams.err)
	var log *slog.Logger
	if r.logFormat == logJSON {
		log = r.log
	}
	return startProgress(progressMode(r.progress, r.quiet, terminal), log, r.term, width, state)
}

// explain gives the error that ended a run its next step, which is otherwise where no better one is known.
func (r *pairRun) explain(err error, otherwise string) error {
	for _, explained := range []error{explainSource(err, r.pairOptions), explainMongo(err, r.pairOptions)} {
		if exit, ok := errors.AsType[*exitError](explained); ok && !errors.Is(err, record.ErrUnavailable) {
			return exit
		}
	}
	return failure(err, otherwise)
}

// ended returns the error that a run ends with, having told it where lines are JSON.
func (r *pairRun) ended(ctx context.Context, err error) error {
	said := r.settled(ctx, err)
	if said == nil {
		return nil
	}
	if said.err != nil && r.logFormat == logJSON {
		r.log.Error(said.Error(), "hint", said.hint, "exit_status", said.code)
		return exitSilently(said.code)
	}
	return said
}

// settled returns err with its exit code, and its whole text without secrets. What ended a run before there was a report is an
// interruption where there was one. It returns nil for nil.
func (r *pairRun) settled(ctx context.Context, err error) *exitError {
	if err == nil {
		return nil
	}
	said := &exitError{code: exitCode(err)}
	exit, ok := errors.AsType[*exitError](err)
	switch {
	case ok && exit.err == nil:
		return said
	case ctx.Err() != nil && !r.began:
		return &exitError{code: exitInterrupted, err: errBefore} // a driver says it in its own words
	case ctx.Err() != nil:
		said.code = exitInterrupted
	}
	if ok {
		said.hint = r.red.said(exit.hint)
	}
	said.err = r.red.err(err)
	return said
}

// reportEarly prints the report of a run that ended with said before there was anything to report, for scripts. It
// returns the error that the run ends with.
func (r *pairRun) reportEarly(said *exitError, report pairReport) error {
	r.began = true
	if r.output != outputJSON || said.code == exitUsage {
		return said
	}
	if err := r.print(report); err != nil {
		return alongside(said, err)
	}
	return said
}

// errBefore says that a run was interrupted so early that there is nothing to report.
var errBefore = errors.New("interrupted before the first record")
