package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

const kvImportLong = `Set all fields of a user that a JSON object holds, such as one that kv export wrote. -
stands for standard input. Other fields of the user stay, unless --replace removes
them.

` + layerHelp + `
` + environmentHelp + `
` + kvWriteExit

// kvImport is one call of the command.
type kvImport struct {
	kvWriteFlags
	replace bool
	set     map[string]record.Value
}

func newKVImport(p program) *cobra.Command {
	c := new(kvImport)
	return userCommand{
		kind: record.KV, name: invocation.KVImport, writes: func() bool { return !c.dryRun }, check: c.read,
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			return r.kvWrite(invocation.KVImport, user, c.dryRun, func() (persistence.KVResult, error) {
				return layer.ChangeKV(ctx, user, c.change(persistence.KVChange{Set: c.set, Replace: c.replace}))
			})
		},
	}.bind(p, &cobra.Command{
		Use:   "import USER FILE|-",
		Short: "Set fields of a user from a JSON object",
		Long:  kvImportLong,
		Example: `  lanyardctl kv import 94490510688792576 kv.json --dry-run
  lanyardctl kv export 94490510688792576 | lanyardctl kv import 94490510688792577 - --replace`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return []string{"json"}, cobra.ShellCompDirectiveFilterFileExt
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}, func(flags *pflag.FlagSet) {
		flags.BoolVar(&c.replace, "replace", false, "remove the user's other fields")
		c.bind(flags)
	})
}

// read reads the object.
func (c *kvImport) read(ctx context.Context, _ layerOptions, s streams, args []string) (err error) {
	in, what := s.in, "standard input"
	if args[0] != "-" {
		if err := checkFileName(args[0]); err != nil {
			return err
		}
		file, err := os.Open(args[0])
		if err != nil {
			return exit.Failure(fmt.Errorf("read the pairs: %w", err), "name a file with a JSON object, or - for standard input")
		}
		defer file.Close()
		in, what = io.Reader(file), ui.PrintableLine(args[0])
	}
	text, err := readInput(ctx, in, what)
	if err != nil {
		return err
	}
	v, err := layout.ParseJSON(string(text))
	object, ok := v.(record.Object)
	if err == nil && !ok {
		err = errors.New("no object")
	}
	if err != nil {
		return exit.Failure(fmt.Errorf("%s: %w", what, err), `it is to hold one JSON object, such as {"location": "London"}`)
	}
	c.set = object
	return nil
}
