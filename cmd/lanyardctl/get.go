package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const getLong = `Print what Lanyard persists of users, as its API would show it: JSON on one line for
each user, indented for a single user on a terminal. --explain adds where each value
comes from, and what the other stores and layouts hold. With - the ids are read from
standard input, one a line.

` + layerHelp + `
` + environmentHelp + `
Exit status
  0    done
  1    error, or of a user nothing is persisted
  2    the command was called in a wrong way
  3    done, but a value is there that Lanyard cannot read
  130  interrupted`

// getFlags are the flags as they were typed.
type getFlags struct {
	layerFlags
	explain bool
	from    string
}

// The values of --from.
const (
	fromMongo = "mongo"
	fromRedis = "redis"
)

func newGet(p program) *cobra.Command {
	var f getFlags
	cmd := &cobra.Command{
		Use:   "get USER…|-",
		Short: "Show what Lanyard persists of users, as its API does",
		Long:  getLong,
		Example: `  lanyardctl get 94490510688792576 --explain
  lanyardctl get - --from redis --output json < ids.txt`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, args []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags(), args)
			return runGet(cmd.Context(), o, s, err)
		},
	}
	f.bindStores(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.explain, "explain", false, "also tell what each store and layout holds")
	flags.StringVar(&f.from, "from", "", "ask this `store` alone: mongo or redis")
	f.bindFallback(cmd)
	f.bindRun(cmd)
	completeValues(cmd, "from", fromMongo, fromRedis)
	return cmd
}

// getOptions are checked flags and variables.
type getOptions struct {
	layerOptions
	users   []record.UserID // none where they are read from standard input
	explain bool
}

func (f getFlags) options(p program, now time.Time, flags *pflag.FlagSet, args []string) (getOptions, error) {
	o := getOptions{explain: f.explain}
	if len(args) > 1 || args[0] != "-" {
		for _, arg := range args {
			user, err := parseUser(arg)
			if err != nil {
				return o, err
			}
			o.users = append(o.users, user)
		}
	}
	var err error
	if o.layerOptions, err = f.layerFlags.options(p, now, flags, calledWith(invocation.Get, args)); err != nil {
		return o, err
	}
	o.target.ReadOnly = true
	if err := o.configured(); err != nil {
		return o, err
	}
	return o, o.narrow(f.from)
}

// narrow leaves the store alone that --from names. Upstream reads no MongoDB: what there is there, the fork's rules say.
func (o *getOptions) narrow(from string) error {
	if from == "" {
		return nil
	}
	if err := oneOf("--from", from, fromMongo, fromRedis); err != nil {
		return err
	}
	switch {
	case from == fromMongo && o.target.URI == "":
		return exit.WrongUse("--from mongo without a MongoDB", "give --mongo URI or set MONGODB_URI as well")
	case from == fromRedis && o.redis.URI == "":
		return exit.WrongUse("--from redis without a Redis", "give --redis URI or set REDIS_URI as well")
	case from == fromMongo:
		o.app, o.redis.URI = record.Fork, ""
	default:
		o.target.URI = ""
	}
	return nil
}

// runGet prints what is persisted, unless the check of the options failed.
func runGet(ctx context.Context, o getOptions, s streams, checked error) error {
	if checked != nil {
		return checked
	}
	r := &getRun{layerRun: newLayerRun(o.layerOptions, s), options: o}
	return r.run(ctx, nil, func() error {
		layer, closeIt, err := r.open(ctx)
		if err != nil {
			return err
		}
		defer closeIt()
		return r.all(ctx, layer)
	}, func(ended *exit.Error) report.Report { return report.GetFailure{Err: ended.Err} })
}

// getRun is one run of the command.
type getRun struct {
	*layerRun
	options         getOptions
	unknown, faulty int64 // users
}

// all prints all users, and returns the error that the command ends with.
func (r *getRun) all(ctx context.Context, layer *persistence.Layer) error {
	one := func(user record.UserID) error { return r.one(ctx, layer, user) }
	if len(r.options.users) == 0 {
		if err := eachUser(ctx, r.streams.in, one); err != nil {
			return err
		}
	}
	for _, user := range r.options.users {
		if err := one(user); err != nil {
			return err
		}
	}
	switch {
	case r.unknown == 1 && len(r.options.users) == 1:
		return exit.Failure(errors.New(report.NotMonitored(r.options.users[0])), r.unknownHint())
	case r.unknown > 0:
		return exit.Failure(fmt.Errorf("nothing is persisted of %s that Lanyard would show", ui.Plural(r.unknown, "user")), r.unknownHint())
	}
	return outcome(r.faulty > 0)
}

func (r *getRun) unknownHint() string {
	if r.options.explain {
		return "is the id right, and the store?"
	}
	return "is the id right? --explain also tells what stands where Lanyard does not look"
}

// one prints a user.
func (r *getRun) one(ctx context.Context, layer *persistence.Layer, user record.UserID) error {
	found, err := layer.Get(ctx, user, persistence.Question{Everything: r.options.explain})
	if err != nil {
		return r.explain(err, "")
	}
	r.began = true
	faulty := false
	for _, a := range []persistence.Answer{found.KV, found.LastSeen, found.MonitoringSince} {
		faulty = r.warnOfFaults(user, a) || faulty
	}
	if faulty {
		r.faulty++
	}
	if !found.Found() {
		r.unknown++
	}
	if err := r.write(report.Presence{Presence: found, App: r.app, Explain: r.options.explain}); err != nil {
		return fmt.Errorf("print the answer: %w", err)
	}
	return nil
}

// write writes what is persisted of a user.
func (r *getRun) write(p report.Presence) error {
	out := r.streams.out
	if r.output == outputJSON {
		return p.WriteLine(out)
	}
	single := len(r.options.users) == 1
	var err error
	switch _, terminal := ui.TerminalWidth(out); {
	case single && !p.Found(): // which the error says
	case single && terminal:
		err = p.WriteIndented(out)
	default:
		line := p
		line.Explain = false
		err = line.WriteLine(out)
	}
	if err != nil || !p.Explain {
		return err
	}
	_, err = io.WriteString(out, p.ExplainText(r.look(out)))
	return err
}
