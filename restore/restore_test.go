package restore_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/restore"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

const (
	alice record.UserID = 94490510688792576
	bob   record.UserID = 268473310986240001
)

func pair(user record.UserID, name string, v record.Value) record.Record {
	return record.Record{Kind: record.KV, User: user, Fields: map[string]record.Field{name: {Value: v}}}
}

func apiKey(user record.UserID, key string) record.Record {
	return record.Record{Kind: record.APIKeys, User: user, APIKey: key}
}

func newDocuments(limits record.Limits) *mem.Documents {
	d := mem.NewDocuments(limits)
	d.Insert(record.KVCollection, map[string]any{"_id": "a", "user_id": alice.String(), "kv": map[string]any{"city": "Ghent", "n": int64(7)}})
	d.Insert(record.KVCollection, map[string]any{"_id": "b1", "user_id": bob.String(), "kv": map[string]any{"x": "1"}})
	d.Insert(record.KVCollection, map[string]any{"_id": "b2", "user_id": bob.String(), "kv": map[string]any{"x": "2"}})
	d.Insert(record.APIKeysCollection, map[string]any{"_id": "a", "user_id": alice.String(), "key": "new"})
	return d
}

func TestValuesAreWrittenBackAndWhatTheyOverwriteIsKept(t *testing.T) {
	documents := newDocuments(record.Limits{NoDots: true, Server: "the server"})
	var kept []string
	o := restore.Options{
		Documents: documents,
		Values: []record.Record{
			pair(alice, "city", "Utrecht"), pair(alice, "n", 7.0), pair(alice, "more", true), pair(bob, "x", "3"),
			pair(7, "first", nil), pair(alice, "a.b", "1"), apiKey(alice, "old"), apiKey(bob, "key"),
		},
		Keep: func(values []record.Superseded) error {
			for _, v := range values {
				kept = append(kept, v.Field+"="+v.Value.Data)
			}
			return nil
		},
	}
	run := func() string {
		t.Helper()
		got, err := restore.Run(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		var statuses []string
		for _, r := range got {
			statuses = append(statuses, string(r.Status))
			if (r.Status == restore.Refused) != (r.Why != "") {
				t.Errorf("%+v", r)
			}
		}
		return strings.Join(statuses, " ")
	}
	const want = "restored unchanged restored refused restored refused restored refused"
	o.DryRun = true
	if got := run(); got != want || documents.Writes() > 0 || kept != nil {
		t.Errorf("a dry run: %s, %d writes, %q kept", got, documents.Writes(), kept)
	}
	o.DryRun = false
	if got := run(); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	writes := documents.Writes()
	if got, want := run(), strings.ReplaceAll(want, "restored", "unchanged"); got != want || documents.Writes() != writes {
		t.Errorf("again: %s, want %s; %d writes more", got, want, documents.Writes()-writes)
	}
	slices.Sort(kept)
	if d := cmp.Diff([]string{"city=Ghent", "key=new"}, kept); d != "" {
		t.Error(d)
	}
	var pairs, keys []any
	for _, doc := range documents.All(record.KVCollection) {
		if doc["user_id"] == alice.String() {
			pairs = append(pairs, doc["kv"])
		}
	}
	for _, doc := range documents.All(record.APIKeysCollection) {
		keys = append(keys, doc["key"])
	}
	if d := cmp.Diff([]any{map[string]any{"city": "Utrecht", "n": int64(7), "more": true}}, pairs); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]any{"old"}, keys); d != "" {
		t.Error(d)
	}
}

// changing is documents of which somebody else changes one before each of the first steps.
type changing struct {
	*mem.Documents
	left int
}

func (c *changing) Apply(ctx context.Context, steps []record.Step) ([]record.StepResult, error) {
	if c.left != 0 {
		c.left--
		c.Remove(record.KVCollection, steps[0].ID)
		c.Insert(record.KVCollection, map[string]any{"_id": "a", "user_id": alice.String(), "kv": map[string]any{"left": int64(c.left)}})
	}
	return c.Documents.Apply(ctx, steps)
}

func TestADocumentThatSomebodyChangesIsReadAgain(t *testing.T) {
	for left, want := range map[int]restore.Status{2: restore.Restored, -1: restore.Refused} {
		c := &changing{newDocuments(record.Limits{}), left}
		got, err := restore.Run(context.Background(), restore.Options{
			Documents: c, Values: []record.Record{pair(alice, "city", "Utrecht")}, Keep: func([]record.Superseded) error { return nil },
		})
		if err != nil || got[0].Status != want {
			t.Errorf("%d changes: %+v, %v", left, got, err)
		}
	}
}

func TestWhatCannotBeKeptIsNotOverwritten(t *testing.T) {
	documents := newDocuments(record.Limits{})
	full := errors.New("disk full")
	_, err := restore.Run(context.Background(), restore.Options{
		Documents: documents, Values: []record.Record{pair(alice, "city", "Utrecht")}, Keep: func([]record.Superseded) error { return full },
	})
	if !errors.Is(err, full) || documents.Writes() > 0 {
		t.Errorf("%v, %d writes", err, documents.Writes())
	}
}

func TestAnAPIKeyThatAnotherUserHasIsRefused(t *testing.T) {
	for name, other := range map[string]map[string]any{
		"another user": {"_id": "b", "user_id": bob.String(), "key": "old"},
		"a number":     {"_id": "n", "user_id": int64(alice), "key": "old"},
		"nobody":       {"_id": "x", "user_id": "x", "key": "old"},
	} {
		documents := newDocuments(record.Limits{})
		documents.Insert(record.APIKeysCollection, other)
		got, err := restore.Run(context.Background(), restore.Options{
			Documents: documents, Values: []record.Record{apiKey(alice, "old")}, Keep: func([]record.Superseded) error { return nil },
		})
		if err != nil || got[0].Status != restore.Refused || documents.Writes() > 0 {
			t.Errorf("%s: %+v, %v, %d writes", name, got, err, documents.Writes())
		}
	}
}

func TestTwoValuesForOnePlaceAreAConflict(t *testing.T) {
	for name, tc := range map[string]struct {
		values []record.Record
		want   bool
	}{
		"one field, two values": {[]record.Record{pair(alice, "a", "1"), pair(alice, "a", "2")}, true},
		"one field, one value":  {[]record.Record{pair(alice, "a", 1.0), pair(alice, "a", int64(1))}, false},
		"two users":             {[]record.Record{pair(alice, "a", "1"), pair(bob, "a", "2")}, false},
		"two kinds":             {[]record.Record{pair(alice, "", "1"), apiKey(alice, "2")}, false},
		"one key, two users":    {[]record.Record{apiKey(alice, "1"), apiKey(bob, "1")}, true},
		"two keys":              {[]record.Record{apiKey(alice, "1"), apiKey(alice, "2")}, true},
	} {
		if err := restore.Conflict(tc.values); (err != nil) != tc.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADocumentThatIsNoneOfOursIsNotOverwritten(t *testing.T) {
	documents := mem.NewDocuments(record.Limits{})
	documents.Insert(record.KVCollection, map[string]any{"_id": "a", "user_id": alice.String(), "kv": "text"})
	got, err := restore.Run(context.Background(), restore.Options{
		Documents: documents, Values: []record.Record{pair(alice, "city", "Utrecht")}, Keep: func([]record.Superseded) error { return nil },
	})
	if err != nil || got[0].Status != restore.Refused || documents.Writes() > 0 {
		t.Errorf("%+v, %v, %d writes", got, err, documents.Writes())
	}
	if _, err := restore.Run(context.Background(), restore.Options{Documents: documents, Values: make([]record.Record, restore.MaxValues+1)}); err == nil {
		t.Error("more values than can be written together are taken")
	}
}
