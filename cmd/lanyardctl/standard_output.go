package main

import (
	"fmt"
	"os"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// standardOutput is where reports go. It remembers that something could not be written, which not every library tells.
type standardOutput struct {
	file    *os.File
	closed  bool     // the runtime opened the null device in place of a descriptor that was closed
	instead *os.File // for what would be lost then
	err     error
}

// Fd returns the descriptor, by which a terminal is known.
func (o *standardOutput) Fd() uintptr { return o.file.Fd() }

// Write implements [io.Writer].
func (o *standardOutput) Write(p []byte) (int, error) {
	if o.closed {
		// A parent may have given the null device on purpose, so that this is no error.
		fmt.Fprintln(o.instead, "standard output seems to be closed; what was meant for it follows here")
		o.file, o.closed = o.instead, false
	}
	n, err := o.file.Write(p)
	if err != nil && o.err == nil {
		o.err = err
	}
	return n, err
}

// checked returns the exit code of a command that ended with code, having told of an output that was lost where the command
// has not.
func (o *standardOutput) checked(code int) int {
	if o.err == nil || code == exit.Failed || code == exit.Interrupted {
		return code
	}
	exit.Print(os.Stderr, fmt.Errorf("print the output: %w", o.err))
	return exit.Failed
}
