package mongo_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoproxy"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
)

// TestADocumentThatHasNoRoomBesideOthers inserts a document of more than half the server's limit among small ones, and twice.
func TestADocumentThatHasNoRoomBesideOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, mongoserver.URI(t))
	sizes := []int{1, 9 << 20, 1}
	var batch []record.Record
	for i, n := range sizes {
		batch = append(batch, kv(alice+record.UserID(i), values{"a": strings.Repeat("x", n)}))
	}
	batch = append(batch, batch[1], batch[0])
	outcomes := f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, batch...)
	for i, o := range outcomes {
		want := record.Inserted
		if i >= len(sizes) {
			want = record.Unchanged
		}
		if o.Status != want {
			t.Errorf("record %d is counted in column %d, want %d: %+v", i, o.Status, want, o.Rejects)
		}
	}
	all := f.all(record.KV)
	for i, n := range sizes {
		if text, _ := all[alice+record.UserID(i)].Fields["a"].(string); len(text) != n {
			t.Errorf("record %d: %d bytes, want %d", i, len(text), n)
		}
	}
}

// acknowledged answers every insert as if it were carried out.
func acknowledged(c mongoproxy.Command) bson.D {
	documents, _ := c.Get("documents").(bson.A)
	return bson.D{{Key: "ok", Value: 1.0}, {Key: "n", Value: int32(len(documents))}}
}

// TestAnInsertIsNoLargerThanServersTake: those take a command of 16 MiB and a little, and 100,000 documents in it.
func TestAnInsertIsNoLargerThanServersTake(t *testing.T) {
	t.Parallel()
	many := make([]record.Record, 120_000)
	for i := range many {
		many[i] = record.Record{Kind: record.MonitoringSince, User: 1<<63 + record.UserID(i), Time: 1664641326}
	}
	var large []record.Record
	for i, size := range []int{4<<20 - 300, 4<<20 - 300, 4 << 20, 1, 16<<20 - 300, 1} {
		large = append(large, kv(alice+record.UserID(i), values{"a": strings.Repeat("x", size)}))
	}
	for name, batch := range map[string][]record.Record{"many": many, "large": large} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
				if c.Name == "insert" {
					return acknowledged(c)
				}
				return nil
			}})
			f := open(proxy.URI)
			f.write(f.sink(record.Kinds(0).With(batch[0].Kind)), &keeper{}, batch...)
			all := 0
			for _, c := range proxy.Commands("insert") {
				documents := c.Get("documents").(bson.A)
				all += len(documents)
				if c.Bytes > 16<<20 || len(documents) > 100_000 {
					t.Errorf("a command of %d bytes, with %d documents", c.Bytes, len(documents))
				}
				if concern, _ := c.Get("writeConcern").(bson.D); len(concern) != 1 || concern[0].Value != "majority" || c.Get("ordered") != false {
					t.Errorf("write concern %v, ordered %v", concern, c.Get("ordered"))
				}
			}
			if all != len(batch) {
				t.Errorf("%d documents were sent for %d records", all, len(batch))
			}
		})
	}
}

// TestARefusedDocumentLeavesTheOthers has a server refuse one document of several, as a validator does.
func TestARefusedDocumentLeavesTheOthers(t *testing.T) {
	t.Parallel()
	proxy, open, _ := shownAs(t, mongoproxy.Options{Hook: func(_ context.Context, c mongoproxy.Command) bson.D {
		if c.Name != "insert" {
			return nil
		}
		return bson.D{{Key: "n", Value: int32(2)}, {Key: "ok", Value: 1.0}, {Key: "writeErrors", Value: bson.A{
			bson.D{{Key: "index", Value: int32(1)}, {Key: "code", Value: int32(121)}, {Key: "errmsg", Value: "secret"}},
		}}}
	}})
	f := open(proxy.URI)
	var batch []record.Record
	for i := range 3 {
		batch = append(batch, kv(alice+record.UserID(i), values{"a": "b"}))
	}
	for i, o := range f.write(f.sink(record.Kinds(0).With(record.KV)), &keeper{}, batch...) {
		if rejected := o.Status == record.Rejected; rejected != (i == 1) || !rejected && o.Status != record.Inserted {
			t.Errorf("record %d is counted in column %d", i, o.Status)
		}
	}
	if n := len(proxy.Commands("insert")); n != 1 {
		t.Errorf("%d inserts", n)
	}
}

// TestAnInsertWhoseAnswerIsLost breaks the connection once the server has carried the insert out.
func TestAnInsertWhoseAnswerIsLost(t *testing.T) {
	t.Parallel()
	var batch, some []record.Record
	for i := range 9 {
		batch = append(batch, record.Record{Kind: record.APIKeys, User: alice + record.UserID(i), APIKey: "lnyd_" + string(rune('a'+i))})
	}
	some = batch[:3]
	for name, before := range map[string][]record.Record{"empty": nil, "some stand there": some} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var lose atomic.Bool
			proxy, open, _ := shownAs(t, mongoproxy.Options{Lose: func(c mongoproxy.Command) bool {
				return c.Name == "insert" && lose.Swap(false)
			}})
			f := open(proxy.URI)
			f.write(f.sink(record.Kinds(0).With(record.APIKeys)), &keeper{}, before...)
			sink := f.sink(record.Kinds(0).With(record.APIKeys))
			lose.Store(true)
			outcomes, err := sink.Write(t.Context(), batch, (&keeper{}).keep)
			if errors.Is(err, record.ErrUnavailable) {
				outcomes, err = sink.Write(t.Context(), batch, (&keeper{}).keep)
			}
			if err != nil || lose.Load() {
				t.Fatal(err)
			}
			for i, o := range outcomes {
				if o.Status != record.Unchanged {
					t.Errorf("record %d is counted in column %d: %+v", i, o.Status, o.Rejects)
				}
			}
			if all := f.all(record.APIKeys); len(all) != len(batch) || all[alice+8].APIKey != "lnyd_i" || all[alice+8].Mark == "" {
				t.Errorf("%d documents: %+v", len(all), all)
			}
		})
	}
}
