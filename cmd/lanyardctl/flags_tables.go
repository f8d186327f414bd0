package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// The parts of the help about variables where there is a DynamoDB.
const (
	dynamoEnvironment = `  AWS_ENDPOINT_URL_DYNAMODB, LOCALSTACK
                    the DynamoDB to use where --dynamodb names none
  AWS_REGION        the region, else "us-west-2"; AWS_PROFILE, AWS_ACCESS_KEY_ID
                    and all others from which AWS's own tools take credentials
`
	tablesEnvironmentHelp = "Environment\n" + dynamoEnvironment + mongoEnvironment
)

// tableFlags are the flags, as they were typed, about a DynamoDB and its tables.
type tableFlags struct {
	dynamodb       string
	tables, table  []string
	consistent     bool
	maxRCU, maxWCU autoInt
}

// bindDynamo adds the flag that says which DynamoDB is meant. What is what is done there: "write to".
func (f *tableFlags) bindDynamo(cmd *cobra.Command, what string) {
	cmd.Flags().StringVar(&f.dynamodb, "dynamodb", "", "`URI` to "+what+": dynamodb:, dynamodb://REGION or http://HOST:PORT")
}

// bindTables adds the flags that say which tables are meant. Does is what is done with them: "copy".
func (f *tableFlags) bindTables(cmd *cobra.Command, does string) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.tables, "tables", nil, "`names` of the bot's tables to "+does+", with commas between (default all)")
	completeTables(cmd)
	flags.StringArrayVar(&f.table, "table", nil, does+" another table: `NAME=COLLECTION`; can be repeated")
}

func completeTables(cmd *cobra.Command) {
	completeValues(cmd, "tables", ui.Names(record.BotTables.List())...)
}

// bindCapacity adds the flags about what a DynamoDB is asked for. Writes tells that it is written to, too.
func (f *tableFlags) bindCapacity(cmd *cobra.Command, writes bool) {
	flags := cmd.Flags()
	if !writes { // before a write, lanyardctl reads consistently
		flags.BoolVar(&f.consistent, "consistent", false, "see all that was written before, for twice the read capacity")
	}
	f.maxRCU = autoInt{max: mostRate, none: "unbounded"}
	flags.Var(&f.maxRCU, "max-rcu", "read capacity `units` a second to take at most")
	if writes {
		f.maxWCU = autoInt{max: mostRate, none: "unbounded"}
		flags.Var(&f.maxWCU, "max-wcu", "write capacity `units` a second to take at most")
	}
}

// settings returns how a DynamoDB is reached.
func (f tableFlags) settings() location.DynamoSettings {
	return location.DynamoSettings{Consistent: f.consistent, MaxRCU: f.maxRCU.or(0), MaxWCU: f.maxWCU.or(0)}
}

// kinds returns the tables that are meant: those of the bot that are named, and others; all of the bot where none is named.
func (f tableFlags) kinds() (record.Kinds, error) {
	var kinds record.Kinds
	if len(f.tables) > 0 || len(f.table) == 0 {
		kinds = record.BotTables
	}
	if len(f.tables) > 0 {
		var err error
		if kinds, err = record.ParseKinds(f.tables, record.BotTables); err != nil {
			text := strings.NewReplacer("kinds", "tables", "kind", "table").Replace(err.Error())
			return 0, exit.WrongUse("--tables: "+text, "another table is copied by --table NAME=COLLECTION")
		}
	}
	for _, text := range slices.Sorted(slices.Values(f.table)) { // in whichever order they are named, a run resumes
		kind, err := otherTable(text)
		if err != nil {
			return 0, err
		}
		kinds = kinds.With(kind)
	}
	return kinds, distinctCollections(kinds)
}

var (
	tableForm      = regexp.MustCompile(`^[A-Za-z0-9_.-]{3,255}$`) // what DynamoDB takes
	collectionForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,119}$`)
)

// otherTable returns the kind of NAME=COLLECTION.
func otherTable(text string) (record.Kind, error) {
	const hint = "the form is --table NAME=COLLECTION, such as --table orders=orders"
	name, collection, found := strings.Cut(text, "=")
	if !found {
		return 0, exit.WrongUse(fmt.Sprintf("--table: %q names no collection", text), hint)
	}
	if _, err := record.ParseKinds([]string{name}, record.BotTables); err == nil && collection == name {
		return 0, exit.WrongUse(fmt.Sprintf("--table: %s is one of the bot's tables", name),
			fmt.Sprintf("give --tables %s; where it is another table of that name, give another collection", name))
	}
	lanyards, isLanyards := record.ParseCollection(collection)
	switch {
	case !tableForm.MatchString(name):
		return 0, exit.WrongUse(fmt.Sprintf("--table: %q is no name of a table", name), "3 to 255 letters, digits, _, - and points; "+hint)
	case name == location.OwnTable:
		return 0, exit.WrongUse("--table: the table "+name+" is lanyardctl's own", "name another")
	case !collectionForm.MatchString(collection) || strings.HasPrefix(collection, "system."):
		return 0, exit.WrongUse(fmt.Sprintf("--table: %q is no name of a collection", collection), "letters, digits, _, - and points, and no digit first; "+hint)
	case isLanyards:
		return 0, exit.WrongUse(fmt.Sprintf("--table: the collection %s is Lanyard's", lanyards), "name another")
	case strings.HasPrefix(collection, record.WrittenField):
		return 0, exit.WrongUse(fmt.Sprintf("--table: the collection %s is lanyardctl's own", collection), "name another")
	}
	kind, err := record.DefineTable(name, collection)
	if err != nil {
		return 0, exit.WrongUse("--table: "+err.Error(), "copy the others by another call")
	}
	return kind, nil
}

// distinctCollections fails where two tables would be copied into one collection, or one into two.
func distinctCollections(kinds record.Kinds) error {
	tables, collections := make(map[string]bool), make(map[string]bool)
	for _, kind := range kinds.List() {
		table, _ := kind.Table()
		if tables[table.Name] || collections[table.Collection] {
			return exit.WrongUse(fmt.Sprintf("--table: the table %s or the collection %s is named twice", table.Name, table.Collection), "name each once")
		}
		tables[table.Name], collections[table.Collection] = true, true
	}
	return nil
}

// tablesText says which tables go where, as the progress of an interrupted run depends on it.
func tablesText(kinds record.Kinds) string {
	var list []string
	for _, kind := range kinds.List() {
		table, _ := kind.Table()
		list = append(list, table.Name+"="+table.Collection)
	}
	slices.Sort(list)
	return strings.Join(list, ",")
}

// bindTablePlaces adds the flags that say where to read, and where to. Target is what is done there: "write to".
func (f *pairFlags) bindTablePlaces(cmd *cobra.Command, target string) {
	if f.direction == invocation.TablesBack {
		f.bindTarget(cmd, "read from")
		f.bindDynamo(cmd, target)
		return
	}
	f.bindDynamo(cmd, "read from")
	f.bindTarget(cmd, target)
}

// bindTableRun adds the flags that say how to run. Writes tells that the DynamoDB is written to.
func (f *pairFlags) bindTableRun(cmd *cobra.Command, writes bool) {
	f.bindTimeout(cmd)
	cmd.Flags().BoolVar(&f.allowEmpty, "allow-empty", false, "a source without any item is no error")
	f.bindCapacity(cmd, writes)
	f.bindMongoTLS(cmd)
	f.outputFlags.bind(cmd)
}

// dynamoSource returns the DynamoDB that is read.
func (f pairFlags) dynamoSource(p program, target targetOptions) (o location.SourceOptions, err error) {
	o = location.SourceOptions{DynamoSettings: f.settings(), Timeout: target.target.Timeout, RetryFor: target.target.RetryFor}
	o.Location, err = p.places.ResolveSource(f.dynamodb, p.env)
	return o, err
}

// dynamoTarget returns the DynamoDB that is the target, and what does not depend on the source.
func (f pairFlags) dynamoTarget(p program, now time.Time, flags *pflag.FlagSet, command string) (targetOptions, error) {
	o, err := f.common(now, flags, command)
	if err != nil {
		return o, err
	}
	o.target.DynamoSettings = f.settings()
	o.target.Location, err = p.places.ResolveTarget(f.dynamodb, p.env)
	return o, err
}
