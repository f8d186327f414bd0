package mongo_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// TestTheLastAreHeld adds documents in random orders, of which some come twice.
func TestTheLastAreHeld(t *testing.T) {
	for range 50 {
		n := rand.IntN(100)
		var documents [][]byte
		for i := range n {
			documents = append(documents, encoded(t, bson.D{{Key: "_id", Value: fmt.Sprintf("%04d", i)}, {Key: "x", Value: bytes.Repeat([]byte{1}, 100)}}))
		}
		size := 200
		if n > 0 {
			size = len(documents[0])
			documents = append(documents, documents[rand.IntN(n)])
		}
		rand.Shuffle(len(documents), func(i, j int) { documents[i], documents[j] = documents[j], documents[i] })
		for name, bounds := range map[string][3]int{"count": {7, 1 << 30, 7}, "bytes": {1000, 5*size + 1, 5}, "one": {1000, 1, 1}, "all": {1000, 1 << 30, 1000}} {
			ids, dropped := mongo.LastIDs(documents, bounds[0], bounds[1])
			var want []string
			for i := n - 1; i >= max(0, n-bounds[2]); i-- {
				want = append(want, fmt.Sprintf("%04d", i))
			}
			if !slices.Equal(ids, want) || dropped != (n > bounds[2]) {
				t.Fatalf("by %s, of %d: %v (others were dropped: %t), want %v", name, n, ids, dropped, want)
			}
		}
	}
}

// TestChangesThatAreTooManyToSort reads back more than is held at a time.
func TestChangesThatAreTooManyToSort(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	const n, size = 5, 2 << 20
	f.store.SetSortedBytes(2*size + size/2) // two of them, so the collection is read three times
	j := f.store.Journal()
	for seq := range int64(n) {
		step := record.Step{Collection: record.KVCollection, ID: "x", Before: encoded(t, bson.D{{Key: "a", Value: bson.Binary{Data: bytes.Repeat([]byte{byte(seq)}, size)}}})}
		if err := j.Append(context.Background(), []record.Change{{Sweep: "s", Seq: seq + 1, Collection: record.KVCollection, Steps: []record.Step{step}}}); err != nil {
			t.Fatal(err)
		}
	}
	next := int64(n)
	again(t, func() error {
		next = n
		return j.Changes(context.Background(), "s", func(page []record.Change) error {
			for _, c := range page {
				if c.Seq != next || len(c.Steps[0].Before) < size || c.Steps[0].Before[size-1] != byte(next-1) {
					t.Errorf("change %d, want %d", c.Seq, next)
				}
				next--
			}
			if len(page) > 2 {
				t.Errorf("a page of %d changes", len(page))
			}
			return nil
		})
	})
	if next != 0 {
		t.Errorf("it ends before change %d", next)
	}
}

func TestAnotherChangeUnderTheSameNumber(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	c := record.Change{Sweep: "s", Seq: 1, User: alice, Collection: record.KVCollection, Action: record.ActionRemoved}
	if err := f.store.Journal().Append(context.Background(), []record.Change{c}); err != nil {
		t.Fatal(err)
	}
	c.User = bob
	if err := f.store.Journal().Append(context.Background(), []record.Change{c}); err == nil {
		t.Error("it is taken for the same")
	}
}
