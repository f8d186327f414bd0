package main

import (
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// sweepPlan is what a sweep tells before it begins. Its texts hold no secret.
type sweepPlan struct {
	options  sweepOptions
	target   endpoint
	contents map[record.Collection]int64
	dates    []endpoint // the sources beside the target
}

func (p sweepPlan) Text(l ui.Style) string {
	t := newReportText(l)
	t.Row("target", p.target.URI)
	t.Row("", p.target.Facts+", database "+p.options.target.Database)
	t.Row("", holds(p.contents))
	t.Row("dates", "of monitoring, users and kv in the target")
	for _, source := range p.dates {
		t.Row("", source.URI)
		t.Row("", "  "+source.Facts)
	}
	t.Row("plan", "keep each user's earliest plausible date in monitoring, as Lanyard reads it")
	t.Row("", "dates that users can write themselves "+userDatesTexts[p.options.userDates])
	if p.options.dedupe {
		t.Row("", "merge several documents of one user in kv, last_seen and api_keys, and make text of numeric user ids")
	}
	if p.options.dryRun {
		t.Row("", l.Paint(ui.Yellow, "dry run: nothing is written to the target"))
	} else {
		t.Row("", "each change is journalled before it is made")
	}
	return t.String()
}

// attrs returns p for a log.
func (p sweepPlan) attrs() []any {
	var sources []string
	for _, source := range p.dates {
		sources = append(sources, source.URI)
	}
	return []any{
		"target", p.target.URI, "target_is", p.target.Facts, "database", p.options.target.Database, "target_holds", holds(p.contents),
		"sources", strings.Join(sources, " "), "kv_dates", p.options.userDates.String(), "dedupe", p.options.dedupe, "dry_run", p.options.dryRun,
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
