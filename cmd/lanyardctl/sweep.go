package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
	"github.com/lanyardctl/lanyardctl/sweep"
)

const sweepLong = `Find the earliest plausible monitoring date of every user, wherever Lanyard and its
forks left one, and keep it in the collection monitoring, where Lanyard looks
first: as an integer of seconds, in one document with the user's id as text.

The dates are those of the collections monitoring, users and kv; with --redis
those that Redis holds as well; with --guild or --members the days on which the
members of a Discord guild joined it. A date that cannot be true never wins.

Every change is journalled in the database before it is made: "sweep list" names
the sweeps, "sweep show" tells what one changed, "sweep undo" takes it back.
The report alone goes to standard output.

` + "Environment\n" + `  BOT_TOKEN         the Discord bot's token, which --guild needs
  TMPDIR            the folder for what does not fit into --memory
  REDIS_DSN, REDIS_URI, REDIS_URL, REDIS_HOST, REDIS_IPV6
                    what --redis env reads, as Lanyard finds it; else unused
` + redisTLSEnvironment + mongoEnvironment + sweepExit + `
  4    --check: a sweep would change something
  130  interrupted; what was done is journalled, and the same command resumes`

// sweepExit is how the exit status of sweep and of sweep undo begins.
const sweepExit = `
Exit status
  0    done, or nothing to do
  1    error
  2    the command was called in a wrong way
  3    done, with something left that a person has to decide`

const sweepExample = `  lanyardctl sweep --mongo mongodb://localhost:27017 --dry-run
  lanyardctl sweep --redis env --kv-dates last-resort
  BOT_TOKEN=… lanyardctl sweep --guild 911655453283848242
  lanyardctl sweep --check --output json --progress none | jq .changes`

// sweepFlags are the flags as they were typed.
type sweepFlags struct {
	targetFlags
	redis, kvDates        string
	redisTLS              location.RedisTLS
	guilds, members       []string
	dryRun, check, dedupe bool
	memory                size
	tempDir, discordAPI   string
	sourceFlags
}

func newSweep(p program) *cobra.Command {
	var f sweepFlags
	cmd := &cobra.Command{
		Use:        "sweep",
		Short:      "Recover every user's earliest monitoring date, reversibly",
		Long:       sweepLong,
		Example:    sweepExample,
		Args:       noCommand,
		SuggestFor: []string{"recover", "dedupe"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags())
			return runSweep(cmd.Context(), o, s, err)
		},
		SuggestionsMinimumDistance: suggestionDistance,
	}
	// A flag that only a command below has must not hide that what was typed is no such command.
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if names := cmd.Flags().Args(); cmd.HasSubCommands() && len(names) > 0 {
			return unknownCommand(cmd, names[0])
		}
		return err
	})
	cmd.Flags().SortFlags = false
	f.bind(cmd)
	cmd.AddCommand(newSweepList(p), newSweepShow(p), newSweepUndo(p))
	return cmd
}

// noCommand refuses the arguments of a command that has commands below it.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(cmd, args[0])
	}
	return nil
}

func (f *sweepFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	f.bindTarget(cmd, "sweep")
	flags.StringVar(&f.redis, "redis", "", "`URI` to read dates from, too: redis://, rdb:FILE; env: by variables")
	flags.StringSliceVar(&f.guilds, "guild", nil, "`ID` of a Discord guild whose members' join dates count; repeatable")
	flags.StringArrayVar(&f.members, "members", nil, "`file` of guild members, JSON or NDJSON; can be repeated")
	flags.StringVar(&f.kvDates, "kv-dates", sweep.CountUserDates.String(), "`how` user dates count: count, last-resort, never")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing")
	flags.BoolVar(&f.check, "check", false, "a dry run that ends with 4 where a sweep would change something")
	flags.BoolVar(&f.dedupe, "dedupe", false, "also merge several documents of a user, and fix numeric user ids")
	f.memory = sizeOf(sweep.DefaultMemory, sweep.MostMemory)
	flags.Var(&f.memory, "memory", "`size` of what is sorted at a time, about")
	flags.StringVar(&f.tempDir, "temp-dir", "", "`folder` for what does not fit (default TMPDIR)")
	flags.StringVar(&f.discordAPI, "discord-api", "", "`URL` of Discord's API, where it is another")
	f.bindTimeout(cmd)
	f.sourceFlags.bind(cmd, "a Redis")
	bindRedisTLS(cmd, &f.redisTLS)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
	completeValues(cmd, "kv-dates", sweep.CountUserDates.String(), sweep.LastResortUserDates.String(), sweep.NeverUserDates.String())
	completeValues(cmd, "redis", redisFromEnvironment)
	completeFiles(cmd, "members", "json", "ndjson", "jsonl")
	completed(cmd.MarkFlagDirname("temp-dir"))
}

// redisFromEnvironment is the value of --redis for the Redis that Lanyard's own variables name.
const redisFromEnvironment = "env"

// sweepOptions are checked flags and variables.
type sweepOptions struct {
	targetOptions
	redis                 *location.SourceOptions // nil for none
	discord               location.Discord
	userDates             sweep.UserDates
	dryRun, check, dedupe bool
	memory                int // bytes
	tempDir               string
	sourceFlags
}

// options checks everything that can be checked before a server is asked.
func (f sweepFlags) options(p program, now time.Time, flags *pflag.FlagSet) (sweepOptions, error) {
	o := sweepOptions{
		dryRun: f.dryRun || f.check, check: f.check, dedupe: f.dedupe,
		memory: int(f.memory.bytes), tempDir: f.tempDir, sourceFlags: f.sourceFlags,
	}
	var err error
	if o.targetOptions, err = f.targetFlags.options(p, now, flags, invocation.Sweep); err != nil {
		return o, err
	}
	o.target.ReadOnly = o.dryRun
	if o.userDates, err = sweep.ParseUserDates(f.kvDates); err != nil {
		return o, exit.WrongUse("--kv-dates: "+err.Error(), "give count, last-resort or never")
	}
	if err := o.readRedis(f, p, flags); err != nil {
		return o, err
	}
	if err := o.readDiscord(f, p.env, flags); err != nil {
		return o, err
	}
	if info, err := os.Stat(f.tempDir); f.tempDir != "" && (err != nil || !info.IsDir()) {
		if err == nil {
			err = fmt.Errorf("%s is not a folder", f.tempDir)
		}
		return o, exit.Failure(fmt.Errorf("--temp-dir: %w", err), "name a folder that exists and has room")
	}
	return o, nil
}

// readRedis reads --redis. Redis is read where it is named alone.
func (o *sweepOptions) readRedis(f sweepFlags, p program, flags *pflag.FlagSet) error {
	flag := f.redis
	if !flags.Changed("redis") {
		if err := f.sourceFlags.alone(flags.Changed); err != nil {
			return err
		}
		return f.redisTLS.Alone(flags.Changed)
	}
	if flag == redisFromEnvironment {
		flag = ""
	}
	source, warnings, err := resolveSource(p, flag, f.redisTLS, f.sourceFlags, o.targetOptions, flags)
	if err != nil {
		return err
	}
	source.Request = layout.Request{Dates: true, Now: o.now}
	o.warnings = append(o.warnings, warnings...)
	o.redis = &source
	return nil
}

// readDiscord reads what says which guild members count.
func (o *sweepOptions) readDiscord(f sweepFlags, env func(string) string, flags *pflag.FlagSet) error {
	o.discord = location.Discord{
		Members: f.members, Token: strings.TrimSpace(env(location.TokenVariable)), API: f.discordAPI, RetryFor: o.target.RetryFor,
	}
	for _, text := range f.guilds {
		id, ok := record.ParseUserID(strings.TrimSpace(text))
		if !ok {
			return exit.WrongUse("--guild: a value is not a Discord guild id", "give the digits alone, such as 911655453283848242")
		}
		o.discord.Guilds = append(o.discord.Guilds, id)
	}
	slices.Sort(o.discord.Guilds)
	o.discord.Guilds = slices.Compact(o.discord.Guilds)
	switch {
	case len(o.discord.Guilds) > 0 && o.discord.Token == "":
		return exit.WrongUse("--guild needs the token of a Discord bot, and "+location.TokenVariable+" is not set",
			"set "+location.TokenVariable+" (there is no flag, since everybody on the machine can read flags), or give --members FILE")
	case flags.Changed("discord-api") && len(o.discord.Guilds) == 0:
		return exit.WrongUse("--discord-api without --guild has no effect", "give --guild ID as well")
	}
	warnings, err := o.discord.Check()
	o.warnings = append(o.warnings, warnings...)
	return err
}

// journalled are the flags that decide what a sweep does, which the journal keeps for people.
var journalled = []string{"redis", "guild", "members", "kv-dates", "dedupe"}

// described returns the options for the journal, without secrets.
func (o sweepOptions) described() string { return o.again.As("", journalled...).FlagText() }

// runSweep sweeps and reports, unless the check of the options failed. Every text that it prints or returns has passed
// the redactor.
func runSweep(ctx context.Context, o sweepOptions, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	uris := []string{o.target.URI}
	var files []string
	if o.redis != nil {
		uris = append(uris, o.redis.URI)
		files = []string{o.redis.TLS.CA, o.redis.TLS.Cert, o.redis.TLS.Key}
	}
	red := ui.NewSanitizer(uris...)
	red.HideTyped(files...)
	red.Hiding(strings.TrimPrefix(o.discord.Token, "Bot "))
	red.HideTyped(append(o.discord.Members, o.tempDir)...)
	run := &sweepRun{newTargetRun(o.targetOptions, s, red), o}
	return run.run(ctx, checked, func() error { return run.do(ctx) }, run.early)
}

// explainSweep gives an error of a sweep, or of taking one back, its next step. It returns other errors as they are.
func explainSweep(err error, a invocation.Invocation) error {
	list := a.As(invocation.SweepList, invocation.TargetFlags...).String()
	var (
		busy      *lease.BusyError
		ambiguous *sweep.AmbiguousError
	)
	switch {
	case errors.As(err, &busy):
		return exit.Failure(err, "wait until it has ended, then run the same command again; what there is shows "+list)
	case errors.Is(err, lease.ErrLost):
		return exit.Failure(err, "what was done until then is journalled; see what the other one does, then run the same command again: "+list)
	case errors.As(err, &ambiguous):
		return exit.Failure(err, "type more of the ID; which sweeps there are shows "+list)
	case errors.Is(err, sweep.ErrUnknown):
		return exit.Failure(err, "see which sweeps there are: "+list)
	case errors.Is(err, sweep.ErrUndone): // since a moment ago
		return exit.Failure(err, "nothing is left to do; see which sweeps there are: "+list)
	case errors.Is(err, sweep.ErrTempFile):
		return exit.Failure(err, "nothing was changed; name a folder with room by --temp-dir or TMPDIR, or let more be sorted at a time by --memory")
	}
	return err
}

// sweepRun is one run of the command.
type sweepRun struct {
	*targetRun
	options sweepOptions
}

// do opens what is to be read, sweeps and reports.
func (r *sweepRun) do(ctx context.Context) error {
	o := r.options
	r.warn(o.warnings...)
	dates, closeDates, err := r.openDates(ctx)
	if err != nil {
		return err
	}
	defer closeDates()
	target, closeTarget, err := r.open(ctx, location.RefuseFolder)
	if err != nil {
		return err
	}
	defer closeTarget()
	warnings, err := target.CheckWritable(ctx, sweep.Written(o.dedupe))
	if err != nil {
		return r.explainTarget(err)
	}
	r.warn(warnings...)
	documents := target.Documents()
	contents, err := documents.Contents(ctx)
	if err != nil {
		return r.explainTarget(err)
	}
	opts := sweep.Options{
		Documents: documents, Journal: target.Journal(), Leases: target.Leases(), Dates: dates.sources, UserDates: o.userDates, Dedupe: o.dedupe,
		DryRun: o.dryRun, Now: o.now, Version: readBuildVersion().Version, Described: o.described(),
		RetryFor: o.target.RetryFor, Memory: o.memory, TempDir: o.tempDir, Notify: func(message string) { r.log.Info(message) },
	}
	if o.verbose {
		opts.Implausible = func(i sweep.Implausible) {
			r.log.Debug("implausible", "place", i.Place, "user", i.User.String(), "reason", string(i.Reason), "detail", i.Detail)
		}
	}
	job := sweep.New(opts)
	r.announce(report.SweepPlan{
		Target: r.endpoint(target), Database: o.target.ShownDatabase(), Contents: contents, Dates: dates.said,
		UserDates: o.userDates, Dedupe: o.dedupe, DryRun: o.dryRun,
	})
	stop := r.startProgress(func() ui.Progress { return sweepProgress(job.Snapshot()) })
	r.began = true
	result, err := job.Run(ctx)
	stop(err == nil)
	r.warnOfSources(err)
	if err == nil {
		for _, d := range dates.members {
			r.warn(d.Remarks()...)
		}
	}
	return r.report(result, err)
}

func sweepProgress(s sweep.Snapshot) ui.Progress {
	return ui.Progress{Phase: s.Phase, Done: s.Done, Total: s.Total, Unit: s.Unit, Beside: []ui.Counter{{Noun: "change", N: s.Changes}}}
}

// openedDates are the sources of dates beside the target.
type openedDates struct {
	sources []record.DateSource
	said    []report.Endpoint // what they are, for people
	members []location.DateSource
}

// openDates opens the sources of dates. The caller closes them by the returned function.
func (r *sweepRun) openDates(ctx context.Context) (opened openedDates, closeAll func(), err error) {
	closeRedis := func() {}
	if o := r.options.redis; o != nil {
		source, closeIt, err := r.openSource(ctx, *o)
		if err != nil {
			return opened, nil, err
		}
		closeRedis = closeIt
		if err := r.findLanyard(ctx, source, *o, r.options.allowEmpty); err != nil {
			closeRedis()
			return opened, nil, err
		}
		opened.sources = append(opened.sources, location.Dates(source))
		opened.said = append(opened.said, report.Endpoint{URI: o.Shown(), Facts: ui.ShownWord(source.Facts().Is)})
	}
	dates, closeDates, err := r.options.discord.Open(func(message string) { r.log.Info(message) })
	closeAll = func() {
		r.closed("the members", closeDates())
		closeRedis()
	}
	if err != nil {
		closeAll()
		return opened, nil, err
	}
	opened.members = dates
	for _, d := range dates {
		if d.DateSource != nil {
			opened.sources = append(opened.sources, d.DateSource)
		}
		opened.said = append(opened.said, report.Endpoint{URI: d.Shown, Facts: d.Is})
	}
	return opened, closeAll, nil
}

// report prints the report and returns the error that sets the exit code.
func (r *sweepRun) report(result *sweep.Report, runErr error) error {
	var future, dates int64
	for _, p := range result.Places {
		future, dates = future+p.Future, dates+p.Candidates
		for _, n := range p.Implausible {
			dates += n
		}
	}
	r.doubtClock(future, dates)
	err := r.outcome(result, runErr)
	return r.tell(err, r.sweeping(*result, runErr, exit.CodeOf(err)))
}

// outcome returns the error that a sweep ends with.
func (r *sweepRun) outcome(result *sweep.Report, runErr error) error {
	changed := result.Changes > 0 && !result.DryRun
	switch {
	case errors.Is(runErr, record.ErrInterrupted) && !changed:
		return exit.Interruption("")
	case errors.Is(runErr, record.ErrInterrupted):
		return exit.Interruption("what was done is journalled: the same command resumes, and sweep undo takes it back")
	case runErr != nil:
		return r.explain(runErr, changed)
	case r.options.check && result.Changes > 0:
		return exit.Silent(exit.Differences)
	case result.LeftoversTotal > 0:
		return exit.Silent(exit.Rejects)
	}
	return nil
}

// explain gives the error that ended a sweep its next step. Changed tells that it had changed something.
func (r *sweepRun) explain(err error, changed bool) error {
	if location.IsDiscords(err) {
		return location.ExplainDiscord(err) // also where the server may be available later
	}
	explanations := []error{explainSweep(err, r.on.again)}
	if r.options.redis != nil {
		explanations = append(explanations, r.explainSource(err, *r.options.redis))
	}
	explanations = append(explanations, r.explainTarget(err))
	done, next := "nothing was changed", "fix what the error names, then run the same command again"
	if changed {
		done = "what was done until then is journalled"
	}
	if errors.Is(err, record.ErrUnavailable) {
		next = "run the same command again once the server answers"
	}
	return location.Explained(err, done+"; "+next, explanations...)
}

// early returns the report of a run that ended before there was anything to sweep.
func (r *sweepRun) early(ended *exit.Error) report.Report {
	result := sweep.Report{DryRun: r.options.dryRun, Dedupe: r.options.dedupe, StartedAt: time.Now()}
	return r.sweeping(result, ended.Err, ended.Code)
}

// sweeping returns what the report shows.
func (r *sweepRun) sweeping(result sweep.Report, runErr error, exit int) report.Sweep {
	s := report.Sweep{Run: r.facts(runErr), Report: result, Check: r.options.check, UserDates: r.options.userDates}
	s.Exit = exit
	return s
}
