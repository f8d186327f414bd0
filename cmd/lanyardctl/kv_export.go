package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const kvExportLong = `Print the key-value pairs of a user, as Lanyard reads them, as one JSON object. kv
import makes the same pairs of it again.

` + layerHelp + `
` + environmentHelp + `
Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, but a value is there that JSON cannot hold, or Lanyard cannot read
  130  interrupted`

func newKVExport(p program) *cobra.Command {
	return userCommand{
		kind: record.KV, name: invocation.KVExport, writes: reads,
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			pairs, err := layer.KV(ctx, user, persistence.Question{})
			if err != nil {
				return err
			}
			faulty := r.warnOfFaults(user, pairs)
			r.began = true
			lossy, err := report.WriteKVExport(r.streams.out, pairs.Fields)
			if err != nil {
				return fmt.Errorf("print the pairs: %w", err)
			}
			for _, name := range lossy {
				r.warn(fmt.Sprintf("user %s: JSON has no counterpart of what the field %s holds: kv import makes something else of it", user, ui.QuotedName(name)))
			}
			return outcome(faulty || len(lossy) > 0)
		},
	}.bind(p, &cobra.Command{
		Use:     "export USER",
		Short:   "Print a user's key-value pairs as a JSON object",
		Long:    kvExportLong,
		Example: `  lanyardctl kv export 94490510688792576 > kv.json`,
		Args:    cobra.ExactArgs(1),
	}, nil)
}
