package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/lanyardctl/lanyardctl/internal/lease"
	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest/dated"
	"github.com/lanyardctl/lanyardctl/sweep"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	alice = "94490510688792576"
	bob   = "156114103033790464"
)

// meddled are documents that somebody changes before steps are applied.
type meddled struct {
	*mem.Documents
	before func(call int)
	calls  int
	fail   func(call int) error
}

func (m *meddled) Apply(ctx context.Context, steps []record.Step) ([]record.StepResult, error) {
	m.calls++
	if m.before != nil {
		m.before(m.calls)
	}
	if m.fail != nil {
		if err := m.fail(m.calls); err != nil {
			return nil, err
		}
	}
	return m.Documents.Apply(ctx, steps)
}

// monitoring returns the only document of a user in monitoring.
func monitoring(t *testing.T, docs *mem.Documents, user string) map[string]any {
	t.Helper()
	var found []map[string]any
	for _, d := range docs.All(record.MonitoringCollection) {
		if d["user_id"] == user {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		t.Fatalf("user %s has %d documents: %v", user, len(found), found)
	}
	return found[0]
}

func TestTheEarliestPlausibleDateWins(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": int64(1767225600)}) // 2026
	docs.Insert(record.UsersCollection, map[string]any{"user_id": alice, "since": int64(1650000000)})      // 2022
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": bob, "since": "2022-10-01T16:22:06Z"})
	docs.Insert(record.KVCollection, map[string]any{"user_id": bob, "kv": map[string]any{"monitoring_since": "1230768000"}}) // 2009
	r := run(t, sweep.Options{Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases)})
	if since := monitoring(t, docs, alice)["since"]; since != int64(1650000000) {
		t.Errorf("alice: %v", since)
	}
	if since := monitoring(t, docs, bob)["since"]; since != int64(1664641326) {
		t.Errorf("bob: %v", since)
	}
	want := sweep.Recovery{User: 94490510688792576, From: 1767225600, To: 1650000000, Place: "users.since"}
	if len(r.Largest) != 1 || r.Largest[0] != want {
		t.Errorf("%+v", r.Largest)
	}
}

func TestOfTheSameDatesTheFirstPlaceIsNamed(t *testing.T) {
	t.Parallel()
	other := &dateList{places: []record.DatePlace{{Name: "b"}, {Name: "a", UserWritable: true}}, page: 9}
	docs := mem.NewDocuments(record.Limits{})
	date := int64(1650000000)
	for i, at := range []func(user record.UserID){
		func(u record.UserID) {
			docs.Insert(record.UsersCollection, map[string]any{"user_id": u.String(), "since": date, "monitoring_since": date})
			other.list = append(other.list, record.DateValue{User: u, Has: true, Value: date})
		},
		func(u record.UserID) {
			docs.Insert(record.KVCollection, map[string]any{"user_id": u.String(), "kv": map[string]any{"monitoring_since": date}})
			other.list = append(other.list, record.DateValue{User: u, Has: true, Value: date})
		},
		func(u record.UserID) {
			docs.Insert(record.KVCollection, map[string]any{"user_id": u.String(), "kv": map[string]any{"monitoring_since": date}})
			other.list = append(other.list, record.DateValue{User: u, Place: 1, Has: true, Value: date})
		},
	} {
		at(record.UserID(94490510688792576 + i))
	}
	r := run(t, sweep.Options{Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases), Dates: []record.DateSource{other}})
	var got []string
	for _, l := range r.Largest {
		got = append(got, l.Place)
	}
	if want := "[users.since b kv.kv.monitoring_since]"; fmt.Sprint(got) != want || r.ByUsers != 1 {
		t.Errorf("%v, %d by users; want %s", got, r.ByUsers, want)
	}
}

// TestBeforeIsWhatTheAppSees has dates that it does not: in documents whose user id is a number.
func TestBeforeIsWhatTheAppSees(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": int64(1767225600)})
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": int64(94490510688792576), "since": int64(1650000000)})
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": int64(156114103033790464), "since": int64(1650000000)})
	r := run(t, sweep.Options{Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases)})
	want := []sweep.Recovery{
		{User: 94490510688792576, From: 1767225600, To: 1650000000, Place: "monitoring.since"},
		{User: 156114103033790464, To: 1650000000, Place: "monitoring.since"},
	}
	if diff := cmp.Diff(want, r.Largest); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[int]int64{2026: 1}, r.Before); diff != "" {
		t.Error("years before: ", diff)
	}
}

func TestWhatIsNotAsItShouldBeIsCountedAndNamed(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	const number = int64(94490510688792576)
	for i := range int64(9) {
		docs.Insert(record.LastSeenCollection, map[string]any{"user_id": number + i, "timestamp": int64(1700000000000)})
	}
	docs.Insert(record.KVCollection, map[string]any{"user_id": alice, "kv": map[string]any{"a": "1"}})
	docs.Insert(record.KVCollection, map[string]any{"user_id": number, "kv": map[string]any{"b": "2"}})
	docs.Insert(record.KVCollection, map[string]any{"user_id": bob, "kv": map[string]any{"a": "1"}})
	docs.Insert(record.KVCollection, map[string]any{"user_id": bob, "kv": map[string]any{"a": "2"}})
	docs.Insert(record.APIKeysCollection, map[string]any{"user_id": alice})
	docs.Insert(record.APIKeysCollection, map[string]any{"user_id": bob, "key": nil})
	docs.Insert(record.APIKeysCollection, map[string]any{"key": "nobody's"})
	want := []sweep.CollectionFigures{
		{Collection: record.MonitoringCollection}, {Collection: record.UsersCollection},
		{Collection: record.KVCollection, Documents: 4, Numeric: 1, Duplicates: 2, Examples: []string{alice, bob}},
		{Collection: record.LastSeenCollection, Documents: 9, Numeric: 9, Examples: []string{
			alice, "94490510688792577", "94490510688792578", "94490510688792579", "94490510688792580",
		}},
		{Collection: record.APIKeysCollection, Documents: 3, Nobodys: 1, Keyless: 2},
	}
	if diff := cmp.Diff(want, run(t, sweep.Options{Documents: docs, DryRun: true}).Collections); diff != "" {
		t.Error("counted: ", diff)
	}
	want[2].Merged, want[2].Left, want[3].Renamed, want[4].Removed = 1, 1, 9, 2
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dedupe: true})
	if diff := cmp.Diff(want, r.Collections); diff != "" {
		t.Error("mended: ", diff)
	}
	if len(r.Leftovers) != 1 || r.Leftovers[0] != (sweep.Leftover{Collection: record.KVCollection, User: 156114103033790464, Reason: sweep.LeftKV}) {
		t.Errorf("left: %+v", r.Leftovers)
	}
	// What is the only document without a key is in nobody's way.
	docs.Insert(record.APIKeysCollection, map[string]any{"user_id": alice})
	if again := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dedupe: true}); again.Changes != 0 {
		t.Errorf("again: %+v", again.Collections)
	}
}

func TestTheLargestRecoveriesAreNamed(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	const day = 86400
	for i := range int64(9) {
		user := fmt.Sprint(94490510688792576 + i)
		docs.Insert(record.UsersCollection, map[string]any{"user_id": user, "since": int64(1650000000 - i*day)})
		if i < 3 {
			docs.Insert(record.MonitoringCollection, map[string]any{"user_id": user, "since": int64(1650000000 + day)})
		}
	}
	// What was right or unseen is no recovery, or none from a date.
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": bob, "since": "1650000000"})
	r := run(t, sweep.Options{Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases)})
	var got []string
	for _, l := range r.Largest {
		got = append(got, fmt.Sprint(l.User-94490510688792576, " ", (l.From-l.To)/day))
	}
	from := -1650000000 / day
	want := fmt.Sprintf("[2 3 1 2 0 1 8 %d 7 %d]", from+8, from+7)
	if fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}

func TestWhatChangesMeanwhileIsDecidedAnew(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	docs.Insert(record.MonitoringCollection, map[string]any{"_id": "a", "user_id": alice, "since": "1650000000"})
	docs.Insert(record.MonitoringCollection, map[string]any{"_id": "b", "user_id": alice, "since": "1660000000"})
	m := &meddled{Documents: docs, before: func(call int) {
		if call == 1 {
			docs.Insert(record.MonitoringCollection, map[string]any{"_id": "a", "user_id": alice, "since": "1640000000", "note": "new"})
		}
	}}
	journal := mem.NewJournal()
	r := run(t, sweep.Options{Documents: m, Journal: journal, Leases: journal})
	if d := monitoring(t, docs, alice); d["since"] != int64(1640000000) || d["note"] != "new" {
		t.Errorf("%v", d)
	}
	if r.Merged != 1 || r.Changes != 1 {
		t.Errorf("%+v", r)
	}
	undo(t, docs, journal, r.ID)
	if all := docs.All(record.MonitoringCollection); len(all) != 2 {
		t.Errorf("taken back: %v", all)
	}
}

// repeating are documents of which every one holds a field twice.
type repeating struct{ *mem.Documents }

func (d repeating) Whole(ctx context.Context, c record.Collection, ids []string, most int) ([]record.Document, error) {
	documents, err := d.Documents.Whole(ctx, c, ids, most)
	for i := range documents {
		documents[i].Repeated = true
	}
	return documents, err
}

func TestDocumentsThatHoldAFieldTwiceAreLeft(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1664641326"})
	docs.Insert(record.KVCollection, map[string]any{"user_id": bob, "kv": map[string]any{"a": "1"}})
	docs.Insert(record.KVCollection, map[string]any{"user_id": bob, "kv": map[string]any{"b": "2"}})
	before := docs.All(record.KVCollection)
	r := run(t, sweep.Options{Documents: repeating{docs}, Journal: journal, Leases: journal, Dedupe: true})
	want := []sweep.Leftover{
		{Collection: record.MonitoringCollection, User: 94490510688792576, Reason: sweep.LeftTwice},
		{Collection: record.KVCollection, User: 156114103033790464, Reason: sweep.LeftTwice},
	}
	if r.Changes != 0 || !slices.Equal(r.Leftovers, want) {
		t.Errorf("%d changes, left %+v", r.Changes, r.Leftovers)
	}
	if diff := cmp.Diff(before, docs.All(record.KVCollection)); diff != "" {
		t.Error(diff)
	}
}

// TestAMergeThatCannotEndIsNoChange has a document that comes to differ after the one that stays was looked at.
func TestAMergeThatCannotEndIsNoChange(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	stays := docs.Insert(record.KVCollection, map[string]any{"_id": "a", "user_id": alice, "kv": map[string]any{"x": "1"}})
	docs.Insert(record.KVCollection, map[string]any{"_id": "b", "user_id": alice, "kv": map[string]any{"y": "2"}})
	before := docs.Dump(record.KVCollection)[stays]
	m := &meddled{Documents: docs, before: func(call int) {
		if call == 2 {
			docs.Insert(record.KVCollection, map[string]any{"_id": "b", "user_id": alice, "kv": map[string]any{"x": "other"}})
		}
	}}
	r := run(t, sweep.Options{Documents: m, Journal: journal, Leases: journal, Dedupe: true})
	if r.Changes != 0 || r.LeftoversTotal != 1 || r.Leftovers[0].Reason != sweep.LeftKV {
		t.Errorf("%+v", r)
	}
	if !bytes.Equal(before, docs.Dump(record.KVCollection)[stays]) {
		t.Errorf("%v", docs.All(record.KVCollection)[stays])
	}
	if err := journal.Changes(t.Context(), r.ID, func(page []record.Change) error { return fmt.Errorf("%+v", page) }); err != nil {
		t.Error("the journal knows of a change that was taken back: ", err)
	}
}

func TestWhatKeepsChangingIsLeft(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	put := func(n int) {
		docs.Insert(record.MonitoringCollection, map[string]any{"_id": "a", "user_id": alice, "since": "1650000000", "n": int64(n)})
	}
	put(0)
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": bob, "since": "1650000000"})
	journal := mem.NewJournal()
	r := run(t, sweep.Options{Documents: &meddled{Documents: docs, before: put}, Journal: journal, Leases: journal})
	if r.Left != 1 || r.LeftoversTotal != 1 || r.Leftovers[0].Reason != sweep.LeftMoved || r.Changed != 1 || r.Changes != 1 {
		t.Errorf("%+v", r)
	}
	if u := undo(t, docs, journal, r.ID); u.Restored != 1 || u.Moved != 0 {
		t.Errorf("the journal knows of changes that were not made: %+v", u)
	}
}

func TestAnIdentityThatIsTakenIsNoObstacle(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	docs.Insert(record.MonitoringCollection, map[string]any{"_id": alice, "user_id": "nobody"})
	docs.Insert(record.UsersCollection, map[string]any{"user_id": alice, "since": int64(1650000000)})
	r := run(t, sweep.Options{Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases)})
	if d := monitoring(t, docs, alice); d["since"] != int64(1650000000) || r.Created != 1 {
		t.Errorf("%v, %+v", d, r)
	}
}

func TestADocumentThatWasMadeMeanwhileIsTheUsers(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	docs.Insert(record.UsersCollection, map[string]any{"user_id": alice, "since": int64(1650000000)})
	once := false
	m := &meddled{Documents: docs, before: func(int) {
		if !once {
			docs.Insert(record.MonitoringCollection, map[string]any{"_id": alice, "user_id": alice, "since": int64(1700000000)})
		}
		once = true
	}}
	r := run(t, sweep.Options{Documents: m, Journal: mem.NewJournal(), Leases: new(mem.Leases)})
	if d := monitoring(t, docs, alice); d["since"] != int64(1650000000) || r.Changed != 1 {
		t.Errorf("%v, %+v", d, r)
	}
}

func TestAUniqueIndexIsObeyed(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	docs.Unique(record.MonitoringCollection, "user_id")
	docs.Insert(record.UsersCollection, map[string]any{"user_id": alice, "since": int64(1650000000)})
	m := &meddled{Documents: docs, before: func(int) {
		docs.Insert(record.MonitoringCollection, map[string]any{"_id": "app's", "user_id": alice, "since": int64(1700000000)})
	}}
	journal := mem.NewJournal()
	r := run(t, sweep.Options{Documents: m, Journal: journal, Leases: journal})
	if r.Left != 1 || r.Leftovers[0].Reason != sweep.LeftTaken || len(r.After) != 0 {
		t.Errorf("%+v", r)
	}
	if again := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal}); again.Changed != 1 {
		t.Errorf("%+v", again)
	}
}

func TestWhatIsTooLargeOrTooManyIsLeft(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{MaxDocument: 100 << 10})
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000", "x": strings.Repeat("x", 60<<10)})
	for range record.MaxSteps + 1 {
		docs.Insert(record.MonitoringCollection, map[string]any{"user_id": bob, "since": int64(1650000000)})
	}
	for range record.MaxSteps + 1 {
		docs.Insert(record.LastSeenCollection, map[string]any{"user_id": bob, "timestamp": int64(1700000000000)})
	}
	before := dump(docs)
	r := run(t, sweep.Options{Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases), Dedupe: true})
	if last := r.Leftovers[len(r.Leftovers)-1]; last.Collection != record.LastSeenCollection || last.Reason != sweep.LeftMany {
		t.Errorf("%+v", last)
	}
	if r.Left != 2 || r.Leftovers[0].Reason != sweep.LeftSize || r.Leftovers[1].Reason != sweep.LeftMany || !sameDump(before, dump(docs)) {
		t.Errorf("%+v", r)
	}
}

// TestDocumentsThatDoNotFitTogetherAreChangedApart has documents of 5 MiB, of which no more than three are held at a time.
func TestDocumentsThatDoNotFitTogetherAreChangedApart(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	large := strings.Repeat("x", 5<<20)
	for i := range 9 {
		docs.Insert(record.MonitoringCollection, map[string]any{"user_id": fmt.Sprint(94490510688792576 + i), "since": "1650000000", "x": large})
	}
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": bob, "since": "1650000000", "x": strings.Repeat(large, 4)})
	before := dump(docs)
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	if r.Changed != 9 || r.Left != 1 || r.Leftovers[0].Reason != sweep.LeftSize {
		t.Errorf("%+v", r.Columns)
	}
	foreseen, err := sweep.NewUndo(sweep.UndoOptions{Watch: time.Millisecond, Documents: docs, Journal: journal, Leases: journal, ID: r.ID, DryRun: true}).Run(t.Context())
	if err != nil || foreseen.Restored != 9 {
		t.Errorf("%+v, %v", foreseen, err)
	}
	if undo(t, docs, journal, r.ID); !sameDump(before, dump(docs)) {
		t.Error("the documents are not what they were")
	}
}

// TestManyDocumentsAreChangedInPieces has more documents than can be asked for at a time.
func TestManyDocumentsAreChangedInPieces(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	for i := range 700 {
		for n := range 4 {
			docs.Insert(record.MonitoringCollection, map[string]any{"user_id": fmt.Sprint(94490510688792576 + i), "since": int64(1650000000 + n)})
		}
	}
	for i := range 700 {
		docs.Insert(record.UsersCollection, map[string]any{"user_id": fmt.Sprint(94490510688792576 - 1 - i), "since": int64(1650000000)})
		docs.Insert(record.UsersCollection, map[string]any{"user_id": fmt.Sprint(94490510688792576 + i), "since": int64(1640000000)})
	}
	before := dump(docs)
	r := run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	if r.Merged != 700 || r.Created != 700 {
		t.Errorf("%+v", r.Columns)
	}
	if undo(t, docs, journal, r.ID); !sameDump(before, dump(docs)) {
		t.Error("the documents are not what they were")
	}
}

// restless are documents that are delivered again: after a connection broke, and where they were changed meanwhile.
type restless struct {
	*mem.Documents
	broke bool
}

func (d *restless) Outline(ctx context.Context, c record.Collection, yield func([]record.Document) error) error {
	err := d.Documents.Outline(ctx, c, func(page []record.Document) error {
		if err := yield(page); err != nil {
			return err
		}
		for i := range page {
			page[i].Held.Times = map[string]any{"since": int64(1800000000)} // what nobody believes
		}
		return yield(page)
	})
	if err == nil && !d.broke {
		d.broke = true
		err = fmt.Errorf("read: %w", record.ErrUnavailable)
	}
	return err
}

func TestWhatComesTwiceCountsOnce(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	for i := range 20 {
		user := fmt.Sprint(94490510688792576 + i)
		docs.Insert(record.MonitoringCollection, map[string]any{"user_id": user, "since": int64(1650000000)})
		docs.Insert(record.APIKeysCollection, map[string]any{"user_id": user, "key": "key of " + user})
	}
	docs.Insert(record.APIKeysCollection, map[string]any{"user_id": bob})
	docs.Insert(record.APIKeysCollection, map[string]any{})
	r := run(t, sweep.Options{Documents: &restless{Documents: docs}, Journal: mem.NewJournal(), Leases: new(mem.Leases), Dedupe: true, Backoff: time.Millisecond})
	if r.Users != 20 || r.Merged != 0 || r.Changes != 0 || r.Places[0].Documents != 20 {
		t.Errorf("%+v", r)
	}
	want := sweep.CollectionFigures{Collection: record.APIKeysCollection, Documents: 22, Nobodys: 1, Keyless: 1}
	if diff := cmp.Diff(want, r.Collections[record.APIKeysCollection]); diff != "" {
		t.Error(diff)
	}
}

func TestAnUnavailableServerIsTriedAgain(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000"})
	var said []string
	r := run(t, sweep.Options{
		Documents: &meddled{Documents: docs, fail: func(call int) error {
			if call < 3 {
				return fmt.Errorf("write: %w", record.ErrUnavailable)
			}
			return nil
		}},
		Journal: mem.NewJournal(), Leases: new(mem.Leases), Backoff: time.Millisecond, Notify: func(s string) { said = append(said, s) },
	})
	if r.Changed != 1 || len(said) != 2 {
		t.Errorf("%+v, said %q", r, said)
	}
}

// TestAFailureCountsWhatIsJournalled has a server that makes changes and does not say so.
func TestAFailureCountsWhatIsJournalled(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	for i := range 10 {
		docs.Insert(record.MonitoringCollection, map[string]any{"user_id": fmt.Sprint(94490510688792576 + i), "since": "1650000000"})
	}
	before := dump(docs)
	silent := errors.New("no answer")
	r, err := sweep.New(sweep.Options{Documents: mute{docs, silent}, Journal: journal, Leases: journal}).Run(t.Context())
	sweeps, _ := journal.Sweeps(t.Context())
	if !errors.Is(err, silent) || r.Changes != 10 || len(sweeps) != 1 || sweeps[0].Changes != 10 {
		t.Errorf("%v, %+v, %+v", err, r, sweeps)
	}
	if sum := r.Created + r.Changed + r.Merged + r.Unchanged + r.Undated + r.Left; r.Users != sum {
		t.Errorf("%d users, and %d in the columns", r.Users, sum)
	}
	if u := undo(t, docs, journal, r.ID); u.Restored != 10 || !sameDump(before, dump(docs)) {
		t.Errorf("%+v", u)
	}
}

// TestAFailureBeforeAChangeCountsNone has a server that makes no change, as where the user may not write.
func TestAFailureBeforeAChangeCountsNone(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000"})
	docs.Insert(record.UsersCollection, map[string]any{"user_id": bob, "since": int64(1650000000)})
	before := dump(docs)
	refused := errors.New("not authorized")
	r, err := sweep.New(sweep.Options{Documents: refusing{docs, refused}, Journal: journal, Leases: journal}).Run(t.Context())
	if !errors.Is(err, refused) || r.Changes != 0 {
		t.Errorf("%v, %d changes", err, r.Changes)
	}
	if u := undo(t, docs, journal, r.ID); u.Restored != 0 || !sameDump(before, dump(docs)) {
		t.Errorf("%+v", u)
	}
}

// TestAChangeThatChangedNothingYetIsNone: the first step of a merge may find the document that stays as it should be.
func TestAChangeThatChangedNothingYetIsNone(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	for _, id := range []string{"a", "b"} {
		docs.Insert(record.KVCollection, map[string]any{"_id": id, "user_id": alice, "kv": map[string]any{"x": "1"}})
	}
	refused := errors.New("not authorized")
	r, err := sweep.New(sweep.Options{Documents: &refusingDeletes{docs, refused}, Journal: journal, Leases: journal, Dedupe: true}).Run(t.Context())
	if !errors.Is(err, refused) || r.Changes != 0 {
		t.Errorf("%v, %d changes", err, r.Changes)
	}
}

type refusingDeletes struct {
	*mem.Documents
	err error
}

func (r *refusingDeletes) Apply(ctx context.Context, steps []record.Step) ([]record.StepResult, error) {
	if steps[0].After == nil {
		return nil, r.err
	}
	return r.Documents.Apply(ctx, steps)
}

// shaky is a journal of which every call fails once, as at an election: TakeLease before it took anything, or, where
// answers are lost, when it had. It never takes the lease back.
type shaky struct {
	*mem.Journal
	loses  bool
	failed map[string]bool
}

func (j shaky) once(name string) error {
	if j.failed[name] {
		return nil
	}
	j.failed[name] = true
	return fmt.Errorf("%s: %w", name, record.ErrUnavailable)
}

func (j shaky) Sweeps(ctx context.Context) ([]record.Sweep, error) {
	if err := j.once("Sweeps"); err != nil {
		return nil, err
	}
	return j.Journal.Sweeps(ctx)
}

func (j shaky) SaveSweep(ctx context.Context, s record.Sweep) error {
	return errors.Join(j.once("SaveSweep "+string(s.State)), j.Journal.SaveSweep(ctx, s))
}

func (j shaky) Lease(ctx context.Context, name string) (record.Lease, bool, error) {
	if err := j.once("Lease"); err != nil {
		return record.Lease{}, false, err
	}
	return j.Journal.Lease(ctx, name)
}

func (j shaky) TakeLease(ctx context.Context, l record.Lease, from record.Owner) (taken bool, err error) {
	failed := j.once("TakeLease")
	if failed == nil || j.loses {
		taken, err = j.Journal.TakeLease(ctx, l, from)
	}
	if failed != nil {
		return false, failed
	}
	return taken, err
}

func (j shaky) EndLease(context.Context, string, record.Owner) error { return errors.New("no") }

// TestAnElectionAtTheEdgesEndsNoSweep has the target unavailable whenever the journal is asked for the first time, and the
// lease in the hands of a process that lives no more.
func TestAnElectionAtTheEdgesEndsNoSweep(t *testing.T) {
	t.Parallel()
	for name, loses := range map[string]bool{"before it is written": false, "before it is answered": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
			docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000"})
			if _, err := journal.TakeLease(t.Context(), record.Lease{Name: record.SweepLease, Owner: another(), Heartbeat: time.Now().Add(-time.Hour)}, record.Owner{}); err != nil {
				t.Fatal(err)
			}
			var told []string
			shaken := shaky{journal, loses, make(map[string]bool)}
			o := sweep.Options{
				Documents: docs, Journal: shaken, Leases: shaken, Backoff: time.Millisecond, Watch: time.Millisecond,
				Notify: func(message string) { told = append(told, message) },
			}
			r, err := sweep.New(o).Run(t.Context())
			if err != nil || r.Changes != 1 {
				t.Errorf("%v, %+v", err, r)
			}
			sweeps, err := journal.Sweeps(t.Context())
			if err != nil || len(sweeps) != 1 || sweeps[0].State != record.SweepDone {
				t.Errorf("%v, %+v", err, sweeps)
			}
			if n := len(told); n == 0 || !strings.Contains(told[n-1], "the lease was not released") {
				t.Errorf("%q", told)
			}
		})
	}
}

type refusing struct {
	*mem.Documents
	err error
}

func (r refusing) Apply(context.Context, []record.Step) ([]record.StepResult, error) {
	return nil, r.err
}

type mute struct {
	*mem.Documents
	err error
}

func (m mute) Apply(ctx context.Context, steps []record.Step) ([]record.StepResult, error) {
	_, _ = m.Documents.Apply(ctx, steps) // nobody hears of it
	return nil, m.err
}

func TestAnInterruptedSweepFinishesWhatItBegan(t *testing.T) {
	t.Parallel()
	world := dated.New(5, 200)
	docs, journal := fill(world), mem.NewJournal()
	before := dump(docs)
	ctx, cancel := context.WithCancelCause(t.Context())
	m := &meddled{Documents: docs, before: func(int) { cancel(errors.New("Ctrl-C")) }}
	r, err := sweep.New(sweep.Options{Documents: m, Journal: journal, Leases: journal, Now: dated.Now, Chunk: 8}).Run(ctx)
	if !errors.Is(err, record.ErrInterrupted) || err.Error() != "interrupted: Ctrl-C" || r.Complete || r.Changes == 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	sweeps, _ := journal.Sweeps(t.Context())
	if len(sweeps) != 1 || sweeps[0].State != record.SweepInterrupted || sweeps[0].Changes != r.Changes {
		t.Errorf("%+v", sweeps)
	}
	if _, held, _ := journal.Lease(t.Context(), record.SweepLease); held {
		t.Error("the lease is still held")
	}
	if u := undo(t, docs, journal, r.ID); u.Already != 0 || !sameDump(before, dump(docs)) {
		t.Errorf("%+v", u)
	}
}

// another is a process that runs.
func another() record.Owner {
	host, _ := os.Hostname()
	return record.Owner{Host: host, PID: os.Getppid(), Run: "another"}
}

func TestOneSweepAtATime(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000"})
	theirs := record.Lease{Name: record.SweepLease, Owner: another(), Heartbeat: time.Now(), Doing: "sweep x"}
	take := func(l record.Lease) {
		if won, err := journal.TakeLease(t.Context(), l, l.Owner); err != nil || !won {
			t.Fatal(won, err)
		}
	}
	take(theirs)
	_, err := sweep.New(sweep.Options{Documents: docs, Journal: journal, Leases: journal}).Run(t.Context())
	if busy, ok := errors.AsType[*lease.BusyError](err); !ok || busy.Lease.Doing != "sweep x" || docs.Writes() != 0 {
		t.Errorf("%v", err)
	}
	// Whoever was silent for so long lives no more, and what it was at is marked.
	theirs.Heartbeat = time.Now().Add(-time.Hour)
	take(theirs)
	if err := journal.SaveSweep(t.Context(), record.Sweep{ID: "x", State: record.SweepRunning, Owner: theirs.Owner}); err != nil {
		t.Fatal(err)
	}
	run(t, sweep.Options{Documents: docs, Journal: journal, Leases: journal})
	sweeps, _ := journal.Sweeps(t.Context())
	for _, s := range sweeps {
		if want := map[bool]record.SweepState{true: record.SweepInterrupted, false: record.SweepDone}[s.ID == "x"]; s.State != want {
			t.Errorf("%s is %s", s.ID, s.State)
		}
	}
}

// TestWhoLivesOnAnotherHostIsWatched has leases whose clock says nothing.
func TestWhoLivesOnAnotherHostIsWatched(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ahead time.Duration
		beats bool
	}{
		"dead, with a clock that is ahead":    {ahead: time.Hour},
		"alive, with a clock that is ahead":   {ahead: time.Hour, beats: true},
		"alive, with a clock that is behind":  {ahead: -time.Hour, beats: true},
		"dead, and has been so for some time": {ahead: -time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			journal := &watched{Journal: mem.NewJournal()}
			l := record.Lease{Name: record.SweepLease, Owner: record.Owner{Host: "elsewhere", PID: 1, Run: "other"}, Heartbeat: time.Now().Add(c.ahead)}
			if won, err := journal.TakeLease(t.Context(), l, l.Owner); !won || err != nil {
				t.Fatal(won, err)
			}
			if c.beats {
				journal.beat = func() {
					l.Heartbeat = l.Heartbeat.Add(time.Second)
					_, _ = journal.KeepLease(t.Context(), l) // memory does not fail
				}
			}
			_, err := sweep.New(sweep.Options{Documents: mem.NewDocuments(record.Limits{}), Journal: journal, Leases: journal, Watch: 10 * time.Millisecond}).Run(t.Context())
			if _, busy := errors.AsType[*lease.BusyError](err); busy != c.beats || !busy && err != nil {
				t.Error(err)
			}
		})
	}
}

// watched is a journal in which somebody is at work when the lease is looked at.
type watched struct {
	*mem.Journal
	beat func()
}

func (j *watched) Lease(ctx context.Context, name string) (record.Lease, bool, error) {
	l, held, err := j.Journal.Lease(ctx, name)
	if j.beat != nil {
		j.beat()
	}
	return l, held, err
}

func TestALeaseThatIsLostEndsASweep(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	_, err := sweep.New(sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dates: []record.DateSource{waiting{func() {
		l, _, _ := journal.Lease(t.Context(), record.SweepLease)
		if won, err := journal.TakeLease(t.Context(), record.Lease{Name: record.SweepLease, Owner: another(), Heartbeat: time.Now()}, l.Owner); !won || err != nil {
			t.Error(won, err)
		}
	}}}}).Run(t.Context())
	if !errors.Is(err, lease.ErrLost) {
		t.Error(err)
	}
	if l, held, _ := journal.Lease(t.Context(), record.SweepLease); !held || l.Owner.Run != "another" {
		t.Error("the other's lease was given back")
	}
}

// TestALeaseThatWasTakenAndGivenBackIsLost is a process that was suspended while another one swept.
func TestALeaseThatWasTakenAndGivenBackIsLost(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000"})
	m := &meddled{Documents: docs, before: func(int) {
		l, _, _ := journal.Lease(t.Context(), record.SweepLease)
		if err := journal.EndLease(t.Context(), l.Name, l.Owner); err != nil {
			t.Error(err)
		}
	}}
	if _, err := sweep.New(sweep.Options{Documents: m, Journal: journal, Leases: journal}).Run(t.Context()); !errors.Is(err, lease.ErrLost) {
		t.Error(err)
	}
	if _, held, _ := journal.Lease(t.Context(), record.SweepLease); held {
		t.Error("the lease was taken again")
	}
	// Whoever had it meanwhile may have written what became of the sweep.
	if sweeps, _ := journal.Sweeps(t.Context()); len(sweeps) != 1 || sweeps[0].State != record.SweepRunning {
		t.Errorf("%+v", sweeps)
	}
}

// waiting is a source of dates that comes to its end only when it is interrupted.
type waiting struct{ begin func() }

func (waiting) Places() []record.DatePlace { return []record.DatePlace{{Name: "waiting"}} }

func (waiting) Total(context.Context) (int64, error) { return 0, nil }

func (w waiting) Values(ctx context.Context, _ func([]record.DateValue) error) error {
	w.begin()
	<-ctx.Done()
	return ctx.Err()
}

func TestPlacesHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	twice := []record.DateSource{waiting{}, waiting{}}
	if _, err := sweep.New(sweep.Options{Documents: docs, Dates: twice, DryRun: true}).Run(t.Context()); err == nil {
		t.Error("two places of one name")
	}
}

func TestASourceThatFailsChangesNothing(t *testing.T) {
	t.Parallel()
	docs, journal := mem.NewDocuments(record.Limits{}), mem.NewJournal()
	docs.Insert(record.MonitoringCollection, map[string]any{"user_id": alice, "since": "1650000000"})
	_, err := sweep.New(sweep.Options{Documents: docs, Journal: journal, Leases: journal, Dates: []record.DateSource{failing{}}}).Run(t.Context())
	sweeps, _ := journal.Sweeps(t.Context())
	if !errors.Is(err, errKilled) || docs.Writes() != 0 || len(sweeps) != 0 {
		t.Errorf("%v, %v", err, sweeps)
	}
}

type failing struct{ waiting }

func (failing) Values(context.Context, func([]record.DateValue) error) error { return errKilled }

func TestImplausibleValuesAreTold(t *testing.T) {
	t.Parallel()
	docs := mem.NewDocuments(record.Limits{})
	docs.Insert(record.UsersCollection, map[string]any{"user_id": alice, "since": int64(1230768000), "monitoring_since": "soon"})
	var told []sweep.Implausible
	r := run(t, sweep.Options{Documents: docs, DryRun: true, Implausible: func(i sweep.Implausible) { told = append(told, i) }})
	want := []sweep.Implausible{
		{Place: "users.since", User: 94490510688792576, Reason: record.ImplausibleTimestamp, Detail: "before 2015-01-01"},
		{Place: "users.monitoring_since", User: 94490510688792576, Reason: record.NotATimestamp, Detail: "neither a number nor an ISO 8601 time"},
	}
	if fmt.Sprint(told) != fmt.Sprint(want) || r.Undated != 1 {
		t.Errorf("%+v, %+v", told, r)
	}
}
