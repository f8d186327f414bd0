package sweep_test

import (
	"fmt"
	"slices"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest/dated"
	"github.com/lanyardctl/lanyardctl/store/storetest/mongoserver"
	"github.com/lanyardctl/lanyardctl/sweep"
)

// readAll reads what a sweep reads, and does nothing with it.
func readAll(b *testing.B, docs record.Documents) (n int) {
	for _, c := range record.UserCollections {
		err := docs.Outline(b.Context(), c, func(page []record.Document) error {
			n += len(page)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return n
}

// compare measures a sweep that has little to change beside merely reading the same documents.
func compare(b *testing.B, docs record.Documents, memories ...int) {
	perDocument := func(b *testing.B, n int) {
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "documents/s")
	}
	n := readAll(b, docs)
	for _, memory := range memories {
		b.Run(fmt.Sprintf("sweep/memory=%dMiB", memory>>20), func(b *testing.B) {
			dir := b.TempDir()
			for b.Loop() {
				job := sweep.New(sweep.Options{Documents: docs, DryRun: true, Now: dated.Now, Memory: memory, TempDir: dir})
				if _, err := job.Run(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			perDocument(b, n)
		})
	}
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			readAll(b, docs)
		}
		perDocument(b, n)
	})
}

// BenchmarkSweep sweeps documents that cost next to nothing to read, so that what a sweep itself takes is seen.
func BenchmarkSweep(b *testing.B) {
	const users = 20_000
	compare(b, endless{Documents: mem.NewDocuments(record.Limits{}), users: users, wrong: users, held: func() {}}, sweep.DefaultMemory, 1<<20)
}

// BenchmarkSweepOfAServer sweeps the cursors of a server.
func BenchmarkSweepOfAServer(b *testing.B) {
	d := mongoserver.New(b)
	db := d.Connect(b)
	var documents [record.APIKeysCollection + 1][]any
	for i := range 5000 {
		user := (endless{}).user(i).String()
		for _, c := range record.UserCollections {
			documents[c] = append(documents[c], bson.D{
				{Key: "user_id", Value: user}, {Key: "since", Value: int64(1650000000 + i)}, {Key: "key", Value: "key of " + user},
				{Key: "kv", Value: bson.D{{Key: "about", Value: "somebody"}}}, {Key: "timestamp", Value: int64(1700000000000)},
			})
		}
	}
	for _, c := range record.UserCollections {
		for batch := range slices.Chunk(documents[c], 1000) {
			if _, err := db.Collection(c.String()).InsertMany(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
		}
	}
	store, err := mongo.Open(b.Context(), mongo.Options{URI: d.URI, Database: d.Name})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = store.Close(b.Context()) })
	compare(b, store.Documents(), sweep.DefaultMemory)
}
