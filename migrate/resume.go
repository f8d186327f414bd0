package migrate

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/lanyardctl/lanyardctl/record"
)

// formatVersion is part of every scope. It changes when positions or statistics of older versions can no longer be read.
const formatVersion = "1"

// scope returns the identity of everything that decides what a position means.
func scope(source, options string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", formatVersion, source, options))
	return hex.EncodeToString(sum[:12])
}

// start is how a run begins.
type start struct {
	resume   *record.Checkpoint // nil: from the beginning
	obsolete []string           // IDs of checkpoints that nobody will resume
	why      string             // for people; empty where there is nothing to tell
}

// chooseStart decides whether a run resumes an earlier one of the same scope. living tells which owners
// still run; target is the identity of the target's collections now.
func chooseStart(found []record.Checkpoint, target map[string]string, restart bool, now time.Time, living func(record.Checkpoint) bool) start {
	var s start
	slices.SortFunc(found, func(a, b record.Checkpoint) int {
		return cmp.Or(b.Heartbeat.Compare(a.Heartbeat), cmp.Compare(a.ID, b.ID))
	})
	for _, c := range found {
		switch {
		case living(c):
			s.why = fmt.Sprintf("another run of the same migration is at work (host %s, process %d); this one starts from the beginning beside it", c.Owner.Host, c.Owner.PID)
		case restart:
			s.obsolete = append(s.obsolete, c.ID)
		case s.resume != nil || len(c.State) == 0: // a run that was killed before it had done anything
			s.obsolete = append(s.obsolete, c.ID)
		case now.Sub(c.Heartbeat) > resumeWithin:
			s.obsolete = append(s.obsolete, c.ID)
			s.why = fmt.Sprintf("the run of %s was interrupted too long ago to be resumed; starting from the beginning", stamp(c.Heartbeat))
		case !sameTarget(c.Target, target):
			s.obsolete = append(s.obsolete, c.ID)
			s.why = "the target's collections were dropped since the interrupted run; starting from the beginning"
		default:
			s.resume = &c
		}
	}
	if s.resume != nil {
		s.why = fmt.Sprintf("going on where the run of %s stopped (--restart starts over)", stamp(s.resume.Heartbeat))
	}
	return s
}

// resumeWithin is how old an interrupted run may be that is resumed: what it had read is not read again, and a
// running Lanyard changes it.
const resumeWithin = 24 * time.Hour

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// sameTarget reports whether every collection of before is still the same one now.
func sameTarget(before, now map[string]string) bool {
	for name, identity := range before {
		if now[name] != identity {
			return false
		}
	}
	return true
}
