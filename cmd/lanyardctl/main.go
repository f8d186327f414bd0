// Command lanyardctl moves what Lanyard keeps in Redis to MongoDB.
package main

import (
	"os"
	"os/signal"
	"syscall"

	_ "github.com/lanyardctl/lanyardctl/internal/descriptors" // ends the process where there are too few
	"github.com/lanyardctl/lanyardctl/internal/process"
)

func main() {
	process.KeepFilesPrivate()
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		process.PaceCollector()
	}
	// A reader that goes away must not end a run halfway: to write to it is an error like any other.
	signal.Ignore(syscall.SIGPIPE)
	stdout := process.Standard()
	os.Exit(stdout.Checked(run(os.Args[1:], stdout, os.Stderr)))
}
