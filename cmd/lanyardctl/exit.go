package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The exit codes. Where several apply, the order of precedence is 130, 1, 4, 3.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRejects     = 3 // done, with rejects, undecided conflicts or other leftovers
	exitDifferences = 4 // differences, or something that a sweep would change
	exitInterrupted = 130
)

// exitError is an error that knows the exit code and what to do next.
type exitError struct {
	code int
	err  error  // nil where everything has been said, as after a report
	hint string // the next step, for people; may be empty
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// usageError says what is wrong in how the command was called, and what to call instead.
func usageError(what, hint string) error {
	return &exitError{code: exitUsage, err: errors.New(what), hint: hint}
}

// failure returns an error of the run with the next step. What err knows of its exit code holds.
func failure(err error, hint string) error {
	return &exitError{code: exitCode(err), err: err, hint: hint}
}

// exitSilently returns an error that only sets the exit code: the report has said everything.
func exitSilently(code int) error { return &exitError{code: code} }

// exitCode returns the exit code for what a command returned.
func exitCode(err error) int {
	if err == nil {
		return exitDone
	}
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.code
	}
	if errors.Is(err, errInterrupted) || errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	return exitFailed
}

// alongside returns the error of a run that ended with err and then also failed in another way. A report that only sets
// the exit code gives way.
func alongside(err, failed error) error {
	if exit, ok := errors.AsType[*exitError](err); err == nil || ok && exit.err == nil {
		return failed
	}
	return errors.Join(err, failed)
}

// printError says once what went wrong and what to do next.
func printError(w io.Writer, err error) {
	exit, ok := errors.AsType[*exitError](err)
	if ok && exit.err == nil {
		return
	}
	fmt.Fprintf(w, "lanyardctl: %s\n", strings.TrimSpace(printable(err.Error())))
	if ok && exit.hint != "" {
		fmt.Fprintf(w, "hint: %s\n", printable(exit.hint))
	}
}
