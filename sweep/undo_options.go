package sweep

import (
	"errors"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// UndoOptions says which sweep to take back.
type UndoOptions struct {
	Documents record.Documents
	Journal   record.Journal
	ID        string
	DryRun    bool
	Backoff   time.Duration // as in [Options]
	Notify    func(message string)
}

// UndoReport is what became of the documents that a sweep changed. Each is in one of the columns.
type UndoReport struct {
	Sweep    record.Sweep // as it was found
	DryRun   bool
	Complete bool

	Restored int64 // are as before the sweep now
	Already  int64 // were as before the sweep
	Moved    int64 // are not as the sweep left them, and stay
	Refused  int64 // the target refuses what was before, as where a unique index was made since

	// Kept are the documents of Moved and Refused, at most [LeftoverCount].
	Kept []Leftover

	// Later are the IDs of later sweeps that were not taken back, which may be why documents are not as this one left them.
	Later []string

	StartedAt time.Time
	Duration  time.Duration
}

// Errors of [Job.Run] and [Undo].
var (
	ErrInterrupted = errors.New("interrupted")
	ErrUnknown     = errors.New("no such sweep")
	ErrUndone      = errors.New("the sweep was taken back already")
	ErrLeaseLost   = errors.New("another process took over, because this one gave no sign of life for too long")
)

// BusyError tells that another process sweeps, or takes a sweep back.
type BusyError struct{ Lease record.Lease }

func (e *BusyError) Error() string {
	return "another process is at work: " + e.Lease.Doing + " on " + e.Lease.Owner.Host
}
