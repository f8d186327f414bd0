package report

import (
	"io"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/verify"
)

// verificationJSON is the report of "verify --output json". Scripts read it: names and order stay as they are.
type verificationJSON struct {
	Command       string                  `json:"command"`
	Source        string                  `json:"source"`
	Target        string                  `json:"target"`
	Database      string                  `json:"database"`
	Layout        string                  `json:"layout,omitempty"` // of a Redis that is the target
	Kinds         byKind[verify.Counts]   `json:"kinds"`
	Differences   []differenceJSON        `json:"differences"`
	Total         int64                   `json:"differences_total"`
	Truncated     bool                    `json:"differences_truncated"`
	Exact         bool                    `json:"exact"`
	CountsOnly    bool                    `json:"counts_only"`
	Reasons       map[record.Reason]int64 `json:"reasons"`
	IgnoredKeys   int64                   `json:"ignored_keys"`
	ForeignKeys   int64                   `json:"foreign_keys"`
	AnalyticsKeys int64                   `json:"analytics_keys"`
	Passes        int                     `json:"passes"`
	Rechecks      int                     `json:"rechecks"`
	Warnings      []string                `json:"warnings"`
	Now           string                  `json:"now"` // by which dates were judged
	StartedAt     string                  `json:"started_at"`
	DurationMS    int64                   `json:"duration_ms"`
	Speed         readingJSON             `json:"speed"`
	OK            bool                    `json:"ok"`
	Error         string                  `json:"error,omitempty"`
}

// readingJSON is how long reading the sides took, all passes together, and how fast the source was read.
type readingJSON struct {
	Keys   int64 `json:"keys_per_second"`
	Source int64 `json:"source_ms"`
	Target int64 `json:"target_ms"`
	CPU    int64 `json:"cpu_ms"` // of this process, on all cores together
}

// differenceJSON is one difference. A whole record has no field, the counters have no user, and a table's items have a key in
// place of one.
type differenceJSON struct {
	Kind    record.Kind           `json:"kind"`
	UserID  *string               `json:"user_id"`
	Key     string                `json:"key,omitempty"`
	Numeric bool                  `json:"user_id_is_number,omitempty"` // where it should be text
	Field   *string               `json:"field"`
	Type    record.DifferenceType `json:"type"`
}

// WriteJSON writes v as one indented JSON object.
func (v Verification) WriteJSON(w io.Writer) error {
	r := v.Report
	out := verificationJSON{
		Command: v.Direction.Verify(), Layout: v.Layout, Source: v.Source, Target: v.Target, Database: v.Database,
		Kinds:       byKind[verify.Counts]{only: r.Only, counts: r.Kinds},
		Differences: []differenceJSON{}, Total: r.Total, Truncated: v.unlisted() > 0, Exact: r.Exact, CountsOnly: r.CountsOnly,
		Reasons:     orEmpty(r.Reasons),
		IgnoredKeys: r.Seen.Ignored, ForeignKeys: r.Seen.Foreign, AnalyticsKeys: r.Seen.Analytics,
		Passes: r.Passes, Rechecks: r.Rechecks, Warnings: append([]string{}, v.Warnings...),
		Now: utc(v.Now), StartedAt: utc(r.StartedAt), DurationMS: r.Duration.Milliseconds(),
		Speed: readingJSON{
			Keys: keysPerSecond(r), Source: r.SourceTime.Milliseconds(), Target: r.TargetTime.Milliseconds(), CPU: v.CPU.Milliseconds(),
		},
		OK: v.Exit == exit.Done, Error: errorText(v.Err, v.Unwritten),
	}
	for _, d := range r.Differences {
		shown := differenceJSON{Kind: d.Kind, UserID: orNull(d.Name), Numeric: d.Numeric, Type: d.Type}
		switch {
		case d.User != 0:
			id := d.User.String()
			shown.UserID = &id
		case d.Kind.Named():
			shown.UserID, shown.Key = nil, d.Name
		}
		if d.HasField {
			shown.Field = &d.Field
		}
		out.Differences = append(out.Differences, shown)
	}
	return WriteJSON(w, out)
}

// keysPerSecond returns how many of the source's keys were read in a second, in all passes.
func keysPerSecond(r verify.Report) int64 {
	if r.SourceTime <= 0 {
		return 0
	}
	return int64(float64(r.Seen.Keys*int64(r.Passes)) / r.SourceTime.Seconds())
}
