package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
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
	failed func(f runFacts, id string) report
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
	return r.ended(ctx, r.stoppable(ctx, func() error {
		err := c.open(ctx, r, id)
		if err == nil || r.began {
			return err
		}
		said := r.settled(ctx, location.Explained(err, "", explainSweep(err, r.on.again), r.explainTarget(err)))
		facts := r.facts(said.Err)
		facts.Exit = said.Code
		return r.reportEarly(said, c.failed(facts, id))
	}))
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

// known is what the journal knows of the sweeps, and what goes on.
type known struct {
	sweeps []record.Sweep // the newest first
	lease  record.Lease   // of a process that lives; zero where none does
}

func readJournal(ctx context.Context, journal record.Journal, now time.Time) (known, error) {
	var k known
	var err error
	if k.sweeps, err = journal.Sweeps(ctx); err != nil {
		return k, err
	}
	lease, held, err := journal.Lease(ctx)
	if err == nil && held && lease.Owner.Alive(lease.Heartbeat, record.NewOwner(), now) {
		k.lease = lease
	}
	return k, err
}

// readSweep returns what the journal knows, and the sweep with the ID.
func readSweep(ctx context.Context, journal record.Journal, now time.Time, id string) (known, record.Sweep, error) {
	k, err := readJournal(ctx, journal, now)
	if err != nil {
		return k, record.Sweep{}, err
	}
	i := slices.IndexFunc(k.sweeps, func(s record.Sweep) bool { return s.ID == id })
	if i < 0 {
		return k, record.Sweep{}, fmt.Errorf("%w: %s", sweep.ErrUnknown, ui.ShownName(id))
	}
	return k, k.sweeps[i], nil
}

// States that a person is shown beside those of [record.SweepState].
const (
	stateKilled       = "killed"        // running once, in a process that lives no more
	statePartlyUndone = "partly-undone" // taken back in part, because of an interruption or of documents that were changed
)

// state returns what the sweep is at.
func (k known) state(s record.Sweep) string {
	alive := k.lease.Owner != record.Owner{}
	switch {
	case s.State == record.SweepRunning && (!alive || k.lease.Owner != s.Owner):
		return stateKilled
	case s.State == record.SweepUndoing && (!alive || !s.UndoneAt.IsZero()):
		return statePartlyUndone
	}
	return string(s.State)
}
