package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const apiKeyWhoisLong = `Tell whom an API key authenticates. The key is read from standard input, or asked for
on a terminal, which does not show it. It is no argument, since everybody on the
machine can read those.

` + layerHelp + `
` + environmentHelp + `
Exit status
  0    done
  1    error, or the key authenticates nobody
  2    the command was called in a wrong way
  130  interrupted`

func newAPIKeyWhois(p program) *cobra.Command {
	var f layerFlags
	cmd := &cobra.Command{
		Use:     "whois",
		Short:   "Tell whose an API key is",
		Long:    apiKeyWhoisLong,
		Example: `  lanyardctl apikey whois < key.txt`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return exit.WrongUse("apikey whois takes no argument, which everybody on this machine can read (it is not shown: it may be an API key)",
					"give the key on standard input, or call the command on a terminal, where it asks for it; an API key that was typed as an argument is best replaced: lanyardctl apikey rotate USER")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			s := p.of(cmd)
			o, err := f.options(s.program, time.Now(), cmd.Flags(), invocation.APIKeyWhois)
			if err == nil {
				err = o.configured()
			}
			if err != nil {
				return err
			}
			o.target.ReadOnly = true
			r := newLayerRun(o, s)
			ctx := cmd.Context()
			key, err := readKey(ctx, s)
			if err == nil {
				r.red.Hiding(key)
			}
			return r.do(ctx, err, invocation.APIKeyWhois, 0, func(layer *persistence.Layer) error { return r.whois(ctx, layer, key) })
		},
	}
	f.bindStores(cmd)
	f.bindRun(cmd)
	return cmd
}

// longestKey is how many bytes an API key may have. Lanyard's have 37 at most.
const longestKey = 4096

// readKey reads an API key.
func readKey(ctx context.Context, s streams) (string, error) {
	var text string
	if ui.IsTerminal(s.in) {
		var err error
		if text, err = ui.AskSecret(ctx, s.in, s.err, "API key: "); err != nil {
			return "", fmt.Errorf("read the API key: %w", err)
		}
	} else {
		input, err := readInput(ctx, s.in, "standard input")
		if err != nil {
			return "", err
		}
		text = string(input)
	}
	key := strings.TrimSpace(text)
	switch {
	case key == "":
		return "", exit.Failure(errors.New("there is no API key on standard input"), "write the key alone there, such as by < FILE")
	case len(key) > longestKey || strings.ContainsAny(key, "\r\n"):
		return "", exit.Failure(errors.New("what is on standard input is no API key (it is not shown)"), "write the key alone there, on one line")
	}
	return key, nil
}

// whois tells whom the key authenticates.
func (r *layerRun) whois(ctx context.Context, layer *persistence.Layer, key string) error {
	owners, err := layer.Owners(ctx, key)
	if err != nil {
		return err
	}
	told := report.KeyOwners{Layer: r.facts(nil), Key: key, Owners: owners}
	if !told.Known() {
		err = exit.Failure(fmt.Errorf("no user: the API key %s authenticates nobody for %s Lanyard", record.Fingerprint(key), r.app), "")
	}
	if err != nil && r.output != outputJSON && len(owners) == 0 {
		return err
	}
	r.began = true
	told.Exit, told.Err = exit.CodeOf(err), r.red.Err(err)
	return r.tell(err, told)
}
