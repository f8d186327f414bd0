package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/store/embedded"
)

// buildVersion is what the binary knows of its own build.
type buildVersion struct {
	Version  string `json:"version"`  // of the module; "(devel)" for a build from a working tree
	Revision string `json:"revision"` // of the version control; empty where it was not recorded
	Modified bool   `json:"modified"` // the working tree had changes
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Embedded bool   `json:"embedded"` // whether --mongo embedded:DIR works
}

func readBuildVersion() buildVersion {
	v := buildVersion{
		Version:  "unknown",
		Go:       runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
		Embedded: embedded.Included,
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// Text writes v for people.
func (v buildVersion) Text(w io.Writer) error {
	revision := v.Revision
	switch {
	case revision == "":
		revision = "not recorded"
	case v.Modified:
		revision += " with changes"
	}
	included := "included"
	if !v.Embedded {
		included = "left out (-tags noembedded)"
	}
	_, err := fmt.Fprintf(w, "lanyardctl %s\nrevision: %s\ngo:       %s %s\nembedded: %s\n",
		v.Version, revision, v.Go, v.Platform, included)
	return err
}

func newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Show the version and what this build includes",
		Long:    "Show the version, the revision it was built from, and what this build includes.\n\n" + exitStatus,
		Example: "  lanyardctl version --output json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch output {
			case "text":
				return readBuildVersion().Text(cmd.OutOrStdout())
			case "json":
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(readBuildVersion())
			}
			return exit.WrongUse(fmt.Sprintf("--output %q: unknown format", output), "give --output text or --output json")
		},
	}
	cmd.Flags().StringVar(&output, "output", "text", "text or json")
	completeValues(cmd, "output", outputText, outputJSON)
	return cmd
}
