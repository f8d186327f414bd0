package main

import (
	"io"

	"github.com/spf13/pflag"
)

// streams are what a command writes to, and the environment that it reads.
type streams struct {
	out, err io.Writer
	env      lookupFunc
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

func (f *outputFlags) bind(flags *pflag.FlagSet) {
	flags.StringVar(&f.output, "output", outputText, "`format` of the report: text or json")
	flags.StringVar(&f.progress, "progress", progressAuto, "`form` of the progress: auto, bar, plain or none")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "nothing but errors on stderr")
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "more on stderr")
	flags.StringVar(&f.logFormat, "log-format", logText, "`format` of the lines on stderr: text or json")
}

func (f outputFlags) check() error {
	for _, choice := range []struct {
		flag, value string
		known       []string
	}{
		{"--output", f.output, []string{outputText, outputJSON}},
		{"--progress", f.progress, []string{progressAuto, progressBar, progressPlain, progressNone}},
		{"--log-format", f.logFormat, []string{logText, logJSON}},
	} {
		if err := oneOf(choice.flag, choice.value, choice.known...); err != nil {
			return err
		}
	}
	if f.quiet && f.verbose {
		return usageError("--quiet and --verbose contradict each other", "give one of them")
	}
	return nil
}
