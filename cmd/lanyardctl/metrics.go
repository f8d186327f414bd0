package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/persistence"
)

const metricsLong = `Show the counters that Lanyard keeps in its stores, and add to them what a running
Lanyard has counted.

Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, but a counter cannot be read or used
  130  interrupted`

func newMetrics(p program) *cobra.Command {
	return newGroup("metrics", "Show the stored counters, and flush those of a running Lanyard",
		metricsLong,
		newMetricsShow(p), newMetricsFlush(p))
}

const metricsShowLong = `Show the counters that are stored, of each store beside the others. Those that
differ are marked; "metrics flush" makes those equal that a Lanyard still counts.

` + layerHelp + `
` + environmentHelp + `
Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, but a counter is there that Lanyard cannot read
  130  interrupted`

func newMetricsShow(p program) *cobra.Command {
	var f layerFlags
	cmd := &cobra.Command{
		Use:     "show",
		Short:   "Show the stored counters of each store",
		Long:    metricsShowLong,
		Example: "  lanyardctl metrics show --redis redis://localhost:6379 --mongo mongodb://localhost:27017",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags(), invocation.MetricsShow)
			o.target.ReadOnly = true
			return runMetricsShow(cmd.Context(), o, s, err)
		},
	}
	f.bindStores(cmd)
	f.bindFallback(cmd)
	f.bindRun(cmd)
	return cmd
}

// runMetricsShow prints the counters, unless the check of the options failed.
func runMetricsShow(ctx context.Context, o layerOptions, s streams, checked error) error {
	r := newLayerRun(o, s)
	return r.do(ctx, checked, invocation.MetricsShow, 0, func(layer *persistence.Layer) error {
		counters, err := layer.Counters(ctx, persistence.Question{Everything: true})
		if err != nil {
			return err
		}
		r.began = true
		err = outcome(len(counters.Faults()) > 0)
		told := report.Metrics{Layer: r.facts(nil), Answer: counters}
		for _, s := range layer.Stores {
			told.Stores = append(told.Stores, s.Name)
		}
		told.Exit = exit.CodeOf(err)
		return r.tell(err, told)
	})
}
