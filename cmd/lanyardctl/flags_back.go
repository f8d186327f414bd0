package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize/english"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

// backEnvironmentHelp is the part of the help about variables where Redis is the target.
const backEnvironmentHelp = `Environment
` + mongoEnvironmentNames + `  REDIS_DSN, REDIS_URI, REDIS_URL, REDIS_HOST
                    the Redis that is the target, in this order, as Lanyard finds it
  REDIS_IPV6        "true" allows IPv6 alone
` + redisTLSEnvironment + plainEnvironment

// layoutFlags say in which layouts of a Redis something is written, or compared, as they were typed.
type layoutFlags struct {
	layout string
	asJSON bool
}

// bothLayouts is the name of the layouts of all apps.
const bothLayouts = "both"

func layoutNames() []string {
	return []string{record.Fork.String(), record.Upstream.String(), bothLayouts}
}

// layoutName returns the name of the apps' layouts, as the flag spells it.
func layoutName(apps record.Apps) string {
	switch {
	case apps == record.AllApps:
		return bothLayouts
	case apps.Has(record.Upstream):
		return record.Upstream.String()
	}
	return record.Fork.String()
}

// bindBackPlaces adds the flags that say where to read, and where to. Target is what is done there: "write to".
func (f *pairFlags) bindBackPlaces(cmd *cobra.Command, target string) {
	f.bindTarget(cmd, "read from")
	flags := cmd.Flags()
	flags.StringVar(&f.redis, "redis", "", "`URI` to "+target+": redis://, rediss:// or unix://")
	flags.StringVar(&f.layout, "layout", "", "`layout` in Redis: fork, upstream or both (default that which is there)")
	completeValues(cmd, "layout", layoutNames()...)
	flags.BoolVar(&f.asJSON, "as-json", false, "in upstream's layout, values that are no text become JSON text")
}

// bindBackRules adds the flag that decides between values.
func (f *pairFlags) bindBackRules(cmd *cobra.Command, onConflict string) {
	cmd.Flags().StringVar(&f.onConflict, "on-conflict", record.FailOnConflict.String(), onConflict)
	completeValues(cmd, "on-conflict", record.PreferSource.String(), record.PreferTarget.String(), record.FailOnConflict.String())
}

// bindBackRun adds the flags that say how to run.
func (f *pairFlags) bindBackRun(cmd *cobra.Command) {
	f.bindTimeout(cmd)
	cmd.Flags().BoolVar(&f.allowEmpty, "allow-empty", false, "a source without any document of Lanyard's is no error")
	bindRedisTLS(cmd, &f.redisTLS)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
}

// mongoSource returns the MongoDB that is read, and warnings.
func (f pairFlags) mongoSource(p program, target targetOptions) (o location.SourceOptions, warnings []string, err error) {
	o = location.SourceOptions{Timeout: target.target.Timeout, RetryFor: target.target.RetryFor, Dedupe: target.target.Dedupe}
	if o.Location, err = p.places.ResolveSource(f.mongo, p.env); err != nil {
		return o, nil, err
	}
	o.MongoSettings, warnings, err = f.mongoSettings(o.Location, p)
	return o, warnings, err
}

// redisTarget returns the Redis that is the target, and what does not depend on the source.
func (f pairFlags) redisTarget(p program, now time.Time, flags *pflag.FlagSet, command string) (targetOptions, error) {
	o, err := f.common(now, flags, command)
	if err != nil {
		return o, err
	}
	return o, o.resolveRedis(p, f.redis, f.redisTLS, flags)
}

// resolveRedis makes the Redis that the flag or a variable names the target.
func (o *targetOptions) resolveRedis(p program, uri string, tls location.RedisTLS, flags *pflag.FlagSet) (err error) {
	if o.target.Location, err = p.places.ResolveTarget(uri, p.env); err != nil {
		return err
	}
	o.target.IPv6 = location.ForceIPv6(p.env)
	if o.target.TLS, o.warnings, err = tls.Resolve(o.target.Location, p.env, flags.Changed); err != nil {
		return err
	}
	o.warnings = append(o.warnings, o.target.PasswordWarning("REDIS_URI")...)
	return nil
}

// layoutOptions say in which layouts of a Redis something is written, or compared.
type layoutOptions struct {
	apps      record.Apps // none: those that the target's other keys are in
	why       string      // those are taken, for people
	asJSON    bool
	onlyTyped bool         // the kinds were named by a person
	leftOut   record.Kinds // those that the layouts have no place for
}

// checkLayout checks the flags. OnlyTyped tells that a person named the kinds.
func (o *pairOptions) checkLayout(f layoutFlags, onlyTyped bool) error {
	o.asJSON, o.onlyTyped = f.asJSON, onlyTyped
	if f.layout == "" {
		return nil
	}
	if err := oneOf("--layout", f.layout, layoutNames()...); err != nil {
		return err
	}
	apps := record.AllApps
	if app, err := record.ParseApp(f.layout); err == nil {
		apps = record.Apps(0).With(app)
	}
	return o.takeLayout(apps, "as --layout says")
}

// takeLayout takes the layouts of the apps, and leaves out the kinds that they have no place for.
func (o *pairOptions) takeLayout(apps record.Apps, why string) error {
	o.apps, o.why = apps, why
	if o.asJSON && !apps.Has(record.Upstream) {
		return exit.WrongUse("--as-json is about upstream's layout, and the fork's is taken", "leave --as-json out: the fork keeps values that are no text as they are")
	}
	o.leftOut = o.only &^ layout.KindsOf(apps)
	if o.leftOut != 0 && o.onlyTyped {
		return exit.WrongUse("--only "+o.leftOutText(), "leave them out of --only, or give --layout "+bothLayouts)
	}
	o.only &^= o.leftOut
	return nil
}

// leftOutText says which kinds are left out, and why.
func (o pairOptions) leftOutText() string {
	names := english.WordSeries(ui.Names(o.leftOut.List()), "and")
	if o.apps.Has(record.Upstream) {
		return names + ": upstream keeps none; they stay in MongoDB"
	}
	return names + ": the fork keeps them in MongoDB alone"
}

// layoutText says which layouts are taken, and why; nothing where there are none to take.
func (o pairOptions) layoutText() string {
	switch o.apps {
	case 0:
		return ""
	case record.AllApps:
		return "in the layouts of both apps, " + o.why
	}
	return "in " + strings.Replace(layoutName(o.apps), "fork", "the fork", 1) + "'s layout, " + o.why
}

// layoutName returns the name of the layouts that are taken, as the flag spells it; nothing where none are.
func (o pairOptions) layoutName() string {
	if o.apps == 0 {
		return ""
	}
	return layoutName(o.apps)
}

// noLayout returns the error where nothing tells in which layouts the target is to be written.
func noLayout(there record.Apps) error {
	hint := fmt.Sprintf("give --layout %s or --layout %s, as the Lanyard that reads this Redis has it, or --layout %s", record.Fork, record.Upstream, bothLayouts)
	if there == 0 {
		return exit.Failure(fmt.Errorf("the target holds no key of Lanyard's yet: in which layout is it meant?"), hint)
	}
	return exit.Failure(fmt.Errorf("the target holds keys in the layouts of both apps: which is meant?"), hint)
}
