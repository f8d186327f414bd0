package mongo_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// again calls what may fail once because a server was unavailable.
func again(t *testing.T, call func() error) {
	t.Helper()
	err := call()
	if errors.Is(err, record.ErrUnavailable) {
		err = call()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestLargeDocumentsBehindManySmallOnes reads documents of which more than a reply can hold come when the store has seen
// small ones alone.
func TestLargeDocumentsBehindManySmallOnes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	var small, large []record.Record
	for i := range record.UserID(300) {
		small = append(small, kv(alice+i, values{"a": "1"}))
	}
	for i := range record.UserID(4) {
		large = append(large, kv(bob+i, values{"a": strings.Repeat("x", 12<<20)}))
	}
	sink := f.sink(record.LanyardKinds)
	f.write(sink, &keeper{}, small...)
	for _, r := range large {
		f.write(sink, &keeper{}, r)
	}
	reopen := func() *mongo.Store {
		store, err := mongo.Open(context.Background(), mongo.Options{URI: f.uri, Database: f.name})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close(context.Background()) })
		return store
	}

	h := reopen().Reader(mongo.ReaderOptions{})
	var seen map[record.UserID]int
	again(t, func() error {
		seen = make(map[record.UserID]int)
		return h.Read(context.Background(), record.KV, func(page []record.Document) error {
			for _, s := range page {
				seen[s.User]++
			}
			return nil
		})
	})
	if len(seen) != len(small)+len(large) {
		t.Errorf("%d users", len(seen))
	}
	for user, n := range seen {
		if n != 1 {
			t.Errorf("user %s is delivered %d times", user, n)
		}
	}

	f.store = reopen()
	sink = f.sink(record.Kinds(0).With(record.KV))
	again(t, func() error {
		outcomes, err := sink.Write(context.Background(), small, (&keeper{}).keep)
		for i, o := range outcomes {
			if o.Status != record.Unchanged {
				t.Errorf("record %d is counted in column %d", i, o.Status)
			}
		}
		return err
	})
}
