package main

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/mirror"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

const statusLong = `Show in what state Lanyard's stores are: what they promise together, each server,
how much they hold, what needs attention, whether a sync runs, when commands last
ran, and what to do next. Nothing is written. Large stores are looked at for about
3 s, and counted by estimates, which are marked; --exact takes as long as it needs.

` + layerHelp + `
` + environmentHelp + `
Exit status
  0    done, and all is well
  1    error; what could be looked at is shown
  2    the command was called in a wrong way
  4    something needs attention: each is shown with what mends it
  130  interrupted`

// surveyWithin is how long the looks that grow with the data may take.
const surveyWithin = 3 * time.Second

func newStatus(p program) *cobra.Command {
	var f layerFlags
	var exact bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show in what state Lanyard's stores are, and what needs attention",
		Long:  statusLong,
		Example: `  lanyardctl status --redis redis://localhost:6379 --mongo mongodb://localhost:27017
  lanyardctl status --exact --output json | jq .faults`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags(), invocation.Status)
			return runStatus(cmd.Context(), o, exact, s, err)
		},
	}
	f.bindStores(cmd)
	cmd.Flags().BoolVar(&exact, "exact", false, "look at everything, however long that takes")
	f.bindRun(cmd)
	return cmd
}

// runStatus surveys the stores and reports, unless the check of the options failed.
func runStatus(ctx context.Context, o layerOptions, exact bool, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	o.target.ReadOnly = true
	run := &statusRun{newLayerRun(o, s), exact}
	return run.run(ctx, checked, func() error { return run.do(ctx) }, run.early)
}

// statusRun is one run of the command.
type statusRun struct {
	*layerRun
	exact bool
}

func (r *statusRun) do(ctx context.Context) error {
	r.warn(r.warnings...)
	told := report.StatusReport{Exact: r.exact}
	var stores []location.Store
	var failed []error // by store
	for _, open := range []func(context.Context) (location.Store, error){r.openMongo, r.openRedis} {
		store, err := open(ctx)
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil:
			store = location.Unopened(store.Name, err)
		case store.Name == "":
			continue
		}
		defer func() { r.closed(store.Name, store.Close(ctx)) }()
		stores, failed = append(stores, store), append(failed, err)
	}
	told.Stores = make([]report.StoreStatus, len(stores))
	arrived := r.waiting("looking at the stores")
	var g sync.WaitGroup
	for i, store := range stores {
		g.Go(func() {
			if failed[i] == nil {
				told.Stores[i].Survey, failed[i] = r.survey(ctx, store, &told)
			}
		})
	}
	g.Wait()
	arrived()
	for i, store := range stores {
		r.describe(&told.Stores[i], store.Name, failed[i])
	}
	return r.report(told, errors.Join(failed...), failed)
}

// survey looks at a store, and at what it tells of commands that ran.
func (r *statusRun) survey(ctx context.Context, store location.Store, told *report.StatusReport) (record.Survey, error) {
	o := record.SurveyOptions{Within: surveyWithin, Now: r.now}
	if r.exact {
		o.Within = 0
	}
	found, err := store.Survey(ctx, o)
	if err != nil || store.Runs == nil {
		return found, err
	}
	if told.Runs, err = store.Runs.LastRuns(ctx); err != nil {
		return found, err
	}
	l, runs, err := store.Leases.Lease(ctx, mirror.SyncLease)
	if err != nil {
		return found, err
	}
	if runs {
		told.Sync = &report.RunningSync{Lease: l, Alive: lease.Alive(l.Owner, l.Heartbeat, lease.Self(), time.Now())}
	}
	told.Sweeps, err = sweep.ReadHistory(ctx, store.Journal, store.Leases, r.now)
	told.Told = err == nil
	return found, err
}

// describe says which store it is.
func (r *statusRun) describe(s *report.StoreStatus, name string, err error) {
	s.Name, s.Err = name, r.red.Err(err)
	if name == location.MongoStore {
		s.URI, s.Database = r.target.Shown(), r.target.ShownDatabase()
		return
	}
	s.URI = r.redis.Shown()
	if u, err := redact.Parse(r.redis.URI); err == nil && u.Scheme != "unix" {
		if number := strings.Trim(u.Path, "/"); number != "0" {
			s.Database = number
		}
	}
}

// report prints the report and returns the error that sets the exit code.
func (r *statusRun) report(told report.StatusReport, err error, failed []error) error {
	r.began = true
	told.Layer = r.facts(err)
	switch {
	case err != nil:
		for _, one := range failed {
			if one != nil {
				err = r.explain(one, "the rest is shown; fix what the error names, and run the same command again")
				break
			}
		}
	case len(told.Faults()) > 0:
		err = exit.Silent(exit.Differences)
	}
	told.Exit = exit.CodeOf(err)
	return r.tell(err, told)
}

// early returns the report of a run that ended before there was anything to show.
func (r *statusRun) early(ended *exit.Error) report.Report {
	told := report.StatusReport{Layer: r.facts(ended.Err), Exact: r.exact}
	told.Exit = ended.Code
	return told
}
