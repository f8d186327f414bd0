package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// pairFlags are the flags, as they were typed, of every command that reads a source and a target.
type pairFlags struct {
	targetFlags
	redis                string
	redisTLS             location.RedisTLS
	only, users          []string
	onConflict, kvPrefer string
	sourceFlags

	direction invocation.Direction
	layoutFlags
	tableFlags
}

// sourceFlags are those about what a source may be like, and become, and how gently it is read.
type sourceFlags struct {
	allowEmpty, allowShrinking bool
	replica                    bool
	maxRate                    autoInt
}

const (
	maxRateFlag = "max-rate"
	replicaFlag = "redis-replica"
	mostRate    = 100_000_000
)

// bind adds the flags. Source is what is read: "a source".
func (f *sourceFlags) bind(cmd *cobra.Command, source string) {
	flags := cmd.Flags()
	flags.BoolVar(&f.allowEmpty, "allow-empty", false, source+" without any key of Lanyard's is no error")
	flags.BoolVar(&f.allowShrinking, "allow-shrinking", false, source+" that loses many keys meanwhile is no error")
	f.bindRate(cmd)
	flags.BoolVar(&f.replica, replicaFlag, false, "read from replicas of Redis, which may lag")
}

// bindRate adds the flag that says how gently a Redis is scanned.
func (f *sourceFlags) bindRate(cmd *cobra.Command) {
	f.maxRate = autoInt{max: mostRate, none: "unbounded"}
	cmd.Flags().Var(&f.maxRate, maxRateFlag, "`keys` a second that are read from Redis at most")
}

// check fails where a flag about how Redis is read was given for a file.
func (f sourceFlags) check(source location.Location, still bool, changed func(flag string) bool) error {
	for _, flag := range []string{maxRateFlag, replicaFlag} {
		if still && changed(flag) {
			return exit.WrongUse("--"+flag+" is about a Redis, and "+source.From+" names a file", "leave --"+flag+" out")
		}
	}
	return nil
}

// alone fails where such a flag was given though no Redis is named.
func (sourceFlags) alone(changed func(flag string) bool) error {
	for _, flag := range []string{maxRateFlag, replicaFlag} {
		if changed(flag) {
			return exit.WrongUse("--"+flag+" without --redis: no Redis is read", "give --redis as well, or leave --"+flag+" out")
		}
	}
	return nil
}

// source returns the source and how to read it, and warnings.
func (f pairFlags) source(p program, o targetOptions, flags *pflag.FlagSet) (location.SourceOptions, []string, error) {
	if f.direction.FromMongo() {
		return f.mongoSource(p, o)
	}
	if f.direction == invocation.TablesToMongo {
		source, err := f.dynamoSource(p, o)
		return source, nil, err
	}
	return resolveSource(p, f.redis, f.redisTLS, f.sourceFlags, o, flags)
}

// target returns the target, and what does not depend on the source.
func (f pairFlags) target(p program, now time.Time, flags *pflag.FlagSet, command string) (targetOptions, error) {
	switch f.direction {
	case invocation.ToRedis:
		return f.redisTarget(p, now, flags, command)
	case invocation.TablesBack:
		return f.dynamoTarget(p, now, flags, command)
	case invocation.ToMongo, invocation.TablesToMongo:
	}
	return f.targetFlags.options(p, now, flags, command)
}

// resolveSource returns the source that the flag or a variable names and how to read it, and warnings.
func resolveSource(p program, uri string, tls location.RedisTLS, f sourceFlags, target targetOptions, flags *pflag.FlagSet) (
	o location.SourceOptions, warnings []string, err error,
) {
	o = location.SourceOptions{
		RedisSettings: location.RedisSettings{IPv6: location.ForceIPv6(p.env)}, Timeout: target.target.Timeout, RetryFor: target.target.RetryFor, AllowShrinking: f.allowShrinking,
		MaxRate: f.maxRate.or(0), Replica: f.replica,
	}
	if o.Location, err = p.places.ResolveSource(uri, p.env); err != nil {
		return o, nil, err
	}
	if err := f.check(o.Location, p.places.Still(o.Location), flags.Changed); err != nil {
		return o, nil, err
	}
	if o.TLS, warnings, err = tls.Resolve(o.Location, p.env, flags.Changed); err != nil {
		return o, nil, err
	}
	return o, append(warnings, o.PasswordWarning("REDIS_URI")...), nil
}

// bindRedisTLS adds the flags about TLS with Redis.
func bindRedisTLS(cmd *cobra.Command, f *location.RedisTLS) {
	for _, s := range f.Settings() {
		cmd.Flags().StringVar(s.Value, s.Flag, "", s.Usage)
		if strings.HasPrefix(s.Usage, "`file`") {
			completeFiles(cmd, s.Flag, "pem", "crt", "key")
		}
	}
}

const (
	preferFork     = "fork"
	preferUpstream = "upstream"
)

// bindPlaces adds the flags that say where to read.
func (f *pairFlags) bindPlaces(cmd *cobra.Command, target string) {
	cmd.Flags().StringVar(&f.redis, "redis", "", "`URI` to read from: redis://, rediss://, unix:// or rdb:FILE")
	f.bindTarget(cmd, target)
}

// bindParts adds the flags that say what to read. Does is what the command does with it: "copy".
func (f *pairFlags) bindParts(cmd *cobra.Command, does string) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.only, "only", nil, "`kinds` to "+does+", with commas between (default all)")
	completeKinds(cmd, "only")
	flags.StringSliceVar(&f.users, "user", nil, does+" this user `ID` alone; can be repeated")
}

// bindRules adds the flags that decide between values.
func (f *pairFlags) bindRules(cmd *cobra.Command, onConflict string) {
	flags := cmd.Flags()
	flags.StringVar(&f.onConflict, "on-conflict", record.FailOnConflict.String(), onConflict)
	flags.StringVar(&f.kvPrefer, "kv-prefer", preferFork, "`layout` whose pairs win: fork or upstream")
	completeValues(cmd, "on-conflict", record.PreferSource.String(), record.PreferTarget.String(), record.FailOnConflict.String())
	completeValues(cmd, "kv-prefer", preferFork, preferUpstream)
}

// bindRun adds the flags that say how to run.
func (f *pairFlags) bindRun(cmd *cobra.Command) {
	f.bindTimeout(cmd)
	f.sourceFlags.bind(cmd, "a source")
	bindRedisTLS(cmd, &f.redisTLS)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
}

// pairOptions are the checked flags and variables of a command that reads a source and a target.
type pairOptions struct {
	targetOptions
	source   location.SourceOptions
	only     record.Kinds
	users    []record.UserID
	policy   record.Policy
	kvPrefer string
	sourceFlags

	direction invocation.Direction
	layoutOptions
}

// options checks everything that can be checked before a server is asked. The flags are those of the command as typed.
func (f pairFlags) options(p program, now time.Time, flags *pflag.FlagSet, command string) (pairOptions, error) {
	o := pairOptions{kvPrefer: f.kvPrefer, sourceFlags: f.sourceFlags, direction: f.direction}
	var err, targetErr error
	o.targetOptions, targetErr = f.target(p, now, flags, command)
	if f.direction == invocation.ToMongo {
		err = oneOf("--kv-prefer", f.kvPrefer, preferFork, preferUpstream)
	}
	if err != nil {
		return o, err
	}
	if o.policy, err = record.ParsePolicy(f.onConflict); err != nil {
		return o, exit.WrongUse("--on-conflict: "+err.Error(), "give fail, source or target")
	}
	if o.users, err = parseUsers(f.users); err != nil {
		return o, err
	}
	if o.only, err = f.kinds(); err != nil {
		return o, err
	}
	if f.direction == invocation.ToRedis {
		if err := o.checkLayout(f.layoutFlags, len(f.only) > 0); err != nil {
			return o, err
		}
	}
	var sourceWarnings []string
	if o.source, sourceWarnings, err = f.source(p, o.targetOptions, flags); err != nil {
		return o, err
	}
	o.target.Kinds = o.only
	o.source.Request = layout.Request{Kinds: o.only, Users: o.users, PreferUpstream: o.kvPrefer == preferUpstream, Now: o.now}
	if targetErr != nil {
		return o, targetErr
	}
	o.warnings = append(o.warnings, sourceWarnings...)
	return o, nil
}

// oneOf returns a usage error where the flag has none of the known values.
func oneOf(flag, value string, known ...string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return exit.WrongUse(fmt.Sprintf("%s: unknown value %q", flag, value), "give "+strings.Join(known, ", "))
}

// kinds returns what to read. The counters belong to no user.
func (f pairFlags) kinds() (record.Kinds, error) {
	if f.direction.OfTables() {
		return f.tableFlags.kinds()
	}
	if len(f.only) == 0 {
		only := record.LanyardKinds
		if len(f.users) > 0 {
			only &^= record.Kinds(0).With(record.Metrics)
		}
		return only, nil
	}
	only, err := record.ParseKinds(f.only, record.LanyardKinds)
	switch {
	case err != nil:
		return 0, exit.WrongUse("--only: "+err.Error(), "such as --only kv,last_seen")
	case len(f.users) > 0 && only.Has(record.Metrics):
		return 0, exit.WrongUse("--user and --only metrics contradict each other", "the counters belong to no user")
	}
	return only, nil
}

func parseUsers(texts []string) ([]record.UserID, error) {
	var users []record.UserID
	for _, text := range texts {
		id, ok := record.ParseUserID(strings.TrimSpace(text))
		if !ok {
			return nil, exit.WrongUse(fmt.Sprintf("--user: %q is not a Discord user id", text), "give the digits alone, such as 94490510688792576")
		}
		users = append(users, id)
	}
	slices.Sort(users)
	return slices.Compact(users), nil
}

// preflight returns what both commands tell.
func (o pairOptions) preflight(verb string, source location.SourceFacts, target location.TargetFacts, documents map[record.Kind]int64) report.Preflight {
	p := report.Preflight{
		Source:    report.Endpoint{URI: o.source.Shown(), Facts: ui.ShownWord(source.Is)},
		Target:    report.Endpoint{URI: o.target.Shown(), Facts: ui.ShownWord(target.Is)},
		Direction: o.direction, Database: o.shownDatabase(), Documents: documents, Layout: o.layoutText(),
		Verb: verb, Only: o.only, Users: o.users, Policy: o.policy, KVPrefer: o.kvPrefer,
	}
	if o.leftOut != 0 {
		p.Rules = append(p.Rules, o.leftOutText())
	}
	if o.direction == invocation.ToMongo && source.ByUser && o.only.Has(record.APIKeys) && o.source.Request.Selection == nil {
		p.Rules = append(p.Rules, "only these users' own keys are looked up: an api_key: of theirs that is not the current one of user_api_key: "+
			"is found by a run without --user")
	}
	return p
}

// shownDatabase returns the name of the MongoDB's database, fit to be shown.
func (o pairOptions) shownDatabase() string {
	if o.direction.FromMongo() {
		return o.source.ShownDatabase()
	}
	return o.target.ShownDatabase()
}

// layoutRule says which layout wins, where that matters.
func (o pairOptions) layoutRule() []string {
	if o.direction != invocation.ToMongo || !o.only.Has(record.KV) {
		return nil
	}
	return []string{"where a user has key-value pairs in both layouts, the " + o.kvPrefer + " layout wins"}
}
