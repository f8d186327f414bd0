package record_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	. "github.com/lanyardctl/lanyardctl/record"
)

// TestEveryKindHasItsRules calls what a kind cannot do without. Which methods its rules lack, the compiler says.
func TestEveryKindHasItsRules(t *testing.T) {
	names, collections := make(map[string]Kind), make(map[Collection]Kind)
	for _, kind := range LanyardKinds.List() {
		if other, taken := names[kind.String()]; taken || strings.Contains(kind.String(), "(") {
			t.Errorf("kind %d is named %s, as is kind %d", kind, kind, other)
		}
		names[kind.String()] = kind
		if other, taken := collections[CollectionOf(kind)]; taken {
			t.Errorf("%s shares the collection %s with %s", kind, CollectionOf(kind), other)
		}
		collections[CollectionOf(kind)] = kind
		if back, ok := CollectionOf(kind).Kind(); !ok || back != kind {
			t.Errorf("the collection of %s is that of %s", kind, back)
		}
		if set, err := ParseKinds([]string{kind.String()}, LanyardKinds); err != nil || set != Kinds(0).With(kind) {
			t.Errorf("%s is read as %s: %v", kind, set, err)
		}
		// A document that holds another record of the kind differs from one that holds none, and is written at last.
		r := genRecord(kind).Example()
		d := Merge(r, Existing{}, TimeBounds(kind, r.User, now), FailOnConflict)
		if d.Status != Inserted || !d.Write {
			t.Errorf("%s is %+v where there was none", kind, d)
		}
		if found := Compare(r, Document{Kind: kind, User: r.User}, CompareOptions{Now: now}).Differences; len(found) == 0 {
			t.Errorf("%s: nothing is no difference", kind)
		}
		if c := (Document{Kind: kind, User: r.User, Held: apply(r, Existing{}, d).Held}).Content(now); !c.Complete || c.Record.Digest() != r.Digest() {
			t.Errorf("%s is read back as %+v", kind, c)
		}
		if len(r.Rejects(TooDeep, "")) == 0 || r.DocumentSize() <= len(r.User.String()) {
			t.Errorf("%s has no lines or no size", kind)
		}
	}
}

func TestAnUnknownKindIsNoTables(t *testing.T) {
	for _, kind := range []Kind{Kind(KindCount), Kind(KindCount - 1), KV} {
		if table, ok := kind.Table(); ok {
			t.Errorf("%s is of %+v", kind, table)
		}
	}
}

func TestAnUnknownKindPanics(t *testing.T) {
	unknown := Kind(KindCount)
	r := Record{Kind: unknown, User: user}
	for name, call := range map[string]func(){
		"Merge":        func() { Merge(r, Existing{}, Bounds{}, FailOnConflict) },
		"Compare":      func() { Compare(r, Document{Kind: unknown}, CompareOptions{}) },
		"Content":      func() { Document{Kind: unknown}.Content(now) },
		"Digest":       func() { r.Digest() },
		"DocumentSize": func() { r.DocumentSize() },
		"Rejects":      func() { r.Rejects(TooDeep, "") },
		"LeftOut":      func() { Item{Kind: unknown}.Omitted() },
		"Limits": func() {
			Limits{}.Apply(Item{Kind: unknown, Record: &Record{Kind: unknown, Fields: map[string]Field{"a": {}}}})
		},
		"CollectionOf": func() { CollectionOf(unknown) },
		"TimeField":    func() { TimeField(unknown) },
		"TimeBounds":   func() { TimeBounds(unknown, user, now) },
		"Timestamp":    func() { Timestamp(unknown, int64(1), Bounds{}) },
		"OfUsers":      func() { unknown.Identified() },
		"no time":      func() { Timestamp(KV, time.Time{}, Bounds{}) },
	} {
		func() {
			defer func() {
				if said := fmt.Sprint(recover()); !strings.HasPrefix(said, "record: kind(") && !strings.HasPrefix(said, "record: kv keeps no time") {
					t.Errorf("%s: %s", name, said)
				}
			}()
			call()
		}()
	}
	if unknown.String() != fmt.Sprintf("kind(%d)", KindCount) {
		t.Error(unknown.String())
	}
}

func TestASetOfKindsHolds32(t *testing.T) {
	last := Kind(31)
	if set := Kinds(0).With(last); !set.Has(last) || set.Has(0) || !set.With(0).Has(last) {
		t.Errorf("%b", set)
	}
}
