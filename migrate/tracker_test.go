package migrate

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardctl/lanyardctl/internal/rejectsfile"
	"github.com/lanyardctl/lanyardctl/record"
)

// TestOpenPagesAreBounded checks both bounds at which a reader has to wait, and that settling makes room again.
func TestOpenPagesAreBounded(t *testing.T) {
	large := record.Reject{Value: record.Raw(strings.Repeat("x", maxOpenBytes/4))}
	written := record.Item{Kind: record.KV, Record: &record.Record{Kind: record.KV, User: 1}}
	for name, c := range map[string]struct {
		item  record.Item
		bound int
	}{
		"many pages":   {written, maxOpenPages},
		"large values": {record.Item{Kind: record.KV, Record: written.Record, Rejects: []record.Reject{large}}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			l := newTracker(rejectsfile.NewWriter(filepath.Join(t.TempDir(), "rejects.ndjson"), rejectsfile.Run{}), nil)
			defer l.rejects.Close()
			part := l.part("part", "")
			b := &batch{}
			for n := 1; n <= c.bound; n++ {
				pg, full := l.open(part, record.Page{Items: []record.Item{c.item}, Next: strings.Repeat("n", n)})
				if full != (n == c.bound) {
					t.Fatalf("full is %v after %d pages", full, n)
				}
				if err := l.batched(pg); err != nil {
					t.Fatal(err)
				}
				b.records, b.from = append(b.records, *c.item.Record), append(b.from, origin{page: pg})
			}
			if err := l.outcomes(b, make([]record.Outcome, len(b.records))); err != nil {
				t.Fatal(err)
			}
			if part.full() || part.bytes != 0 || len(part.open) != 0 {
				t.Errorf("%d pages and %d bytes are still open", len(part.open), part.bytes)
			}
		})
	}
}
