package main

import "github.com/spf13/cobra"

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
