package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

const createTablesLong = `Make the eight tables of the bot (GrantBirki/errbot) in a DynamoDB, as its Terraform
files do: paid for by the request, with point-in-time recovery and server-side
encryption where the server has them. A table that is there stays as it is, but that
its recovery is switched on. The command can be run again at any time: recovery is
switched on once a table is ready, which --wait waits for.

` + "Environment\n" + dynamoEnvironment + plainEnvironment + `
` + exitStatus

const createTablesExample = `  lanyardctl dynamodb create-tables --dynamodb http://localhost:8000
  lanyardctl dynamodb create-tables --dynamodb dynamodb://us-west-2 --tables remember --dry-run`

const forgetTablesLong = `Remove what lanyardctl keeps of its own in a DynamoDB: the table named lanyardctl that
migrate mongo-to-dynamodb makes, with the digests by which it knows again what it
wrote, and the progress of its runs. The bot's tables stay as they are.

Do it once the tables are the bot's for good. The price: the next migration takes what
lanyardctl wrote there for somebody else's. Where MongoDB holds another value by then
that is a conflict, and no update. While a migration runs it is refused.

` + "Environment\n" + dynamoEnvironment + plainEnvironment + `
` + exitStatus

const forgetTablesExample = `  lanyardctl dynamodb forget --dynamodb http://localhost:8000 --dry-run`

func newDynamoDB(p program) *cobra.Command {
	p.places = location.TablesBack()
	return newGroup("dynamodb", "Make the bot's tables, and remove lanyardctl's own",
		"Commands for the tables of a DynamoDB themselves.\n\n"+exitStatus, newCreateTables(p), newForgetTables(p))
}

// dynamoFlags are the flags, as they were typed, of a command for the tables themselves.
type dynamoFlags struct {
	targetFlags
	tableFlags
	dryRun, wait bool
}

// bind adds the flags that all such commands have. Does is what is not done in a dry run: "make".
func (f *dynamoFlags) bind(cmd *cobra.Command, does string) {
	f.bindDynamo(cmd, "use")
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "report what would be done, and "+does+" nothing")
}

// options checks everything that can be checked before a server is asked.
func (f *dynamoFlags) options(p program, cmd *cobra.Command, command string) (targetOptions, error) {
	o, err := f.common(time.Now(), cmd.Flags(), command)
	if err != nil {
		return o, err
	}
	if o.target.Location, err = p.places.ResolveTarget(f.dynamodb, p.env); err != nil {
		return o, err
	}
	o.target.Kinds, err = f.kinds()
	return o, err
}

func newCreateTables(p program) *cobra.Command {
	var f dynamoFlags
	cmd := &cobra.Command{
		Use: "create-tables", Short: "Make the bot's tables", Long: createTablesLong, Example: createTablesExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, cmd, invocation.CreateTables)
			return runCreateTables(cmd.Context(), o, location.CreateOptions{DryRun: f.dryRun, NoWait: !f.wait}, s, err)
		},
	}
	f.bind(cmd, "make")
	cmd.Flags().StringSliceVar(&f.tables, "tables", nil, "`names` of the tables to make, with commas between (default all)")
	completeTables(cmd)
	cmd.Flags().BoolVar(&f.wait, "wait", false, "wait until tables are ready, and then their backups: 5 minutes each at most")
	f.bindTimeout(cmd)
	f.outputFlags.bind(cmd)
	return cmd
}

// runCreateTables makes the tables and reports, unless the check of the options failed.
func runCreateTables(ctx context.Context, o targetOptions, c location.CreateOptions, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	r := newTargetRun(o, s, ui.NewSanitizer(o.target.URI))
	told := report.CreatedTables{DryRun: c.DryRun}
	work := func() error {
		r.warn(o.warnings...)
		o.target.Notify = func(message string) { r.log.Warn(message) }
		arrived := r.waiting(s.places.AwaitedTarget(o.target.Location))
		made, err := location.CreateTables(ctx, o.target, c)
		arrived()
		for _, t := range made {
			told.Tables = append(told.Tables, report.CreatedTable{
				Table: t.Table, Existed: t.Existed, Billing: t.Billing, Recovery: string(t.Recovery), Encryption: string(t.Encryption),
			})
		}
		if err != nil {
			return err
		}
		r.began = true
		told.Run = r.facts(nil)
		return r.tell(nil, told)
	}
	return r.run(ctx, checked, work, func(ended *exit.Error) report.Report {
		told.Run = r.facts(ended.Err)
		told.Exit = ended.Code
		return told
	})
}

func newForgetTables(p program) *cobra.Command {
	var f dynamoFlags
	cmd := &cobra.Command{
		Use: "forget", Short: "Remove lanyardctl's own table", Long: forgetTablesLong, Example: forgetTablesExample, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, cmd, invocation.ForgetTables)
			o.target.Kinds = 0 // none of the bot's tables is looked at
			return runForgetTables(cmd.Context(), o, f.dryRun, s, err)
		},
	}
	f.bind(cmd, "remove")
	f.bindTimeout(cmd)
	f.outputFlags.bind(cmd)
	return cmd
}

// runForgetTables removes lanyardctl's own table and reports, unless the check of the options failed.
func runForgetTables(ctx context.Context, o targetOptions, dryRun bool, s streams, checked error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	r := newTargetRun(o, s, ui.NewSanitizer(o.target.URI))
	work := func() error {
		r.warn(o.warnings...)
		o.target.Notify = func(message string) { r.log.Warn(message) }
		store, err := location.OpenDynamo(ctx, o.target)
		if err != nil {
			return err
		}
		defer func() { r.closed("the DynamoDB", store.Close()) }()
		if !dryRun {
			unfinished, err := store.Checkpoints().All(ctx)
			if err := r.refuseBesideRuns(unfinished, err, "this DynamoDB"); err != nil {
				return err
			}
		}
		rows, err := store.Forget(ctx, dryRun)
		if err != nil {
			return location.Explained(err, "run the same command again", r.explainTarget(err))
		}
		r.began = true
		return r.tell(nil, report.ForgottenTable{Run: r.facts(nil), DryRun: dryRun, Table: location.OwnTable, Rows: rows})
	}
	return r.run(ctx, checked, work, func(ended *exit.Error) report.Report {
		told := report.ForgottenTable{Run: r.facts(ended.Err), DryRun: dryRun, Table: location.OwnTable}
		told.Exit = ended.Code
		return told
	})
}
