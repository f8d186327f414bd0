package sweep_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// endless are documents that are made as they are read, so that only what the sweep holds is held: one in each collection
// for each user. Every so many users, a date is text.
type endless struct {
	*mem.Documents // takes the steps
	users          int
	wrong          int
	held           func()
}

func (d endless) user(i int) record.UserID { return record.UserID(94490510688792576 + i*7919) }

func (d endless) document(c record.Collection, i int) record.Document {
	id := d.user(i).String()
	doc := record.Document{Collection: c, ID: "s" + id, User: d.user(i), Held: record.Held{Found: true}}
	switch c {
	case record.MonitoringCollection, record.UsersCollection:
		since := any(int64(1650000000 + i))
		if c == record.MonitoringCollection && i%d.wrong == 0 {
			since = "1660000000"
		}
		doc.Held.Times = map[string]any{"since": since}
	case record.KVCollection:
		if i%10 == 0 {
			doc.Held.Times = map[string]any{"monitoring_since": "1670000000"}
		}
	case record.APIKeysCollection:
		doc.Held.APIKey = "key of " + id
	}
	return doc
}

func (d endless) Outline(_ context.Context, c record.Collection, yield func([]record.Document) error) error {
	page := make([]record.Document, 0, 500)
	for i := range d.users {
		if page = append(page, d.document(c, i)); len(page) < cap(page) {
			continue
		}
		if err := yield(page); err != nil {
			return err
		}
		page = page[:0]
	}
	d.held()
	return yield(page)
}

// Whole makes up documents that have been put aside where they are to be changed.
func (d endless) Whole(ctx context.Context, c record.Collection, ids []string, most int) ([]record.Document, error) {
	d.held()
	var list []record.Document
	for _, id := range ids {
		d.Insert(c, map[string]any{"_id": id[1:], "user_id": id[1:], "since": "1660000000"})
		whole, err := d.Documents.Whole(ctx, c, []string{"string:" + id[1:]}, most)
		if err != nil {
			return nil, err
		}
		list = append(list, whole...)
	}
	return list, nil
}

// TestMemoryDoesNotGrowWithUsers sweeps ten times as many users in the same memory.
func TestMemoryDoesNotGrowWithUsers(t *testing.T) {
	const memory = 1 << 20
	peak := func(users int) (most uint64) {
		var before runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		docs := endless{Documents: mem.NewDocuments(record.Limits{}), users: users, wrong: users / 50, held: func() {
			var now runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc-min(now.HeapAlloc, before.HeapAlloc))
		}}
		r := run(t, sweep.Options{Documents: docs, Journal: mem.NewJournal(), Leases: new(mem.Leases), Memory: memory, TempDir: t.TempDir()})
		if r.Users != int64(users) || r.Changed != 50 {
			t.Fatalf("%+v", r)
		}
		return most
	}
	few, many := peak(10_000), peak(100_000)
	t.Logf("at most %d KiB for 10,000 users, %d KiB for 100,000", few>>10, many>>10)
	// What takes memory beside the entries: buffers of the runs, at most 64 at a time, and the documents that change.
	if bound := uint64(memory + 64*64<<10 + 2<<20); many > bound {
		t.Errorf("%d KiB, which is over %d", many>>10, bound>>10)
	}
}
