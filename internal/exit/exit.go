package exit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// The exit codes. Where several apply, the order of precedence is 130, 1, 4, 3.
const (
	Done        = 0
	Failed      = 1
	Usage       = 2
	Rejects     = 3 // done, with rejects, undecided conflicts or other leftovers
	Differences = 4 // differences, or something that a sweep would change
	Interrupted = 130
)

// Error is an error that knows the exit code and what to do next.
type Error struct {
	Code int
	Err  error  // nil where everything has been said, as after a report
	Hint string // the next step, for people; may be empty
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// WrongUse says what is wrong in how the command was called, and what to call instead.
func WrongUse(what, hint string) error {
	return &Error{Code: Usage, Err: errors.New(what), Hint: hint}
}

// Failure returns an error of the run with the next step. What err knows of its exit code holds.
func Failure(err error, hint string) error {
	return &Error{Code: CodeOf(err), Err: err, Hint: hint}
}

// Interruption returns the error of a command that was interrupted. The hint may be empty.
func Interruption(hint string) error {
	return &Error{Code: Interrupted, Err: record.ErrInterrupted, Hint: hint}
}

// Silent returns an error that only sets the exit code: the report has said everything.
func Silent(code int) error { return &Error{Code: code} }

// CodeOf returns the exit code for what a command returned.
func CodeOf(err error) int {
	if err == nil {
		return Done
	}
	if exit, ok := errors.AsType[*Error](err); ok {
		return exit.Code
	}
	if errors.Is(err, record.ErrInterrupted) || errors.Is(err, context.Canceled) {
		return Interrupted
	}
	return Failed
}

// Alongside returns the error of a run that ended with err and then also failed in another way. A report that only sets
// the exit code gives way.
func Alongside(err, failed error) error {
	if exit, ok := errors.AsType[*Error](err); err == nil || ok && exit.Err == nil {
		return failed
	}
	return errors.Join(err, failed)
}

// Print says once what went wrong and what to do next.
func Print(w io.Writer, err error) {
	exit, ok := errors.AsType[*Error](err)
	if ok && exit.Err == nil {
		return
	}
	fmt.Fprintf(w, "lanyardctl: %s\n", ui.Indented(strings.TrimSpace(ui.ShownText(err.Error()))))
	if ok && exit.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", ui.Indented(ui.Printable(exit.Hint)))
	}
}
