package main

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
)

const migrateLong = `Copy what Lanyard keeps in Redis to the MongoDB collections that its fork reads:
API keys, key-value pairs, last-seen times, monitoring dates and counters. Every
write is a merge, so the command can be run again at any time: it brings over
what has changed in Redis since, and never overwrites what Lanyard itself wrote
to MongoDB. A run that was interrupted goes on where it stopped. What cannot be
written goes to the rejects file, byte for byte, with the reason.

The kinds are api_keys, kv, last_seen, monitoring_since and metrics. The report
alone goes to standard output.

` + environmentHelp + `
Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, with rejects or undecided conflicts
  130  interrupted; the same command goes on`

const migrateExample = `  lanyardctl migrate redis-to-mongo --redis redis://localhost:6379 --mongo embedded:./try
  lanyardctl migrate redis-to-mongo --dry-run
  lanyardctl migrate redis-to-mongo --only kv,last_seen --user 94490510688792576
  lanyardctl migrate redis-to-mongo --output json --progress none | jq .kinds`

// migrateFlags are the flags as they were typed.
type migrateFlags struct {
	pairFlags
	dryRun, restart    bool
	batchSize, workers autoInt
	rejects            string
}

func newMigrate(p program) *cobra.Command {
	return newGroup("migrate", "Move Lanyard's data from one database to another",
		"Commands that move Lanyard's data from one database to another.\n\n"+exitStatus,
		newMigrateRedisToMongo(p))
}

func newMigrateRedisToMongo(p program) *cobra.Command {
	f := migrateFlags{batchSize: autoInt{max: 100000}, workers: autoInt{max: 64}}
	cmd := &cobra.Command{
		Use:     "redis-to-mongo",
		Short:   "Copy what Lanyard keeps in Redis to MongoDB",
		Long:    migrateLong,
		Example: migrateExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags())
			return runMigrate(cmd.Context(), o, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.bindPlaces(cmd, "copy", "write to")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing")
	f.bindRules(cmd, "`who` wins over others: source, target or fail")
	flags.Var(&f.batchSize, "batch-size", "`records` in a batch, 1 to 100000")
	flags.Var(&f.workers, "workers", "`batches` that are written side by side, 1 to 64")
	flags.BoolVar(&f.restart, "restart", false, "do not go on where an interrupted run stopped")
	flags.StringVar(&f.rejects, "rejects", "", "`file` for rejects (default lanyardctl-rejects-TIME.ndjson)")
	f.bindRun(cmd)
	return cmd
}

// migrateOptions are checked flags and variables.
type migrateOptions struct {
	pairOptions
	dryRun, restart    bool
	batchSize, workers autoInt
	rejectsFile        string
	rejectsGiven       bool // a person chose the file
}

// options checks everything that can be checked before a server is asked.
func (f migrateFlags) options(p program, now time.Time, flags *pflag.FlagSet) (migrateOptions, error) {
	o := migrateOptions{
		dryRun: f.dryRun, restart: f.restart, batchSize: f.batchSize, workers: f.workers,
		rejectsFile: cmp.Or(f.rejects, defaultRejectsFile(now)), rejectsGiven: f.rejects != "",
	}
	var err error
	if o.pairOptions, err = f.pairFlags.options(p, now, flags, invocation.Migrate); err != nil {
		return o, err
	}
	o.target.ReadOnly = f.dryRun
	if f.dryRun && f.restart {
		return o, exit.WrongUse("--dry-run and --restart contradict each other", "a dry run keeps no progress, so it always starts from the beginning")
	}
	return o, checkRejectsFile(o.rejectsFile)
}

// runMigrate migrates and reports, unless the check of the options failed. Every text that it prints or returns has
// passed the redactor.
func runMigrate(ctx context.Context, o migrateOptions, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	run := &migrationRun{pairRun: newPairRun(o.pairOptions, s), options: o}
	run.red.HideTyped(o.rejectsFile)
	if checked != nil {
		return run.ended(ctx, run.reportFailure(ctx, checked))
	}
	missing := location.MakeFolder
	if o.dryRun {
		missing = location.EmptyFolder
	}
	return run.ended(ctx, run.stoppable(ctx, func() error { return run.reportFailure(ctx, run.do(ctx, missing, run.migrate)) }))
}
