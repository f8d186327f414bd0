package mongo_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
)

// The statements of this file are those that only MongoDB takes, by their text.

// shown returns a filter or a document as text.
func shown(t *testing.T, v any) string {
	t.Helper()
	raw, err := bson.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return bson.Raw(raw).String()
}

// TestATimeOfNoValueIsGuardedByItsType: MongoDB answers a comparison with it by an error.
func TestATimeOfNoValueIsGuardedByItsType(t *testing.T) {
	doc := encoded(t, bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "since", Value: bson.Undefined{}}})
	m := mongo.StatementFor(record.Record{Kind: record.MonitoringSince, User: alice, Time: 1664641326}, doc).(*driver.UpdateOneModel)
	want := bson.D{
		{Key: "_id", Value: "x"},
		{Key: "since", Value: bson.D{{Key: "$type", Value: int32(6)}, {Key: "$not", Value: bson.D{{Key: "$type", Value: "array"}}}}},
		{Key: "monitoring_since", Value: bson.D{{Key: "$exists", Value: false}}},
	}
	if d := cmp.Diff(shown(t, want), shown(t, m.Filter)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if m.Collation == nil || m.Collation.Locale != "simple" {
		t.Errorf("compares by %v", m.Collation)
	}
}

// TestANameWithADollarIsNotTouched: MongoDB 4.4 refuses such a name in whatever is set, and whatever is replaced.
func TestANameWithADollarIsNotTouched(t *testing.T) {
	pairs := bson.D{{Key: "deep", Value: bson.A{bson.D{{Key: "$x", Value: int64(1)}}}}}
	doc := bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "kv", Value: pairs}, {Key: "lanyardctl", Value: "old"}}
	m := mongo.StatementFor(kv(alice, values{"a": "b", "n": int64(1)}), encoded(t, doc)).(*driver.UpdateOneModel)
	filter := bson.D{{Key: "_id", Value: "x"}, {Key: "kv", Value: bson.D{{Key: "$eq", Value: pairs}}}}
	if d := cmp.Diff(shown(t, filter), shown(t, m.Filter)); d != "" {
		t.Errorf("guard (-want +got):\n%s", d)
	}
	update := bson.D{
		{Key: "$set", Value: bson.D{{Key: "kv.a", Value: "b"}, {Key: "kv.n", Value: int64(1)}}},
		{Key: "$unset", Value: bson.D{{Key: "lanyardctl", Value: ""}}},
	}
	if d := cmp.Diff(shown(t, update), shown(t, m.Update)); d != "" {
		t.Errorf("update (-want +got):\n%s", d)
	}
	junk := bson.D{doc[0], doc[1], {Key: "kv", Value: bson.A{bson.D{{Key: "$x", Value: int64(1)}}}}}
	m = mongo.StatementFor(kv(alice, values{"0": "b"}), encoded(t, junk)).(*driver.UpdateOneModel)
	update = bson.D{{Key: "$set", Value: bson.D{{Key: "kv", Value: bson.D{{Key: "0", Value: "b"}}}}}}
	if d := cmp.Diff(shown(t, update), shown(t, m.Update)); d != "" {
		t.Errorf("in place of a list that gives way (-want +got):\n%s", d)
	}
	plain := bson.D{doc[0], doc[1], {Key: "kv", Value: bson.D{{Key: "x$", Value: "$x"}}}}
	m = mongo.StatementFor(kv(alice, values{"a": "b"}), encoded(t, plain)).(*driver.UpdateOneModel)
	update = bson.D{{Key: "$set", Value: bson.D{{Key: "kv", Value: bson.D{{Key: "x$", Value: "$x"}, {Key: "a", Value: "b"}}}}}}
	if d := cmp.Diff(shown(t, update), shown(t, m.Update)); d != "" {
		t.Errorf("without such a name (-want +got):\n%s", d)
	}
}

func TestAFieldThatStandsTwiceIsNamed(t *testing.T) {
	for want, doc := range map[string]bson.D{
		"":      {{Key: "a", Value: bson.D{{Key: "b", Value: 1}}}, {Key: "b", Value: 1}, {Key: "kv", Value: bson.D{{Key: "a", Value: 1}}}},
		"since": {{Key: "since", Value: 1}, {Key: "x", Value: 1}, {Key: "since", Value: 1}},
		"x":     {{Key: "kv", Value: bson.D{{Key: "x", Value: 1}, {Key: "x", Value: 1}}}},
	} {
		if got, repeated := mongo.RepeatedName(encoded(t, doc)); got != want || repeated != (want != "") {
			t.Errorf("%v: %q, want %q", doc, got, want)
		}
	}
}

func TestANameThatStandsTwiceIsSeenAtAnyDepth(t *testing.T) {
	twice := bson.D{{Key: "a", Value: 1}, {Key: "a", Value: 2}}
	for _, tc := range []struct {
		value any
		want  bool
	}{
		{bson.D{{Key: "v", Value: bson.A{1, 1}}, {Key: "w", Value: bson.D{{Key: "v", Value: 1}}}}, false},
		{twice, true},
		{bson.A{1, bson.A{bson.D{{Key: "b", Value: twice}}}}, true},
	} {
		if got := mongo.RepeatsNameAtAnyDepth(encoded(t, bson.D{{Key: "v", Value: tc.value}, {Key: "w", Value: 1}})); got != tc.want {
			t.Errorf("%v: %v", tc.value, got)
		}
	}
}
