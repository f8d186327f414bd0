package main

import (
	"bytes"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// newHelp replaces cobra's own help command, which ends with 0 also where there is no such command.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "Show the help of a command",
		Long:    "Show the help of a command; --help after it does the same.\n\n" + exitStatus,
		Example: "  lanyardctl help embedded serve",
		RunE: func(cmd *cobra.Command, args []string) error {
			found := cmd.Root()
			for _, name := range args {
				parent := found
				if found = child(parent, name); found == nil {
					return unknownCommand(parent, name)
				}
			}
			found.InitDefaultHelpFlag()
			return found.Help()
		},
	}
}

// child returns the command of parent with the name, or nil.
func child(parent *cobra.Command, name string) *cobra.Command {
	for _, cmd := range parent.Commands() {
		if cmd.Name() == name || cmd.HasAlias(name) {
			return cmd
		}
	}
	return nil
}

// Help is as wide as the terminal, where that is not wider than is good to read, or than any terminal elsewhere.
const (
	widestHelp = 100
	plainHelp  = 80
)

// fitHelp makes the help of root and of all commands below it fit into the width of what it is written to.
func fitHelp(root *cobra.Command) {
	// Two blanks after a name tell that what follows is a column of its own.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".NamePadding }} {{", ".NamePadding }}  {{"))
	write := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		out := cmd.OutOrStdout()
		columns, terminal := ui.TerminalWidth(out)
		if !terminal {
			columns = plainHelp
		}
		var text bytes.Buffer
		cmd.SetOut(&text)
		write(cmd, args)
		cmd.SetOut(out)
		// The output knows that it could not be written, and says so at the end.
		_, _ = io.WriteString(out, ui.Reflow(text.String(), min(columns, widestHelp)))
	})
}
