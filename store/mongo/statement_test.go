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

// TestANameWithADollarIsWrittenWithItsDocument: MongoDB 4.4 refuses to set such a name, and takes it in a whole document.
func TestANameWithADollarIsWrittenWithItsDocument(t *testing.T) {
	doc := bson.D{{Key: "_id", Value: "x"}, {Key: "user_id", Value: alice.String()}, {Key: "kv", Value: bson.D{
		{Key: "deep", Value: bson.A{bson.D{{Key: "$x", Value: int64(1)}}}},
	}}, {Key: "app", Value: "stays"}}
	m := mongo.StatementFor(kv(alice, values{"a": "b"}), encoded(t, doc)).(*driver.ReplaceOneModel)
	filter := bson.D{{Key: "_id", Value: "x"}, {Key: "$expr", Value: bson.D{{Key: "$eq", Value: bson.A{
		bson.D{{Key: "$cmp", Value: bson.A{"$$ROOT", bson.D{{Key: "$literal", Value: doc}}}}}, int32(0),
	}}}}}
	if d := cmp.Diff(shown(t, filter), shown(t, m.Filter)); d != "" {
		t.Errorf("guard (-want +got):\n%s", d)
	}
	after := bson.D{doc[0], doc[1], doc[3], {Key: "kv", Value: bson.D{doc[2].Value.(bson.D)[0], {Key: "a", Value: "b"}}}}
	if d := cmp.Diff(shown(t, after), shown(t, m.Replacement)); d != "" {
		t.Errorf("document (-want +got):\n%s", d)
	}
	plain := bson.D{doc[0], doc[1], {Key: "kv", Value: bson.D{{Key: "x$", Value: "$x"}}}}
	if _, update := mongo.StatementFor(kv(alice, values{"a": "b"}), encoded(t, plain)).(*driver.UpdateOneModel); !update {
		t.Error("a document without such a name is replaced, too")
	}
}

func TestAFieldThatStandsTwiceIsNamed(t *testing.T) {
	for want, doc := range map[string]bson.D{
		"":      {{Key: "a", Value: bson.D{{Key: "b", Value: 1}}}, {Key: "b", Value: 1}, {Key: "kv", Value: bson.D{{Key: "a", Value: 1}}}},
		"since": {{Key: "since", Value: 1}, {Key: "x", Value: 1}, {Key: "since", Value: 1}},
		"x":     {{Key: "kv", Value: bson.D{{Key: "x", Value: 1}, {Key: "x", Value: 1}}}},
	} {
		if got := mongo.RepeatedName(encoded(t, doc)); got != want {
			t.Errorf("%v: %q, want %q", doc, got, want)
		}
	}
}
