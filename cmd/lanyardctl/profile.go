package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/pprof"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// profileRuns lets each command write a profile of where its CPU time went, for reports of slowness. No help names the
// flag.
func profileRuns(root *cobra.Command) {
	const name = "cpuprofile"
	var path string
	root.PersistentFlags().StringVar(&path, name, "", "write a CPU profile to the `file`")
	// The flag exists: it was added in the line before.
	_ = root.PersistentFlags().MarkHidden(name)
	var wrap func(cmd *cobra.Command)
	wrap = func(cmd *cobra.Command) {
		if runE := cmd.RunE; runE != nil {
			cmd.RunE = func(cmd *cobra.Command, args []string) error {
				if path == "" {
					return runE(cmd, args)
				}
				return profiled(path, func() error { return runE(cmd, args) })
			}
		}
		for _, child := range cmd.Commands() {
			wrap(child)
		}
	}
	wrap(root)
}

// profiled runs what is to be profiled.
func profiled(path string, run func() error) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return exit.Failure(fmt.Errorf("write the CPU profile: %w", err), "name a file that can be written: --cpuprofile FILE")
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(fmt.Errorf("write the CPU profile: %w", err), file.Close())
	}
	runErr := run()
	pprof.StopCPUProfile()
	if err := file.Close(); err != nil && runErr == nil {
		return fmt.Errorf("write the CPU profile: %w", err)
	}
	return runErr
}
