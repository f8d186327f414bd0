package verify_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mem"
	"github.com/lanyardctl/lanyardctl/verify"
)

var now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// fakeTarget is a target that holds a list of documents, in pages of three.
type fakeTarget struct {
	documents []record.Document
	limits    record.Limits
	before    func(record.Kind) error // called before a kind is read
}

func (h *fakeTarget) Limits() record.Limits { return h.limits }

func (h *fakeTarget) Read(ctx context.Context, kind record.Kind, yield func([]record.Document) error) error {
	if h.before != nil {
		if err := h.before(kind); err != nil {
			return err
		}
	}
	var of []record.Document
	for _, s := range h.documents {
		if s.Kind == kind {
			of = append(of, s)
		}
	}
	for page := range slices.Chunk(of, 3) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(page); err != nil {
			return err
		}
	}
	return nil
}

func (h *fakeTarget) Count(_ context.Context, kind record.Kind) (int64, error) {
	var n int64
	for _, s := range h.documents {
		if s.Kind == kind && (s.Identity() != (record.Identity{}) || !kind.Identified()) {
			n++
		}
	}
	return n, nil
}

func (h *fakeTarget) ReadDigests(ctx context.Context, kind record.Kind, now time.Time, yield func([]record.DocumentDigest) error) error {
	return readDigests(ctx, h, kind, now, yield)
}

func (h *fakeTarget) Estimate(ctx context.Context, kind record.Kind) (int64, error) {
	return h.Count(ctx, kind)
}

// readDigests digests what a target delivers.
func readDigests(ctx context.Context, h record.TargetReader, kind record.Kind, now time.Time, yield func([]record.DocumentDigest) error) error {
	return h.Read(ctx, kind, func(page []record.Document) error {
		var digests []record.DocumentDigest
		for _, d := range page {
			digests = append(digests, d.Digest(now))
		}
		return yield(digests)
	})
}

// options returns options that compare the items with the documents and do not wait.
func options(items [][]record.Item, documents []record.Document, o record.CompareOptions) verify.Options {
	o.Now = now
	return verify.Options{
		Source: func() record.Source {
			// What only the sight of all parts decides comes last.
			s := &mem.Source{Items: slices.Clone(items), PageSize: 4}
			if n := len(items); n > 0 {
				last := items[n-1]
				s.Items[n-1], s.Last = last[:len(last)/2], last[len(last)/2:]
			}
			return s
		},
		Target:         &fakeTarget{documents: documents, limits: record.Limits{Named: true}},
		Kinds:          record.LanyardKinds,
		Compare:        o,
		MaxDifferences: 1000,
		Buckets:        512,
	}
}

const firstUser = 94490510688792576

// identity returns that of the nth of a source, of which some are users and some have names.
func identity(n int) record.Identity {
	if n%3 == 2 {
		return record.Identity{Name: record.NameOf("row " + strconv.Itoa(n))}
	}
	return record.Identity{User: userID(n)}
}

func userID(n int) record.UserID { return record.UserID(firstUser + n<<23) }

func genValue() *rapid.Generator[record.Value] {
	return rapid.SampledFrom([]record.Value{nil, true, "", "x", "7", int64(7), 7.0, 7.5, record.Array{int64(1)}, record.Object{"a": "b"}, record.Object{"a": nil}})
}

func genName() *rapid.Generator[string] {
	return rapid.SampledFrom([]string{"a", "b", "", "ключ", "c\nd"})
}

func key(n int) string { return fmt.Sprintf("lnyd_%032x", n) }

// genItem generates what a source has of an identity and kind.
func genItem(kind record.Kind, n int) *rapid.Generator[record.Item] {
	return rapid.Custom(func(t *rapid.T) record.Item {
		id := identity(n)
		if !kind.Identified() {
			id = record.Identity{}
		}
		it := record.Item{Kind: kind}
		r := record.Record{Kind: kind, User: id.User, Name: id.Name}
		reject := record.Reject{Kind: kind, User: id.User, Name: id.Name, Reason: record.InvalidUTF8}
		switch kind {
		case record.APIKeys:
			r.APIKey = key(n)
			reject.Reason = record.AmbiguousAPIKey
		case record.LastSeen:
			r.Time = 1_700_000_000_000 + rapid.Int64Range(-1_000_000_000, 1_000_000_000).Draw(t, "ms")
		case record.MonitoringSince:
			r.Time = 1_700_000_000 + rapid.Int64Range(-1_000_000, 1_000_000).Draw(t, "s")
		case record.Metrics:
			r.Fields = make(map[string]record.Field)
			for name, v := range rapid.MapOfN(rapid.SampledFrom([]string{"c1", "c2", "c3"}), rapid.SampledFrom([]record.Value{int64(0), int64(12), 12.0, 12.5}), 1, 3).Draw(t, "counters") {
				r.Fields[name] = record.Field{Value: v}
			}
		case record.KV:
			r.Fields = make(map[string]record.Field)
			for name, v := range rapid.MapOfN(genName(), genValue(), 1, 4).Draw(t, "fields") {
				r.Fields[name] = record.Field{Value: v}
			}
		}
		it.Record = &r
		if rapid.IntRange(0, 9).Draw(t, "rejected") == 0 {
			it.Record = nil
			if kind == record.APIKeys && rapid.Bool().Draw(t, "authenticates") {
				it.APIKey = key(n)
			}
			it.Rejects = append(it.Rejects, reject)
		}
		if kind == record.Metrics && it.Record != nil && rapid.Bool().Draw(t, "counter rejected") {
			delete(r.Fields, "c1")
			it.Rejects = append(it.Rejects, reject.At("c1", record.Origin{}))
			if len(r.Fields) == 0 {
				it.Record = nil
			}
		}
		if kind == record.KV && (it.Record == nil || rapid.IntRange(0, 2).Draw(t, "field rejected") == 0) {
			name := genName().Draw(t, "rejected field")
			delete(r.Fields, name)
			it.Rejects = append(it.Rejects[:0:0], reject.At(name, record.Origin{}))
			if len(r.Fields) == 0 {
				it.Record = nil
			}
		}
		return it
	})
}

// genItems generates a source of up to so many users.
func genItems(most int) *rapid.Generator[[]record.Item] {
	return rapid.Custom(func(t *rapid.T) []record.Item {
		var items []record.Item
		for n := range rapid.IntRange(0, most).Draw(t, "users") {
			for _, kind := range record.LanyardKinds.List() {
				if (kind != record.Metrics || n == 0) && rapid.IntRange(0, 3).Draw(t, "has") > 0 {
					items = append(items, genItem(kind, n).Draw(t, "item "+strconv.Itoa(n)))
				}
			}
		}
		if rapid.IntRange(0, 3).Draw(t, "nobody's") == 0 {
			kind := rapid.SampledFrom([]record.Kind{record.APIKeys, record.KV, record.LastSeen}).Draw(t, "kind")
			items = append(items, record.Item{Kind: kind, Rejects: []record.Reject{{Kind: kind, Reason: record.InvalidUserID}}})
		}
		return items
	})
}

// documentOf returns the document that a migration writes for a record.
func documentOf(r record.Record) record.Document {
	s := record.Document{Kind: r.Kind, User: r.User, Name: r.Name, Named: r.Name != (record.Name{}), Held: record.Held{Found: true}}
	switch r.Kind {
	case record.APIKeys:
		s.Held.APIKey, s.Held.Unmodified = r.APIKey, true
	case record.LastSeen, record.MonitoringSince:
		s.Held.Times = map[string]any{record.TimeField(r.Kind): r.Time}
	default:
		s.Held.Unmodified = r.Kind == record.KV
		s.Held.Fields = make(map[string]record.Value)
		for name, f := range r.Fields {
			s.Held.Fields[name] = f.Value
		}
	}
	return s
}

// migrated returns the documents of a target to which the items were migrated.
func migrated(items []record.Item) []record.Document {
	var documents []record.Document
	for _, it := range items {
		if it.Record != nil {
			documents = append(documents, documentOf(*it.Record))
		}
	}
	return documents
}

// clone returns a document that shares nothing with s.
func clone(s record.Document) record.Document {
	s.Held.Times, s.Held.Fields = maps.Clone(s.Held.Times), maps.Clone(s.Held.Fields)
	return s
}
