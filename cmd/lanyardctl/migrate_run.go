package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/redis"
)

func (o migrateOptions) sourceOptions() redis.SourceOptions {
	return redis.SourceOptions{Kinds: o.only, Users: o.users, PreferUpstream: o.flags.kvPrefer == preferUpstream}
}

// scope names every option that decides what the progress of an interrupted run means.
func (o migrateOptions) scope() string {
	return fmt.Sprintf("only=%s users=%s on-conflict=%s kv-prefer=%s", o.only, strings.Join(names(o.users), ","), o.policy, o.flags.kvPrefer)
}

// errFound ends a search.
var errFound = errors.New("found")

// findLanyard reads until it meets a key of Lanyard's, most often on the first page. It fails where there is none, before
// anything is written.
func (r *migrationRun) findLanyard(ctx context.Context, store *redis.Store) error {
	parts, err := store.Source(r.options.sourceOptions()).Parts(ctx)
	if err != nil {
		return err
	}
	var seen record.Seen
	for _, part := range parts {
		err := part.Read(ctx, "", func(p record.Page) error {
			seen.Add(p.Seen)
			if seen.Lanyard+seen.Analytics > 0 {
				return errFound
			}
			return nil
		})
		if errors.Is(err, errFound) {
			return nil
		}
		if err != nil {
			return explainRedis(err, r.options.source, r.options.flags.timeout)
		}
	}
	return failure(fmt.Errorf("%s of %s in db %d look like Lanyard's: is it the right database?",
		thousands(seen.Lanyard), plural(seen.Keys, "key"), store.Info().DB),
		"redis://HOST:PORT/N names database N; --allow-empty goes on without any key")
}

// migrate copies and reports.
func (r *migrationRun) migrate(ctx context.Context, source *redis.Store, target *mongoTarget) error {
	o, f := r.options, r.options.flags
	documents, err := target.Contents(ctx, o.only)
	if err != nil {
		return explainMongo(err, o.target, f.timeout)
	}
	sink, err := target.Sink(ctx, mongo.SinkOptions{Kinds: o.only, Policy: o.policy, DryRun: f.dryRun})
	if err != nil {
		return explainMongo(err, o.target, f.timeout)
	}
	r.warn(mongoWarnings(sink.Notices())...)

	pace := target.Pace()
	opts := migrate.Options{
		Source: source.Source(o.sourceOptions()), Sink: sink, Scope: o.scope(), Only: o.only, DryRun: f.dryRun,
		Restart: f.restart, BatchSize: f.batchSize.or(pace.BatchSize), Workers: f.workers.or(pace.Workers),
		RejectsFile: o.rejectsFile, RejectsGiven: f.rejects != "",
		Notify: func(message string) { r.log.Info(message) },
	}
	if !f.dryRun {
		opts.Checkpoints = target.Checkpoints()
	}
	job := migrate.New(opts)
	resumed, err := job.Prepare(ctx)
	if err != nil {
		return explainMongo(err, o.target, f.timeout)
	}
	r.preflight(preflight{
		Source:   endpoint{redactURI(o.source.URI), describeRedis(source.Info())},
		Target:   endpoint{redactURI(o.target.URI), describeMongo(target.Info())},
		Database: o.database, Documents: documents, Only: o.only, Users: o.users, Policy: o.policy, KVPrefer: f.kvPrefer,
		DryRun: f.dryRun, Resumed: resumed,
	})
	width, terminal := terminalWidth(r.streams.err)
	stop := startProgress(progressMode(f.progress, f.quiet, terminal), r.progressLog(), r.term, width, job.Snapshot)
	r.began = true
	report, err := job.Run(ctx)
	stop(err == nil)
	return r.report(report, err)
}

// progressLog is where plain progress goes in place of text.
func (r *migrationRun) progressLog() *slog.Logger {
	if r.options.flags.logFormat == logJSON {
		return r.log
	}
	return nil
}

// preflight tells what is going to be done.
func (r *migrationRun) preflight(p preflight) {
	switch {
	case r.options.flags.quiet:
	case r.options.flags.logFormat == logJSON:
		r.log.Info("preflight", p.attrs()...)
	default:
		width, _ := terminalWidth(r.streams.err)
		text := p.text(look{Width: width, Colour: wantsColour(r.streams.err, r.streams.env)})
		// A preflight that cannot be shown is no reason to stop.
		_, _ = io.WriteString(r.term, text+"\n")
	}
}

// report prints the report and returns the error that sets the exit code.
func (r *migrationRun) report(report *migrate.Report, runErr error) error {
	if report.Resumed {
		r.warnings = append(r.warnings, fmt.Sprintf("this run went on where an earlier one had stopped at %s: what changed in Redis since then, "+
			"among what that one had read, is not in it; run the same command once more before you switch over",
			report.ResumedFrom.UTC().Format("2006-01-02 15:04:05 MST")))
	}
	m := migration{
		Report: *report, Source: redactURI(r.options.source.URI), Target: redactURI(r.options.target.URI),
		Database: r.options.database, Warnings: r.warnings, Err: r.red.err(runErr), Again: r.options.again,
	}
	err := runErr
	switch {
	case errors.Is(runErr, migrate.ErrInterrupted):
		err = &exitError{code: exitInterrupted, err: errInterrupted, hint: "the same command takes up the work again"}
		if m.Report.DryRun {
			err = &exitError{code: exitInterrupted, err: errInterrupted}
		}
	case runErr != nil:
		err = explainRun(runErr, r.options)
	case report.Rejects() > 0:
		err = exitSilently(exitRejects)
	}
	m.Exit = exitCode(err)
	if printErr := r.print(m); printErr != nil {
		return errors.Join(fmt.Errorf("print the report: %w", printErr), runErr)
	}
	return err
}

func (r *migrationRun) print(m migration) error {
	if r.options.flags.output == outputJSON {
		return m.writeJSON(r.streams.out)
	}
	width, _ := terminalWidth(r.streams.out)
	_, err := io.WriteString(r.streams.out, m.text(look{Width: width, Colour: wantsColour(r.streams.out, r.streams.env)}))
	return err
}
