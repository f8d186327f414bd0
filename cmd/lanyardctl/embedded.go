package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"

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
	opts, create := embedded.Options{}, false
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "Serve an embedded folder to MongoDB clients",
		Long: `Serve the folder of an embedded database to MongoDB clients, until interrupted.

The server's URI is the only line on stdout. The server has no authentication, so
it listens on loopback addresses only, where every user of this machine can
connect; with --listen unix it listens on a socket that only you can reach. The
folder has to exist, unless --create makes it. It is locked meanwhile.

` + exitStatus + `

A server that SIGINT, SIGTERM or SIGHUP stops has done its work: that is 0. A second
signal ends it at once, with 130.`,
		Example: `  lanyardctl embedded serve ./try
  lanyardctl embedded serve ./try --listen 127.0.0.1:27017
  lanyardctl embedded serve ./try --listen unix`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if opts.Dir = args[0]; redact.MayHoldUser(opts.Dir) {
				return exit.WrongUse("DIR is not a folder (it is not shown: it may hold a password)", "give the path of a folder; ./ before it makes certain that it is one")
			}
			if _, err := os.Stat(opts.Dir); errors.Is(err, fs.ErrNotExist) && !create {
				return exit.Failure(fmt.Errorf("the embedded folder %s does not exist", opts.Dir), "is the path right? --create makes the folder")
			}
			return serveEmbedded(cmd.Context(), opts, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&opts.Listen, "listen", "127.0.0.1:0", "loopback `address` (port 0: a free one) or unix")
	cmd.Flags().BoolVar(&create, "create", false, "make the folder where there is none")
	return cmd
}

// serveEmbedded serves until ctx is cancelled.
func serveEmbedded(ctx context.Context, opts embedded.Options, stdout, stderr io.Writer) error {
	if opts.Listen == "unix" {
		opts.Listen = ""
	}
	server, err := embedded.Start(ctx, opts)
	if err != nil {
		return explainListen(err, opts.Listen)
	}
	fmt.Fprintf(stderr, "serving %s; connect with any MongoDB client, stop with Ctrl-C\n", ui.PrintableLine(opts.Dir))
	if _, err := fmt.Fprintln(stdout, server.URI()); err != nil {
		return errors.Join(fmt.Errorf("print the URI: %w", err), server.Close())
	}
	<-ctx.Done()
	return server.Close()
}

// explainListen gives an error of embedded.Start its exit code and the next step, where it is about --listen.
func explainListen(err error, listen string) error {
	_, badAddress := errors.AsType[*net.AddrError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	_, failed := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, embedded.ErrNotLoopback):
		return exit.WrongUse(err.Error(), listenHint)
	case badAddress, unknown:
		return exit.WrongUse("--listen: "+typedText(listen)+" is no address of this machine with a port", "such as --listen 127.0.0.1:27017; "+listenHint)
	case errors.Is(err, syscall.EADDRINUSE):
		return exit.Failure(fmt.Errorf("another program listens on %s already", listen), listenHint)
	case errors.Is(err, syscall.EACCES):
		return exit.Failure(fmt.Errorf("the system does not let you listen on %s", listen), listenHint)
	case failed:
		return exit.Failure(err, listenHint)
	}
	return location.ExplainEmbedded(err)
}
