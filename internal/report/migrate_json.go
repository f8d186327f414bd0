package report

import (
	"io"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
)

// migrationJSON is the report of "migrate --output json". Scripts read it: names and order stay as they are.
type migrationJSON struct {
	Command        string                  `json:"command"`
	Source         string                  `json:"source"`
	Target         string                  `json:"target"`
	Database       string                  `json:"database"`
	Layout         string                  `json:"layout,omitempty"` // of a Redis that is written
	DryRun         bool                    `json:"dry_run"`
	Resumed        bool                    `json:"resumed"`
	Kinds          byKind[migrate.Counts]  `json:"kinds"`
	IgnoredKeys    int64                   `json:"ignored_keys"`
	ForeignKeys    int64                   `json:"foreign_keys"`
	AnalyticsKeys  int64                   `json:"analytics_keys"`
	RejectsFile    *string                 `json:"rejects_file"`
	SupersededFile *string                 `json:"superseded_file"`
	EarlierRejects int64                   `json:"earlier_rejects"`    // lines of other runs in the file
	EarlierKept    int64                   `json:"earlier_superseded"` // the same of the superseded file
	Reasons        map[record.Reason]int64 `json:"reasons"`
	Retried        *retriedJSON            `json:"retried,omitempty"`
	Warnings       []string                `json:"warnings"`
	Now            string                  `json:"now"` // by which dates were judged
	StartedAt      string                  `json:"started_at"`
	DurationMS     int64                   `json:"duration_ms"`
	Speed          speedJSON               `json:"speed"`
	OK             bool                    `json:"ok"`
	Error          string                  `json:"error,omitempty"`
}

// speedJSON is how fast a run was, and what it waited for. The rates are zero for a run that was done in parts.
type speedJSON struct {
	Keys       int64 `json:"keys_per_second"`
	Records    int64 `json:"records_per_second"`
	SourceWait int64 `json:"waited_for_source_ms"`
	TargetWait int64 `json:"waited_for_target_ms"`
	CPU        int64 `json:"cpu_ms"` // of this process, on all cores together
}

// retriedJSON is which rejects were migrated again.
type retriedJSON struct {
	File     string `json:"file"`
	Run      string `json:"run"`
	RunLines int64  `json:"run_lines"`
	Lines    int64  `json:"lines"`
	Records  int    `json:"records"`
}

// WriteJSON writes m as one indented JSON object. Every text in it is already without secrets.
func (m Migration) WriteJSON(w io.Writer) error {
	r := m.Report
	out := migrationJSON{
		Command: m.Direction.Migrate(), Layout: m.Layout, Source: m.Source, Target: m.Target, Database: m.Database,
		DryRun: r.DryRun, Resumed: r.Resumed,
		Kinds:       byKind[migrate.Counts]{only: r.Only, counts: r.Kinds},
		IgnoredKeys: r.Seen.Ignored, ForeignKeys: r.Seen.Foreign, AnalyticsKeys: r.Seen.Analytics,
		RejectsFile: orNull(r.RejectsFile), SupersededFile: orNull(r.SupersededFile),
		EarlierRejects: r.EarlierRejects, EarlierKept: r.EarlierSuperseded,
		Reasons: orEmpty(r.Reasons), Warnings: append([]string{}, m.Warnings...),
		Now: utc(m.Now), StartedAt: utc(r.StartedAt), DurationMS: r.Duration.Milliseconds(),
		Speed: speedJSON{
			Keys: perSecond(r, r.Seen.Keys), Records: perSecond(r, r.Records()),
			SourceWait: r.Waits.Source.Milliseconds(), TargetWait: r.Waits.Target.Milliseconds(), CPU: m.CPU.Milliseconds(),
		},
		OK: m.Exit == exit.Done, Error: errorText(m.Err),
	}
	if m.Retried != nil {
		out.Command = invocation.RejectsRetry
		out.Retried = &retriedJSON{m.Retried.File, m.Retried.Run.ID, m.Retried.Run.Lines, m.Retried.Lines, m.Retried.Selected}
	}
	for kind := range out.Kinds.counts {
		out.Kinds.counts[kind].Notes = orEmpty(out.Kinds.counts[kind].Notes)
	}
	return WriteJSON(w, out)
}
