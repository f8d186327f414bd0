package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// OpenJournal opens a journal without sweeps.
type OpenJournal func(testing.TB) record.Journal

// MemJournal opens the journal that defines what a journal does.
func MemJournal(testing.TB) record.Journal { return mem.NewJournal() }

// Journal runs the suite for [record.Journal].
func Journal(t *testing.T, open OpenJournal) {
	for name, test := range map[string]func(*testing.T, record.Journal){
		"sweeps are listed, the newest first":      sweeps,
		"changes are delivered, the last first":    changesDescend,
		"appending the same again changes nothing": appendedAgain,
		"changes are amended and withdrawn":        amendments,
		"reading changes stops":                    changesStop,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func sweeps(t *testing.T, journal record.Journal) {
	check := func(want ...record.Sweep) {
		t.Helper()
		got, err := journal.Sweeps(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
	save := func(s record.Sweep) {
		t.Helper()
		if err := journal.SaveSweep(context.Background(), s); err != nil {
			t.Fatal(err)
		}
	}
	check()
	first := record.Sweep{
		ID: "b", State: record.SweepRunning, Owner: record.Owner{Host: "h.example", PID: 17, Run: "r"}, Version: "v1", Options: "--dedupe",
		StartedAt: Now,
	}
	second := record.Sweep{ID: "a", State: record.SweepDone, StartedAt: Now.Add(time.Second)}
	third := record.Sweep{ID: "c", State: record.SweepDone, StartedAt: Now.Add(time.Second)}
	save(first)
	save(third)
	save(second)
	check(third, second, first)
	first.State, first.EndedAt, first.Changes = record.SweepInterrupted, Now.Add(time.Minute), 7
	save(first)
	save(first)
	check(third, second, first)
	first.State, first.UndoneAt = record.SweepUndone, Now.Add(time.Hour)
	save(first)
	check(third, second, first)
}

// kept returns a document that a journal keeps, in the encoding of a store: BSON with a number in it.
func kept(low, high byte) []byte {
	return []byte{12, 0, 0, 0, 0x10, 'a', 0, low, high, 0, 0, 0}
}

// changeAt returns a change whose content is different for each sequence number.
func changeAt(sweep string, seq int64) record.Change {
	n := byte(seq)
	c := record.Change{
		Sweep: sweep, Seq: seq, User: alice + record.UserID(seq), Collection: record.MonitoringCollection, Action: record.ActionMerged,
		Place: "users.since", From: 1664641326 + seq, To: 5,
		Steps: []record.Step{
			{Collection: record.MonitoringCollection, ID: string([]byte{0xff, 0, n}), Before: kept(0xfe, n), After: kept(n, 0)},
			{Collection: record.MonitoringCollection, ID: "deleted", Before: kept(1, 2)},
		},
	}
	switch seq % 3 {
	case 1:
		c.Action, c.From = record.ActionCreated, 0
		c.Steps = []record.Step{{Collection: record.MonitoringCollection, ID: "inserted", After: kept(3, 4)}}
	case 2:
		c = record.Change{
			Sweep: sweep, Seq: seq, Collection: record.KVCollection, Action: record.ActionRemoved,
			Steps: []record.Step{{Collection: record.KVCollection, ID: "\x00", Before: kept(0, 0)}},
		}
	}
	return c
}

func appendChanges(t *testing.T, journal record.Journal, changes ...record.Change) {
	t.Helper()
	if err := journal.Append(context.Background(), changes); err != nil {
		t.Fatal(err)
	}
}

func checkChanges(t *testing.T, journal record.Journal, sweep string, want ...record.Change) {
	t.Helper()
	read := func(name string, changes func(context.Context, string, func([]record.Change) error) error, want []record.Change) {
		t.Helper()
		var pages [][]record.Change
		err := changes(context.Background(), sweep, func(page []record.Change) error {
			if len(page) == 0 {
				t.Error("an empty page")
			}
			pages = append(pages, page) // a page is its reader's own
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, slices.Concat(pages...)); d != "" {
			t.Errorf("%s of %s (-want +got):\n%s", name, sweep, d)
		}
	}
	read("changes", journal.Changes, want)
	listed := slices.Clone(want)
	for i := range listed {
		listed[i].Steps = nil
	}
	read("the list", journal.List, listed)
}

func changesDescend(t *testing.T, journal record.Journal) {
	const many = 2500
	all := make([]record.Change, many)
	for i := range all {
		all[many-1-i] = changeAt("one", int64(i+1))
	}
	checkChanges(t, journal, "one")
	// In no order, and beside sweeps whose names begin alike.
	appendChanges(t, journal, all[1000:]...)
	appendChanges(t, journal, changeAt("on", 1), changeAt("on", 999_999), changeAt("on", 1_000_000))
	appendChanges(t, journal, changeAt("one0", 7), changeAt("one.", 8), changeAt("one/", 9))
	appendChanges(t, journal, all[:1000]...)
	appendChanges(t, journal)
	checkChanges(t, journal, "one", all...)
	checkChanges(t, journal, "on", changeAt("on", 1_000_000), changeAt("on", 999_999), changeAt("on", 1))
	checkChanges(t, journal, "o")
}

func appendedAgain(t *testing.T, journal record.Journal) {
	appendChanges(t, journal, changeAt("s", 1), changeAt("s", 3))
	appendChanges(t, journal, changeAt("s", 1), changeAt("s", 2), changeAt("s", 3))
	checkChanges(t, journal, "s", changeAt("s", 3), changeAt("s", 2), changeAt("s", 1))
}

func amendments(t *testing.T, journal record.Journal) {
	for i := range int64(100) {
		appendChanges(t, journal, changeAt("s", i+1))
	}
	var amended, want []record.Change
	for seq := int64(100); seq > 0; seq-- {
		c := changeAt("s", seq)
		switch {
		case seq%2 == 0:
			c.Steps = nil
			amended = append(amended, c)
			continue
		case seq > 10:
			c.Steps = changeAt("s", seq+1).Steps
			amended = append(amended, c)
		}
		want = append(want, c)
	}
	for range 2 {
		if err := journal.Amend(context.Background(), amended); err != nil {
			t.Fatal(err)
		}
		checkChanges(t, journal, "s", want...)
	}
	back := changeAt("s", 100)
	if err := journal.Amend(context.Background(), []record.Change{back}); err != nil {
		t.Fatal(err)
	}
	checkChanges(t, journal, "s", append([]record.Change{back}, want...)...)
}

func changesStop(t *testing.T, journal record.Journal) {
	appendChanges(t, journal, changeAt("s", 1))
	enough := errors.New("enough")
	if err := journal.Changes(context.Background(), "s", func([]record.Change) error { return enough }); err != enough {
		t.Errorf("the error %v, where the first page was enough", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := journal.Changes(ctx, "s", func([]record.Change) error { return fmt.Errorf("called") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after the context was cancelled: %v", err)
	}
}
