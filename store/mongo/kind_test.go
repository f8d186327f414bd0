package mongo_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/record"
	"github.com/lanyardctl/lanyardctl/store/mongo"
	"github.com/lanyardctl/lanyardctl/store/storetest"
)

// TestEveryKindIsReadAsItIsWritten has each kind's record written and read in each of the ways that there are.
func TestEveryKindIsReadAsItIsWritten(t *testing.T) {
	records := oneOfEachKind()
	if n := len(record.LanyardKinds.List()); len(records) != n {
		t.Fatalf("%d kinds, of %d", len(records), n)
	}
	// The kinds of tables have one schema.
	records = append(records, storetest.Item(record.Sparkle, values{
		"discord_server_id": int64(81384788765712384), "discord_handle": "monalisa", "total_sparkles": record.Decimal("0.5"), "sparkle_reasons": "",
	}))
	for _, r := range records {
		doc := mongo.NewDocument(r, storetest.Now)
		stands := mongo.DocumentOf(r.Kind, doc)
		if c := stands.Content(storetest.Now); stands.Identity() != r.Identity() || !c.Complete || c.Record.Digest() != r.Digest() {
			t.Errorf("%s stands as %+v", r.Kind, stands)
		}
		if !r.Kind.Ordered() && !stands.Held.Unmodified {
			t.Errorf("%s does not look like lanyardctl's", r.Kind)
		}
		restored, err := mongo.Restored(r.Kind, doc, storetest.Now)
		names := cmpopts.EquateComparable(record.Name{})
		if d := cmp.Diff(r, restored, names, cmpopts.IgnoreTypes(record.Origin{})); d != "" || err != nil {
			t.Errorf("%s (-written +restored): %s %v", r.Kind, d, err)
		}
		m := mongo.StatementFor(r, mongo.NewDocument(changed(r), storetest.Now)).(*driver.UpdateOneModel)
		if len(m.Update.(bson.D)) == 0 || len(m.Filter.(bson.D)) < 2 {
			t.Errorf("%s is updated by %v where %v", r.Kind, m.Update, m.Filter)
		}
	}
}

func TestAnUnknownKindPanics(t *testing.T) {
	const unknown = record.Kind(record.KindCount)
	defer func() {
		if said, want := fmt.Sprint(recover()), fmt.Sprintf("mongo: kind(%d) has no schema", unknown); said != want {
			t.Errorf("%s, want %s", said, want)
		}
	}()
	mongo.Restored(unknown, nil, storetest.Now)
}
