package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/migrate"
)

const migrateTablesLong = `Copy tables of DynamoDB to MongoDB, one collection a table: the eight tables of the
bot (GrantBirki/errbot), or any other by --table. Every write is a merge, so the
command can be run again at any time: it brings over what has changed in DynamoDB
since, and never overwrites what somebody else wrote to MongoDB. A run that was
interrupted resumes where it stopped. What cannot be written goes to the rejects
file, with the reason.

An item becomes a document whose _id is the text of its key, and whose fields are
its attributes. Numbers stay exact: whole ones of 64 bits, else Decimal128; never a
double. What MongoDB has no type for, such as sets, has its type kept beside, so
that the way back is exact (docs/dynamodb.md). An item is written whole or not at
all.

` + tablesEnvironmentHelp + migrateExit

const migrateTablesExample = `  lanyardctl migrate dynamodb-to-mongo --dynamodb dynamodb: --mongo embedded:./try
  lanyardctl migrate dynamodb-to-mongo --dynamodb http://localhost:8000 --tables remember,loud
  lanyardctl migrate dynamodb-to-mongo --dynamodb dynamodb://eu-west-1 --table orders=orders --max-rcu 50`

const migrateTablesBackLong = `Fill tables of DynamoDB from the MongoDB collections that they were copied to: the
way back of migrate dynamodb-to-mongo. The tables have to be there (lanyardctl
dynamodb create-tables makes those of the bot). Every write is a merge, and takes
place only if the item still is what was read: what the bot itself wrote to DynamoDB
is never overwritten. A run that was interrupted resumes where it stopped.

What was written is known again by its digests, in a table of lanyardctl's own that
is named lanyardctl, which the bot never reads. lanyardctl dynamodb forget removes
it.

` + tablesEnvironmentHelp + migrateExit

const migrateTablesBackExample = `  lanyardctl migrate mongo-to-dynamodb --mongo embedded:./try --dynamodb http://localhost:8000
  lanyardctl migrate mongo-to-dynamodb --dynamodb dynamodb: --tables remember --dry-run
  lanyardctl migrate mongo-to-dynamodb --dynamodb dynamodb: --max-wcu 20`

func newMigrateDynamoDBToMongo(p program) *cobra.Command {
	p.places = location.Tables()
	return newMigrateTables(p, invocation.TablesToMongo, &cobra.Command{
		Use: "dynamodb-to-mongo", Short: "Copy tables of DynamoDB to MongoDB", Long: migrateTablesLong, Example: migrateTablesExample,
	})
}

func newMigrateMongoToDynamoDB(p program) *cobra.Command {
	p.places = location.TablesBack()
	return newMigrateTables(p, invocation.TablesBack, &cobra.Command{
		Use: "mongo-to-dynamodb", Short: "Fill tables of DynamoDB from MongoDB: the way back", Long: migrateTablesBackLong, Example: migrateTablesBackExample,
	})
}

// newMigrateTables makes cmd the command that copies tables in the direction.
func newMigrateTables(p program, direction invocation.Direction, cmd *cobra.Command) *cobra.Command {
	var f migrateFlags
	f.direction = direction
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s := p.of(cmd)
		o, err := f.options(s.program, time.Now(), cmd.Flags(), direction.Migrate())
		return runMigrate(cmd.Context(), o, s, err)
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	f.bindTablePlaces(cmd, "write to")
	f.bindTables(cmd, "copy")
	flags.BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and write nothing to "+direction.Target())
	f.bindBackRules(cmd, "`who` wins over others: source, target or fail")
	f.bindBatches(cmd)
	if direction.IntoMongo() {
		f.memory = sizeOf(migrate.DefaultMemory, mostMemory)
		flags.Var(&f.memory, "memory", "`size` of what is known of the target's documents, about")
	}
	f.bindFiles(cmd)
	f.bindTableRun(cmd, !direction.IntoMongo())
	return cmd
}
