package main

import (
	"context"
	"regexp"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// journalCommand is a command about the sweeps that a target's journal knows.
type journalCommand struct {
	name string // "sweep list"

	// check looks at the flags that the command has of its own; may be nil.
	check func(flags *pflag.FlagSet) error

	// writes tells whether the command writes to the target.
	writes func() bool

	// work does what the command is for. It sets began once it reports by itself.
	work func(ctx context.Context, r *targetRun, target location.Target, id string) error

	// failed returns the report of a run that ended before there was anything to report.
	failed func(f report.Run, id string) report.Report
}

// bind makes cmd the command.
func (c journalCommand) bind(p program, cmd *cobra.Command, own func(flags *pflag.FlagSet)) *cobra.Command {
	var f targetFlags
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s := p.of(cmd)
		o, err := f.options(s.program, time.Now(), cmd.Flags(), c.called(args))
		if err == nil && c.check != nil {
			err = c.check(cmd.Flags())
		}
		if err == nil && len(args) > 0 && !idForm.MatchString(args[0]) {
			err = exit.WrongUse("this is no sweep's ID (it is not shown: it may hold a password)", "see which sweeps there are: lanyardctl sweep list")
		}
		if err != nil {
			return err
		}
		o.target.ReadOnly = !c.writes()
		id := ""
		if len(args) > 0 {
			id = args[0]
		}
		return c.run(cmd.Context(), newTargetRun(o, s, ui.NewSanitizer(o.target.URI)), id)
	}
	cmd.Flags().SortFlags = false
	f.bindTarget(cmd, "look into")
	own(cmd.Flags())
	f.bindTimeout(cmd)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
	return cmd
}

// idForm matches what may be the ID of a sweep.
var idForm = regexp.MustCompile(`^[0-9A-Za-z-]+$`)

// called returns how the command was called, with its argument.
func (c journalCommand) called(args []string) string {
	name := c.name
	for _, arg := range args {
		name += " " + invocation.Quote(arg)
	}
	return name
}

func (c journalCommand) run(ctx context.Context, r *targetRun, id string) error {
	work := func() error {
		err := c.open(ctx, r, id)
		if err == nil || r.began {
			return err
		}
		return location.Explained(err, "", explainSweep(err, r.on.again), r.explainTarget(err))
	}
	return r.run(ctx, nil, work, func(ended *exit.Error) report.Report {
		facts := r.facts(ended.Err)
		facts.Exit = ended.Code
		return c.failed(facts, id)
	})
}

// open opens the target and does the work.
func (c journalCommand) open(ctx context.Context, r *targetRun, id string) error {
	r.warn(r.on.warnings...)
	target, closeTarget, err := r.open(ctx, location.RefuseFolder)
	if err != nil {
		return err
	}
	defer closeTarget()
	return c.work(ctx, r, target, id)
}
