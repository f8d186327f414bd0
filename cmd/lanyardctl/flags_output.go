package main

import (
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
)

// program is what the commands share: the environment that they read, and the places that they know.
type program struct {
	env    func(name string) string // empty for a variable that is not set
	places location.Registry
}

// streams are what a command reads from and writes to, and what it shares with the others.
type streams struct {
	program
	in       io.Reader
	out, err io.Writer
}

// of returns the streams of a command.
func (p program) of(cmd *cobra.Command) streams {
	return streams{p, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()}
}

const (
	outputText = "text"
	outputJSON = "json"
)

// outputFlags say what a command shows, and in which form.
type outputFlags struct {
	output, progress string
	quiet, verbose   bool
	logFormat        string
}

func (f *outputFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.output, "output", outputText, "`format` of the report: text or json")
	f.bindLines(cmd, true)
}

// bindLines adds the flags about stderr alone. Debugs tells whether there is more to be had there.
func (f *outputFlags) bindLines(cmd *cobra.Command, debugs bool) {
	flags := cmd.Flags()
	flags.StringVar(&f.progress, "progress", ui.ProgressAuto, "`form` of the progress: auto, bar, plain or none")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "nothing but errors on stderr")
	if debugs {
		flags.BoolVarP(&f.verbose, "verbose", "v", false, "more on stderr")
	}
	flags.StringVar(&f.logFormat, "log-format", ui.LogText, "`format` of the lines on stderr: text or json")
	for _, choice := range f.choices() {
		if name := strings.TrimPrefix(choice.flag, "--"); flags.Lookup(name) != nil {
			completeValues(cmd, name, choice.known...)
		}
	}
}

// choice is a flag that takes one of the known values.
type choice struct {
	flag, value string
	known       []string
}

func (f outputFlags) choices() []choice {
	return []choice{
		{"--output", f.output, []string{outputText, outputJSON}},
		{"--progress", f.progress, []string{ui.ProgressAuto, ui.ProgressBar, ui.ProgressPlain, ui.ProgressNone}},
		{"--log-format", f.logFormat, []string{ui.LogText, ui.LogJSON}},
	}
}

func (f outputFlags) check() error {
	for _, choice := range f.choices() {
		if err := oneOf(choice.flag, choice.value, choice.known...); err != nil {
			return err
		}
	}
	if f.quiet && f.verbose {
		return exit.WrongUse("--quiet and --verbose contradict each other", "give one of them")
	}
	return nil
}
