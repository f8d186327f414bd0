package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// Fields are a document's: nil, bool, int32, int64, float64, string, time.Time, map[string]any and []any, by name.
type Fields = map[string]any

// DocumentsTarget are collections of documents under test, with what a test needs besides.
type DocumentsTarget struct {
	Documents record.Documents

	// Put writes a document behind lanyardctl's back, in place of the one with the same "_id", and returns its ID. A
	// document without "_id" gets one.
	Put func(record.Collection, Fields) string

	// Many is how many steps are many; [record.MaxSteps] where zero.
	Many int

	// Remove deletes a document behind lanyardctl's back.
	Remove func(c record.Collection, id string)

	// Unique makes a unique index.
	Unique func(c record.Collection, field string)

	// All returns all documents of a collection by ID, and Dump in the store's own encoding.
	All  func(record.Collection) map[string]Fields
	Dump func(record.Collection) map[string][]byte
}

// OpenDocuments opens collections without documents.
type OpenDocuments func(testing.TB) DocumentsTarget

// MemDocuments opens the collections that define what collections do.
func MemDocuments(testing.TB) DocumentsTarget {
	d := mem.NewDocuments(record.Limits{MaxDocument: record.DefaultMaxDocument})
	return DocumentsTarget{Documents: d, Put: d.Insert, Remove: d.Remove, Unique: d.Unique, All: d.All, Dump: d.Dump}
}

// Documents runs the suite for [record.Documents].
func Documents(t *testing.T, open OpenDocuments) {
	for name, test := range map[string]func(*testing.T, DocumentsTarget){
		"documents are outlined and read whole":             outlines,
		"a collection that does not exist has no documents": noDocuments,
		"reading stops":                                               outlineStops,
		"documents of any _id are found by it":                        wholeByAnyID,
		"documents are joined":                                        joins,
		"a step is carried out once, and taken back once":             stepsAndBack,
		"a number becomes one of another type":                        retypes,
		"a step leaves alone what is not as it was":                   movedSteps,
		"no document comes under an identity that another has":        takenIDs,
		"no document gets a value that is unique to another":          takenValues,
		"each step of a call has its own result":                      mixedSteps,
		"steps can be applied, and documents asked for, by thousands": manySteps,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// outlinedDocument is a document, and what is known of it.
type outlinedDocument struct {
	fields Fields

	user    record.UserID
	name    string
	numeric bool

	outline record.Held // but for Found
	whole   record.Held // but for Found, where it is more than the outline
}

var rounded = float64(alice) // no double gives an id of this size exactly

// owners are documents of whom nothing but the user id matters.
var owners = []outlinedDocument{
	{fields: Fields{"user_id": alice.String()}, user: alice},
	{fields: Fields{"user_id": int64(alice)}, user: alice, name: alice.String(), numeric: true},
	{fields: Fields{"user_id": int32(7)}, user: 7, name: "7", numeric: true},
	{fields: Fields{"user_id": float64(1 << 52)}, user: 1 << 52, name: "4.503599627370496e+15", numeric: true},
	{fields: Fields{"user_id": rounded}, name: string(record.JSON(rounded)), numeric: true},
	{fields: Fields{"user_id": 1.5}, name: "1.5", numeric: true},
	{fields: Fields{"user_id": int64(-7)}, name: "-7", numeric: true},
	{fields: Fields{"user_id": int32(0)}, name: "0", numeric: true},
	{fields: Fields{"user_id": -7.0}, name: "-7", numeric: true},
	{fields: Fields{"user_id": "nobody"}, name: "nobody"},
	{fields: Fields{"user_id": " 7"}, name: " 7"},
	{fields: Fields{"user_id": ""}},
	{fields: Fields{"user_id": nil}, name: "null"},
	{fields: Fields{"user_id": true}, name: "true"},
	{fields: Fields{"user_id": []any{"7"}}, name: `["7"]`},
	{fields: Fields{"other": "field"}},
}

type times = map[string]any

// dated are documents of the collections whose documents are dates.
var dated = []outlinedDocument{
	{fields: Fields{"since": int64(1664641326)}, outline: record.Held{Times: times{"since": int64(1664641326)}}},
	{fields: Fields{"since": int32(1664641326)}, outline: record.Held{Times: times{"since": int64(1664641326)}}},
	{fields: Fields{"since": 1664641326.0}, outline: record.Held{Times: times{"since": 1664641326.0}}},
	{fields: Fields{"since": "2022-10-01T16:22:06Z"}, outline: record.Held{Times: times{"since": "2022-10-01T16:22:06Z"}}},
	{fields: Fields{"since": Now}, outline: record.Held{Times: times{"since": Now}}},
	{fields: Fields{"since": nil}, outline: record.Held{Times: times{"since": nil}}},
	{fields: Fields{"since": int32(1), "monitoring_since": int64(2), "other": "x"}, outline: record.Held{Times: times{"since": int64(1), "monitoring_since": int64(2)}}},
	{fields: Fields{"timestamp": int64(1), "kv": Fields{"monitoring_since": int64(2)}}},
}

var outlinedDocuments = map[record.Collection][]outlinedDocument{
	record.MonitoringCollection: dated,
	record.UsersCollection:      dated,
	record.KVCollection: {
		{
			fields:  Fields{"kv": Fields{"a": "b", "monitoring_since": "2022-10-01"}},
			outline: record.Held{Times: times{"monitoring_since": "2022-10-01"}},
			whole:   record.Held{Times: times{"monitoring_since": "2022-10-01"}, Fields: values{"a": "b", "monitoring_since": "2022-10-01"}},
		},
		{fields: Fields{"kv": Fields{"a": int32(1), "since": int64(2)}, "since": int64(3), "monitoring_since": int64(4)}, whole: record.Held{Fields: values{"a": int64(1), "since": int64(2)}}},
		{fields: Fields{"kv": Fields{}}},
		{fields: Fields{"kv": "text"}, whole: record.Held{Malformed: "text"}},
		{fields: Fields{"kv": []any{Fields{"monitoring_since": int64(1)}}}, whole: record.Held{Malformed: record.Array{record.Object{"monitoring_since": int64(1)}}}},
		{fields: Fields{"kv": nil}},
		{fields: Fields{"other": int64(1)}},
	},
	record.LastSeenCollection: {
		{fields: Fields{"timestamp": int64(1700000000000)}, whole: record.Held{Times: times{"timestamp": int64(1700000000000)}}},
		{fields: Fields{"timestamp": Now, "updated_at": Now}, whole: record.Held{Times: times{"timestamp": Now}}},
		{fields: Fields{"since": int64(1)}},
	},
	record.APIKeysCollection: {
		{fields: Fields{"key": keyA, "created_at": Now}, outline: record.Held{APIKey: keyA}},
		{fields: Fields{"key": ""}},
		{fields: Fields{"key": nil}},
		{fields: Fields{"key": int32(5)}, outline: record.Held{Malformed: int64(5)}},
		{fields: Fields{"other": "x"}},
	},
}

func outlines(t *testing.T, target DocumentsTarget) {
	ctx := context.Background()
	for _, c := range record.UserCollections {
		outlined, whole := make(map[string]record.Document), make(map[string]record.Document)
		put := func(d outlinedDocument) {
			id := target.Put(c, d.fields)
			doc := record.Document{Kind: c.Form(), Collection: c, ID: id, User: d.user, Name: record.NameOf(d.name), Numeric: d.numeric, Held: d.outline}
			doc.Held.Found = true
			outlined[id] = doc
			if !cmp.Equal(d.whole, record.Held{}) {
				doc.Held = d.whole
			}
			doc.Held.Found = true
			whole[id] = doc
		}
		for _, d := range owners {
			put(d)
		}
		for _, d := range outlinedDocuments[c] {
			d.fields, d.user = maps.Clone(d.fields), bob
			d.fields["user_id"] = bob.String()
			put(d)
		}
		dump := target.Dump(c)
		for id, doc := range whole {
			doc.Raw = dump[id]
			whole[id] = doc
		}

		got := make(map[string]record.Document)
		err := target.Documents.Outline(ctx, c, func(page []record.Document) error {
			if len(page) == 0 {
				t.Errorf("an empty page of %s", c)
			}
			for _, d := range page {
				got[d.ID] = d
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(outlined, got, cmpopts.EquateEmpty()); d != "" {
			t.Errorf("outlines of %s (-want +got):\n%s", c, d)
		}

		ids := slices.Collect(maps.Keys(whole))
		found, err := target.Documents.Whole(ctx, c, append(ids, "no such ID", ""), record.DefaultMaxDocument)
		if err != nil {
			t.Fatal(err)
		}
		got = make(map[string]record.Document)
		for _, d := range found {
			got[d.ID] = d
		}
		if d := cmp.Diff(whole, got, cmpopts.EquateEmpty()); d != "" || len(found) != len(got) {
			t.Errorf("%d whole documents of %s (-want +got):\n%s", len(found), c, d)
		}
		size := 0
		for _, d := range found {
			size += len(d.Raw)
		}
		for _, kind := range record.LanyardKinds.List() {
			if kind.Identified() && record.CollectionOf(kind) == c {
				ofUsers(t, target, kind, got)
			}
		}
		if _, err := target.Documents.Whole(ctx, c, ids, size); err != nil {
			t.Errorf("as many bytes as may be held: %v", err)
		}
		if _, err := target.Documents.Whole(ctx, c, ids, size-1); !errors.Is(err, record.ErrTooMuch) {
			t.Errorf("more bytes than may be held: %v", err)
		}
	}
	contents, err := target.Documents.Contents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range record.UserCollections {
		if want := int64(len(owners) + len(outlinedDocuments[c])); contents[c] != want {
			t.Errorf("%d documents of %s are counted, want %d", contents[c], c, want)
		}
	}
}

// ofUsers checks that the documents of users, by text, are those among all.
func ofUsers(t *testing.T, target DocumentsTarget, kind record.Kind, all map[string]record.Document) {
	t.Helper()
	for _, users := range [][]record.UserID{{alice}, {bob, alice}, {7}} {
		want, got := map[string]record.Document{}, map[string]record.Document{}
		for id, d := range all {
			if !d.Numeric && slices.Contains(users, d.User) {
				want[id] = d
			}
		}
		found, err := target.Documents.OfUsers(context.Background(), kind, users, record.DefaultMaxDocument)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range found {
			got[d.ID] = d
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" || len(found) != len(got) {
			t.Errorf("%s of %v (-want +got):\n%s", kind, users, d)
		}
		if len(want) == 0 && users[0] != 7 {
			t.Errorf("no %s of %v: the test says nothing", kind, users)
		}
	}
}

func noDocuments(t *testing.T, target DocumentsTarget) {
	ctx := context.Background()
	for _, c := range record.UserCollections {
		err := target.Documents.Outline(ctx, c, func([]record.Document) error { return errors.New("called") })
		if err != nil {
			t.Error(err)
		}
		found, err := target.Documents.Whole(ctx, c, []string{"x"}, record.DefaultMaxDocument)
		if err != nil || len(found) > 0 {
			t.Errorf("%d documents of %s: %v", len(found), c, err)
		}
		if results, err := target.Documents.Apply(ctx, nil); err != nil || len(results) > 0 {
			t.Errorf("%d results of no step: %v", len(results), err)
		}
	}
	contents, err := target.Documents.Contents(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for c, n := range contents {
		if n != 0 {
			t.Errorf("%d documents of %s", n, c)
		}
	}
}

// firstIsEnough checks that a reading stops where its reader has enough.
func firstIsEnough[T any](t *testing.T, read func(yield func([]T) error) error) {
	t.Helper()
	enough := errors.New("enough")
	calls := 0
	err := read(func([]T) error {
		calls++
		return enough
	})
	if err != enough || calls != 1 {
		t.Errorf("%d pages and the error %v, where the first page was enough", calls, err)
	}
}

func outlineStops(t *testing.T, target DocumentsTarget) {
	for range 20 {
		target.Put(record.MonitoringCollection, Fields{"user_id": "7"})
	}
	firstIsEnough(t, func(yield func([]record.Document) error) error {
		return target.Documents.Outline(context.Background(), record.MonitoringCollection, yield)
	})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for operation, err := range map[string]error{
		"outline":  target.Documents.Outline(ctx, record.MonitoringCollection, func([]record.Document) error { return fmt.Errorf("called") }),
		"whole":    second(target.Documents.Whole(ctx, record.MonitoringCollection, slices.Collect(maps.Keys(target.All(record.MonitoringCollection))), record.DefaultMaxDocument)),
		"contents": second(target.Documents.Contents(ctx)),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s after the context was cancelled: %v", operation, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func wholeByAnyID(t *testing.T, target DocumentsTarget) {
	const c = record.MonitoringCollection
	for n, id := range []any{alice.String(), int64(1), int32(2), 2.5, true, Now, Fields{"a": int32(1)}, "", strings.Repeat("x", 500)} {
		stands := target.Put(c, Fields{"_id": id, "user_id": alice.String(), "since": int64(n)})
		doc := target.one(t, c, stands)
		step := target.Documents.Joined(record.Join{Collection: c, User: bob, Documents: []record.Document{doc}})
		if step.ID != stands || string(step.Before) != string(doc.Raw) {
			t.Errorf("_id %v is %q in the step", id, step.ID)
		}
		target.apply(t, record.StepDone, step)
		want := Fields{"_id": id, "user_id": bob.String(), "since": int64(n)}
		if d := cmp.Diff(want, target.All(c)[stands]); d != "" {
			t.Errorf("document of _id %v (-want +got):\n%s", id, d)
		}
		target.apply(t, record.StepDone, record.Step{Collection: c, ID: stands, Before: step.After})
		if all := target.All(c); len(all) != 0 {
			t.Errorf("_id %v: %v", id, all)
		}
		target.apply(t, record.StepDone, record.Step{Collection: c, ID: stands, After: step.After})
		if d := cmp.Diff(want, target.All(c)[stands]); d != "" {
			t.Errorf("inserted document of _id %v (-want +got):\n%s", id, d)
		}
		target.Remove(c, stands)
	}
}

// one returns the document with the ID, whole.
func (target DocumentsTarget) one(t testing.TB, c record.Collection, id string) record.Document {
	t.Helper()
	found, err := target.Documents.Whole(context.Background(), c, []string{id}, record.DefaultMaxDocument)
	if err != nil || len(found) != 1 {
		t.Fatalf("%d documents of the ID %q: %v", len(found), id, err)
	}
	return found[0]
}

// apply applies steps, all of which must have the result.
func (target DocumentsTarget) apply(t testing.TB, want record.StepResult, steps ...record.Step) {
	t.Helper()
	results, err := target.Documents.Apply(context.Background(), steps)
	if err != nil || len(results) != len(steps) {
		t.Fatalf("%d results of %d steps: %v", len(results), len(steps), err)
	}
	for i, got := range results {
		if got != want {
			t.Errorf("step %d has the result %d, want %d", i, got, want)
		}
	}
}
