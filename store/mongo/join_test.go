package mongo_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

func encoded(t testing.TB, doc bson.D) []byte {
	t.Helper()
	b, err := bson.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// joined returns what the documents become.
func joined(t testing.TB, c record.Collection, d record.Decision, documents ...bson.D) string {
	t.Helper()
	j := record.Join{Collection: c, User: alice, Decision: d}
	for _, doc := range documents {
		j.Documents = append(j.Documents, mongo.DocumentIn(c, encoded(t, doc)))
		j.Documents[len(j.Documents)-1].Raw = encoded(t, doc)
	}
	return bson.Raw((&mongo.Documents{}).Joined(j).After).String()
}

// TestJoinedKeepsOrderAndEncoding compares documents in their order and with all their types.
func TestJoinedKeepsOrderAndEncoding(t *testing.T) {
	decimal, err := bson.ParseDecimal128("1.50")
	if err != nil {
		t.Fatal(err)
	}
	date := record.Decision{Write: true, Time: 1664641326}
	for name, c := range map[string]struct {
		collection record.Collection
		decision   record.Decision
		documents  []bson.D
		want       bson.D
	}{
		"fields keep their place, and new ones come last": {
			record.MonitoringCollection, date,
			[]bson.D{
				{{Key: "z", Value: decimal}, {Key: "since", Value: "2022"}, {Key: "_id", Value: int32(5)}, {Key: "user_id", Value: int64(alice)}, {Key: "nan", Value: math.NaN()}},
				{{Key: "_id", Value: 7}, {Key: "user_id", Value: alice.String()}, {Key: "y", Value: bson.Regex{Pattern: "a"}}, {Key: "a", Value: bson.D{{Key: "$b.c", Value: int32(1)}}}},
			},
			bson.D{
				{Key: "z", Value: decimal}, {Key: "since", Value: int64(1664641326)}, {Key: "_id", Value: int32(5)}, {Key: "user_id", Value: alice.String()}, {Key: "nan", Value: math.NaN()},
				{Key: "y", Value: bson.Regex{Pattern: "a"}}, {Key: "a", Value: bson.D{{Key: "$b.c", Value: int32(1)}}},
			},
		},
		"of a field that stands twice, the first counts": {
			record.MonitoringCollection, date,
			[]bson.D{{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "since", Value: int32(1664641326)}, {Key: "since", Value: int32(9)}, {Key: "user_id", Value: "9"}}},
			bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "since", Value: int32(1664641326)}},
		},
		"the date of another document comes in its place": {
			record.MonitoringCollection, date,
			[]bson.D{
				{{Key: "_id", Value: "x"}, {Key: "user_id", Value: int64(alice)}},
				{{Key: "_id", Value: "y"}, {Key: "since", Value: int32(1664641326)}, {Key: "last", Value: true}},
			},
			bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "since", Value: int32(1664641326)}, {Key: "last", Value: true}},
		},
		"pairs come as they stand elsewhere, and the others as they are given": {
			record.KVCollection, record.Decision{Write: true, Set: values{
				"n": int64(7), "o": record.Object{"b": int64(1), "a": "x"}, "s": "given", "changed": "new",
			}},
			[]bson.D{
				{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{{Key: "z", Value: decimal}, {Key: "changed", Value: "old"}, {Key: "a", Value: int32(1)}}}},
				{{Key: "_id", Value: "y"}, {Key: "kv", Value: bson.D{{Key: "o", Value: bson.D{{Key: "b", Value: 1.0}, {Key: "a", Value: "x"}}}, {Key: "n", Value: int32(7)}, {Key: "s", Value: "other"}}}},
			},
			bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{
				{Key: "z", Value: decimal}, {Key: "changed", Value: "new"}, {Key: "a", Value: int32(1)},
				{Key: "n", Value: int32(7)}, {Key: "o", Value: bson.D{{Key: "b", Value: 1.0}, {Key: "a", Value: "x"}}}, {Key: "s", Value: "given"},
			}}},
		},
		"what is no document of pairs becomes one": {
			record.KVCollection, record.Decision{Write: true, Set: values{"a": "x"}},
			[]bson.D{{{Key: "_id", Value: "x"}, {Key: "kv", Value: "text"}, {Key: "user_id", Value: alice.String()}}},
			bson.D{{Key: "_id", Value: "x"}, {Key: "kv", Value: bson.D{{Key: "a", Value: "x"}}}, {Key: "user_id", Value: alice.String()}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(bson.Raw(encoded(t, c.want)).String(), joined(t, c.collection, c.decision, c.documents...)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestNumbersThatAreUsers reads numbers of the types that FerretDB cannot hold, too.
func TestNumbersThatAreUsers(t *testing.T) {
	decimal := func(s string) bson.Decimal128 {
		d, err := bson.ParseDecimal128(s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, c := range []struct {
		id   any
		user record.UserID
		name string
	}{
		{decimal("94490510688792576"), alice, "94490510688792576"},
		{decimal("94490510688792576.000"), alice, "94490510688792576.000"},
		{decimal("9.4490510688792576E+16"), alice, "94490510688792576"},
		{decimal("1E+19"), 1e19, "1E+19"},
		{decimal("18446744073709551615"), math.MaxUint64, "18446744073709551615"},
		{decimal("18446744073709551616"), 0, "18446744073709551616"},
		{decimal("94490510688792576.5"), 0, "94490510688792576.5"},
		{decimal("-7"), 0, "-7"},
		{decimal("0"), 0, "0"},
		{decimal("NaN"), 0, "NaN"},
		{decimal("Infinity"), 0, "Infinity"},
		{decimal("1E+6000"), 0, "1E+6000"},
		{decimal("1E-6000"), 0, "1E-6000"},
		{math.NaN(), 0, `"NaN"`},
		{math.Inf(1), 0, `"+Inf"`},
		{float64(1<<53 + 2), 0, "9.007199254740994e+15"},
		{int64(math.MinInt64), 0, "-9223372036854775808"},
	} {
		d := mongo.DocumentIn(record.KVCollection, encoded(t, bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: c.id}}))
		if d.User != c.user || d.Name.String() != c.name || !d.Numeric {
			t.Errorf("user_id %v: user %d, named %q, numeric: %t", c.id, d.User, d.Name, d.Numeric)
		}
	}
}

func TestDatesOfTypesThatFerretDBRefuses(t *testing.T) {
	decimal, err := bson.ParseDecimal128("1664641326")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range record.UserCollections[:3] {
		doc := bson.D{{Key: "_id", Value: 1}, {Key: "user_id", Value: alice.String()}, {Key: record.OlderTimeField, Value: decimal}}
		if c == record.KVCollection {
			doc[2] = bson.E{Key: "kv", Value: bson.D{doc[2]}}
		}
		d := mongo.DocumentIn(c, encoded(t, doc))
		m, reason, _ := record.Timestamp(record.MonitoringSince, d.Held.Times[record.OlderTimeField], record.TimeBounds(record.MonitoringSince, alice, storetest.Now))
		if m.Time != 1664641326 || reason != "" {
			t.Errorf("%s: %+v, %s", c, m, reason)
		}
	}
}
