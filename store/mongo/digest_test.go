package mongo_test

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

// checkPlainDigest compares the two ways of digesting a document, and reports whether the short one took it.
func checkPlainDigest(t interface{ Errorf(string, ...any) }, kind record.Kind, doc bson.Raw) bool {
	got, plain := mongo.PlainDigest(kind, doc, storetest.Now)
	if want := mongo.DocumentOf(kind, doc).Digest(storetest.Now); plain && got != want {
		t.Errorf("%s %v:\n%+v\nof its encoding, and decoded\n%+v", kind, doc, got, want)
	}
	return plain
}

// TestWhatLanyardctlWritesIsDigestedFromItsEncoding is the law that the short way is taken, and is right.
func TestWhatLanyardctlWritesIsDigestedFromItsEncoding(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := storetest.Records().Draw(rt, "record")
		if !r.Kind.Identified() {
			return
		}
		mirrored := mongo.NewMirrored(r, storetest.Now)
		for _, doc := range []bson.Raw{mongo.NewDocument(r, storetest.Now), mirrored} {
			if !checkPlainDigest(rt, r.Kind, doc) {
				rt.Errorf("%s %v is not plain", r.Kind, doc)
			}
			d := mongo.Digester(r.Kind, storetest.Now)(doc)
			if !d.SaysExactly(r.Digest()) || d.Hash != r.Identity().Hash() || d.Unmodified != (!r.Kind.Ordered() || &doc[0] == &mirrored[0]) {
				rt.Errorf("%+v of %+v", d, r)
			}
		}
		if doc := withMark(mirrored, rapid.SampledFrom([]any{
			bson.D{}, "text", bson.D{{Key: "other", Value: r.Digest().String()}}, bson.D{{Key: "digest", Value: r.Digest().String()[1:]}},
			bson.D{{Key: "digest", Value: nil}, {Key: "digest", Value: r.Digest().String()}},
		}).Draw(rt, "mark")); mongo.Digester(r.Kind, storetest.Now)(doc).Unmodified {
			rt.Errorf("%v is taken for marked", doc)
		} else {
			checkPlainDigest(rt, r.Kind, doc)
		}
	})
}

// withMark returns the document with another mark.
func withMark(doc bson.Raw, mark any) bson.Raw {
	var d bson.D
	if err := bson.Unmarshal(doc, &d); err != nil {
		panic(err)
	}
	for i := range d {
		if d[i].Key == "lanyardctl" {
			d[i].Value = mark
		}
	}
	changed, err := bson.Marshal(d)
	if err != nil {
		panic(err)
	}
	return changed
}

// genElements generates fields of documents, among them many that lanyardctl does not write.
func genElements() *rapid.Generator[bson.D] {
	names := rapid.SampledFrom([]string{"_id", "user_id", "kv", "key", "timestamp", "since", "monitoring_since", "lanyardctl", "a", "b", ""})
	plain := rapid.SampledFrom([]any{
		nil, true, int32(7), int64(7), 7.0, 7.5, int64(1_700_000_000), int64(1_700_000_000_000), int64(-1), "", "x", alice.String(), bob.String(),
		bson.NewDateTimeFromTime(storetest.Now), bson.ObjectID{1}, bson.A{}, bson.A{int32(1), bson.D{{Key: "b", Value: 1.0}}}, bson.MinKey{}, bson.Regex{},
	})
	value := rapid.OneOf(plain, plain, rapid.Custom(func(t *rapid.T) any {
		var d bson.D
		for range rapid.IntRange(0, 4).Draw(t, "pairs") {
			d = append(d, bson.E{Key: rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "name"), Value: plain.Draw(t, "pair")})
		}
		return d
	}))
	return rapid.Custom(func(t *rapid.T) bson.D {
		d := bson.D{{Key: "user_id", Value: rapid.OneOf(rapid.Just[any](alice.String()), value).Draw(t, "user")}}
		for range rapid.IntRange(0, 4).Draw(t, "fields") {
			d = append(d, bson.E{Key: names.Draw(t, "name"), Value: value.Draw(t, "value")})
		}
		return d
	})
}

func TestBothWaysOfDigestingAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		doc, err := bson.Marshal(genElements().Draw(rt, "document"))
		if err != nil {
			rt.Fatal(err)
		}
		for kind := range record.MonitoringSince + 1 {
			checkPlainDigest(rt, kind, doc)
		}
	})
}

func FuzzDigest(f *testing.F) {
	for _, r := range oneOfEachKind() {
		f.Add([]byte(mongo.NewMirrored(r, storetest.Now)))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if bson.Raw(doc).Validate() != nil { // the driver delivers none
			return
		}
		for kind := range record.MonitoringSince + 1 {
			checkPlainDigest(t, kind, doc)
		}
	})
}

func TestDigestingAllocatesNothing(t *testing.T) {
	for _, r := range oneOfEachKind() {
		if !r.Kind.Identified() {
			continue
		}
		doc, digest := mongo.NewMirrored(r, storetest.Now), mongo.Digester(r.Kind, storetest.Now)
		if n := testing.AllocsPerRun(100, func() { digest(doc) }); n > 0 {
			t.Errorf("%s takes %v allocations", r.Kind, n)
		}
	}
}

// TestWhatIsNotPlainIsDecoded has documents that the generator seldom makes.
func TestWhatIsNotPlainIsDecoded(t *testing.T) {
	user := bson.E{Key: "user_id", Value: alice.String()}
	for kind, d := range map[record.Kind]bson.D{
		record.MonitoringSince: {user, {Key: "since", Value: int64(1_700_000_000)}, {Key: "monitoring_since", Value: int64(1_600_000_000)}},
		record.KV:              {user, {Key: "kv", Value: bson.D{{Key: "a", Value: "x"}, {Key: "a", Value: "y"}}}},
	} {
		doc, err := bson.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if checkPlainDigest(t, kind, doc) {
			t.Errorf("%s %v is taken for plain", kind, bson.Raw(doc))
		}
	}
}
