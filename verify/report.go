package verify

import (
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// Counts is a report's row for one kind, in records and documents.
//
// Where content was compared, Source is the sum of Rejected, Missing, Different and Agreeing, and Target is the sum of
// Extra, Different and Agreeing. Where only numbers were, Different and Agreeing are not known, and zero.
type Counts struct {
	Source    int64 `json:"source"`           // records of the source, those that are rejected among them
	Target    int64 `json:"target"`           // documents of the target
	Missing   int64 `json:"missing"`          // records without a document
	Different int64 `json:"different"`        // records whose document falls short of them
	Extra     int64 `json:"extra"`            // documents without a record
	Rejected  int64 `json:"rejected"`         // records of which nothing can be written
	Agreeing  int64 `json:"agreeing"`         // records whose document holds them, or more
	Ahead     int64 `json:"ahead"`            // of Agreeing, those whose document holds more, or later, or earlier
	Kept      int64 `json:"kept"`             // of Agreeing, those of which the policy lets the target keep another value
	Mistyped  int64 `json:"mistyped"`         // documents that say the right thing in a type that the app cannot read
	Numeric   int64 `json:"numeric_user_ids"` // documents with a number as user id, which the app cannot see
}

// Report is what a comparison found, also where it was interrupted or failed.
type Report struct {
	Only       record.Kinds // those that were asked for
	Exact      bool
	CountsOnly bool
	Kinds      [record.KindCount]Counts

	// Differences are the first of those that count, by kind, user and field; Total is how many there are.
	Differences []record.Difference
	Total       int64

	Seen    record.KeyCounts        // the source's keys
	Reasons map[record.Reason]int64 // values of the source that are rejected, by reason
	Future  int64                   // of them, dates that lie in the future

	Complete  bool // the comparison came to its end
	Passes    int  // readings of both sides
	Rechecks  int  // of Passes, those after a pause
	StartedAt time.Time
	Duration  time.Duration

	// SourceTime and TargetTime are how long the sides took to be read, all passes together. The first pass reads both at
	// the same time.
	SourceTime, TargetTime time.Duration
}

// take makes f the report's figures.
func (r *Report) take(f figures) {
	r.Kinds, r.Reasons, r.Future = [record.KindCount]Counts{}, f.reasons, f.future
	kinds := f.of.List()
	for i, counts := range f.kinds {
		r.Kinds[kinds[i]] = counts
	}
}

// Rejects returns the number of values that are rejected.
func (r Report) Rejects() int64 {
	var n int64
	for _, count := range r.Reasons {
		n += count
	}
	return n
}

// Snapshot is a comparison's progress at one moment.
type Snapshot struct {
	Phase     string // what the run is doing, for people: "comparing", "looking closer (pass 2)"
	Keys      int64  // of the source, looked at in this pass
	Total     int64  // of the source; about, and zero where nobody knows
	Documents int64  // of the target, looked at in this pass
	Expected  int64  // of the target; about, and zero where nobody knows
}
