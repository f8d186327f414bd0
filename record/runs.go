package record

import (
	"context"
	"time"
)

// EndedRun is how a run of a command ended.
type EndedRun struct {
	Command string // "migrate redis-to-mongo"
	Options string // for people, without secrets: "--only kv"
	Version string // of lanyardctl
	Host    string

	StartedAt, EndedAt time.Time
	Exit               int // the exit code

	// Read are the records that were read; the others are how many of them were written, or were not.
	Read, Inserted, Updated, Conflicts, Rejected int64
}

// Runs keeps, in the target, how the last run of each command ended.
type Runs interface {
	// SaveRun writes r over the last run of its command.
	SaveRun(ctx context.Context, r EndedRun) error

	// LastRuns returns the last run of each command, by its name.
	LastRuns(ctx context.Context) ([]EndedRun, error)
}
