package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const kvGetLong = `Print the value of one of a user's key-value pairs, as Lanyard reads it: a text as its
bytes, with no line break added, and anything else as JSON. On a terminal what it
would obey is escaped.

` + layerHelp + `
` + environmentHelp + `
Exit status
  0    done
  1    error, or the user has no such field
  2    the command was called in a wrong way
  130  interrupted`

func newKVGet(p program) *cobra.Command {
	field := ""
	return userCommand{
		kind: record.KV, name: invocation.KVGet, writes: reads,
		check: func(_ context.Context, _ layerOptions, _ streams, args []string) error {
			field = args[0]
			return nil
		},
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			return r.kvGet(ctx, layer, user, field)
		},
	}.bind(p, &cobra.Command{
		Use:     "get USER FIELD",
		Short:   "Print the value of a user's field",
		Long:    kvGetLong,
		Example: `  lanyardctl kv get 94490510688792576 location`,
		Args:    cobra.ExactArgs(2),
	}, nil)
}

// kvGet prints the value of a field.
func (r *layerRun) kvGet(ctx context.Context, layer *persistence.Layer, user record.UserID, field string) error {
	pairs, err := layer.KV(ctx, user, persistence.Question{})
	if err != nil {
		return err
	}
	v, there := pairs.Fields[field]
	if !there {
		if why := pairs.From.Unreadable[field]; why != "" {
			return exit.Failure(fmt.Errorf("the field %s of user %s cannot be read: %s", ui.QuotedName(field), user, why), "")
		}
		return exit.Failure(fmt.Errorf("user %s has no field %s", user, ui.QuotedName(field)),
			"see which there are: "+r.again.As(invocation.KVList+" "+user.String(), invocation.LayerFlags...).String())
	}
	r.began = true
	told := report.KVField{Layer: r.facts(nil), User: user, Field: field, Value: v, From: pairs.From}
	if _, terminal := ui.TerminalWidth(r.streams.out); r.output == outputJSON || terminal {
		return r.print(told)
	}
	if _, err := r.streams.out.Write(told.Raw()); err != nil {
		return fmt.Errorf("print the value: %w", err)
	}
	return nil
}
