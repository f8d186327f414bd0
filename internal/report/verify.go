package report

import (
	"fmt"

	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/verify"
)

// Verification is everything that a report of a comparison shows. Its texts hold no secret, but the names in its
// differences are whatever users wrote: only [ui.ShownName] makes them fit to be shown.
type Verification struct {
	Pair
	Report    verify.Report
	Unwritten error // why files of the report could not be written; nil where all were
}

// verdict says in a sentence what was found, and in which colour.
func (v Verification) verdict() (text, colour string) {
	r := v.Report
	switch {
	case v.interrupted():
		return "Interrupted: what was found until then is not a result.", ui.Yellow
	case v.Err != nil:
		return "Failed, so there is no result: " + v.Err.Error(), ui.Red
	case r.Total > 0 && r.CountsOnly:
		return fmt.Sprintf("The numbers differ by %s.", ui.Thousands(r.Total)), ui.Red
	case r.Total > 0:
		return fmt.Sprintf("%s found.", ui.Plural(r.Total, "difference")), ui.Red
	case r.CountsOnly:
		return v.numbersVerdict()
	case v.total().Kept > 0:
		return v.keptVerdict(), ui.Yellow
	case r.Exact && r.Rejects() > 0:
		return "The target equals the source in everything that can be written; some values cannot.", ui.Yellow
	case r.Exact:
		return "The target equals the source.", ui.Green
	case r.Rejects() > 0:
		return "The target holds everything that can be written; some values cannot.", ui.Yellow
	}
	return "The target holds everything that the source holds.", ui.Green
}

// nothing tells whether the run ended before anything was compared, so that its figures are no figures.
func (v Verification) nothing() bool { return v.Err != nil && v.Report.Passes == 0 }

// nothingCompared stands in place of the table of such a run.
const nothingCompared = "Nothing was compared."

// numbersVerdict is the verdict where the numbers fit. That says nothing of what is behind them.
func (v Verification) numbersVerdict() (text, colour string) {
	many := "at least as many"
	if v.Report.Exact {
		many = "as many"
	}
	text, colour = fmt.Sprintf("There are %s %s as records", many, v.held()), ui.Green
	if v.Report.Rejects() > 0 {
		return text + " that can be written; some values cannot.", ui.Yellow
	}
	return text + ".", colour
}

// keptVerdict is the verdict where nothing is missing but what the target's own values stand for.
func (v Verification) keptVerdict() string {
	kept := "1 record keeps"
	if n := v.total().Kept; n > 1 {
		kept = ui.Plural(n, "record") + " keep"
	}
	kept += " another value there, by --on-conflict target."
	if v.Report.Rejects() > 0 {
		return "The target holds everything else that can be written, but some values cannot, and " + kept
	}
	return "The target holds everything else that the source holds, but " + kept
}

// held returns what the target holds: "documents".
func (v Verification) held() string { return ui.Several(v.Direction.TargetNoun()) }

// unlisted returns how many differences are not in the list. Where only numbers were compared, there is no list.
func (v Verification) unlisted() int64 {
	if v.Report.CountsOnly {
		return 0
	}
	return v.Report.Total - int64(len(v.Report.Differences))
}

// total returns the sum of all kinds.
func (v Verification) total() verify.Counts {
	var t verify.Counts
	for _, kind := range v.Report.Only.List() {
		t.Add(v.Report.Kinds[kind])
	}
	return t
}

// head returns the columns of the table of kinds.
func (v Verification) head() []string {
	if v.Report.CountsOnly {
		return []string{"kind", "source", "target", "missing", "extra", "rejected"}
	}
	return []string{"kind", "source", "target", "agreeing", "missing", "different", "extra", "rejected"}
}

// rows returns the table of kinds, with the sum as the last row.
func (v Verification) rows() [][]string {
	row := func(name string, c verify.Counts) []string {
		if v.Report.CountsOnly {
			return ui.NumberRow(name, c.Source, c.Target, c.Missing, c.Extra, c.Rejected)
		}
		return ui.NumberRow(name, c.Source, c.Target, c.Agreeing, c.Missing, c.Different, c.Extra, c.Rejected)
	}
	var rows [][]string
	for _, kind := range v.Report.Only.List() {
		rows = append(rows, row(kind.String(), v.Report.Kinds[kind]))
	}
	return append(rows, row("total", v.total()))
}

// notes tells what is no difference, and yet worth knowing.
func (v Verification) notes() []ui.Item {
	total := v.total()
	var list []ui.Item
	add := func(n int64, name, text string) {
		if n > 0 {
			list = append(list, ui.Item{N: n, Name: name, Text: text})
		}
	}
	add(total.Ahead, "ahead", "the target has more, a later last-seen time, an earlier date or a larger counter: that is fine")
	add(total.Kept, "kept", fmt.Sprintf("the target keeps another value, as --on-conflict target says: what %s has is in no %s", v.Direction.Source(), v.Direction.TargetNoun()))
	add(total.Mistyped, "mistyped", "the target says the right thing in a type that Lanyard cannot read; migrate fixes that")
	add(total.Numeric, string(record.NumericUserID), noteTexts[record.NumericUserID])
	apiKeys := ", except for API keys"
	if v.Direction.OfTables() {
		apiKeys = ""
	}
	switch {
	case v.Report.Exact:
	case v.Report.CountsOnly:
		add(total.Extra, "extra", "the target has more "+v.held()+": that is fine"+apiKeys+" (with --exact, all are differences)")
	default:
		add(total.Extra, "extra", v.held()+" without a record in the source: that is fine, except for those that are listed as differences (with --exact, all are differences)")
	}
	return list
}

// howRead says how often both sides were read.
func (v Verification) howRead() string {
	r := v.Report
	switch {
	case r.CountsOnly || r.Passes == 0:
		return ""
	case r.Passes == 1:
		return ", both sides read once"
	case r.Rechecks == 0:
		return fmt.Sprintf(", both sides read %d times", r.Passes)
	}
	return fmt.Sprintf(", both sides read %d times, %d of them after a pause", r.Passes, r.Rechecks)
}

// whose returns the user of a difference. A document that is no user's has what stands in place of one, in quotation
// marks unless it is a number, and the counters have nobody.
func whose(d record.Difference) string {
	if d.User != 0 {
		return d.User.String()
	}
	if d.Name == "" {
		return "-"
	}
	if d.Numeric {
		return "number " + d.Name
	}
	return ui.QuotedName(d.Name)
}

// where returns the place of a difference inside its record.
func (v Verification) where(d record.Difference) string {
	switch {
	case d.HasField:
		return ui.ShownName(d.Field)
	case d.Type == record.Extra:
		return "(the whole " + v.Direction.TargetNoun() + ")"
	}
	return "(the whole record)"
}
