package report

import (
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// SweepPlan is what a sweep tells before it begins. Its texts hold no secret.
type SweepPlan struct {
	Target    Endpoint
	Database  string
	Contents  map[record.Collection]int64
	Dates     []Endpoint // the sources beside the target
	UserDates sweep.UserDates
	Dedupe    bool
	DryRun    bool
}

// Text returns p for people.
func (p SweepPlan) Text(l ui.Style) string {
	t := newBuilder(l)
	t.Row("target", p.Target.URI)
	t.Row("", p.Target.Facts+", database "+p.Database)
	t.Row("", holds(p.Contents))
	t.Row("dates", "of monitoring, users and kv in the target")
	for _, source := range p.Dates {
		t.Row("", source.URI)
		t.Row("", "  "+source.Facts)
	}
	t.Row("plan", "keep each user's earliest plausible date in monitoring, as Lanyard reads it")
	t.Row("", "dates that users can write themselves "+userDatesTexts[p.UserDates])
	if p.Dedupe {
		t.Row("", "merge several documents of one user in kv, last_seen and api_keys, and make text of numeric user ids")
	}
	if p.DryRun {
		t.Row("", l.Paint(ui.Yellow, "dry run: nothing is written to the target"))
	} else {
		t.Row("", "each change is journalled before it is made")
	}
	return t.String()
}

// Attrs returns p for a log.
func (p SweepPlan) Attrs() []any {
	var sources []string
	for _, source := range p.Dates {
		sources = append(sources, source.URI)
	}
	return []any{
		"target", p.Target.URI, "target_is", p.Target.Facts, "database", p.Database, "target_holds", holds(p.Contents),
		"sources", strings.Join(sources, " "), "kv_dates", p.UserDates.String(), "dedupe", p.Dedupe, "dry_run", p.DryRun,
	}
}

var userDatesTexts = map[sweep.UserDates]string{
	sweep.CountUserDates:      "count like the others",
	sweep.LastResortUserDates: "count where a user has no other",
	sweep.NeverUserDates:      "do not count",
}

// holds tells what the collections of users hold.
func holds(contents map[record.Collection]int64) string {
	var parts []string
	for _, c := range record.UserCollections {
		if n := contents[c]; n > 0 {
			parts = append(parts, c.String()+" "+ui.Thousands(n))
		}
	}
	if len(parts) == 0 {
		return "holds no documents of users"
	}
	return "holds, in documents: " + strings.Join(parts, ", ")
}
