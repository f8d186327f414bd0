package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/store/embedded"
)

// listenHint is the way out of a bad --listen.
const listenHint = "--listen 127.0.0.1:0 takes a free port"

func newEmbedded() *cobra.Command {
	return newGroup("embedded", "Look into a folder that embedded:DIR wrote",
		"Commands for the folders that --mongo embedded:DIR writes.\n\n"+exitStatus,
		newEmbeddedServe())
}

func newEmbeddedServe() *cobra.Command {
	opts := embedded.Options{}
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "Serve an embedded folder to MongoDB clients",
		Long: `Serve the folder of an embedded database to MongoDB clients, until interrupted.

The server's URI is the only line on stdout. The server has no authentication, so
it listens on loopback addresses only, where every user of this machine can
connect; with --listen unix it listens on a socket that only you can reach. A
missing folder is made. The folder is locked meanwhile.

` + exitStatus + `

A server that SIGINT, SIGTERM or SIGHUP stops has done its work: that is 0. A second
signal ends it at once, with 130.`,
		Example: `  lanyardctl embedded serve ./try
  lanyardctl embedded serve ./try --listen 127.0.0.1:27017
  lanyardctl embedded serve ./try --listen unix`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.Dir = args[0]; redact.MayHoldUser(opts.Dir) {
				return exit.WrongUse("DIR is no folder (it is not shown: it may hold a password)", "give the path of a folder; ./ before it makes certain that it is one")
			}
			return serveEmbedded(cmd.Context(), opts, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&opts.Listen, "listen", "127.0.0.1:0", "loopback `address` (port 0: a free one) or unix")
	return cmd
}

// serveEmbedded serves until ctx is cancelled.
func serveEmbedded(ctx context.Context, opts embedded.Options, stdout, stderr io.Writer) error {
	if opts.Listen == "unix" {
		opts.Listen = ""
	}
	server, err := embedded.Start(ctx, opts)
	if err != nil {
		return explainListen(err)
	}
	fmt.Fprintf(stderr, "serving %s; connect with any MongoDB client, stop with Ctrl-C\n", ui.PrintableLine(opts.Dir))
	if _, err := fmt.Fprintln(stdout, server.URI()); err != nil {
		return errors.Join(fmt.Errorf("print the URI: %w", err), server.Close())
	}
	<-ctx.Done()
	return server.Close()
}

// explainListen gives an error of embedded.Start its exit code and the next step, where it is about --listen.
func explainListen(err error) error {
	if _, ok := errors.AsType[*net.AddrError](err); ok || errors.Is(err, embedded.ErrNotLoopback) {
		return exit.WrongUse(err.Error(), listenHint)
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return exit.Failure(err, listenHint)
	}
	return location.ExplainEmbedded(err)
}
