package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const apiKeyLong = `Look at the API keys of a user, replace or revoke them, and find out whose one is.
API keys are shown as fingerprints. Who has one can change what Lanyard shows of its
user; the fork looks them up in MongoDB alone, upstream in Redis.

` + exitStatus

func newAPIKey(p program) *cobra.Command {
	return newGroup("apikey", "Show, rotate and revoke API keys", apiKeyLong, newAPIKeyShow(p), newAPIKeyRotate(p), newAPIKeyRevoke(p), newAPIKeyWhois(p))
}

const apiKeyShowLong = `Show what all stores hold of a user's API keys, and which authenticates the user.
--all also looks at every key of the stores: an api_key: entry of the user may stand
in Redis that nothing of the user's names. --reveal shows the keys as they are, on a
terminal alone.

` + layerHelp + `
` + environmentHelp + `
` + exitStatus

func newAPIKeyShow(p program) *cobra.Command {
	var reveal, all bool
	return userCommand{
		kind: record.APIKeys, name: invocation.APIKeyShow, writes: reads,
		check: func(_ context.Context, _ layerOptions, s streams, _ []string) error {
			if _, terminal := ui.TerminalWidth(s.out); reveal && !terminal {
				return exit.WrongUse("--reveal shows API keys on a terminal alone, and standard output is none", "leave --reveal out, or do not redirect the output")
			}
			return nil
		},
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			state, err := r.findKeys(ctx, layer, user, all)
			if err != nil {
				return err
			}
			r.began = true
			return r.print(report.KeyShow{Layer: r.facts(nil), KeyState: state, Reveal: reveal, Everything: all})
		},
	}.bind(p, &cobra.Command{
		Use:     "show USER",
		Short:   "Show a user's API keys, masked",
		Long:    apiKeyShowLong,
		Example: `  lanyardctl apikey show 94490510688792576 --all`,
		Args:    cobra.ExactArgs(1),
	}, func(flags *pflag.FlagSet) {
		flags.BoolVar(&reveal, "reveal", false, "show the keys as they are; on a terminal alone")
		flags.BoolVar(&all, "all", false, "look at every key of the stores")
	})
}

// findKeys reads what the stores hold of a user's API keys.
func (r *layerRun) findKeys(ctx context.Context, layer *persistence.Layer, user record.UserID, all bool) (persistence.KeyState, error) {
	if all {
		defer r.waiting("looking at every API key")()
	}
	return layer.APIKey(ctx, user, persistence.Question{Everything: all})
}

// apiKeyWriteExit ends the help of the commands that change API keys.
const apiKeyWriteExit = `Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  130  interrupted; the same command again makes it whole`

const apiKeyRotateLong = `Give a user a new API key, and revoke all others everywhere. The new key is printed
alone on standard output, once the old ones are dead; all else goes to standard error.
Where the command fails or is killed, no two keys authenticate the user, and the same
command again makes it whole.

` + layerHelp + `
` + environmentHelp + `
` + apiKeyWriteExit

func newAPIKeyRotate(p program) *cobra.Command {
	dryRun := false
	return userCommand{
		kind: record.APIKeys, name: invocation.APIKeyRotate, writes: func() bool { return !dryRun },
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			return r.rotate(ctx, layer, user, dryRun)
		},
	}.bind(p, &cobra.Command{
		Use:   "rotate USER",
		Short: "Give a user a new API key, and revoke the others",
		Long:  apiKeyRotateLong,
		Example: `  lanyardctl apikey rotate 94490510688792576 --dry-run
  lanyardctl apikey rotate 94490510688792576 > key.txt`,
		Args: cobra.ExactArgs(1),
	}, func(flags *pflag.FlagSet) { bindKeyDryRun(flags, &dryRun) })
}

func bindKeyDryRun(flags *pflag.FlagSet, dryRun *bool) {
	flags.BoolVar(dryRun, "dry-run", false, "report what would be done, and write nothing")
}

// rotate gives the user a new API key, and prints it.
func (r *layerRun) rotate(ctx context.Context, layer *persistence.Layer, user record.UserID, dryRun bool) error {
	key := persistence.NewAPIKey()
	arrived := r.waiting("looking at every API key")
	change, err := layer.RotateAPIKey(ctx, user, key, dryRun)
	arrived()
	if err != nil {
		return err
	}
	r.began = true
	told := report.KeyWrite{Layer: r.facts(nil), Command: invocation.APIKeyRotate, KeyChange: change, DryRun: dryRun}
	if dryRun {
		return r.print(told)
	}
	told.Key = key
	if r.output == outputJSON {
		return r.print(told)
	}
	if !r.quiet {
		// What is told beside the key is no reason to keep it back.
		_, _ = io.WriteString(r.term, told.Text(r.look(r.streams.err)))
	}
	if _, err := io.WriteString(r.streams.out, key+"\n"); err != nil {
		return exit.Failure(fmt.Errorf("print the new API key, which is valid: %w", err), "the same command again gives the user another one")
	}
	return nil
}

const apiKeyRevokeLong = `Revoke all API keys of a user everywhere. The user can ask Lanyard for a new one.

` + layerHelp + `
` + environmentHelp + `
` + apiKeyWriteExit

func newAPIKeyRevoke(p program) *cobra.Command {
	dryRun := false
	return userCommand{
		kind: record.APIKeys, name: invocation.APIKeyRevoke, writes: func() bool { return !dryRun },
		work: func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error {
			arrived := r.waiting("looking at every API key")
			change, err := layer.RevokeAPIKeys(ctx, user, dryRun)
			arrived()
			if err != nil {
				return err
			}
			r.began = true
			return r.print(report.KeyWrite{Layer: r.facts(nil), Command: invocation.APIKeyRevoke, KeyChange: change, DryRun: dryRun})
		},
	}.bind(p, &cobra.Command{
		Use:     "revoke USER",
		Short:   "Revoke all API keys of a user",
		Long:    apiKeyRevokeLong,
		Example: `  lanyardctl apikey revoke 94490510688792576 --dry-run`,
		Args:    cobra.ExactArgs(1),
	}, func(flags *pflag.FlagSet) { bindKeyDryRun(flags, &dryRun) })
}
