package mem_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

func TestConformance(t *testing.T) { storetest.Run(t, storetest.Mem) }

func TestConformanceOfTables(t *testing.T) { storetest.RunTables(t, storetest.MemTables) }

func TestStraysAreDeliveredWithTheOthers(t *testing.T) {
	ctx := context.Background()
	store := mem.New(mem.Options{})
	for user := range record.UserID(7) {
		store.Put(record.LastSeen, user+1, mem.Document{Times: map[string]any{"timestamp": int64(1700000000000)}})
	}
	store.AddStray(record.Document{Kind: record.LastSeen, Name: record.NameOf("nobody")})
	store.AddStray(record.Document{Kind: record.LastSeen, User: 1})
	store.AddStray(record.Document{Kind: record.KV, User: 1})
	read := func() (of map[record.UserID]int, pages int) {
		of = make(map[record.UserID]int)
		err := store.Reader().Read(ctx, record.LastSeen, func(page []record.Document) error {
			pages++
			for _, s := range page {
				of[s.User]++
				if !s.Held.Found || (s.User == 0) != (s.Name.String() == "nobody") {
					t.Errorf("%+v", s)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return of, pages
	}
	if of, pages := read(); pages != 3 || len(of) != 8 || of[0] != 1 || of[1] != 2 || of[7] != 1 {
		t.Errorf("%d pages of %v", pages, of)
	}
	if n, err := store.Reader().Count(ctx, record.LastSeen); err != nil || n != 9 {
		t.Errorf("%d documents are counted: %v", n, err)
	}
	if store.Count(record.LastSeen) != 7 {
		t.Error("a sink meets the strays")
	}
	store.Drop()
	if of, _ := read(); len(of) != 0 {
		t.Errorf("%v after all was dropped", of)
	}
}

func TestASourceReadsTheSameEachTime(t *testing.T) {
	ctx := context.Background()
	item := func(user record.UserID) record.Item {
		return record.Item{Kind: record.LastSeen, Record: &record.Record{Kind: record.LastSeen, User: user, Time: 1700000000000}}
	}
	src := &mem.Source{Items: [][]record.Item{{item(1), item(2), item(3)}, {item(4)}}, Last: []record.Item{item(5)}, PageSize: 2, Pieces: true}
	read := func() (users []record.UserID) {
		page := func(p record.Page) error {
			for _, it := range p.Items {
				users = append(users, it.User())
			}
			clear(p.Items) // a page is its reader's own
			return nil
		}
		parts, err := src.Parts(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if err := part.Read(ctx, "", page); err != nil {
				t.Fatal(err)
			}
		}
		if err := src.Deferred(ctx, page); err != nil {
			t.Fatal(err)
		}
		return users
	}
	for range 3 {
		if users := read(); !slices.Equal(users, []record.UserID{1, 2, 3, 4, 5}) {
			t.Errorf("%v", users)
		}
	}
}

func TestASourceReadsSomeUsers(t *testing.T) {
	seen := func(user record.UserID) record.Item {
		return record.Item{Kind: record.LastSeen, Record: &record.Record{Kind: record.LastSeen, User: user, Time: 1700000000000}}
	}
	rejected := record.Item{Kind: record.KV, Rejects: []record.Reject{{Kind: record.KV, User: 1}}}
	nobody := record.Item{Kind: record.KV, Rejects: []record.Reject{{Kind: record.KV}}}
	counters := record.Item{Kind: record.Metrics, Record: &record.Record{Kind: record.Metrics}}
	source := &mem.Source{Items: [][]record.Item{{seen(1), seen(2), nobody}, {counters}}, Last: []record.Item{rejected}}
	for _, tc := range []struct {
		kinds record.Kinds
		users []record.UserID
		want  []record.Item
	}{
		{record.LanyardKinds, []record.UserID{1, 7}, []record.Item{seen(1), counters, rejected}},
		{record.Kinds(0).With(record.LastSeen), []record.UserID{2}, []record.Item{seen(2)}},
		{record.Kinds(0).With(record.KV), []record.UserID{0}, nil},
	} {
		var got []record.Item
		err := source.ReadUsers(context.Background(), tc.kinds, tc.users, func(p record.Page) error {
			got = append(got, p.Items...)
			return nil
		})
		if d := cmp.Diff(tc.want, got, cmpopts.EquateComparable(record.Name{})); err != nil || d != "" {
			t.Errorf("%s of %v (-want +got):\n%s%v", tc.kinds, tc.users, d, err)
		}
	}
}

func TestPersistenceConforms(t *testing.T) { storetest.Persistence(t, storetest.MemPersistence) }
