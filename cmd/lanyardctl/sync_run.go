package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/observe"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/verify"
)

// runSync mirrors and reports, unless the check of the options failed. Every text that it prints or returns has passed the
// redactor.
func runSync(ctx context.Context, o syncOptions, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	r := &syncRun{pairRun: newPairRun(o.pairOptions, s), options: o}
	r.follows = true
	r.red.HideTyped(o.rejectsFile)
	return r.run(ctx, checked, func() error { return r.do(ctx, location.MakeFolder, r.sync) }, r.early)
}

// syncRun is one run of the command.
type syncRun struct {
	*pairRun
	options syncOptions
	target  location.Target
	beside  bool                        // another process mirrors, and this one compares
	copying atomic.Pointer[migrate.Job] // while everything is copied
	copied  *migrate.Report             // the last copy
	way     record.FeedWay              // in which changes are seen
}

// sync mirrors until ctx ends, or until it is caught up, and reports.
func (r *syncRun) sync(ctx context.Context, source location.Source, target location.PairTarget) error {
	o := r.options
	r.target = target.(location.Target) // as every MongoDB is
	documents, err := target.Contents(ctx, o.only)
	if err != nil {
		return r.explainTarget(err)
	}
	if r.beside, err = r.isMirrored(ctx); err != nil {
		return r.explainTarget(err)
	}
	if _, warnings, err := r.sink(ctx, true); err != nil {
		return r.explainTarget(err)
	} else {
		r.warn(warnings...)
	}
	r.announce(r.preflight(source.Facts(), target.Facts(), documents))
	job := mirror.New(r.mirrorOptions())
	if o.listen != "" {
		server, err := observe.Listen(ctx, o.listen, job.Snapshot)
		if err != nil {
			return exit.Failure(fmt.Errorf("listen at %s: %w", ui.ShownWord(o.listen), err), "name another address with --listen")
		}
		defer func() { r.closed("the server of --listen", server.Close()) }()
		r.log.Info("listening at http://" + server.Addr() + " (/metrics, /healthz, /readyz)")
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	if o.untilCaughtUp {
		running, stop = context.WithTimeoutCause(ctx, o.within, errNotCaughtUp)
		defer stop()
	}
	flushed := r.flushCounters(running, job.Snapshot)
	r.notifyManager(daemon.SdNotifyReady)
	watched := r.feedWatchdog(running)
	stopProgress := r.startStatus(func() ui.Progress { return r.progress(job.Snapshot()) })
	r.began = true
	result, err := job.Run(running)
	r.notifyManager(daemon.SdNotifyStopping)
	stopProgress(err == nil)
	stop()
	<-flushed
	<-watched
	return r.report(ctx, result, err)
}

// errNotCaughtUp ends a run for which --timeout is over.
var errNotCaughtUp = errors.New("the target was not caught up in time")

// isMirrored reports, where the run is to end once it is caught up, whether another process mirrors into the target.
func (r *syncRun) isMirrored(ctx context.Context) (bool, error) {
	if !r.options.untilCaughtUp {
		return false, nil
	}
	l, found, err := r.target.Leases().Lease(ctx, mirror.SyncLease)
	if err != nil || !found || !lease.Alive(l.Owner, l.Heartbeat, lease.Self(), time.Now()) {
		return false, err
	}
	r.log.Info(fmt.Sprintf("another sync mirrors into this database (host %s, process %d): only comparing", l.Owner.Host, l.Owner.PID))
	return true, nil
}

// mirrorOptions says what to mirror, and how.
func (r *syncRun) mirrorOptions() mirror.Options {
	o := r.options
	return mirror.Options{
		Open: r.openSession, Copy: r.copy, Compare: r.compare, Target: r.target, Leases: r.target.Leases(),
		Sink: func(ctx context.Context) (mirror.Sink, error) {
			sink, _, err := r.sink(ctx, r.beside)
			return sink, err
		},
		Kinds: o.only, Doing: "sync of " + o.source.Shown(), Beside: r.beside, UntilCaughtUp: o.untilCaughtUp,
		AllowShrinking: o.allowShrinking, RejectsFile: o.rejectsFile,
		ReconcileEvery: o.reconcileEvery, PollEvery: o.poll, RetryFor: o.pairOptions.target.RetryFor,
		Notify: func(message string) { r.log.Warn(ui.ShownText(r.red.Text(message))) },
		Changed: func(state mirror.State) {
			r.log.Debug("state", "is", string(state))
			r.notifyManager("STATUS=" + string(state))
		},
	}
}

// sink returns a sink in mirror mode.
func (r *syncRun) sink(ctx context.Context, dryRun bool) (mirror.Sink, []string, error) {
	sink, warnings, err := r.target.Sink(ctx, location.MergeOptions{
		Kinds: r.only, Policy: r.policy, DryRun: dryRun, Mirror: true, Notify: func(message string) { r.log.Info(message) },
	})
	if err != nil {
		return nil, nil, err
	}
	return sink.(mirror.Sink), warnings, nil // that of a MongoDB is one
}

// sessionRetryFor is how long a session tries what fails: it is opened anew then.
const sessionRetryFor = 3 * time.Second

// waitedFor marks an error of a source that is away as one that passes.
func waitedFor(err error) error {
	if location.Away(err) {
		return fmt.Errorf("%w (%w)", err, record.ErrUnavailable)
	}
	return err
}

// openSession opens the source to follow its changes.
func (r *syncRun) openSession(ctx context.Context) (*mirror.Session, error) {
	o := r.source
	o.RetryFor, o.Notify = sessionRetryFor, func(message string) { r.log.Debug(message) }
	live, err := r.streams.places.OpenLive(ctx, o)
	if err != nil {
		return nil, waitedFor(err)
	}
	feed, err := live.Follow(ctx, r.options.way)
	if err != nil {
		return nil, errors.Join(waitedFor(err), live.Close())
	}
	if way, _ := feed.Way(); way != r.way {
		r.way = way
		r.log.Info(r.wayText())
	}
	return &mirror.Session{Feed: feed, Points: live.PointsWith, Owners: live, Close: live.Close}, nil
}

// wayText says how changes are seen, and what that means.
func (r *syncRun) wayText() string {
	switch r.way {
	case record.Tracking:
		return "changes are seen by tracking: Redis tells of each one at once"
	case record.Notifications:
		return "changes are seen by keyspace notifications: Redis tells of each one at once"
	}
	return "changes cannot be seen: both sides are compared every " + ui.Duration(r.options.poll)
}

// anew opens the source for one reading of all of it.
func (r *syncRun) anew(ctx context.Context, notify func(message string)) (location.Source, func(), error) {
	o := r.source
	o.Request.Now = time.Now()
	o.Notify = notify
	source, err := r.streams.places.OpenSource(ctx, o)
	if err != nil {
		return nil, nil, waitedFor(err)
	}
	return source, func() { r.closed("the source", source.Close()) }, nil
}

// copy merges everything into the target.
func (r *syncRun) copy(ctx context.Context) error {
	source, closeIt, err := r.anew(ctx, func(message string) { r.log.Warn(message) })
	if err != nil {
		return err
	}
	defer closeIt()
	sink, _, err := r.sink(ctx, false)
	if err != nil {
		return err
	}
	workers, batchSize := r.target.WriteHints()
	job := migrate.New(migrate.Options{
		Source: source.Reading(), Sink: copySink{sink, !r.options.allowShrinking}, Target: r.target.Reader(nil), Mirror: true, Only: r.only, Workers: workers, BatchSize: batchSize,
		RetryFor: r.on.target.RetryFor, RejectsFile: r.options.rejectsFile, RejectsGiven: true,
		Notify: func(message string) { r.log.Info(message) },
	})
	if _, err := job.Prepare(ctx); err != nil {
		return err
	}
	r.copying.Store(job)
	defer r.copying.Store(nil)
	result, err := job.Run(ctx)
	r.copied = result
	if err == nil {
		r.log.Info(fmt.Sprintf("copied %s in %s: %s inserted or updated", ui.Plural(result.Records(), "record"), ui.Duration(result.Duration), ui.Thousands(result.Written())))
	}
	return err
}

// copySink takes everything, of a source that may have lost what it held.
type copySink struct {
	mirror.Sink
	doubtful bool
}

// Write implements [record.Sink].
func (s copySink) Write(ctx context.Context, batch []record.Record, keep record.ArchiveFunc) ([]record.Outcome, error) {
	for i := range batch {
		batch[i].Doubtful = s.doubtful
	}
	return s.Sink.Write(ctx, batch, keep)
}

// compare compares both sides for equality. Each attempt at a server that is away is no news: the mirror tells of that once.
func (r *syncRun) compare(ctx context.Context, each func(record.Difference)) (compared mirror.Compared, err error) {
	attempted := func(message string) { r.log.Debug(message) }
	source, closeIt, err := r.anew(ctx, attempted)
	if err != nil {
		return compared, err
	}
	defer closeIt()
	job := verify.New(verify.Options{
		Source: func() record.Source { return claiming{source.Reading(), &compared} }, Target: r.target.Reader(nil), Kinds: r.only,
		Compare: record.CompareOptions{Policy: r.policy, Exact: true, Now: time.Now()}, Each: each,
		RetryFor: r.on.target.RetryFor, Notify: attempted,
	})
	result, err := job.Run(ctx)
	for kind, counts := range result.Kinds {
		compared.Documents[kind] = counts.Target - counts.Extra
	}
	compared.Rejects = result.Rejects()
	return compared, err
}

// claiming is a source that notes the API keys of users who have no current one.
type claiming struct {
	record.Source
	compared *mirror.Compared
}

// Deferred implements [record.Source]. It is where such keys are decided.
func (c claiming) Deferred(ctx context.Context, yield func(record.Page) error) error {
	c.compared.Claims = make(map[record.UserID][]string) // the last reading counts
	return c.Source.Deferred(ctx, func(p record.Page) error {
		for _, it := range p.Items {
			switch {
			case it.Record != nil && slices.Contains(it.Notes, record.Repaired):
				c.add(it.User(), it.Record.APIKey)
			case it.APIKey != "" && it.Rejects[0].Reason == record.AmbiguousAPIKey:
				c.add(it.User(), it.APIKey)
			}
		}
		return yield(p)
	})
}

func (c claiming) add(user record.UserID, key string) {
	c.compared.Claims[user] = append(c.compared.Claims[user], key)
}

// progress says how the mirror stands.
func (r *syncRun) progress(s mirror.Snapshot) ui.Progress {
	if job := r.copying.Load(); job != nil && s.State == mirror.Copying {
		return migrationProgress(job.Snapshot(), r.direction)
	}
	phase := string(s.State)
	if s.Way != "" {
		phase += fmt.Sprintf(" (%s), lag %s", s.Way, s.Lag.Round(time.Millisecond))
	}
	return ui.Progress{Phase: phase, Done: s.Changes, Unit: "changes", Beside: []ui.Counter{
		{Noun: "waiting record", N: s.Waiting}, {Noun: "conflict", N: s.Conflicts}, {Noun: "held-back document", N: s.HeldBack}, {Noun: "reject", N: s.Rejects},
	}}
}

// preflight says what is going to be done.
func (r *syncRun) preflight(source location.SourceFacts, target location.TargetFacts, documents map[record.Kind]int64) report.Preflight {
	o := r.options
	p := o.pairOptions.preflight("mirror", source, target, documents)
	switch o.policy {
	case record.PreferSource:
		p.Rules = append(p.Rules, "where somebody else wrote another value to the target: Redis wins")
	case record.PreferTarget:
		p.Rules = append(p.Rules, "where somebody else wrote another value to the target: the target keeps it")
	default:
		p.Rules = append(p.Rules, "where somebody else wrote another value to the target: the target keeps it, Redis's goes to the rejects file")
	}
	p.Rules = append(p.Rules, "what goes from Redis goes from the target, where it is the mirror's own")
	if o.allowShrinking {
		p.Rules = append(p.Rules, "also where Redis loses most of its data (--allow-shrinking)")
	}
	p.Rules = append(p.Rules, o.layoutRule()...)
	if r.beside {
		p.Mode = "another sync mirrors: this one compares until both sides agree, and writes nothing"
	}
	p.Log = []any{"until_caught_up", o.untilCaughtUp, "beside", r.beside}
	return p
}

// report prints the report and returns the error that sets the exit code.
func (r *syncRun) report(ctx context.Context, result *mirror.Report, runErr error) error {
	var err error
	stopped := ctx.Err() != nil && errors.Is(runErr, record.ErrInterrupted)
	switch {
	case stopped && !r.options.untilCaughtUp:
		runErr = nil // it was to go on until then
	case stopped:
		err = exit.Interruption("the same command goes on")
	case errors.Is(runErr, errNotCaughtUp):
		runErr = fmt.Errorf("%w (%s): %s", errNotCaughtUp, r.options.within, r.behind(result))
		err = exit.Failure(runErr, "see that both servers answer and that Lanyard's writes are stopped, then run the same command again; --timeout waits longer")
	case runErr != nil:
		err = r.explain(runErr, "fix what the error names, and run the same command again")
	case !r.options.untilCaughtUp:
	case !result.Agreed:
		err = exit.Silent(exit.Differences)
	case result.Rejects > 0:
		err = exit.Silent(exit.Rejects)
	}
	if c := r.copied; c != nil { // it has the same files, and what it wrote is of no earlier run
		if c.RejectsFile != "" {
			result.RejectsFile, result.EarlierRejects = c.RejectsFile, c.EarlierRejects
		}
		if c.SupersededFile != "" {
			result.SupersededFile, result.EarlierSuperseded = c.SupersededFile, c.EarlierSuperseded
		}
	}
	told := report.Sync{
		Pair: r.facts(runErr), Report: *result, Only: r.only, Copied: r.copied, UntilCaughtUp: r.options.untilCaughtUp, Beside: r.beside,
	}
	told.Exit = exit.CodeOf(err)
	return r.tell(err, told)
}

// behind says why a mirror is not caught up.
func (r *syncRun) behind(result *mirror.Report) string {
	s := result.Snapshot
	text := string(s.State)
	if s.Waiting > 0 {
		text += fmt.Sprintf(", %s waiting since %s", ui.Plural(s.Waiting, "record"), ui.Duration(s.Lag))
	}
	if since := result.StartedAt.Add(result.Duration).Sub(result.LastChange); !result.LastChange.IsZero() && since < time.Minute {
		text += fmt.Sprintf(", and Redis changed %s ago", ui.Duration(since))
	}
	return text
}

// early returns the report of a run that ended before there was anything to mirror.
func (r *syncRun) early(ended *exit.Error) report.Report {
	if ended.Code == exit.Interrupted && !r.options.untilCaughtUp {
		ended.Code, ended.Err = exit.Done, nil // it was to go on until then
	}
	told := report.Sync{Pair: r.facts(ended.Err), Only: r.only, UntilCaughtUp: r.options.untilCaughtUp, Beside: r.beside}
	told.Report.StartedAt, told.Report.Quiet = time.Now(), time.Now()
	told.Exit = ended.Code
	return told
}

// notifyManager tells systemd how the service stands, where it is one.
func (r *syncRun) notifyManager(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		r.log.Debug("tell the service manager", "error", err.Error())
	}
}

// feedWatchdog tells systemd that the process lives, as often as it asks for that, until ctx ends.
func (r *syncRun) feedWatchdog(ctx context.Context) (ended <-chan struct{}) {
	done := make(chan struct{})
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		close(done)
		return done
	}
	go func() {
		defer close(done)
		for pause(ctx, every/3) {
			r.notifyManager(daemon.SdNotifyWatchdog)
		}
	}()
	return done
}
