package process

import (
	"fmt"
	"os"

	"github.com/lanyardctl/lanyardctl/internal/exit"
)

// Output is where reports go. It remembers that something could not be written, which not every library tells.
type Output struct {
	file    *os.File
	closed  bool     // the runtime opened the null device in place of a descriptor that was closed
	instead *os.File // for what would be lost then
	err     error
}

// Standard returns the standard output of this process. Where it is closed, what is written goes to standard error.
// Libraries print to standard output, too: the reader of RDB files names modules. What they print is lost from now on.
func Standard() *Output {
	o := &Output{file: os.Stdout, closed: replaced(os.Stdout), instead: os.Stderr}
	if nowhere, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = nowhere
	}
	return o
}

// Fd returns the descriptor, by which a terminal is known.
func (o *Output) Fd() uintptr { return o.file.Fd() }

// Write implements [io.Writer].
func (o *Output) Write(p []byte) (int, error) {
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

// Checked returns the exit code of a command that ended with code, having told of an output that was lost where the
// command has not.
func (o *Output) Checked(code int) int {
	if o.err == nil || code == exit.Failed || code == exit.Interrupted {
		return code
	}
	exit.Print(os.Stderr, fmt.Errorf("print the output: %w", o.err))
	return exit.Failed
}
