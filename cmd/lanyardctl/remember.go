package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

const rememberHelp = `SERVER is the id of a Discord server, or the number that the bot has for one of
Slack. The table is that of the bot in DynamoDB, or the collection that it was copied
to in MongoDB: name one of them.

` + tablesEnvironmentHelp + `
Exit status
  0    done
  1    error, or nothing is remembered under the key
  2    the command was called in a wrong way
  130  interrupted`

// rememberCommand is one of the commands about what the bot remembers.
type rememberCommand struct {
	name string // as it is called: "remember get"
	work func(r *rememberRun, ctx context.Context, args []string) error
}

// rememberRun is one run of such a command.
type rememberRun struct {
	*targetRun
	items  record.Items
	server record.Value
}

func newRemember(p program) *cobra.Command {
	return newGroup("remember", "Read and write what the bot remembers, one thing at a time",
		"Commands for what the bot remembers: after \".remember meeting is tomorrow\" there\n"+
			"is \"tomorrow\" under \"meeting\".\n\n"+exitStatus,
		rememberCommand{invocation.RememberGet, (*rememberRun).get}.bind(p, &cobra.Command{
			Use: "get SERVER KEY", Short: "Print what the bot remembers under a key", Args: cobra.ExactArgs(2),
			Long:    "Print what the bot remembers under a key: its bytes, with no line break added. On a\nterminal what it would obey is escaped.\n\n" + rememberHelp,
			Example: "  lanyardctl remember get 81384788765712384 meeting --mongo embedded:./try",
		}),
		rememberCommand{invocation.RememberSet, (*rememberRun).set}.bind(p, &cobra.Command{
			Use: "set SERVER KEY VALUE", Short: "Have the bot remember a value under a key", Args: cobra.ExactArgs(3),
			Long:    "Have the bot remember a value under a key, as .remember does, in place of what is\nthere. Where somebody changes it at the same moment, nothing is written.\n\n" + rememberHelp,
			Example: "  lanyardctl remember set 81384788765712384 meeting tomorrow --dynamodb http://localhost:8000",
		}),
		rememberCommand{invocation.RememberList, (*rememberRun).list}.bind(p, &cobra.Command{
			Use: "list SERVER", Short: "List all that the bot remembers for a server", Args: cobra.ExactArgs(1),
			Long:    "List all that the bot remembers for a server, in the order of the keys. Long values\nare cut, but not in JSON.\n\n" + rememberHelp,
			Example: "  lanyardctl remember list 81384788765712384 --dynamodb dynamodb: --output json",
		}),
		rememberCommand{invocation.RememberDelete, (*rememberRun).delete}.bind(p, &cobra.Command{
			Use: "delete SERVER KEY", Short: "Have the bot forget what is under a key", Args: cobra.ExactArgs(2),
			Long:    "Have the bot forget what is under a key. Where somebody changes it at the same\nmoment, nothing is deleted.\n\n" + rememberHelp,
			Example: "  lanyardctl remember delete 81384788765712384 meeting --dynamodb http://localhost:8000",
		}))
}

// bind makes cmd the command.
func (c rememberCommand) bind(p program, cmd *cobra.Command) *cobra.Command {
	p.places = location.Items()
	var f targetFlags
	var dynamodb string
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s := p.of(cmd)
		server, err := serverOf(args[0])
		if err != nil {
			return err
		}
		o, err := f.common(time.Now(), cmd.Flags(), c.name)
		if err != nil {
			return err
		}
		if o.target.Location, err = location.ResolveItems(p.places, dynamodb, f.mongo, p.env); err != nil {
			return err
		}
		if !location.IsDynamo(o.target.Location) {
			err = f.resolve(&o, s.program)
		}
		o.target.Kinds = record.Kinds(0).With(record.Remember)
		r := &rememberRun{targetRun: newTargetRun(o, s, ui.NewSanitizer(o.target.URI)), server: server}
		return r.do(cmd.Context(), err, func(ctx context.Context) error { return c.work(r, ctx, args[1:]) })
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&dynamodb, "dynamodb", "", "`URI` of the DynamoDB: dynamodb:, dynamodb://REGION or http://HOST:PORT")
	f.bindTarget(cmd, "use instead")
	f.bindTimeout(cmd)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
	return cmd
}

// mostDigits is how many digits a number of DynamoDB's has.
const mostDigits = 38

// serverOf returns the partition key of a server's items.
func serverOf(text string) (record.Value, error) {
	if digits := strings.Trim(text, "0123456789") == "" && !strings.HasPrefix(text, "0"); digits && len(text) <= mostDigits {
		if id, ok := record.ParseDecimal(text); ok {
			return id, nil
		}
	}
	return nil, exit.WrongUse(fmt.Sprintf("%q is no id of a server", text), "give the digits alone, such as 81384788765712384")
}

// do opens the store while work is done, unless the check of the options failed.
func (r *rememberRun) do(ctx context.Context, checked error, work func(context.Context) error) error {
	if exit.CodeOf(checked) == exit.Usage {
		return checked
	}
	whole := func() error {
		r.warn(r.on.warnings...)
		arrived := r.waiting(r.streams.places.AwaitedTarget(r.on.target.Location))
		items, closeItems, err := r.streams.places.OpenItems(ctx, r.on.target)
		arrived()
		if err != nil {
			return err
		}
		defer func() { r.closed("the store", closeItems(ctx)) }()
		r.items = items
		return r.explainTarget(work(ctx))
	}
	return r.run(ctx, checked, whole, func(ended *exit.Error) report.Report {
		told := report.Remembered{Run: r.facts(ended.Err), Command: r.on.again.Name, Server: r.server}
		told.Exit = ended.Code
		return told
	})
}

// key returns the key of what the server remembers.
func (r *rememberRun) key(name string) map[string]record.Value {
	table, _ := record.Remember.Table()
	return map[string]record.Value{table.Keys[0].Name: r.server, table.Keys[1].Name: name}
}

// item returns what the server remembers under the key. It fails where that is nothing.
func (r *rememberRun) item(ctx context.Context, name string) (*record.Record, error) {
	item, err := r.items.Item(ctx, record.Remember, r.key(name))
	if err == nil && item == nil {
		err = exit.Failure(fmt.Errorf("nothing is remembered under %s for server %s", ui.QuotedName(name), record.JSON(r.server)),
			"see what is: "+r.on.again.As(invocation.RememberList+" "+string(record.JSON(r.server)), "dynamodb", "mongo", "database").String())
	}
	return item, err
}

func (r *rememberRun) get(ctx context.Context, args []string) error {
	item, err := r.item(ctx, args[0])
	if err != nil {
		return err
	}
	value, there := item.Fields[record.RememberedField]
	if !there {
		return exit.Failure(fmt.Errorf("the item under %s has no %s", ui.QuotedName(args[0]), record.RememberedField), "remember set writes one")
	}
	r.began = true
	text, isText := value.Value.(string)
	if _, terminal := ui.TerminalWidth(r.streams.out); r.shows.output == outputJSON || terminal || !isText {
		return r.tell(nil, r.remembered(*item))
	}
	if _, err := io.WriteString(r.streams.out, text); err != nil {
		return fmt.Errorf("print the value: %w", err)
	}
	return nil
}

func (r *rememberRun) list(ctx context.Context, _ []string) error {
	var all []record.Record
	err := r.items.Partition(ctx, record.Remember, r.server, func(some []record.Record) error {
		all = append(all, some...)
		return nil
	})
	if err != nil {
		return err
	}
	r.began = true
	return r.tell(nil, r.remembered(all...))
}

// errChanged tells that somebody else was faster.
var errChanged = errors.New("somebody changed it at the same moment: nothing was written")

func (r *rememberRun) set(ctx context.Context, args []string) error {
	before, err := r.items.Item(ctx, record.Remember, r.key(args[0]))
	if err != nil {
		return err
	}
	after := record.Record{Kind: record.Remember, Fields: make(map[string]record.Field)}
	if before != nil {
		maps.Copy(after.Fields, before.Fields)
	}
	for name, v := range r.key(args[0]) {
		after.Fields[name] = record.Field{Value: v}
	}
	after.Fields[record.RememberedField] = record.Field{Value: args[1]}
	if after.Name, err = record.ItemName(tableKeys(record.Remember), after.Fields); err != nil {
		return err
	}
	if err := r.replace(ctx, before, &after); err != nil {
		return err
	}
	return r.tell(nil, r.changed(before, &after))
}

func (r *rememberRun) delete(ctx context.Context, args []string) error {
	before, err := r.item(ctx, args[0])
	if err != nil {
		return err
	}
	if err := r.replace(ctx, before, nil); err != nil {
		return err
	}
	return r.tell(nil, r.changed(before, nil))
}

func (r *rememberRun) replace(ctx context.Context, before, after *record.Record) error {
	done, err := r.items.Replace(ctx, before, after)
	if err == nil && !done {
		err = exit.Failure(errChanged, "run the same command again")
	}
	r.began = err == nil
	return err
}

func (r *rememberRun) remembered(items ...record.Record) report.Remembered {
	return report.Remembered{Run: r.facts(nil), Command: r.on.again.Name, Server: r.server, Items: items}
}

func (r *rememberRun) changed(before, after *record.Record) report.Remembered {
	told := r.remembered()
	told.Before = before
	if after != nil {
		told.Items = append(told.Items, *after)
	}
	return told
}

// tableKeys returns the key of a table of the bot.
func tableKeys(kind record.Kind) []record.Attribute {
	table, _ := kind.Table()
	return table.Keys
}
