package mongo_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

// oneOfEachKind returns a record of each kind, of ordinary size.
func oneOfEachKind() []record.Record {
	return []record.Record{
		{Kind: record.APIKeys, User: alice, APIKey: "lnyd_0123456789abcdef0123456789abcdef"},
		kv(alice, values{"a": "some text of ordinary length", "b": int64(7), "c": "another", "d": record.Object{"e": true}, "f": nil}),
		{Kind: record.LastSeen, User: alice, Time: 1775185650417},
		{Kind: record.MonitoringSince, User: alice, Time: 1664641326},
		{Kind: record.Metrics, Fields: map[string]record.Field{"lanyard_2xx_responses": {Value: int64(7)}, "lanyard_4xx_responses": {Value: 7.5}}},
	}
}

// BenchmarkDocuments makes a document of a record, and reads it back.
func BenchmarkDocuments(b *testing.B) {
	for _, r := range oneOfEachKind() {
		doc := mongo.NewDocument(r, storetest.Now)
		b.Run("encode/"+r.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mongo.NewDocument(r, storetest.Now)
			}
		})
		b.Run("decode/"+r.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mongo.DocumentOf(r.Kind, doc)
			}
		})
		if r.Kind.Identified() {
			b.Run("deliver/"+r.Kind.String(), func(b *testing.B) {
				b.ReportAllocs()
				deliver, items := mongo.Deliverer(r.Kind, storetest.Now), []record.Item{}
				for b.Loop() {
					items = deliver(items[:0], doc)
				}
			})
			b.Run("digest/"+r.Kind.String(), func(b *testing.B) {
				b.ReportAllocs()
				digest := mongo.Digester(r.Kind, storetest.Now)
				for b.Loop() {
					digest(doc)
				}
			})
		}
		old := bson.Raw(mongo.NewDocument(changed(r), storetest.Now))
		b.Run("merge/"+r.Kind.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				mongo.StatementFor(r, old)
			}
		})
	}
}

// changed returns the record with another content, over which r wins.
func changed(r record.Record) record.Record {
	switch r.Kind {
	case record.APIKeys:
		r.APIKey = "another"
	case record.KV, record.Metrics, record.Sparkle:
		fields := make(map[string]record.Field, len(r.Fields))
		for name := range r.Fields {
			fields[name] = record.Field{Value: int64(1)}
		}
		r.Fields = fields
	case record.LastSeen:
		r.Time--
	case record.MonitoringSince:
		r.Time++
	}
	return r
}
