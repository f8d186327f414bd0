package report

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// Report is what a command tells at its end.
type Report interface {
	Text(l ui.Style) string
	WriteJSON(w io.Writer) error
}

// Pair are what every report of a source and a target begins and ends with. The texts hold no secret.
type Pair struct {
	Run
	Direction invocation.Direction
	Source    string // redacted URI
	Layout    string // in which a Redis is the target: "fork"; else empty
	Still     bool   // the source does not change, as a file
	ByUser    bool   // the keys of named users were looked up, and no others looked at
}

// Run are what every report of a target begins and ends with. The texts hold no secret.
type Run struct {
	Target   string // redacted URI
	Database string
	Now      time.Time // by which dates were judged
	Warnings []string
	CPU      time.Duration         // how long the process has worked, on all cores together; zero where nobody knows
	Exit     int                   // the command's exit code
	Err      error                 // why the run did not come to its end; nil where it did
	Again    invocation.Invocation // how to type the same command
}

// end returns what the report for scripts of the command ends with.
func (f Run) end() object { return ending(f.Warnings, f.Exit, f.Err) }

// ending returns what a report for scripts ends with.
func ending(warnings []string, code int, err error) object {
	o := object{{"warnings", append([]string{}, warnings...)}, {"ok", code == exit.Done}}
	if text := errorText(err); text != "" {
		o = append(o, member{"error", text})
	}
	return o
}

// from and to say where the pair is. One side has a database, and the other may have a layout.
func (p Pair) from() string {
	return placeText(p.Source, p.Database, p.Direction.FromMongo())
}

func (p Pair) to() string {
	if p.Layout != "" {
		return p.Target + ", layout " + p.Layout
	}
	return placeText(p.Target, p.Database, p.Direction.IntoMongo())
}

func placeText(uri, database string, has bool) string {
	if !has {
		return uri
	}
	return uri + ", database " + database
}

// ownWork tells how much the process itself had to do, as the end of a sentence; nothing where nobody knows.
func (f Run) ownWork() string {
	if f.CPU == 0 {
		return ""
	}
	return fmt.Sprintf("; its own work took %s of CPU time", ui.Duration(f.CPU))
}

// interrupted reports whether that is why the run did not come to its end.
func (f Run) interrupted() bool {
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

// clock says by what clock dates were judged, for people.
func (f Run) clock() string {
	return "Dates were judged by " + ClockTime(f.Now) + ", this machine's clock."
}

// clock is that of a pair: items of tables have no dates that are judged.
func (p Pair) clock() string {
	if p.Direction.OfTables() {
		return "As of " + ClockTime(p.Now) + ", by this machine's clock."
	}
	return p.Run.clock()
}

// ClockTime returns the time as people are told it, in UTC.
func ClockTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// jsonTime is how reports write a time: RFC 3339 in UTC, with milliseconds.
const jsonTime = "2006-01-02T15:04:05.000Z"

func utc(t time.Time) string { return t.UTC().Format(jsonTime) }
