package report

import (
	"time"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/persistence"
	"github.com/lanyardctl/lanyardctl/record"
)

// Layer are what every report of the app's persistence layer begins and ends with. The texts hold no secret.
type Layer struct {
	App      record.App
	Mode     persistence.Mode
	Redis    string // redacted URI; empty where none is configured
	Mongo    string // redacted URI; empty where none is configured
	Database string
	Now      time.Time // when the command began
	Warnings []string
	Exit     int                   // the command's exit code
	Err      error                 // why the run did not come to its end; nil where it did
	Again    invocation.Invocation // how to type the same command
}

// begin returns what the report for scripts of the command begins with.
func (l Layer) begin(command string) object {
	return object{
		{"command", command}, {"app", l.App.String()}, {"mode", l.Mode},
		{"redis", orNull(l.Redis)}, {"mongo", orNull(l.Mongo)}, {"database", orNull(l.Database)},
	}
}

// end returns what the report for scripts of the command ends with.
func (l Layer) end() object { return ending(l.Warnings, l.Exit, l.Err) }
