package storetest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
)

// deleteAll deletes the documents, and returns what became of them and what was kept.
func deleteAll(t failer, target Target, documents []record.Document) ([]record.Deletion, []string) {
	t.Helper()
	var kept []string
	deletions, err := target.Deleter.Delete(context.Background(), documents, func(values []record.Superseded) error {
		for _, v := range values {
			kept = append(kept, text(record.Reject(v)))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("delete: %v", err)
	}
	if len(deletions) != len(documents) {
		t.Fatalf("%d answers for %d documents", len(deletions), len(documents))
	}
	slices.Sort(kept)
	return deletions, slices.Compact(kept)
}

// deletes deletes documents of which some changed and some went since they were read.
func deletes(t *testing.T, open Open, texts bool) {
	rapid.Check(t, func(rt *rapid.T) {
		o := Options{Now: clock, Texts: texts, Mirror: !texts && rapid.Bool().Draw(rt, "mirror"), DryRun: rapid.IntRange(0, 3).Draw(rt, "dry run") == 0}
		puts := rapid.SliceOfN(genPut(texts), 1, 10).Draw(rt, "there")
		batch := oneKeyEach(rapid.SliceOfN(Records(), 1, 6).Draw(rt, "written"))
		later := rapid.SliceOfN(genPut(texts), 0, 4).Draw(rt, "later")
		o.Before = func(put func(record.Kind, record.UserID, mem.Document)) {
			model := Mem(t, Options{})
			for _, p := range puts {
				if keyIsFree(model, p) {
					model.Put(p.kind, p.user, p.document)
					put(p.kind, p.user, p.document)
				}
			}
		}
		model, target := Mem(t, o), open(t, o)
		write(t, model, batch)
		write(t, target, batch)
		var read []record.Document
		for _, kind := range record.LanyardKinds.List() {
			for user, s := range readBack(rt, target, kind) {
				if user != 0 && (uint64(user)>>22+uint64(kind))%4 > 0 { // a few stay
					read = append(read, s)
				}
			}
		}
		for _, p := range later {
			if keyIsFree(model, p) {
				if texts {
					p.document.Mark = model.All(p.kind)[p.user].Mark
				}
				model.Put(p.kind, p.user, p.document)
				target.Put(p.kind, p.user, p.document)
			}
		}
		want, wantKept := deleteAll(rt, model, read)
		got, kept := deleteAll(rt, target, read)
		if !slices.Equal(want, got) || !slices.Equal(wantKept, kept) {
			rt.Fatalf("answers %v and kept values differ from those in memory, %v:\n%s", got, want, cmp.Diff(wantKept, kept))
		}
		if d := difference(contentsOf(model), contentsOf(target)); d != "" {
			rt.Fatalf("contents differ from those in memory (-memory +target):\n%s", d)
		}
		checkReadBack(rt, target)
		for i, s := range read {
			now, there := readBack(rt, target, s.Kind)[s.User]
			switch {
			case got[i] == record.DeletionDone && there != o.DryRun:
				rt.Errorf("%s of %s is gone: %v", s.Kind, s.User, !there)
			case got[i] == record.DeletionModified && (!there || s.Holds(now.Held)):
				rt.Errorf("%s of %s was changed, and there is %+v", s.Kind, s.User, now)
			case got[i] == record.DeletionAbsent:
				rt.Errorf("%s of %s was not there", s.Kind, s.User)
			}
		}
		if o.DryRun {
			return
		}
		// Once more: what is gone is absent, and what was changed still is.
		again, keptAgain := deleteAll(rt, target, read)
		for i, first := range got {
			if second := again[i]; first == record.DeletionDone && second != record.DeletionAbsent || first == record.DeletionModified && second != first {
				rt.Errorf("%s of %s: first %v, then %v", read[i].Kind, read[i].User, first, second)
			}
		}
		if len(keptAgain) > 0 {
			rt.Errorf("kept once more: %q", keptAgain)
		}
	})
}

// keptBefore deletes documents where their values cannot be kept, and where they can.
func keptBefore(t *testing.T, open Open) {
	target := open(t, Options{Now: clock, Before: func(put func(record.Kind, record.UserID, mem.Document)) {
		put(record.KV, bob, mem.Document{Fields: values{"a": "app", "n": int64(7)}})
		put(record.APIKeys, bob, mem.Document{APIKey: keyB, CreatedAt: Now})
		put(record.MonitoringSince, bob, mem.Document{Times: map[string]any{"since": int64(7), "monitoring_since": "soon"}})
	}})
	write(t, target, []record.Record{kv(alice, values{"a": "1"}), apiKey(alice, keyA)})
	before := contentsOf(target)
	var documents []record.Document
	for _, kind := range []record.Kind{record.KV, record.APIKeys, record.MonitoringSince} {
		for _, user := range []record.UserID{alice, bob} {
			if s, ok := readBack(t, target, kind)[user]; ok {
				documents = append(documents, s)
			}
		}
	}
	full := errors.New("disk full")
	if _, err := target.Deleter.Delete(context.Background(), documents, func([]record.Superseded) error { return full }); !errors.Is(err, full) {
		t.Errorf("where nothing can be kept: %v", err)
	}
	if d := difference(before, contentsOf(target)); d != "" {
		t.Errorf("where nothing can be kept (-before +after):\n%s", d)
	}
	var kept []string
	deletions, err := target.Deleter.Delete(context.Background(), documents, func(values []record.Superseded) error {
		for _, v := range values {
			kept = append(kept, v.Kind.String()+" "+v.User.String()+" "+v.Field+" "+v.Value.Data)
		}
		return nil
	})
	if err != nil || !slices.Equal(deletions, make([]record.Deletion, len(documents))) {
		t.Errorf("%v, error %v", deletions, err)
	}
	slices.Sort(kept)
	want := []string{
		"api_keys " + alice.String() + " key " + keyA, "api_keys " + bob.String() + " key " + keyB,
		"kv " + alice.String() + " a 1", "kv " + bob.String() + " a app", "kv " + bob.String() + " n 7",
		"monitoring_since " + bob.String() + " monitoring_since soon", "monitoring_since " + bob.String() + " since 7",
	}
	slices.Sort(want)
	if d := cmp.Diff(want, kept); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
	if left := contentsOf(target); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// changedMeanwhile deletes documents that somebody changes, or deletes, while their values are kept.
func changedMeanwhile(t *testing.T, open Open) {
	target := open(t, Options{Now: clock})
	write(t, target, []record.Record{kv(alice, values{"a": "1"}), kv(bob, values{"a": "1"}), seen(alice, 1700000000000)})
	documents := []record.Document{
		readBack(t, target, record.KV)[alice], readBack(t, target, record.KV)[bob], readBack(t, target, record.LastSeen)[alice],
	}
	app := mem.Document{Fields: values{"a": "2"}}
	deletions, err := target.Deleter.Delete(context.Background(), documents, func([]record.Superseded) error {
		target.Put(record.KV, bob, app)
		return nil
	})
	want := []record.Deletion{record.DeletionDone, record.DeletionModified, record.DeletionDone}
	if err != nil || !slices.Equal(deletions, want) {
		t.Errorf("%v, want %v; error %v", deletions, want, err)
	}
	if left := target.All(record.KV); len(left) != 1 || left[bob].Fields["a"] != "2" || len(target.All(record.LastSeen)) > 0 {
		t.Errorf("left: %q", contentsOf(target))
	}
}

func nobodysStay(t *testing.T, open Open) {
	target := open(t, Options{Now: clock, Before: func(put func(record.Kind, record.UserID, mem.Document)) {
		put(record.Metrics, 0, mem.Document{Fields: values{"lanyard_2xx_responses": int64(7)}})
	}})
	write(t, target, []record.Record{seen(alice, 1700000000000)})
	mine, counters := readBack(t, target, record.LastSeen)[alice], readBack(t, target, record.Metrics)[0]
	before := contentsOf(target)
	for name, documents := range map[string][]record.Document{
		"the counters":   {mine, counters},
		"nobody's":       {mine, {Kind: record.KV, Held: record.Held{Found: true}}},
		"a number's":     {mine, {Kind: record.KV, User: alice, Numeric: true, Held: record.Held{Found: true}}},
		"more than many": slices.Repeat([]record.Document{mine}, record.MaxSteps+1),
	} {
		_, err := target.Deleter.Delete(context.Background(), documents, func([]record.Superseded) error { return nil })
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if d := difference(before, contentsOf(target)); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
	absent := record.Document{Kind: record.KV, User: bob, Held: record.Held{Found: true}}
	if got, kept := deleteAll(t, target, []record.Document{absent}); got[0] != record.DeletionAbsent || len(kept) > 0 {
		t.Errorf("of a user without a document: %v, kept %q", got, kept)
	}
}
