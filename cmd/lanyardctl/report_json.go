package main

import (
	"bytes"
	"encoding/json"
	"io"

	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
)

// migrationJSON is the report of "migrate --output json". Scripts read it: names and order stay as they are.
type migrationJSON struct {
	Command        string                  `json:"command"`
	Source         string                  `json:"source"`
	Target         string                  `json:"target"`
	Database       string                  `json:"database"`
	DryRun         bool                    `json:"dry_run"`
	Resumed        bool                    `json:"resumed"`
	Kinds          kindCounts              `json:"kinds"`
	IgnoredKeys    int64                   `json:"ignored_keys"`
	ForeignKeys    int64                   `json:"foreign_keys"`
	AnalyticsKeys  int64                   `json:"analytics_keys"`
	RejectsFile    *string                 `json:"rejects_file"`
	SupersededFile *string                 `json:"superseded_file"`
	Reasons        map[record.Reason]int64 `json:"reasons"`
	Warnings       []string                `json:"warnings"`
	StartedAt      string                  `json:"started_at"`
	DurationMS     int64                   `json:"duration_ms"`
	OK             bool                    `json:"ok"`
	Error          string                  `json:"error,omitempty"`
}

// kindCounts is an object with one member for each kind that was asked for, in the order of the kinds.
type kindCounts struct {
	only   record.Kinds
	counts [record.KindCount]migrate.Counts
}

// MarshalJSON writes the members in order, which a map would not.
func (k kindCounts) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, kind := range k.only.List() {
		if i > 0 {
			b.WriteByte(',')
		}
		counts := k.counts[kind]
		if counts.Notes == nil {
			counts.Notes = map[record.Note]int64{}
		}
		text, err := json.Marshal(counts)
		if err != nil {
			return nil, err
		}
		b.WriteString(`"` + kind.String() + `":`)
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// writeJSON writes m as one indented JSON object. Every text in it is already without secrets.
func (m migration) writeJSON(w io.Writer) error {
	r := m.Report
	out := migrationJSON{
		Command: migrationName, Source: m.Source, Target: m.Target, Database: m.Database,
		DryRun: r.DryRun, Resumed: r.Resumed,
		Kinds:       kindCounts{only: r.Only, counts: r.Kinds},
		IgnoredKeys: r.Seen.Ignored, ForeignKeys: r.Seen.Foreign, AnalyticsKeys: r.Seen.Analytics,
		RejectsFile: orNull(r.RejectsFile), SupersededFile: orNull(r.SupersededFile),
		Reasons: r.Reasons, Warnings: m.Warnings,
		StartedAt: utc(r.StartedAt), DurationMS: r.Duration.Milliseconds(),
		OK: m.Exit == 0,
	}
	if out.Reasons == nil {
		out.Reasons = map[record.Reason]int64{}
	}
	if out.Warnings == nil {
		out.Warnings = []string{}
	}
	if m.Err != nil {
		out.Error = m.Err.Error()
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
