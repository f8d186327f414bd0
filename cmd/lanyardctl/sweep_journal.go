package main

import (
	"context"
	"fmt"
	"regexp"
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
	"github.com/lanyardctl/lanyardctl/sweep"
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
		o, err := f.options(s.program, time.Now(), cmd.Flags(), calledWith(c.name, args))
		if err == nil && c.check != nil {
			err = c.check(cmd.Flags())
		}
		if err == nil && len(args) > 0 && !idForm.MatchString(args[0]) {
			err = exit.WrongUse("this is not the ID of a sweep (it is not shown: it may hold a password)", "see which sweeps there are: lanyardctl sweep list")
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
	if cmd.Args == nil {
		cmd.Args = cobra.ExactArgs(1)
		cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			// Who completes a word wants no error in its place.
			o, _ := f.options(p, time.Now(), cmd.Flags(), c.name)
			return sweepIDs(cmd.Context(), p, o, typed), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
		}
	}
	cmd.Flags().SortFlags = false
	f.bindTarget(cmd, "look into")
	own(cmd.Flags())
	f.bindTimeout(cmd)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
	return cmd
}

// timeToComplete is how long somebody who completes a word may wait.
const timeToComplete = 2 * time.Second

// sweepIDs returns the IDs of sweeps that begin with what was typed, the newest first, and what they are. Where the
// database cannot be asked there are none.
func sweepIDs(ctx context.Context, p program, o targetOptions, typed string) []string {
	ctx, cancel := context.WithTimeout(ctx, timeToComplete)
	defer cancel()
	o.target.Timeout, o.target.RetryFor = min(o.target.Timeout, timeToComplete), timeToComplete
	o.target.ReadOnly, o.target.Missing = true, location.RefuseFolder
	target, err := p.places.OpenTarget(ctx, o.target)
	if err != nil {
		return nil
	}
	defer target.Close(ctx)
	history, err := sweep.ReadHistory(ctx, target.Journal(), target.Leases(), o.now)
	if err != nil {
		return nil
	}
	var list []string
	for _, s := range history.Sweeps {
		if idForm.MatchString(s.ID) && strings.HasPrefix(s.ID, typed) {
			what := fmt.Sprintf("%s, %s, %s", history.State(s), ui.Plural(s.Changes, "change"), s.StartedAt.UTC().Format("2006-01-02 15:04 MST"))
			list = append(list, cobra.CompletionWithDesc(s.ID, ui.ShownWord(what)))
		}
	}
	return list
}

// sweepIDHelp says how a sweep is named.
const sweepIDHelp = `ID is the ID of a sweep, the beginning of it where no other begins so, or last for
the newest.`

// idForm matches what may be the ID of a sweep.
var idForm = regexp.MustCompile(`^[0-9A-Za-z-]+$`)

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

// findSweep returns what the journal knows, and the sweep that was typed. It says which one that is where it was not
// typed as a whole, and names it in what is typed next.
func (r *targetRun) findSweep(ctx context.Context, journal record.Journal, leases record.Leases, command, typed string) (
	sweep.History, record.Sweep, error,
) {
	history, err := sweep.ReadHistory(ctx, journal, leases, r.on.now)
	if err != nil {
		return history, record.Sweep{}, err
	}
	s, err := history.Find(typed)
	if err == nil && s.ID != typed {
		r.log.Info(typed + " is the sweep " + ui.ShownWord(s.ID))
		r.on.again.Name = command + " " + invocation.Quote(s.ID)
	}
	return history, s, err
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
