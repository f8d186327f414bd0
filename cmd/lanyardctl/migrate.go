package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/record"
)

const migrateLong = `Copy what Lanyard keeps in Redis to the MongoDB collections that its fork reads:
API keys, key-value pairs, last-seen times, monitoring dates and counters. Every
write is a merge, so the command can be run again at any time: it brings over
what has changed in Redis since, and never overwrites what Lanyard itself wrote
to MongoDB. A run that was interrupted goes on where it stopped. What cannot be
written goes to the rejects file, byte for byte, with the reason.

The kinds are api_keys, kv, last_seen, monitoring_since and metrics. The report
alone goes to standard output.

Environment
  REDIS_DSN, REDIS_URI, REDIS_URL, REDIS_HOST
                    the Redis to read, in this order, as Lanyard finds it
  REDIS_IPV6        "true" allows IPv6 alone
  MONGODB_URI       the MongoDB to write to
  MONGODB_DATABASE  the database, else "lanyard"
  NO_COLOR          no colour
  An empty variable counts as unset. Passwords are better given by a variable
  than by a flag, which everybody on the machine can read.

Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, with rejects or undecided conflicts
  130  interrupted; the same command goes on`

const migrateExample = `  lanyardctl migrate redis-to-mongo --redis redis://localhost:6379 --mongo embedded:./try
  lanyardctl migrate redis-to-mongo --dry-run
  lanyardctl migrate redis-to-mongo --only kv,last_seen --user 94490510688792576
  lanyardctl migrate redis-to-mongo --output json --progress none | jq .kinds`

// migrateFlags are the flags as they were typed.
type migrateFlags struct {
	redis, mongo, database string
	only, users            []string
	onlyGiven, userGiven   bool // also where what was given is empty
	dryRun                 bool
	onConflict, kvPrefer   string
	batchSize, workers     amount
	restart                bool
	rejects                string
	timeout                time.Duration
	allowEmpty             bool
	output, progress       string
	quiet, verbose         bool
	logFormat              string
}

// streams are what a command writes to, and the environment that it reads.
type streams struct {
	out, err io.Writer
	env      lookupFunc
}

func newMigrate() *cobra.Command {
	return newGroup("migrate", "Move Lanyard's data from one database to another",
		"Commands that move Lanyard's data from one database to another.\n\n"+exitStatus,
		newMigrateRedisToMongo())
}

func newMigrateRedisToMongo() *cobra.Command {
	f := migrateFlags{batchSize: amount{max: 100000}, workers: amount{max: 64}}
	cmd := &cobra.Command{
		Use:     "redis-to-mongo",
		Short:   "Copy what Lanyard keeps in Redis to MongoDB",
		Long:    migrateLong,
		Example: migrateExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := streams{out: cmd.OutOrStdout(), err: cmd.ErrOrStderr(), env: os.LookupEnv}
			f.userGiven, f.onlyGiven = cmd.Flags().Changed("user"), cmd.Flags().Changed("only")
			o, err := f.options(s.env, time.Now(), typed(migrationName, cmd.Flags()))
			if err != nil {
				return err
			}
			return runMigrate(cmd.Context(), o, s)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.redis, "redis", "", "`URI` to read from: redis://, rediss:// or unix://")
	flags.StringVar(&f.mongo, "mongo", "", "`URI` to write to: mongodb://, mongodb+srv:// or embedded:DIR")
	flags.StringVar(&f.database, "database", "", "`name` of the MongoDB database (default lanyard)")
	flags.StringSliceVar(&f.only, "only", nil, "`kinds` to copy, with commas between (default all)")
	flags.StringSliceVar(&f.users, "user", nil, "copy this user `ID` alone; can be repeated")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing")
	flags.StringVar(&f.onConflict, "on-conflict", record.FailOnConflict.String(), "`who` wins over what others wrote: source, target, fail")
	flags.StringVar(&f.kvPrefer, "kv-prefer", preferFork, "`layout` whose key-value pairs win: fork or upstream")
	flags.Var(&f.batchSize, "batch-size", "`records` in a batch, 1 to 100000")
	flags.Var(&f.workers, "workers", "`batches` that are written side by side, 1 to 64")
	flags.BoolVar(&f.restart, "restart", false, "do not go on where an interrupted run stopped")
	flags.StringVar(&f.rejects, "rejects", "", "`file` for what is not written (default lanyardctl-rejects-TIME.ndjson)")
	flags.DurationVar(&f.timeout, "timeout", 10*time.Second, "how long to wait for a server at the start")
	flags.BoolVar(&f.allowEmpty, "allow-empty", false, "a Redis without any key of Lanyard's is no error")
	flags.StringVar(&f.output, "output", outputText, "`format` of the report: text or json")
	flags.StringVar(&f.progress, "progress", progressAuto, "`form` of the progress: auto, bar, plain or none")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "nothing but errors on stderr")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "more on stderr")
	flags.StringVar(&f.logFormat, "log-format", logText, "`format` of the lines on stderr: text or json")
	return cmd
}

const (
	preferFork     = "fork"
	preferUpstream = "upstream"

	outputText = "text"
	outputJSON = "json"
)

// migrateOptions are checked flags and variables.
type migrateOptions struct {
	source, target place
	ipv6           bool
	database       string
	only           record.Kinds
	users          []record.UserID
	policy         record.Policy
	flags          migrateFlags
	rejectsFile    string
	warnings       []string
	again          again
}

// options checks everything that can be checked before a server is asked.
func (f migrateFlags) options(env lookupFunc, now time.Time, cmd again) (migrateOptions, error) {
	o := migrateOptions{flags: f, ipv6: forceIPv6(env), again: cmd, rejectsFile: cmp.Or(f.rejects, defaultRejectsFile(now))}
	if err := f.check(); err != nil {
		return o, err
	}
	var err error
	if o.policy, err = record.ParsePolicy(f.onConflict); err != nil {
		return o, usageError("--on-conflict: "+err.Error(), "give fail, source or target")
	}
	if o.users, err = parseUsers(f.users); err != nil {
		return o, err
	}
	if f.userGiven && len(o.users) == 0 {
		return o, usageError("--user: no user id given", "give one, or leave --user out for all users")
	}
	if o.only, err = f.kinds(); err != nil {
		return o, err
	}
	if o.source, err = resolveRedis(f.redis, env); err != nil {
		return o, err
	}
	if o.target, err = resolveMongo(f.mongo, env); err != nil {
		return o, err
	}
	var warning string
	if o.database, warning, err = resolveDatabase(f.database, o.target.URI, env); err != nil {
		return o, err
	}
	if warning != "" {
		o.warnings = append(o.warnings, warning)
	}
	for _, p := range []struct {
		place
		instead string
	}{{o.source, "REDIS_URI"}, {o.target, "MONGODB_URI"}} {
		if p.onCommandLine() && hasPassword(p.URI) {
			o.warnings = append(o.warnings, fmt.Sprintf("everybody on this machine can read the password in %s: set %s instead", p.From, p.instead))
		}
	}
	return o, checkRejectsFile(o.rejectsFile)
}

// check looks at the flags that need no further reading.
func (f migrateFlags) check() error {
	for _, choice := range []struct {
		flag, value string
		known       []string
	}{
		{"--kv-prefer", f.kvPrefer, []string{preferFork, preferUpstream}},
		{"--output", f.output, []string{outputText, outputJSON}},
		{"--progress", f.progress, []string{progressAuto, progressBar, progressPlain, progressNone}},
		{"--log-format", f.logFormat, []string{logText, logJSON}},
	} {
		if !slices.Contains(choice.known, choice.value) {
			return usageError(fmt.Sprintf("%s: unknown value %q", choice.flag, choice.value), "give "+strings.Join(choice.known, ", "))
		}
	}
	switch {
	case f.timeout <= 0:
		return usageError(fmt.Sprintf("--timeout: %s is no time to wait", f.timeout), "give a duration such as 10s")
	case f.quiet && f.verbose:
		return usageError("--quiet and --verbose contradict each other", "give one of them")
	case f.dryRun && f.restart:
		return usageError("--dry-run and --restart contradict each other", "a dry run keeps no progress, so it always starts from the beginning")
	}
	return nil
}

// kinds returns what to copy. The counters belong to no user.
func (f migrateFlags) kinds() (record.Kinds, error) {
	if !f.onlyGiven {
		only := record.AllKinds
		if len(f.users) > 0 {
			only &^= record.Kinds(0).With(record.Metrics)
		}
		return only, nil
	}
	only, err := record.ParseKinds(f.only)
	switch {
	case err != nil:
		return 0, usageError("--only: "+err.Error(), "such as --only kv,last_seen")
	case len(f.users) > 0 && only.Has(record.Metrics):
		return 0, usageError("--user and --only metrics contradict each other", "the counters belong to no user")
	}
	return only, nil
}

func parseUsers(texts []string) ([]record.UserID, error) {
	var users []record.UserID
	for _, text := range texts {
		id, ok := record.ParseUserID(strings.TrimSpace(text))
		if !ok {
			return nil, usageError(fmt.Sprintf("--user: %q is no Discord user id", text), "give the digits alone, such as 94490510688792576")
		}
		users = append(users, id)
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}

// runMigrate migrates and reports. Every text that it prints or returns has passed the redactor.
func runMigrate(ctx context.Context, o migrateOptions, s streams) error {
	red := newRedactor(o.source.URI, o.target.URI)
	term := newConsole(s.err, red)
	run := &migrationRun{
		options: o, streams: s, red: red, term: term,
		log: newLogger(term, o.flags.logFormat, logLevel(o.flags.quiet, o.flags.verbose)),
	}
	err := run.do(ctx)
	if err == nil {
		return nil
	}
	code := exitCode(err)
	if ctx.Err() != nil && code != exitRejects {
		code = exitInterrupted
		if !run.began {
			err = errors.New("interrupted before the first record") // a driver says it in its own words
		}
	}
	exit, ok := errors.AsType[*exitError](err)
	if !ok {
		exit = &exitError{err: err}
	}
	if exit.err == nil {
		return exitSilently(code)
	}
	said := &exitError{code: code, err: red.err(exit.err), hint: red.text(exit.hint)}
	if o.flags.logFormat == logJSON {
		run.log.Error(said.Error(), "hint", said.hint, "exit_status", code)
		return exitSilently(code)
	}
	return said
}

// migrationRun is one run of the command.
type migrationRun struct {
	options  migrateOptions
	streams  streams
	red      *redactor
	term     *console
	log      *slog.Logger
	warnings []string
	began    bool // there is a report
}

func (r *migrationRun) warn(texts ...string) {
	for _, text := range texts {
		text = r.red.text(text)
		r.warnings = append(r.warnings, text)
		r.log.Warn(text)
	}
}

func (r *migrationRun) do(ctx context.Context) error {
	o, f := r.options, r.options.flags
	r.warn(o.warnings...)
	source, err := openRedis(ctx, o.source, o.ipv6, f.timeout)
	if err != nil {
		return err
	}
	defer func() { r.closed("Redis", source.Close()) }()
	facts := source.Info()
	r.log.Debug("opened Redis", "version", facts.Version, "mode", string(facts.Mode), "nodes", len(facts.Nodes), "keys", facts.Keys)
	r.warn(redisWarnings(facts)...)

	target, err := openMongo(ctx, o.target, o.database, f.timeout, f.dryRun)
	if err != nil {
		return err
	}
	defer func() { r.closed("MongoDB", target.Close(context.WithoutCancel(ctx))) }()
	r.log.Debug("opened MongoDB", "server", target.Info().Server, "version", target.Info().Version, "database", o.database)

	if !f.allowEmpty {
		if err := r.findLanyard(ctx, source); err != nil {
			return err
		}
	}
	return r.migrate(ctx, source, target)
}

// closed notes that something could not be closed, which is no failure of the run.
func (r *migrationRun) closed(what string, err error) {
	if err != nil {
		r.log.Warn("close "+what, "error", err.Error())
	}
}
