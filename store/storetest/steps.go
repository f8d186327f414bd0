package storetest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
)

// dateStep returns the step that writes a date into the document with the ID, or into a new one of the user's where that is
// empty.
func (target DocumentsTarget) dateStep(t testing.TB, user record.UserID, id string, date int64) record.Step {
	t.Helper()
	j := record.Join{Collection: record.MonitoringCollection, User: user, Decision: record.Decision{Write: true, Time: date}}
	if id != "" {
		j.Documents = []record.Document{target.one(t, j.Collection, id)}
	}
	return target.Documents.Joined(j)
}

func stepsAndBack(t *testing.T, target DocumentsTarget) {
	const c = record.MonitoringCollection
	changed := target.Put(c, Fields{"user_id": int64(alice), "since": Now, "list": []any{int32(1), "x", nil}})
	removed := target.Put(c, Fields{"user_id": bob.String(), "since": int32(7)})
	steps := []record.Step{
		target.dateStep(t, alice, changed, 1664641326),
		{Collection: c, ID: removed, Before: target.one(t, c, removed).Raw},
		target.dateStep(t, 7, "", 5),
	}
	before := target.Dump(c)
	undo := make([]record.Step, len(steps))
	for i, s := range steps {
		undo[i] = s.Undo()
	}

	target.apply(t, record.StepDone, steps...)
	after := target.Dump(c)
	want := map[string][]byte{steps[0].ID: steps[0].After, steps[2].ID: steps[2].After}
	if d := cmp.Diff(want, after); d != "" {
		t.Fatalf("after the steps (-want +got):\n%s", d)
	}
	target.apply(t, record.StepNoop, steps...)
	if d := cmp.Diff(after, target.Dump(c)); d != "" {
		t.Errorf("after the same steps again (-want +got):\n%s", d)
	}
	target.apply(t, record.StepDone, undo...)
	if d := cmp.Diff(before, target.Dump(c)); d != "" {
		t.Errorf("taken back (-want +got):\n%s", d)
	}
	target.apply(t, record.StepNoop, undo...)
	if d := cmp.Diff(before, target.Dump(c)); d != "" {
		t.Errorf("taken back twice (-want +got):\n%s", d)
	}
}

// retypes changes nothing but the type of a number: servers that compare by value take it for the same.
func retypes(t *testing.T, target DocumentsTarget) {
	const c = record.MonitoringCollection
	id := target.Put(c, Fields{"user_id": alice.String(), "since": 1664641326.0, "z": int32(1)})
	before := target.Dump(c)
	step := target.dateStep(t, alice, id, 1664641326)
	target.apply(t, record.StepDone, step)
	if got := target.All(c)[id]["since"]; got != int64(1664641326) {
		t.Errorf("since is %T %v", got, got)
	}
	target.apply(t, record.StepNoop, step)
	target.apply(t, record.StepModified, record.Step{Collection: c, ID: id, Before: step.Before}) // a double, and to be removed
	target.apply(t, record.StepDone, step.Undo())
	target.apply(t, record.StepNoop, step.Undo())
	if d := cmp.Diff(before, target.Dump(c)); d != "" {
		t.Errorf("taken back (-want +got):\n%s", d)
	}
}

func movedSteps(t *testing.T, target DocumentsTarget) {
	const c = record.MonitoringCollection
	for name, now := range map[string]Fields{
		"another value":                   {"user_id": "7", "since": int64(2), "a": "x"},
		"the same value of another type":  {"user_id": "7", "since": int64(1), "a": "x"},
		"another field":                   {"user_id": "7", "since": int32(1), "a": "x", "b": nil},
		"a field less":                    {"user_id": "7", "since": int32(1)},
		"a field of the new document":     {"user_id": "7", "since": int32(1), "a": "y"},
		"nothing, since it was removed":   nil,
		"the document that shall be, but": {"user_id": "7", "since": int64(1664641326), "a": "x", "b": "y"},
	} {
		t.Run(name, func(t *testing.T) {
			id := target.Put(c, Fields{"_id": "first", "user_id": "7", "since": int32(1), "a": "x"})
			change := target.dateStep(t, 7, id, 1664641326)
			remove := record.Step{Collection: c, ID: id, Before: change.Before}
			removed := record.StepModified
			if now == nil {
				target.Remove(c, id)
				removed = record.StepNoop
			} else {
				fields := Fields{"_id": "first"}
				for name, v := range now {
					fields[name] = v
				}
				target.Put(c, fields)
			}
			before := target.Dump(c)
			target.apply(t, record.StepModified, change)
			target.apply(t, removed, remove)
			target.apply(t, record.StepModified, change.Undo())
			if d := cmp.Diff(before, target.Dump(c)); d != "" {
				t.Errorf("it was changed (-before +after):\n%s", d)
			}
		})
	}
}

func takenIDs(t *testing.T, target DocumentsTarget) {
	const c = record.MonitoringCollection
	insert := target.dateStep(t, alice, "", 1664641326)
	target.Put(c, Fields{"_id": alice.String(), "user_id": bob.String()})
	before := target.Dump(c)
	target.apply(t, record.StepDuplicate, insert)
	if d := cmp.Diff(before, target.Dump(c)); d != "" {
		t.Errorf("it was changed (-before +after):\n%s", d)
	}
	target.Remove(c, insert.ID)
	target.apply(t, record.StepDone, insert)
}

func takenValues(t *testing.T, target DocumentsTarget) {
	const c = record.MonitoringCollection
	text := target.Put(c, Fields{"_id": "text", "user_id": alice.String()})
	number := target.Put(c, Fields{"_id": "number", "user_id": int64(alice)})
	free := target.Put(c, Fields{"_id": "free", "user_id": int64(bob)})
	target.Unique(c, "user_id")
	rename := target.dateStep(t, alice, number, 5)
	insert := target.dateStep(t, alice, "", 5)
	before := target.Dump(c)
	target.apply(t, record.StepDuplicate, rename, insert)
	if d := cmp.Diff(before, target.Dump(c)); d != "" {
		t.Errorf("it was changed (-before +after):\n%s", d)
	}

	// Others of the same call are not held up.
	ok := target.dateStep(t, bob, free, 5)
	results, err := target.Documents.Apply(context.Background(), []record.Step{rename, ok, insert})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]record.StepResult{record.StepDuplicate, record.StepDone, record.StepDuplicate}, results); d != "" {
		t.Errorf("results (-want +got):\n%s", d)
	}
	target.Remove(c, text)
	target.apply(t, record.StepDone, rename)
}

func mixedSteps(t *testing.T, target DocumentsTarget) {
	const c = record.MonitoringCollection
	put := func(user record.UserID, since any) string {
		return target.Put(c, Fields{"_id": fmt.Sprint(user, " date"), "user_id": user.String(), "since": since})
	}
	done := target.dateStep(t, 1, put(1, "text"), 5)
	already := target.dateStep(t, 2, put(2, "text"), 5)
	put(2, int64(5))
	moved := target.dateStep(t, 3, put(3, "text"), 5)
	put(3, "other text")
	inserted := target.dateStep(t, 4, "", 5)
	taken := target.dateStep(t, 5, "", 5)
	target.Put(c, Fields{"_id": "5"})
	removed := record.Step{Collection: c, ID: put(6, "text")}
	removed.Before = target.one(t, c, removed.ID).Raw
	large := target.dateStep(t, 7, target.Put(c, Fields{"_id": "large", "user_id": "7"}), 5)
	heavy := target.Put(record.UsersCollection, Fields{"_id": "heavy", "big": strings.Repeat("x", 9<<20)})
	heavier := target.Put(record.UsersCollection, Fields{"_id": "heavier", "bigger": strings.Repeat("x", 9<<20)})
	users := []record.Document{target.one(t, record.UsersCollection, heavy), target.one(t, record.UsersCollection, heavier)}
	large.After = target.Documents.Joined(record.Join{Collection: c, User: 7, Documents: append([]record.Document{{Raw: large.Before}}, users...)}).After
	elsewhere := record.Step{Collection: record.UsersCollection, ID: heavier, Before: users[1].Raw}

	want := []record.StepResult{
		record.StepRefused, record.StepDone, record.StepNoop, record.StepModified, record.StepDone, record.StepDuplicate, record.StepDone,
		record.StepDone,
	}
	got, err := target.Documents.Apply(context.Background(), []record.Step{large, done, already, moved, inserted, taken, removed, elsewhere})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("results (-want +got):\n%s", d)
	}
	since := make(map[any]any)
	for _, doc := range target.All(c) {
		since[doc["_id"]] = doc["since"]
	}
	wantSince := map[any]any{
		"1 date": int64(5), "2 date": int64(5), "3 date": "other text", "4": int64(5), "5": nil, "large": nil,
	}
	if d := cmp.Diff(wantSince, since); d != "" {
		t.Errorf("dates (-want +got):\n%s", d)
	}
}

func manySteps(t *testing.T, target DocumentsTarget) {
	const c = record.MonitoringCollection
	many := target.Many
	if many == 0 {
		many = record.MaxSteps
	}
	insert, update, remove := make([]record.Step, many), make([]record.Step, many), make([]record.Step, many)
	ids := make([]string, many)
	for i := range insert {
		insert[i] = target.dateStep(t, alice+record.UserID(i), "", 5)
		ids[i] = insert[i].ID
	}
	target.apply(t, record.StepDone, insert...)
	docs, err := target.Documents.Whole(context.Background(), c, ids, record.DefaultMaxDocument)
	if err != nil || len(docs) != many {
		t.Fatalf("%d documents: %v", len(docs), err)
	}
	for i, doc := range docs {
		j := record.Join{Collection: c, User: doc.User, Documents: docs[i : i+1], Decision: record.Decision{Write: true, Time: 6}}
		update[i] = target.Documents.Joined(j)
		remove[i] = record.Step{Collection: c, ID: update[i].ID, Before: update[i].After}
	}
	target.apply(t, record.StepDone, update...)
	target.apply(t, record.StepNoop, update...)
	target.apply(t, record.StepDone, remove...)
	if all := target.All(c); len(all) > 0 {
		t.Errorf("%d documents are left", len(all))
	}
}
