package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const kvDelLong = `Delete fields of a user in every store and layout, so that none comes back from
another one. A field that is not there is no error.

` + layerHelp + `
` + environmentHelp + `
` + kvWriteExit

func newKVDel(p program) *cobra.Command {
	var (
		f      kvWriteFlags
		fields []string
	)
	return userCommand{
		kind: record.KV, name: invocation.KVDel, writes: func() bool { return !f.dryRun },
		check: func(_ context.Context, _ layerOptions, _ streams, args []string) error {
			fields = args
			return nil
		},
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			return r.kvWrite(invocation.KVDel, user, f.dryRun, func() (persistence.KVResult, error) {
				return layer.ChangeKV(ctx, user, f.change(persistence.KVChange{Unset: fields}))
			})
		},
	}.bind(p, &cobra.Command{
		Use:     "del USER FIELD…",
		Short:   "Delete fields of a user",
		Long:    kvDelLong,
		Example: `  lanyardctl kv del 94490510688792576 location pronouns`,
		Args:    cobra.MinimumNArgs(2),
	}, f.bind)
}
