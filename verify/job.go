package verify

import (
	"context"

	"github.com/lanyardctl/lanyardctl/record"
)

// ErrInterrupted is in the error of a run whose context was cancelled.
var ErrInterrupted = errorString("interrupted")

type errorString string

func (e errorString) Error() string { return string(e) }

// Job is one comparison.
type Job struct{ opts Options }

// New returns a comparison that has not begun.
func New(o Options) *Job { return &Job{opts: o} }

// Run compares. The report is what was found until then, also with an error.
func (j *Job) Run(ctx context.Context) (*Report, error) { return &Report{}, ctx.Err() }

// Snapshot returns the progress. It may be called at any time.
func (j *Job) Snapshot() Snapshot { return Snapshot{} }

var _ = record.AllKinds
