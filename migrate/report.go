package migrate

import (
	"maps"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// FieldCounts counts single fields inside records that went in.
type FieldCounts struct {
	Rejected  int64 `json:"rejected"`
	Conflicts int64 `json:"conflicts"`
}

// Counts is a report's row for one kind. Read is the sum of the five columns after it: each record is in exactly one.
type Counts struct {
	Read      int64                 `json:"read"`
	Inserted  int64                 `json:"inserted"`
	Updated   int64                 `json:"updated"`
	Unchanged int64                 `json:"unchanged"`
	Conflicts int64                 `json:"conflicts"`
	Rejected  int64                 `json:"rejected"`
	Fields    FieldCounts           `json:"fields"`
	Notes     map[record.Note]int64 `json:"notes"`
}

// Add adds o to c.
func (c *Counts) Add(o Counts) {
	c.Read += o.Read
	c.Inserted += o.Inserted
	c.Updated += o.Updated
	c.Unchanged += o.Unchanged
	c.Conflicts += o.Conflicts
	c.Rejected += o.Rejected
	c.Fields.Rejected += o.Fields.Rejected
	c.Fields.Conflicts += o.Fields.Conflicts
	for note, n := range o.Notes {
		c.note(note, n)
	}
}

func (c *Counts) note(note record.Note, n int64) {
	if c.Notes == nil {
		c.Notes = make(map[record.Note]int64)
	}
	c.Notes[note] += n
}

// count counts one record in its column.
func (c *Counts) count(column record.Status) {
	c.Read++
	switch column {
	case record.Unchanged:
		c.Unchanged++
	case record.Inserted:
		c.Inserted++
	case record.Updated:
		c.Updated++
	case record.Conflicted:
		c.Conflicts++
	case record.Rejected:
		c.Rejected++
	}
}

// Statistics is what a run has done up to some point. Its JSON form is the state of a checkpoint.
type Statistics struct {
	Kinds      [record.KindCount]Counts `json:"kinds"`
	Seen       record.KeyCounts         `json:"seen"`
	Reasons    map[record.Reason]int64  `json:"reasons"`          // lines of the rejects file, by reason
	Superseded int64                    `json:"superseded"`       // lines of the superseded file
	Future     int64                    `json:"future,omitempty"` // of the rejects, dates that lie in the future
}

// Add adds o to s.
func (s *Statistics) Add(o Statistics) {
	for k := range s.Kinds {
		s.Kinds[k].Add(o.Kinds[k])
	}
	s.Seen.Add(o.Seen)
	for reason, n := range o.Reasons {
		s.reason(reason, n)
	}
	s.Superseded += o.Superseded
	s.Future += o.Future
}

func (s *Statistics) reason(reason record.Reason, n int64) {
	if s.Reasons == nil {
		s.Reasons = make(map[record.Reason]int64)
	}
	s.Reasons[reason] += n
}

// Rejects returns the number of lines in the rejects file: rejects and undecided conflicts.
func (s Statistics) Rejects() int64 {
	var n int64
	for _, count := range s.Reasons {
		n += count
	}
	return n
}

// Records returns the number of records that were read.
func (s Statistics) Records() int64 {
	var n int64
	for _, c := range s.Kinds {
		n += c.Read
	}
	return n
}

// Written returns the number of documents that were inserted or updated.
func (s Statistics) Written() int64 {
	var n int64
	for _, c := range s.Kinds {
		n += c.Inserted + c.Updated
	}
	return n
}

// clone returns a copy that shares nothing with s.
func (s Statistics) clone() Statistics {
	for k := range s.Kinds {
		s.Kinds[k].Notes = maps.Clone(s.Kinds[k].Notes)
	}
	s.Reasons = maps.Clone(s.Reasons)
	return s
}

// Report is what a run did, also where it was interrupted or failed.
type Report struct {
	Statistics
	Only           record.Kinds // those that were asked for
	DryRun         bool
	Resumed        bool      // an earlier run was resumed; the statistics are those of both
	ResumedFrom    time.Time // when that run had saved its progress last; what it had read until then was not read again
	RejectsFile    string
	SupersededFile string

	// EarlierRejects and EarlierSuperseded are how many lines of other runs are in the files.
	EarlierRejects, EarlierSuperseded int64

	// Unknown is how many documents of the target Options.Memory did not hold, so that records were looked up one by one;
	// MemoryForAll is how many bytes hold all.
	Unknown, MemoryForAll int64

	StartedAt time.Time
	Duration  time.Duration
	Waits     Waits
}

// Snapshot is a run's progress at one moment.
type Snapshot struct {
	Phase   string // what the run is doing, for people: "copying", "making indexes"
	Keys    int64  // of the source, looked at
	Total   int64  // of the source; about, and zero where nobody knows
	Records int64  // that have their outcome

	// Documents is how many of the target were read before the copying, of about Expected.
	Documents, Expected int64
	Rejects             int64
}
