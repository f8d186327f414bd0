package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/retry"
)

// targetFlags are the flags, as they were typed, of every command that works on a target.
type targetFlags struct {
	mongo, database string
	mongoName       string
	timeout         time.Duration
	retryFor        time.Duration
	outputFlags
}

// The parts of the help about variables.
const (
	redisEnvironment = `  REDIS_DSN, REDIS_URI, REDIS_URL, REDIS_HOST
                    the Redis to read, in this order, as Lanyard finds it
  REDIS_IPV6        "true" allows IPv6 alone
` + redisTLSEnvironment
	redisTLSEnvironment = `  REDIS_CA, REDIS_CERT, REDIS_KEY, REDIS_SERVER_NAME
                    in place of --redis-ca and so on, for rediss://
`
	mongoEnvironment      = mongoEnvironmentNames + plainEnvironment
	mongoEnvironmentNames = `  MONGODB_URI       the MongoDB to use
  MONGODB_DATABASE  the database, else "lanyard"
  MONGODB_SERVER_NAME
                    in place of --mongo-server-name
`
	plainEnvironment = `  NO_COLOR          no colour
  An empty variable counts as unset. Passwords are better given by a variable
  than by a flag, which everybody on the machine can read.
`
	environmentHelp       = "Environment\n" + redisEnvironment + mongoEnvironment
	targetEnvironmentHelp = "Environment\n" + mongoEnvironment
)

// bindTarget adds the flags that say which database is meant. Target is what is done there: "write to".
func (f *targetFlags) bindTarget(cmd *cobra.Command, target string) {
	flags := cmd.Flags()
	flags.StringVar(&f.mongo, "mongo", "", "`URI` to "+target+": mongodb://, mongodb+srv:// or embedded:DIR")
	flags.StringVar(&f.database, "database", "", "`name` of the MongoDB database (default lanyard)")
}

// bindTimeout adds the flags about servers.
func (f *targetFlags) bindTimeout(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Var(durationOf(&f.timeout, 10*time.Second), "timeout", "how long to wait for a server at the start")
	flags.Var(durationOf(&f.retryFor, retry.DefaultFor), "retry-for", "how long to try a server that is away")
}

// bindMongoTLS adds the flag about TLS.
func (f *targetFlags) bindMongoTLS(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.mongoName, "mongo-server-name", "", "`name` in the certificate of a MongoDB with TLS")
}

// targetOptions are the checked flags and variables of a command that works on a target.
type targetOptions struct {
	target   location.TargetOptions
	now      time.Time // decides which times are plausible
	warnings []string
	again    invocation.Invocation
	outputFlags
}

// options checks everything that can be checked before a server is asked. The flags are those of the command as typed.
func (f targetFlags) options(p program, now time.Time, flags *pflag.FlagSet, command string) (targetOptions, error) {
	o, err := f.common(now, flags, command)
	if err != nil {
		return o, err
	}
	if o.target.Location, err = p.places.ResolveTarget(f.mongo, p.env); err != nil {
		return o, err
	}
	return o, f.resolve(&o, p)
}

// common checks what does not depend on the target.
func (f targetFlags) common(now time.Time, flags *pflag.FlagSet, command string) (targetOptions, error) {
	o := targetOptions{now: now, again: invocation.Typed(command, flags), outputFlags: f.outputFlags}
	o.target.Timeout, o.target.RetryFor = f.timeout, f.retryFor
	o.target.Dedupe = o.again.As(invocation.Sweep, invocation.TargetFlags...).With("dedupe").String()
	if f.timeout <= 0 {
		return o, exit.WrongUse(fmt.Sprintf("--timeout: %s is not a time to wait", f.timeout), "give a duration such as 10s")
	}
	if f.retryFor <= 0 {
		return o, exit.WrongUse(fmt.Sprintf("--retry-for: %s is not a time to wait", f.retryFor), "give a duration such as 2m")
	}
	return o, f.outputFlags.check()
}

// resolve checks what is about the target, whose location is known.
func (f targetFlags) resolve(o *targetOptions, p program) (err error) {
	var warnings []string
	o.target.MongoSettings, warnings, err = f.mongoSettings(o.target.Location, p)
	o.warnings = append(o.warnings, warnings...)
	return err
}

// mongoSettings returns what is known of the MongoDB at the location, and warnings.
func (f targetFlags) mongoSettings(at location.Location, p program) (s location.MongoSettings, warnings []string, err error) {
	var warning string
	if s.Database, warning, err = location.ResolveDatabase(f.database, at.URI, p.env); err != nil {
		return s, nil, err
	}
	if s.ServerName, warnings, err = location.ResolveServerName(f.mongoName, at, p.env); err != nil {
		return s, nil, err
	}
	if warning != "" {
		warnings = slices.Insert(warnings, 0, warning)
	}
	return s, append(warnings, at.PasswordWarning("MONGODB_URI")...), nil
}
