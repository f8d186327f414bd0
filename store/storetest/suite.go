package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// Target is a target under test, with what a test needs besides.
type Target struct {
	Sink        record.Sink
	Checkpoints record.Checkpoints
	Reader      record.TargetReader
	Points      record.TargetPointReader
	Owners      record.APIKeyOwners
	Deleter     record.Deleter

	// Put replaces a document behind lanyardctl's back, as the app would: with an _id of its own. A mark in it is one that
	// the app left where it was.
	Put func(record.Kind, record.UserID, mem.Document)

	// All returns all documents of a kind, in the form of store/mem.
	All func(record.Kind) map[record.UserID]mem.Document

	// Drop drops all collections but that of the checkpoints.
	Drop func()

	// Texts is as in [Options].
	Texts bool
}

// Options are what a suite asks of a target. The target must be empty when it is opened, but for what Before puts there
// before the sink is made.
type Options struct {
	Policy record.Policy
	Mirror bool
	DryRun bool
	Now    func() time.Time
	Before func(put func(record.Kind, record.UserID, mem.Document))

	// Texts tells that the target keeps texts: what reads as an integer is one, there are no other sorts of times, and nothing
	// tells when a document was made. What lanyardctl notes of one stands beside it, so that no app removes that.
	Texts bool
}

// Open opens a target.
type Open func(t testing.TB, o Options) Target

// Now is the time in the suite.
var Now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// Mem opens the target that defines what a target does.
func Mem(_ testing.TB, o Options) Target {
	store := mem.New(mem.Options{Policy: o.Policy, Mirror: o.Mirror, DryRun: o.DryRun, Now: o.Now, Limits: record.Limits{MaxDocument: record.DefaultMaxDocument}})
	if o.Before != nil {
		o.Before(store.Put)
	}
	return Target{Sink: store, Checkpoints: store, Reader: store.Reader(), Points: store, Owners: store, Deleter: store, Put: store.Put, All: store.All, Drop: store.Drop, Texts: o.Texts}
}

// RunTexts runs the suite on a target that keeps texts, and mirrors nothing; see [Options].
func RunTexts(t *testing.T, open Open) {
	run(t, func(t testing.TB, o Options) Target {
		o.Texts = true
		target := open(t, o)
		target.Texts = true
		return target
	}, true)
}

// Run runs the suite on a target.
func Run(t *testing.T, open Open) {
	run(t, open, false)
	t.Run("rules of a mirror", func(t *testing.T) { rules(t, open, rulesOfMirrors()) })
}

func run(t *testing.T, open Open, texts bool) {
	t.Run("rules", func(t *testing.T) {
		rules(t, open, slices.DeleteFunc(append(rulesOfNoKey(), allRules...), func(r rule) bool { return texts && !r.textual() }))
	})
	t.Run("as in memory", func(t *testing.T) { asInMemory(t, open, texts) })
	t.Run("checkpoints", func(t *testing.T) {
		checkpoints(t, open(t, Options{Now: clock}), seen(alice, 1700000000000))
	})
	t.Run("dry run", func(t *testing.T) { dryRun(t, open) })
	t.Run("an empty target holds nothing", func(t *testing.T) { emptyTarget(t, open) })
	t.Run("reading back stops", func(t *testing.T) { readingStops(t, open) })
	t.Run("what was written is found again", func(t *testing.T) { foundAgain(t, open, texts) })
	t.Run("some users are read back", func(t *testing.T) { someUsers(t, open) })
	t.Run("the users of API keys are found", func(t *testing.T) { keyOwners(t, open, texts) })
	t.Run("documents are deleted as they were read", func(t *testing.T) { deletes(t, open, texts) })
	t.Run("what was deleted is kept before", func(t *testing.T) { keptBefore(t, open) })
	t.Run("what somebody changes while it is kept is not deleted", func(t *testing.T) { changedMeanwhile(t, open) })
	t.Run("nobody's documents are not deleted", func(t *testing.T) { nobodysStay(t, open) })
}

func clock() time.Time { return Now }

// written is what a target answered to a batch.
type written struct {
	Outcomes   []record.Outcome
	Superseded []record.Superseded
}

func write(t testing.TB, target Target, batch []record.Record) written {
	t.Helper()
	var w written
	seen := make(map[string]bool)
	outcomes, err := target.Sink.Write(context.Background(), batch, func(values []record.Superseded) error {
		for _, v := range values {
			if line := text(record.Reject(v)); !seen[line] { // a sink may keep a value again
				seen[line] = true
				w.Superseded = append(w.Superseded, v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	w.Outcomes = outcomes
	// From now on others may write, too.
	if err := target.Sink.Finish(context.Background(), func([]record.Superseded) error { return nil }); err != nil {
		t.Fatalf("finish: %v", err)
	}
	return w
}

// difference compares two of the same sort by their meaning, as text.
func difference[T interface{ lines() []string }](want, got T) string {
	return cmp.Diff(want.lines(), got.lines(), cmpopts.EquateEmpty())
}

// lines has a line for each outcome, each reject and, in ascending order, each superseded value.
func (w written) lines() []string {
	var lines []string
	for i, o := range w.Outcomes {
		lines = append(lines, fmt.Sprintf("record %d: column %d, %d conflicts, %d superseded", i, o.Status, o.Conflicts, o.Superseded))
		for _, r := range o.Rejects {
			lines = append(lines, fmt.Sprintf("record %d: %s", i, text(r)))
		}
	}
	var superseded []string
	for _, s := range w.Superseded {
		superseded = append(superseded, text(record.Reject(s)))
	}
	return append(lines, slices.Sorted(slices.Values(superseded))...)
}

func text(r record.Reject) string { return fmt.Sprintf("%+q", fmt.Sprintf("%+v", r)) }

// contents is all documents of a target.
type contents []string

func (c contents) lines() []string { return c }

func contentsOf(target Target) contents {
	var all contents
	for _, kind := range record.LanyardKinds.List() {
		for user, d := range target.All(kind) {
			if target.Texts {
				d.CreatedAt = time.Time{}
			}
			all = append(all, fmt.Sprintf("%s %s: %s", kind, user, strings.Join(document(d).lines(), "; ")))
		}
	}
	slices.Sort(all)
	return all
}

type document mem.Document

func (d document) lines() []string {
	lines := []string{"mark " + d.Mark}
	if d.APIKey != "" {
		lines = append(lines, d.APIKey+" of "+d.CreatedAt.UTC().String())
	}
	for _, name := range slices.Sorted(maps.Keys(d.Times)) {
		lines = append(lines, fmt.Sprintf("%q is %T %s", name, d.Times[name], record.JSON(record.Storable(d.Times[name]))))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Fields)) {
		lines = append(lines, fmt.Sprintf("%q is %s", name, record.JSON(d.Fields[name])))
	}
	if d.Hidden {
		lines = append(lines, "hidden")
	}
	return append(lines, "in place of its content "+string(record.JSON(d.Junk)))
}
