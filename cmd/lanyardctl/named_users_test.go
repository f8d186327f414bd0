package main

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
)

// keptParts is a source that delivers the same parts each time, a page of one item each, and an item at the end.
type keptParts struct {
	parts []record.Part
	last  record.Item
}

func (s keptParts) Parts(context.Context) ([]record.Part, error) { return s.parts, nil }
func (s keptParts) Total(context.Context) (int64, error)         { return 0, nil }
func (s keptParts) Identity() string                             { return "" }
func (s keptParts) Deferred(_ context.Context, yield func(record.Page) error) error {
	return yield(record.Page{Items: []record.Item{s.last}})
}

type onePage record.Item

func (p onePage) Name() string { return "" }
func (p onePage) Read(_ context.Context, _ string, yield func(record.Page) error) error {
	return yield(record.Page{Items: []record.Item{record.Item(p)}})
}

func TestUsersAreKnownByARecordAndByAReject(t *testing.T) {
	of := func(user record.UserID) record.Item { return record.Item{Record: &record.Record{User: user}} }
	source := keptParts{
		parts: []record.Part{onePage(of(1)), onePage(record.Item{Rejects: []record.Reject{{User: 2}}}), onePage(of(9))},
		last:  of(3),
	}
	for range 2 { // a source is read several times
		named := newNamedUsers([]record.UserID{5, 4, 3, 2, 1})
		watched := named.watch(source)
		parts, err := watched.Parts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var reading sync.WaitGroup
		for _, part := range parts {
			reading.Go(func() { _ = part.Read(t.Context(), "", func(record.Page) error { return nil }) })
		}
		reading.Wait()
		if got := named.list(); !slices.Equal(got, []record.UserID{3, 4, 5}) {
			t.Errorf("after the parts: %v", got)
		}
		_ = watched.Deferred(t.Context(), func(record.Page) error { return nil })
		if got := named.list(); !slices.Equal(got, []record.UserID{4, 5}) {
			t.Errorf("after the end: %v", got)
		}
		if _, own := source.parts[0].(onePage); !own {
			t.Error("the source's own parts were changed")
		}
	}
	if _, watched := newNamedUsers(nil).watch(source).(watchedSource); watched {
		t.Error("a source of all users is watched")
	}
}
