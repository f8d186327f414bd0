package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/record"
)

// Text returns v for people. It ends with a newline.
func (v Verification) Text(l ui.Style) string {
	t := newBuilder(l)
	text, colour := v.verdict()
	t.Wrap("", l.Paint(colour, text))
	t.ends(v.Pair)
	t.Line("")
	if v.nothing() {
		t.Line(nothingCompared)
	} else {
		t.Table(ui.Table{
			Head: v.head(), Rows: v.rows(), Sums: true,
			Colours: map[string]string{"missing": ui.Red, "different": ui.Red, "rejected": ui.Yellow},
		})
	}
	if v.Report.CountsOnly {
		t.Line("")
		t.Wrap("", v.countsOnlyRemark())
	}
	t.differences(v)
	t.List("Notes:", v.notes())
	t.keys(v.Pair, namedUsersText, v.Report.Seen)
	t.List("Rejected, and so not expected in the target:", ui.ItemsOf(v.Report.Reasons, reasonsIn(v.Direction)))
	t.warnings(v.Warnings)
	t.Line("")
	t.Line("Took %s%s.", ui.Duration(v.Report.Duration), v.howRead())
	if v.Report.Duration >= shortRun {
		t.Wrap("", fmt.Sprintf("Reading the source took %s of it, and the target %s%s.",
			ui.Duration(v.Report.SourceTime), ui.Duration(v.Report.TargetTime), v.ownWork()))
	}
	t.Wrap("", v.clock())
	t.nextAfterVerify(v)
	return t.String()
}

// countsOnlyRemark says what numbers alone are worth.
func (v Verification) countsOnlyRemark() string {
	side := "source"
	if v.Direction == invocation.ToRedis {
		side = "target"
	}
	if v.Direction.OfTables() {
		return "Only numbers were compared, and no content."
	}
	return "Only numbers were compared, and no content. Redis may return a key twice while it is scanned, so the " + side + "'s numbers can be a little too high."
}

// differences lists the differences. The names of fields stand last, since nobody knows how wide they are.
func (t *builder) differences(v Verification) {
	list := v.Report.Differences
	if len(list) == 0 {
		if more := v.unlisted(); more > 0 {
			t.Line("")
			t.Line("%s, not listed (--max-differences).", ui.Plural(more, "difference"))
		}
		return
	}
	t.Line("")
	t.Line("%s", t.Paint(ui.Bold, "Differences:"))
	user, kind := 0, len(record.MonitoringSince.String())
	for _, d := range list {
		user, kind = max(user, ui.Columns(whose(d))), max(kind, len(d.Kind.String()))
	}
	for _, d := range list {
		name := whose(d)
		t.Line("  %-9s  %-*s  %s%s  %s", d.Type, kind, d.Kind, name, strings.Repeat(" ", user-ui.Columns(name)), v.where(d))
	}
	if more := v.unlisted(); more > 0 {
		t.Line("  … and %s more (--max-differences lists more)", ui.Thousands(more))
	}
}

// nextAfterVerify says what to type now.
func (t *builder) nextAfterVerify(v Verification) {
	total, cmd := v.total(), v.Again
	migrate := cmd.As(v.Direction.Migrate(), v.Direction.Flags()...)
	t.Line("")
	switch {
	case v.interrupted():
		t.command("Next: run it again:", cmd)
	case v.Err != nil:
		t.command("Next: fix what the error names, then run it again:", cmd)
	case v.Exit == exit.Differences:
		migrates, look := total.Missing+total.Different > 0, "Next: look"
		if migrates {
			look = "Then look"
			t.command("Next: migrate, which writes what is missing and tells of conflicts:", migrate)
			t.conflicts(v)
		}
		if !migrates || v.listsExtra() {
			second := ", or a second document of a user"
			if v.Direction == invocation.ToRedis {
				second = ""
			}
			what := "an API key that lets somebody in" + second
			if v.Direction.OfTables() {
				what = "an item without a counterpart in the source"
			}
			t.Wrap("", look+" at what only the target has. A migration removes nothing that somebody else wrote: "+what+": you decide whether to delete it.")
		}
		t.command("Then verify again:", cmd)
	case total.Mistyped > 0:
		t.command("Next: migrate, which fixes the types that Lanyard cannot read:", migrate)
	case v.Exit == exit.Rejects:
		t.command("Next: a dry run writes what is rejected to a file, with the reasons:", migrate.With("dry-run"))
	case v.Report.CountsOnly:
		t.command("Next: compare the contents as well:", cmd.Without("counts-only"))
	default:
		t.Wrap("", "Nothing is left to do. Before you switch over, stop "+v.Direction.App()+"'s writes, migrate and verify a last time.")
	}
	if cmd.Narrowed() && v.Err == nil {
		t.limited(cmd)
	}
}

// listsExtra tells whether something that only the target has is among the differences that are listed, or that numbers
// alone show. Fields that lanyardctl wrote are none: the next migration removes them.
func (v Verification) listsExtra() bool {
	if v.Report.CountsOnly {
		return v.Report.Only.Has(record.APIKeys) && v.Report.Kinds[record.APIKeys].Extra > 0 || v.Report.Exact && v.total().Extra > 0
	}
	return slices.ContainsFunc(v.Report.Differences, func(d record.Difference) bool {
		return d.Type == record.Extra && (!d.HasField || v.Report.Exact)
	})
}

// conflicts says what to do about values that somebody else wrote to the target.
func (t *builder) conflicts(v Verification) {
	policy := record.FailOnConflict.String()
	if given := v.Again.Value("on-conflict"); given != "" {
		policy = given
	}
	if v.total().Different == 0 || policy != record.FailOnConflict.String() {
		return
	}
	if v.Report.Exact {
		t.Wrap("", fmt.Sprintf("A migration does not make both sides equal: it leaves what is newer in the target, and what somebody else "+
			"wrote there, unless migrate --on-conflict %s lets %s win.", record.PreferSource, v.Direction.Source()))
		return
	}
	t.Wrap("", fmt.Sprintf("What differs because somebody else wrote it stays as it is: decide it with --on-conflict %s (%s wins) or %s "+
		"(%s wins), for both commands alike.", record.PreferSource, v.Direction.Source(), record.PreferTarget, v.Direction.Target()))
}
