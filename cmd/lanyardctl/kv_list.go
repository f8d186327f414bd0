package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const kvListLong = `List the key-value pairs of a user, as Lanyard reads them. Long values are cut, but
not in JSON; kv get prints one as it is.

` + layerHelp + `
` + environmentHelp + `
` + kvReadExit

func newKVList(p program) *cobra.Command {
	return userCommand{
		kind: record.KV, name: invocation.KVList, writes: reads,
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			pairs, err := layer.KV(ctx, user, persistence.Question{})
			if err != nil {
				return err
			}
			err = outcome(r.warnOfFaults(user, pairs))
			r.began = true
			list := report.KVList{Layer: r.facts(nil), User: user, Answer: pairs}
			list.Exit = exit.CodeOf(err)
			return r.tell(err, list)
		},
	}.bind(p, &cobra.Command{
		Use:     "list USER",
		Short:   "List a user's key-value pairs",
		Long:    kvListLong,
		Example: `  lanyardctl kv list 94490510688792576 --output json`,
		Args:    cobra.ExactArgs(1),
	}, nil)
}
