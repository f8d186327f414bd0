package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
)

const migrateBackLong = `Fill a Redis from the MongoDB collections of Lanyard's fork, for upstream Lanyard,
for the fork, or for both: the way back of migrate redis-to-mongo. Every write is a
merge, so the command can be run again at any time: it brings over what has changed
in MongoDB since, and never overwrites what Lanyard itself wrote to Redis. A run that
was interrupted resumes where it stopped. What cannot be written goes to the rejects
file, byte for byte, with the reason.

--layout says for whom: the default is the layout that the target's other keys are
in. The fork's has no API keys, which it keeps in MongoDB alone; upstream's has no
monitoring dates and no counters, and takes text alone: values that are none are
rejected, or with --as-json written as JSON text.

What was written is known again by its digests, in lanyardctl:* keys of that Redis,
which Lanyard never reads. lanyardctl forget removes them.

` + backEnvironmentHelp + migrateExit

const migrateBackExample = `  lanyardctl migrate mongo-to-redis --mongo embedded:./try --redis redis://localhost:6379 --layout fork
  lanyardctl migrate mongo-to-redis --layout upstream --as-json --dry-run
  lanyardctl migrate mongo-to-redis --only kv,last_seen --user 94490510688792576`

func newMigrateMongoToRedis(p program) *cobra.Command {
	p.places = location.Back()
	var f migrateFlags
	f.direction = invocation.ToRedis
	cmd := &cobra.Command{
		Use:     "mongo-to-redis",
		Short:   "Fill a Redis from MongoDB: the way back",
		Long:    migrateBackLong,
		Example: migrateBackExample,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags(), invocation.MigrateBack)
			return runMigrate(cmd.Context(), o, s, err)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.bindBackPlaces(cmd, "write to")
	f.bindParts(cmd, "copy")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing to Redis")
	f.bindBackRules(cmd, "`who` wins over others: source, target or fail")
	f.bindBatches(cmd)
	f.bindFiles(cmd)
	f.bindBackRun(cmd)
	return cmd
}
