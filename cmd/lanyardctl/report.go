package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// report is what a command tells at its end.
type report interface {
	Text(l ui.Style) string
	writeJSON(w io.Writer) error
}

// pairFacts are what every report of a source and a target begins and ends with. The texts hold no secret.
type pairFacts struct {
	runFacts
	Source string // redacted URI
	Still  bool   // the source does not change, as a file
}

// runFacts are what every report of a target begins and ends with. The texts hold no secret.
type runFacts struct {
	Target   string // redacted URI
	Database string
	Now      time.Time // by which dates were judged
	Warnings []string
	Exit     int                   // the command's exit code
	Err      error                 // why the run did not come to its end; nil where it did
	Again    invocation.Invocation // how to type the same command
}

// interrupted reports whether that is why the run did not come to its end.
func (f runFacts) interrupted() bool {
	return errors.Is(f.Err, record.ErrInterrupted)
}

// errorText returns what a report for scripts says of errors, nothing for none.
func errorText(errs ...error) string {
	err := errors.Join(errs...)
	if err == nil {
		return ""
	}
	return err.Error()
}

func (r *targetRun) facts(err error) runFacts {
	return runFacts{
		Target: r.on.target.Shown(), Database: r.on.target.Database, Now: r.on.now, Warnings: r.warned, Err: r.red.Err(err), Again: r.on.again,
	}
}

// clock says by what clock dates were judged, for people.
func (f runFacts) clock() string {
	return "Dates were judged by " + clockTime(f.Now) + ", this machine's clock."
}

func clockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// doubtClock warns where so many of the dates lie in the future that this machine's clock may be wrong.
func (r *targetRun) doubtClock(future, dates int64) {
	if record.ClockInDoubt(future, dates) {
		r.warned = append(r.warned, fmt.Sprintf("%s lie in the future: is this machine's clock right (it says %s)?",
			ui.Plural(future, "date"), clockTime(r.on.now)))
	}
}

// print writes the report to standard output.
func (r *targetRun) print(report report) error {
	err := func() error {
		if r.on.output == outputJSON {
			return report.writeJSON(r.streams.out)
		}
		_, err := io.WriteString(r.streams.out, report.Text(r.look(r.streams.out)))
		return err
	}()
	if err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	return nil
}

// jsonTime is how reports write a time: RFC 3339 in UTC, with milliseconds.
const jsonTime = "2006-01-02T15:04:05.000Z"

func utc(t time.Time) string { return t.UTC().Format(jsonTime) }
