package migrate

import (
	"time"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/retry"
	"github.com/lanyardctl/lanyardctl/record"
)

// Options says what to copy, where to, and how.
type Options struct {
	Source record.Source
	Sink   record.Sink

	// Target tells what the target holds as the run begins, so that records of which it holds everything are not looked up
	// one by one. Nil tells nothing.
	Target record.DigestReader

	// Mirror tells that the sink merges by [record.Mirror]: what the target holds without lanyardctl's mark goes to it, too,
	// to be marked.
	Mirror bool

	// Memory is about how many bytes what the target holds may take; DefaultMemory where zero.
	Memory int64

	// Checkpoints keeps the run's progress. Nil keeps none, as a dry run does.
	Checkpoints record.Checkpoints

	// Scope names every option that decides what a position means: kinds, users, policies, target. A run goes on only
	// where one of the same scope and the same source identity stopped.
	Scope string

	Only   record.Kinds // for the report
	DryRun bool         // for the report; the sink is one that does not write

	// Restart starts from the beginning also where an earlier run could be resumed.
	Restart bool

	BatchSize  int // records in a batch; DefaultBatchSize where zero
	BatchBytes int // bytes of BSON in a batch, about; DefaultBatchBytes where zero
	Workers    int // batches written side by side; where zero, as many as the target's pace asks for

	// RejectsFile is where rejects are written, as NDJSON, mode 0600; superseded values go to its sibling. Neither is
	// made before there is something to write.
	RejectsFile string

	// RejectsGiven tells that a person chose RejectsFile, so that a resumed run uses it rather than the file that the
	// earlier run used.
	RejectsGiven bool

	// To is where the rejects file says that the run wrote; MongoDB where empty.
	To rejectsfile.Store

	// SaveEvery is the time between two checkpoints; DefaultSaveEvery where zero.
	SaveEvery time.Duration

	// Backoff is the limit of the first wait before a failed write is tried again; 200 milliseconds where zero.
	Backoff time.Duration

	// RetryFor is how long a target that is unavailable is tried again; two minutes where zero.
	RetryFor time.Duration

	// DrainTime is how long what was read when the run is interrupted may take to be written; [retry.DrainTime] where zero.
	DrainTime time.Duration

	// Notify is told, in words for people, of what a run decides on its own: that it goes on, starts over, tries again.
	// It is called from several goroutines.
	Notify func(message string)
}

// Defaults of Options.
const (
	DefaultBatchSize  = 2000
	DefaultBatchBytes = 8 << 20
	DefaultMemory     = 64 << 20
	DefaultSaveEvery  = lease.HeartbeatEvery
)

func (o Options) withDefaults() Options {
	o.BatchSize = orDefault(o.BatchSize, DefaultBatchSize)
	o.BatchBytes = orDefault(o.BatchBytes, DefaultBatchBytes)
	o.Memory = orDefault(o.Memory, DefaultMemory)
	o.SaveEvery = orDefault(o.SaveEvery, DefaultSaveEvery)
	o.DrainTime = orDefault(o.DrainTime, retry.DrainTime)
	if o.Notify == nil {
		o.Notify = func(string) {}
	}
	return o
}

// Where nobody chose a number of workers, a run begins with the first and may come to the second.
const (
	firstWorkers = 4
	mostWorkers  = 16
)

func (o Options) pace() pace {
	if o.Workers > 0 {
		return pinned(o.Workers)
	}
	return climbing(firstWorkers, mostWorkers)
}

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}
