package report

import (
	"fmt"

	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/migrate"
	"github.com/lanyardctl/lanyardctl/record"
)

// Retried says which rejects were migrated again.
type Retried struct {
	File     string
	Run      rejectsfile.RunLines // whose lines they are; none where lines of several runs were named
	Lines    int64                // that were asked for
	Selected int                  // records that they are of: of a user and kind, or of a key that names no user
}

func (r Retried) text() string {
	if r.Run.Lines == 0 {
		return fmt.Sprintf("%s of %s, which %s of %s", ui.Plural(r.Lines, "line"), ui.PrintableLine(r.File), be(r.Lines), ui.Plural(int64(r.Selected), "record"))
	}
	lines := ui.Plural(r.Run.Lines, "line")
	if r.Lines != r.Run.Lines {
		lines = ui.Thousands(r.Lines) + " of the " + lines
	}
	return fmt.Sprintf("%s of %s in %s, which %s of %s", lines, runText(r.Run), ui.PrintableLine(r.File), be(r.Lines),
		ui.Plural(int64(r.Selected), "record"))
}

// retry returns the command that migrates again what a run left out, with the source and the target of another command.
func retry(cmd invocation.Invocation, file string) invocation.Invocation {
	return cmd.As(invocation.RejectsRetry+" "+invocation.Quote(file), invocation.RetryFlags...)
}

// nextRetry says what to type after a retry.
func (t *builder) nextRetry(m Migration) {
	r, cmd := m.Report, m.Again
	switch {
	case m.interrupted():
		t.command("Next: run the same command again; it begins anew:", cmd)
	case m.Err != nil:
		t.command("Next: fix what the error names, then run the same command again; it begins anew:", cmd)
	case r.DryRun:
		t.lookAt(r)
		t.command("Next: migrate them, with the same command without --dry-run:", cmd.Without("dry-run"))
	case r.Rejects() > 0:
		t.lookAt(r)
		t.decide(m)
		if r.Rejects() > r.Reasons[record.ConflictReason] {
			t.command("Then correct in Redis what is worth it, and migrate these again:", retry(cmd, r.RejectsFile))
		}
	default:
		t.command("Next: see whether anything is missing:", cmd.As(invocation.Verify, invocation.PairFlags...))
	}
}

// undecided returns how many lines of rejects --on-conflict decides. Of what the source says in two ways it decides none.
func undecided(r migrate.Report) int64 {
	for _, c := range r.Kinds {
		if c.Conflicts > 0 || c.Fields.Conflicts > 0 {
			return r.Reasons[record.ConflictReason]
		}
	}
	return 0
}

// decide says how to decide conflicts, where there are any.
func (t *builder) decide(m Migration) {
	if undecided(m.Report) == 0 {
		return
	}
	decided := m.Again.Without("on-conflict", "restart")
	if m.Direction == invocation.ToMongo {
		decided = retry(decided, m.Report.RejectsFile).With("reason", string(record.ConflictReason))
	}
	t.command(fmt.Sprintf("Decide the conflicts with --on-conflict source (%s wins) or target (%s wins; nothing is overwritten), such as:", m.Direction.Source(), m.Direction.Target()),
		decided.With("on-conflict", "target"))
}
