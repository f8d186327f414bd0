package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const kvUnifyLong = `Make the key-value pairs of a user the same in every store and layout: those that
Lanyard reads, and those that only another place has. Where places differ in a field,
what Lanyard reads stays. Look at get --explain and at --dry-run before: a field that
was deleted in one place alone comes back from another.

` + layerHelp + `
` + environmentHelp + `
` + kvWriteExit

func newKVUnify(p program) *cobra.Command {
	var f kvWriteFlags
	return userCommand{
		name: invocation.KVUnify, writes: func() bool { return !f.dryRun },
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			return r.kvWrite(invocation.KVUnify, user, f.dryRun, func() (persistence.KVResult, error) {
				return layer.UnifyKV(ctx, user, f.change(persistence.KVChange{}))
			})
		},
	}.bind(p, &cobra.Command{
		Use:     "unify USER",
		Short:   "Make a user's pairs the same in every store and layout",
		Long:    kvUnifyLong,
		Example: `  lanyardctl kv unify 94490510688792576 --dry-run`,
		Args:    cobra.ExactArgs(1),
	}, f.bind)
}
