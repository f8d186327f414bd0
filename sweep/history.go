package sweep

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/record"
)

// History is what the journal knows of the sweeps, and what goes on.
type History struct {
	Sweeps []record.Sweep // the newest first
	Lease  record.Lease   // of a process that lives; zero where none does
}

// ReadHistory reads what the journal knows at now.
func ReadHistory(ctx context.Context, journal record.Journal, leases record.Leases, now time.Time) (History, error) {
	var h History
	var err error
	if h.Sweeps, err = journal.Sweeps(ctx); err != nil {
		return h, err
	}
	last, held, err := leases.Lease(ctx, record.SweepLease)
	if err == nil && held && lease.Alive(last.Owner, last.Heartbeat, lease.Self(), now) {
		h.Lease = last
	}
	return h, err
}

// Interrupted returns the newest sweep that did not come to its end, was not taken back, and was not followed by one that
// came to its end.
func (h History) Interrupted() (record.Sweep, bool) {
	for _, s := range h.Sweeps {
		switch h.State(s) {
		case string(record.SweepDone):
			return record.Sweep{}, false
		case stateKilled, statePartlyUndone, string(record.SweepInterrupted):
			return s, true
		}
	}
	return record.Sweep{}, false
}

// Last is a name for the newest sweep.
const Last = "last"

// Find returns the sweep that the text names: by its ID, by the beginning of it, or as the last. Otherwise it returns
// [ErrUnknown] or an [*AmbiguousError].
func (h History) Find(text string) (record.Sweep, error) {
	var found []record.Sweep
	for _, s := range h.Sweeps {
		switch {
		case s.ID == text:
			return s, nil
		case strings.HasPrefix(s.ID, text):
			found = append(found, s)
		}
	}
	if text == Last && len(h.Sweeps) > 0 {
		return h.Sweeps[0], nil
	}
	switch len(found) {
	case 0:
		return record.Sweep{}, fmt.Errorf("%w: %s", ErrUnknown, text)
	case 1:
		return found[0], nil
	}
	return record.Sweep{}, &AmbiguousError{text, found}
}

// States that a person is shown beside those of [record.SweepState].
const (
	stateKilled       = "killed"        // running once, in a process that lives no more
	statePartlyUndone = "partly-undone" // taken back in part, because of an interruption or of documents that were changed
)

// State returns what the sweep is at, as a person is shown it.
func (h History) State(s record.Sweep) string {
	alive := h.Lease.Owner != record.Owner{}
	switch {
	case s.State == record.SweepRunning && (!alive || h.Lease.Owner != s.Owner):
		return stateKilled
	case s.State == record.SweepUndoing && (!alive || !s.UndoneAt.IsZero()):
		return statePartlyUndone
	}
	return string(s.State)
}
