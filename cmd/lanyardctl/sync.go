package main

import (
	"cmp"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/scrape"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
)

const syncLong = `Keep MongoDB equal to a Redis that Lanyard writes to, until stopped: what changes
in Redis is in MongoDB within a moment, and what goes from Redis goes from MongoDB.
Redis is only read, and nothing has to be configured there.

While it runs, Redis is the truth about what the mirror itself wrote. What somebody
else wrote to MongoDB is never deleted, and is in conflict where Redis holds another
value (--on-conflict). What is deleted, or gives way, is kept in a file beside that
of the rejects. Where Redis lost most of its data, MongoDB keeps what it has, and
sync says so; --allow-shrinking lets it follow.

How changes are seen (--changes):
  tracking       Redis 6 and later tells of each change. Nothing to configure.
  notifications  keyspace notifications, where tracking is refused
  polling        everything is compared --poll often, where neither is to be had
auto takes the first that works. Whatever a feed may have missed, as when a
connection is cut, is found by a comparison, which runs --reconcile-every as well.

One sync at a time mirrors into a database. Another one stands by, and takes over
within seconds when the first ends. With --until-caught-up sync ends once MongoDB
holds what Redis holds: for the switch, see docs/switch.md. Beside another sync it
then only compares. It gives up after --timeout (10m where that is not given).

Environment
  LANYARD_METRICS_URL
                    in place of --metrics-url
` + redisEnvironment + mongoEnvironment + `
Exit status
  0    stopped, or with --until-caught-up: caught up
  1    error, or --timeout was over before it was caught up
  2    the command was called in a wrong way
  3    caught up, but for values that cannot be mirrored
  4    MongoDB differs from Redis in what is left for you to decide
  130  interrupted, with --until-caught-up
SIGINT, SIGTERM or SIGHUP let sync end what is under way. A second signal ends it at
once, with 130.`

const syncExample = `  lanyardctl sync --redis redis://localhost:6379 --mongo mongodb://localhost:27017
  lanyardctl sync --listen :9464 --metrics-url http://localhost:4001/metrics
  lanyardctl sync --until-caught-up --timeout 5m`

// syncFlags are the flags as they were typed.
type syncFlags struct {
	pairFlags
	changes              string
	poll, reconcileEvery time.Duration
	metricsURL           string
	listen, rejects      string
	untilCaughtUp        bool
}

// changesAuto takes the best way to see changes.
const changesAuto = "auto"

func feedWays() []string {
	return []string{changesAuto, string(record.Tracking), string(record.Notifications), string(record.Polling)}
}

func newSync(p program) *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:        "sync",
		Short:      "Mirror a live Redis in MongoDB, until stopped or caught up",
		Long:       syncLong,
		Example:    syncExample,
		Args:       cobra.NoArgs,
		SuggestFor: []string{"mirror", "follow", "replicate", "watch"},
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags())
			return runSync(cmd.Context(), o, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.bindPlaces(cmd, "write to")
	flags.Lookup("redis").Usage = "`URI` to read from: redis://, rediss:// or unix://"
	flags.StringSliceVar(&f.only, "only", nil, "`kinds` to mirror, with commas between (default all)")
	completeKinds(cmd, "only")
	f.bindRules(cmd, "`who` wins over others: source, target or fail")
	flags.StringVar(&f.changes, "changes", changesAuto, "`way` to see changes: auto, tracking, notifications or polling")
	completeValues(cmd, "changes", feedWays()...)
	flags.Var(durationOf(&f.poll, mirror.DefaultPollEvery), "poll", "how often everything is compared where changes cannot be seen")
	flags.Var(durationOf(&f.reconcileEvery, mirror.DefaultReconcileEvery), "reconcile-every", "how often everything is compared otherwise")
	flags.StringVar(&f.metricsURL, "metrics-url", "", "`URL` of Lanyard's metrics, to store its counters every 60 s")
	flags.StringVar(&f.listen, "listen", "", "`address` for /metrics, /healthz and /readyz: HOST:PORT, or :PORT on loopback")
	flags.BoolVar(&f.untilCaughtUp, "until-caught-up", false, "end once MongoDB holds what Redis holds")
	flags.StringVar(&f.rejects, "rejects", "", "`file` for rejects (default lanyardctl-rejects-TIME.ndjson)")
	flags.Var(durationOf(&f.timeout, defaultTimeout), "timeout", "how long to wait for a server at the start, or to catch up")
	flags.Var(durationOf(&f.retryFor, 2*time.Minute), "retry-for", "how long to try what fails without being away")
	flags.BoolVar(&f.allowEmpty, "allow-empty", false, "a source without any key of Lanyard's is no error")
	flags.BoolVar(&f.allowShrinking, "allow-shrinking", false, "delete also where Redis lost most of its data")
	f.bindRate(cmd)
	bindRedisTLS(cmd, &f.redisTLS)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
	return cmd
}

const (
	defaultTimeout        = 10 * time.Second // of a server at the start
	defaultCatchUpTimeout = 10 * time.Minute
	leastBetween          = time.Second
)

// syncOptions are checked flags and variables.
type syncOptions struct {
	pairOptions
	way                  record.FeedWay // empty for the best
	poll, reconcileEvery time.Duration
	untilCaughtUp        bool
	within               time.Duration // for untilCaughtUp
	listen               string
	rejectsFile          string

	metrics  location.Location // zero for none
	endpoint *scrape.Endpoint
}

// options checks everything that can be checked before a server is asked.
func (f syncFlags) options(p program, now time.Time, flags *pflag.FlagSet) (syncOptions, error) {
	o := syncOptions{
		poll: f.poll, reconcileEvery: f.reconcileEvery, untilCaughtUp: f.untilCaughtUp, listen: f.listen,
		rejectsFile: cmp.Or(f.rejects, newFileName("rejects", now)),
	}
	for _, d := range []struct {
		flag string
		time time.Duration
	}{{"poll", f.poll}, {"reconcile-every", f.reconcileEvery}} {
		if d.time < leastBetween {
			return o, exit.WrongUse(fmt.Sprintf("--%s: %s is too often", d.flag, d.time), "give at least "+leastBetween.String())
		}
	}
	if err := oneOf("--changes", f.changes, feedWays()...); err != nil {
		return o, err
	}
	if f.changes != changesAuto {
		o.way = record.FeedWay(f.changes)
	}
	if f.listen != "" {
		if _, port, err := net.SplitHostPort(f.listen); err != nil || port == "" {
			return o, exit.WrongUse(fmt.Sprintf("--listen: %q is no address", f.listen), "such as --listen :9464, or --listen 0.0.0.0:9464 for other machines")
		}
	}
	o.within = defaultCatchUpTimeout
	if f.untilCaughtUp && flags.Changed("timeout") {
		o.within = f.timeout
	}
	if f.untilCaughtUp {
		f.timeout = min(f.timeout, defaultTimeout)
	}
	var err error
	if o.pairOptions, err = f.pairFlags.options(p, now, flags, invocation.Sync); err != nil {
		return o, err
	}
	if err := p.places.CheckLive(o.source.Location); err != nil {
		return o, err
	}
	if strings.TrimSpace(f.metricsURL+p.env(location.MetricsVariable)) != "" {
		if o.metrics, err = location.ResolveMetrics("--metrics-url", f.metricsURL, p.env); err != nil {
			return o, err
		}
		if o.endpoint, err = scrape.NewEndpoint(o.metrics.URI, o.target.Timeout); err != nil {
			return o, exit.WrongUse(o.metrics.From+": "+err.Error(), "such as http://localhost:4001/metrics")
		}
		o.warnings = append(o.warnings, o.metrics.PasswordWarning(location.MetricsVariable)...)
	}
	return o, checkRejectsFile(o.rejectsFile)
}
