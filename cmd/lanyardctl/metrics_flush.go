package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/internal/scrape"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const metricsFlushLong = `Read the counters of a running Lanyard from its /metrics, and add to those that are
stored by how much they have increased since the last flush: to each store, once, or
--every so often until interrupted. A stored counter never goes back. One that
started again at zero goes on from the stored value. A flush can be killed at any
moment, and repeated: nothing is counted twice.

What was flushed is noted in the stores, by --instance. Of several Lanyards (of
upstream) each is flushed by a call of its own. Of several nodes of the fork flush
one alone: each begins with all that is stored, and overwrites what others store.
Without --app and with Redis alone, counters that are stored when the first flush
comes are taken for a part of what that Lanyard has, where it has as many or more.

With --every, a scrape or a store that fails is a warning, and is tried again at the
next turn. --timeout also bounds each scrape.

` + layerHelp + `
Environment
  LANYARD_METRICS_URL
                    in place of --url
` + redisEnvironment + mongoEnvironment + `
Exit status
  0    done
  1    error: the counters, or the last of them, are not in every store
  2    the command was called in a wrong way
  3    done, but a counter of Lanyard's cannot be used
  130  interrupted, without --every

With --every, SIGINT, SIGTERM or SIGHUP ends what has done its work: with a report,
and with 0, 1 or 3. A second signal ends it at once, with 130.`

// metricsFlushFlags are the flags as they were typed.
type metricsFlushFlags struct {
	layerFlags
	url, instance string
	every         time.Duration
	dryRun        bool
}

func newMetricsFlush(p program) *cobra.Command {
	var f metricsFlushFlags
	cmd := &cobra.Command{
		Use:   "flush",
		Short: "Add what a running Lanyard has counted to the stored counters",
		Long:  metricsFlushLong,
		Example: `  lanyardctl metrics flush --url http://localhost:4001/metrics --dry-run
  lanyardctl metrics flush --url http://localhost:4001/metrics --every 60s`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags())
			return runMetricsFlush(cmd.Context(), o, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&f.url, "url", "", "`URL` of Lanyard's metrics, such as http://HOST:4001/metrics")
	flags.Var(durationOf(&f.every, 0), "every", "go on, and flush so often (once where it is not given)")
	flags.Lookup("every").DefValue = ""
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would be stored, and write nothing")
	f.bindStores(cmd)
	flags.StringVar(&f.instance, "instance", "", "`name` of that Lanyard in the notes (default host and port)")
	f.bindRun(cmd)
	return cmd
}

// metricsFlushOptions are checked flags and variables.
type metricsFlushOptions struct {
	layerOptions
	url      location.Location
	endpoint *scrape.Endpoint
	instance string
	every    time.Duration // zero for once
	dryRun   bool
	inDoubt  bool // whether the app is the one that is meant
}

// The bounds of --every and of --instance.
const (
	leastEvery      = time.Second
	longestInstance = 255
)

func (f metricsFlushFlags) options(p program, now time.Time, flags *pflag.FlagSet) (metricsFlushOptions, error) {
	o := metricsFlushOptions{every: f.every, dryRun: f.dryRun, instance: f.instance}
	switch {
	case flags.Changed("every") && f.every < leastEvery:
		return o, exit.WrongUse(fmt.Sprintf("--every: %s is too often", f.every), "give at least "+leastEvery.String()+", such as 60s")
	case flags.Changed("every") && f.dryRun:
		return o, exit.WrongUse("--every and --dry-run contradict each other", "--dry-run shows what a single flush would do; leave one of them out")
	case flags.Changed("instance") && !isInstance(f.instance):
		return o, exit.WrongUse(fmt.Sprintf("--instance is no name (it has 1 to %d characters that can be seen, and is no URL)", longestInstance), "such as --instance lanyard-1")
	}
	var err error
	if o.layerOptions, err = f.layerFlags.options(p, now, flags, invocation.MetricsFlush); err != nil {
		return o, err
	}
	if o.url, err = location.ResolveMetrics("--url", f.url, p.env); err != nil {
		return o, err
	}
	if o.endpoint, err = scrape.NewEndpoint(o.url.URI, o.target.Timeout); err != nil {
		return o, exit.WrongUse(o.url.From+": "+err.Error(), "such as http://localhost:4001/metrics")
	}
	if o.instance == "" {
		o.instance = o.endpoint.Instance()
	}
	if o.target.ReadOnly = o.dryRun; !o.dryRun {
		o.target.Writes = record.Kinds(0).With(record.Metrics)
	}
	o.inDoubt = !flags.Changed("app")
	o.warnings = append(o.warnings, o.url.PasswordWarning(location.MetricsVariable)...)
	return o, nil
}

// isInstance tells whether text can be shown wherever the name of an instance is.
func isInstance(text string) bool {
	return text != "" && len(text) <= longestInstance && !redact.MayHoldUser(text) &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar })
}

// runMetricsFlush flushes, unless the check of the options failed.
func runMetricsFlush(ctx context.Context, o metricsFlushOptions, s streams, checked error) error {
	r := &metricsFlushRun{layerRun: newLayerRun(o.layerOptions, s, o.url.URI), options: o}
	return r.do(ctx, checked, invocation.MetricsFlush, 0, func(layer *persistence.Layer) error {
		if o.every == 0 {
			return r.once(ctx, layer)
		}
		layer.Retry.Temporary = func(error) bool { return false } // the next turn is the next attempt
		r.log.Info(fmt.Sprintf("flushing %s every %s; stop with Ctrl-C", o.url.Shown(), o.every))
		return r.repeat(ctx, layer, pause)
	})
}

// metricsFlushRun is one run of the command.
type metricsFlushRun struct {
	*layerRun
	options metricsFlushOptions
	told    report.Flush

	failing string // why the last attempt failed; empty where it did not
	inARow  int64  // attempts that failed
}

// once flushes once, and reports.
func (r *metricsFlushRun) once(ctx context.Context, layer *persistence.Layer) error {
	err := r.flush(ctx, layer)
	r.warnOfRefused()
	if len(r.told.Stores) == 0 {
		return err
	}
	if err != nil {
		err = r.explain(err, "")
		return r.report(err, err)
	}
	return r.report(outcome(len(r.told.Refused) > 0), nil)
}

// flush scrapes and flushes. What was scraped is written also after an interruption.
func (r *metricsFlushRun) flush(ctx context.Context, layer *persistence.Layer) error {
	writing, done := retry.Drain(ctx, retry.DrainTime)
	defer done()
	flushed, err := layer.FlushCounters(writing, func(context.Context) (persistence.Scrape, error) {
		reading, err := r.options.endpoint.Scrape(ctx)
		if err != nil {
			if ctx.Err() == nil {
				err = exit.Failure(err, "does Lanyard run there, and does "+r.options.url.From+" end with /metrics, on port 4001 unless told otherwise?")
			}
			return persistence.Scrape{}, err
		}
		r.told.Refused, r.told.Missing = make(map[string]string), reading.Missing
		for _, refused := range reading.Refused {
			r.told.Refused[refused.Name] = refused.Detail
		}
		return persistence.Scrape{Instance: r.options.instance, Counters: reading.Counters, AppInDoubt: r.options.inDoubt}, nil
	}, r.options.dryRun)
	if errors.Is(err, persistence.ErrCountersUnreadable) {
		err = exit.Failure(err, "set it to a number or remove it (in Redis by HSET or HDEL, in MongoDB by $set or $unset): the fork does not start with it, either")
	}
	if err == nil {
		r.told.Scrapes++
	} else if ctx.Err() == nil {
		r.told.Failed++
	}
	for _, f := range flushed {
		r.add(f)
	}
	return err
}

// add keeps what became of the counters in a store since the first flush.
func (r *metricsFlushRun) add(f persistence.Flushed) {
	for _, known := range r.told.Stores {
		if known.Store != f.Store {
			continue
		}
		for name, before := range f.Before {
			if _, flushed := known.After[name]; !flushed {
				known.Before[name] = before
			}
		}
		maps.Copy(known.After, f.After)
		return
	}
	r.told.Stores = append(r.told.Stores, f)
}

// repeat flushes until ctx is cancelled, with what wait makes of the pause between, and reports.
func (r *metricsFlushRun) repeat(ctx context.Context, layer *persistence.Layer, wait func(context.Context, time.Duration) bool) error {
	for {
		began := time.Now()
		err := r.flush(ctx, layer)
		r.note(ctx, err)
		if !wait(ctx, untilNext(r.options.every, time.Since(began))) {
			break
		}
	}
	r.warnOfRefused()
	err := outcome(len(r.told.Refused) > 0)
	if r.failing != "" {
		return r.report(exit.Silent(exit.Failed), errors.New(r.failing))
	}
	return r.report(err, nil)
}

// note tells of an attempt where it is news: of one that failed in another way than the last one, or of one that worked again.
func (r *metricsFlushRun) note(ctx context.Context, err error) {
	switch {
	case err == nil:
		r.log.Debug("flushed", "url", r.options.url.Shown())
		if r.failing != "" {
			r.log.Info("flushed again, after " + ui.Plural(r.inARow, "attempt") + " that failed")
		}
		r.failing, r.inARow = "", 0
	case ctx.Err() != nil && errors.Is(err, record.ErrInterrupted): // before it came to anything
	default:
		r.inARow++
		if text := r.red.Err(err).Error(); text != r.failing {
			r.log.Warn(text + "; the next attempt is in about " + r.options.every.String())
			r.failing = text
		}
	}
}

// warnOfRefused tells which counters cannot be used.
func (r *metricsFlushRun) warnOfRefused() {
	for _, name := range record.AppCounters() {
		if detail := r.told.Refused[name]; detail != "" {
			r.warn(name + " is not flushed: " + detail)
		}
	}
}

// report prints what was flushed by a run that ended with err, which failed so.
func (r *metricsFlushRun) report(err, failed error) error {
	r.began = true
	told := r.told
	told.Layer = r.facts(failed)
	told.Exit = exit.CodeOf(err)
	told.URL, told.Instance, told.Every, told.DryRun = r.options.url.Shown(), r.options.instance, r.options.every, r.options.dryRun
	return r.tell(err, told)
}

// untilNext returns how long to wait after an attempt that took so long. Attempts do not pile up: one that took longer than
// the time between two is followed by a whole pause. The times are not exact, so that many processes do not meet.
func untilNext(every, took time.Duration) time.Duration {
	turn := every*9/10 + rand.N(every/5+1)
	if took < turn {
		return turn - took
	}
	return turn
}

// pause waits, and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	return retry.Sleep(ctx, d) == nil
}
