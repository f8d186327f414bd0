// Command lanyardctl moves what Lanyard keeps in Redis to MongoDB.
package main

import (
	"os"
	"os/signal"
	"syscall"

	_ "github.com/lanyardctl/lanyardctl/internal/descriptors" // ends the process where there are too few
)

func main() {
	keepFilesPrivate()
	// A reader that goes away must not end a run halfway: to write to it is an error like any other.
	signal.Ignore(syscall.SIGPIPE)
	stdout := &standardOutput{file: os.Stdout, closed: replaced(os.Stdout), instead: os.Stderr}
	// The report alone goes to standard output, but libraries print there, too: the reader of RDB files names modules.
	if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = nowhere
	}
	code := run(os.Args[1:], stdout, os.Stderr)
	os.Exit(stdout.checked(code))
}
