package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/lanyardctl/lanyardctl/internal/exit"
	"github.com/lanyardctl/lanyardctl/internal/invocation"
	"github.com/lanyardctl/lanyardctl/record"
)

// demoHidden are documents of users whom the bundled dump does not know, as forks of Lanyard left them: a date of 2022
// behind one of 2026, one as text, one whose user id is a number, and one from before there was a Discord.
var demoHidden = []struct{ collection, document string }{
	{"monitoring", `{"user_id": "94490510688792576", "since": 1775185650}`},
	{"users", `{"user_id": "94490510688792576", "since": 1664641326}`},
	{"monitoring", `{"user_id": "94490510688792577", "since": "2022-10-01T16:22:06Z"}`},
	{"monitoring", `{"user_id": {"$numberLong": "94490510688792578"}, "since": 1700000000}`},
	{"monitoring", `{"user_id": "94490510688792579", "since": 1775185650}`},
	{"kv", `{"user_id": "94490510688792579", "kv": {"monitoring_since": "1230768000"}}`},
}

// hide inserts documents with dates that Lanyard does not find.
func (d *demo) hide(ctx context.Context, db *mongo.Database) error {
	for _, h := range demoHidden {
		d.typed("db." + h.collection + ".insertOne(" + h.document + ")")
		var doc bson.D
		if err := bson.UnmarshalExtJSON([]byte(h.document), false, &doc); err != nil {
			return fmt.Errorf("read a document of the demo: %w", err)
		}
		if _, err := db.Collection(h.collection).InsertOne(ctx, doc); err != nil {
			return fmt.Errorf("insert a document of the demo: %w", err)
		}
	}
	d.Line("")
	return nil
}

// takeBack takes the demo's only sweep back.
func (d *demo) takeBack(ctx context.Context) error {
	var list bytes.Buffer
	code := d.streams.execute(ctx, strings.Fields(invocation.SweepList+" --mongo "+demoMongo+" --output json --quiet"), &list, io.Discard)
	var found struct {
		Sweeps []struct {
			ID string `json:"sweep_id"`
		} `json:"sweeps"`
	}
	err := json.Unmarshal(list.Bytes(), &found)
	switch {
	case ctx.Err() != nil:
		return &exit.Error{Code: exit.Interrupted, Err: record.ErrInterrupted}
	case code != exit.Done || err != nil || len(found.Sweeps) != 1:
		return fmt.Errorf("the demo expected one sweep in the journal, and found %d (exit status %d)", len(found.Sweeps), code)
	}
	return d.do(ctx, command{invocation.SweepUndo + " " + found.Sweeps[0].ID + " --mongo " + demoMongo + " --quiet", exit.Done})()
}
