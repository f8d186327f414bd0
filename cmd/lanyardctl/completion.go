package main

import "github.com/spf13/cobra"

// addCompletion adds cobra's completion command, with help in the form of the other commands'.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Long += "\n" + exitStatus
		cmd.Example = "  source <(lanyardctl completion bash)"
		for _, shell := range cmd.Commands() {
			shell.Long += "\n" + exitStatus
			shell.Example = "  lanyardctl completion " + shell.Name()
		}
	}
}
