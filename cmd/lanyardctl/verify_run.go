package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/verify"
)

// verifyRun is one run of the command.
type verifyRun struct {
	*pairRun
	options verifyOptions
	byUser  bool // the source tells of the named users alone
}

// verify compares and reports.
func (r *verifyRun) verify(ctx context.Context, source location.Source, target location.Target) error {
	o := r.options
	documents, err := target.Contents(ctx, o.only)
	if err != nil {
		return r.explainTarget(err)
	}
	reading := source.Reading
	if users, ok := source.(location.ByUser); ok {
		r.byUser = true
		keys, err := r.keysOf(ctx, target)
		if err != nil {
			return r.explainTarget(err)
		}
		reading = func() record.Source { return users.ReadingWith(keys) }
	}
	job := verify.New(verify.Options{
		Source: reading, Named: r.byUser, Target: target.Holdings(o.users), Kinds: o.only,
		Compare:    record.CompareOptions{Policy: o.policy, Exact: o.exact, Now: o.now},
		CountsOnly: o.countsOnly, Recheck: o.recheck, RecheckDelay: o.recheckDelay,
		MaxDifferences: o.maxDifferences, Memory: o.memory, RetryFor: o.target.RetryFor,
		Notify: func(message string) { r.log.Info(message) },
	})
	r.announce(o.preflight(source.Facts(), target.Facts(), documents))

	var expected int64
	for _, n := range documents {
		expected += n
	}
	if o.countsOnly || len(o.users) > 0 {
		expected = 0
	}
	stop := r.startProgress(func() ui.Progress { return verifyProgress(job.Snapshot(), expected) })
	r.began = true
	result, err := job.Run(ctx)
	stop(err == nil)
	r.warnOfSources(err)
	return r.report(result, err)
}

// keysOf returns the API keys that the target has of the users. One that authenticates in the source is not extra, though
// it may not be the user's current one there.
func (r *verifyRun) keysOf(ctx context.Context, target location.Target) (map[record.UserID][]string, error) {
	keys := make(map[record.UserID][]string)
	if !r.only.Has(record.APIKeys) {
		return nil, nil
	}
	err := target.StandingsOf(ctx, record.APIKeys, r.users, func(page []record.Standing) error {
		for _, s := range page {
			if s.Held.APIKey != "" {
				keys[s.User] = append(keys[s.User], s.Held.APIKey)
			}
		}
		return nil
	})
	return keys, err
}

// verifyProgress adds up both sides, since either may be the slower one. Expected is about how many documents there are,
// for as long as the comparison itself does not know.
func verifyProgress(s verify.Snapshot, expected int64) ui.Progress {
	if s.Expected > 0 {
		expected = s.Expected
	}
	p := ui.Progress{
		Phase: s.Phase, Done: s.Keys + s.Documents, Total: s.Total, Unit: "entries",
		Beside: []ui.Counter{{Noun: "key", N: s.Keys}, {Noun: "document", N: s.Documents}},
	}
	if s.Total > 0 {
		p.Total += expected
	}
	return p
}

// preflight says what is going to be done.
func (o verifyOptions) preflight(source location.SourceFacts, target location.TargetFacts, documents map[record.Kind]int64) report.Preflight {
	p := o.pairOptions.preflight("compare", source, target, documents)
	switch {
	case o.countsOnly:
		p.Rules = append(p.Rules, "numbers of records and documents alone, and no content")
	case o.exact:
		p.Rules = append(p.Rules, "both sides have to be equal")
	case o.policy == record.PreferTarget:
		p.Rules = append(p.Rules, "a target that is ahead is fine, and so is a value that somebody else wrote there")
	default:
		p.Rules = append(p.Rules, "a target that is ahead is fine; another value is a difference, whoever wrote it")
	}
	p.Rules = append(p.Rules, o.layoutRule()...)
	p.Log = []any{"exact", o.exact, "counts_only", o.countsOnly}
	return p
}

// report writes the report's files and prints it, and returns the error that sets the exit code.
func (r *verifyRun) report(result *verify.Report, runErr error) error {
	if runErr == nil {
		runErr = r.foundNothing(result)
	}
	r.doubtClock(result.Future, result.Kinds[record.LastSeen].Source+result.Kinds[record.MonitoringSince].Source)
	err := r.outcome(result, runErr)
	v := r.verification(*result, runErr, exit.CodeOf(err))
	if failed := v.Write(r.options.reports); failed != nil {
		err = exit.Alongside(err, failed)
		v.Exit, v.Unwritten = exit.CodeOf(err), r.red.Err(failed)
	}
	if failed := r.print(v); failed != nil {
		err = exit.Alongside(err, failed)
	}
	return err
}

// foundNothing returns an error where the source had nothing of what was to be compared, so that to be found in the
// target says nothing.
func (r *verifyRun) foundNothing(result *verify.Report) error {
	if r.allowEmpty {
		return nil
	}
	if result.Seen.Known() == 0 && !r.byUser {
		return verify.ErrEmptied // there was a key of Lanyard's at the start
	}
	var total verify.Counts
	for _, counts := range result.Kinds {
		total.Add(counts)
	}
	if total.Source > 0 || result.Rejects() > 0 {
		return nil
	}
	const hint = "--allow-empty goes on without anything to compare"
	switch {
	case len(r.users) > 0:
		user, id := "user", "is the id"
		if len(r.users) > 1 {
			user, id = "users", "are the ids"
		}
		return exit.Failure(fmt.Errorf("the source has nothing of %s %s (%s): %s right?", user, report.SomeUsers(r.users), strings.Join(ui.Names(r.only.List()), ", "), id), hint)
	case r.only != record.AllKinds:
		return exit.Failure(fmt.Errorf("the source has nothing of %s: is it the right database?", strings.Join(ui.Names(r.only.List()), ", ")), hint)
	}
	return nil
}

// outcome returns the error that a comparison ends with.
func (r *verifyRun) outcome(result *verify.Report, runErr error) error {
	if exit, ok := errors.AsType[*exit.Error](runErr); ok {
		return exit
	}
	switch {
	case errors.Is(runErr, record.ErrInterrupted):
		return &exit.Error{Code: exit.Interrupted, Err: record.ErrInterrupted, Hint: "what was found until then is no verdict: run the same command again"}
	case errors.Is(runErr, verify.ErrEmptied):
		return exit.Failure(runErr, "is somebody flushing the source, or does it load its data? Run the same command again")
	case runErr != nil:
		return r.explain(runErr, "the comparison did not come to its end: run the same command again")
	case result.Total > 0:
		return exit.Silent(exit.Differences)
	case result.Rejects() > 0:
		return exit.Silent(exit.Rejects)
	}
	return nil
}

// reportFailure writes the report, to the files of --report and for scripts, where the run ended with err before there
// was anything to compare, so that a file of an earlier run is not taken for this one's.
func (r *verifyRun) reportFailure(ctx context.Context, err error) error {
	if err == nil || r.began {
		return err
	}
	said := r.settled(ctx, err)
	result := verify.Report{Only: r.only, Exact: r.options.exact, CountsOnly: r.options.countsOnly, StartedAt: time.Now()}
	v := r.verification(result, said.Err, said.Code)
	if failed := v.Write(r.options.reports); failed != nil {
		v.Unwritten = r.red.Err(failed)
		said = &exit.Error{Code: said.Code, Err: errors.Join(said.Err, failed), Hint: said.Hint}
	}
	return r.reportEarly(said, v)
}

// verification returns what the report shows.
func (r *verifyRun) verification(result verify.Report, runErr error, exit int) report.Verification {
	// Names of fields are what users wrote: whatever looks like a secret is hidden in them, too.
	listed := make([]record.Difference, len(result.Differences))
	for i, d := range result.Differences {
		d.Field, d.Name = r.red.Text(d.Field), r.red.Text(d.Name)
		listed[i] = d
	}
	result.Differences = listed
	v := report.Verification{Pair: r.facts(runErr), Report: result}
	v.Exit = exit
	return v
}
