package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const kvLong = `Read and write the key-value pairs of one user in all stores, with the limits and the
messages of Lanyard's API. A write is made under the condition that nobody changed
what it rests on, so that nobody's change is lost. A running Lanyard is told, and
shows it at once.

` + kvReadExit

// kvReadExit ends the help of the commands that read pairs.
const kvReadExit = `Exit status
  0    done
  1    error
  2    the command was called in a wrong way
  3    done, but a value is there that Lanyard cannot read
  130  interrupted`

// kvWriteExit ends the help of the commands that write pairs.
const kvWriteExit = `Exit status
  0    done
  1    error, or Lanyard's API would refuse it
  2    the command was called in a wrong way
  130  interrupted; the same command again makes all stores equal`

func newKV(p program) *cobra.Command {
	return newGroup("kv", "Read and write the key-value pairs of a user", kvLong,
		newKVList(p), newKVGet(p), newKVSet(p), newKVDel(p), newKVImport(p), newKVExport(p), newKVUnify(p))
}

// userCommand is a command about one user, whom its first argument names.
type userCommand struct {
	name   string      // "kv list"
	kind   record.Kind // that it is about
	writes func() bool

	// check looks at the other arguments, and at the command's own flags, before a server is asked. It may be nil.
	check func(ctx context.Context, o layerOptions, s streams, args []string) error

	// work does what the command is for. It sets began once it reports by itself.
	work func(ctx context.Context, r *layerRun, layer *persistence.Layer, user record.UserID) error
}

// reads is userCommand.writes of a command that only reads.
func reads() bool { return false }

// bind makes cmd the command. Own adds its own flags.
func (c userCommand) bind(p program, cmd *cobra.Command, own func(flags *pflag.FlagSet)) *cobra.Command {
	var f layerFlags
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s := p.of(cmd)
		user, err := parseUser(args[0])
		if err != nil {
			return err
		}
		o, err := f.options(s.program, time.Now(), cmd.Flags(), calledWith(c.name, args))
		if err != nil {
			return err
		}
		if err := o.configured(); err != nil {
			return err
		}
		if o.target.ReadOnly = !c.writes(); !o.target.ReadOnly {
			o.target.Writes = record.Kinds(0).With(c.kind)
		}
		r := newLayerRun(o, s)
		ctx := cmd.Context()
		if c.check != nil {
			err = c.check(ctx, o, s, args[1:])
		}
		return r.do(ctx, err, c.name, user, func(layer *persistence.Layer) error { return c.work(ctx, r, layer, user) })
	}
	if cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	f.bindStores(cmd)
	if own != nil {
		own(cmd.Flags())
	}
	if !c.writes() {
		f.bindFallback(cmd)
	}
	f.bindRun(cmd)
	return cmd
}

// kvWriteFlags are those of every command that writes pairs.
type kvWriteFlags struct{ dryRun, noPublish bool }

func (f *kvWriteFlags) bind(flags *pflag.FlagSet) {
	flags.BoolVar(&f.dryRun, "dry-run", false, "show before and after, and write nothing")
	flags.BoolVar(&f.noPublish, "no-publish", false, "tell no running Lanyard, which goes on with the old pairs")
}

// change returns the change with what the flags say of it.
func (f kvWriteFlags) change(c persistence.KVChange) persistence.KVChange {
	c.DryRun, c.Publish = f.dryRun, !f.noPublish
	return c
}

// kvWrite does a change of a user's pairs, and reports.
func (r *layerRun) kvWrite(command string, user record.UserID, dryRun bool, write func() (persistence.KVResult, error)) error {
	result, err := write()
	if err == nil && result.PublishErr != nil {
		r.warn("written, but no running Lanyard was told: " + r.explainedText(result.PublishErr))
	}
	if err != nil {
		err = r.explain(err, "")
		if partial := (*persistence.PartialError)(nil); r.output != outputJSON || !errors.As(err, &partial) {
			return err
		}
	}
	r.began = true
	told := report.KVWrite{Layer: r.facts(err), Command: command, User: user, KVResult: result, DryRun: dryRun}
	told.Exit = exit.CodeOf(err)
	told.PublishErr = r.red.Err(result.PublishErr)
	return r.tell(err, told)
}

// explainedText returns the text of an error with its next step, as a warning has it.
func (r *layerRun) explainedText(err error) string {
	text := err.Error()
	if known, ok := errors.AsType[*exit.Error](r.explain(err, "")); ok && known.Hint != "" {
		text += " (" + known.Hint + ")"
	}
	return text
}

// wrongValue says what is wrong with a field's value that was typed.
func wrongValue(field, what, hint string) error {
	return exit.WrongUse(fmt.Sprintf("field %s: %s", typedText(field), what), hint)
}
