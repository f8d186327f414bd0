package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/process"
	"github.com/lanyardctl/lanyardctl/internal/redact"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/store/embedded"
)

// listenHint is the way out of a bad --listen.
const listenHint = "--listen 127.0.0.1:0 takes a free port"

func newEmbedded(p program) *cobra.Command {
	return newGroup("embedded", "Look into a folder that embedded:DIR wrote",
		"Commands for the folders that --mongo embedded:DIR writes.\n\n"+exitStatus,
		newEmbeddedServe(p))
}

func newEmbeddedServe(p program) *cobra.Command {
	opts, create, out := embedded.Options{}, false, outputFlags{output: outputText}
	cmd := &cobra.Command{
		Use:   "serve DIR",
		Short: "Serve an embedded folder to MongoDB clients",
		Long: `Serve the folder of an embedded database to MongoDB clients, until interrupted.

The server's URI is the only line on stdout. The server has no authentication, so
it listens on loopback addresses only, where every user of this machine can
connect; with --listen unix it listens on a socket that only you can reach. The
folder has to exist, unless --create makes it. No other lanyardctl can use the
folder while it is served.

` + exitStatus + `

A server that SIGINT, SIGTERM or SIGHUP stops has done its work: that is 0. A second
signal ends it at once, with 130, and so does one that comes before there is a URI.`,
		Example: `  lanyardctl embedded serve ./try
  lanyardctl embedded serve ./try --listen 127.0.0.1:27017
  lanyardctl embedded serve ./try --listen unix`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := out.check(); err != nil {
				return err
			}
			if opts.Dir = args[0]; redact.MayHoldUser(opts.Dir) {
				return exit.WrongUse("DIR is not a folder (it is not shown: it may hold a password)", "give the path of a folder; ./ before it makes certain that it is one")
			}
			if folder, typed := strings.CutPrefix(opts.Dir, "embedded:"); typed {
				return exit.WrongUse("DIR is not a URI", "give the folder alone: lanyardctl embedded serve "+invocation.Quote(folder))
			}
			r := newCommandRun(out, p.of(cmd), ui.NewSanitizer())
			err := func() error {
				if _, err := os.Stat(opts.Dir); errors.Is(err, fs.ErrNotExist) && !create {
					return exit.Failure(fmt.Errorf("the embedded folder %s does not exist", opts.Dir), "is the path right? --create makes the folder")
				}
				return r.serveEmbedded(cmd.Context(), embedded.Start, opts)
			}()
			// What ends the server is no interruption of its work.
			return r.ended(context.WithoutCancel(cmd.Context()), err)
		},
	}
	cmd.Flags().StringVar(&opts.Listen, "listen", "127.0.0.1:0", "loopback `address` (port 0: a free one) or unix")
	cmd.Flags().BoolVar(&create, "create", false, "make the folder where there is none")
	out.bindLines(cmd, false)
	return cmd
}

// serveEmbedded serves what start starts until ctx is cancelled.
func (r *commandRun) serveEmbedded(ctx context.Context, start func(context.Context, embedded.Options) (*embedded.Server, error), opts embedded.Options) error {
	if opts.Listen == "unix" {
		opts.Listen = ""
	}
	process.LeaveCollector()
	started := r.waiting(r.streams.places.AwaitedTarget(location.Location{URI: "embedded:" + opts.Dir}))
	server, err := start(ctx, opts)
	started()
	if err != nil {
		return explainListen(err, opts.Listen)
	}
	if ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), server.Close())
	}
	r.log.Info(fmt.Sprintf("serving %s; connect with any MongoDB client, stop with Ctrl-C", opts.Dir))
	if _, err := fmt.Fprintln(r.streams.out, server.URI()); err != nil {
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
