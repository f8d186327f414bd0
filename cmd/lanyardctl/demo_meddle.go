package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/lanyardctl/lanyardctl/internal/location"
	"github.com/lanyardctl/lanyardctl/internal/ui"
	"github.com/lanyardctl/lanyardctl/store/embedded"
)

// Two users of the bundled dump: the one whose last-seen time is deleted, and the one whose location is changed.
const (
	demoDeleted = "90000000000015839"
	demoChanged = "110000000000023758"
)

// asClient calls f with the demo's database, as somebody else has it: with a MongoDB client.
func (d *demo) asClient(ctx context.Context, f func(ctx context.Context, db *mongo.Database) error) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Options{Dir: location.EmbeddedFolder(demoMongo)})
	if err != nil {
		return location.ExplainEmbedded(err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	client, err := mongo.Connect(options.Client().ApplyURI(server.URI()))
	if err != nil {
		return fmt.Errorf("connect to the demo's database: %w", err)
	}
	defer func() { err = errors.Join(err, client.Disconnect(context.WithoutCancel(ctx))) }()
	return f(ctx, client.Database(location.DefaultDatabase))
}

// typed shows what a client types.
func (d *demo) typed(statement string) { d.Line("%s", d.Paint(ui.Yellow, "> "+statement)) }

// meddle changes two documents.
func (d *demo) meddle(ctx context.Context, db *mongo.Database) error {
	d.typed(fmt.Sprintf(`db.last_seen.deleteOne({user_id: "%s"})`, demoDeleted))
	deleted, err := db.Collection("last_seen").DeleteOne(ctx, bson.D{{Key: "user_id", Value: demoDeleted}})
	if err != nil {
		return fmt.Errorf("delete a document of the demo: %w", err)
	}
	d.typed(fmt.Sprintf(`db.kv.updateOne({user_id: "%s"}, {$set: {"kv.location": "Atlantis"}})`, demoChanged))
	changed, err := db.Collection("kv").UpdateOne(ctx, bson.D{{Key: "user_id", Value: demoChanged}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "kv.location", Value: "Atlantis"}}}})
	if err != nil {
		return fmt.Errorf("change a document of the demo: %w", err)
	}
	if deleted.DeletedCount != 1 || changed.ModifiedCount != 1 {
		return fmt.Errorf("the demo's database holds %d and %d of the two documents that were to be changed", deleted.DeletedCount, changed.ModifiedCount)
	}
	d.Line("")
	return nil
}
