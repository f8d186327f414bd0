package main

import (
	"context"
	"fmt"
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
)

const forgetLong = `Remove what lanyardctl keeps of its own in a Redis, in the lanyardctl:* keys that
migrate mongo-to-redis makes: the digests by which it knows again what it wrote, and
the progress of its runs. Lanyard's own keys stay as they are.

Do it once the Redis is Lanyard's for good. The price: the next migration takes what
lanyardctl wrote there for somebody else's. Where MongoDB holds another value by then
that is a conflict, and no update. While a migration runs it is refused.

Environment
  REDIS_DSN, REDIS_URI, REDIS_URL, REDIS_HOST
                    the Redis, in this order, as Lanyard finds it
  REDIS_IPV6        "true" allows IPv6 alone
` + redisTLSEnvironment + plainEnvironment + `
` + exitStatus

const forgetExample = `  lanyardctl forget --redis redis://localhost:6379 --dry-run
  lanyardctl forget --redis redis://localhost:6379`

// forgetFlags are the flags as they were typed.
type forgetFlags struct {
	targetFlags
	redis    string
	redisTLS location.RedisTLS
	dryRun   bool
}

func newForget(p program) *cobra.Command {
	p.places = location.Back()
	var f forgetFlags
	cmd := &cobra.Command{
		Use:     "forget",
		Short:   "Remove what lanyardctl keeps of its own in a Redis",
		Long:    forgetLong,
		Example: forgetExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags())
			return runForget(cmd.Context(), o, f.dryRun, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.redis, "redis", "", "`URI` of the Redis: redis://, rediss:// or unix://")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be removed, and remove nothing")
	f.bindTimeout(cmd)
	bindRedisTLS(cmd, &f.redisTLS)
	f.outputFlags.bind(cmd)
	return cmd
}

// options checks everything that can be checked before a server is asked.
func (f forgetFlags) options(p program, now time.Time, flags *pflag.FlagSet) (targetOptions, error) {
	o, err := f.common(now, flags, invocation.Forget)
	if err != nil {
		return o, err
	}
	o.target.ReadOnly = f.dryRun
	return o, o.resolveRedis(p, f.redis, f.redisTLS, flags)
}

// runForget removes and reports, unless the check of the options failed.
func runForget(ctx context.Context, o targetOptions, dryRun bool, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	r := newTargetRun(o, s, ui.NewSanitizer(o.target.URI))
	r.red.HideTyped(o.target.TLS.CA, o.target.TLS.Cert, o.target.TLS.Key)
	work := func() error {
		r.warn(o.warnings...)
		target, closeTarget, err := opened(ctx, r, location.RefuseFolder, location.RedisStore, s.places.OpenPairTarget)
		if err != nil {
			return err
		}
		defer closeTarget()
		layered := target.(location.Layered) // as every Redis is
		if !dryRun {
			unfinished, err := layered.Unfinished(ctx)
			if err := r.refuseBesideRuns(unfinished, err, "this Redis"); err != nil {
				return err
			}
		}
		gone, err := layered.Forget(ctx, dryRun)
		if err != nil {
			return location.Explained(err, "run the same command again: what is removed by then is gone", r.explainTarget(err))
		}
		r.began = true
		return r.tell(nil, report.Forgetting{
			Run: r.facts(nil), DryRun: dryRun, Digests: gone.Digests, Checkpoints: gone.Checkpoints, Leases: gone.Leases, Runs: gone.Runs,
		})
	}
	return r.run(ctx, checked, work, func(ended *exit.Error) report.Report {
		told := report.Forgetting{Run: r.facts(ended.Err), DryRun: dryRun}
		told.Exit = ended.Code
		return told
	})
}

// refuseBesideRuns fails where a migration is at work among the unfinished ones, unless they could not be read.
func (r *targetRun) refuseBesideRuns(unfinished []record.Checkpoint, err error, where string) error {
	if err != nil {
		return location.Explained(err, "run the same command again", r.explainTarget(err))
	}
	for _, c := range unfinished {
		if lease.Alive(c.Owner, c.Heartbeat, lease.Self(), r.on.now) {
			return exit.Failure(fmt.Errorf("a migration into %s is at work (host %s, process %d)", where, ui.ShownWord(c.Owner.Host), c.Owner.PID),
				"let it end, or stop it, then run the same command again")
		}
	}
	return nil
}
