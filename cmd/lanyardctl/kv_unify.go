package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/report"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

const kvUnifyLong = `Make the key-value pairs of users the same in every store and layout: those that
Lanyard reads, and those that only another place has. Where places differ in a field,
what Lanyard reads stays. Look at get --explain and at --dry-run before: a field that
was deleted in one place alone comes back from another. Of several users there is a
report each, and an error ends the command.

` + layerHelp + `
` + environmentHelp + `
` + kvWriteExit

// kvUnify is one call of the command.
type kvUnify struct {
	kvWriteFlags
	others []record.UserID // after the first one
}

func newKVUnify(p program) *cobra.Command {
	c := new(kvUnify)
	return userCommand{
		kind: record.KV, name: invocation.KVUnify, writes: func() bool { return !c.dryRun }, check: c.read, work: c.all,
	}.bind(p, &cobra.Command{
		Use:   "unify USER…",
		Short: "Make users' pairs the same in every store and layout",
		Long:  kvUnifyLong,
		Example: `  lanyardctl kv unify 94490510688792576 --dry-run
  lanyardctl kv unify 94490510688792576 94490510688792577`,
		Args: cobra.MinimumNArgs(1),
	}, c.bind)
}

// read reads the users after the first one.
func (c *kvUnify) read(_ context.Context, _ layerOptions, _ streams, args []string) error {
	for _, arg := range args {
		user, err := parseUser(arg)
		if err != nil {
			return err
		}
		if !slices.Contains(c.others, user) {
			c.others = append(c.others, user)
		}
	}
	return nil
}

// all makes the pairs of all users the same.
func (c *kvUnify) all(ctx context.Context, r *layerRun, layer *persistence.Layer, first record.UserID) error {
	others := slices.DeleteFunc(c.others, func(user record.UserID) bool { return user == first })
	for i, user := range append([]record.UserID{first}, others...) {
		if i > 0 && r.output != outputJSON {
			fmt.Fprintln(r.streams.out)
		}
		r.began = false
		err := r.kvWrite(invocation.KVUnify, user, c.dryRun, func() (persistence.KVResult, error) {
			return layer.UnifyKV(ctx, user, c.change(persistence.KVChange{}))
		})
		if err == nil {
			continue
		}
		err = r.explain(err, "")
		if i > 0 && !r.began && r.output == outputJSON { // the caller knows of the first user alone
			r.began = true
			facts := r.facts(err)
			facts.Exit = exit.CodeOf(err)
			err = r.tell(err, report.LayerFailure{Layer: facts, Command: invocation.KVUnify, User: user})
		}
		if len(others) > 0 {
			err = fmt.Errorf("user %s: %w", user, err)
		}
		return err
	}
	return nil
}
