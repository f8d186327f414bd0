package record

import (
	"context"
	"time"
)

// SweepState is what a sweep is at.
type SweepState string

// The states.
const (
	SweepRunning     SweepState = "running"     // or killed, where its owner lives no more
	SweepDone        SweepState = "done"        // it came to its end
	SweepInterrupted SweepState = "interrupted" // it stopped before its end, by itself or found dead
	SweepUndoing     SweepState = "undoing"     // it is being taken back, or was in part
	SweepUndone      SweepState = "undone"      // it was taken back
)

// Sweep is a sweep as the journal knows it.
type Sweep struct {
	ID      string
	State   SweepState
	Owner   Owner  // whose process it was
	Version string // of lanyardctl
	Options string // for people, without secrets: "--kv-dates never --dedupe"

	StartedAt time.Time
	EndedAt   time.Time // zero while it runs
	UndoneAt  time.Time // zero until it is taken back

	// Changes is the number of journalled changes as of the last save: at least those that were made by then.
	Changes int64
}

// Change is a journalled change of one user's documents in a collection.
type Change struct {
	Sweep string
	Seq   int64 // from 1, without gaps but for changes that were withdrawn

	User       UserID // zero for a document that is nobody's
	Collection Collection
	Action     Action

	// Place is the name of where the date came from; From is the date before it, zero for none, To the one after it, in
	// Unix seconds. All three are for [MonitoringCollection] alone.
	Place    string
	From, To int64

	// Steps are in the order in which they are made.
	Steps []Step
}

// Action is what a change does.
type Action string

// The actions.
const (
	ActionCreated Action = "created" // a document where there was none
	ActionChanged Action = "changed" // one document
	ActionMerged  Action = "merged"  // several documents into one
	ActionRemoved Action = "removed" // a document that says nothing
)

// Journal keeps, in the target, what sweeps change, so that it can be taken back.
type Journal interface {
	// Sweeps returns all sweeps, the newest first.
	Sweeps(ctx context.Context) ([]Sweep, error)

	// SaveSweep writes s, over an earlier version of it where there is one.
	SaveSweep(ctx context.Context, s Sweep) error

	// Append writes new changes of one sweep. They are safe when it returns. After an error, appending the same again is
	// safe.
	Append(ctx context.Context, changes []Change) error

	// Amend writes changes that were appended anew. One without steps is withdrawn: removed.
	Amend(ctx context.Context, changes []Change) error

	// Changes delivers the changes of a sweep in descending order of Seq, some at a time. It returns yield's error as it
	// is.
	Changes(ctx context.Context, sweep string, yield func([]Change) error) error

	// List delivers the changes as Changes does, but without their steps.
	List(ctx context.Context, sweep string, yield func([]Change) error) error
}
