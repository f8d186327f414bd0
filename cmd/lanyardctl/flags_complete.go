package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// completeValues makes shells complete the value of a flag that takes one of the known values.
func completeValues(cmd *cobra.Command, flag string, known ...string) {
	completed(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(known, cobra.ShellCompDirectiveNoFileComp)))
}

// completeFiles makes shells complete the value of a flag that takes a file with one of the endings.
func completeFiles(cmd *cobra.Command, flag string, endings ...string) {
	completed(cmd.MarkFlagFilename(flag, endings...))
}

// completeKinds makes shells complete the value of a flag that takes kinds with commas between.
func completeKinds(cmd *cobra.Command, flag string) {
	completed(cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := typed[:strings.LastIndexByte(typed, ',')+1]
		var list []string
		for _, kind := range ui.Names(record.LanyardKinds.List()) {
			if !slices.Contains(strings.Split(before, ","), kind) {
				list = append(list, before+kind)
			}
		}
		return list, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}))
}

// completed panics where a flag is offered that the command does not have, which no user can bring about.
func completed(err error) {
	if err != nil {
		panic(err)
	}
}
