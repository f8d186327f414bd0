package sweep

import (
	"errors"

	"github.com/lanyardctl/lanyardctl/record"
)

// Errors of [Job.Run] and [UndoJob.Run].
var (
	ErrUnknown   = errors.New("no such sweep")
	ErrUndone    = errors.New("the sweep was taken back already")
	ErrTempFile  = errors.New("sort in a temporary file")
	ErrLeaseLost = errors.New("another process took over, because this one gave no sign of life for too long")
)

// BusyError tells that another process sweeps, or takes a sweep back.
type BusyError struct{ Lease record.Lease }

func (e *BusyError) Error() string {
	return "another process is at work: " + e.Lease.Doing + " on " + e.Lease.Owner.Host
}
