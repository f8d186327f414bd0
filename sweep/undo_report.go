package sweep

import (
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// UndoOptions says which sweep to take back.
type UndoOptions struct {
	Documents record.Documents
	Journal   record.Journal
	Leases    record.Leases
	ID        string
	DryRun    bool
	Backoff   time.Duration // as in [Options]
	RetryFor  time.Duration // as in [Options]
	Watch     time.Duration // as in [Options]
	Notify    func(message string)
}

// UndoReport is what became of the documents that a sweep changed. Each is in one of the columns; one that the sweep
// changed twice, since somebody else had changed it in between, counts twice.
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
