package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest/dated"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// undo takes a sweep back, and fails the test where that fails.
func undo(t testing.TB, docs record.Documents, journal journalAndLeases, id string) *sweep.UndoReport {
	t.Helper()
	r, err := sweep.NewUndo(sweep.UndoOptions{Watch: time.Millisecond, Documents: docs, Journal: journal, Leases: journal, ID: id}).Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// addDuplicates gives some users several documents, or a number, in the collections without dates.
func addDuplicates(docs *mem.Documents, w *dated.World) {
	for i, user := range slices.Sorted(maps.Keys(w.Users)) {
		id, key := user.String(), "key of "+user.String()
		switch i % 8 {
		case 0:
			docs.Insert(record.KVCollection, map[string]any{"user_id": int64(user), "kv": map[string]any{"a": "1"}})
			docs.Insert(record.KVCollection, map[string]any{"user_id": id, "kv": map[string]any{"b": "2"}, "x": int32(1)})
		case 1:
			docs.Insert(record.LastSeenCollection, map[string]any{"user_id": int64(user), "timestamp": "1700000000000"})
		case 2:
			docs.Insert(record.APIKeysCollection, map[string]any{"user_id": int64(user), "key": key})
			docs.Insert(record.APIKeysCollection, map[string]any{"user_id": id})
		case 3:
			docs.Insert(record.APIKeysCollection, map[string]any{"user_id": id, "key": nil})
		case 4:
			// Somebody else's document has the identity that a new one of the user would have.
			docs.Insert(record.MonitoringCollection, map[string]any{"_id": id, "user_id": "nobody"})
		}
	}
}

func TestUndoGivesEverythingBack(t *testing.T) {
	t.Parallel()
	world := dated.New(3, 500)
	docs, journal := fill(world), mem.NewJournal()
	addDuplicates(docs, world)
	before := dump(docs)
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dedupe: true})
	if r.Changes == 0 || sameDump(before, dump(docs)) {
		t.Fatal("the sweep changed nothing")
	}
	foreseen, err := sweep.NewUndo(sweep.UndoOptions{Watch: time.Millisecond, Documents: docs, Journal: journal, Leases: journal, ID: r.ID, DryRun: true}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u := undo(t, docs, journal, r.ID)
	if !sameDump(before, dump(docs)) {
		t.Error("the documents are not what they were")
	}
	if u.Already+u.Moved+u.Refused != 0 || u.Restored != foreseen.Restored {
		t.Errorf("%+v, foreseen %+v", u, foreseen)
	}
	if _, err := sweep.NewUndo(sweep.UndoOptions{Watch: time.Millisecond, Documents: docs, Journal: journal, Leases: journal, ID: r.ID}).Run(t.Context()); !errors.Is(err, sweep.ErrUndone) {
		t.Errorf("undone twice: %v", err)
	}
}

func TestUndoKeepsWhatSomebodyChanged(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	var ids []string
	for i := range 4 {
		ids = append(ids, docs.Insert(record.MonitoringCollection, map[string]any{
			"_id": fmt.Sprint("doc ", i), "user_id": fmt.Sprint(94490510688792576 + i), "since": "1650000000",
		}))
	}
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	docs.Insert(record.MonitoringCollection, map[string]any{"_id": "doc 0", "user_id": "94490510688792576", "since": int64(1640000000)})
	docs.Remove(record.MonitoringCollection, ids[1])
	docs.Insert(record.MonitoringCollection, map[string]any{"_id": "doc 2", "user_id": "94490510688792578", "since": "1650000000"})
	u := undo(t, docs, journal, r.ID)
	if u.Restored != 1 || u.Moved != 2 || u.Already != 1 || len(u.Kept) != 2 {
		t.Errorf("%+v", u)
	}
	all := docs.All(record.MonitoringCollection)
	if len(all) != 3 || all[ids[0]]["since"] != int64(1640000000) || all[ids[3]]["since"] != "1650000000" {
		t.Errorf("%v", all)
	}
	if again := undo(t, docs, journal, r.ID); again.Restored != 0 || again.Already != 2 || again.Moved != 2 {
		t.Errorf("again: %+v", again)
	}
}

// TestUndoObeysAUniqueIndexThatWasThere has a document that goes because another one gets its user id, and both come back.
func TestUndoObeysAUniqueIndexThatWasThere(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Unique(record.APIKeysCollection, "user_id")
	docs.Insert(record.APIKeysCollection, map[string]any{"user_id": alice})
	docs.Insert(record.APIKeysCollection, map[string]any{"user_id": int64(94490510688792576), "key": "k"})
	before := dump(docs)
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dedupe: true})
	if all := docs.All(record.APIKeysCollection); len(all) != 1 || r.Changes != 1 {
		t.Fatalf("%v, %+v", all, r)
	}
	if u := undo(t, docs, journal, r.ID); u.Restored != 2 || !sameDump(before, dump(docs)) {
		t.Errorf("%+v, %v", u, docs.All(record.APIKeysCollection))
	}
}

// TestUndoLosesNothingToAUniqueIndex takes a merge back after somebody has made the index that it made possible.
func TestUndoLosesNothingToAUniqueIndex(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": int64(1767225600)})
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": int64(1650000000)})
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": bob, "since": "1650000000"})
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	docs.Unique(record.MonitoringCollection, "user_id")
	u := undo(t, docs, journal, r.ID)
	if u.Restored != 1 || u.Refused != 2 || u.Kept[0].Reason != sweep.LeftTaken {
		t.Errorf("%+v", u)
	}
	if since := monitoring(t, docs, alice)["since"]; since != int64(1650000000) {
		t.Errorf("the earliest date is in no document: %v", since)
	}
}

// TestAnUndoThatLosesItsLeaseSaysSo was suspended while another process had the lease.
func TestAnUndoThatLosesItsLeaseSaysSo(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000"})
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	m := &meddled{Documents: docs, before: func(int) {
		l, _, _ := journal.Lease(t.Context(), record.SweepLease)
		if err := journal.EndLease(t.Context(), l.Name, l.Owner); err != nil {
			t.Error(err)
		}
	}}
	if _, err := sweep.NewUndo(sweep.UndoOptions{Documents: m, Journal: journal, Leases: journal, ID: r.ID}).Run(t.Context()); !errors.Is(err, lease.ErrLost) {
		t.Error(err)
	}
	if sweeps, _ := journal.Sweeps(t.Context()); sweeps[0].State != record.SweepUndoing {
		t.Errorf("%+v", sweeps)
	}
}

// TestUndoBringsNoRevokedKeyBack has two documents of one key, of which the sweep removed one, and a user who has got
// another key since.
func TestUndoBringsNoRevokedKeyBack(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	ids := []string{
		docs.Insert(record.APIKeysCollection, map[string]any{"user_id": alice, "key": "old"}),
		docs.Insert(record.APIKeysCollection, map[string]any{"user_id": alice, "key": "old"}),
	}
	docs.Insert(record.KVCollection, map[string]any{"_id": "kv", "user_id": bob, "kv": map[string]any{"a": "1"}})
	docs.Insert(record.KVCollection, map[string]any{"_id": "other", "user_id": bob, "kv": map[string]any{"b": "2"}})
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dedupe: true})
	for _, id := range ids {
		docs.Remove(record.APIKeysCollection, id)
	}
	docs.Insert(record.APIKeysCollection, map[string]any{"user_id": alice, "key": "new"})
	docs.Insert(record.KVCollection, map[string]any{"_id": "kv", "user_id": bob, "kv": map[string]any{"a": "1", "b": "NEW"}})
	before := dump(docs)
	foreseen, err := sweep.NewUndo(sweep.UndoOptions{Watch: time.Millisecond, Documents: docs, Journal: journal, Leases: journal, ID: r.ID, DryRun: true}).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u := undo(t, docs, journal, r.ID)
	if u.Restored != 0 || u.Moved != 4 || foreseen.Moved != 4 || !sameDump(before, dump(docs)) {
		t.Errorf("%+v, foreseen %+v, %v", u, foreseen, docs.All(record.APIKeysCollection))
	}
}

// TestUndoLeavesWhatALaterChangeLeft has a document in two changes, of which the later one cannot be taken back: the content
// of the document that went stays where the earlier one had put it.
func TestUndoLeavesWhatALaterChangeLeft(t *testing.T) {
	t.Parallel()
	scratch := mem.NewDocuments(record.Limits{})
	raw := func(fields map[string]any) (string, []byte) {
		id := scratch.Insert(record.KVCollection, fields)
		return id, scratch.Dump(record.KVCollection)[id]
	}
	a, before := raw(map[string]any{"_id": "a", "user_id": alice, "kv": map[string]any{"x": "1"}})
	_, joined := raw(map[string]any{"_id": "a", "user_id": alice, "kv": map[string]any{"x": "1", "only": "b's"}})
	b, gone := raw(map[string]any{"_id": "b", "user_id": alice, "kv": map[string]any{"only": "b's"}})
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.KVCollection, map[string]any{"_id": "a", "user_id": alice, "kv": map[string]any{"x": "1", "only": "b's"}})
	docs.Unique(record.KVCollection, "user_id")
	changes := []record.Change{
		{Sweep: "s", Seq: 1, User: 94490510688792576, Steps: []record.Step{{Collection: record.KVCollection, ID: a, Before: before, After: joined}}},
		{Sweep: "s", Seq: 2, User: 94490510688792576, Steps: []record.Step{
			{Collection: record.KVCollection, ID: a, Before: joined, After: joined}, {Collection: record.KVCollection, ID: b, Before: gone},
		}},
	}
	if err := errors.Join(journal.Append(t.Context(), changes), journal.SaveSweep(t.Context(), record.Sweep{ID: "s", State: record.SweepDone, Changes: 2})); err != nil {
		t.Fatal(err)
	}
	stands := dump(docs)
	if u := undo(t, docs, journal, "s"); u.Refused != 1 || u.Moved != 1 || u.Restored != 0 || !sameDump(stands, dump(docs)) {
		t.Errorf("%+v, %v", u, docs.All(record.KVCollection))
	}
}

// TestUndoSaysWhatItDidUntilItFailed has a server that goes away in the middle of changes of several documents.
func TestUndoSaysWhatItDidUntilItFailed(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	for i := range 2 {
		for n := range 2 {
			docs.Insert(record.MonitoringCollection, map[string]any{"user_id": fmt.Sprint(94490510688792576 + i), "since": int64(1650000000 - n)})
		}
	}
	before := dump(docs)
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	m := &meddled{Documents: docs, fail: func(call int) error {
		if call > 1 {
			return errKilled
		}
		return nil
	}}
	u, err := sweep.NewUndo(sweep.UndoOptions{Documents: m, Journal: journal, Leases: journal, ID: r.ID}).Run(t.Context())
	if !errors.Is(err, errKilled) || u.Restored != 2 {
		t.Errorf("%v, %+v", err, u)
	}
	if u := undo(t, docs, journal, r.ID); u.Restored != 2 || u.Already != 2 || !sameDump(before, dump(docs)) {
		t.Errorf("%+v", u)
	}
}

// TestUndoCountsWhatAnUnheardCallRestored has a server that does what it is asked, and whose answer is lost.
func TestUndoCountsWhatAnUnheardCallRestored(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000"})
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	u, err := sweep.NewUndo(sweep.UndoOptions{Documents: &deaf{Documents: docs}, Journal: journal, Leases: journal, ID: r.ID, Backoff: time.Millisecond}).Run(t.Context())
	if err != nil || u.Restored != 1 || u.Already != 0 {
		t.Errorf("%v, %+v", err, u)
	}
}

type deaf struct {
	*mem.Documents
	heard bool
}

func (d *deaf) Apply(ctx context.Context, steps []record.Step) ([]record.StepResult, error) {
	results, err := d.Documents.Apply(ctx, steps)
	if !d.heard {
		d.heard = true
		return nil, fmt.Errorf("answer: %w", record.ErrUnavailable)
	}
	return results, err
}

// TestUndoTellsAnIdentityThatWasUsedAgain has a document in place of one that the sweep removed.
func TestUndoTellsAnIdentityThatWasUsedAgain(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	for _, user := range []string{alice, bob} {
		docs.Insert(record.APIKeysCollection, map[string]any{"_id": user, "user_id": user})
	}
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dedupe: true})
	docs.Insert(record.APIKeysCollection, map[string]any{"_id": alice, "user_id": alice, "key": "new"})
	for _, dry := range []bool{true, false} {
		u, err := sweep.NewUndo(sweep.UndoOptions{Documents: docs, Journal: journal, Leases: journal, ID: r.ID, DryRun: dry}).Run(t.Context())
		if err != nil || u.Restored != 1 || u.Moved != 1 || u.Refused != 0 {
			t.Errorf("dry run %t: %v, %+v", dry, err, u)
		}
	}
}

// TestUndoGoesBackWhereItCannotGoOn has a merge of three documents, of which one cannot come back.
func TestUndoGoesBackWhereItCannotGoOn(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	for i, text := range []string{"a", "b", "c"} {
		docs.Insert(record.MonitoringCollection, map[string]any{"_id": text, "user_id": alice, "since": int64(1650000000 + i), "unique": text + "!"})
	}
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	// The third one comes back first, the second one not at all.
	docs.Unique(record.MonitoringCollection, "unique")
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": bob, "since": int64(1650000000), "unique": "b!"})
	before := dump(docs)
	if u := undo(t, docs, journal, r.ID); u.Refused != 2 || u.Restored != 0 || !sameDump(before, dump(docs)) {
		t.Errorf("%+v, %v", u, docs.All(record.MonitoringCollection))
	}
}

// TestWhatADeadSweepAskedForIsTakenBack has a server that carries out what a killed process asked for only after its
// documents were looked at.
func TestWhatADeadSweepAskedForIsTakenBack(t *testing.T) {
	t.Parallel()
	world := dated.New(9, 40)
	docs, journal := fill(world), mem.NewJournal()
	before := dump(docs)
	slow := &slowServer{Documents: docs}
	if _, err := sweep.New(sweep.Options{Documents: slow, Journal: journal, Leases: journal, Now: dated.Now}).Run(t.Context()); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	sweeps, _ := journal.Sweeps(t.Context())
	late := &lateJournal{Journal: journal, late: func() {
		if _, err := docs.Apply(t.Context(), slow.asked); err != nil {
			t.Error(err)
		}
	}}
	u := undo(t, docs, late, sweeps[0].ID)
	if u.Restored == 0 || !sameDump(before, dump(docs)) {
		t.Errorf("%d were asked for: %+v", len(slow.asked), u)
	}
	var all int64
	_ = journal.Changes(t.Context(), sweeps[0].ID, func(page []record.Change) error {
		for _, c := range page {
			for _, s := range c.Steps {
				if !bytes.Equal(s.Before, s.After) {
					all++
				}
			}
		}
		return nil
	})
	if u.Restored+u.Already != all {
		t.Errorf("%d documents: %+v", all, u)
	}
}

// slowServer answers nobody.
type slowServer struct {
	*mem.Documents
	asked []record.Step
}

func (s *slowServer) Apply(_ context.Context, steps []record.Step) ([]record.StepResult, error) {
	s.asked = steps
	return nil, errKilled
}

// lateJournal lets something happen once its changes were read.
type lateJournal struct {
	*mem.Journal
	late func()
	done bool
}

func (j *lateJournal) Changes(ctx context.Context, id string, yield func([]record.Change) error) error {
	err := j.Journal.Changes(ctx, id, yield)
	if !j.done {
		j.done = true
		j.late()
	}
	return err
}

// TestUndoGoesOnAfterAFailure reads the journal through a connection that breaks.
func TestUndoGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	world := dated.New(6, 50)
	docs, journal := fill(world), mem.NewJournal()
	before := dump(docs)
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	whole := undo(t, docs, journal, r.ID)
	if !sameDump(before, dump(docs)) {
		t.Fatal("the documents are not what they were")
	}
	docs, journal = fill(world), mem.NewJournal()
	r = run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	broken, err := sweep.NewUndo(sweep.UndoOptions{
		Documents: docs, Journal: &breaking{Journal: journal}, Leases: journal, ID: r.ID, Backoff: time.Millisecond,
	}).Run(t.Context())
	if err != nil || broken.Restored != whole.Restored || broken.Already != 0 || !sameDump(before, dump(docs)) {
		t.Errorf("%v, %+v, want %+v", err, broken, whole)
	}
}

// breaking is a journal whose changes stop in the middle, once.
type breaking struct {
	*mem.Journal
	broke bool
}

func (j *breaking) Changes(ctx context.Context, id string, yield func([]record.Change) error) error {
	pages := 0
	return j.Journal.Changes(ctx, id, func(page []record.Change) error {
		if pages++; pages == 3 && !j.broke {
			j.broke = true
			return fmt.Errorf("read: %w", record.ErrUnavailable)
		}
		return yield(page)
	})
}

func TestUndoOfNothingKnown(t *testing.T) {
	t.Parallel()
	_, err := sweep.NewUndo(sweep.UndoOptions{Watch: time.Millisecond, Documents: mem.NewDocuments(record.Limits{}), Journal: mem.NewJournal(), Leases: new(mem.Leases), ID: "x"}).Run(t.Context())
	if !errors.Is(err, sweep.ErrUnknown) {
		t.Error(err)
	}
}

func TestLaterSweepsAreNamed(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	id := docs.Insert(record.MonitoringCollection, map[string]any{"user_id": "94490510688792576", "since": "1650000000"})
	first := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	before := docs.Dump(record.MonitoringCollection)[id]
	docs.Insert(record.UsersCollection, map[string]any{"user_id": int64(94490510688792576), "since": int64(1600000000)})
	time.Sleep(time.Millisecond) // IDs and times of sweeps are ordered by the clock
	second := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	u := undo(t, docs, journal, first.ID)
	if len(u.Later) != 1 || u.Later[0] != second.ID || u.Moved != 1 {
		t.Errorf("%+v", u)
	}
	undo(t, docs, journal, second.ID)
	if string(before) != string(docs.Dump(record.MonitoringCollection)[id]) {
		t.Error("the second sweep was not taken back")
	}
	if u := undo(t, docs, journal, first.ID); u.Restored != 1 || len(u.Later) != 0 {
		t.Errorf("%+v", u)
	}
}
