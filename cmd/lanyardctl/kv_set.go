package main

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/layout"
)

const kvSetLong = `Set fields of a user in every store. A single FIELD without a value takes it from
standard input, byte by byte. With --json each value is JSON, such as 7 or ["a"]: the
fork keeps such values, upstream texts alone.

` + layerHelp + `
` + environmentHelp + `
` + kvWriteExit

// kvSet is one call of the command.
type kvSet struct {
	kvWriteFlags
	json bool
	set  map[string]record.Value
}

func newKVSet(p program) *cobra.Command {
	c := new(kvSet)
	return userCommand{
		kind: record.KV, name: invocation.KVSet, writes: func() bool { return !c.dryRun }, check: c.read,
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			return r.kvWrite(invocation.KVSet, user, c.dryRun, func() (persistence.KVResult, error) {
				return layer.ChangeKV(ctx, user, c.change(persistence.KVChange{Set: c.set}))
			})
		},
	}.bind(p, &cobra.Command{
		Use:   "set USER FIELD=VALUE…",
		Short: "Set fields of a user",
		Long:  kvSetLong,
		Example: `  lanyardctl kv set 94490510688792576 location=London pronouns=they/them
  lanyardctl kv set 94490510688792576 bio < bio.txt
  lanyardctl kv set 94490510688792576 --json 'tags=["a", "b"]' --dry-run`,
		Args: cobra.MinimumNArgs(2),
	}, func(flags *pflag.FlagSet) {
		flags.BoolVar(&c.json, "json", false, "each value is JSON; for the fork alone")
		c.bind(flags)
	})
}

// read reads the pairs.
func (c *kvSet) read(ctx context.Context, o layerOptions, s streams, args []string) error {
	if c.json && o.app == record.Upstream {
		return exit.WrongUse("--json for upstream Lanyard, which keeps texts alone", "leave --json out, or write --app fork where it is the fork")
	}
	c.set = make(map[string]record.Value)
	if len(args) == 1 && !strings.Contains(args[0], "=") {
		text, err := readInput(ctx, s.in, "standard input")
		if err != nil {
			return err
		}
		v, err := c.value(string(text))
		if err != nil {
			return exit.Failure(fmt.Errorf("standard input: %w", err), jsonHint)
		}
		c.set[args[0]] = v
		return nil
	}
	for _, arg := range args {
		name, text, pair := strings.Cut(arg, "=")
		if !pair {
			return exit.WrongUse(typedText(arg)+" is no FIELD=VALUE", "write an equals sign between; a single field without one takes its value from standard input")
		}
		if _, twice := c.set[name]; twice {
			return wrongValue(name, "it is set twice", "set it once")
		}
		if !utf8.ValidString(text) {
			return wrongValue(name, "the value is not UTF-8", "Lanyard keeps text alone: encode other bytes, such as by base64")
		}
		v, err := c.value(text)
		if err != nil {
			return wrongValue(name, err.Error(), jsonHint)
		}
		c.set[name] = v
	}
	return nil
}

const jsonHint = `a text stands in quotation marks in JSON: --json 'field="text"'`

// value returns the value that a text stands for.
func (c *kvSet) value(text string) (record.Value, error) {
	if c.json {
		return layout.ParseJSON(text)
	}
	return text, nil
}
